//! Whether a JSON value follows a JSON schema.

use serde_json::Value;

/// Keywords that need no check, or whose check above has nothing to complain of.
const KEYWORDS: [&str; 17] = [
    "$schema",
    "$id",
    "definitions",
    "pattern",
    "uniqueItems",
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

/// What of a value breaks a schema: as much of JSON Schema as these schemas use, and a complaint about a keyword
/// that it does not know. Patterns are left to others.
pub(crate) fn violations(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
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
            "oneOf" => {
                let options = rule.as_array().unwrap().iter();
                let fitting = options.filter(|option| violations(root, option, value, at).is_empty()).count();
                if fitting != 1 {
                    errors.push(format!("{at}: {value} fits {fitting} alternatives instead of one"));
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
            "additionalProperties" => {
                let named = |name: &str| schema.get("properties").is_some_and(|all| all.get(name).is_some());
                let others = value.as_object().into_iter().flatten().filter(|(name, _)| !named(name));
                for (name, value) in others {
                    if rule == &Value::Bool(false) {
                        errors.push(format!("{at}: {name} is not allowed"));
                    }
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
            "uniqueItems" if rule == &Value::Bool(true) && repeats(value) => {
                errors.push(format!("{at}: a value stands there twice"));
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

/// Whether a list holds a value twice.
fn repeats(value: &Value) -> bool {
    let mut texts: Vec<String> = value.as_array().into_iter().flatten().map(Value::to_string).collect();
    texts.sort();
    texts.windows(2).any(|pair| pair[0] == pair[1])
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
