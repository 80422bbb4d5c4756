//! Named numbers: thresholds of the conditions and coefficients of the model, with unit and reason.

use std::collections::BTreeMap;

use super::language::Dimension;

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

    pub(super) fn insert(&mut self, name: &str, constant: Constant) {
        self.by_name.insert(name.to_owned(), constant);
    }
}
