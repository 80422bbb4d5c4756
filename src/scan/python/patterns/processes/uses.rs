//! What a function does with a local variable: whether what it holds is finished there, or is handed on.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};

use crate::catalog::{Effect, Language};
use crate::scan::python::context::{Ancestor, Context};
use crate::scan::python::depth;

/// What happens to the value a call gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// It is dropped, or the method of this name is called on it and the rest is dropped.
    Dropped(Option<&'a str>),
    /// It is a local variable of this name.
    Local(&'a str),
    /// Something else.
    Elsewhere,
}

/// What happens to the value of a call, as far as its own statement tells.
pub(super) fn fate<'a>(context: &Context<'a>) -> Fate<'a> {
    match context.parent() {
        Some(Ancestor::Statement(Stmt::Expr(_))) => Fate::Dropped(None),
        Some(Ancestor::Expression(Expr::Attribute(attribute))) => {
            Fate::Dropped(Some(attribute.attr.as_str()))
        }
        Some(Ancestor::Statement(Stmt::Assign(assign))) => match assign.targets.as_slice() {
            [Expr::Name(name)] if assign.value.is_call_expr() => {
                let local = context.function().is_some_and(|_| {
                    let here = context.names.scopes.running(context.scope());
                    context
                        .names
                        .scopes
                        .lookup(name.id.as_str(), here)
                        .is_some_and(|(owner, _)| owner == here)
                });
                if local { Fate::Local(name.id.as_str()) } else { Fate::Elsewhere }
            }
            _ => Fate::Elsewhere,
        },
        _ => Fate::Elsewhere,
    }
}

/// Whether a function uses a local variable only by calling methods of it that are none of these.
pub(super) fn never_finished(
    context: &Context<'_>,
    function: &StmtFunctionDef,
    name: &str,
    finishers: &[&str],
) -> bool {
    let mut finder = Finder { context, name, finishers, finished: false };
    finder.visit_body(&function.body);
    !finder.finished
}

struct Finder<'c, 'a, 't> {
    context: &'c Context<'a>,
    name: &'t str,
    finishers: &'t [&'t str],
    /// Whether it is finished, or handed to somebody who may do that.
    finished: bool,
}

impl Finder<'_, '_, '_> {
    fn is_it(&self, expression: &Expr) -> bool {
        matches!(expression, Expr::Name(name) if name.id.as_str() == self.name)
    }

    /// Whether a call takes a pool only to run something in it.
    fn offloads(&self, call: &ExprCall) -> bool {
        let Some(callee) = self.context.callee(call) else { return false };
        let api = self.context.names.catalog.find(Language::Python, &callee);
        matches!(api.map(|api| &api.effect), Some(Effect::Offloads { .. }))
    }
}

impl<'a> Visitor<'a> for Finder<'_, '_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !self.finished {
            depth::grow(|| visitor::walk_stmt(self, statement));
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Attribute(attribute) if self.is_it(&attribute.value) => {
                self.finished |= self.finishers.contains(&attribute.attr.as_str());
            }
            Expr::Call(call)
                if call.arguments.args.first().is_some_and(|first| self.is_it(first))
                    && self.offloads(call) =>
            {
                self.visit_expr(&call.func);
                call.arguments.args.iter().skip(1).for_each(|argument| self.visit_expr(argument));
            }
            Expr::Name(name) => self.finished |= name.ctx.is_load() && self.is_it(expression),
            _ => depth::grow(|| visitor::walk_expr(self, expression)),
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
