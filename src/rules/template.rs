//! Sentences with values in them: `{wait.total} of each item`, `{1 - cpu.share | percent}`; `{{` is a brace.

use std::collections::BTreeMap;

use super::RuleSet;
use super::language::{
    Dimension, Env, Flavour, Kind, Minimum, Node, NodeKind, Problem, Scope, check_node, number,
    parse_expression,
};
use crate::facts::{Facts, Value};
use crate::units;

/// What a value that is not known reads like.
const NOT_MEASURED: &str = "(not measured)";

/// A sentence with places for values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    minimum: Minimum,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Value { node: Node, kind: Kind, format: Option<Format> },
}

/// How a number is written, where its unit should not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Percent,
    Seconds,
    Bytes,
    Factor,
    Count,
}

const FORMATS: [(&str, Format); 5] = [
    ("percent", Format::Percent),
    ("seconds", Format::Seconds),
    ("bytes", Format::Bytes),
    ("factor", Format::Factor),
    ("count", Format::Count),
];

impl Template {
    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sentence with its values; a value that is unknown reads "(not measured)".
    #[must_use]
    pub fn render(&self, rules: &RuleSet, facts: &Facts) -> String {
        let env = Env { constants: rules.constants(), facts, minimum: self.minimum };
        let mut sentence = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => sentence.push_str(text),
                Part::Value { node, kind, format } => sentence.push_str(&shown(node, *kind, *format, env)),
            }
        }
        sentence
    }

    /// Names of the facts in it.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let nodes = self.parts.iter().filter_map(|part| match part {
            Part::Value { node, .. } => Some(node),
            Part::Text(_) => None,
        });
        nodes.flat_map(Node::facts).collect()
    }

    pub(super) fn parse(text: &str, scope: Scope<'_>, minimum: Minimum) -> Result<Self, Problem> {
        printable(text)?;
        // A text in several lines ends with a line break, a sentence does not.
        let text = text.trim_end();
        let mut parts = Vec::new();
        for piece in split(text)? {
            parts.push(match piece {
                Piece::Text(text) => Part::Text(text),
                Piece::Hole { start, end } => hole(text, start, end, scope)?,
            });
        }
        Ok(Self { text: text.to_owned(), parts, minimum })
    }
}

fn hole(text: &str, start: usize, end: usize, scope: Scope<'_>) -> Result<Part, Problem> {
    let shift =
        |problem: Problem| Problem { span: problem.span.start + start..problem.span.end + start, ..problem };
    let inner = &text[start..end];
    let (expression, format) = match inner.split_once('|') {
        Some((expression, name)) => {
            let known = FORMATS.iter().find(|(text, _)| *text == name.trim());
            let Some((_, format)) = known else {
                let names: Vec<_> = FORMATS.iter().map(|(text, _)| *text).collect();
                let at = end - name.trim_start().len()..end - (name.len() - name.trim_end().len());
                return Err(Problem::new(at, format!("unknown format `{}`", name.trim()))
                    .help(format!("formats are {}", names.join(", "))));
            };
            (expression, Some(*format))
        }
        None => (inner, None),
    };
    let mut node = parse_expression(expression).map_err(shift)?;
    let kind = check_node(&mut node, scope).map_err(shift)?;
    if format.is_some() && !matches!(kind, Kind::Number(_)) {
        return Err(Problem::new(start..end, format!("a format needs a number, this is {kind}")));
    }
    Ok(Part::Value { node, kind, format })
}

/// Texts of rules are written to terminals, and no file may send escape sequences there.
pub(super) fn printable(text: &str) -> Result<(), Problem> {
    match text.char_indices().find(|(_, letter)| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        Some((at, letter)) => {
            let what = format!("control character U+{:04X}", u32::from(letter));
            Err(Problem::new(at..at + letter.len_utf8(), what))
        }
        None => Ok(()),
    }
}

enum Piece {
    Text(String),
    Hole { start: usize, end: usize },
}

