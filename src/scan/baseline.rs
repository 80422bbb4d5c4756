//! Findings that are known: kept by what they are, not by where they stand, so that an edit above does not bring them
//! back. Knows the file and the arithmetic; what is done about new and stale ones is the command's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;

const SCHEMA: &str = "boundby/baseline/1";

/// What makes two findings the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Relative to the root.
    pub path: String,
    /// The rule's id.
    pub rule: String,
    /// The function or class around it.
    pub symbol: String,
    /// What was found, normalised.
    pub subject: String,
}

impl Key {
    /// The key of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        let seen = &finding.seen;
        let [path, symbol, subject] =
            [&seen.place.path, &seen.symbol, &seen.subject].map(ToString::to_string);
        Self { path, rule: seen.rule.to_owned(), symbol, subject }
    }
}

/// Known findings, each with how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// By key.
    pub known: BTreeMap<Key, u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    findings: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    path: String,
    rule: String,
    symbol: String,
    subject: String,
    count: u64,
}

impl Baseline {
    /// The baseline of these findings.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut known = BTreeMap::new();
        for finding in findings {
            *known.entry(Key::of(finding)).or_default() += 1;
        }
        Self { known }
    }

    /// Reads the text of a baseline file.
    ///
    /// # Errors
    /// What is wrong with it, with the place where there is one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.schema != SCHEMA {
            return Err(format!("its schema is `{}`, not `{SCHEMA}`", file.schema));
        }
        let mut known = BTreeMap::new();
        for Row { path, rule, symbol, subject, count } in file.findings {
            *known.entry(Key { path, rule, symbol, subject }).or_default() += count;
        }
        Ok(Self { known })
    }

    /// The text of the file: sorted, a finding a line, so that two branches can be merged.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{{\n\"schema\": \"{SCHEMA}\",\n\"findings\": [");
        for (number, (key, count)) in self.known.iter().enumerate() {
            let Key { path, rule, symbol, subject } = key.clone();
            let row = Row { path, rule, symbol, subject, count: *count };
            let row = serde_json::to_string(&row).unwrap_or_default();
            let comma = if number == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}\n  {row}");
        }
        text.push_str("\n]\n}\n");
        text
    }

    /// For each finding, in order, whether it is known. Of more than are known, the last are new.
    #[must_use]
    pub fn knows(&self, findings: &[Finding]) -> Vec<bool> {
        let mut left = self.known.clone();
        let take = |finding: &Finding| match left.get_mut(&Key::of(finding)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        findings.iter().map(take).collect()
    }

    /// What is in here and no more in the source.
    #[must_use]
    pub fn stale(&self, findings: &[Finding]) -> Self {
        let found = Self::of(findings).known;
        let gone = self.known.iter().filter_map(|(key, count)| {
            let more = count.saturating_sub(found.get(key).copied().unwrap_or(0));
            (more > 0).then(|| (key.clone(), more))
        });
        Self { known: gone.collect() }
    }

    /// Without so many of each.
    #[must_use]
    pub fn without(mut self, other: &Self) -> Self {
        for (key, count) in &other.known {
            if let Some(known) = self.known.get_mut(key) {
                *known = known.saturating_sub(*count);
            }
        }
        self.known.retain(|_, count| *count > 0);
        self
    }

    /// How many findings are known.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.known.values().sum()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
