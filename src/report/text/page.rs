//! A page of text: labelled sections, words wrapped with a hanging indent, roles painted or left plain.
//!
//! Knows columns, wide characters and terminals' escapes; nothing of reports.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthChar;

use crate::report::Style;

/// What a piece of text is for the reader; the page knows its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Role {
    Plain,
    Label,
    Strong,
    Faint,
    Busy,
    Waiting,
    Warning,
}

impl Role {
    fn paint(self) -> anstyle::Style {
        let style = anstyle::Style::new();
        match self {
            Self::Plain => style,
            Self::Label => style.fg_color(Some(AnsiColor::Cyan.into())),
            Self::Strong => style.effects(Effects::BOLD),
            Self::Faint => style.effects(Effects::DIMMED),
            Self::Busy => style.fg_color(Some(AnsiColor::Green.into())),
            Self::Waiting | Self::Warning => style.fg_color(Some(AnsiColor::Yellow.into())),
        }
    }
}

/// A space that no line breaks at.
pub(super) const NO_BREAK: char = '\u{a0}';

/// Text in pieces, each with its role.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Text {
    chars: Vec<(char, Role)>,
}

impl Text {
    /// Text of one role. Control and direction characters become visible escapes: a file name must not be able to
    /// rewrite the terminal.
    pub(in crate::report) fn new(role: Role, text: &str) -> Self {
        Self::default().and(role, text)
    }

    pub(in crate::report) fn plain(text: &str) -> Self {
        Self::new(Role::Plain, text)
    }

    /// Appends.
    #[must_use]
    pub(in crate::report) fn and(mut self, role: Role, text: &str) -> Self {
        for char in text.chars() {
            if char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                self.chars.extend(char.escape_default().map(|char| (char, role)));
            } else {
                self.chars.push((char, role));
            }
        }
        self
    }

    /// Appends another text with its roles.
    #[must_use]
    pub(in crate::report) fn append(mut self, other: Self) -> Self {
        self.chars.extend(other.chars);
        self
    }

    /// Forbids line breaks within.
    #[must_use]
    pub(in crate::report) fn unbroken(mut self) -> Self {
        for (char, _) in &mut self.chars {
            if *char == ' ' {
                *char = NO_BREAK;
            }
        }
        self
    }

    /// Forbids line breaks between a number and its unit, and beside a multiplication sign: `56.1 ms`, `× 16`.
    fn numbers_unbroken(mut self) -> Self {
        const UNITS: [&str; 12] = ["%", "ns", "us", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB", "TiB"];
        let text: Vec<char> = self.chars.iter().map(|(char, _)| *char).collect();
        let in_word = |char: &&char| char.is_alphanumeric() || **char == '%';
        let joins = |at: usize| {
            let word = text[..at].rsplit(|char| *char == ' ').next().unwrap_or_default();
            let number = word.last().is_some_and(char::is_ascii_digit)
                && word.iter().all(|char| char.is_ascii_digit() || ".,+(–".contains(*char));
            let follows: String = text[at + 1..].iter().take_while(in_word).collect();
            word == ['×'] || text.get(at + 1) == Some(&'×') || (number && UNITS.contains(&follows.as_str()))
        };
        for (at, (char, _)) in self.chars.iter_mut().enumerate() {
            if *char == ' ' && joins(at) {
                *char = NO_BREAK;
            }
        }
        self
    }

    /// In the characters the reader's terminal can show.
    fn shown(mut self, style: &Style) -> Self {
        if !style.unicode {
            let chars = self.chars.into_iter();
            self.chars = chars
                .flat_map(|(char, role)| {
                    ascii(char).chars().map(move |char| (char, role)).collect::<Vec<_>>()
                })
                .collect();
        }
        self
    }

    /// In pieces of one role each.
    pub(in crate::report) fn pieces(&self) -> impl Iterator<Item = (Role, String)> {
        runs(&self.chars)
    }

    pub(in crate::report) fn width(&self) -> usize {
        width(&self.chars)
    }

    pub(in crate::report) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Cut to `limit` columns with an ellipsis: a path keeps its end, anything else its beginning.
    #[must_use]
    pub(super) fn shortened(mut self, limit: usize, ellipsis: &str) -> Self {
        if self.width() <= limit {
            return self;
        }
        let keep_end = self.chars.iter().any(|(char, _)| *char == '/');
        let role = self.chars.first().map_or(Role::Plain, |(_, role)| *role);
        let mark = Self::new(role, ellipsis);
        let mut room = limit.saturating_sub(mark.width());
        let fits = |piece: &&(char, Role)| {
            let left = room.checked_sub(width(&[**piece]));
            room = left.unwrap_or(0);
            left.is_some()
        };
        if keep_end {
            let kept = self.chars.iter().rev().take_while(fits).count();
            self.chars.drain(..self.chars.len() - kept);
        } else {
            let kept = self.chars.iter().take_while(fits).count();
            self.chars.truncate(kept);
        }
        if keep_end { mark.append(self) } else { self.append(mark) }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars.iter().try_for_each(|(char, _)| f.write_char(*char))
    }
}

