//! From the shape of a file to a meaning: names, kinds, units, exactly the fields that belong. Every error of
//! a file is collected on the way.

mod cases;
mod rule;

use std::collections::BTreeMap;

use super::constants::{Constant, Constants};
use super::error::RuleError;
use super::language::{
    Dimension, Kind, Literal, Minimum, Node, Problem, Scope, check_node, parse_expression, parse_literal,
};
use super::load::Source;
use super::rule::Expr;
use super::schema::{ConstantFile, Spanned, Texts};
use super::suggest::nearest;
use super::template::{CodeTemplate, Template};
use crate::yaml::at_place_of;

/// Strategies a rule may name, simplest first; the advice has exactly these.
pub const STRATEGIES: [&str; 6] = ["sequential", "threads", "processes", "async", "hybrid", "distributed"];

/// Actions a gate or a realisation may name; the advice has exactly these.
pub const ACTIONS: [&str; 10] = [
    "adopt",
    "keep",
    "resize",
    "unblock",
    "batch",
    "reduce_contention",
    "share_memory",
    "raise_quota",
    "wait_for_event",
    "inconclusive",
];

/// What a program can be bound by, in the words of the report contract.
pub const BOUND_BY: [&str; 14] = [
    "cpu",
    "gil",
    "network",
    "disk",
    "pipe",
    "lock",
    "sleep",
    "child",
    "paging",
    "memory",
    "throttled",
    "contended",
    "idle",
    "mixed",
];

/// One file being validated; errors gather in it.
pub(super) struct Validation<'a> {
    source: &'a Source,
    constants: &'a Constants,
    errors: Vec<RuleError>,
}

impl<'a> Validation<'a> {
    pub(super) fn new(source: &'a Source, constants: &'a Constants) -> Self {
        Self { source, constants, errors: Vec::new() }
    }

    fn report<T>(&mut self, value: &Spanned<T>, what: impl Into<String>, help: Option<String>) {
        self.errors.push(RuleError { help, ..self.source.at(value, what) });
    }

    fn problem(&mut self, text: &Spanned<String>, problem: Problem) {
        let error = self.source.inside(text, &problem.span, &problem.what);
        self.errors.push(RuleError { help: problem.help, ..error });
    }

    /// The value, or every error found on the way.
    fn finish<T>(self, value: Option<T>) -> Result<T, Vec<RuleError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }

    fn one_of(&mut self, text: &Spanned<String>, what: &str, known: &[&str]) -> Option<String> {
        if known.contains(&text.value.as_str()) {
            return Some(text.value.clone());
        }
        let help = match nearest(&text.value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", known.join(", ")),
        };
        self.report(text, format!("unknown {what} `{}`", text.value), Some(help));
        None
    }

    fn strategies(&mut self, texts: Option<&Texts>) -> Vec<String> {
        let texts = texts.into_iter().flatten();
        texts.filter_map(|text| self.one_of(text, "strategy", &STRATEGIES)).collect()
    }

    fn expression(&mut self, text: &Spanned<String>, minimum: Minimum) -> Option<Expr> {
        let scope = Scope { constants: self.constants, locals: &BTreeMap::new() };
        let checked =
            parse_expression(&text.value).and_then(|mut node| match check_node(&mut node, scope)? {
                Kind::Number(dimension) => Ok(Expr { text: text.value.clone(), node, dimension, minimum }),
                kind => Err(Problem::new(0..text.value.len(), format!("a number is due, this is {kind}"))),
            });
        checked.map_err(|problem| self.problem(text, problem)).ok()
    }

    /// An expression without a unit: a share, a number of workers.
    fn plain_expression(&mut self, text: &Spanned<String>, minimum: Minimum) -> Option<Expr> {
        let expression = self.expression(text, minimum)?;
        let dimension = expression.dimension;
        if !dimension.is_plain() {
            self.report(text, format!("a plain number is due, this is {dimension}"), None);
            return None;
        }
        Some(expression)
    }

    /// An expression that is a time.
    fn time(&mut self, text: &Spanned<String>) -> Option<Expr> {
        let expression = self.expression(text, Minimum::OverAll)?;
        if expression.dimension == Dimension::SECONDS {
            return Some(expression);
        }
        self.report(text, format!("a time is due, this is {}", expression.dimension), None);
        None
    }

    fn template(
        &mut self,
        text: &Spanned<String>,
        locals: &BTreeMap<String, Node>,
        minimum: Minimum,
    ) -> Option<Template> {
        let scope = Scope { constants: self.constants, locals };
        Template::parse(&text.value, scope, minimum).map_err(|problem| self.problem(text, problem)).ok()
    }

    fn code(&mut self, text: &Spanned<String>) -> Option<CodeTemplate> {
        CodeTemplate::parse(&text.value).map_err(|problem| self.problem(text, problem)).ok()
    }

    fn literal(&mut self, text: &Spanned<String>) -> Option<f64> {
        parse_literal(&text.value).map(Literal::value).map_err(|problem| self.problem(text, problem)).ok()
    }

    pub(super) fn constant(
        mut self,
        name: &Spanned<String>,
        file: &Spanned<ConstantFile>,
    ) -> Result<Constant, Vec<RuleError>> {
        // Constants have no dot, so they can never be taken for facts.
        let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        let starts_well = name.value.starts_with(|first: char| first.is_ascii_lowercase());
        if !starts_well || !name.value.chars().all(letter) {
            let what = format!("`{}` is not a name for a constant", name.value);
            self.report(name, what, Some("use snake_case".to_owned()));
        }
        let (text, why, cite) = match &file.value {
            ConstantFile::Short(text) => (at_place_of(file, text), String::new(), Vec::new()),
            ConstantFile::Long(fields) => {
                let cite = fields.cite.0.iter().chain(&fields.source.0).cloned().collect();
                (fields.value.clone(), fields.why.clone(), cite)
            }
        };
        let literal = parse_literal(&text.value).map_err(|problem| self.problem(&text, problem)).ok();
        let constant = literal.map(|literal| Constant {
            value: literal.value(),
            dimension: literal.suffix.dimension(),
            text: text.value.clone(),
            why,
            cite,
        });
        self.finish(constant)
    }
}
