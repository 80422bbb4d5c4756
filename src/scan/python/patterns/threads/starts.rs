//! How threads are started: with what, and whether they ever end.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::model::{Model, Start};
use crate::catalog::{Language, Mark};
use crate::finding::Observation;
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::resolve::literal;
use crate::scan::python::scope::{Binding, ScopeId};

/// Observes what is wrong about the threads a file starts.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    let threads = model
        .starts
        .iter()
        .filter(|start| context.names.catalog.has(Language::Python, &start.callee, Mark::Thread));
    for start in threads.collect::<Vec<_>>() {
        let outer = std::mem::replace(&mut context.scope, start.scope);
        let seen = [not_tuple(context, start), called(context, start), endless(context, model, start)];
        seen.into_iter().flatten().for_each(|seen| context.observe(seen));
        context.scope = outer;
    }
}

fn keyword<'a>(call: &'a ExprCall, name: &str) -> Option<&'a Expr> {
    let given =
        call.arguments.keywords.iter().find(|given| given.arg.as_ref().is_some_and(|arg| arg == name));
    given.map(|given| &given.value)
}

/// `args=("Worker")`.
fn not_tuple<'a>(context: &Context<'a>, start: &Start<'a>) -> Option<Observation> {
    let given = keyword(start.call, "args")?;
    let wrong = match given {
        Expr::Name(name) => {
            let (_, bound) = context.names.scopes.lookup(name.id.as_str(), start.scope)?;
            let [only] = bound else { return None };
            let Binding::Value(value) = only.what else { return None };
            is_scalar(value)
        }
        given => is_scalar(given),
    };
    wrong.then(|| context.observation("thread-args-not-tuple", start.call, context.text(given)))
}

fn is_scalar(value: &Expr) -> bool {
    matches!(literal(value), Some("str" | "int" | "float" | "bool"))
}

/// `target=work()`, where `work` is of this file and can be seen to give nothing that could be called.
fn called<'a>(context: &Context<'a>, start: &Start<'a>) -> Option<Observation> {
    let Expr::Call(inner) = start.function else { return None };
    let Expr::Name(name) = &*inner.func else { return None };
    let scopes = context.names.scopes;
    let (_, bound) = scopes.lookup(name.id.as_str(), start.scope)?;
    let [only] = bound else { return None };
    let Binding::Function(function) = only.what else { return None };
    let body = scopes.get(scopes.opened_by(function)?);
    let gives_data = |value: &&Expr| literal(value).is_some() || value.is_none_literal_expr();
    let plain = function.decorator_list.is_empty() && body.returns.iter().all(gives_data);
    plain.then(|| context.observation("thread-target-called", start.call, name.id.as_str()))
}

/// A thread that is no daemon and whose function has a loop without a way out.
fn endless<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> Option<Observation> {
    let keywords = &start.call.arguments.keywords;
    let maybe_daemon = keywords.iter().any(|given| match &given.arg {
        Some(arg) => arg == "daemon" && !matches!(&given.value, Expr::BooleanLiteral(no) if !no.value),
        None => true,
    });
    let running = |scope: ScopeId| context.names.scopes.running(scope);
    let later = model.daemonising.iter().any(|(scope, ..)| running(*scope) == running(start.scope));
    if maybe_daemon || start.call.arguments.args.len() > 2 || later {
        return None;
    }
    let function = model.functions.get(&start.runs?)?;
    if function.is_async || context.text(function.range()).contains("exit") {
        return None;
    }
    let never_ends = function.body.iter().any(|statement| {
        let Stmt::While(round) = statement else { return false };
        let forever = matches!(&*round.test, Expr::BooleanLiteral(yes) if yes.value)
            || matches!(&*round.test, Expr::NumberLiteral(_));
        let mut ways = WaysOut { found: false, loops: 0 };
        ways.visit_body(&round.body);
        forever && !ways.found
    });
    never_ends.then(|| context.observation("endless-thread-without-stop", start.call, function.name.as_str()))
}

/// Whether a loop has a way out: `break`, `return` or `raise`.
struct WaysOut {
    found: bool,
    /// How many loops stand around within it.
    loops: u32,
}

impl<'a> Visitor<'a> for WaysOut {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(_) | Stmt::Raise(_) => self.found = true,
            Stmt::Break(_) if self.loops == 0 => self.found = true,
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(_) | Stmt::While(_) => {
                self.loops += 1;
                depth::grow(|| visitor::walk_stmt(self, statement));
                self.loops -= 1;
            }
            _ => depth::grow(|| visitor::walk_stmt(self, statement)),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}