fn width(chars: &[(char, Role)]) -> usize {
    chars.iter().map(|(char, _)| char.width().unwrap_or(0)).sum()
}

/// ASCII that means the same.
fn ascii(char: char) -> String {
    match char {
        _ if char.is_ascii() => char.into(),
        NO_BREAK => char.into(),
        '×' => "x".into(),
        '→' => "->".into(),
        '–' | '—' | '−' => "-".into(),
        '…' => "...".into(),
        '█' => "#".into(),
        '░' => ".".into(),
        'µ' => "u".into(),
        '≥' => ">=".into(),
        '≤' => "<=".into(),
        '’' | '‘' => "'".into(),
        '“' | '”' => "\"".into(),
        '·' => ";".into(),
        other => other.escape_unicode().collect(),
    }
}

/// Lines of at most `limit` columns (the first: `extra` more), broken at spaces, and within a word only where it
/// alone is too long.
fn wrap(text: &[(char, Role)], limit: usize, extra: usize) -> Vec<Vec<(char, Role)>> {
    let mut lines: Vec<Vec<(char, Role)>> = Vec::new();
    let mut line: Vec<(char, Role)> = Vec::new();
    let room = |lines: &[_]| (if lines.is_empty() { limit + extra } else { limit }).max(1);
    for word in text.split(|(char, _)| *char == ' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && width(&line) + 1 + width(word) > room(&lines) {
            lines.push(std::mem::take(&mut line));
        }
        if let (Some((_, before)), Some((_, after))) = (line.last(), word.first()) {
            line.push((' ', if before == after { *after } else { Role::Plain }));
        }
        for piece in word {
            if width(&line) + width(&[*piece]) > room(&lines) && !line.is_empty() {
                let rest = line.split_off(seam(&line));
                lines.push(std::mem::replace(&mut line, rest));
            }
            line.push(*piece);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    join_orphan(&mut lines, limit);
    lines
}

/// A last line of one word gets company from the line above, where that can spare a word.
fn join_orphan(lines: &mut [Vec<(char, Role)>], limit: usize) {
    let [.., above, last] = lines else { return };
    let spaces = |line: &[(char, Role)]| line.iter().filter(|(char, _)| *char == ' ').count();
    let Some(cut) = above.iter().rposition(|(char, _)| *char == ' ') else { return };
    let moved = width(&above[cut + 1..]) + 1 + width(last);
    if spaces(last) == 0 && spaces(above) >= 2 && moved <= limit && !above[cut + 1..].is_empty() {
        let mut line = above.split_off(cut + 1);
        let (space, _) = above.pop().unwrap_or((' ', Role::Plain));
        line.push((space, Role::Plain));
        line.append(last);
        *last = line;
    }
}

/// Where to cut a line of one word that is too long for any: after the punctuation of paths and code if there is
/// some late enough, else at the end.
fn seam(line: &[(char, Role)]) -> usize {
    let punctuation = |(char, _): &(char, Role)| "/(,=&?:;".contains(*char);
    let cut = line.iter().rposition(punctuation).map(|at| at + 1);
    cut.filter(|cut| *cut > line.len() / 2).unwrap_or(line.len())
}

/// A paragraph: an unbroken lead, then text that hangs beside it.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Paragraph {
    pub(in crate::report) lead: Text,
    pub(in crate::report) body: Text,
}

impl From<Text> for Paragraph {
    fn from(body: Text) -> Self {
        Self { lead: Text::default(), body }
    }
}

/// Columns of a section's label with the space around it.
const LABEL: usize = 12;
/// Further indent of a paragraph's later lines, so that the next paragraph can be told from them.
const HANG: usize = 2;
/// Below this width labels stand on a line of their own.
const NARROW: usize = 48;

/// A part of a page.
#[derive(Debug, Clone)]
pub(in crate::report) enum Block {
    /// An empty line.
    Blank,
    /// One line as it is, at an indent.
    Line(usize, Text),
    /// Lines of code.
    Code(String),
    /// What stands beside a label.
    Section(String, Vec<Paragraph>),
    /// Side by side, on as many lines as they need.
    Items(Vec<Text>),
}

