//! Results of pools: thrown away, never gone through, asked for in the wrong order.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, ExprCall, Stmt, StmtFor, StmtFunctionDef};

use super::pools::{Handed, defined, sure_type, unwrapped};
use crate::catalog::{Effect, Language, Mark};
use crate::finding::Mitigation;
use crate::scan::python::context::{Ancestor, Context};
use crate::scan::python::depth;
use crate::scan::python::scope::{argument, elements, last_part};

/// `pool.submit(…)` or `pool.map(…)` as a statement.
pub(super) fn dropped<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    if !matches!(context.parent(), Some(Ancestor::Statement(Stmt::Expr(_)))) {
        return;
    }
    // Somebody is told of the error.
    if !task.later || argument(call, usize::MAX, "error_callback").is_some() {
        return;
    }
    let (function, ..) = unwrapped(context.names, task.function, context.scope());
    let definition = defined(context.names, function, context.scope());
    if definition.is_some_and(|definition| catches_everything(definition.function)) {
        return;
    }
    let rule = if task.future { "submit-result-dropped" } else { "map-never-consumed" };
    let subject = if task.future { context.text(task.function) } else { context.text(&*call.func) };
    let mut seen = context.observation(rule, call, &super::handed::short(subject));
    // A function of another file may keep its exceptions to itself.
    if definition.is_none() && !function.is_lambda_expr() {
        seen.mitigations.push(Mitigation::Inferred);
        seen.mitigations.sort_unstable();
    }
    context.observe(seen);
}

/// Whether a function lets out no exception: it is one `try` that catches all, after what hardly fails.
fn catches_everything(function: &StmtFunctionDef) -> bool {
    let mut rest = function.body.iter().filter(|statement| match statement {
        Stmt::Expr(expression) => !matches!(*expression.value, Expr::StringLiteral(_)),
        Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Pass(_) => false,
        _ => true,
    });
    let is_one = |statement: &Stmt| is_caught(statement);
    let attempts = rest.clone().filter(|statement| is_one(statement)).count();
    attempts > 0 && rest.all(|statement| is_one(statement) || is_simple(statement))
}

fn is_caught(statement: &Stmt) -> bool {
    match statement {
        Stmt::Try(attempt) => attempt.handlers.iter().any(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let broad = handler
                .type_
                .as_deref()
                .is_none_or(|caught| matches!(last_part(caught), Some("Exception" | "BaseException")));
            broad && !handler.body.iter().any(|inner| matches!(inner, Stmt::Raise(_)))
        }),
        Stmt::While(until) => until.body.iter().all(is_caught),
        Stmt::With(with) => with.body.iter().all(is_caught),
        _ => false,
    }
}

/// What hardly fails: assignments, returns, log lines.
fn is_simple(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Return(_) | Stmt::Expr(_))
}

/// `future.result()` in a function that answers a request.
pub(super) fn without_timeout<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Expr::Attribute(attribute) = &*call.func else { return };
    if !call.arguments.is_empty() {
        return;
    }
    // One that is async blocks its loop with it, which is another matter.
    let Some(function) = context.function().filter(|function| !function.is_async) else { return };
    if function.decorator_list.is_empty() {
        return;
    }
    let (names, scope) = (context.names, context.scope());
    let Some(outside) = names.scopes.get(names.scopes.running(scope)).parent else { return };
    let answers = function.decorator_list.iter().any(|decorator| {
        let Expr::Call(decorator) = &decorator.expression else { return false };
        let name = names.resolve(&decorator.func, outside);
        name.is_some_and(|name| names.catalog.has(Language::Python, &name, Mark::Routes))
    });
    if !answers {
        return;
    }
    let Some(ty) = sure_type(names, &attribute.value, scope) else { return };
    let method = format!("{ty}.{}", attribute.attr.as_str());
    let effect = names.catalog.find(Language::Python, &method).map(|api| &api.effect);
    if names.catalog.has(Language::Python, &ty, Mark::Future) && matches!(effect, Some(Effect::Blocks { .. }))
    {
        let seen = context.observation("result-without-timeout", call, &method);
        context.observe(seen);
    }
}

/// `for i, _ in enumerate(as_completed(futures)): futures[i].result()`.
pub(super) fn in_order<'a>(context: &mut Context<'a>, statement: &'a Stmt) {
    let Stmt::For(each) = statement else { return };
    let Some((future, source)) = completed(context, each) else { return };
    let Expr::Name(source) = source else { return };
    let mut asked = Asked { future, source: source.id.as_str(), used: false, in_order: false };
    asked.visit_body(&each.body);
    if asked.used || !asked.in_order {
        return;
    }
    let seen = context.observation("as-completed-in-order", &*each.iter, AS_COMPLETED);
    context.observe(seen);
}

const AS_COMPLETED: &str = "concurrent.futures.as_completed";

/// The name each future gets in a loop over `as_completed`, and what the futures are in.
fn completed<'a>(context: &Context<'_>, each: &'a StmtFor) -> Option<(&'a str, &'a Expr)> {
    let Expr::Call(call) = &*each.iter else { return None };
    if last_part(&call.func) == Some("enumerate")
        && let Some([_, Expr::Name(future)]) = elements(&each.target)
        && let Some(Expr::Call(inner)) = call.arguments.args.first()
        && context.callee(inner).as_deref() == Some(AS_COMPLETED)
    {
        return Some((future.id.as_str(), inner.arguments.args.first()?));
    }
    let Expr::Name(future) = &*each.target else { return None };
    (context.callee(call).as_deref() == Some(AS_COMPLETED))
        .then_some((future.id.as_str(), call.arguments.args.first()?))
}

/// Looks for who is asked for a result.
struct Asked<'t> {
    future: &'t str,
    source: &'t str,
    used: bool,
    in_order: bool,
}

impl<'a> Visitor<'a> for Asked<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => self.used |= name.id.as_str() == self.future,
            Expr::Call(call) => {
                if let Expr::Attribute(attribute) = &*call.func
                    && attribute.attr.as_str() == "result"
                    && let Expr::Subscript(item) = &*attribute.value
                    && matches!(&*item.value, Expr::Name(name) if name.id.as_str() == self.source)
                {
                    self.in_order = true;
                }
            }
            _ => {}
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }
}
