//! From the shape of a file to a rule that means something: names, kinds, units, exactly the fields of its kind.

use std::collections::BTreeMap;

use serde_yaml::Spanned;

use super::constants::{Constant, Constants};
use super::error::RuleError;
use super::language::{
    Dimension, Kind, Node, Problem, Scope, Test, check_node, check_test, parse_expression, parse_literal,
    parse_test,
};
use super::load::Source;
use super::rule::{
    Condition, Datum, Expected, Expr, Line, List, ModelCase, Realisation, Rule, RuleExpectation, RuleKind,
    RuleTest, Severity, Then,
};
use super::schema::{
    CasesFile, ConstantFile, DatumFile, ExpectFile, RangeFile, RealiseFile, RuleFile, TestFile, Texts,
    ThenFile, ValueFile, WhenFile,
};
use super::suggest::nearest;
use super::template::{CodeTemplate, Template};
use crate::facts::{self, Facts, Origin, Type, VOCABULARY, Value};

/// The version of the format this program reads.
const SCHEMA: &str = "boundby/rules/1";

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
        self.errors.push(self.source.within(text, problem));
    }

    /// The value, or every error found on the way.
    fn finish<T>(self, value: Option<T>) -> Result<T, Vec<RuleError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }

    pub(super) fn rule(mut self, file: RuleFile) -> Result<Rule, Vec<RuleError>> {
        if file.schema.value != SCHEMA {
            self.report(
                &file.schema,
                format!("unknown schema `{}`", file.schema.value),
                Some(format!("write `{SCHEMA}`")),
            );
        }
        self.id(&file.id);
        self.not_empty(&file.title, "title");
        self.not_empty(&file.because, "because");
        let when = self.condition(&file.when);
        let kind = self.one_of(&file.kind, "kind", &RuleKind::ALL.map(RuleKind::name));
        let kind = kind.and_then(|name| RuleKind::from_name(&name));
        let then = kind.and_then(|kind| self.then(kind, &file.then));
        let severity = kind.and_then(|kind| self.severity(kind, &file));
        let locals = then.as_ref().map(locals).unwrap_or_default();
        let in_cap = kind == Some(RuleKind::Cap);
        let because = self.template(&file.because, &locals, in_cap);
        let tests = file.tests.iter().filter_map(|test| self.test(test)).collect();
        let rule = match (kind, then, because) {
            (Some(kind), Some(then), Some(because)) => Some(Rule {
                id: file.id.value,
                kind,
                title: file.title.value,
                precedence: file.precedence.value,
                severity,
                when,
                then,
                because,
                cite: file.cite.0,
                since: file.since,
                origin: self.source.file.clone(),
                builtin: self.source.builtin,
                tests,
            }),
            _ => None,
        };
        self.finish(rule)
    }

    fn id(&mut self, id: &Spanned<String>) {
        let name = self.source.relative.rsplit('/').next().unwrap_or_default();
        let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
        let kebab = id.value.split('-').all(|word| {
            !word.is_empty()
                && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        });
        if !kebab {
            self.report(
                id,
                format!("`{}` is not kebab-case", id.value),
                Some("write words-joined-by-dashes".into()),
            );
        } else if id.value != stem {
            self.report(
                id,
                format!("id `{}` is not the name of the file, `{stem}`", id.value),
                Some(format!("rename the file to `{}.yaml` or the id to `{stem}`", id.value)),
            );
        }
    }

    fn not_empty(&mut self, text: &Spanned<String>, field: &str) {
        if text.value.trim().is_empty() {
            self.report(text, format!("`{field}` is empty"), None);
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

    fn condition(&mut self, when: &WhenFile) -> Condition {
        let lists = [(List::All, &when.all), (List::Any, &when.any), (List::None, &when.none)];
        let mut lines = Vec::new();
        for (list, texts) in lists {
            for text in texts {
                match self.line(&text.value) {
                    Ok(test) => lines.push(Line { list, text: text.value.clone(), test }),
                    Err(problem) => self.problem(text, problem),
                }
            }
        }
        Condition { lines }
    }

    fn line(&self, text: &str) -> Result<Test, Problem> {
        let mut test = parse_test(text)?;
        check_test(&mut test, Scope { constants: self.constants, locals: &BTreeMap::new() })?;
        Ok(test)
    }

    fn expression(&mut self, text: &Spanned<String>, plain: bool, in_cap: bool) -> Option<Expr> {
        let scope = Scope { constants: self.constants, locals: &BTreeMap::new() };
        let checked =
            parse_expression(&text.value).and_then(|mut node| match check_node(&mut node, scope)? {
                Kind::Number(dimension) if !plain || (dimension.seconds, dimension.bytes) == (0, 0) => {
                    Ok(Expr { text: text.value.clone(), node, dimension, min_skips_unknown: in_cap })
                }
                kind => {
                    Err(Problem::new(0..text.value.len(), format!("a plain number is due, this is {kind}")))
                }
            });
        checked.map_err(|problem| self.problem(text, problem)).ok()
    }

    fn template(
        &mut self,
        text: &Spanned<String>,
        locals: &BTreeMap<String, Node>,
        in_cap: bool,
    ) -> Option<Template> {
        let scope = Scope { constants: self.constants, locals };
        Template::parse(&text.value, scope, in_cap).map_err(|problem| self.problem(text, problem)).ok()
    }

    fn code(&mut self, text: &Spanned<String>) -> Option<CodeTemplate> {
        CodeTemplate::parse(&text.value).map_err(|problem| self.problem(text, problem)).ok()
    }

    fn severity(&mut self, kind: RuleKind, file: &RuleFile) -> Option<Severity> {
        match (kind, &file.severity) {
            (RuleKind::Hazard, Some(severity)) => {
                let name = self.one_of(severity, "severity", &Severity::ALL.map(Severity::name))?;
                Severity::ALL.into_iter().find(|severity| severity.name() == name)
            }
            (RuleKind::Hazard, None) => {
                self.report(&file.kind, "a hazard needs a `severity`", Some("info, warning or error".into()));
                None
            }
            (_, Some(severity)) => {
                self.report(severity, format!("a {} has no `severity`", kind.name()), None);
                None
            }
            (_, None) => None,
        }
    }

    fn then(&mut self, kind: RuleKind, then: &Spanned<ThenFile>) -> Option<Then> {
        self.fields(kind, then);
        let file = &then.value;
        let none = BTreeMap::new();
        match kind {
            RuleKind::Verdict => Some(Then::Verdict {
                bound_by: self.one_of(file.bound_by.as_ref()?, "verdict", &BOUND_BY)?,
                share: self.expression(file.share.as_ref()?, true, false)?,
            }),
            RuleKind::Gate => self.gate(then),
            RuleKind::Cap => {
                let workers = self.expression(file.workers.as_ref()?, true, true)?;
                let named = BTreeMap::from([("workers".to_owned(), workers.node.clone())]);
                let strategies = match &file.strategies {
                    Some(_) => self.strategies(file.strategies.as_ref()),
                    None => STRATEGIES[1..].iter().map(|&name| name.to_owned()).collect(),
                };
                let reason = self.template(file.reason.as_ref()?, &named, true)?;
                Some(Then::Cap { workers, strategies, reason })
            }
            RuleKind::Prefer => {
                let weight = file.weight.as_ref()?;
                if !weight.value.is_finite() {
                    self.report(weight, "not a finite number", None);
                }
                Some(Then::Prefer {
                    strategy: self.one_of(file.strategy.as_ref()?, "strategy", &STRATEGIES)?,
                    weight: weight.value,
                })
            }
            RuleKind::Note => {
                let mut show = BTreeMap::new();
                for (name, text) in file.show.iter().flatten() {
                    if let Some(expression) = self.expression(text, false, false) {
                        show.insert(name.clone(), expression);
                    }
                }
                let named = show.iter().map(|(name, shown)| (name.clone(), shown.node.clone())).collect();
                Some(Then::Note { text: self.template(file.text.as_ref()?, &named, false)?, show })
            }
            RuleKind::Hazard => Some(Then::Hazard {
                finding: self.template(file.finding.as_ref()?, &none, false)?,
                fix: self.template(file.fix.as_ref()?, &none, false)?,
            }),
        }
    }

    fn gate(&mut self, then: &Spanned<ThenFile>) -> Option<Then> {
        let file = &then.value;
        let only = self.strategies(file.only.as_ref());
        let veto = self.strategies(file.veto.as_ref());
        let action = file.action.as_ref().and_then(|text| self.one_of(text, "action", &ACTIONS));
        let mut choices = vec!["now"];
        choices.extend(STRATEGIES);
        let strategy = file.strategy.as_ref().and_then(|text| self.one_of(text, "strategy", &choices));
        if file.only.is_none() && file.veto.is_none() && file.action.is_none() {
            self.report(then, "this gate changes nothing", Some("give it `only`, `veto` or `action`".into()));
        }
        let headline = match &file.headline {
            Some(text) => Some(self.template(text, &BTreeMap::new(), false)?),
            None => None,
        };
        Some(Then::Gate { only, veto, action, strategy, headline })
    }

    /// Exactly the fields of the kind.
    fn fields(&mut self, kind: RuleKind, then: &Spanned<ThenFile>) {
        let file = &then.value;
        let (needed, allowed): (&[&str], &[&str]) = match kind {
            RuleKind::Verdict => (&["bound_by", "share"], &[]),
            RuleKind::Gate => (&[], &["only", "veto", "action", "strategy", "headline"]),
            RuleKind::Cap => (&["workers", "reason"], &["strategies"]),
            RuleKind::Prefer => (&["strategy", "weight"], &[]),
            RuleKind::Note => (&["text"], &["show"]),
            RuleKind::Hazard => (&["finding", "fix"], &[]),
        };
        let present = [
            ("bound_by", file.bound_by.is_some()),
            ("share", file.share.is_some()),
            ("only", file.only.is_some()),
            ("veto", file.veto.is_some()),
            ("action", file.action.is_some()),
            ("strategy", file.strategy.is_some()),
            ("headline", file.headline.is_some()),
            ("workers", file.workers.is_some()),
            ("strategies", file.strategies.is_some()),
            ("reason", file.reason.is_some()),
            ("weight", file.weight.is_some()),
            ("text", file.text.is_some()),
            ("show", file.show.is_some()),
            ("finding", file.finding.is_some()),
            ("fix", file.fix.is_some()),
        ];
        let list = || needed.iter().chain(allowed).copied().collect::<Vec<_>>().join(", ");
        for (name, is_present) in present {
            if is_present && !needed.contains(&name) && !allowed.contains(&name) {
                let what = format!("`{name}` does not belong to a {}", kind.name());
                self.report(then, what, Some(format!("a {} has {}", kind.name(), list())));
            }
            if !is_present && needed.contains(&name) {
                self.report(then, format!("a {} needs `{name}`", kind.name()), None);
            }
        }
    }

    fn test(&mut self, test: &TestFile) -> Option<RuleTest> {
        let mut given = Facts::default();
        for (name, text) in &test.given {
            if let Some(value) = self.fact(name, text) {
                given.set(name, value, Origin::Measured);
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
                for (name, value) in values {
                    expected.push((name.clone(), self.expected(value)?));
                }
                RuleExpectation::Values(expected)
            }
        };
        Some(RuleTest { name: test.name.clone(), given, expect })
    }

    fn fact(&mut self, name: &str, text: &Spanned<String>) -> Option<Value> {
        let Some(spec) = facts::spec(name) else {
            let help = nearest(name, VOCABULARY.iter().map(|spec| spec.name));
            self.report(
                text,
                format!("unknown fact `{name}`"),
                help.map(|near| format!("did you mean `{near}`?")),
            );
            return None;
        };
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
                    let fits = found == wanted
                        || literal.number == 0.0
                        || (found == Dimension::BARE && wanted.seconds + wanted.bytes.abs() <= 0);
                    if fits {
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
        match range {
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

    fn literal(&mut self, text: &Spanned<String>) -> Option<f64> {
        parse_literal(&text.value)
            .map(super::language::Literal::value)
            .map_err(|problem| self.problem(text, problem))
            .ok()
    }

    pub(super) fn cases(mut self, file: CasesFile) -> Result<Vec<ModelCase>, Vec<RuleError>> {
        let mut cases = Vec::new();
        for case in file.cases {
            let mut given = BTreeMap::new();
            for (name, datum) in &case.given {
                let datum = match &datum.value {
                    DatumFile::One(text) => Some(Datum::One(free_value(text))),
                    DatumFile::List(texts) => {
                        let numbers = texts.iter().map(|text| self.literal(text)).collect::<Option<_>>();
                        numbers.map(Datum::Numbers)
                    }
                };
                given.extend(datum.map(|datum| (name.clone(), datum)));
            }
            let mut expect = BTreeMap::new();
            for (name, value) in &case.expect {
                expect.extend(self.expected(value).map(|value| (name.clone(), value)));
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

    pub(super) fn realisations(
        mut self,
        lang: &str,
        file: RealiseFile,
    ) -> Result<Vec<Realisation>, Vec<RuleError>> {
        let mut found = Vec::new();
        for entry in file.entries {
            let strategy = self.one_of(&entry.strategy, "strategy", &STRATEGIES);
            let action = entry.action.as_ref().map(|action| self.one_of(action, "action", &ACTIONS));
            let construct = self.code(&entry.construct);
            let snippet = entry.snippet.as_ref().and_then(|snippet| self.code(snippet));
            let notes = entry.notes.iter().filter_map(|note| self.code(note)).collect();
            if let (Some(strategy), Some(construct)) = (strategy, construct) {
                found.push(Realisation {
                    lang: lang.to_owned(),
                    strategy,
                    action: action.flatten(),
                    construct,
                    snippet,
                    notes,
                    origin: self.source.file.clone(),
                });
            }
        }
        self.finish(Some(found))
    }

    pub(super) fn constant(
        mut self,
        name: &str,
        file: &Spanned<ConstantFile>,
    ) -> Result<Constant, Vec<RuleError>> {
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
        if !is_name {
            self.report(
                file,
                format!("`{name}` is not a name for a constant"),
                Some("use snake_case".into()),
            );
        }
        let (text, why, cite) = match &file.value {
            ConstantFile::Short(text) => {
                let value =
                    Spanned { value: text.clone(), referenced: file.referenced, defined: file.defined };
                (value, String::new(), Vec::new())
            }
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

/// What the sentences of a rule may name beside facts and constants.
fn locals(then: &Then) -> BTreeMap<String, Node> {
    match then {
        Then::Verdict { share, .. } => BTreeMap::from([("share".to_owned(), share.node.clone())]),
        Then::Cap { workers, .. } => BTreeMap::from([("workers".to_owned(), workers.node.clone())]),
        Then::Note { show, .. } => {
            show.iter().map(|(name, shown)| (name.clone(), shown.node.clone())).collect()
        }
        Then::Gate { .. } | Then::Prefer { .. } | Then::Hazard { .. } => BTreeMap::new(),
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
