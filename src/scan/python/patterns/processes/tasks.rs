//! What the functions do that pools run: next to nothing, nothing but waiting, pools of their own, waiting for each
//! other.

use ruff_python_ast::{Expr, ExprCall, Number, Operator, Stmt};
use ruff_text_size::Ranged;

use super::handed::short;
use super::pools::{Body, Defined, Handed, defined, handed_in, made_in, unwrapped};
use crate::catalog::{Effect, Language, Mark, Offload};
use crate::scan::python::context::Context;
use crate::scan::python::resolve::Names;
use crate::scan::python::scope::{Binding, ScopeId, argument};
use crate::wait::WaitKind;

/// Builtins that take next to no time on anything small.
const QUICK: &[&str] = &[
    "builtins.abs",
    "builtins.bool",
    "builtins.chr",
    "builtins.float",
    "builtins.int",
    "builtins.len",
    "builtins.ord",
    "builtins.round",
    "builtins.str",
    "builtins.print",
    "builtins.repr",
    "builtins.isinstance",
];
/// A power no larger than this is a multiplication or two.
const SMALL_POWER: u64 = 4;

/// One tiny task per item.
pub(super) fn tiny<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    // The pools of multiprocessing cut what `map` is given into chunks by themselves; those that give a future
    // or a list do.
    let one_by_one = if task.maps {
        task.later && !task.future && argument(call, 2, "chunksize").is_none()
    } else {
        context.loops(call.range()).next().is_some()
    };
    if !one_by_one {
        return;
    }
    if task.maps && argument(call, usize::MAX, "chunksize").is_some() {
        return;
    }
    let is_tiny = match defined(context.names, task.function, context.scope()) {
        Some(function) => is_tiny(context.names, &function),
        None => context.resolve(task.function).is_some_and(|name| QUICK.contains(&name.as_str())),
    };
    if is_tiny {
        let seen =
            context.observation("tiny-tasks-in-process-pool", call, &short(context.text(task.function)));
        context.observe(seen);
    }
}

/// Whether a function is a few operations on what it is given.
fn is_tiny(names: &Names<'_>, function: &Defined<'_>) -> bool {
    if !function.function.decorator_list.is_empty() {
        return false;
    }
    function.function.body.iter().all(|statement| match statement {
        Stmt::Return(done) => {
            done.value.as_deref().is_none_or(|value| is_cheap(names, value, function.scope, 0))
        }
        Stmt::Assign(assign) => is_cheap(names, &assign.value, function.scope, 0),
        Stmt::Expr(expression) => expression.value.is_string_literal_expr(),
        Stmt::Pass(_) => true,
        _ => false,
    })
}

fn is_cheap(names: &Names<'_>, expression: &Expr, scope: ScopeId, depth: u32) -> bool {
    if depth > 8 {
        return false;
    }
    let cheap = |part: &Expr| is_cheap(names, part, scope, depth + 1);
    match expression {
        Expr::Name(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::BinOp(operation) => match operation.op {
            Operator::MatMult => false,
            Operator::Pow => {
                let small = matches!(&*operation.right, Expr::NumberLiteral(number)
                    if matches!(&number.value, Number::Int(power) if power.as_u64().is_some_and(|p| p <= SMALL_POWER)));
                small && cheap(&operation.left)
            }
            _ => cheap(&operation.left) && cheap(&operation.right),
        },
        Expr::UnaryOp(operation) => cheap(&operation.operand),
        Expr::BoolOp(operation) => operation.values.iter().all(cheap),
        Expr::Compare(compare) => cheap(&compare.left) && compare.comparators.iter().all(cheap),
        Expr::Tuple(tuple) => tuple.elts.iter().all(cheap),
        Expr::Call(call) => {
            call.arguments.keywords.is_empty()
                && names.resolve(&call.func, scope).is_some_and(|name| QUICK.contains(&name.as_str()))
                && call.arguments.args.iter().all(cheap)
        }
        _ => false,
    }
}

/// Processes for a function that does nothing but wait.
pub(super) fn only_waits<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    let (function, ..) = unwrapped(context.names, task.function, context.scope());
    let waits = match defined(context.names, function, context.scope()) {
        Some(function) => waits_of(context.names, &function),
        None => context.resolve(function).filter(|name| is_wait(context.names, name)),
    };
    let Some(waits) = waits else { return };
    let mut seen = context.observation("processes-for-io", call, &short(context.text(function)));
    seen.facts.push(("call", waits));
    context.observe(seen);
}

/// Whether a call waits for something outside of this machine, or for the clock.
fn is_wait(names: &Names<'_>, name: &str) -> bool {
    let effect = names.catalog.find(Language::Python, name).map(|api| &api.effect);
    matches!(effect, Some(Effect::Blocks { wait: WaitKind::Network | WaitKind::Sleep, .. }))
}