fn split(text: &str) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '}']) {
        let brace = at + found;
        literal.push_str(&text[at..brace]);
        if text[brace..].starts_with("{{") || text[brace..].starts_with("}}") {
            literal.push_str(&text[brace..=brace]);
            at = brace + 2;
        } else if text[brace..].starts_with('{') {
            let Some(length) = text[brace..].find('}') else {
                return Err(Problem::new(brace..text.len(), "`{` without `}`").help("write `{{` for a brace"));
            };
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(Piece::Hole { start: brace + 1, end: brace + length });
            at = brace + length + 1;
        } else {
            return Err(Problem::new(brace..brace + 1, "`}` without `{`").help("write `}}` for a brace"));
        }
    }
    literal.push_str(&text[at..]);
    pieces.push(Piece::Text(literal));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    Ok(pieces)
}

fn shown(node: &Node, kind: Kind, format: Option<Format>, env: Env<'_>) -> String {
    match kind {
        Kind::Number(dimension) => match number(node, env) {
            Ok(number) => written(number, dimension, format),
            Err(_) => NOT_MEASURED.to_owned(),
        },
        Kind::Bool | Kind::Text => match &node.kind {
            NodeKind::Text(text) => text.clone(),
            NodeKind::Bool(value) => truth(*value),
            NodeKind::Name(name) => match env.facts.get(name).map(|fact| &fact.value) {
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Bool(value)) => truth(*value),
                _ => NOT_MEASURED.to_owned(),
            },
            // `known(fact)` has no place in a sentence.
            _ => NOT_MEASURED.to_owned(),
        },
    }
}

fn truth(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn written(number: f64, dimension: Dimension, format: Option<Format>) -> String {
    match (format, dimension) {
        (Some(Format::Percent), _) | (None, Dimension::SHARE) => units::percent(number),
        (Some(Format::Seconds), _) | (None, Dimension::SECONDS) => units::seconds(number),
        (Some(Format::Bytes), _) | (None, Dimension::BYTES) => units::bytes(number),
        (Some(Format::Factor), _) => units::factor(number),
        (None, Dimension::RATE) => format!("{}/s", units::significant(number)),
        (Some(Format::Count), _) => units::plain(number.round()),
        (None, Dimension { flavour: Flavour::Bare | Flavour::Count, .. }) => units::plain(number),
        (None, _) => units::significant(number),
    }
}

/// What the code templates of a realisation may name.
pub const VARIABLES: [&str; 14] = [
    "workers",
    "queue",
    "batch",
    "io_workers",
    "cpu_workers",
    "processes",
    "threads",
    "nodes",
    "tasks",
    "engine",
    "function",
    "where",
    "wait_function",
    "compute_function",
];

/// Lines of code with places for numbers and names. Only `{name}` with a name of [`VARIABLES`] is a place: code is full
/// of braces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CodeTemplate {
    text: String,
}

impl CodeTemplate {
    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The code with its values; a place without a value keeps its name in angle brackets, `<workers>`.
    #[must_use]
    pub fn render(&self, values: &BTreeMap<&str, String>) -> String {
        let mut code = self.text.clone();
        for name in VARIABLES {
            let value = values.get(name).cloned().unwrap_or_else(|| format!("<{name}>"));
            code = code.replace(&format!("{{{name}}}"), &value);
        }
        code
    }

    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        for (open, _) in text.match_indices('{') {
            let inner = &text[open + 1..];
            let length = inner.find(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
            let Some(length) = length.filter(|length| inner[*length..].starts_with('}')) else { continue };
            let name = &inner[..length];
            if !VARIABLES.contains(&name)
                && let Some(meant) = super::suggest::nearest(name, VARIABLES)
            {
                return Err(Problem::new(open..open + length + 2, format!("unknown place `{{{name}}}`"))
                    .help(format!("did you mean `{{{meant}}}`?")));
            }
        }
        printable(text)?;
        Ok(Self { text: text.trim_end().to_owned() })
    }
}
