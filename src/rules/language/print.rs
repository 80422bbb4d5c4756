//! A tree back into text that reads the same.

use std::fmt;

use super::ast::{Literal, Node, NodeKind, Test};

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, self.suffix.text())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Number(literal) => literal.fmt(f),
            NodeKind::Text(text) => quoted(text, f),
            NodeKind::Bool(value) => value.fmt(f),
            NodeKind::Name(name) => f.write_str(name),
            NodeKind::Negative(inner) => {
                f.write_str("-")?;
                grouped(inner, matches!(inner.kind, NodeKind::Binary(..)), f)
            }
            NodeKind::Binary(operator, left, right) => {
                let ours = operator.precedence();
                grouped(left, precedence(left).is_some_and(|theirs| theirs < ours), f)?;
                write!(f, " {} ", operator.text())?;
                grouped(right, precedence(right).is_some_and(|theirs| theirs <= ours), f)
            }
            NodeKind::Call(function, arguments) => {
                write!(f, "{}(", function.text())?;
                listed(arguments, f)?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(operator, left, right) => write!(f, "{left} {} {right}", operator.text()),
            Self::In(left, list) => {
                write!(f, "{left} in [")?;
                listed(list, f)?;
                f.write_str("]")
            }
            Self::Matches(left, pattern) => {
                write!(f, "{left} matches ")?;
                quoted(pattern, f)
            }
            Self::Holds(node) => node.fmt(f),
        }
    }
}

fn precedence(node: &Node) -> Option<u8> {
    match node.kind {
        NodeKind::Binary(operator, ..) => Some(operator.precedence()),
        _ => None,
    }
}

fn grouped(node: &Node, parentheses: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if parentheses { write!(f, "({node})") } else { write!(f, "{node}") }
}

fn listed(nodes: &[Node], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{node}")?;
    }
    Ok(())
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    write!(f, "{quote}{text}{quote}")
}
