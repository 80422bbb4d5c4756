//! Whether the rules do what their own tests say, and whether the tests say enough.

use super::language::Env;
use super::rule::{Expected, List, Rule, RuleExpectation, RuleTest, Then};
use super::{RuleSet, Truth};
use crate::facts::Value;

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
/// Placeholder so that callers can compile.
#[must_use]
pub fn check(_rules: &RuleSet) -> Vec<CheckFailure> {
    Vec::new()
}
