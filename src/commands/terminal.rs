//! The thin edge to the reader's terminal: asks the environment, and leaves deciding to [`Style`].

use std::io::IsTerminal;

use comfy_table::Table;

use crate::report::{Style, Terminal};

/// Where a report goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// Our standard output.
    Stdout,
    /// Our standard error.
    Stderr,
    /// A file.
    File,
    /// A terminal that was opened, with so many columns.
    Terminal {
        /// How many.
        columns: usize,
    },
}

/// The style that suits a sink.
#[must_use]
pub fn style_for(sink: Sink) -> Style {
    let variable = |name: &str| std::env::var(name).ok();
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let (no_color, term) = (variable("NO_COLOR"), variable("TERM"));
    let (is_terminal, columns) = match sink {
        Sink::Stdout => (std::io::stdout().is_terminal(), Table::new().width()),
        Sink::Stderr => (std::io::stderr().is_terminal(), Table::new().use_stderr().width()),
        Sink::File => (false, None),
        Sink::Terminal { columns } => (true, Some(u16::try_from(columns).unwrap_or(u16::MAX))),
    };
    Style::for_terminal(&Terminal {
        is_terminal,
        columns: columns.map(usize::from),
        no_color: no_color.as_deref(),
        term: term.as_deref(),
        locale: locale.as_deref(),
    })
}
