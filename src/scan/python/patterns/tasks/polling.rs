//! Loops that sleep until something of this process has changed.

use ruff_python_ast::{Expr, ExprCall, Stmt, UnaryOp};

use super::super::super::context::Context;
use super::super::super::scope::{Binding, ScopeKind};

/// `while not self.ready: await asyncio.sleep(0.1)`.
pub(super) fn polls<'a>(context: &mut Context<'a>, statement: &'a Stmt) {
    let Stmt::While(until) = statement else { return };
    let [Stmt::Expr(only)] = &*until.body else { return };
    let sleep = match &*only.value {
        Expr::Await(wait) => &*wait.value,
        value => value,
    };
    let Expr::Call(sleep) = sleep else { return };
    let Some(name) = sleeps(context, sleep) else { return };
    let condition = match &*until.test {
        Expr::UnaryOp(not) if not.op == UnaryOp::Not => &*not.operand,
        test => test,
    };
    if !is_set_here(context, condition) {
        return;
    }
    let seen = context.observation("poll-loop", statement, &name);
    context.observe(seen);
}

fn sleeps(context: &Context<'_>, call: &ExprCall) -> Option<String> {
    context.callee(call).filter(|name| matches!(name.as_str(), "asyncio.sleep" | "time.sleep"))
}

/// Whether a condition is a flag that other code of this file sets: an attribute of the same object or a variable of the
/// module, given a literal truth at least twice.
fn is_set_here(context: &Context<'_>, condition: &Expr) -> bool {
    let scopes = context.names.scopes;
    let bound = match condition {
        Expr::Attribute(attribute) => {
            let Expr::Name(base) = &*attribute.value else { return false };
            let Some((class, _)) = scopes.receiver(base.id.as_str(), context.scope()) else { return false };
            scopes.attribute(class, attribute.attr.as_str())
        }
        Expr::Name(name) => match scopes.lookup(name.id.as_str(), context.scope()) {
            Some((owner, bound)) if matches!(scopes.get(owner).kind, ScopeKind::Module) => bound,
            _ => return false,
        },
        _ => return false,
    };
    let literal = |value: &Expr| value.is_boolean_literal_expr() || value.is_none_literal_expr();
    let values: Vec<&Expr> = bound
        .iter()
        .filter_map(|bound| match bound.what {
            Binding::Value(value) => Some(value),
            _ => None,
        })
        .collect();
    values.len() > 1 && values.iter().any(|value| literal(value))
}
