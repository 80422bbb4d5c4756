//! What is asynchronous for nothing: functions that await nothing, awaits in a row that do not need each other.

use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};

use super::super::super::context::Context;
use super::super::super::language::{self, ASKING, SHARED};
use super::super::super::resolve::looks_like_class;
use super::definitions::{Node, any, definition, mentions, waits};

/// An `async def` route that awaits nothing and calls something that may take its time.
pub(super) fn without_await<'a>(context: &mut Context<'a>, function: &'a StmtFunctionDef) {
    if !function.is_async
        || !function.decorator_list.iter().any(|decorator| is_route(context, &decorator.expression))
    {
        return;
    }
    let mut calls = false;
    let uses_loop = any(&function.body, &mut |node| match node {
        Node::Expression(Expr::Yield(_) | Expr::YieldFrom(_)) => true,
        Node::Expression(Expr::Call(call)) => match context.callee(call) {
            Some(name) if name.starts_with("asyncio.") || name.starts_with("anyio.") => true,
            Some(name) => {
                let trivial =
                    name.starts_with("builtins.") || name.starts_with("logging.") || looks_like_class(&name);
                calls |= !trivial && call.func.is_name_expr();
                false
            }
            None => false,
        },
        node => waits(node),
    });
    if uses_loop || !calls {
        return;
    }
    let symbol = context.symbol();
    let seen = context.observation("async-without-await", &function.name, &symbol);
    context.observe(seen);
}

fn is_route(context: &Context<'_>, decorator: &Expr) -> bool {
    let Expr::Call(call) = decorator else { return false };
    context.callee(call).is_some_and(|name| language::is_route(&name))
}

/// `user = await fetch_user(id)` and then `posts = await fetch_posts(id)`.
pub(super) fn sequential<'a>(context: &mut Context<'a>, function: &'a StmtFunctionDef) {
    if !function.is_async {
        return;
    }
    let mut reported = false;
    for pair in function.body.windows(2) {
        let found = match (asked(context, &pair[0]), asked(context, &pair[1])) {
            (Some((name, first)), Some((_, second))) if !needs(second, name) && !share(first, second) => {
                Some((first, second))
            }
            _ => None,
        };
        // Of more than two in a row the first is told.
        if let Some((first, second)) = found.filter(|_| !reported) {
            let subject = format!("{}, {}", context.text(&*first.func), context.text(&*second.func));
            let seen = context.observation("sequential-awaits", &pair[0], &subject);
            context.observe(seen);
        }
        reported = found.is_some();
    }
}

/// `name = await fetch(…)` of an async function of this file that asks and changes nothing.
fn asked<'a>(context: &Context<'a>, statement: &'a Stmt) -> Option<(&'a str, &'a ExprCall)> {
    let Stmt::Assign(assign) = statement else { return None };
    let ([Expr::Name(target)], Expr::Await(wait)) = (&*assign.targets, &*assign.value) else { return None };
    let Expr::Call(call) = &*wait.value else { return None };
    let Expr::Name(function) = &*call.func else { return None };
    let name = function.id.as_str().trim_start_matches('_');
    let asks = ASKING.iter().any(|word| name.starts_with(word));
    (asks && definition(context, &call.func)?.is_async).then_some((target.id.as_str(), call))
}

fn arguments(call: &ExprCall) -> impl Iterator<Item = &Expr> {
    call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
}

fn needs(call: &ExprCall, name: &str) -> bool {
    arguments(call).any(|argument| mentions(argument, name))
}

/// Whether both use something that serves one at a time.
fn share(first: &ExprCall, second: &ExprCall) -> bool {
    let taken = |call: &ExprCall, name: &str| {
        arguments(call).any(|argument| super::super::super::scope::last_part(argument) == Some(name))
    };
    SHARED.iter().any(|name| taken(first, name) && taken(second, name))
}
