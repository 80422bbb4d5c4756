//! One rule: when it fires and what follows.

use std::collections::BTreeMap;

use super::{ACTIONS, BOUND_BY, STRATEGIES, Validation};
use crate::rules::condition::{Condition, Line, List};
use crate::rules::error::{RuleError, harmless};
use crate::rules::language::{Minimum, Node, Problem, Scope, Test, check_test, parse_test};
use crate::rules::rule::{Rule, RuleKind, Severity, Then};
use crate::rules::schema::{RuleFile, Spanned, ThenFile, WhenFile};
use crate::rules::template::printable;

/// The version of the format this program reads.
const SCHEMA: &str = "boundby/rules/1";

impl Validation<'_> {
    pub(in crate::rules) fn rule(mut self, file: RuleFile) -> Result<Rule, Vec<RuleError>> {
        if file.schema.value != SCHEMA {
            self.report(
                &file.schema,
                format!("unknown schema `{}`", file.schema.value),
                Some(format!("write `{SCHEMA}`")),
            );
        }
        self.id(&file.id);
        self.title(&file.title);
        if file.because.value.trim().is_empty() {
            self.report(&file.because, "`because` is empty", None);
        }
        let when = self.condition(&file.when);
        let kind = self.one_of(&file.kind, "kind", &RuleKind::ALL.map(RuleKind::name));
        let kind = kind.and_then(|name| RuleKind::from_name(&name));
        let then = kind.and_then(|kind| self.then(kind, &file.then));
        let severity = kind.and_then(|kind| self.severity(kind, &file));
        let locals = then.as_ref().map(locals).unwrap_or_default();
        let minimum = if kind == Some(RuleKind::Cap) { Minimum::OverKnown } else { Minimum::OverAll };
        let because = self.template(&file.because, &locals, minimum);
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
                cite: file.cite.0.iter().map(|cite| harmless(cite)).collect(),
                since: file.since.as_deref().map(harmless),
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

    fn title(&mut self, text: &Spanned<String>) {
        if text.value.trim().is_empty() {
            self.report(text, "`title` is empty", None);
        }
        if let Err(problem) = printable(&text.value) {
            self.problem(text, problem);
        }
    }

    pub(super) fn condition(&mut self, when: &WhenFile) -> Condition {
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
        let mut line = parse_test(text)?;
        check_test(&mut line, Scope { constants: self.constants, locals: &BTreeMap::new() })?;
        Ok(line)
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
        // Everything is looked at before anything is given up, so that all that is wrong is said at once.
        match kind {
            RuleKind::Verdict => {
                let bound_by = file.bound_by.as_ref().map(|text| self.one_of(text, "verdict", &BOUND_BY));
                let share = file.share.as_ref().map(|text| self.plain_expression(text, Minimum::OverAll));
                Some(Then::Verdict { bound_by: bound_by??, share: share?? })
            }
            RuleKind::Gate => self.gate(then),
            RuleKind::Cap => {
                let strategies = match &file.strategies {
                    Some(_) => self.strategies(file.strategies.as_ref()),
                    None => STRATEGIES[1..].iter().map(|&name| name.to_owned()).collect(),
                };
                let workers = self.plain_expression(file.workers.as_ref()?, Minimum::OverKnown)?;
                let named = BTreeMap::from([("workers".to_owned(), workers.node.clone())]);
                let reason = self.template(file.reason.as_ref()?, &named, Minimum::OverKnown)?;
                Some(Then::Cap { workers, strategies, reason })
            }
            RuleKind::Prefer => {
                let strategy = file.strategy.as_ref().map(|text| self.one_of(text, "strategy", &STRATEGIES));
                let weight = file.weight.as_ref()?;
                if !weight.value.is_finite() {
                    self.report(weight, "not a finite number", None);
                }
                Some(Then::Prefer { strategy: strategy??, weight: weight.value })
            }
            RuleKind::Note => {
                let mut show = BTreeMap::new();
                for (name, text) in file.show.iter().flat_map(|show| &show.0) {
                    if let Some(expression) = self.expression(text, Minimum::OverAll) {
                        show.insert(name.value.clone(), expression);
                    }
                }
                let named = show.iter().map(|(name, shown)| (name.clone(), shown.node.clone())).collect();
                let text = self.template(file.text.as_ref()?, &named, Minimum::OverAll)?;
                Some(Then::Note { text, show })
            }
            RuleKind::Hazard => {
                let none = BTreeMap::new();
                let finding = file.finding.as_ref().map(|text| self.template(text, &none, Minimum::OverAll));
                let fix = file.fix.as_ref().map(|text| self.template(text, &none, Minimum::OverAll));
                Some(Then::Hazard { finding: finding??, fix: fix?? })
            }
            RuleKind::Engine => {
                let engine = file.engine.as_ref()?.value.clone();
                let task = self.time(file.task.as_ref()?)?;
                let unless = self.template(file.unless.as_ref()?, &BTreeMap::new(), Minimum::OverAll)?;
                Some(Then::Engine { engine, task, unless })
            }
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
        let mut texts = Vec::new();
        for text in [&file.headline, &file.construct, &file.snippet] {
            texts.push(match text {
                Some(text) => Some(self.template(text, &BTreeMap::new(), Minimum::OverAll)?),
                None => None,
            });
        }
        let (snippet, construct, headline) = (texts.pop()?, texts.pop()?, texts.pop()?);
        Some(Then::Gate { only, veto, action, strategy, headline, construct, snippet })
    }

    /// Exactly the fields of the kind.
    fn fields(&mut self, kind: RuleKind, then: &Spanned<ThenFile>) {
        let file = &then.value;
        let (needed, allowed): (&[&str], &[&str]) = match kind {
            RuleKind::Verdict => (&["bound_by", "share"], &[]),
            RuleKind::Gate => {
                (&[], &["only", "veto", "action", "strategy", "headline", "construct", "snippet"])
            }
            RuleKind::Cap => (&["workers", "reason"], &["strategies"]),
            RuleKind::Prefer => (&["strategy", "weight"], &[]),
            RuleKind::Note => (&["text"], &["show"]),
            RuleKind::Hazard => (&["finding", "fix"], &[]),
            RuleKind::Engine => (&["engine", "task", "unless"], &[]),
        };
        let present = [
            ("bound_by", file.bound_by.is_some()),
            ("share", file.share.is_some()),
            ("only", file.only.is_some()),
            ("veto", file.veto.is_some()),
            ("action", file.action.is_some()),
            ("strategy", file.strategy.is_some()),
            ("headline", file.headline.is_some()),
            ("construct", file.construct.is_some()),
            ("snippet", file.snippet.is_some()),
            ("workers", file.workers.is_some()),
            ("strategies", file.strategies.is_some()),
            ("reason", file.reason.is_some()),
            ("weight", file.weight.is_some()),
            ("text", file.text.is_some()),
            ("show", file.show.is_some()),
            ("finding", file.finding.is_some()),
            ("fix", file.fix.is_some()),
            ("engine", file.engine.is_some()),
            ("task", file.task.is_some()),
            ("unless", file.unless.is_some()),
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
}

/// What the sentences of a rule may name beside facts and constants.
fn locals(then: &Then) -> BTreeMap<String, Node> {
    match then {
        Then::Verdict { share, .. } => BTreeMap::from([("share".to_owned(), share.node.clone())]),
        Then::Cap { workers, .. } => BTreeMap::from([("workers".to_owned(), workers.node.clone())]),
        Then::Note { show, .. } => {
            show.iter().map(|(name, shown)| (name.clone(), shown.node.clone())).collect()
        }
        Then::Gate { .. } | Then::Prefer { .. } | Then::Hazard { .. } | Then::Engine { .. } => {
            BTreeMap::new()
        }
    }
}
