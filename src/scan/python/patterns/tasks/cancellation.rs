//! What a cancellation meets: handlers that swallow it, and shields around work whose resources it closes.

use ruff_python_ast::{ExceptHandler, Expr, ExprCall, Stmt, StmtFunctionDef, StmtTry};
use ruff_text_size::{Ranged, TextRange};

use super::super::super::context::Context;
use super::super::super::language::ENDING;
use super::super::super::scope::{elements, last_part};
use super::definitions::{Node, any, mentions, waits};

/// Methods that are told of an exception and do nothing about it.
const TELLING: &[&str] = &[
    "print",
    "str",
    "repr",
    "type",
    "isinstance",
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
    "format_exception",
    "print_exception",
    "record_exception",
    "capture_exception",
];
/// The names under which the exception is known that tells a task to end.
const CANCELLED: &[&str] = &["asyncio.CancelledError", "asyncio.exceptions.CancelledError"];

/// `except BaseException`, `except:` or `except CancelledError` around an await, and no way on for the exception.
pub(super) fn swallowed<'a>(context: &mut Context<'a>, statement: &'a Stmt) {
    let Stmt::Try(attempt) = statement else { return };
    // What cleans up after an error has that to tell.
    if !context.in_async() || context.in_handler() || !any(&attempt.body, &mut waits) {
        return;
    }
    let Some((handler, caught)) = catches(context, attempt) else { return };
    let Some(function) = context.function() else { return };
    // A task that was cancelled here, or is only waited for, is another one.
    if context.text(function).contains("cancel(") || goes_on(context, handler) {
        return;
    }
    // Remembered, and raised once the work is done.
    let after = TextRange::new(handler.end(), function.end().max(handler.end()));
    let after = context.text(after);
    if after.contains("raise") && after.contains("CancelledError") {
        return;
    }
    let specific = caught.ends_with("CancelledError");
    if specific && (decides(handler) || only_waits_for_others(attempt)) {
        return;
    }
    if is_last(context, statement, function) || only_ends(attempt) {
        return;
    }
    let ExceptHandler::ExceptHandler(inner) = handler;
    let at = inner.type_.as_deref().map_or(handler.range(), Ranged::range);
    let seen = context.observation("swallowed-cancellation", at, &caught);
    context.observe(seen);
}

/// The first handler that a cancellation reaches, and what it says it catches.
fn catches<'a>(context: &Context<'a>, attempt: &'a StmtTry) -> Option<(&'a ExceptHandler, String)> {
    attempt.handlers.iter().find_map(|handler| {
        let ExceptHandler::ExceptHandler(inner) = handler;
        let Some(caught) = inner.type_.as_deref() else { return Some((handler, "except:".to_owned())) };
        let all = elements(caught).unwrap_or(std::slice::from_ref(caught));
        let name = all
            .iter()
            .filter_map(|one| context.resolve(one))
            .find(|name| name == "builtins.BaseException" || CANCELLED.contains(&name.as_str()))?;
        Some((handler, name.trim_start_matches("builtins.").to_owned()))
    })
}

/// Whether the exception goes on: raised again, kept, handed to somebody, or the end of the program.
fn goes_on(context: &Context<'_>, handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(inner) = handler;
    let name = inner.name.as_ref().map(ruff_python_ast::Identifier::as_str);
    let kept = |value: &Expr| name.is_some_and(|name| mentions(value, name));
    any(&inner.body, &mut |node| match node {
        Node::Statement(Stmt::Raise(_)) => true,
        Node::Statement(Stmt::Assign(assign)) => kept(&assign.value),
        Node::Statement(Stmt::Return(done)) => done.value.as_deref().is_some_and(kept),
        Node::Expression(Expr::Yield(yielded)) => yielded.value.as_deref().is_some_and(kept),
        Node::Expression(Expr::Call(call)) => {
            let last = last_part(&call.func).unwrap_or_default();
            let handed = !TELLING.contains(&last) && call.arguments.args.iter().any(kept);
            handed
                || matches!(
                    last,
                    "set_exception"
                        | "exit"
                        | "_exit"
                        | "put"
                        | "put_nowait"
                        | "append"
                        | "send"
                        | "throw"
                        | "uncancel"
                )
                || context.resolve(&call.func).is_some_and(|name| name == "sys.exc_info")
        }
        _ => false,
    })
}

/// Whether a handler of nothing but cancellations has a way out of what it is in: it was meant, and so is the other way
/// that it may have besides.
fn decides(handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(inner) = handler;
    any(&inner.body, &mut |node| matches!(node, Node::Statement(Stmt::Return(_) | Stmt::Break(_))))
}

/// Whether the task ends without waiting for anything else once the exception was caught.
fn is_last(context: &Context<'_>, statement: &Stmt, function: &StmtFunctionDef) -> bool {
    let rest = context.text(TextRange::new(statement.end(), function.end().max(statement.end())));
    let waits_again = ["await ", "await(", "async "].iter().any(|word| rest.contains(word));
    !waits_again && context.loops(statement.range()).next().is_none()
}

/// Whether all that is awaited brings something to its end, which has to go on whatever happens.
fn only_ends(attempt: &StmtTry) -> bool {
    !any(&attempt.body, &mut |node| match node {
        Node::Expression(Expr::Await(wait)) => {
            let closed = wait.value.as_call_expr().and_then(|call| last_part(&call.func));
            !closed.is_some_and(|name| ENDING.iter().any(|word| name.contains(word)))
        }
        node => waits(node),
    })
}

/// Whether all that is awaited are tasks and futures: the cancellation may be theirs.
fn only_waits_for_others(attempt: &StmtTry) -> bool {
    !any(&attempt.body, &mut |node| match node {
        Node::Expression(Expr::Await(wait)) => {
            !matches!(&*wait.value, Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_))
        }
        node => waits(node),
    })
}

/// `asyncio.shield(work(resource))` in the `with` block that closes the resource.
pub(super) fn shielded<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let [Expr::Call(work)] = &*call.arguments.args else { return };
    if !context.in_async() || context.callee(call).as_deref() != Some("asyncio.shield") {
        return;
    }
    let given = || {
        let positional = work.arguments.args.iter();
        positional.chain(work.arguments.keywords.iter().map(|keyword| &keyword.value))
    };
    let closed = context.withs(call.range()).find_map(|with| {
        with.items.iter().find_map(|item| match item.optional_vars.as_deref() {
            Some(Expr::Name(name)) => {
                given().any(|argument| mentions(argument, name.id.as_str())).then(|| name.id.to_string())
            }
            _ => None,
        })
    });
    if let Some(resource) = closed {
        let seen = context.observation("shielded-resource", call, &resource);
        context.observe(seen);
    }
}
