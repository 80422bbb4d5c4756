//! Directories of a user: what they can do, and how what is wrong in them is shown.

use std::fs;
use std::path::Path;

use boundby::facts::{Facts, Origin, Value};
use boundby::rules::{self, CheckKind, Expected, RuleKind, RuleSet, Truth};
use tempfile::TempDir;

/// A small right rule, with replacements applied to it.
fn rule(id: &str, changes: &[(&str, &str)]) -> String {
    let mut text = format!(
        "schema: boundby/rules/1
id: {id}
kind: gate
title: Spends its time starting processes
precedence: 7001
when:
  all:
  - \"now.children >= 100\"
  - 'run.wall > 5s'
then: {{veto: [processes]}}
because: \"{{now.children}} processes in {{run.wall}}\"
cite: own
tests:
- {{name: many, given: {{now.children: 110, run.wall: 5.5s}}, expect: fired}}
- {{name: few, given: {{now.children: 90, run.wall: 5.5s}}, expect: not-fired}}
- {{name: short, given: {{now.children: 110, run.wall: 4.5s}}, expect: not-fired}}
"
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in the rule");
        text = text.replace(from, to);
    }
    text
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// The errors of a directory, as shown, with its path taken out.
fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let directory = directory(files);
    let prefix = format!("{}/", directory.path().display());
    match RuleSet::with_overlay(directory.path()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| error.to_string().replace(&prefix, "")).collect(),
    }
}

#[track_caller]
fn refused(changes: &[(&str, &str)], expected: &str) {
    let found = errors(&[("many-children.yaml", &rule("many-children", changes))]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0], expected.trim_start_matches('\n'));
}

#[test]
fn a_wrong_expression_is_shown_at_its_token() {
    refused(
        &[("now.children >= 100", "now.childern >= 100")],
        "
many-children.yaml:8:6: unknown fact `now.childern`
 8 |   - \"now.childern >= 100\"
   |      ^^^^^^^^^^^^
   = did you mean `now.children`?",
    );
    refused(
        &[("run.wall > 5s", "run.wall > 5")],
        "
many-children.yaml:9:17: `>` between a time and a plain number
 9 |   - 'run.wall > 5'
   |                 ^
   = write the unit, as in `5s` or `5ms`",
    );
    refused(
        &[("{now.children} processes", "ünï {now.children | ratio} processes")],
        "
many-children.yaml:11:31: unknown format `ratio`
 11 | because: \"ünï {now.children | ratio} processes in {run.wall}\"
    |                               ^^^^^
    = formats are percent, seconds, bytes, factor, count",
    );
}

#[test]
fn a_wrong_word_or_field_is_shown_with_what_would_be_right() {
    refused(
        &[("kind: gate", "kind: gates")],
        "
many-children.yaml:3:7: unknown kind `gates`
 3 | kind: gates
   |       ^^^^^
   = did you mean `gate`?",
    );
    refused(
        &[("[processes]", "[process]")],
        "
many-children.yaml:10:15: unknown strategy `process`
 10 | then: {veto: [process]}
    |               ^^^^^^^
    = did you mean `processes`?",
    );
    refused(
        &[("expect: fired", "expect: fires")],
        "
many-children.yaml:14:68: unknown expectation `fires`
 14 | - {name: many, given: {now.children: 110, run.wall: 5.5s}, expect: fires}
    |                                                                    ^^^^^
    = fired, not-fired, unknown, or values by name",
    );
    let found = errors(&[("many-children.yaml", &rule("many-children", &[("cite:", "sites:")]))]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("many-children.yaml:12:1: unknown field `sites`, expected one of"),
        "{}",
        found[0]
    );
}

#[test]
fn a_test_is_checked_like_the_rule() {
    refused(
        &[("run.wall: 4.5s", "run.wall: 4.5MiB")],
        "
many-children.yaml:16:54: `run.wall` is a time, this is a size
 16 | - {name: short, given: {now.children: 110, run.wall: 4.5MiB}, expect: not-fired}
    |                                                      ^^^^^^
    = write the number with its unit, as in `100ms`",
    );
}

