//! What the decision guide says, by number, and where each number lives: the rules, coefficients, cases, words and rules of
//! the scan that cite it. Knows citations only, not what a rule does.

use std::collections::BTreeMap;

use super::RuleSet;
use super::schema::{GuideEntryFile, GuideFile};
use super::source::SourceRules;

/// What a citation of the guide begins with.
const PREFIX: &str = "guide:";

/// What became of an entry that no rule carries out.
pub const LEFT_OUT: &str = "left-out";

/// The guide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guide {
    /// Its rules, R1 and on.
    pub rows: Vec<GuideEntry>,
    /// Where its documents contradict each other, X1 and on.
    pub contradictions: Vec<GuideEntry>,
    /// Its worked figures, A1 and on.
    pub figures: Vec<GuideEntry>,
}

/// One numbered thing it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuideEntry {
    /// `R12`, `X7`, `A3`.
    pub id: String,
    /// Document and line, `S2:1124`.
    pub at: Vec<String>,
    /// What it says.
    pub says: String,
    /// What became of it: kept, refined, corrected, computed, hazard or [`LEFT_OUT`]; empty for what is no rule.
    pub became: String,
}

impl Guide {
    /// Everything in it, in order.
    pub fn entries(&self) -> impl Iterator<Item = &GuideEntry> {
        self.rows.iter().chain(&self.contradictions).chain(&self.figures)
    }
}

impl From<GuideFile> for Guide {
    fn from(file: GuideFile) -> Self {
        let entries = |entries: Vec<GuideEntryFile>| entries.into_iter().map(GuideEntry::from).collect();
        Self {
            rows: entries(file.rows),
            contradictions: entries(file.contradictions),
            figures: entries(file.figures),
        }
    }
}

impl From<GuideEntryFile> for GuideEntry {
    fn from(file: GuideEntryFile) -> Self {
        Self { id: file.id, at: file.at.0, says: file.says, became: file.became }
    }
}

/// Something that carries out what the guide says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    /// What it is, in the words of `boundby rules list`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// What carries out each number that is cited anywhere, by number.
#[must_use]
pub fn homes(rules: &RuleSet, scan: &SourceRules) -> BTreeMap<String, Vec<Home>> {
    let mut homes: BTreeMap<String, Vec<Home>> = BTreeMap::new();
    let mut add = |cited: &[String], kind: &'static str, name: &str| {
        for id in cited.iter().filter_map(|cite| number(cite)) {
            homes.entry(id.to_owned()).or_default().push(Home { kind, name: name.to_owned() });
        }
    };
    for rule in rules.decision() {
        add(&rule.cite, rule.kind.name(), &rule.id);
    }
    for (name, constant) in rules.constants().iter() {
        add(&constant.cite, "threshold", name);
    }
    for (name, coefficient) in rules.coefficients().iter() {
        add(&coefficient.cite, "coefficient", name);
    }
    for case in rules.model_cases() {
        add(&case.cite, "case", &case.id);
        // A case is named after the figure it reproduces: `A7-10` is one of A7.
        let figure = case.id.split('-').next().unwrap_or_default();
        add(&[format!("{PREFIX}{figure}")], "case", &case.id);
    }
    for clue in &rules.description().clues {
        add(&clue.cite, "words", clue.words.first().map_or("", String::as_str));
    }
    for rule in scan.all() {
        add(&rule.cite, "scan", &rule.id);
    }
    for homes in homes.values_mut() {
        homes.dedup();
    }
    homes
}

/// The number in a citation such as `guide:R12`; sections such as `guide:3.6` have none.
fn number(cite: &str) -> Option<&str> {
    let id = cite.strip_prefix(PREFIX)?;
    let digits = id.strip_prefix(['R', 'X', 'A'])?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}
