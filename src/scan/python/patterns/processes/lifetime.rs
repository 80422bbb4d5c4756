//! How long pools live: made anew in every round, never closed, started at import.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Number, Stmt};
use ruff_text_size::Ranged;

use super::pools::{handed, made, sure_type};
use super::uses::{Fate, fate, never_finished};
use crate::catalog::{Argument, Effect, Language, Mark, Offload};
use crate::finding::Mitigation;
use crate::scan::python::context::{Ancestor, Context, Loop};
use crate::scan::python::depth;
use crate::scan::python::scope::{Binding, ScopeId, argument};

/// What ends a pool.
const CLOSES: &[&str] =
    &["close", "terminate", "join", "shutdown", "kill_workers", "terminate_workers", "__exit__"];

/// A pool that a function makes, uses and forgets.
pub(super) fn never_closed<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let fate = fate(context);
    if fate == Fate::Elsewhere {
        return;
    }
    let Some(function) = context.function() else { return };
    let Some((ty, _)) = made(context, call) else { return };
    let forgotten = match fate {
        Fate::Dropped(None) | Fate::Elsewhere => false,
        Fate::Dropped(Some(method)) => !CLOSES.contains(&method),
        Fate::Local(name) => never_finished(context, function, name, CLOSES),
    };
    if !forgotten {
        return;
    }
    let rule = if is_lazy(context, &ty) { "executor-never-shut-down" } else { "pool-never-closed" };
    let mut seen = context.observation(rule, call, &ty);
    if context.under_main_guard() || function.name.as_str() == "main" {
        seen.mitigations.push(Mitigation::OneShot);
        seen.mitigations.sort_unstable();
    }
    context.observe(seen);
}

/// Whether a pool starts its workers with the first task: executors do, the pools of `multiprocessing` do not.
fn is_lazy(context: &Context<'_>, ty: &str) -> bool {
    context.names.catalog.knows(Language::Python, &format!("{ty}.submit"))
}

/// A pool made in every round of a loop.
pub(super) fn made_in_a_loop<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let entered = matches!(context.parent(), Some(Ancestor::Statement(Stmt::With(_))));
    if !entered && !matches!(fate(context), Fate::Local(_)) {
        return;
    }
    let Some(around) = context.loops(call.range()).next() else { return };
    let (targets, range) = match around {
        Loop::For(each) => (Some(&*each.target), each.range()),
        Loop::While(until) => (None, until.range()),
        Loop::Comprehension(_) => return,
    };
    // Made again after a failure, or only where there is none yet.
    let conditional = context.around().any(|ancestor| match ancestor {
        Ancestor::Statement(statement @ Stmt::Try(_)) => range.contains_range(statement.range()),
        Ancestor::Statement(statement @ Stmt::If(_)) => !entered && range.contains_range(statement.range()),
        Ancestor::Handler(handler) => range.contains_range(handler.range()),
        _ => false,
    });
    if conditional {
        return;
    }
    let Some((ty, _)) = made(context, call) else { return };
    // Another pool for each round is made where its size or its set-up depends on the round.
    let depends = match around {
        Loop::For(each) => {
            names_of(targets).iter().any(|name| mentions_any(call, name)) || leaves(&each.body)
        }
        Loop::While(until) => {
            leaves(&until.body) || !call.arguments.is_empty() && depends_on_body(call, &until.body)
        }
        Loop::Comprehension(_) => true,
    };
    if depends {
        return;
    }
    let seen = context.observation("pool-per-call", call, &ty);
    context.observe(seen);
}

/// The names of a target.
fn names_of(target: Option<&Expr>) -> Vec<String> {
    let mut finder = Mentions { names: Vec::new() };
    if let Some(target) = target {
        finder.visit_expr(target);
    }
    finder.names
}

fn mentions_any(call: &ExprCall, name: &str) -> bool {
    let mut finder = Mentions { names: Vec::new() };
    finder.visit_arguments(&call.arguments);
    finder.names.iter().any(|mentioned| mentioned == name)
}

/// Whether arguments use what the body of a loop sets.
fn depends_on_body(call: &ExprCall, body: &[Stmt]) -> bool {
    body.iter().any(|statement| match statement {
        Stmt::Assign(assign) => assign
            .targets
            .iter()
            .any(|target| names_of(Some(target)).iter().any(|name| mentions_any(call, name))),
        _ => false,
    })
}

