//! Containers of Kubernetes manifests: what they run, with which variables, limited to how many CPUs. Knows the fields of a
//! container, wherever it is described: pods, deployments, jobs, templates of charts.

use super::rows::{Row, argument_words, inner_depth, rows, under};
use super::words::{Line, Word, words};

/// Lists of containers.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// A command line per container; empty where it runs what its image says.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let rows = rows(text);
    let rows: Vec<&Row<'_>> = rows.iter().collect();
    let mut lines = Vec::new();
    for (at, _) in rows.iter().enumerate().filter(|(_, row)| LISTS.contains(&row.key)) {
        let below = under(&rows, at).count();
        let inside = &rows[at + 1..at + 1 + below];
        let Some(first) = inside.first().filter(|first| first.item) else { continue };
        let starts: Vec<usize> =
            (0..inside.len()).filter(|at| inside[*at].item && inside[*at].depth == first.depth).collect();
        for (number, start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(inside.len());
            lines.push(container(text, &inside[*start..end]));
        }
    }
    lines
}

fn container(text: &str, rows: &[&Row<'_>]) -> Line {
    let mut line = Line::default();
    let depth = inner_depth(rows[0]);
    let mut arguments = Vec::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| inner_depth(row) == depth) {
        match row.key {
            "name" => line.name = first(text, row).map(|word| word.text).unwrap_or_default(),
            "command" => line.words = argument_words(text, rows, at),
            "args" => arguments = argument_words(text, rows, at),
            "env" => line.variables = variables(text, &under(rows, at).collect::<Vec<_>>()),
            "resources" => line.cpus = limit(text, &under(rows, at).collect::<Vec<_>>()),
            _ => {}
        }
    }
    line.words.append(&mut arguments);
    line
}

/// `- name: A` and `value: "b"`, in either order.
fn variables(text: &str, rows: &[&Row<'_>]) -> Vec<(String, Word)> {
    let mut found = Vec::new();
    let (mut name, mut value) = (None, None);
    for row in rows {
        if row.item {
            found.extend(name.take().zip(value.take()));
        }
        match row.key {
            "name" => name = first(text, row).map(|word| word.text),
            "value" => value = whole(text, row),
            _ => {}
        }
    }
    found.extend(name.zip(value));
    found
}

/// `cpu` under `limits`: requests are a promise, not a bound.
fn limit(text: &str, rows: &[&Row<'_>]) -> Option<f64> {
    let limits = rows.iter().position(|row| row.key == "limits")?;
    let cpu = under(rows, limits).find(|row| row.key == "cpu")?;
    let given = first(text, cpu)?.text;
    match given.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().ok().map(|number| number / 1000.0),
        None => given.parse().ok(),
    }
}

fn first(text: &str, row: &Row<'_>) -> Option<Word> {
    words(text, row.value.0, row.value.1).into_iter().next()
}

/// A value with its blanks, without its quotes.
fn whole(text: &str, row: &Row<'_>) -> Option<Word> {
    let words = words(text, row.value.0, row.value.1);
    let bytes = (words.first()?.bytes.0, words.last()?.bytes.1);
    let written = text.get(bytes.0 as usize..bytes.1 as usize)?;
    Some(Word { text: written.trim_matches(['"', '\'']).to_owned(), bytes })
}
