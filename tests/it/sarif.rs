//! What `boundby scan --format sarif` writes follows the schema of SARIF 2.1.0, and what GitHub asks of a file besides.

use std::fs;
use std::path::Path;

use boundby::cli::ScanArgs;
use boundby::commands::scan::scan_in;
use clap::Parser;
use serde_json::Value;

use crate::schema::violations;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ScanArgs,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    let text = fs::read(repository().join("fixtures/formats/sarif-2.1.0.schema.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What of a file does not follow the schema.
pub(crate) fn broken(sarif: &Value) -> Vec<String> {
    let schema = schema();
    violations(&schema, &schema, sarif, "")
}

/// Everything that every rule sees in every fixture, and a file that cannot be read.
fn everything() -> Value {
    let root = tempfile::tempdir().unwrap();
    copy(&repository().join("fixtures/rules"), &root.path().join("söme rules"));
    fs::write(root.path().join("broken.py"), "def f(:\n").unwrap();
    let words = ["scan", "--isolated", "--level", "note", "--confidence", "low", "--format", "sarif"];
    let outcome = scan_in(&Line::try_parse_from(words).unwrap().args, root.path()).unwrap();
    serde_json::from_slice(&outcome.outputs[0].1).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_schema_of_sarif_is_followed() {
    let schema = schema();
    let golden = fs::read(repository().join("fixtures/reports/scan/sarif.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    for (name, value) in [("the golden report", &golden), ("every fixture", &everything())] {
        let errors = violations(&schema, &schema, value, "");
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    let mut wrong = golden;
    wrong["runs"][0]["columnKind"] = "bytes".into();
    wrong["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    wrong["runs"][0]["results"][0]["severity"] = "error".into();
    let errors = violations(&schema, &schema, &wrong, "");
    assert_eq!(errors.len(), 3, "the checker must see what is wrong: {errors:#?}");
}

#[test]
fn what_github_asks_for_is_kept() {
    let sarif = everything();
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 20, "{rule}");
        assert!(rule["shortDescription"]["text"].as_str().unwrap().len() <= 1024, "{rule}");
    }
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().unwrap();
    assert!((100..=25_000).contains(&results.len()), "{}", results.len());
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        let fingerprints = result["partialFingerprints"].as_object().unwrap();
        assert!(!fingerprints.contains_key("primaryLocationLineHash"), "that one is GitHub's own");
        assert_eq!(fingerprints.len(), 1, "{result}");
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let at = |line: &str, column: &str| (region[line].as_u64(), region[column].as_u64());
        assert!(at("startLine", "startColumn") <= at("endLine", "endColumn"), "{result}");
        let flows = result["codeFlows"].as_array().into_iter().flatten();
        let steps = flows.map(|flow| flow["threadFlows"][0]["locations"].as_array().unwrap().len());
        assert!(steps.sum::<usize>() <= 10_000);
    }
    let mut uris = Vec::new();
    collect(&sarif, "uri", &mut uris);
    assert!(uris.iter().any(|uri| uri.starts_with("s%C3%B6me%20rules/")), "{:?}", uris.first());
    for uri in uris {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
        assert!(!uri.starts_with('/') && uri.chars().all(plain), "{uri}");
    }
}

/// Every string under a key, anywhere.
fn collect(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(key).and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}
