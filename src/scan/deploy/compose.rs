//! Services of a compose file: what they run, with which variables, on how many CPUs.

use super::rows::{Row, argument_words, rows, under};
use super::words::{Line, Word, assignment, words};

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
        match row.key {
            "entrypoint" | "command" => {
                let mut found = argument_words(text, rows, at);
                if row.key == "entrypoint" {
                    found.append(&mut line.words);
                    line.words = found;
                } else {
                    line.words.extend(found);
                }
            }
            "environment" => {
                for below in under(rows, at) {
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
