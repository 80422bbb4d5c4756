//! What is wrong in a rule file, and where: shown the way compilers do.

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
    pub(super) fn whole_file(file: &str, what: impl Into<String>) -> Self {
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

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.what)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        }
        if let Some(source) = &self.source {
            let number = self.line.to_string();
            let (shown, before) = window(source, self.column.saturating_sub(1));
            let margin = " ".repeat(number.len());
            write!(
                f,
                "\n {number} | {shown}\n {margin} | {}{}",
                " ".repeat(before),
                "^".repeat(self.width.clamp(1, 60))
            )?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n   = {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// At most 100 characters of a line around a column, and where that column stands in them. Tabs and control
/// characters become spaces, so that the mark stands below its place and no file writes to the terminal.
fn window(source: &str, column: usize) -> (String, usize) {
    let start = column.saturating_sub(60);
    let shown: String = source
        .chars()
        .skip(start)
        .take(100)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    (shown.trim_end().to_owned(), column - start)
}
