//! `rules/README.md` says what is true: its table of facts is the vocabulary, its example loads and is well
//! tested.

use std::fmt::Write;
use std::fs;

use boundby::catalog::{Catalog, Language, Mark};
use boundby::facts::{Type, Unit, VOCABULARY};
use boundby::rules::{self, RuleSet, VARIABLES};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/README.md");
const START: &str = "<!-- facts -->\n";
const END: &str = "<!-- end of facts -->\n";

fn facts() -> String {
    let mut table = "| fact | unit | meaning | how to learn it |\n|---|---|---|---|\n".to_owned();
    for spec in VOCABULARY {
        let unit = match spec.ty {
            Type::Number(Unit::Count) => "count",
            Type::Number(Unit::Ratio) => "share",
            Type::Number(Unit::Seconds) => "time",
            Type::Number(Unit::Bytes) => "size",
            Type::Number(Unit::Rate) => "per second",
            Type::Bool => "true or false",
            Type::Text => "word",
        };
        writeln!(table, "| `{}` | {unit} | {} | {} |", spec.name, spec.meaning, spec.how_to_learn).unwrap();
    }
    table
}

#[test]
fn the_table_of_facts_is_the_vocabulary() {
    let text = fs::read_to_string(README).unwrap();
    let (before, rest) = text.split_once(START).expect("the README has a place for the facts");
    let (_, after) = rest.split_once(END).expect("the place for the facts ends");
    let fresh = format!("{before}{START}{}{END}{after}", facts());
    if std::env::var_os("BLESS").is_some() {
        fs::write(README, &fresh).unwrap();
    } else {
        assert!(text == fresh, "rules/README.md is stale; rewrite it with BLESS=1 cargo test --test it");
    }
}

#[test]
fn the_example_loads_and_its_tests_pin_every_threshold() {
    let text = fs::read_to_string(README).unwrap();
    let (_, rest) = text.split_once("<!-- example -->\n```yaml\n").expect("the README has an example");
    let (example, _) = rest.split_once("```").expect("the example ends");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("many-short-processes.yaml"), example).unwrap();
    let set = RuleSet::with_overlay(directory.path()).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let failures: Vec<_> =
        rules::check(&set).into_iter().filter(|failure| failure.rule == "many-short-processes").collect();
    assert_eq!(failures, []);
}

#[test]
fn the_catalogue_in_it_loads_and_means_what_it_says() {
    let text = fs::read_to_string(README).unwrap();
    let (_, rest) = text.split_once("<!-- catalogue -->\n```yaml\n").expect("the README has a catalogue");
    let (example, _) = rest.split_once("```").expect("the catalogue ends");
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("catalog")).unwrap();
    fs::write(directory.path().join("catalog/acme.yaml"), example).unwrap();
    let catalog = Catalog::with(directory.path()).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let api = |name: &str| catalog.find(Language::Python, name).map(|api| api.name.as_str());
    assert_eq!(api("acme.api.fetch"), Some("acme.fetch"));
    assert_eq!(api("acme.Session.list"), Some("acme.Session.*"));
    assert_eq!(api("requests.get"), Some("requests.get"));
    assert_eq!(catalog.attribute(Language::Python, "acme.Session", "retries"), Some("acme.Retries"));
    assert_eq!(catalog.returns(Language::Python, "acme.session"), Some("acme.Session"));
    assert!(catalog.has(Language::Python, "acme.Session", Mark::NotThreadSafe));
}

#[test]
fn every_place_of_code_is_named() {
    let text = fs::read_to_string(README).unwrap();
    for name in VARIABLES {
        assert!(text.contains(&format!("`{{{name}}}`")), "{name}");
    }
}
