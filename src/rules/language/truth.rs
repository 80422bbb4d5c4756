//! Kleene's three-valued logic: what was not measured is unknown, not false.

/// The truth of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told; the names of the missing facts, sorted, without repetition.
    Unknown(Vec<String>),
}

impl Truth {
    /// True only where every operand is true; false as soon as one is false; else unknown.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, known) | (known, Self::True) => known,
            (Self::Unknown(left), Self::Unknown(right)) => Self::unknown(left.into_iter().chain(right)),
        }
    }

    /// True as soon as one operand is true; false only where every one is false; else unknown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.negate().and(other.negate()).negate()
    }

    /// The opposite; unknown stays unknown.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            unknown @ Self::Unknown(_) => unknown,
        }
    }

    /// Whether it is known to hold.
    #[must_use]
    pub fn is_true(&self) -> bool {
        *self == Self::True
    }

    /// The word used in tests and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown(_) => "unknown",
        }
    }

    pub(crate) fn unknown(names: impl IntoIterator<Item = String>) -> Self {
        let names: std::collections::BTreeSet<String> = names.into_iter().collect();
        Self::Unknown(names.into_iter().collect())
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}
