//! Tests of rules, acceptance cases of the model, realisations: values given and values expected.

use std::collections::BTreeMap;

use super::{ACTIONS, BOUND_BY, STRATEGIES, Validation};
use crate::facts::{self, Facts, Origin, Type, VOCABULARY, Value, WORK_KINDS};
use crate::rules::description::{Clue, Description};
use crate::rules::error::{RuleError, harmless};
use crate::rules::expectation::{Datum, Expected, ModelCase, RuleExpectation, RuleTest};
use crate::rules::language::{Dimension, Problem, parse_literal};
use crate::rules::rule::Realisation;
use crate::rules::schema::{
    CasesFile, DatumFile, DescriptionFile, ExpectFile, RangeFile, RealiseFile, Spanned, TestFile, ValueFile,
};
use crate::rules::suggest::nearest;

impl Validation<'_> {
    pub(super) fn test(&mut self, test: &TestFile) -> Option<RuleTest> {
        let mut given = Facts::default();
        for (name, text) in &test.given.0 {
            if let Some(value) = self.fact(name, text) {
                given.set(&name.value, value, Origin::Measured);
            }
        }
        let expect = match &test.expect.value {
            ExpectFile::Word(word) => match word.as_str() {
                "fired" => RuleExpectation::Fired,
                "not-fired" => RuleExpectation::NotFired,
                "unknown" => RuleExpectation::Unknown,
                _ => {
                    let help = "fired, not-fired, unknown, or values by name";
                    self.report(&test.expect, format!("unknown expectation `{word}`"), Some(help.into()));
                    return None;
                }
            },
            ExpectFile::Values(values) => {
                let mut expected = Vec::new();
                for (name, value) in &values.0 {
                    expected.push((name.value.clone(), self.expected(value)?));
                }
                RuleExpectation::Values(expected)
            }
        };
        Some(RuleTest { name: harmless(&test.name), given, expect })
    }

    fn fact(&mut self, name: &Spanned<String>, text: &Spanned<String>) -> Option<Value> {
        let Some(spec) = facts::spec(&name.value) else {
            let what = format!("unknown fact `{}`", name.value);
            // A name that is wrong in the condition is wrong in every test; saying it once is enough.
            if self.errors.iter().all(|error| error.what != what) {
                let near = nearest(&name.value, VOCABULARY.iter().map(|spec| spec.name));
                self.report(name, what, near.map(|near| format!("did you mean `{near}`?")));
            }
            return None;
        };
        let name = spec.name;
        match spec.ty {
            Type::Text => Some(Value::Text(text.value.clone())),
            Type::Bool => match text.value.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => {
                    self.report(text, format!("`{name}` is true or false"), None);
                    None
                }
            },
            Type::Number(unit) => {
                let wanted = Dimension::from(unit);
                let checked = parse_literal(&text.value).and_then(|literal| {
                    let found = literal.suffix.dimension();
                    let without_unit =
                        found == Dimension::BARE && (wanted.is_plain() || wanted == Dimension::RATE);
                    if wanted == Dimension::SHARE && !(0.0..=1.0).contains(&literal.value()) {
                        let problem = Problem::new(0..text.value.len(), "a share lies between 0 and 1");
                        return Err(problem.help("write it as `0.5` or `50%`"));
                    }
                    if found == wanted || literal.number == 0.0 || without_unit {
                        return Ok(Value::Number(literal.value()));
                    }
                    let what = format!("`{name}` is {wanted}, this is {found}");
                    Err(Problem::new(0..text.value.len(), what)
                        .help("write the number with its unit, as in `100ms`"))
                });
                checked.map_err(|problem| self.problem(text, problem)).ok()
            }
        }
    }

    fn expected(&mut self, value: &Spanned<ValueFile>) -> Option<Expected> {
        let range = match &value.value {
            ValueFile::Literal(text) => return Some(Expected::Is(free_value(text))),
            ValueFile::Range(range) => range,
        };
        match &**range {
            RangeFile { about: Some(about), tol, between: None, at_least: None, at_most: None } => {
                let tolerance = match tol {
                    Some(tol) => self.literal(tol)?,
                    None => 0.02,
                };
                Some(Expected::About { value: self.literal(about)?, tolerance })
            }
            RangeFile { about: None, tol: None, between: Some(ends), at_least: None, at_most: None } => {
                if let [low, high] = ends.as_slice() {
                    return Some(Expected::Between(self.literal(low)?, self.literal(high)?));
                }
                self.report(value, "`between` takes a lowest and a highest value", None);
                None
            }
            RangeFile { about: None, tol: None, between: None, at_least: Some(low), at_most: None } => {
                Some(Expected::Between(self.literal(low)?, f64::INFINITY))
            }
            RangeFile { about: None, tol: None, between: None, at_least: None, at_most: Some(high) } => {
                Some(Expected::Between(f64::NEG_INFINITY, self.literal(high)?))
            }
            _ => {
                let help = "{about, tol}, {between: [low, high]}, {at_least} or {at_most}";
                self.report(value, "not one way to expect a value", Some(help.into()));
                None
            }
        }
    }

    pub(in crate::rules) fn cases(mut self, file: CasesFile) -> Result<Vec<ModelCase>, Vec<RuleError>> {
        let mut cases = Vec::new();
        for case in file.cases {
            let mut given = BTreeMap::new();
            for (name, datum) in &case.given.0 {
                let datum = match &datum.value {
                    DatumFile::One(text) => Some(Datum::One(free_value(text))),
                    DatumFile::List(texts) => {
                        let numbers = texts.iter().map(|text| self.literal(text)).collect::<Option<_>>();
                        numbers.map(Datum::Numbers)
                    }
                };
                given.extend(datum.map(|datum| (name.value.clone(), datum)));
            }
            let mut expect = BTreeMap::new();
            for (name, value) in &case.expect.0 {
                expect.extend(self.expected(value).map(|value| (name.value.clone(), value)));
            }
            if cases.iter().any(|other: &ModelCase| other.id == case.id.value) {
                self.report(&case.id, format!("a second case `{}`", case.id.value), None);
            }
            cases.push(ModelCase {
                id: case.id.value,
                cite: case.cite.0,
                note: case.note,
                given,
                expect,
                origin: self.source.file.clone(),
            });
        }
        self.finish(Some(cases))
    }

    pub(in crate::rules) fn description(
        mut self,
        file: DescriptionFile,
    ) -> Result<Description, Vec<RuleError>> {
        let lower = |words: Vec<String>| words.iter().map(|word| word.to_lowercase()).collect();
        let mut clues = Vec::new();
        for clue in file.clues {
            let bound = clue.bound.as_ref().map(|text| self.one_of(text, "verdict", &BOUND_BY));
            let work = clue.work.as_ref().map(|text| self.one_of(text, "kind of work", &WORK_KINDS));
            clues.push(Clue {
                words: lower(clue.words),
                bound: bound.flatten(),
                work: work.flatten(),
                instead: harmless(&clue.instead),
                cite: clue.cite.0,
            });
        }
        self.finish(Some(Description { waits: lower(file.waits), computes: lower(file.computes), clues }))
    }

    pub(in crate::rules) fn realisations(
        mut self,
        lang: &str,
        file: RealiseFile,
    ) -> Result<Vec<Realisation>, Vec<RuleError>> {
        let mut found = Vec::new();
        for entry in file.entries {
            let strategy = self.one_of(&entry.strategy, "strategy", &STRATEGIES);
            let action = entry.action.as_ref().map(|action| self.one_of(action, "action", &ACTIONS));
            let when = self.condition(&entry.when);
            let construct = self.code(&entry.construct);
            let snippet = entry.snippet.as_ref().and_then(|snippet| self.code(snippet));
            let notes = entry.notes.iter().filter_map(|note| self.code(note)).collect();
            if let (Some(strategy), Some(construct)) = (strategy, construct) {
                found.push(Realisation {
                    lang: lang.to_owned(),
                    strategy,
                    action: action.flatten(),
                    when,
                    construct,
                    snippet,
                    notes,
                    origin: self.source.file.clone(),
                });
            }
        }
        self.finish(Some(found))
    }
}

/// A value of no declared type: a number where it reads like one, a truth, else a word.
fn free_value(text: &str) -> Value {
    match (text, parse_literal(text)) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (_, Ok(literal)) => Value::Number(literal.value()),
        (_, Err(_)) => Value::Text(text.to_owned()),
    }
}
