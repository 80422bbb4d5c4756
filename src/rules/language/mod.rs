//! The expression language of the rules: one comparison per line over facts, constants and units.
//!
//! A comparison is `expr op expr` with `op` one of `< <= > >= == !=`, `text in [a, b]`, `text matches
//! 'glob*'`, or a truth on its own (`known(fact)`, a fact of type bool). There are no loops, no user
//! functions and no recursion without limit: every expression ends. Knows the vocabulary of facts; must not
//! know a rule file.

mod ast;
mod check;
mod evaluate;
mod lex;
mod parse;
mod print;
mod truth;
mod walk;

pub use ast::{Function, Literal, Node, NodeKind, Operator, Suffix, Test};
pub use check::{Dimension, Flavour};
pub(crate) use check::{Kind, Scope, check_node, check_test};
pub(crate) use evaluate::{Env, Minimum, evaluate_test, number};
pub(crate) use parse::parse_literal;
pub use parse::{parse_expression, parse_test};
pub use truth::Truth;
pub(crate) use walk::Shift;

/// Something wrong in a text of the language, and where: byte offsets into that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the offending part.
    pub span: std::ops::Range<usize>,
    /// What is wrong, lowercase, no full stop.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(span: std::ops::Range<usize>, what: impl Into<String>) -> Self {
        Self { span, what: what.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[cfg(test)]
mod tests;
