//! What one file shows alone. One row per detector; a row of a table is all it takes to plug one in:
//!
//! ```text
//! Pattern { rules: &["dropped-task"], visit: Visit::Call(tasks::dropped) }
//!
//! pub(super) fn dropped<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
//!     if !context.is_dropped() || context.is_awaited() { return }        // cheap questions of syntax first
//!     let Some(name) = context.callee(call) else { return };             // then names and types
//!     …
//!     let seen = context.observation("dropped-task", call, &name);
//!     context.observe(seen);
//! }
//! ```
//!
//! A detector knows the syntax tree, what stands around a node ([`Context`]), the names and types of the file
//! ([`super::resolve::Names`]) and its bindings ([`super::scope::Scopes`]). It knows no severity, no wording and no
//! other file; what needs the whole program is a question to `super::names`.

mod processes;
mod tasks;
mod threads;

use std::sync::LazyLock;

use ruff_python_ast::{ExprCall, Stmt, StmtClassDef, StmtFunctionDef};

use super::context::Context;

/// A detector.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// The rules it observes for.
    pub rules: &'static [&'static str],
    /// When it is asked.
    pub visit: Visit,
}

/// When a detector is asked. The node itself is not among the ancestors yet, save that a function and a class are
/// asked about from inside: in their own scope.
#[derive(Debug, Clone, Copy)]
pub enum Visit {
    /// Once per file, before everything else.
    Module(for<'a> fn(&mut Context<'a>, &'a [Stmt])),
    /// At each function, async or not.
    Function(for<'a> fn(&mut Context<'a>, &'a StmtFunctionDef)),
    /// At each class.
    Class(for<'a> fn(&mut Context<'a>, &'a StmtClassDef)),
    /// At each statement.
    Statement(for<'a> fn(&mut Context<'a>, &'a Stmt)),
    /// At each call.
    Call(for<'a> fn(&mut Context<'a>, &'a ExprCall)),
}

/// Every detector, by what it is about.
const TABLES: [&[Pattern]; 3] = [threads::PATTERNS, processes::PATTERNS, tasks::PATTERNS];

/// The detectors by when they are asked: there are too many nodes to go through all of them at each.
pub(super) struct Asked {
    pub(super) modules: Vec<for<'a> fn(&mut Context<'a>, &'a [Stmt])>,
    pub(super) functions: Vec<for<'a> fn(&mut Context<'a>, &'a StmtFunctionDef)>,
    pub(super) classes: Vec<for<'a> fn(&mut Context<'a>, &'a StmtClassDef)>,
    pub(super) statements: Vec<for<'a> fn(&mut Context<'a>, &'a Stmt)>,
    pub(super) calls: Vec<for<'a> fn(&mut Context<'a>, &'a ExprCall)>,
}

pub(super) static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let (modules, functions, classes, statements, calls) = Default::default();
    let mut asked = Asked { modules, functions, classes, statements, calls };
    for pattern in patterns() {
        match pattern.visit {
            Visit::Module(visit) => asked.modules.push(visit),
            Visit::Function(visit) => asked.functions.push(visit),
            Visit::Class(visit) => asked.classes.push(visit),
            Visit::Statement(visit) => asked.statements.push(visit),
            Visit::Call(visit) => asked.calls.push(visit),
        }
    }
    asked
});

/// Every detector.
pub fn patterns() -> impl Iterator<Item = &'static Pattern> {
    TABLES.into_iter().flatten()
}
