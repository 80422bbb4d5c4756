//! Queues between processes: asked whether they are empty, read too late.

use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::pools::{Body, defined};
use crate::catalog::{Effect, Language, Mark, Offload};
use crate::finding::Mitigation;
use crate::scan::python::context::{Ancestor, Context};
use crate::scan::python::resolve::Names;
use crate::scan::python::scope::{Binding, ScopeId, argument, elements};

/// `while not queue.empty():`.
pub(super) fn polled<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Expr::Attribute(attribute) = &*call.func else { return };
    if attribute.attr.as_str() != "empty" || !call.arguments.is_empty() {
        return;
    }
    // Only where the answer alone ends the loop: a test that also asks for the workers is more careful.
    let Some(Ancestor::Expression(Expr::UnaryOp(_))) = context.parent() else { return };
    let Some(Stmt::While(until)) = context.statement() else { return };
    if until.test.range().start() > call.range().start()
        || !until.test.is_unary_op_expr()
        || !until.test.range().contains_range(call.range())
    {
        return;
    }
    let Some((owner, name)) = variable(context.names, &attribute.value, context.scope()) else { return };
    if !is_process_queue(context.names, &attribute.value, context.scope())
        || !is_put_elsewhere(context, owner, name)
    {
        return;
    }
    if joined_before(context, call) {
        return;
    }
    let seen = context.observation("queue-empty-polled", call, name);
    context.observe(seen);
}

/// Whether a process has been given the queue by the time: one that only this process fills is as full as it looks.
fn is_put_elsewhere(context: &Context<'_>, owner: ScopeId, name: &str) -> bool {
    let Some(function) = context.function() else { return owner == ScopeId::MODULE };
    let scope = context.names.scopes.running(context.scope());
    let body = Body::of_statements(context.names, &function.body, scope);
    // A parameter or a global was filled by somebody else.
    owner != scope
        || body.calls.iter().any(|(call, scope)| {
            let mut process = process_arguments(context.names, call, *scope).into_iter();
            process.any(|value| variable(context.names, value, *scope) == Some((owner, name)))
        })
}

/// Whether processes have been joined before: what they have put has arrived then.
fn joined_before(context: &Context<'_>, call: &ExprCall) -> bool {
    let Some(function) = context.function() else { return false };
    let scope = context.names.scopes.running(context.scope());
    let body = Body::of_statements(context.names, &function.body, scope);
    body.calls.iter().any(|(other, _)| {
        let named = matches!(&*other.func, Expr::Attribute(method) if method.attr.as_str() == "join");
        named && other.arguments.is_empty() && other.range().end() < call.range().start()
    })
}

/// The variable that an expression is.
fn variable<'e>(names: &Names<'_>, expression: &'e Expr, scope: ScopeId) -> Option<(ScopeId, &'e str)> {
    let name = expression.as_name_expr()?.id.as_str();
    names.scopes.lookup(name, scope).map(|(owner, _)| (owner, name))
}

/// Whether a variable holds a queue that was made as one between processes. Those of a manager live in one process
/// and have neither a pipe nor a thread of their own.
fn is_process_queue(names: &Names<'_>, expression: &Expr, scope: ScopeId) -> bool {
    let Expr::Name(name) = expression else { return false };
    let Some((_, bound)) = names.scopes.lookup(name.id.as_str(), scope) else { return false };
    !bound.is_empty()
        && bound.iter().all(|bound| {
            let Binding::Value(Expr::Call(call)) = bound.what else { return false };
            names.resolve(&call.func, bound.scope).is_some_and(|callee| {
                let ty = names.catalog.canonical(Language::Python, &callee);
                ty.is_some_and(|ty| names.catalog.has(Language::Python, ty, Mark::ProcessQueue))
            })
        })
}

/// What a call that makes a process gives to it.
fn process_arguments<'a>(names: &Names<'_>, call: &'a ExprCall, scope: ScopeId) -> Vec<&'a Expr> {
    let Some(args) = argument(call, 3, "args").and_then(elements) else { return Vec::new() };
    let Some(callee) = names.resolve(&call.func, scope) else { return Vec::new() };
    let api = names.catalog.find(Language::Python, &callee);
    match api.map(|api| &api.effect) {
        Some(Effect::Offloads { to: Offload::Process, .. }) => args.iter().collect(),
        _ => Vec::new(),
    }
}