/// What a function waits for, where it does nothing else that could take time.
fn waits_of(names: &Names<'_>, function: &Defined<'_>) -> Option<String> {
    let body = Body::of(names, function);
    if body.repeats {
        return None;
    }
    let mut waits = None;
    for (call, scope) in &body.calls {
        let name = names.resolve(&call.func, *scope);
        match name {
            Some(name) if is_wait(names, &name) => waits = waits.or(Some(name)),
            Some(name) if QUICK.contains(&name.as_str()) => {}
            Some(name) => {
                let effect = names.catalog.find(Language::Python, &name).map(|api| &api.effect);
                matches!(effect, Some(Effect::Harmless)).then_some(())?;
            }
            // A method without arguments of what came over the network.
            None => {
                let Expr::Attribute(_) = &*call.func else { return None };
                (call.arguments.is_empty() && is_of_a_wait(names, &call.func, *scope)).then_some(())?;
            }
        }
    }
    waits
}

/// Whether an attribute is one of what a waiting call gave.
fn is_of_a_wait(names: &Names<'_>, function: &Expr, scope: ScopeId) -> bool {
    let Expr::Attribute(attribute) = function else { return false };
    let value = match &*attribute.value {
        Expr::Name(name) => match names.scopes.lookup(name.id.as_str(), scope) {
            Some((_, [one])) => match one.what {
                Binding::Value(value) | Binding::Entered(value) => value,
                _ => return false,
            },
            _ => return false,
        },
        value => value,
    };
    matches!(value, Expr::Call(call) if names.resolve(&call.func, scope).is_some_and(|name| is_wait(names, &name)))
}

/// The function of this file that is handed to a pool.
fn worker<'a>(context: &Context<'a>, task: &Handed<'a>) -> Option<Defined<'a>> {
    let (function, ..) = unwrapped(context.names, task.function, context.scope());
    defined(context.names, function, context.scope())
}

/// A pool that the function of a pool makes.
pub(super) fn makes_a_pool<'a>(context: &mut Context<'a>, task: &Handed<'a>) {
    let Some(worker) = worker(context, task) else { return };
    let mut found = Vec::new();
    for (making, scope) in Body::of(context.names, &worker).calls {
        let Some((ty, kind)) = made_in(context.names, making, scope) else { continue };
        let mixed = task.to == Offload::Process && kind == Offload::Thread;
        let alone = argument(making, 0, "max_workers")
            .is_some_and(|workers| matches!(workers, Expr::NumberLiteral(_)) && context.text(workers) == "1");
        if !mixed && !alone {
            found.push((making, ty));
        }
    }
    for (making, ty) in found {
        let mut seen = context.observation("nested-pools", making, &ty);
        seen.symbol = context.symbol_of(worker.scope);
        context.observe(seen);
    }
}

/// A function of a pool that waits for another task of the same pool.
pub(super) fn waits_for_its_own_pool<'a>(context: &mut Context<'a>, task: &Handed<'a>) {
    let Some(worker) = worker(context, task) else { return };
    let names = context.names;
    let Some(pool) = identity(names, task.pool, context.scope()) else { return };
    let calls = Body::of(names, &worker).calls;
    let same = |inner: &'a ExprCall, scope: ScopeId| {
        let inner = handed_in(names, inner, scope)?;
        (identity(names, inner.pool, scope) == Some(pool)).then_some(inner)
    };
    let mut found = Vec::new();
    for (waiting, scope) in calls {
        // `future.result()`, without a limit.
        if let Expr::Attribute(attribute) = &*waiting.func
            && waiting.arguments.is_empty()
            && let Some(Expr::Call(submit)) = origin(names, &attribute.value, scope)
            && same(submit, scope).is_some_and(|inner| inner.future)
            && blocks(names, waiting, scope)
        {
            found.push(waiting);
        } else if same(waiting, scope).is_some_and(|inner| !inner.later) {
            found.push(waiting);
        }
    }
    for waiting in found {
        let mut seen = context.observation("pool-deadlock", waiting, context.text(task.pool));
        seen.symbol = context.symbol_of(worker.scope);
        context.observe(seen);
    }
}

fn blocks(names: &Names<'_>, call: &ExprCall, scope: ScopeId) -> bool {
    let Some(callee) = names.resolve(&call.func, scope) else {
        let Expr::Attribute(attribute) = &*call.func else { return false };
        let Some(ty) = names.type_of(&attribute.value, scope) else { return false };
        return names.catalog.has(Language::Python, &ty, Mark::Future) && attribute.attr.as_str() == "result";
    };
    let effect = names.catalog.find(Language::Python, &callee).map(|api| &api.effect);
    matches!(effect, Some(Effect::Blocks { .. }))
}

/// What a variable was set to, once, or the expression itself.
fn origin<'a>(names: &Names<'a>, expression: &'a Expr, scope: ScopeId) -> Option<&'a Expr> {
    let Expr::Name(name) = expression else { return Some(expression) };
    let (_, bound) = names.scopes.lookup(name.id.as_str(), scope)?;
    match bound {
        [one] => match one.what {
            Binding::Value(value) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

/// Which variable a pool is kept in, where that outlives a call.
fn identity<'e>(names: &Names<'_>, pool: &'e Expr, scope: ScopeId) -> Option<(ScopeId, &'e str)> {
    match pool {
        Expr::Name(name) => {
            let (owner, _) = names.scopes.lookup(name.id.as_str(), scope)?;
            Some((owner, name.id.as_str()))
        }
        Expr::Attribute(attribute) => {
            let (class, _) = names.scopes.receiver(attribute.value.as_name_expr()?.id.as_str(), scope)?;
            Some((class, attribute.attr.as_str()))
        }
        _ => None,
    }
}