/// Whether the first round is the last: the body of the loop ends by leaving it.
fn leaves(body: &[Stmt]) -> bool {
    match body.last() {
        Some(Stmt::Return(_) | Stmt::Break(_) | Stmt::Raise(_)) => true,
        Some(Stmt::With(with)) => leaves(&with.body),
        _ => false,
    }
}

struct Mentions {
    names: Vec<String>,
}

impl<'a> Visitor<'a> for Mentions {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression {
            self.names.push(name.id.to_string());
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }
}

/// How many threads the default pool of a loop has at most: what Python's documentation says.
const DEFAULT_POOL: u64 = 32;

/// A wait sent to the default pool under a semaphore that lets in more than the pool has threads.
pub(super) fn default_pool<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if !context.in_async() || context.withs(call.range()).next().is_none() {
        return;
    }
    let Some(callee) = context.callee(call) else { return };
    let api = context.names.catalog.find(Language::Python, &callee);
    let Some(Effect::Offloads { to: Offload::Thread, function }) = api.map(|api| &api.effect) else { return };
    let default = match function {
        Argument::At(0, _) => callee == "asyncio.to_thread",
        Argument::At(..) => call.arguments.args.first().is_some_and(Expr::is_none_literal_expr),
        Argument::Named(_) => false,
    };
    if !default || context.mentions("set_default_executor") {
        return;
    }
    let wide = context
        .withs(call.range())
        .flat_map(|with| &with.items)
        .any(|item| limit(context, &item.context_expr).is_some_and(|most| most > DEFAULT_POOL));
    if wide {
        let seen = context.observation("default-pool-for-many-waits", call, &callee);
        context.observe(seen);
    }
}

/// How many a semaphore of the loop lets in.
fn limit(context: &Context<'_>, semaphore: &Expr) -> Option<u64> {
    let name = semaphore.as_name_expr()?;
    let (_, bound) = context.names.scopes.lookup(name.id.as_str(), context.scope())?;
    let [one] = bound else { return None };
    let Binding::Value(Expr::Call(call)) = one.what else { return None };
    let ty = context.names.resolve(&call.func, one.scope)?;
    let Expr::NumberLiteral(number) = argument(call, 0, "value")? else { return None };
    let Number::Int(most) = &number.value else { return None };
    context.names.catalog.has(Language::Python, &ty, Mark::AsyncLock).then(|| most.as_u64())?
}

/// Processes started by importing a module.
pub(super) fn unguarded<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let here = context.names.scopes.running(context.scope());
    if here != ScopeId::MODULE || context.under_main_guard() {
        return;
    }
    // The main module of a package is not imported again, and what runs by fork is not imported at all.
    if context.file.path.ends_with("__main__.py") || forks(context) {
        return;
    }
    if let Some(subject) = starts_processes(context, call) {
        let seen = context.observation("missing-main-guard", call, &subject);
        context.observe(seen);
    }
}

fn starts_processes(context: &Context<'_>, call: &ExprCall) -> Option<String> {
    if let Some((ty, kind)) = made(context, call) {
        let entered = matches!(context.parent(), Some(Ancestor::Statement(Stmt::With(_))));
        let starts = kind == Offload::Process
            && argument(call, usize::MAX, "mp_context").is_none()
            && (entered || !is_lazy(context, &ty));
        return starts.then_some(ty);
    }
    let Expr::Attribute(attribute) = &*call.func else { return None };
    if attribute.attr.as_str() != "start" {
        return first_task(context, call);
    }
    let ty = sure_type(context.names, &attribute.value, context.scope())?;
    context.names.catalog.has(Language::Python, &ty, Mark::Process).then(|| format!("{ty}.start"))
}

/// A task for an executor that is no context manager: its workers start with it.
fn first_task(context: &Context<'_>, call: &ExprCall) -> Option<String> {
    let task = handed(context, call)?;
    let Expr::Name(pool) = task.pool else { return None };
    let (_, bound) = context.names.scopes.lookup(pool.id.as_str(), context.scope())?;
    let [only] = bound else { return None };
    let Binding::Value(Expr::Call(made)) = only.what else { return None };
    let ty = sure_type(context.names, task.pool, context.scope())?;
    let starts = task.to == Offload::Process
        && is_lazy(context, &ty)
        && argument(made, usize::MAX, "mp_context").is_none();
    starts.then_some(ty)
}

fn forks(context: &Context<'_>) -> bool {
    context.mentions("set_start_method") || context.mentions("get_context")
}
