//! What tests of rules and acceptance cases of the model give and expect.

use std::collections::BTreeMap;
use std::fmt;

use crate::facts::{Facts, Value};
use crate::units;

/// An embedded test of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// The facts.
    pub given: Facts,
    /// What must come out.
    pub expect: RuleExpectation,
}

/// What a test of a rule expects.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleExpectation {
    /// It fires.
    Fired,
    /// It is known not to fire.
    NotFired,
    /// It cannot be told.
    Unknown,
    /// It fires, and these values follow.
    Values(Vec<(String, Expected)>),
}

/// An expected value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Within a relative tolerance.
    About {
        /// In the base unit.
        value: f64,
        /// Relative, 0.05 is 5 %.
        tolerance: f64,
    },
    /// Within a closed range; either end may be infinite.
    Between(f64, f64),
    /// Exactly (numbers: within one part in 10^9).
    Is(Value),
}

impl Expected {
    /// Whether a value is as expected.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::About { value, tolerance }, Value::Number(found)) => {
                (found - value).abs() <= tolerance * value.abs()
            }
            (Self::Between(low, high), Value::Number(found)) => (low..=high).contains(&found),
            (Self::Is(Value::Number(value)), Value::Number(found)) => {
                (found - value).abs() <= 1e-9 * value.abs().max(1e-9)
            }
            (Self::Is(value), found) => value == found,
            _ => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::About { value, tolerance } => write!(f, "{value} within {}", units::percent(*tolerance)),
            Self::Between(low, high) if *high == f64::INFINITY => write!(f, "at least {low}"),
            Self::Between(low, high) if *low == f64::NEG_INFINITY => write!(f, "at most {high}"),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::Is(Value::Number(number)) => number.fmt(f),
            Self::Is(Value::Bool(value)) => value.fmt(f),
            Self::Is(Value::Text(text)) => write!(f, "`{text}`"),
        }
    }
}

/// One acceptance case of the prediction model; run by the module that owns the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCase {
    /// Its id, for example `A1`.
    pub id: String,
    /// Where it comes from.
    pub cite: Vec<String>,
    /// What it shows; empty where the file does not say.
    pub note: String,
    /// Inputs by name; the model knows which names it takes.
    pub given: BTreeMap<String, Datum>,
    /// Outputs by name.
    pub expect: BTreeMap<String, Expected>,
    /// Its file.
    pub origin: String,
}

/// An input of a model case.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// One value.
    One(Value),
    /// A list of numbers in base units, for example one per item.
    Numbers(Vec<f64>),
}
