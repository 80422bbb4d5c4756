//! Children of `subprocess`: what runs between fork and exec, and who waits for them.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::uses::{Fate, fate, never_finished};
use crate::catalog::{Language, Mark};
use crate::finding::Mitigation;
use crate::scan::python::context::Context;
use crate::scan::python::scope::{Binding, argument};

/// What asks for the status of a child, gives its number to somebody who may, or reads what it says until it ends: one
/// that has ended is reaped with its object.
const REAPS: &[&str] = &["wait", "communicate", "poll", "pid", "returncode", "__exit__", "stdout", "stderr"];
/// What ends the parent: who ends needs not wait.
const ENDS: &[&str] = &["sys.exit", "os._exit", "builtins.exit", "builtins.quit"];

/// `Popen(…, preexec_fn=…)`.
pub(super) fn preexec<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Some(function) = argument(call, usize::MAX, "preexec_fn") else { return };
    if function.is_none_literal_expr() {
        return;
    }
    // Whoever hands on what it was given has no say in it.
    if let Expr::Name(name) = function
        && let Some((_, bound)) = context.names.scopes.lookup(name.id.as_str(), context.scope())
        && bound.iter().any(|bound| matches!(bound.what, Binding::Parameter(..)))
    {
        return;
    }
    let Some(callee) = context.callee(call) else { return };
    if context.names.catalog.knows(Language::Python, &callee) {
        let seen = context.observation("preexec-fn", call, &callee);
        context.observe(seen);
    }
}

/// A `Popen` that nobody keeps, or that its function keeps and forgets.
pub(super) fn zombie<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let fate = fate(context);
    if fate == Fate::Elsewhere {
        return;
    }
    let Some(callee) = context.callee(call) else { return };
    let catalog = context.names.catalog;
    let child = catalog.canonical(Language::Python, &callee);
    if !child.is_some_and(|child| catalog.has(Language::Python, child, Mark::Child)) {
        return;
    }
    let Some(function) = context.function() else { return };
    let forgotten = match fate {
        Fate::Dropped(None) => true,
        Fate::Dropped(Some(method)) => !REAPS.contains(&method),
        Fate::Local(name) => never_finished(context, function, name, REAPS),
        Fate::Elsewhere => false,
    };
    if !forgotten || ends(context, call) {
        return;
    }
    let mut seen = context.observation("zombie-process", call, &callee);
    if context.under_main_guard() || function.name.as_str() == "main" {
        seen.mitigations.push(Mitigation::OneShot);
        seen.mitigations.sort_unstable();
    }
    context.observe(seen);
}

/// Whether the function ends the program after the call.
fn ends(context: &Context<'_>, call: &ExprCall) -> bool {
    let Some(function) = context.function() else { return false };
    let scope = context.names.scopes.running(context.scope());
    let body = super::pools::Body::of_statements(context.names, &function.body, scope);
    body.calls.iter().any(|(other, scope)| {
        other.range().start() > call.range().end()
            && context.names.resolve(&other.func, *scope).is_some_and(|name| ENDS.contains(&name.as_str()))
    })
}
