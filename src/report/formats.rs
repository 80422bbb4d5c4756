//! A table of formats: each with its name on the command line and what renders it. Knows none of them.

/// Rows of formats, in the order of the help text.
pub(super) struct Formats<F: 'static, R: 'static>(pub(super) &'static [(F, &'static str, R)]);

impl<F: Copy + PartialEq, R: Copy> Formats<F, R> {
    /// Every format.
    pub(super) fn all(&self) -> impl Iterator<Item = F> + use<F, R> {
        self.0.iter().map(|(format, ..)| *format)
    }

    /// The name of a format.
    pub(super) fn name(&self, format: F) -> &'static str {
        self.row(format).1
    }

    /// The format with this name.
    pub(super) fn named(&self, name: &str) -> Option<F> {
        self.0.iter().find(|row| row.1 == name).map(|(format, ..)| *format)
    }

    /// What renders a format.
    pub(super) fn renderer(&self, format: F) -> R {
        self.row(format).2
    }

    fn row(&self, format: F) -> &'static (F, &'static str, R) {
        self.0.iter().find(|row| row.0 == format).expect("every format has a row, a test holds it to that")
    }
}
