//! The shipped JSON Schema holds for every golden report, and is strict enough to catch a wrong one.

use boundby::report::json;
use serde_json::Value;

use crate::report_cases;

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

/// Keywords that need no check, or whose check above has nothing to complain of.
const KEYWORDS: [&str; 13] = [
    "$schema",
    "title",
    "description",
    "$defs",
    "format",
    "default",
    "const",
    "enum",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
];

/// What of a value breaks a schema: as much of JSON Schema as the report's schema uses, and a complaint about a
/// keyword that it does not know.
fn violations(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let Some(schema) = schema.as_object() else { return errors };
    for (keyword, rule) in schema {
        match keyword.as_str() {
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
            "maximum" if value.as_f64().is_some_and(|value| value > rule.as_f64().unwrap()) => {
                errors.push(format!("{at}: {value} is more than {rule}"));
            }
            "minItems"
                if value.as_array().is_some_and(|list| (list.len() as u64) < rule.as_u64().unwrap()) =>
            {
                errors.push(format!("{at}: fewer than {rule} values"));
            }
            "maxItems" if value.as_array().is_some_and(|list| list.len() as u64 > rule.as_u64().unwrap()) => {
                errors.push(format!("{at}: more than {rule} values"));
            }
            known if KEYWORDS.contains(&known) => {}
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
