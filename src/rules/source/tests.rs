//! Files right and wrong, and what they make of observations.

use std::sync::Arc;

use super::*;
use crate::finding::{Observation, Place};
use crate::wait::WaitKind;

pub(crate) const RULE: &str = "\
schema: boundby/source/1
id: sleepy
group: A
title: a call that sleeps
languages: [python, rust]
kind: mistake
severity: {large: error, unbounded: error, several: warning, small: note, micro: note}
confidence: high
lowered_by: {test: 1, start-up: 2, inferred: 1}
facts: [count]
message: \"`{subject}` sleeps in `{symbol}`\"
why: nobody else runs meanwhile
cure: [\"await `{sibling}`\", \"wake up for `{subject}`\"]
before: |
  time.sleep(1)
after: {python: \"await asyncio.sleep(1)\", rust: \"sleep(d).await\"}
limit: names it does not know
cite: [decision guide 2.1]
options: {shortest: 5ms, names: [a, b], share: 50%}
";

fn source(text: &str, builtin: bool) -> Source {
    Source {
        file: "source/sleepy.yaml".into(),
        relative: "source/sleepy.yaml".into(),
        text: text.into(),
        builtin,
    }
}

fn errors(text: &str) -> Vec<String> {
    let result = SourceRules::assemble(&[source(text, true)], Vec::new());
    result.unwrap_err().iter().map(ToString::to_string).collect()
}

fn refused(from: &str, to: &str, expected: &str) {
    assert!(RULE.contains(from), "{from}");
    let found = errors(&RULE.replacen(from, to, 1));
    assert!(found.len() == 1 && found[0].contains(expected), "{found:#?}\n{expected}");
}

fn observation(line: u32) -> Observation {
    let place = Place { path: "a.py".into(), line, column: 1, end_line: line, end_column: 2, bytes: (0, 1) };
    Observation {
        rule: "sleepy",
        place,
        symbol: Arc::from("a.f"),
        subject: Arc::from("time.sleep"),
        chains: Vec::new(),
        reached_from: 1,
        wait: Some(WaitKind::Sleep),
        cost: Some(Cost::Large),
        mitigations: Vec::new(),
        cause: None,
        facts: Vec::new(),
        fix: None,
    }
}

#[test]
fn the_built_in_rules_are_right() {
    let rules = SourceRules::builtin();
    assert!(
        rules.is_ok(),
        "{}",
        rules.unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn a_rule_is_read_with_its_options_in_base_units() {
    let rules = SourceRules::assemble(&[source(RULE, true)], Vec::new()).unwrap();
    let rule = rules.get("sleepy").unwrap();
    assert_eq!(rule.options["shortest"], Threshold::Number(0.005));
    assert_eq!(rule.options["share"], Threshold::Number(0.5));
    assert_eq!(rule.options["names"], Threshold::Words(vec!["a".into(), "b".into()]));
    assert_eq!(rule.before, [(Language::Python, "time.sleep(1)\n".to_owned())]);
    assert_eq!(rule.after.len(), 2);
    for selector in ["sleepy", "A", "ALL"] {
        assert_eq!(rules.selected(selector), ["sleepy"]);
    }
    assert!(rules.selected("sleep").is_empty());
}

#[test]
fn every_error_is_at_its_place_with_what_would_be_right() {
    refused("id: sleepy", "id: Sleepy", "source/sleepy.yaml:2:5: ");
    refused("group: A", "group: AB", "3:8: `AB` is no group");
    refused("[python, rust]", "[pythn, rust]", "5:13: unknown language `pythn`");
    refused("kind: mistake", "kind: mistakes", "did you mean `mistake`?");
    refused("micro: note", "micro: notes", "unknown severity `notes`");
    refused(", micro: note", "", "not every cost has a severity");
    refused("start-up: 2", "startup: 2", "9:23: unknown circumstance `startup`");
    refused("{symbol}", "{simbol}", "11:10: unknown name `{simbol}`");
    refused("for `{subject}`", "for `{sibling}`", "13:29: `{sibling}` may be unknown");
    refused("limit: names it does not know", "limit: names.", "`limit` ends with a full stop");
    refused("shortest: 5ms", "shortest: 5 moons", "`5 moons` is no number");
    refused("title:", "titel:", "unknown field `titel`");
}

#[test]
fn an_overlay_replaces_but_adds_no_rule_that_nothing_detects() {
    let lower = RULE.replace("large: error", "large: note");
    let rules = SourceRules::assemble(&[source(RULE, true), source(&lower, false)], Vec::new()).unwrap();
    assert_eq!(rules.get("sleepy").unwrap().severity.by_cost[&Cost::Large], Severity::Note);
    let found = SourceRules::assemble(&[source(RULE, false)], Vec::new()).unwrap_err();
    assert!(found[0].to_string().contains("nothing detects `sleepy`"), "{}", found[0]);
    let without = RULE.replace("shortest: 5ms, ", "");
    let found =
        SourceRules::assemble(&[source(RULE, true), source(&without, false)], Vec::new()).unwrap_err();
    assert!(found[0].to_string().contains("needs the option `shortest`"), "{}", found[0]);
}

#[test]
fn circumstances_lower_what_they_are_about() {
    let rules = SourceRules::assemble(&[source(RULE, true)], Vec::new()).unwrap();
    let weigh = |mitigations: &[Mitigation], cost| {
        let seen = Observation { mitigations: mitigations.to_vec(), cost, ..observation(1) };
        let finding = rules.weigh(vec![seen]).findings.remove(0);
        (finding.severity, finding.confidence)
    };
    assert_eq!(weigh(&[], Some(Cost::Large)), (Severity::Error, Confidence::High));
    assert_eq!(weigh(&[], None), (Severity::Error, Confidence::High));
    assert_eq!(weigh(&[], Some(Cost::Micro)), (Severity::Note, Confidence::High));
    assert_eq!(weigh(&[Mitigation::Test], Some(Cost::Large)), (Severity::Warning, Confidence::High));
    assert_eq!(weigh(&[Mitigation::StartUp, Mitigation::Test], Some(Cost::Large)).0, Severity::Note);
    assert_eq!(weigh(&[Mitigation::Inferred], Some(Cost::Large)), (Severity::Error, Confidence::Medium));
    assert_eq!(weigh(&[Mitigation::ErrorPath], Some(Cost::Large)).0, Severity::Error);
}

#[test]
fn texts_are_filled_and_equals_are_told_apart_without_their_lines() {
    let rules = SourceRules::assemble(&[source(RULE, true)], Vec::new()).unwrap();
    let sibling = Observation { facts: vec![("sibling", "asyncio.sleep".to_owned())], ..observation(9) };
    let findings = rules.weigh(vec![observation(1), sibling.clone()]).findings;
    assert_eq!(findings[0].message, "`time.sleep` sleeps in `a.f`");
    assert_eq!(
        (&*findings[0].cure, &*findings[1].cure),
        ("wake up for `time.sleep`", "await `asyncio.sleep`")
    );
    assert_ne!(findings[0].fingerprint, findings[1].fingerprint);
    let moved =
        rules.weigh(vec![observation(5), Observation { place: observation(12).place, ..sibling }]).findings;
    assert_eq!(findings[1].fingerprint, moved[1].fingerprint);
    let unknown = Observation { rule: "unheard-of", ..observation(1) };
    assert_eq!(rules.weigh(vec![unknown]).without_rule.len(), 1);
}
