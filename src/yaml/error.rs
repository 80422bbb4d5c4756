//! What is wrong in a file of `rules/`, and where: shown the way compilers do.

use std::fmt;

/// Something wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file, as the user named it or as it stands in the crate.
    pub file: String,
    /// Line from 1; 0 where the error concerns the whole file.
    pub line: usize,
    /// Column in characters from 1; 0 where the error concerns the whole file.
    pub column: usize,
    /// Characters to underline, at least 1.
    pub width: usize,
    /// What is wrong, lowercase, no full stop.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
    /// The offending line of the file.
    pub source: Option<String>,
}

impl RuleError {
    /// An error about a whole file.
    pub(crate) fn whole_file(file: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            what: what.into(),
            help: None,
            source: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = harmless(&self.what);
        if self.line == 0 {
            write!(f, "{}: {what}", self.file)?;
        } else {
            write!(f, "{}:{}:{}: {what}", self.file, self.line, self.column)?;
        }
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        if let Some(source) = &self.source {
            let (shown, before) = window(source, self.column.saturating_sub(1));
            let mark = "^".repeat(self.width.clamp(1, 60));
            write!(f, "\n {number} | {shown}\n {margin} | {}{mark}", " ".repeat(before))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n {margin} = {}", harmless(help))?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// At most 100 characters of a line around a column, and where that column stands in them.
fn window(source: &str, column: usize) -> (String, usize) {
    let fits = source.chars().take(101).count() <= 100;
    let start = if fits { 0 } else { column.saturating_sub(60) };
    let shown: String = source.chars().skip(start).take(100).collect();
    (harmless(&shown).trim_end().to_owned(), column - start)
}

/// Messages quote files, and no file may write escape sequences to the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter }).collect()
}
