//! A rule as data: validated, so that nothing about it can be wrong but its judgement.

use std::collections::BTreeMap;

use super::RuleSet;
use super::language::{Dimension, Env, Node, Test, Truth, evaluate_test, number};
use super::template::{CodeTemplate, Template};
use crate::facts::{Fact, Facts, Value};

/// What a rule does when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Says what binds; the first that fires decides.
    Verdict,
    /// Rules strategies out.
    Gate,
    /// Limits the number of workers.
    Cap,
    /// Adds weight to a strategy.
    Prefer,
    /// Adds a sentence to the report.
    Note,
    /// Reports a mistake.
    Hazard,
}

impl RuleKind {
    /// Every kind, in the order they are applied.
    pub const ALL: [Self; 6] = [Self::Verdict, Self::Gate, Self::Cap, Self::Prefer, Self::Note, Self::Hazard];

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Gate => "gate",
            Self::Cap => "cap",
            Self::Prefer => "prefer",
            Self::Note => "note",
            Self::Hazard => "hazard",
        }
    }

    /// The kind with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How bad a hazard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Costs time.
    Warning,
    /// Does not work.
    Error,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Kebab-case, the name of its file.
    pub id: String,
    /// What it does.
    pub kind: RuleKind,
    /// A few words.
    pub title: String,
    /// Higher is tried first; unique within a kind.
    pub precedence: i32,
    /// Of hazards.
    pub severity: Option<Severity>,
    /// When it fires.
    pub when: Condition,
    /// What follows.
    pub then: Then,
    /// Why, with the numbers put in.
    pub because: Template,
    /// Where it comes from.
    pub cite: Vec<String>,
    /// Version that brought it.
    pub since: Option<String>,
    /// Its file.
    pub origin: String,
    /// Part of boundby, not of a user's directory.
    pub builtin: bool,
    /// Its embedded tests.
    pub tests: Vec<RuleTest>,
}

/// What follows from a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// The program is bound by this.
    Verdict {
        /// A name of the report contract.
        bound_by: String,
        /// Which share of wall time that is.
        share: Expr,
    },
    /// Strategies are ruled out, or an action takes the place of the advice.
    Gate {
        /// Only these remain; empty: no such restriction.
        only: Vec<String>,
        /// These are ruled out.
        veto: Vec<String>,
        /// What to do instead of adopting a strategy.
        action: Option<String>,
        /// The strategy of the advice; `now` is the one the program has.
        strategy: Option<String>,
        /// What the advice says.
        headline: Option<Template>,
    },
    /// At most so many workers.
    Cap {
        /// How many. `min()` in it goes over its known operands.
        workers: Expr,
        /// For which strategies.
        strategies: Vec<String>,
        /// What limits, in a few words.
        reason: Template,
    },
    /// A strategy gains or loses.
    Prefer {
        /// Which.
        strategy: String,
        /// How much, in log-ratio of predicted time.
        weight: f64,
    },
    /// A sentence.
    Note {
        /// The sentence.
        text: Template,
        /// Named values it uses.
        show: BTreeMap<String, Expr>,
    },
    /// A mistake in the program.
    Hazard {
        /// What is wrong.
        finding: Template,
        /// What to do.
        fix: Template,
    },
}

/// A number computed from facts and constants.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub(super) text: String,
    pub(super) node: Node,
    pub(super) dimension: Dimension,
    pub(super) min_skips_unknown: bool,
}

impl Expr {
    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it measures.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Its value, in the base unit.
    ///
    /// In a cap, `min()` goes over the operands that are known; [`unknown`](Self::unknown) names what it skipped.
    ///
    /// # Errors
    /// The names of the facts that are missing; a division by zero is named as such.
    pub fn number(&self, rules: &RuleSet, facts: &Facts) -> Result<f64, Vec<String>> {
        let env = Env { constants: rules.constants(), facts, min_skips_unknown: self.min_skips_unknown };
        number(&self.node, env)
    }

    /// The facts in it that are not known, whether or not the value depends on them.
    #[must_use]
    pub fn unknown(&self, facts: &Facts) -> Vec<String> {
        self.node.facts().into_iter().filter(|name| facts.get(name).is_none()).map(str::to_owned).collect()
    }
}

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

/// An embedded test of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// The facts.
    pub given: Facts,
    /// What must come out.
    pub expect: RuleExpectation,
}

/// What a test of a rule expects.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleExpectation {
    /// It fires.
    Fired,
    /// It is known not to fire.
    NotFired,
    /// It cannot be told.
    Unknown,
    /// It fires, and these values follow.
    Values(Vec<(String, Expected)>),
}

/// An expected value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Within a relative tolerance.
    About {
        /// In the base unit.
        value: f64,
        /// Relative, 0.05 is 5 %.
        tolerance: f64,
    },
    /// Within a closed range; either end may be infinite.
    Between(f64, f64),
    /// Exactly (numbers: within one part in 10^9).
    Is(Value),
}

impl Expected {
    /// Whether a value is as expected.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::About { value, tolerance }, Value::Number(found)) => {
                (found - value).abs() <= tolerance * value.abs()
            }
            (Self::Between(low, high), Value::Number(found)) => (low..=high).contains(&found),
            (Self::Is(Value::Number(value)), Value::Number(found)) => {
                (found - value).abs() <= 1e-9 * value.abs().max(1e-9)
            }
            (Self::Is(value), found) => value == found,
            _ => false,
        }
    }
}

/// One acceptance case of the prediction model; run by the module that owns the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCase {
    /// Its id, for example `A1`.
    pub id: String,
    /// Where it comes from.
    pub cite: Vec<String>,
    /// What it shows; empty where the file does not say.
    pub note: String,
    /// Inputs by name; the model knows which names it takes.
    pub given: BTreeMap<String, Datum>,
    /// Outputs by name.
    pub expect: BTreeMap<String, Expected>,
    /// Its file.
    pub origin: String,
}

/// An input of a model case.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// One value.
    One(Value),
    /// A list of numbers in base units, for example one per item.
    Numbers(Vec<f64>),
}

/// How a strategy is written in a language.
#[derive(Debug, Clone, PartialEq)]
pub struct Realisation {
    /// The language of `runtime.lang`, or `any`.
    pub lang: String,
    /// The strategy.
    pub strategy: String,
    /// Only for this action; `None`: for every action.
    pub action: Option<String>,
    /// The construct on one line.
    pub construct: CodeTemplate,
    /// A few lines of code.
    pub snippet: Option<CodeTemplate>,
    /// What to know about it.
    pub notes: Vec<CodeTemplate>,
    /// Its file.
    pub origin: String,
}
