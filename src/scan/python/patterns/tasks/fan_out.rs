//! As many tasks at once as there are items.

use ruff_python_ast::{Expr, ExprCall, Number, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::super::super::context::{Context, Loop};
use super::super::super::scope::{Binding, elements};
use super::definitions::{Node, any, definition, waits};
use crate::catalog::{Language, Mark};

const RULE: &str = "unbounded-fan-out";

/// `gather(*(fetch(url) for url in urls))`, and `group.create_task(fetch(url))` in a loop.
pub(super) fn unbounded<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let [only] = &*call.arguments.args else { return };
    let (iterable, work) = match only {
        Expr::Starred(starred) => match of_comprehension(&starred.value) {
            Some(found) => found,
            None => return,
        },
        Expr::Call(work) => match context.loops(call.range()).next() {
            Some(Loop::For(each)) if !each.is_async && !any(&each.body, &mut waits) => (&*each.iter, work),
            _ => return,
        },
        _ => return,
    };
    if !context.in_async() || !is_of_any_length(context, iterable) {
        return;
    }
    let Some(name) = context.callee(call) else { return };
    let catalog = context.names.catalog;
    let starts = if only.is_starred_expr() {
        catalog.has(Language::Python, &name, Mark::Gathers)
    } else {
        catalog.has(Language::Python, &name, Mark::Spawns) || name == "asyncio.TaskGroup.create_task"
    };
    if !starts || !goes_out(context, work) {
        return;
    }
    let mut seen = context.observation(RULE, call, &name);
    seen.facts.push(("iterable", context.text(iterable).to_owned()));
    context.observe(seen);
}

fn of_comprehension(expression: &Expr) -> Option<(&Expr, &ExprCall)> {
    let (element, generators) = match expression {
        Expr::Generator(lazy) => (&*lazy.elt, &*lazy.generators),
        Expr::ListComp(list) => (&*list.elt, &*list.generators),
        _ => return None,
    };
    match (element, generators) {
        (Expr::Call(work), [only]) if !only.is_async => Some((&only.iter, work)),
        _ => None,
    }
}

/// Whether nothing tells how long it is: a parameter, or an attribute; or what tells says that it is long.
fn is_of_any_length(context: &Context<'_>, iterable: &Expr) -> bool {
    if let Expr::Call(call) = iterable {
        let small = context.thresholds.number(RULE, "small_range");
        return range(context, call).zip(small).is_some_and(|(items, small)| items as f64 > small);
    }
    let Expr::Name(name) = iterable else { return false };
    let small = ["batch", "chunk"].iter().any(|word| name.id.as_str().contains(word));
    let bound = context.names.scopes.lookup(name.id.as_str(), context.scope());
    !small
        && bound.is_some_and(|(_, bound)| {
            bound.iter().all(|bound| match bound.what {
                Binding::Parameter(..) => true,
                Binding::Value(value) => {
                    elements(value).is_none() && !value.is_subscript_expr() && !value.is_dict_expr()
                }
                _ => false,
            })
        })
}

/// How many numbers `range(20)` or `range(10, 30)` has, where both are written there.
fn range(context: &Context<'_>, call: &ExprCall) -> Option<u64> {
    let number = |expression: &Expr| match &expression.as_number_literal_expr()?.value {
        Number::Int(number) => number.as_u64(),
        _ => None,
    };
    if context.names.resolve(&call.func, context.scope())? != "builtins.range" {
        return None;
    }
    match &*call.arguments.args {
        [end] => number(end),
        [start, end] => Some(number(end)?.saturating_sub(number(start)?)),
        _ => None,
    }
}

/// Whether the work talks to others, and nothing limits how much of it does so at once.
fn goes_out(context: &Context<'_>, work: &ExprCall) -> bool {
    let catalog = context.names.catalog;
    let outside =
        |name: &str| catalog.has(Language::Python, name, Mark::Coroutine) && !name.starts_with("asyncio.");
    let Some(function) = definition(context, &work.func) else {
        return context.callee(work).is_some_and(|name| outside(&name));
    };
    let Some(inside) = context.names.scopes.opened_by(function) else { return false };
    function.is_async
        && !is_limited(context, function)
        && any(&function.body, &mut |node| match node {
            Node::Expression(Expr::Await(wait)) => match &*wait.value {
                Expr::Call(call) => {
                    context.names.resolve(&call.func, inside).is_some_and(|name| outside(&name))
                }
                _ => false,
            },
            _ => false,
        })
}

/// Whether a function takes a lock or semaphore, or speaks of a limit.
fn is_limited(context: &Context<'_>, function: &StmtFunctionDef) -> bool {
    let text = context.text(function).to_ascii_lowercase();
    ["sem", "limit", "throttle", "lock", "slot"].iter().any(|word| text.contains(word))
}
