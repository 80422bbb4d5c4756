//! What the reader's terminal can show, as a decision over plain values. Reads neither terminal nor environment.

/// How a report for people is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns to fill at most.
    pub width: usize,
    /// Whether to colour.
    pub color: bool,
    /// Whether the reader sees more than ASCII.
    pub unicode: bool,
    /// Whether to show everything: snippets, comparisons, every open question.
    pub verbose: bool,
}

/// What is known about where a report goes; read by the command, decided upon here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal<'a> {
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// Its columns, where it is one and says so.
    pub columns: Option<usize>,
    /// `NO_COLOR`: set to anything but the empty string, it forbids colour.
    pub no_color: Option<&'a str>,
    /// `TERM`.
    pub term: Option<&'a str>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set and not empty.
    pub locale: Option<&'a str>,
}

/// Columns where nobody says: in a pipe, a log, a file.
const WIDTH_UNKNOWN: usize = 80;
/// Beyond this, lines of prose are too long to read.
const WIDTH_MAX: usize = 110;
/// Below this, a terminal's answer is not believed.
const WIDTH_MIN: usize = 30;

impl Style {
    /// The plain style of pipes, files and tests: 80 columns, no colour.
    pub const PLAIN: Self = Self { width: WIDTH_UNKNOWN, color: false, unicode: true, verbose: false };

    /// The style that suits a terminal (or pipe).
    #[must_use]
    pub fn for_terminal(terminal: &Terminal<'_>) -> Self {
        let no_color = terminal.no_color.is_some_and(|value| !value.is_empty());
        let term_can = !matches!(terminal.term, None | Some("" | "dumb"));
        let width = terminal.columns.filter(|columns| terminal.is_terminal && *columns > 0);
        Self {
            width: width.unwrap_or(WIDTH_UNKNOWN).clamp(WIDTH_MIN, WIDTH_MAX),
            color: terminal.is_terminal && term_can && !no_color,
            unicode: terminal.locale.is_none_or(is_utf8),
            verbose: false,
        }
    }
}

/// A locale that is set and names no UTF-8 (`C`, `POSIX`, `en_US.ISO-8859-1`) asks for ASCII. One that is not set
/// at all, the rule in containers, says nothing, and what reads us today is UTF-8.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Terminal<'_> = Terminal {
        is_terminal: true,
        columns: Some(100),
        no_color: None,
        term: Some("xterm-256color"),
        locale: Some("en_US.UTF-8"),
    };

    #[test]
    fn a_terminal_gets_its_width_and_colour() {
        let style = Style::for_terminal(&TERMINAL);
        assert_eq!(style, Style { width: 100, color: true, unicode: true, verbose: false });
    }

    #[test]
    fn a_pipe_is_plain_and_80_columns_wide() {
        let style = Style::for_terminal(&Terminal { is_terminal: false, ..TERMINAL });
        assert_eq!(style, Style::PLAIN);
    }

    #[test]
    fn colour_needs_a_terminal_that_can_and_nobody_who_forbids_it() {
        let color = |terminal| Style::for_terminal(&terminal).color;
        assert!(!color(Terminal { no_color: Some("1"), ..TERMINAL }));
        assert!(color(Terminal { no_color: Some(""), ..TERMINAL }), "an empty NO_COLOR forbids nothing");
        assert!(!color(Terminal { term: Some("dumb"), ..TERMINAL }));
        assert!(!color(Terminal { term: None, ..TERMINAL }));
    }

    #[test]
    fn a_locale_without_utf_8_asks_for_ascii() {
        let unicode = |locale| Style::for_terminal(&Terminal { locale, ..TERMINAL }).unicode;
        assert!(unicode(None) && unicode(Some("C.utf8")) && unicode(Some("de_DE.UTF-8")));
        assert!(!unicode(Some("C")) && !unicode(Some("POSIX")) && !unicode(Some("en_US.ISO-8859-1")));
    }

    #[test]
    fn absurd_widths_are_bounded() {
        let width = |columns| Style::for_terminal(&Terminal { columns, ..TERMINAL }).width;
        assert_eq!((width(Some(0)), width(Some(3)), width(Some(5000)), width(None)), (80, 30, 110, 80));
    }
}