#[test]
fn a_fact_nobody_knows_is_reported_once_and_at_its_name() {
    refused(
        &[
            ("{now.children: 110, run.wall: 4.5s}", "{now.childern: 110, run.wall: 4.5s}"),
            ("now.children: 90", "now.childern: 90"),
        ],
        "
many-children.yaml:15:23: unknown fact `now.childern`
 15 | - {name: few, given: {now.childern: 90, run.wall: 5.5s}, expect: not-fired}
    |                       ^^^^^^^^^^^^
    = did you mean `now.children`?",
    );
}

#[test]
fn every_error_of_every_file_is_reported() {
    let wrong = rule(
        "many-children",
        &[
            ("now.children >= 100", "now.childs >= 100"),
            ("run.wall > 5s", "run.wall > "),
            ("[processes]", "[fork]"),
        ],
    );
    let found = errors(&[
        ("many-children.yaml", &wrong),
        ("other.yaml", &rule("another", &[])),
        ("broken.yaml", "id: [1, 2"),
        ("elsewhere/x.yaml", "a: 1"),
        ("overlay.yaml", "disable: [nothing-like-this]\nconstants: {min_gian: 1.1}\n"),
    ]);
    let starts = [
        "broken.yaml:",
        "elsewhere/x.yaml: not a place for rules",
        "many-children.yaml:8:6: ",
        "many-children.yaml:9:17: ends where a value is due",
        "many-children.yaml:10:15: unknown strategy `fork`",
        "other.yaml:2:5: id `another` is not the name of the file, `other`",
        "overlay.yaml:1:11: no rule `nothing-like-this` to disable",
        "overlay.yaml:2:13: no constant `min_gian` to override",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (error, start) in found.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}\n{start}");
    }
}

#[test]
fn fields_must_be_those_of_the_kind() {
    let found = errors(&[("many-children.yaml", &rule("many-children", &[("kind: gate", "kind: prefer")]))]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("`veto` does not belong to a prefer"), "{}", found[0]);
    assert!(found[1].contains("a prefer needs `strategy`"), "{}", found[1]);
    assert!(found[2].contains("a prefer needs `weight`"), "{}", found[2]);
}

#[test]
fn own_rules_are_added_replaced_and_disabled() {
    let builtin = RuleSet::builtin().unwrap();
    let gone = &builtin.decision()[0].id;
    let replaced =
        builtin.decision().iter().find(|rule| rule.kind == RuleKind::Gate && rule.id != *gone).unwrap();
    let text = rule(&replaced.id, &[]);
    let directory = directory(&[
        ("decision/many-children.yaml", &rule("many-children", &[("7001", "7002")])),
        (&format!("{}.yaml", replaced.id), &text),
        ("overlay.yaml", &format!("disable: [{gone}]\nconstants: {{min_gain: 3}}\n")),
    ]);
    let set = RuleSet::with_overlay(directory.path()).unwrap();
    assert_eq!(set.decision().len(), builtin.decision().len());
    assert_eq!(set.get(gone), None);
    assert!(!set.get(&replaced.id).unwrap().builtin);
    assert_eq!(set.get("many-children").unwrap().precedence, 7002);
    assert_eq!(set.constant("min_gain"), Some(3.0));
    assert_eq!(builtin.constant("min_gain"), Some(1.2));
    // Overriding a threshold does not break the tests of the shipped rules that name it.
    let failures = rules::check(&set);
    assert!(failures.iter().all(|failure| !failure.kind.is_error()), "{failures:?}");
}

