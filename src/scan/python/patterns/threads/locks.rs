//! Locks: taken twice, in both orders, without a promise to give them back, made anew for every call, and held while
//! something is awaited.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::model::{Held, Model, Variable, makes_lock, method};
use super::tell;
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::scope::{Binding, Bound, ScopeId};

/// Observes what is wrong about the locks of a file.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    across_await(context, model);
    without_with(context, model);
    per_call(context, model);
    let takes = everything_taken(context, model);
    twice(context, model, &takes);
    both_orders(context, model, &takes);
}

fn across_await<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    for taking in model.takings.iter().filter(|taking| taking.awaits) {
        let lock = context.text(taking.taken.node);
        tell(
            context,
            "thread-lock-across-await",
            (taking.scope, taking.taken.node.range()),
            lock,
            Vec::new(),
        );
    }
}

/// `acquire` and one `release` later in the same block, with something between that may fail. A release elsewhere, or
/// several, is a plan that cannot be judged from here.
fn without_with<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    for acquire in &model.acquires {
        let lock = context.text(acquire.lock);
        let is_release = |statement: &Stmt| {
            matches!(statement, Stmt::Expr(expression)
                if method(&expression.value, "release").is_some_and(|(receiver, _)| context.text(receiver) == lock))
        };
        let Some(released) = acquire.then.iter().position(is_release) else { continue };
        let Some(function) = model.functions.get(&context.names.scopes.running(acquire.scope)) else {
            continue;
        };
        let mut given_back = Releases { text: &context.file.text, lock, count: 0 };
        given_back.visit_body(&function.body);
        if released > 0 && given_back.count == 1 {
            tell(context, "lock-without-with", (acquire.scope, acquire.statement.range()), lock, Vec::new());
        }
    }
}

struct Releases<'t> {
    text: &'t str,
    lock: &'t str,
    count: usize,
}

impl<'a> Visitor<'a> for Releases<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Some((receiver, _)) = method(expression, "release")
            && self.text.get(receiver.start().to_usize()..receiver.end().to_usize()) == Some(self.lock)
        {
            self.count += 1;
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| visitor::walk_stmt(self, statement));
    }
}

/// Locks that a function makes for itself: as the subject of a `with`, or in a variable that is used for nothing but to
/// take it and to give it back. What is handed on, or used by a function inside, is shared with somebody.
fn per_call<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    for taking in model.takings.iter().filter(|taking| taking.taken.node.is_call_expr()) {
        let node = taking.taken.node;
        tell(context, "lock-per-call", (taking.scope, node.range()), context.text(node), Vec::new());
    }
    for (scope, function) in &model.functions {
        let scopes = context.names.scopes;
        for (name, bound) in scopes.names(*scope) {
            let [Bound { what: Binding::Value(Expr::Call(made)), .. }] = bound else { continue };
            if !makes_lock(context.names, made, *scope) {
                continue;
            }
            let mut mentions = Mentions { name, count: 0 };
            mentions.visit_body(&function.body);
            let uses = uses(context, model, *scope, name);
            if uses > 0 && uses == mentions.count {
                tell(context, "lock-per-call", (*scope, made.range()), name, Vec::new());
            }
        }
    }
}

/// How often a function itself takes the lock in this variable of its own, or gives it back.
fn uses(context: &Context<'_>, model: &Model<'_>, function: ScopeId, name: &str) -> usize {
    let running = |scope| context.names.scopes.running(scope) == function;
    let is_it = |node: &Expr| matches!(node, Expr::Name(used) if used.id.as_str() == name);
    let taken = model.takings.iter().filter(|taking| running(taking.scope) && is_it(taking.taken.node));
    let by_hand = model.callings.iter().filter(|calling| {
        let Expr::Attribute(attribute) = &*calling.call.func else { return false };
        running(calling.scope)
            && matches!(attribute.attr.as_str(), "acquire" | "release")
            && is_it(&attribute.value)
    });
    taken.count() + by_hand.count()
}

/// Counts where a variable is read, in functions inside as well.
struct Mentions<'n> {
    name: &'n str,
    count: usize,
}

impl<'a> Visitor<'a> for Mentions<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression {
            self.count += usize::from(name.ctx.is_load() && name.id.as_str() == self.name);
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }
}

/// The locks each function takes, itself or through functions of the file. Those of an object are followed only
/// through calls on `self`: another object has other locks.
type Takes<'a> = BTreeMap<ScopeId, BTreeSet<Variable<'a>>>;

