//! Every number of the decision guide has a home, and the page that says which is up to date.

use std::collections::BTreeSet;
use std::path::Path;

use boundby::cli::{RulesArgs, RulesCommand};
use boundby::commands::rules::run;
use boundby::rules::RuleSet;
use boundby::rules::guide::{LEFT_OUT, homes};
use boundby::rules::source::SourceRules;

fn sets() -> (RuleSet, SourceRules) {
    (RuleSet::builtin().unwrap(), SourceRules::builtin().unwrap())
}

#[test]
fn every_number_of_the_guide_has_a_home_and_every_home_a_number() {
    let (rules, scan) = sets();
    let (guide, homes) = (rules.guide(), homes(&rules, &scan));
    let numbers = [guide.rows.len(), guide.contradictions.len(), guide.figures.len()];
    assert_eq!(numbers, [90, 24, 25]);
    let known: BTreeSet<&str> = guide.entries().map(|entry| entry.id.as_str()).collect();
    assert_eq!(known.len(), 90 + 24 + 25, "two entries have the same number");
    let homeless: Vec<&str> = guide
        .entries()
        .filter(|entry| !homes.contains_key(&entry.id) && entry.became != LEFT_OUT)
        .map(|entry| entry.id.as_str())
        .collect();
    assert!(homeless.is_empty(), "no rule, coefficient, case or word cites {homeless:?}");
    let unknown: Vec<&String> = homes.keys().filter(|id| !known.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "the guide has no {unknown:?}");
    let left_out = guide.entries().filter(|entry| entry.became == LEFT_OUT).count();
    assert!(left_out <= 1, "{left_out} of the guide is left out");
}

#[test]
fn the_page_of_the_coverage_is_up_to_date() {
    let mut page = Vec::new();
    run(&RulesArgs { rules: None, command: RulesCommand::Coverage }, &mut page).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/COVERAGE.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let kept = std::fs::read(&file).unwrap_or_default();
    assert!(kept == page, "rules/COVERAGE.md is of yesterday: BLESS=1 cargo test --test it coverage");
}
