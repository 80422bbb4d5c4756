//! When a rule fires, and the trace that is the evidence of a report.

use super::Rule;
use super::language::{Env, Test, Truth, evaluate_test};
use crate::facts::Fact;

/// When a rule fires: every line of `all`, at least one of `any` (where there are any), none of `none`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// The lines, in the order `all`, `any`, `none`.
    pub lines: Vec<Line>,
}

/// One line of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// In which list it stands.
    pub list: List,
    /// As written.
    pub text: String,
    pub(super) test: Test,
}

/// The list a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Must hold.
    All,
    /// One of these must hold.
    Any,
    /// Must not hold.
    None,
}

impl List {
    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Any => "any",
            Self::None => "none",
        }
    }
}

/// One comparison with its outcome: the evidence of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// As written in the rule.
    pub text: String,
    /// In which list it stands; a line of `none` speaks for the rule when it is false.
    pub list: List,
    /// Whether it holds.
    pub truth: Truth,
    /// The facts it names, in order, where known.
    pub facts: Vec<(String, Option<Fact>)>,
    /// The left side, where it is a number and known.
    pub left: Option<f64>,
    /// The right side, where it is a number and known.
    pub right: Option<f64>,
}

/// A rule with its truth over some facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Whether it fires.
    pub truth: Truth,
    /// Every comparison.
    pub trace: Vec<Comparison>,
}

impl Condition {
    pub(super) fn evaluate(&self, env: Env<'_>) -> (Truth, Vec<Comparison>) {
        let trace: Vec<_> = self.lines.iter().map(|line| line.evaluate(env)).collect();
        (self.combine(&trace), trace)
    }

    fn combine(&self, trace: &[Comparison]) -> Truth {
        let of =
            |list: List| trace.iter().filter(move |line| line.list == list).map(|line| line.truth.clone());
        let any = if self.lines.iter().any(|line| line.list == List::Any) {
            of(List::Any).fold(Truth::False, Truth::or)
        } else {
            Truth::True
        };
        let none = of(List::None).map(Truth::negate);
        of(List::All).chain(none).fold(any, Truth::and)
    }
}

impl Line {
    /// The facts it names, in order.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        self.test.facts()
    }

    /// The constants it names, in order.
    #[must_use]
    pub fn constants(&self) -> Vec<&str> {
        self.test.constants()
    }

    fn evaluate(&self, env: Env<'_>) -> Comparison {
        let (truth, left, right) = evaluate_test(&self.test, env);
        let facts = self
            .test
            .facts()
            .into_iter()
            .map(|name| (name.to_owned(), env.facts.get(name).cloned()))
            .collect();
        Comparison { text: self.text.clone(), list: self.list, truth, facts, left, right }
    }
}
