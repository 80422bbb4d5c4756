//! Whether the rules do what their own tests say, and whether the tests say enough.

use std::collections::BTreeSet;

use super::RuleSet;
use super::condition::Condition;
use super::constants::Constants;
use super::expectation::{RuleExpectation, RuleTest};
use super::language::{Env, Minimum, Shift, Truth};
use super::rule::{Expr, Rule, Then};
use crate::facts::{Facts, Value};

/// Something a rule's tests show, or fail to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailure {
    /// The rule.
    pub rule: String,
    /// Its file.
    pub origin: String,
    /// Which kind of failure.
    pub kind: CheckKind,
    /// What is wrong, lowercase, no full stop.
    pub what: String,
}

/// How a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// A test does not come out.
    Test,
    /// Tests or citations are missing.
    Coverage,
    /// A threshold could be another without any test noticing.
    Pinned,
}

impl CheckKind {
    /// Whether the rule is wrong, and not only poorly tested.
    #[must_use]
    pub fn is_error(self) -> bool {
        self == Self::Test
    }
}

/// Runs the embedded tests of every rule, and looks for rules without a firing and a non-firing test, without
/// a citation, and with thresholds that can be moved by 20 % without any test noticing.
///
/// Rules that were shipped are tested with the shipped thresholds: a user who overrides one has not broken
/// them.
#[must_use]
pub fn check(rules: &RuleSet) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    for rule in rules.decision() {
        let constants = if rule.builtin { &rules.shipped } else { &rules.constants };
        let mut found = Vec::new();
        run_tests(rule, constants, &mut found);
        coverage(rule, &mut found);
        // What a failing test pins says nothing.
        if found.iter().all(|(kind, _)| !kind.is_error()) {
            unpinned(rule, constants, &mut found);
            unpinned_consequence(rule, constants, &mut found);
        }
        failures.extend(found.into_iter().map(|(kind, what)| CheckFailure {
            rule: rule.id.clone(),
            origin: rule.origin.clone(),
            kind,
            what,
        }));
    }
    failures
}

type Found = Vec<(CheckKind, String)>;

fn run_tests(rule: &Rule, constants: &Constants, found: &mut Found) {
    for test in &rule.tests {
        if let Err(what) = run_test(rule, test, constants) {
            found.push((CheckKind::Test, format!("test `{}`: {what}", test.name)));
        }
    }
}

fn run_test(rule: &Rule, test: &RuleTest, constants: &Constants) -> Result<(), String> {
    let env = Env { constants, facts: &test.given, minimum: Minimum::OverAll };
    let (truth, trace) = rule.when.evaluate(env);
    let wanted = match test.expect {
        RuleExpectation::Fired | RuleExpectation::Values(_) => "true",
        RuleExpectation::NotFired => "false",
        RuleExpectation::Unknown => "unknown",
    };
    if truth.name() != wanted {
        let lines: Vec<_> =
            trace.iter().map(|line| format!("{} is {}", line.text, told(&line.truth))).collect();
        return Err(format!("the condition is {}, expected {wanted} ({})", told(&truth), lines.join("; ")));
    }
    let RuleExpectation::Values(values) = &test.expect else { return Ok(()) };
    for (name, expected) in values {
        let value = value_of(rule, name, &test.given, constants)?;
        if !expected.accepts(&value) {
            return Err(format!("`{name}` is {}, expected {}", shown(&value), expected));
        }
    }
    Ok(())
}