#[test]
fn an_override_keeps_the_unit() {
    let found = errors(&[("overlay.yaml", "constants:\n  worth_total: 5\n")]);
    assert_eq!(
        found,
        ["overlay.yaml:2:16: `worth_total` is a time, this is a plain number
 2 |   worth_total: 5
   |                ^
   = it is `100ms` in the rules it overrides"]
    );
}

#[test]
fn a_precedence_belongs_to_one_rule_of_a_kind() {
    let found = errors(&[("a-first.yaml", &rule("a-first", &[])), ("b-second.yaml", &rule("b-second", &[]))]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("b-second.yaml:5:1: gate `b-second` has the precedence of `a-first`, 7001"));
}

#[test]
fn tests_that_fail_and_thresholds_nobody_watches_are_reported() {
    let text = rule(
        "many-children",
        &[
            ("now.children: 90", "now.children: 20"),
            ("run.wall: 4.5s}, expect: not-fired", "run.wall: 4.5s}, expect: fired"),
        ],
    );
    let check = |text: &str| {
        let directory = directory(&[("many-children.yaml", text)]);
        let set = RuleSet::with_overlay(directory.path()).unwrap();
        let own = rules::check(&set).into_iter().filter(|failure| failure.rule == "many-children");
        own.map(|failure| (failure.kind, failure.what)).collect::<Vec<_>>()
    };
    let failing = check(&text);
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert_eq!(failing[0].0, CheckKind::Test);
    assert_eq!(
        failing[0].1,
        "test `short`: the condition is false, expected true (now.children >= 100 is true; run.wall > 5s is false)"
    );
    let loose = check(&rule("many-children", &[("now.children: 90", "now.children: 20")]));
    assert_eq!(loose.len(), 1, "{loose:?}");
    assert_eq!(loose[0].0, CheckKind::Pinned);
    assert!(loose[0].1.contains("no test is close enough below `100`"), "{}", loose[0].1);
    assert_eq!(check(&rule("many-children", &[])), []);
}

#[test]
fn a_small_count_is_pinned_by_its_neighbours() {
    let counts = |few: &str| {
        let text = rule(
            "many-children",
            &[(">= 100", ">= 2"), ("now.children: 110", "now.children: 2"), ("now.children: 90", few)],
        );
        let directory = directory(&[("many-children.yaml", &text)]);
        let failures = rules::check(&RuleSet::with_overlay(directory.path()).unwrap());
        failures.into_iter().filter(|failure| failure.rule == "many-children").count()
    };
    assert_eq!(counts("now.children: 1"), 0);
    assert_eq!(counts("now.children: 0"), 1);
}

#[test]
fn evaluation_says_true_false_or_what_is_missing_with_its_trace() {
    let directory = directory(&[("many-children.yaml", &rule("many-children", &[]))]);
    let set = RuleSet::with_overlay(directory.path()).unwrap();
    let mut facts = Facts::default();
    facts.number("now.children", 250.0, Origin::Measured);
    let outcome = |facts: &Facts| {
        let outcomes = set.evaluate(RuleKind::Gate, facts);
        let found = outcomes.into_iter().find(|outcome| outcome.rule.id == "many-children").unwrap();
        (found.truth, found.trace)
    };
    let (truth, trace) = outcome(&facts);
    assert_eq!(truth, Truth::Unknown(vec!["run.wall".into()]));
    assert_eq!(trace[0].text, "now.children >= 100");
    assert_eq!((trace[0].left, trace[0].right), (Some(250.0), Some(100.0)));
    assert_eq!(trace[0].facts[0].1.as_ref().unwrap().value, Value::Number(250.0));
    assert_eq!(trace[1].facts[0], ("run.wall".to_owned(), None));
    let because = |facts: &Facts| set.get("many-children").unwrap().because.render(&set, facts);
    assert_eq!(because(&facts), "250 processes in (not measured)");
    facts.number("run.wall", 12.44, Origin::Measured);
    assert_eq!(outcome(&facts).0, Truth::True);
    assert_eq!(because(&facts), "250 processes in 12.4 s");
    facts.number("now.children", 3.0, Origin::Measured);
    assert_eq!(outcome(&facts).0, Truth::False);
}

#[test]
fn model_cases_and_realisations_are_read() {
    let directory = directory(&[
        (
            "model_cases.yaml",
            "cases:\n- {id: Z1, cite: S4:301, given: {n: 1000, wait: 100ms, waits: [0.8s, 500ms], strategy: threads}, expect: {time: {about: 12.5s, tol: 2%}, workers: {between: [1, 8]}}}\n",
        ),
        (
            "realise/cobol.yaml",
            "entries:\n- {strategy: threads, construct: 'POOL({workers})', snippet: 'x = {y} {{}}', notes: ['{queue} waiting']}\n- {strategy: threads, action: resize, construct: 'RESIZE {workers}'}\n",
        ),
        ("model.yaml", "constants: {thread_start: {value: 50us, why: measured, source: here}}\n"),
    ]);
    let set = RuleSet::with_overlay(directory.path()).unwrap();
    assert_eq!(set.model("thread_start"), Some(5e-5));
    let missing = set.missing_coefficients(&["thread_start", "of_no_model"]);
    assert_eq!(missing.len(), 1);
    assert!(missing[0].to_string().contains("the model needs `of_no_model`"));
    let case = set.model_cases().iter().find(|case| case.id == "Z1").unwrap();
    assert_eq!(case.given["wait"], rules::Datum::One(Value::Number(0.1)));
    assert_eq!(case.given["waits"], rules::Datum::Numbers(vec![0.8, 0.5]));
    assert!(case.expect["time"].accepts(&Value::Number(12.6)));
    assert!(!case.expect["time"].accepts(&Value::Number(13.0)));
    assert_eq!(case.expect["workers"], Expected::Between(1.0, 8.0));
    let values = std::collections::BTreeMap::from([("workers", "12".to_owned())]);
    let adopt = set.realisation("cobol", "threads", "adopt", &Facts::default()).unwrap();
    assert_eq!(adopt.construct.render(&values), "POOL(12)");
    assert_eq!(adopt.snippet.as_ref().unwrap().render(&values), "x = {y} {{}}");
    assert_eq!(adopt.notes[0].render(&values), "<queue> waiting");
    assert_eq!(
        set.realisation("cobol", "threads", "resize", &Facts::default()).unwrap().construct.render(&values),
        "RESIZE 12"
    );
    assert_eq!(
        set.realisation("cobol", "async", "adopt", &Facts::default()).filter(|found| found.lang == "cobol"),
        None
    );
}

#[test]
fn hostile_files_are_refused_quickly() {
    let laughs: String = (1..10).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let below = format!("*a{}, ", level - 1).repeat(10);
        format!("{text}a{level}: &a{level} [{}]\n", below.trim_end_matches(", "))
    });
    let cases = [
        ("laughs.yaml", laughs),
        ("nested.yaml", "[".repeat(100_000)),
        ("maps.yaml", "{a: ".repeat(50_000)),
        ("large.yaml", "#".repeat(1024 * 1024 + 1)),
        ("empty.yaml", String::new()),
        ("null.yaml", "~".to_owned()),
        ("zero.yaml", "\0\0\0".to_owned()),
        ("escape.yaml", rule("escape", &[("kind: gate", "kind: \"\\e[31mred\"")])),
        (
            "huge-number.yaml",
            rule("huge-number", &[("precedence: 7001", "precedence: 99999999999999999999")]),
        ),
        ("yes.yaml", rule("yes", &[("precedence: 7001", "precedence: yes")])),
        ("infinite.yaml", rule("infinite", &[("now.children >= 100", "now.children >= 1e999")])),
    ];
    let started = cpu_time();
    for (name, text) in &cases {
        let found = errors(&[(name, text)]);
        assert!(!found.is_empty(), "{name} was accepted");
        assert!(found[0].starts_with(name), "{}", found[0]);
        assert!(!found[0].contains(['\u{1b}', '\0']), "{name} writes to the terminal");
        assert!(found[0].len() < 2000, "{name}: the error is as long as the file");
    }
    assert!(cpu_time() - started < 10.0);
}

/// CPU time of this thread, seconds: beside other programs the wall clock does not tell what a file costs.
fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[test]
fn bytes_that_are_no_text_and_paths_that_are_no_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: &Path| RuleSet::with_overlay(path).unwrap_err()[0].to_string();
    assert!(refused(directory.path()).contains("no .yaml file in it"));
    let bytes = directory.path().join("bytes.yaml");
    fs::write(&bytes, [0xff, 0xfe, 0x00]).unwrap();
    assert!(refused(&bytes).contains("not UTF-8 text"));
    assert!(refused(Path::new("/dev/null")).contains("not a file"));
    assert!(refused(&directory.path().join("gone.yaml")).contains("cannot be read"));
}
