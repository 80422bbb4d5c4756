//! Globals that a function changes in another process, and that its own process reads as if it had seen that.

use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::pools::{Body, Defined, Handed, defined, is_local, unwrapped};
use super::reads::Reads;
use crate::catalog::{Effect, Language, Offload};
use crate::scan::python::context::Context;
use crate::scan::python::resolve::literal;
use crate::scan::python::scope::{Binding, ScopeId, argument};

/// What changes a container in place.
const CHANGES: &[&str] = &[
    "append",
    "appendleft",
    "extend",
    "extendleft",
    "insert",
    "add",
    "update",
    "setdefault",
    "pop",
    "popleft",
    "popitem",
    "remove",
    "discard",
    "clear",
];

/// In a function that a pool of processes runs.
pub(super) fn of_task<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    let (function, ..) = unwrapped(context.names, task.function, context.scope());
    mutated(context, call, function);
}

/// In the target of a process.
pub(super) fn of_process<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Some(target) = argument(call, 1, "target") else { return };
    let Some(callee) = context.callee(call) else { return };
    let api = context.names.catalog.find(Language::Python, &callee);
    if let Some(Effect::Offloads { to: Offload::Process, .. }) = api.map(|api| &api.effect) {
        mutated(context, call, target);
    }
}

/// A function for another process that changes a global which its own process reads.
fn mutated<'a>(context: &mut Context<'a>, call: &'a ExprCall, function: &'a Expr) {
    let Some(worker) = defined(context.names, function, context.scope()) else { return };
    if is_local(context.names, worker.owner) {
        return;
    }
    let mut found: Vec<(&'a Expr, &'a str)> = Vec::new();
    for statement in Body::of(context.names, &worker).statements {
        let targets = match statement {
            Stmt::Assign(assign) => assign.targets.as_slice(),
            Stmt::AugAssign(assign) => std::slice::from_ref(&*assign.target),
            Stmt::Expr(expression) => std::slice::from_ref(&*expression.value),
            _ => continue,
        };
        for target in targets {
            if let Some(name) = changed(context, target, &worker) {
                found.push((target, name));
            }
        }
    }
    for (target, name) in found {
        if !read_by_parent(context, call, name, &worker) {
            continue;
        }
        let mut seen = context.observation("global-mutated-in-worker", target, name);
        seen.symbol = context.symbol_of(worker.scope);
        context.observe(seen);
    }
}

/// The plain global that a target, or a call that changes a container, changes.
fn changed<'a>(context: &Context<'a>, target: &'a Expr, worker: &Defined<'a>) -> Option<&'a str> {
    let (base, rebinds) = match target {
        Expr::Name(name) => (name, true),
        Expr::Subscript(item) => (item.value.as_name_expr()?, false),
        Expr::Call(call) => {
            let Expr::Attribute(attribute) = &*call.func else { return None };
            CHANGES.contains(&attribute.attr.as_str()).then_some(())?;
            (attribute.value.as_name_expr()?, false)
        }
        _ => return None,
    };
    // A bare name as a statement of its own changes nothing.
    if rebinds && base.ctx.is_load() {
        return None;
    }
    let (owner, bound) = context.names.scopes.lookup(base.id.as_str(), worker.scope)?;
    if owner != ScopeId::MODULE {
        return None;
    }
    let plain = bound.iter().any(|bound| bound.scope == ScopeId::MODULE)
        && bound.iter().all(|bound| match bound.what {
            Binding::Value(value) if bound.scope == ScopeId::MODULE => is_plain(context, value, bound.scope),
            Binding::Value(_) | Binding::Other | Binding::Annotated(_) => true,
            _ => false,
        });
    plain.then_some(base.id.as_str())
}

/// Whether a value is an ordinary container or number: nothing that processes could share.
fn is_plain(context: &Context<'_>, value: &Expr, scope: ScopeId) -> bool {
    const CONTAINERS: &[&str] = &[
        "builtins.list",
        "builtins.dict",
        "builtins.set",
        "builtins.int",
        "collections.defaultdict",
        "collections.deque",
        "collections.Counter",
        "collections.OrderedDict",
    ];
    match value {
        Expr::Call(call) => {
            context.names.resolve(&call.func, scope).is_some_and(|name| CONTAINERS.contains(&name.as_str()))
        }
        _ => literal(value).is_some() || value.is_none_literal_expr(),
    }
}

/// Whether the code that starts the workers reads a global afterwards: otherwise each worker keeps it for itself.
fn read_by_parent(context: &Context<'_>, call: &ExprCall, name: &str, worker: &Defined<'_>) -> bool {
    let here = context.function();
    // What the worker calls itself is read in the worker.
    if here.is_some_and(|here| std::ptr::eq(here, worker.function)) {
        return false;
    }
    match here {
        Some(here) => {
            let after = Reads::of(&here.body, name);
            let scope = context.names.scopes.running(context.scope());
            let global =
                context.names.scopes.lookup(name, scope).is_some_and(|(owner, _)| owner == ScopeId::MODULE);
            global && after.iter().any(|read| *read > call.range().end())
        }
        None => false,
    }
}
