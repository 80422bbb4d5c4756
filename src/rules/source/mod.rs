//! The rules of the scan as data: what an observation weighs and how it is put into words.
//!
//! Knows the files of `rules/source/` and the shape of observations; must not know how anything is detected. A
//! detector says what it saw, and under which circumstances; how bad that is, how sure, and what to do about it is
//! written in YAML.

mod schema;
mod validate;
mod weigh;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use super::suggest::nearest;
use crate::catalog::Language;
use crate::finding::{Confidence, Cost, Mitigation, Severity, Threshold};
use crate::yaml::RuleError;
use crate::yaml::load::{self, Source};

pub use weigh::{Weighed, fingerprint};
pub use words::{STANDARD, Words};

/// What the schema of these files begins with.
pub(super) const FAMILY: &str = "boundby/source/";

/// What sort of thing a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Something that does not do what it looks like.
    Mistake,
    /// Something that goes wrong under circumstances.
    Hazard,
    /// Something that could be faster; never fails a build unless asked.
    Opportunity,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Mistake, Self::Hazard, Self::Opportunity];

    /// The name in files and lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mistake => "mistake",
            Self::Hazard => "hazard",
            Self::Opportunity => "opportunity",
        }
    }
}

/// How bad, by how long it stalls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BySeverity {
    /// Where no cost is known, or none of the below holds.
    pub otherwise: Severity,
    /// By cost.
    pub by_cost: BTreeMap<Cost, Severity>,
}

/// A rule of the scan.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRule {
    /// Kebab-case; names the pattern that is flagged.
    pub id: String,
    /// The group of the inventory, a capital letter.
    pub group: char,
    /// What is flagged, as a noun phrase.
    pub title: String,
    /// In which languages.
    pub languages: Vec<Language>,
    /// What sort.
    pub kind: SourceKind,
    /// How bad.
    pub severity: BySeverity,
    /// How sure.
    pub confidence: Confidence,
    /// By how many steps a circumstance lowers the severity or, where it makes the finding less certain, the
    /// confidence.
    pub lowered_by: BTreeMap<Mitigation, u8>,
    /// What fills the texts besides the [`STANDARD`] names.
    pub facts: Vec<String>,
    /// What is wrong here.
    pub message: Words,
    /// Why it matters.
    pub why: Words,
    /// What to write instead.
    pub cure: Words,
    /// Code that is flagged, by language.
    pub before: Vec<(Language, String)>,
    /// The same, repaired.
    pub after: Vec<(Language, String)>,
    /// What it cannot see.
    pub limit: String,
    /// Where it comes from.
    pub cite: Vec<String>,
    /// What its detector reads.
    pub options: BTreeMap<String, Threshold>,
    /// The file it stands in.
    pub origin: String,
    /// Whether it is one of ours.
    pub builtin: bool,
}

/// Every rule of the scan, in order of group and id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceRules {
    rules: Vec<SourceRule>,
}

impl SourceRules {
    /// Those of boundby itself.
    ///
    /// # Errors
    /// Everything that is wrong in them; a test of boundby keeps this from happening in a release.
    pub fn builtin() -> Result<Self, Vec<RuleError>> {
        Self::assemble(&load::builtin(), Vec::new())
    }

    /// Those of boundby, replaced by those of a user's directory or file that have their ids.
    ///
    /// # Errors
    /// Everything that is wrong in the directory, or why it cannot be read.
    pub fn with_overlay(path: &Path) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut sources = load::builtin();
        sources.extend(load::read(path, &mut errors));
        Self::assemble(&sources, errors)
    }

    /// In order of group and id.
    #[must_use]
    pub fn all(&self) -> &[SourceRule] {
        &self.rules
    }

    /// What detectors read, by rule and name of the option.
    pub fn options(&self) -> impl Iterator<Item = ((String, String), Threshold)> {
        let of = |rule: &SourceRule, name: &String| (rule.id.clone(), name.clone());
        self.rules.iter().flat_map(move |rule| {
            rule.options.iter().map(move |(name, value)| (of(rule, name), value.clone()))
        })
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&SourceRule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The ids a selector means: an id, the beginning of one up to a `-`, the letter of a group, or `ALL`.
    #[must_use]
    pub fn selected(&self, selector: &str) -> Vec<&str> {
        let means = |rule: &&SourceRule| {
            selector == "ALL"
                || rule.id == selector
                || rule.id.strip_prefix(selector).is_some_and(|rest| rest.starts_with('-'))
                || selector.chars().eq([rule.group])
        };
        self.rules.iter().filter(means).map(|rule| rule.id.as_str()).collect()
    }

    /// The id nearest to one that does not exist.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest(id, self.rules.iter().map(|rule| rule.id.as_str()))
    }

    fn assemble(sources: &[Source], mut errors: Vec<RuleError>) -> Result<Self, Vec<RuleError>> {
        let mut rules: Vec<SourceRule> = Vec::new();
        let of_ours = sources.iter().filter(|source| {
            // What does not say whose it is belongs to the directory it stands in.
            source
                .schema()
                .map_or_else(|| source.relative.starts_with("source/"), |schema| schema.starts_with(FAMILY))
        });
        for source in of_ours {
            let rule =
                source.parse().map_err(|error| vec![error]).and_then(|file| validate::rule(source, file));
            match rule {
                Ok(rule) => place(&mut rules, rule, source, &mut errors),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() {
            rules.sort_by(|a, b| (a.group, &a.id).cmp(&(b.group, &b.id)));
            return Ok(Self { rules });
        }
        errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Err(errors)
    }
}

/// A user's rule replaces the built-in one; a new id would wait for a detector that does not exist.
fn place(rules: &mut Vec<SourceRule>, rule: SourceRule, source: &Source, errors: &mut Vec<RuleError>) {
    let known = rules.iter_mut().find(|other| other.id == rule.id);
    match known {
        Some(other) if other.builtin == rule.builtin => {
            let what = format!("a second rule `{}`; the first is in {}", rule.id, other.origin);
            errors.push(source.whole(what, "id:"));
        }
        Some(other) => {
            if let Some(name) = other.options.keys().find(|name| !rule.options.contains_key(*name)) {
                let error = source.whole(format!("the detector needs the option `{name}`"), "options:");
                errors.push(error.help(format!("copy it from {}", other.origin)));
            }
            *other = rule;
        }
        None if rule.builtin => rules.push(rule),
        None => {
            let near = nearest(&rule.id, rules.iter().map(|rule| rule.id.as_str()));
            let help = near.map_or_else(
                || "a rule of your own may replace a built-in one: boundby rules list".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            errors.push(source.whole(format!("nothing detects `{}`", rule.id), "id:").help(help));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
