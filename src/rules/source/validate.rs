//! A file of `rules/source/` into a rule, or everything that is wrong in it.

use std::collections::BTreeMap;

use super::schema::SourceRuleFile;
use super::words::Words;
use super::{BySeverity, FAMILY, SourceKind, SourceRule};
use crate::catalog::Language;
use crate::finding::{Confidence, Cost, Mitigation, Severity, Threshold};
use crate::rules::schema::{DatumFile, Entries, Spanned, WordsFile};
use crate::rules::suggest::nearest;
use crate::units;
use crate::yaml::at_place_of;
use crate::yaml::error::{RuleError, harmless};
use crate::yaml::load::Source;

/// The version of the format this program reads.
const VERSION: &str = "1";
/// The name of the severity of a cost that is not listed.
const OTHERWISE: &str = "otherwise";
const LANGUAGES: [(&str, Language); 2] = [("python", Language::Python), ("rust", Language::Rust)];

pub(super) fn rule(source: &Source, file: SourceRuleFile) -> Result<SourceRule, Vec<RuleError>> {
    let mut check = Check { source, errors: Vec::new() };
    let schema = format!("{FAMILY}{VERSION}");
    if file.schema.value != schema {
        check.report(
            &file.schema,
            format!("unknown schema `{}`", file.schema.value),
            format!("write `{schema}`"),
        );
    }
    check.id(&file.id);
    let group = check.group(&file.group);
    check.sentence_free("title", &file.title);
    check.sentence_free("limit", &file.limit);
    if file.cite.0.is_empty() {
        check
            .errors
            .push(source.whole("`cite` is empty".to_owned(), "cite:").help("say where the rule comes from"));
    }
    let named = file.languages.iter().filter_map(|name| check.one_of(name, "language", &LANGUAGES));
    let languages: Vec<_> = named.collect();
    let kind = check.one_of(&file.kind, "kind", &SourceKind::ALL.map(|kind| (kind.name(), kind)));
    let severity = check.severity(&file.severity);
    let confidence = check.one_of(&file.confidence, "confidence", &names(Confidence::ALL, Confidence::name));
    let lowered_by = check.lowered(&file.lowered_by);
    let facts: Vec<_> = file.facts.iter().map(|fact| fact.value.clone()).collect();
    let texts = [&file.message, &file.why, &file.cure].map(|text| check.words(text, &facts));
    let [before, after] = [&file.before, &file.after].map(|code| check.code(code, &languages));
    let options = check.options(&file.options);
    let rule = match (group, kind, severity, confidence, texts) {
        (
            Some(group),
            Some(kind),
            Some(severity),
            Some(confidence),
            [Some(message), Some(why), Some(cure)],
        ) => SourceRule {
            id: file.id.value,
            group,
            title: file.title.value,
            languages,
            kind,
            severity,
            confidence,
            lowered_by,
            facts,
            message,
            why,
            cure,
            before,
            after,
            limit: file.limit.value.trim_end().to_owned(),
            cite: file.cite.0.iter().map(|cite| harmless(cite)).collect(),
            options,
            origin: source.file.clone(),
            builtin: source.builtin,
        },
        _ => return Err(check.errors),
    };
    if check.errors.is_empty() { Ok(rule) } else { Err(check.errors) }
}

/// The values of an enumeration with their names.
fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|value| (name(*value), *value)).collect()
}

struct Check<'a> {
    source: &'a Source,
    errors: Vec<RuleError>,
}