/// `process.join()` before the queue that it fills is read.
pub(super) fn joined<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Expr::Attribute(attribute) = &*call.func else { return };
    if attribute.attr.as_str() != "join" || !call.arguments.is_empty() {
        return;
    }
    let Some(function) = context.function() else { return };
    let Some((making, made_in)) = maker(context, &attribute.value) else { return };
    let names = context.names;
    let given = process_arguments(names, making, made_in);
    let scope = names.scopes.running(context.scope());
    let mut body = None;
    for (position, value) in given.into_iter().enumerate() {
        let Some(queue) = variable(names, value, made_in) else { continue };
        if !is_process_queue(names, value, made_in) {
            continue;
        }
        let fills = fills(context, making, made_in, position);
        if fills == Some(false) {
            continue;
        }
        let body = body.get_or_insert_with(|| Body::of_statements(names, &function.body, scope));
        let mut gets = body.calls.iter().filter(|(get, scope)| {
            let Expr::Attribute(method) = &*get.func else { return false };
            method.attr.as_str().starts_with("get") && variable(names, &method.value, *scope) == Some(queue)
        });
        let Some((first, _)) = gets.next() else { continue };
        if gets
            .chain(std::iter::once(&(*first, scope)))
            .any(|(get, _)| get.range().start() < call.range().start())
        {
            continue;
        }
        let mut seen = context.observation("join-before-drain", call, context.text(&*attribute.value));
        seen.facts.push(("queue", queue.1.to_owned()));
        if fills.is_none() {
            seen.mitigations.push(Mitigation::Inferred);
            seen.mitigations.sort_unstable();
        }
        context.observe(seen);
        return;
    }
}

/// Whether the target of a process puts into the parameter at a position; `None` where the target is not known.
fn fills(context: &Context<'_>, making: &ExprCall, scope: ScopeId, position: usize) -> Option<bool> {
    let target = defined(context.names, argument(making, 1, "target")?, scope)?;
    let parameter = target.function.parameters.iter_non_variadic_params().nth(position)?;
    let name = parameter.parameter.name.as_str();
    let body = Body::of(context.names, &target);
    let mut handed_on = false;
    let puts = body.calls.iter().any(|(call, _)| {
        handed_on |= call.arguments.args.iter().any(|given| is_named(given, name));
        matches!(&*call.func, Expr::Attribute(method)
            if method.attr.as_str().starts_with("put") && is_named(&method.value, name))
    });
    match (puts, handed_on) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

fn is_named(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Name(given) if given.id.as_str() == name)
}

/// The call that made a process: of a variable, or of the elements of a list.
fn maker<'a>(context: &Context<'a>, process: &Expr) -> Option<(&'a ExprCall, ScopeId)> {
    let names = context.names;
    let (_, bound) = names.scopes.lookup(process.as_name_expr()?.id.as_str(), context.scope())?;
    let mut found = None;
    for bound in bound {
        match bound.what {
            Binding::Value(Expr::Call(call)) => found = found.or(Some((call, bound.scope))),
            Binding::Element(Expr::Name(list)) => {
                let (_, lists) = names.scopes.lookup(list.id.as_str(), bound.scope)?;
                let [one] = lists else { continue };
                let Binding::Value(whole @ Expr::ListComp(comprehension)) = one.what else { continue };
                let Expr::Call(call) = &*comprehension.elt else { continue };
                let inside = names.scopes.opened_by(whole).unwrap_or(one.scope);
                found = found.or(Some((call, inside)));
            }
            _ => {}
        }
    }
    let (call, scope) = found?;
    let callee = names.resolve(&call.func, scope)?;
    let ty = names.catalog.canonical(Language::Python, &callee)?;
    names.catalog.has(Language::Python, ty, Mark::Process).then_some((call, scope))
}
