//! What is started or made and lost: tasks nobody keeps, coroutines nobody awaits, exceptions nobody looks at, and
//! functions a thread gets that do nothing there.

use ruff_python_ast::{Expr, ExprCall, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::super::super::context::{Ancestor, Context};
use super::super::super::language::ENDING;
use super::super::super::resolve::is_super;
use super::super::super::scope::argument;
use super::definitions::definition;
use super::lazy;
use crate::catalog::{Argument, Effect, Language, Mark, Offload};
use crate::finding::Mitigation;

/// `asyncio.create_task(…)` as a statement.
pub(super) fn dropped<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if !is_statement(context) {
        return;
    }
    let Some(name) = context.callee(call) else { return };
    if !context.names.catalog.has(Language::Python, &name, Mark::Spawns) {
        return;
    }
    let mut seen = context.observation("dropped-task", call, &name);
    // One function that starts tasks and keeps them in a set serves the whole package.
    seen.cause = Some(context.names.module.split('.').next().unwrap_or_default().into());
    // What a program starts with usually runs to its end while the loop does.
    if context.under_main_guard() || context.function().is_none() {
        seen.mitigations.push(Mitigation::OneShot);
    }
    context.observe(seen);
}

/// The call of an async function as a statement.
pub(super) fn never_awaited<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if !is_statement(context) {
        return;
    }
    let name = match definition(context, &call.func) {
        Some(function) if is_coroutine(context, function) => context.callee(call).unwrap_or_default(),
        Some(_) => return,
        None => match context.callee(call) {
            Some(name) if context.names.catalog.has(Language::Python, &name, Mark::Coroutine) => name,
            _ => return,
        },
    };
    let name = if name.is_empty() { context.text(&*call.func).to_owned() } else { name };
    let seen = context.observation("coroutine-never-awaited", call, &name);
    context.observe(seen);
}

/// `await asyncio.gather(…, return_exceptions=True)` whose results are dropped.
pub(super) fn exceptions_ignored<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let told = call.arguments.find_keyword("return_exceptions");
    let asks =
        told.is_some_and(|given| matches!(&given.value, Expr::BooleanLiteral(literal) if literal.value));
    if !asks || !context.is_dropped() || !context.is_awaited() {
        return;
    }
    let Some(name) =
        context.callee(call).filter(|name| context.names.catalog.has(Language::Python, name, Mark::Gathers))
    else {
        return;
    };
    // Whoever cancels tasks waits for their end and wants no more of them.
    let Some(function) = context.function() else { return };
    let before =
        context.file.text.get(function.start().to_usize()..call.start().to_usize()).unwrap_or_default();
    let ends = ENDING.iter().any(|word| function.name.as_str().contains(word));
    if ends || before.contains("cancel(") {
        return;
    }
    let mut seen = context.observation("gather-exceptions-ignored", call, &name);
    if context.in_handler() || in_finally(context, call) {
        seen.mitigations.push(Mitigation::ErrorPath);
    }
    context.observe(seen);
}

/// What a thread is given to call.
pub(super) fn offloaded<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if call.arguments.args.is_empty() || !context.in_async() {
        return;
    }
    let Some(name) = context.callee(call) else { return };
    let Some(api) = context.names.catalog.find(Language::Python, &name) else { return };
    let Effect::Offloads {
        to: Offload::Thread | Offload::Process,
        function: Argument::At(position, keyword),
    } = &api.effect
    else {
        return;
    };
    let Some(given) = argument(call, *position, keyword.as_deref().unwrap_or_default()) else { return };
    lazy::offloaded(context, call, given);
    match given {
        Expr::Call(inner) => called_not_passed(context, call, &name, inner),
        Expr::Name(_) | Expr::Attribute(_) => coroutine_passed(context, call, &name, given),
        _ => {}
    }
}

fn called_not_passed<'a>(context: &mut Context<'a>, call: &'a ExprCall, name: &str, inner: &'a ExprCall) {
    let function = definition(context, &inner.func);
    let found = match function {
        Some(function) => gives_no_function(context, function),
        None => context.callee(inner).is_some_and(|inner| {
            let api = context.names.catalog.find(Language::Python, &inner);
            api.is_some_and(|api| matches!(api.effect, Effect::Blocks { .. } | Effect::Computes { .. }))
        }),
    };
    if !found {
        return;
    }
    let mut seen = context.observation("offload-called-not-passed", call, name);
    seen.facts.push(("function", context.text(&*inner.func).to_owned()));
    context.observe(seen);
}

/// Whether what a function gives cannot be called: it gives nothing, or only literals and results of methods, and makes
/// no function, class or instance of its own.
fn gives_no_function(context: &Context<'_>, function: &StmtFunctionDef) -> bool {
    let Some(inside) = context.names.scopes.opened_by(function) else { return false };
    let scope = context.names.scopes.get(inside);
    if function.is_async || scope.is_generator {
        return !function.is_async;
    }
    scope.returns.iter().all(|value| match value {
        // Called on a value, not on a module: the result of `partial`, `wraps` or a factory is called by its name.
        Expr::Call(given) => match &*given.func {
            Expr::Attribute(attribute) => {
                !is_super(&attribute.value)
                    && matches!(&*attribute.value, Expr::Name(name) if is_entered(context, name.id.as_str(), inside))
                    || context.names.type_of(value, inside).is_some_and(|kind| kind.starts_with("builtins."))
            }
            _ => context.names.type_of(value, inside).is_some_and(|kind| kind.starts_with("builtins.")),
        },
        value => {
            value.is_none_literal_expr()
                || context.names.type_of(value, inside).is_some_and(|kind| kind.starts_with("builtins."))
        }
    })
}

/// Whether a name is what a `with` gives: a file, a connection, a response.
fn is_entered(context: &Context<'_>, name: &str, scope: super::super::super::scope::ScopeId) -> bool {
    use super::super::super::scope::Binding;
    let bound = context.names.scopes.lookup(name, scope);
    bound.is_some_and(|(_, bound)| bound.iter().all(|bound| matches!(bound.what, Binding::Entered(_))))
}

fn coroutine_passed<'a>(context: &mut Context<'a>, call: &'a ExprCall, name: &str, given: &'a Expr) {
    let passed = context.resolve(given);
    let is_async = match definition(context, given) {
        Some(function) => is_coroutine(context, function),
        None => {
            passed.is_some_and(|name| context.names.catalog.has(Language::Python, &name, Mark::Coroutine))
        }
    };
    if is_async {
        let mut seen = context.observation("offload-of-coroutine", call, name);
        seen.facts.push(("function", context.text(given).to_owned()));
        context.observe(seen);
    }
}

fn is_coroutine(context: &Context<'_>, function: &StmtFunctionDef) -> bool {
    let generates =
        context.names.scopes.opened_by(function).map(|scope| context.names.scopes.get(scope).is_generator);
    function.is_async && generates == Some(false)
}

/// Whether the call at hand is a statement, and not awaited.
fn is_statement(context: &Context<'_>) -> bool {
    matches!(context.parent(), Some(Ancestor::Statement(ruff_python_ast::Stmt::Expr(_))))
}

fn in_finally(context: &Context<'_>, node: impl Ranged) -> bool {
    let range = node.range();
    context.around().any(|around| match around {
        Ancestor::Statement(ruff_python_ast::Stmt::Try(attempt)) => {
            super::super::super::context::within(&attempt.finalbody, range)
        }
        _ => false,
    })
}
