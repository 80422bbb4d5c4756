//! Locks, events and queues of a loop that are used in a thread.

use ruff_python_ast::{Expr, ExprCall};

use super::super::super::context::Context;
use super::super::super::scope::{argument, last_part};
use super::definitions::{Node, any, definition};
use crate::catalog::{Argument, Effect, Language, Mark, Offload};

/// What changes them at once: what is only asked, or is awaited, does no harm.
const CHANGING: &[&str] =
    &["set", "clear", "release", "put_nowait", "get_nowait", "task_done", "notify", "notify_all"];

/// Where a thread is given a function of this file: asks what that does.
pub(super) fn primitives<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if call.arguments.is_empty() || !context.mentions("asyncio") {
        return;
    }
    let Some(name) = context.callee(call) else { return };
    let catalog = context.names.catalog;
    let given = if catalog.has(Language::Python, &name, Mark::Thread) {
        argument(call, 1, "target")
    } else {
        match catalog.find(Language::Python, &name).map(|api| &api.effect) {
            Some(Effect::Offloads { to: Offload::Thread, function: Argument::At(position, keyword) }) => {
                argument(call, *position, keyword.as_deref().unwrap_or_default())
            }
            _ => None,
        }
    };
    let Some(function) = given.and_then(|given| definition(context, given)) else { return };
    let Some(inside) = context.names.scopes.opened_by(function).filter(|_| !function.is_async) else {
        return;
    };
    let mut found = Vec::new();
    any(&function.body, &mut |node| {
        if let Node::Expression(Expr::Call(used)) = node
            && last_part(&used.func).is_some_and(|name| CHANGING.contains(&name))
            && let Expr::Attribute(method) = &*used.func
            && let Some(kind) = context.names.type_of(&method.value, inside)
            && [Mark::AsyncLock, Mark::AsyncQueue]
                .iter()
                .any(|mark| catalog.has(Language::Python, &kind, *mark))
        {
            let mut seen =
                context.observation("asyncio-primitive-across-loops", used, context.text(&*method.value));
            let parts = [context.names.module.to_owned(), context.names.scopes.qualified(inside)];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            seen.symbol = parts.join(".").into();
            found.push(seen);
        }
        false
    });
    for seen in found {
        context.observe(seen);
    }
}
