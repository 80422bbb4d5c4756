//! Golden reports: the JSON of every case, and the text that is rendered from that JSON again. `BLESS=1 cargo test`
//! rewrites them; read the difference as a reader of reports would.

use std::path::{Path, PathBuf};

use boundby::report::{Format, Report, Style, json, render};
use serde_json::Value;

use crate::report_cases;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports").join(name)
}

pub(crate) fn check(path: &Path, fresh: &[u8]) {
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
        let report = Report {
            profile: &saved.profile,
            machine: &saved.machine,
            advice: &saved.advice_was,
            source: None,
        };
        for width in [60, 80] {
            let text = render(&report, Format::Text, &Style { width, ..Style::PLAIN });
            check(&folder.join(format!("{width}.txt")), &text);
        }
    }
    let case = &report_cases::all()[0];
    let narrow = Style { width: 40, ..Style::PLAIN };
    check(&folder(case.name).join("40.txt"), &render(&case.report(), Format::Text, &narrow));
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
