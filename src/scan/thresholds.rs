//! The numbers and words that detectors read. They are written in `rules/source/`, as options of the rules they belong to;
//! a rule of a user may say others.

use std::collections::BTreeMap;

use crate::finding::Threshold;

/// What detectors read, by rule and name.
#[derive(Debug, Clone, Default)]
pub struct Thresholds(BTreeMap<String, BTreeMap<String, Threshold>>);

impl Thresholds {
    /// A number, where the rule has one of this name.
    #[must_use]
    pub fn number(&self, rule: &str, name: &str) -> Option<f64> {
        match self.0.get(rule)?.get(name)? {
            Threshold::Number(number) => Some(*number),
            Threshold::Words(_) => None,
        }
    }

    /// A list of words; empty where the rule has none of this name.
    #[must_use]
    pub fn words(&self, rule: &str, name: &str) -> &[String] {
        match self.0.get(rule).and_then(|options| options.get(name)) {
            Some(Threshold::Words(words)) => words,
            _ => &[],
        }
    }

    /// Whether a word is in such a list.
    #[must_use]
    pub fn lists(&self, rule: &str, name: &str, word: &str) -> bool {
        self.words(rule, name).iter().any(|listed| listed == word)
    }
}

/// From rules and names of options to what they say.
impl FromIterator<((String, String), Threshold)> for Thresholds {
    fn from_iter<I: IntoIterator<Item = ((String, String), Threshold)>>(options: I) -> Self {
        let mut thresholds = Self::default();
        for ((rule, name), threshold) in options {
            thresholds.0.entry(rule).or_default().insert(name, threshold);
        }
        thresholds
    }
}
