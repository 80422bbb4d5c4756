//! A rule as data: validated, so that nothing about it can be wrong but its judgement.

use std::collections::BTreeMap;

use super::RuleSet;
use super::condition::Condition;
use super::constants::Constants;
use super::expectation::RuleTest;
use super::language::{Dimension, Env, Minimum, Node, number};
use super::template::{CodeTemplate, Template};
use crate::facts::Facts;

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
    /// Names the engine for work that takes more than one machine; the first that fires is taken.
    Engine,
}

impl RuleKind {
    /// Every kind, in the order they are applied.
    pub const ALL: [Self; 7] =
        [Self::Verdict, Self::Gate, Self::Cap, Self::Prefer, Self::Note, Self::Hazard, Self::Engine];

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
            Self::Engine => "engine",
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
        /// The line to type or to write, where no construct of the language is it.
        construct: Option<Template>,
        /// The same in full: a file of settings, code.
        snippet: Option<Template>,
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
    /// An engine for several machines.
    Engine {
        /// Its name.
        engine: String,
        /// The shortest task that is worth sending, seconds.
        task: Expr,
        /// Why it is not taken where its condition does not hold.
        unless: Template,
    },
}

/// A number computed from facts and constants.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub(super) text: String,
    pub(super) node: Node,
    pub(super) dimension: Dimension,
    pub(super) minimum: Minimum,
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
    /// In a cap, `min()` goes over the operands that are known; [`unknown`](Self::unknown) names what it
    /// skipped.
    ///
    /// # Errors
    /// The names of the facts that are missing; a division by zero is named as such.
    pub fn number(&self, rules: &RuleSet, facts: &Facts) -> Result<f64, Vec<String>> {
        self.number_with(rules.constants(), facts)
    }

    pub(super) fn number_with(&self, constants: &Constants, facts: &Facts) -> Result<f64, Vec<String>> {
        number(&self.node, Env { constants, facts, minimum: self.minimum })
    }

    /// The facts in it that are not known, whether or not the value depends on them.
    #[must_use]
    pub fn unknown(&self, facts: &Facts) -> Vec<String> {
        self.node.facts().into_iter().filter(|name| facts.get(name).is_none()).map(str::to_owned).collect()
    }
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
    /// Only where this is known to hold.
    pub when: Condition,
    /// The construct on one line.
    pub construct: CodeTemplate,
    /// A few lines of code.
    pub snippet: Option<CodeTemplate>,
    /// What to know about it.
    pub notes: Vec<CodeTemplate>,
    /// Its file.
    pub origin: String,
}