fn told(truth: &Truth) -> String {
    match truth {
        Truth::Unknown(missing) => format!("unknown ({} not given)", missing.join(", ")),
        known => known.name().to_owned(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => format!("`{text}`"),
    }
}

/// What a test can look at: the fields of `then` that are one value.
fn value_of(rule: &Rule, name: &str, facts: &Facts, constants: &Constants) -> Result<Value, String> {
    let text = |text: &String| Ok(Value::Text(text.clone()));
    let optional = |field: &Option<String>| match field {
        Some(value) => Ok(Value::Text(value.clone())),
        None => Err(format!("the rule has no `{name}`")),
    };
    let number = |expression: &Expr| {
        let missing =
            |missing: Vec<String>| format!("`{name}` is unknown ({} not given)", missing.join(", "));
        expression.number_with(constants, facts).map(Value::Number).map_err(missing)
    };
    match (&rule.then, name) {
        (_, "severity") => match rule.severity {
            Some(severity) => Ok(Value::Text(severity.name().to_owned())),
            None => Err("only a hazard has a `severity`".to_owned()),
        },
        (Then::Verdict { bound_by, .. }, "bound_by") => text(bound_by),
        (Then::Verdict { share, .. }, "share") => number(share),
        (Then::Gate { action, .. }, "action") => optional(action),
        (Then::Gate { strategy, .. }, "strategy") => optional(strategy),
        (Then::Cap { workers, .. }, "workers") => number(workers),
        (Then::Prefer { strategy, .. }, "strategy") => text(strategy),
        (Then::Prefer { weight, .. }, "weight") => Ok(Value::Number(*weight)),
        (Then::Engine { engine, .. }, "engine") => text(engine),
        (Then::Engine { task, .. }, "task") => number(task),
        (Then::Note { show, .. }, _) if show.contains_key(name) => number(&show[name]),
        _ => Err(format!("a {} has no `{name}` to test", rule.kind.name())),
    }
}

fn coverage(rule: &Rule, found: &mut Found) {
    let mut lacks = |what: &str| found.push((CheckKind::Coverage, what.to_owned()));
    let any = |wanted: fn(&RuleExpectation) -> bool| rule.tests.iter().any(|test| wanted(&test.expect));
    if !any(|expect| matches!(expect, RuleExpectation::Fired | RuleExpectation::Values(_))) {
        lacks("no test in which it fires");
    }
    // A rule without a condition always fires.
    if !rule.when.lines.is_empty() && !any(|expect| *expect == RuleExpectation::NotFired) {
        lacks("no test in which it does not fire");
    }
    if rule.cite.is_empty() {
        lacks("no `cite`: say where it comes from");
    }
    let names: BTreeSet<_> = rule.tests.iter().map(|test| &test.name).collect();
    if names.len() != rule.tests.len() {
        lacks("two tests have the same name");
    }
}

/// Moves every number of the condition down and up: each must change what some test sees.
fn unpinned(rule: &Rule, constants: &Constants, found: &mut Found) {
    let truths = |condition: &Condition| -> Vec<&'static str> {
        let truth = |test: &RuleTest| {
            let env = Env { constants, facts: &test.given, minimum: Minimum::OverAll };
            condition.evaluate(env).0.name()
        };
        rule.tests.iter().map(truth).collect()
    };
    let before = truths(&rule.when);
    for (i, line) in rule.when.lines.iter().enumerate() {
        for number in 0.. {
            let mut moved = rule.when.clone();
            let mut unnoticed = Vec::new();
            let mut name = None;
            for shift in [Shift::Down, Shift::Up] {
                moved.lines[i].test = line.test.clone();
                name = moved.lines[i].test.move_number(number, shift, constants);
                if name.is_some() && truths(&moved) == before {
                    unnoticed.push(if shift == Shift::Down { "below" } else { "above" });
                }
            }
            let Some(name) = name else { break };
            if !unnoticed.is_empty() {
                let what = format!(
                    "`{}`: no test is close enough {} `{name}`; a slip there would go unnoticed",
                    line.text,
                    unnoticed.join(" and ")
                );
                found.push((CheckKind::Pinned, what));
            }
        }
    }
}

/// The same for every number of what follows: workers, shares, lengths of tasks, weights.
fn unpinned_consequence(rule: &Rule, constants: &Constants, found: &mut Found) {
    let unnoticed = |moved: &Rule| moved.tests.iter().all(|test| run_test(moved, test, constants).is_ok());
    let mut miss = |field: &str, name: &str, sides: &[&str]| {
        if !sides.is_empty() {
            let sides = sides.join(" and ");
            let what = format!("`{field}`: no test would notice another `{name}`, {sides} of it");
            found.push((CheckKind::Pinned, what));
        }
    };
    let sides = [(Shift::Down, "below"), (Shift::Up, "above")];
    let fields: Vec<String> =
        consequences(&mut rule.then.clone()).into_iter().map(|(name, _)| name).collect();
    for (at, field) in fields.iter().enumerate() {
        for number in 0.. {
            let mut name = None;
            let mut missed = Vec::new();
            for (shift, side) in sides {
                let mut moved = rule.clone();
                let mut expressions = consequences(&mut moved.then);
                let mut index = number;
                name = expressions[at].1.node.move_number(&mut index, shift, constants);
                if name.is_some() && unnoticed(&moved) {
                    missed.push(side);
                }
            }
            let Some(name) = name else { break };
            miss(field, &name, &missed);
        }
    }
    if let Then::Prefer { weight, .. } = &rule.then
        && *weight != 0.0
    {
        let missed = sides.into_iter().filter(|(shift, _)| {
            let mut moved = rule.clone();
            if let Then::Prefer { weight, .. } = &mut moved.then {
                *weight *= if *shift == Shift::Up { 1.2 } else { 0.8 };
            }
            unnoticed(&moved)
        });
        miss("weight", &weight.to_string(), &missed.map(|(_, side)| side).collect::<Vec<_>>());
    }
}

/// The expressions of a consequence by the name that tests call them.
fn consequences(then: &mut Then) -> Vec<(String, &mut Expr)> {
    match then {
        Then::Verdict { share, .. } => vec![("share".to_owned(), share)],
        Then::Cap { workers, .. } => vec![("workers".to_owned(), workers)],
        Then::Engine { task, .. } => vec![("task".to_owned(), task)],
        Then::Note { show, .. } => show.iter_mut().map(|(name, shown)| (name.clone(), shown)).collect(),
        Then::Gate { .. } | Then::Prefer { .. } | Then::Hazard { .. } => Vec::new(),
    }
}