impl Check<'_> {
    fn report<T>(&mut self, at: &Spanned<T>, what: impl Into<String>, help: impl Into<String>) {
        self.errors.push(self.source.at(at, what).help(help));
    }

    fn id(&mut self, id: &Spanned<String>) {
        let kebab = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !id.value.split('-').all(kebab) {
            self.report(id, format!("`{}` is no id", id.value), "write lowercase words joined by `-`");
            return;
        }
        let name = self.source.relative.rsplit('/').next().unwrap_or_default();
        let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml");
        if id.value != stem {
            self.report(id, format!("the file is called `{name}`"), format!("call it `{}.yaml`", id.value));
        }
    }

    fn group(&mut self, group: &Spanned<String>) -> Option<char> {
        let mut letters = group.value.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_ascii_uppercase() => Some(letter),
            _ => {
                self.report(group, format!("`{}` is no group", group.value), "write a capital letter");
                None
            }
        }
    }

    /// Noun phrases and limits are quoted inside of sentences and lists.
    fn sentence_free(&mut self, field: &str, text: &Spanned<String>) {
        if text.value.trim().is_empty() {
            self.report(text, format!("`{field}` is empty"), "say it in a few words");
        } else if text.value.trim_end().ends_with('.') {
            self.report(text, format!("`{field}` ends with a full stop"), "leave it out");
        }
    }

    fn one_of<T: Copy>(&mut self, word: &Spanned<String>, what: &str, known: &[(&str, T)]) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word.value);
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let help = nearest(&word.value, names.iter().copied()).map_or_else(
                || format!("one of {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.report(word, format!("unknown {what} `{}`", word.value), help);
        }
        found.map(|(_, value)| *value)
    }

    fn severity(&mut self, file: &Spanned<WordsFile>) -> Option<BySeverity> {
        let known = names(Severity::ALL, Severity::name);
        let entries = match &file.value {
            WordsFile::One(word) => {
                let word = at_place_of(file, word);
                let otherwise = self.one_of(&word, "severity", &known)?;
                return Some(BySeverity { otherwise, by_cost: BTreeMap::new() });
            }
            WordsFile::Named(entries) => entries,
        };
        let costs = names(Cost::ALL, Cost::name);
        let (mut by_cost, mut otherwise) = (BTreeMap::new(), None);
        for (cost, severity) in &entries.0 {
            let severity = self.one_of(severity, "severity", &known)?;
            if cost.value == OTHERWISE {
                otherwise = Some(severity);
            } else {
                by_cost.insert(self.one_of(cost, "cost", &costs)?, severity);
            }
        }
        if otherwise.is_none() && by_cost.len() < costs.len() {
            self.report(file, "not every cost has a severity", format!("add `{OTHERWISE}: warning`"));
        }
        // Where every cost is listed, an unknown one is taken for a large one.
        let otherwise = otherwise.or_else(|| by_cost.get(&Cost::Large).copied())?;
        Some(BySeverity { otherwise, by_cost })
    }

    fn lowered(&mut self, entries: &Entries<u8>) -> BTreeMap<Mitigation, u8> {
        let known = names(Mitigation::ALL, Mitigation::name);
        let mut lowered = BTreeMap::new();
        for (name, steps) in &entries.0 {
            if let Some(mitigation) = self.one_of(name, "circumstance", &known) {
                lowered.insert(mitigation, steps.value);
            }
        }
        lowered
    }

    fn words(&mut self, file: &Spanned<DatumFile>, facts: &[String]) -> Option<Words> {
        let texts: Vec<&str> = match &file.value {
            DatumFile::One(text) => vec![text],
            DatumFile::List(texts) => texts.iter().map(|text| text.value.as_str()).collect(),
        };
        let parsed = Words::parse(&texts, facts);
        parsed
            .map_err(|(number, what)| {
                let error = match &file.value {
                    DatumFile::List(texts) if !texts.is_empty() => self.source.at(&texts[number], what),
                    _ => self.source.at(file, what),
                };
                self.errors.push(error);
            })
            .ok()
    }

    fn code(&mut self, file: &Spanned<WordsFile>, languages: &[Language]) -> Vec<(Language, String)> {
        match &file.value {
            WordsFile::One(text) => {
                languages.first().map(|first| (*first, text.clone())).into_iter().collect()
            }
            WordsFile::Named(entries) => {
                let mut code = Vec::new();
                for (name, text) in &entries.0 {
                    code.extend(
                        self.one_of(name, "language", &LANGUAGES)
                            .map(|language| (language, text.value.clone())),
                    );
                }
                code
            }
        }
    }

    fn options(&mut self, entries: &Entries<DatumFile>) -> BTreeMap<String, Threshold> {
        let mut options = BTreeMap::new();
        for (name, value) in &entries.0 {
            let threshold = match &value.value {
                DatumFile::One(text) => {
                    let Some(number) = number(text) else {
                        let help = "write a number, a duration as in `60s`, a size as in `1MiB`, a share as in `50%`, \
                                    or a list";
                        self.report(value, format!("`{text}` is no number"), help);
                        continue;
                    };
                    Threshold::Number(number)
                }
                DatumFile::List(words) => {
                    Threshold::Words(words.iter().map(|word| word.value.clone()).collect())
                }
            };
            options.insert(name.value.clone(), threshold);
        }
        options
    }
}

/// In its base unit.
fn number(text: &str) -> Option<f64> {
    let share = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    share
        .map(|share| share / 100.0)
        .or_else(|| units::parse_seconds(text).ok())
        .or_else(|| units::parse_bytes(text).ok())
        .filter(|number| number.is_finite())
}
