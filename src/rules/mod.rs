//! The decision guide as data: rules in YAML, checked when loaded, evaluated over facts with a trace.
//!
//! Knows the format of rule files and the vocabulary of facts; must not know how facts come about or what an
//! advice looks like. No threshold, coefficient or name of an API lives in this code.

mod assemble;
mod check;
mod condition;
mod constants;
mod description;
mod expectation;
pub mod guide;
pub mod language;
mod rule;
mod schema;
pub mod source;
pub mod suggest;
mod template;
mod validate;

use std::collections::BTreeMap;
use std::path::Path;

pub use check::{CheckFailure, CheckKind, check};
pub use condition::{Comparison, Condition, Line, List, Outcome};
pub use constants::{Constant, Constants};
pub use description::{Clue, Description};
pub use error::RuleError;
pub use expectation::{Datum, Expected, ModelCase, RuleExpectation, RuleTest};
pub use guide::Guide;
pub use language::Truth;
pub use rule::{Expr, Realisation, Rule, RuleKind, Severity, Then};
pub use template::{CodeTemplate, Template, VARIABLES};
pub use validate::{ACTIONS, BOUND_BY, STRATEGIES};

use crate::facts::Facts;
use crate::yaml::{error, load};
use language::{Env, Minimum};

/// All rules, constants, model coefficients, acceptance cases and realisations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    constants: Constants,
    /// As shipped, before a user's overrides: what the tests of the shipped rules are about.
    shipped: Constants,
    model: Constants,
    cases: Vec<ModelCase>,
    advice_cases: Vec<ModelCase>,
    realisations: Vec<Realisation>,
    description: Description,
    guide: Guide,
    /// Whether coefficients that were measured on this computer stand over those of boundby.
    calibrated: bool,
}

impl RuleSet {
    /// The rules of boundby itself.
    ///
    /// # Errors
    /// Everything that is wrong in them; a test of boundby keeps this from happening in a release.
    pub fn builtin() -> Result<Self, Vec<RuleError>> {
        assemble::assemble(&load::builtin(), Vec::new())
    }

    /// The rules of boundby with a user's directory (or single file of rules) on top: new ids are added, same
    /// ids replace, `overlay.yaml` disables rules and overrides constants.
    ///
    /// # Errors
    /// Everything that is wrong in the directory, or why it cannot be read.
    pub fn with_overlay(path: &Path) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut sources = load::builtin();
        sources.extend(load::read(path, &mut errors));
        assemble::assemble(&sources, errors)
    }

    /// As [`RuleSet::with_overlay`], with coefficients that were measured on this computer, in base units, between the
    /// two. Those the model does not know are left out.
    ///
    /// # Errors
    /// Everything that is wrong in the directory, or why it cannot be read.
    pub fn with_measured(model: &BTreeMap<String, f64>, path: Option<&Path>) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut sources = load::builtin();
        let known = assemble::assemble(&sources, Vec::new())?.model;
        sources.push(known.overlay("what was measured here", model));
        if let Some(path) = path {
            sources.extend(load::read(path, &mut errors));
        }
        Ok(Self { calibrated: !model.is_empty(), ..assemble::assemble(&sources, errors)? })
    }

    /// Whether coefficients that were measured on this computer stand over those of boundby.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        self.calibrated
    }

    /// Every rule, by kind, then precedence (highest first), then id.
    #[must_use]
    pub fn decision(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The threshold with this name, in its base unit.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<f64> {
        self.constants.get(name).map(|constant| constant.value)
    }

    /// Every threshold.
    #[must_use]
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// The coefficient of the prediction model with this name, in its base unit.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<f64> {
        self.model.get(name).map(|constant| constant.value)
    }

    /// Every coefficient of the prediction model.
    #[must_use]
    pub fn coefficients(&self) -> &Constants {
        &self.model
    }

    /// One error for every coefficient the model needs and the rules do not have.
    #[must_use]
    pub fn missing_coefficients(&self, required: &[&str]) -> Vec<RuleError> {
        let missing = required.iter().filter(|name| self.model.get(name).is_none());
        missing
            .map(|name| {
                let error = RuleError::whole_file("rules/model.yaml", format!("the model needs `{name}`"));
                error.help("add it under `constants` with a value and where it was measured")
            })
            .collect()
    }

    /// The acceptance cases of the prediction model.
    #[must_use]
    pub fn model_cases(&self) -> &[ModelCase] {
        &self.cases
    }

    /// The acceptance cases of the advice as a whole: facts given, advice expected.
    #[must_use]
    pub fn advice_cases(&self) -> &[ModelCase] {
        &self.advice_cases
    }

    /// The same rules with one coefficient of the model, by its name, times a factor.
    #[cfg(test)]
    pub(crate) fn with_coefficient(&self, name: &str, factor: f64) -> Self {
        let mut other = self.clone();
        if let Some(mut constant) = other.model.get(name).cloned() {
            constant.value *= factor;
            other.model.insert(name, constant);
        }
        other
    }

    /// How a strategy is written in a language: for exactly this action, else for every action; in this
    /// language, else in `any`. Of the entries whose condition is known to hold the last one wins, and so do later
    /// files over earlier ones.
    #[must_use]
    pub fn realisation(
        &self,
        lang: &str,
        strategy: &str,
        action: &str,
        facts: &Facts,
    ) -> Option<&Realisation> {
        let env = Env { constants: &self.constants, facts, minimum: Minimum::OverAll };
        let find = |lang: &str, action: Option<&str>| {
            self.realisations.iter().rev().find(|realisation| {
                realisation.lang == lang
                    && realisation.strategy == strategy
                    && realisation.action.as_deref() == action
                    && realisation.when.evaluate(env).0 == Truth::True
            })
        };
        [(lang, Some(action)), (lang, None), ("any", Some(action)), ("any", None)]
            .into_iter()
            .find_map(|(lang, action)| find(lang, action))
    }

    /// The words of descriptions.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What the decision guide says, by number.
    #[must_use]
    pub fn guide(&self) -> &Guide {
        &self.guide
    }

    /// Every realisation, in order of file and entry.
    #[must_use]
    pub fn realisations(&self) -> &[Realisation] {
        &self.realisations
    }

    /// Every rule of a kind, in order, with its truth over the facts.
    #[must_use]
    pub fn evaluate<'a>(&'a self, kind: RuleKind, facts: &Facts) -> Vec<Outcome<'a>> {
        let env = Env { constants: &self.constants, facts, minimum: Minimum::OverAll };
        let rules = self.rules.iter().filter(|rule| rule.kind == kind);
        rules
            .map(|rule| {
                let (truth, trace) = rule.when.evaluate(env);
                Outcome { rule, truth, trace }
            })
            .collect()
    }
}