fn everything_taken<'a>(context: &Context<'a>, model: &Model<'a>) -> Takes<'a> {
    let running = |scope| context.names.scopes.running(scope);
    let mut takes = Takes::new();
    for taking in &model.takings {
        takes.entry(running(taking.scope)).or_default().extend(shared(&taking.taken));
    }
    loop {
        let mut more = false;
        for calling in &model.callings {
            let Some((callee, on_self)) = calling.calls else { continue };
            if !model.runs_at_once(callee) {
                continue;
            }
            let Some(inner) = takes.get(&callee) else { continue };
            let inner: Vec<_> = inner.iter().filter(|lock| on_self || !lock.of_self).copied().collect();
            let outer = takes.entry(running(calling.scope)).or_default();
            let before = outer.len();
            outer.extend(inner);
            more |= outer.len() > before;
        }
        if !more {
            return takes;
        }
    }
}

fn shared<'a>(held: &Held<'a>) -> Option<Variable<'a>> {
    held.lock
}

fn twice<'a>(context: &mut Context<'a>, model: &Model<'a>, takes: &Takes<'a>) {
    for taking in &model.takings {
        let again = |held: &&Held<'a>| held.lock.is_some() && held.lock == taking.taken.lock;
        if taking.taken.reentrant == Some(false) && taking.held.iter().any(|held| again(&held)) {
            let place = (taking.scope, taking.taken.node.range());
            tell(context, "double-lock", place, context.text(taking.taken.node), Vec::new());
        }
    }
    for calling in &model.callings {
        let Some(inner) = inner_takes(model, takes, calling.calls) else { continue };
        let again = calling
            .held
            .iter()
            .find(|held| held.reentrant == Some(false) && held.lock.is_some_and(|lock| inner(&lock)));
        if let Some(held) = again {
            let lock = context.text(held.node);
            tell(context, "double-lock", (calling.scope, calling.call.range()), lock, Vec::new());
        }
    }
}

/// Whether the function that is called takes a lock, its own or, when called on `self`, that of the object.
fn inner_takes<'t, 'a>(
    model: &Model<'a>,
    takes: &'t Takes<'a>,
    calls: Option<(ScopeId, bool)>,
) -> Option<impl Fn(&Variable<'a>) -> bool + use<'t, 'a>> {
    let (callee, on_self) = calls?;
    let inner = takes.get(&callee).filter(|_| model.runs_at_once(callee))?;
    Some(move |lock: &Variable<'a>| (on_self || !lock.of_self) && inner.contains(lock))
}

/// One lock taken while another is held.
struct Order<'a> {
    first: Variable<'a>,
    second: Variable<'a>,
    place: (ScopeId, TextRange),
    /// What else is held: where both orders hold a third lock, they exclude each other.
    held: BTreeSet<Variable<'a>>,
}

fn both_orders<'a>(context: &mut Context<'a>, model: &Model<'a>, takes: &Takes<'a>) {
    let mut orders: Vec<Order<'a>> = Vec::new();
    let mut add = |held: &[Held<'a>], second: Variable<'a>, place| {
        let all: BTreeSet<_> = held.iter().filter_map(shared).collect();
        for first in all.iter().filter(|first| **first != second) {
            let others = all.iter().filter(|lock| *lock != first).copied().collect();
            orders.push(Order { first: *first, second, place, held: others });
        }
    };
    for taking in &model.takings {
        if let Some(second) = taking.taken.lock {
            add(&taking.held, second, (taking.scope, taking.taken.node.range()));
        }
    }
    for calling in model.callings.iter().filter(|calling| !calling.held.is_empty()) {
        let Some((callee, on_self)) = calling.calls.filter(|(callee, _)| model.runs_at_once(*callee)) else {
            continue;
        };
        for second in takes.get(&callee).into_iter().flatten().filter(|lock| on_self || !lock.of_self) {
            if !calling.held.iter().any(|held| held.lock == Some(*second)) {
                add(&calling.held, *second, (calling.scope, calling.call.range()));
            }
        }
    }
    orders.sort_by_key(|order| (order.place.1.start(), order.first, order.second));
    let mut told = BTreeSet::new();
    for (at, later) in orders.iter().enumerate() {
        let inverse = orders[..at].iter().find(|earlier| {
            (earlier.first, earlier.second) == (later.second, later.first)
                && earlier.held.is_disjoint(&later.held)
        });
        let Some(earlier) = inverse else { continue };
        if told.insert((later.first.min(later.second), later.first.max(later.second))) {
            let place = context.place(earlier.place.1);
            let other = format!("{}:{}", place.path, place.line);
            let subject = format!("{} / {}", later.first.name, later.second.name);
            tell(context, "lock-order-inversion", later.place, &subject, vec![("other", other)]);
        }
    }
}
