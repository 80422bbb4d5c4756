//! Facts that somebody states instead of having them measured, and what a language settles by its name.

/// Languages by the name of `runtime.lang`, and whether one lock serialises their code.
pub const LANGUAGES: [(&str, bool); 8] = [
    ("python", true),
    ("rust", false),
    ("go", false),
    ("java", false),
    ("node", false),
    ("native", false),
    ("ruby", true),
    ("shell", false),
];

/// Whether a language of this name has such a lock; `None`: no such language.
#[must_use]
pub fn has_gil(language: &str) -> Option<bool> {
    LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, gil)| *gil)
}
