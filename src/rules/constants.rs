//! Named numbers: thresholds of the conditions and coefficients of the model, with unit and reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::language::Dimension;
use super::load::Source;

/// One named number.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// In the base unit.
    pub value: f64,
    /// What it measures.
    pub dimension: Dimension,
    /// As written, with its unit.
    pub text: String,
    /// Why this value; empty where the rules do not say.
    pub why: String,
    /// Where it comes from.
    pub cite: Vec<String>,
}

/// Constants by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Constants {
    by_name: BTreeMap<String, Constant>,
}

impl Constants {
    /// The constant with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Constant> {
        self.by_name.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All constants in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Constant)> {
        self.by_name.iter().map(|(name, constant)| (name.as_str(), constant))
    }

    /// A user's file that gives these values to those of them that are known: numbers enter the rules in one way only.
    pub(super) fn overlay(&self, file: &str, values: &BTreeMap<String, f64>) -> Source {
        let mut text = String::from("model:\n");
        for (name, value) in values {
            let Some(known) = self.get(name) else { continue };
            let unit = match known.dimension {
                Dimension::SECONDS => "s",
                Dimension::BYTES => "B",
                _ => "",
            };
            // Nothing can go wrong when a string is written to.
            let _ = writeln!(text, "  {name}: {value:.12}{unit}");
        }
        Source { file: file.to_owned(), relative: "overlay.yaml".to_owned(), text, builtin: false }
    }

    pub(super) fn insert(&mut self, name: &str, constant: Constant) {
        self.by_name.insert(name.to_owned(), constant);
    }
}