/// A page being filled; what is in it is laid out when it is finished.
pub(in crate::report) struct Page<'a> {
    style: &'a Style,
    blocks: Vec<Block>,
}

impl<'a> Page<'a> {
    pub(in crate::report) fn new(style: &'a Style) -> Self {
        Self { style, blocks: Vec::new() }
    }

    /// Columns of the page.
    pub(in crate::report) fn width(&self) -> usize {
        self.style.width.max(20)
    }

    /// Columns of a line of a section.
    pub(super) fn room(&self) -> usize {
        self.width() - if self.width() < NARROW { 3 } else { LABEL }
    }

    /// The text in what the reader's terminal can show, cut to `limit` columns.
    pub(in crate::report) fn fit(&self, text: Text, limit: usize) -> Text {
        text.shown(self.style).shortened(limit, if self.style.unicode { "…" } else { ".." })
    }

    /// The text in what the reader's terminal can show, without what is beyond `limit` columns.
    pub(super) fn cut(&self, text: Text, limit: usize) -> Text {
        let mut text = text.shown(self.style);
        let mut room = limit;
        let fits = |piece: &&(char, Role)| {
            let left = room.checked_sub(width(&[**piece]));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let kept = text.chars.iter().take_while(fits).count();
        text.chars.truncate(kept);
        text
    }

    pub(in crate::report) fn blank(&mut self) {
        self.blocks.push(Block::Blank);
    }

    /// One line as it is, at an indent.
    pub(in crate::report) fn line(&mut self, indent: usize, text: Text) {
        self.blocks.push(Block::Line(indent, text));
    }

    /// Lines as they are, at the indent of sections: code.
    pub(super) fn code(&mut self, code: &str) {
        self.blocks.push(Block::Code(code.trim_end().to_owned()));
    }

    /// A labelled section; nothing at all without paragraphs.
    pub(in crate::report) fn section(
        &mut self,
        label: &str,
        paragraphs: impl IntoIterator<Item = Paragraph>,
    ) {
        self.blocks.push(Block::Section(label.to_owned(), paragraphs.into_iter().collect()));
    }

    /// Items side by side, on as many lines as they need; the later lines are indented.
    pub(in crate::report) fn items(&mut self, items: Vec<Text>) {
        self.blocks.push(Block::Items(items));
    }

    /// What is in it, for whoever lays out otherwise.
    pub(in crate::report) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// In lines of at most as many columns as the style says.
    pub(in crate::report) fn finish(mut self) -> String {
        let mut out = String::new();
        for block in std::mem::take(&mut self.blocks) {
            match block {
                Block::Blank => out.push('\n'),
                Block::Line(indent, text) => self.write(&mut out, indent, &text.shown(self.style).chars),
                Block::Code(code) => {
                    let indent = if self.width() < NARROW { 3 } else { LABEL };
                    for line in code.lines() {
                        self.write(&mut out, indent, &Text::plain(line).shown(self.style).chars);
                    }
                }
                Block::Section(label, paragraphs) => self.lay_out_section(&mut out, &label, paragraphs),
                Block::Items(items) => self.lay_out_items(&mut out, items),
            }
        }
        out
    }

    fn lay_out_section(&self, out: &mut String, label: &str, paragraphs: Vec<Paragraph>) {
        let mut label = Some(Text::new(Role::Label, label));
        let indent = if self.width() < NARROW { 3 } else { LABEL };
        for paragraph in paragraphs {
            let lead = paragraph.lead.shown(self.style);
            let body = paragraph.body.numbers_unbroken().shown(self.style);
            let hang = if lead.is_empty() { HANG } else { lead.width() };
            let room = self.width().saturating_sub(indent + hang);
            for (i, line) in wrap(&body.chars, room, hang - lead.width()).into_iter().enumerate() {
                let mut front = if i == 0 { lead.chars.clone() } else { vec![(' ', Role::Plain); hang] };
                front.extend(line);
                match label.take() {
                    Some(label) if indent < LABEL => {
                        self.write(out, 1, &label.chars);
                        self.write(out, indent, &front);
                    }
                    Some(label) => {
                        let mut whole = label.chars.clone();
                        whole.resize(LABEL - 1, (' ', Role::Plain));
                        whole.extend(front);
                        self.write(out, 1, &whole);
                    }
                    None => self.write(out, indent, &front),
                }
            }
        }
    }

    fn lay_out_items(&self, out: &mut String, items: Vec<Text>) {
        const GAP: usize = 3;
        let mut line: Vec<(char, Role)> = Vec::new();
        let mut indent = 1;
        for item in items {
            let item = self.fit(item, self.width() - 2);
            if !line.is_empty() && indent + width(&line) + GAP + item.width() > self.width() {
                self.write(out, indent, &std::mem::take(&mut line));
                indent = GAP;
            }
            if !line.is_empty() {
                line.resize(line.len() + GAP, (' ', Role::Plain));
            }
            line.extend(item.chars);
        }
        self.write(out, indent, &line);
    }

    fn write(&self, out: &mut String, indent: usize, line: &[(char, Role)]) {
        let end =
            line.iter().rposition(|(char, _)| !matches!(*char, ' ' | NO_BREAK)).map_or(0, |last| last + 1);
        if end > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        for (role, text) in runs(&line[..end]) {
            if self.style.color && role != Role::Plain {
                let paint = role.paint();
                write!(out, "{paint}{text}{paint:#}").expect("writing to a string cannot fail");
            } else {
                out.push_str(&text);
            }
        }
        out.push('\n');
    }
}

/// Pieces of one role each.
fn runs(chars: &[(char, Role)]) -> impl Iterator<Item = (Role, String)> {
    let shown = |char: char| if char == NO_BREAK { ' ' } else { char };
    chars
        .chunk_by(|(_, one), (_, other)| one == other)
        .map(move |run| (run[0].1, run.iter().map(|(char, _)| shown(*char)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, limit: usize) -> Vec<String> {
        let lines = wrap(&Text::plain(text).chars, limit, 0);
        lines.into_iter().map(|line| line.into_iter().map(|(char, _)| char).collect()).collect()
    }

    #[test]
    fn breaks_at_words_and_inside_one_only_when_it_must() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("a /very/long/path b", 6), ["a", "/very/", "long/", "path b"]);
        assert_eq!(lines("日本語 ab", 6), ["日本語", "ab"]);
        assert_eq!(lines("", 6), Vec::<String>::new());
    }

    #[test]
    fn no_word_is_left_alone_on_the_last_line() {
        assert_eq!(lines("one two three four", 13), ["one two", "three four"]);
        assert_eq!(lines("one three four", 9), ["one three", "four"]);
        assert_eq!(lines("one two incomprehensible", 16), ["one two", "incomprehensible"]);
    }

    #[test]
    fn no_line_ends_between_a_number_and_its_unit() {
        let seen = |text: &str| Text::plain(text).numbers_unbroken().to_string().replace(NO_BREAK, "_");
        assert_eq!(seen("9 waits of 48.9 ms (95 % under 2 s)"), "9 waits of 48.9_ms (95_% under 2_s)");
        assert_eq!(seen("threads × 16: 11× (9–12×)"), "threads_×_16: 11× (9–12×)");
        assert_eq!(seen("at 3 sites, h2 ms"), "at 3 sites, h2 ms");
    }

    #[test]
    fn nothing_that_is_measured_can_command_the_terminal() {
        let text = Text::plain("a\u{1b}[31mb\n\u{202e}c");
        let seen: String = text.chars.iter().map(|(char, _)| char).collect();
        assert_eq!(seen, "a\\u{1b}[31mb\\n\\u{202e}c");
    }

    #[test]
    fn paths_keep_their_end_and_words_their_beginning() {
        let seen = |text: &str, limit| -> String {
            Text::plain(text).shortened(limit, "…").chars.into_iter().map(|(char, _)| char).collect()
        };
        assert_eq!(seen("/var/lib/data.log", 9), "…data.log");
        assert_eq!(seen("db.internal:5432", 9), "db.inter…");
        assert_eq!(seen("short", 9), "short");
    }

    #[test]
    fn colour_is_spent_only_where_asked() {
        let mut style = Style::PLAIN;
        let page = |style: &Style| {
            let mut page = Page::new(style);
            page.section("Label", [Text::new(Role::Strong, "word").into()]);
            page.finish()
        };
        assert_eq!(page(&style), " Label      word\n");
        style.color = true;
        assert_eq!(page(&style), " \u{1b}[36mLabel\u{1b}[0m      \u{1b}[1mword\u{1b}[0m\n");
    }

    #[test]
    fn ascii_keeps_the_meaning() {
        let style = Style { unicode: false, ..Style::PLAIN };
        let mut page = Page::new(&style);
        page.line(0, Text::plain("8× → 2–3 … ü"));
        assert_eq!(page.finish(), "8x -> 2-3 ... \\u{fc}\n");
    }
}
