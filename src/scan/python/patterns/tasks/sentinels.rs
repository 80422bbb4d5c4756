//! Sentinels and those who wait for them: who is started how often to take from a queue, and how often a queue is told
//! that there is no more. Knows numbers as they are written; what is called from elsewhere may run any number of times.

use ruff_python_ast::{Comprehension, Expr, ExprCall, Number, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::super::super::context::Context;
use super::super::super::scope::{ScopeId, argument, elements, last_part};
use super::super::processes::pools::{Defined, defined, handed_in};
use super::definitions::{Node, any, any_in};
use crate::catalog::{Language, Mark};

/// How often something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times<'a> {
    /// So often.
    Number(u64),
    /// Once for each of these, or as often as this says.
    Each(&'a str),
    Unknown,
}

impl<'a> Times<'a> {
    /// How often the body of a `for` runs.
    pub(super) fn of(context: &Context<'a>, iterable: &'a Expr) -> Self {
        match iterable {
            Expr::Name(_) | Expr::Attribute(_) => Self::Each(context.text(iterable)),
            Expr::Call(call) if last_part(&call.func) == Some("range") => match &*call.arguments.args {
                [Expr::NumberLiteral(literal)] => match &literal.value {
                    Number::Int(number) => number.as_u64().map_or(Self::Unknown, Self::Number),
                    _ => Self::Unknown,
                },
                [count @ (Expr::Name(_) | Expr::Attribute(_))] => Self::Each(context.text(count)),
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    /// As [`of`](Self::of), of a comprehension.
    pub(super) fn of_parts(context: &Context<'a>, parts: &'a [Comprehension]) -> Self {
        match parts {
            [only] if only.ifs.is_empty() => Self::of(context, &only.iter),
            _ => Self::Unknown,
        }
    }

    /// How often something runs inside of these.
    pub(super) fn inside(rounds: &[Self]) -> Self {
        match rounds {
            [] => Self::Number(1),
            [only] => *only,
            _ => Self::Unknown,
        }
    }

    /// All of these together.
    pub(super) fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        let add = |one, other| match (one, other) {
            (Self::Number(one), Self::Number(other)) => Self::Number(one.saturating_add(other)),
            (Self::Number(0), each) => each,
            _ => Self::Unknown,
        };
        all.into_iter().fold(Self::Number(0), add)
    }
}

/// A function of the file that is started beside others.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) worker: Defined<'a>,
    /// What it is given.
    pub(super) given: &'a [Expr],
}

/// What a call starts: a thread, a process, a task of a pool or of a loop.
pub(super) fn started<'a>(context: &Context<'a>, call: &'a ExprCall, scope: ScopeId) -> Option<Start<'a>> {
    let names = context.names;
    let marked = |mark| {
        let callee = names.resolve(&call.func, scope);
        callee.is_some_and(|name| names.catalog.has(Language::Python, &name, mark))
    };
    let (function, given) = if let Some(target) = argument(call, usize::MAX, "target") {
        (marked(Mark::Thread) || marked(Mark::Process)).then_some(())?;
        let given = argument(call, usize::MAX, "args");
        (target, given.map_or(Some(&[][..]), elements)?)
    } else if let [Expr::Call(work)] = &*call.arguments.args {
        marked(Mark::Spawns).then_some((&*work.func, &*work.arguments.args))?
    } else {
        let task = handed_in(names, call, scope).filter(|task| !task.maps)?;
        (task.function, task.others)
    };
    Some(Start { worker: defined(names, function, scope)?, given })
}

impl<'a> Start<'a> {
    /// The parameter that gets the argument at a position.
    pub(super) fn parameter(&self, context: &Context<'a>, position: usize) -> Option<&'a str> {
        let parameters = &self.worker.function.parameters;
        let receiver = usize::from(context.names.scopes.class_of(self.worker.scope).is_some());
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        Some(positional.skip(receiver).nth(position)?.parameter.name.as_str())
    }

    /// Whether it takes from a queue, under this name, until it is told to end, and tells nobody else.
    pub(super) fn consumes(&self, context: &Context<'a>, queue: &str) -> bool {
        let on_queue = |node: Node<'_>, methods: &[&str]| match node {
            Node::Expression(Expr::Call(call)) => match &*call.func {
                Expr::Attribute(method) => {
                    methods.contains(&method.attr.as_str()) && context.text(&*method.value) == queue
                }
                _ => false,
            },
            _ => false,
        };
        let takes = &mut |node: Node<'_>| {
            let patient = matches!(node, Node::Expression(Expr::Call(call)) if call.arguments.is_empty());
            patient && on_queue(node, &["get"])
        };
        let repeats = any(&self.worker.function.body, &mut |node| match node {
            Node::Statement(Stmt::While(until)) => any_in(&until.test, takes) || any(&until.body, takes),
            _ => false,
        });
        repeats
            && !any(&self.worker.function.body, &mut |node| on_queue(node, &["put", "put_nowait", "empty"]))
    }
}

/// Whether a function waits for the end of all that were started: nobody calls it for each of them.
pub(super) fn joins_all(function: &StmtFunctionDef) -> bool {
    let joins = &mut |node: Node<'_>| matches!(node, Node::Expression(Expr::Call(call)) if call.arguments.is_empty() && last_part(&call.func) == Some("join"));
    any(
        &function.body,
        &mut |node| matches!(node, Node::Statement(Stmt::For(each)) if any(&each.body, joins)),
    )
}

/// So many of something, in words.
pub(super) fn counted(times: Times<'_>, what: &str) -> String {
    match times {
        Times::Number(1) => format!("one {what}"),
        Times::Number(number) => format!("{number} {what}s"),
        Times::Each(each) => format!("one {what} per `{each}`"),
        Times::Unknown => format!("some {what}s"),
    }
}

/// Whether two functions, or two modules, are the same.
pub(super) fn same(one: Option<&StmtFunctionDef>, other: Option<&StmtFunctionDef>) -> bool {
    one.map(Ranged::range) == other.map(Ranged::range)
}
