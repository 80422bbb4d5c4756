//! Services of a compose file: what they run, with which variables, on how many CPUs. Reads lines and their depth, which
//! is all that these files use; whatever else YAML can do is passed over.

use super::words::{Line, Word, assignment, words};

/// One line: how deep, its key if it has one, and where its value stands.
struct Row<'a> {
    depth: usize,
    key: &'a str,
    item: bool,
    value: (usize, usize),
}

/// A command per service that gives one.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let rows = rows(text);
    let mut lines: Vec<Line> = Vec::new();
    let Some(services) = rows.iter().position(|row| row.depth == 0 && row.key == "services") else {
        return lines;
    };
    let inside = rows[services + 1..].iter().take_while(|row| row.depth > 0 || row.item);
    let rows: Vec<&Row<'_>> = inside.collect();
    let depth = rows.first().map_or(0, |row| row.depth);
    let starts: Vec<usize> =
        rows.iter().enumerate().filter(|(_, row)| row.depth == depth).map(|(at, _)| at).collect();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(rows.len());
        lines.push(service(text, rows[*start].key, &rows[start + 1..end]));
    }
    lines.retain(|line| !line.words.is_empty());
    lines
}

fn service(text: &str, name: &str, rows: &[&Row<'_>]) -> Line {
    let mut line = Line { name: name.to_owned(), ..Line::default() };
    for (at, row) in rows.iter().enumerate() {
        let under = || {
            rows[at + 1..]
                .iter()
                .take_while(|below| below.depth > row.depth || (below.item && below.depth == row.depth))
        };
        match row.key {
            "entrypoint" | "command" => {
                let mut found = words(text, row.value.0, row.value.1);
                // `>` and `|` say only how the lines below are joined.
                found.retain(|word| !matches!(word.text.as_str(), ">" | "|" | ">-" | "|-"));
                for below in under() {
                    found.extend(words(text, below.value.0, below.value.1));
                }
                if row.key == "entrypoint" {
                    found.append(&mut line.words);
                    line.words = found;
                } else {
                    line.words.extend(found);
                }
            }
            "environment" => {
                for below in under() {
                    let value = words(text, below.value.0, below.value.1);
                    let found = if below.item {
                        value.first().and_then(assignment)
                    } else {
                        value.first().map(|value| (below.key.to_owned(), value.clone()))
                    };
                    line.variables.extend(found);
                }
            }
            // Of a reservation there may be more; a limit is one.
            "cpus" if !reserved(rows, at) => {
                let value: Option<Word> = words(text, row.value.0, row.value.1).into_iter().next();
                line.cpus = value.and_then(|value| value.text.parse().ok());
            }
            _ => {}
        }
    }
    line
}

fn reserved(rows: &[&Row<'_>], at: usize) -> bool {
    let above = rows[..at].iter().rev().find(|row| row.depth < rows[at].depth);
    above.is_some_and(|row| row.key == "reservations")
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = uncommented(line.trim_end());
        let depth = content.len() - content.trim_start_matches(' ').len();
        let mut rest = &content[depth..];
        let item = rest.starts_with("- ");
        if item {
            rest = rest[2..].trim_start();
        }
        if rest.is_empty() {
            continue;
        }
        let from = start + content.len() - rest.len();
        let key = rest.split_once(':').filter(|(key, value)| {
            !item && !key.contains([' ', '"', '\'', '[']) && (value.is_empty() || value.starts_with(' '))
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
