//! YAML as compose files and manifests use it: lines, how deep they stand, keys and values. Whatever else YAML can do is
//! passed over, and what is filled in by a template stands as it is written.

use super::words::{Word, words};

/// One line: how deep, its key if it has one, and where its value stands.
pub(super) struct Row<'a> {
    pub(super) depth: usize,
    pub(super) key: &'a str,
    /// Whether it begins an item of a list.
    pub(super) item: bool,
    pub(super) value: (usize, usize),
}

/// The rows that belong to one: those that stand deeper, and the items of its list.
pub(super) fn under<'r, 'a>(rows: &'r [&'r Row<'a>], at: usize) -> impl Iterator<Item = &'r Row<'a>> {
    let depth = inner_depth(rows[at]);
    rows[at + 1..]
        .iter()
        .take_while(move |below| below.depth > depth || (below.item && below.depth == depth))
        .copied()
}

/// How deep the key of a row stands: behind the dash, where it begins an item.
pub(super) fn inner_depth(row: &Row<'_>) -> usize {
    row.depth + if row.item { 2 } else { 0 }
}

/// The words of a value that is a command: on its line, in the lines below, or in a list.
pub(super) fn argument_words(text: &str, rows: &[&Row<'_>], at: usize) -> Vec<Word> {
    let mut found = words(text, rows[at].value.0, rows[at].value.1);
    // `>` and `|` say only how the lines below are joined.
    found.retain(|word| !matches!(word.text.as_str(), ">" | "|" | ">-" | "|-"));
    for below in under(rows, at) {
        found.extend(words(text, below.value.0, below.value.1));
    }
    found
}

/// Every line that says something.
pub(super) fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = uncommented(line.trim_end());
        let depth = content.len() - content.trim_start_matches(' ').len();
        let mut rest = &content[depth..];
        let item = rest.starts_with("- ") || rest == "-";
        if item {
            rest = rest[1..].trim_start();
        }
        if rest.is_empty() {
            continue;
        }
        let from = start + content.len() - rest.len();
        let key = rest.split_once(':').filter(|(key, value)| {
            !key.contains([' ', '"', '\'', '[']) && (value.is_empty() || value.starts_with(' '))
        });
        let (key, value) = key.map_or(("", (from, from + rest.len())), |(key, _)| {
            (key, (from + key.len() + 1, from + rest.len()))
        });
        rows.push(Row { depth, key, item, value });
    }
    rows
}

/// A line without its comment: `#` at its start or behind a blank, outside of quotes.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, char) in line.char_indices() {
        match quote {
            None if char == '#' && before == ' ' => return line[..at].trim_end(),
            None if matches!(char, '"' | '\'') => quote = Some(char),
            Some(open) if char == open => quote = None,
            _ => {}
        }
        before = char;
    }
    line
}
