//! What could overlap and does not: waits repeated for one item after another where no round needs the one before.

use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFor};
use ruff_text_size::Ranged;

use super::super::super::context::{Context, Loop};
use super::super::super::scope::{elements, last_part};
use super::computing;
use super::definitions::{Node, any, mentions, waits};
use crate::catalog::{Effect, Language, Mark};
use crate::finding::{Cost, Mitigation, Observation};
use crate::wait::WaitKind;

/// Methods of clients that ask and change nothing, so that their order does not matter.
const ASKING: &[&str] = &["get", "head", "options"];

/// `for url in urls: … await client.get(url)`.
pub(super) fn awaits<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if !context.is_awaited() || !asks(call) || !context.in_async() {
        return;
    }
    let Some(each) = independent(context, call) else { return };
    let Some(name) = context.callee(call) else { return };
    let catalog = context.names.catalog;
    // A queue or a stream is asked in order.
    let client = name.rsplit_once('.').map_or("", |(owner, _)| owner);
    let stateful = catalog.has(Language::Python, client, Mark::AsyncQueue)
        || catalog.has(Language::Python, client, Mark::NotThreadSafe)
        || client.starts_with("asyncio");
    if stateful || !catalog.has(Language::Python, &name, Mark::Coroutine) {
        return;
    }
    let mut count = 0;
    any(&each.body, &mut |node| {
        count += usize::from(waits(node));
        false
    });
    if count != 1 {
        return;
    }
    let seen = context.observation("await-in-loop", call, &name);
    context.observe(seen);
}

/// `for url in urls: … requests.get(url)` in a plain function.
pub(super) fn blocks<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if !asks(call) || context.in_async() {
        return;
    }
    let Some(each) = independent(context, call) else { return };
    let Some(name) = context.callee(call) else { return };
    let Some(api) = context.names.catalog.find(Language::Python, &name) else { return };
    if !matches!(api.effect, Effect::Blocks { wait: WaitKind::Network, cost: Cost::Large | Cost::Unbounded })
    {
        return;
    }
    // Whoever sleeps between requests means to go slowly.
    let paced = any(
        &each.body,
        &mut |node| matches!(node, Node::Expression(Expr::Call(call)) if last_part(&call.func) == Some("sleep")),
    );
    if paced {
        return;
    }
    let mut seen = context.observation("blocking-loop-to-threads", call, &name);
    if context.function().is_none() {
        seen.mitigations.push(Mitigation::Inferred);
    }
    let computes = computing::after(context, call, &each.body);
    let then = computes.map(|compute| Observation {
        rule: "fetch-then-compute",
        facts: vec![("compute", compute.to_owned())],
        ..seen.clone()
    });
    context.observe(seen);
    if let Some(then) = then {
        context.observe(then);
    }
}

fn asks(call: &ExprCall) -> bool {
    last_part(&call.func).is_some_and(|name| ASKING.contains(&name))
}

/// The innermost loop around a call, where each round does the call for its own item and none needs, or ends with, what
/// an earlier one found.
pub(super) fn independent<'a>(context: &Context<'a>, call: &'a ExprCall) -> Option<&'a StmtFor> {
    let Some(Loop::For(each)) = context.loops(call.range()).next() else { return None };
    if each.is_async || context.in_handler() || is_small(&each.iter) {
        return None;
    }
    let uses = |name: &str| {
        let arguments = call.arguments.args.iter();
        let keywords = call.arguments.keywords.iter().map(|keyword| &keyword.value);
        arguments.chain(keywords).any(|argument| mentions(argument, name))
    };
    let targets = elements(&each.target).unwrap_or(std::slice::from_ref(&*each.target));
    if !targets.iter().any(|target| matches!(target, Expr::Name(name) if uses(name.id.as_str()))) {
        return None;
    }
    let carried = any(&each.body, &mut |node| match node {
        Node::Statement(Stmt::Break(_) | Stmt::Return(_) | Stmt::Raise(_))
        | Node::Expression(Expr::Yield(_) | Expr::YieldFrom(_)) => true,
        Node::Statement(Stmt::Assign(assign)) => assign.targets.iter().any(|target| {
            let parts = elements(target).unwrap_or(std::slice::from_ref(target));
            parts.iter().any(|part| matches!(part, Expr::Name(name) if uses(name.id.as_str())))
        }),
        Node::Statement(Stmt::AugAssign(assign)) => {
            matches!(&*assign.target, Expr::Name(name) if uses(name.id.as_str()))
        }
        _ => false,
    });
    (!carried).then_some(each)
}

/// A literal with a few items, or a few attempts.
fn is_small(iterable: &Expr) -> bool {
    elements(iterable).is_some()
        || matches!(iterable, Expr::Call(call) if last_part(&call.func) == Some("range"))
}
