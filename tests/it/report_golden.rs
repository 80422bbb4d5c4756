//! Golden reports: the JSON of every case, and the text that is rendered from that JSON again. `BLESS=1 cargo test`
//! rewrites them; read the difference as a reader of reports would.

use std::path::{Path, PathBuf};

use boundby::report::{Format, Report, Style, json, render};
use serde_json::Value;

use crate::report_cases;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports").join(name)
}

fn check(path: &Path, fresh: &[u8]) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, fresh).unwrap();
    }
    let golden = std::fs::read(path).unwrap_or_default();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        golden == fresh,
        "{} differs (BLESS=1 rewrites it)\n--- golden\n{}\n--- fresh\n{}",
        path.display(),
        shown(&golden),
        shown(fresh),
    );
}

#[test]
fn every_case_reads_as_its_goldens() {
    for case in report_cases::all() {
        let folder = folder(case.name);
        let bytes = render(&case.report(), Format::Json, &Style::PLAIN);
        check(&folder.join("report.json"), &bytes);
        let saved = json::from_json(&bytes).unwrap();
        let report = Report { profile: &saved.profile, machine: &saved.machine, advice: &saved.advice_was };
        for width in [60, 80] {
            let text = render(&report, Format::Text, &Style { width, ..Style::PLAIN });
            check(&folder.join(format!("{width}.txt")), &text);
        }
    }
    let case = &report_cases::all()[0];
    let everything = Style { width: 120, color: false, unicode: false, verbose: true };
    check(
        &folder(case.name).join("120-ascii-verbose.txt"),
        &render(&case.report(), Format::Text, &everything),
    );
}

#[test]
fn no_line_is_wider_than_asked_and_ascii_is_ascii() {
    for case in report_cases::all() {
        for width in [30, 40, 47, 48, 60, 80, 110] {
            for unicode in [true, false] {
                let style = Style { width, unicode, ..Style::PLAIN };
                let text = String::from_utf8(render(&case.report(), Format::Text, &style)).unwrap();
                assert!(unicode || text.is_ascii(), "{} in ASCII:\n{text}", case.name);
                for line in text.lines() {
                    let columns = unicode_width::UnicodeWidthStr::width(line);
                    assert!(columns <= width, "{} at {width}: {columns} columns in\n{line}", case.name);
                    assert_eq!(line.trim_end(), line, "{} at {width}: blanks at the end", case.name);
                }
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for case in report_cases::all() {
        let plain = render(&case.report(), Format::Text, &Style::PLAIN);
        let painted = render(&case.report(), Format::Text, &Style { color: true, ..Style::PLAIN });
        let painted = String::from_utf8(painted).unwrap();
        assert!(painted.contains('\u{1b}'));
        let stripped: String = painted
            .split('\u{1b}')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect();
        assert_eq!(stripped, String::from_utf8(plain).unwrap());
    }
}

#[test]
fn the_books_of_every_golden_balance() {
    for case in report_cases::all() {
        let golden: Value = serde_json::from_slice(&json::to_json(&case.report())).unwrap();
        let sum: f64 =
            golden["profile"]["wall"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
        let wall = golden["profile"]["wall_s"].as_f64().unwrap();
        assert!((sum - wall).abs() <= wall * 1e-4, "{}: {sum} s of {wall} s", case.name);
    }
}

#[test]
fn every_golden_follows_the_shipped_schema() {
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    for case in report_cases::all() {
        let golden: Value = serde_json::from_slice(&json::to_json(&case.report())).unwrap();
        let errors = violations(&schema, &schema, &golden, case.name);
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let mut wrong: Value = serde_json::from_slice(&json::to_json(&report_cases::all()[0].report())).unwrap();
    wrong["verdict"]["confidence"] = "certain".into();
    wrong["profile"]["wall"].as_object_mut().unwrap().remove("gil");
    wrong["profile"]["sites"][0]["episodes"] = (-3).into();
    assert_eq!(violations(&schema, &schema, &wrong, "").len(), 3, "the checker must see what is wrong");
}

/// What of a value breaks a schema: as much of JSON Schema as the report's schema uses, and a complaint about a
/// keyword that it does not know.
fn violations(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let Some(schema) = schema.as_object() else { return errors };
    for (keyword, rule) in schema {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "format" | "default" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().trim_start_matches('#');
                errors.extend(violations(root, root.pointer(name).unwrap(), value, at));
            }
            "anyOf" => {
                let options = rule.as_array().unwrap();
                if !options.iter().any(|option| violations(root, option, value, at).is_empty()) {
                    errors.push(format!("{at}: {value} fits no alternative"));
                }
            }
            "type" => {
                let allowed: Vec<&str> = rule.as_array().map_or_else(
                    || vec![rule.as_str().unwrap()],
                    |names| names.iter().filter_map(Value::as_str).collect(),
                );
                if !allowed.iter().any(|name| is_a(value, name)) {
                    errors.push(format!("{at}: {value} is not of type {rule}"));
                }
            }
            "const" if rule != value => errors.push(format!("{at}: {value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                errors.push(format!("{at}: {value} is none of {rule}"));
            }
            "minimum" if value.as_f64().is_some_and(|value| value < rule.as_f64().unwrap()) => {
                errors.push(format!("{at}: {value} is less than {rule}"));
            }
            "required" => {
                let names = rule.as_array().unwrap().iter().filter_map(Value::as_str);
                errors.extend(
                    names.filter(|name| value.get(name).is_none()).map(|name| format!("{at}: no {name}")),
                );
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        errors.extend(violations(root, rule, value, &format!("{at}.{name}")));
                    }
                }
            }
            "additionalProperties" if rule.is_object() => {
                for (name, value) in value.as_object().unwrap() {
                    errors.extend(violations(root, rule, value, &format!("{at}.{name}")));
                }
            }
            "propertyNames" => {
                for name in value.as_object().unwrap().keys() {
                    errors.extend(violations(root, rule, &Value::from(name.as_str()), at));
                }
            }
            "items" if rule.is_object() => {
                for value in value.as_array().into_iter().flatten() {
                    errors.extend(violations(root, rule, value, &format!("{at}[]")));
                }
            }
            "prefixItems" => {
                for (rule, value) in
                    rule.as_array().unwrap().iter().zip(value.as_array().into_iter().flatten())
                {
                    errors.extend(violations(root, rule, value, &format!("{at}[]")));
                }
            }
            "maximum" | "minItems" | "maxItems" | "const" | "enum" | "minimum" | "items" => {}
            unknown => errors.push(format!("the schema uses `{unknown}`, teach it to this test")),
        }
    }
    errors
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}
