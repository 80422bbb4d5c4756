//! Which function of this file an expression means. Knows the tree and the bindings; must not know rules.

use ruff_python_ast::{Expr, StmtFunctionDef};

use super::super::super::context::Context;
use super::super::super::language::BODILESS;
use super::super::super::scope::{Binding, Bound, ScopeId, last_part};
pub(super) use super::super::super::search::{Node, any, any_in, mentions, waits};

/// The function of this file that an expression names, where it can be no other and no decorator made something else
/// of it.
pub(super) fn definition<'a>(context: &Context<'a>, function: &Expr) -> Option<&'a StmtFunctionDef> {
    let scopes = context.names.scopes;
    let bound = match function {
        Expr::Name(name) => scopes.lookup(name.id.as_str(), context.scope())?.1,
        Expr::Attribute(attribute) => {
            scopes.member(class_of(context, &attribute.value)?, attribute.attr.as_str())
        }
        _ => return None,
    };
    let [Bound { what: Binding::Function(function), .. }] = bound else { return None };
    let plain = ["staticmethod", "classmethod", "override"].iter().chain(BODILESS);
    let is_plain =
        |decorated: &Expr| last_part(decorated).is_some_and(|name| plain.clone().any(|plain| *plain == name));
    function.decorator_list.iter().all(|decorator| is_plain(&decorator.expression)).then_some(*function)
}

/// The class of this file whose method is called on a receiver: `self`, `cls`, or the call of the class itself.
fn class_of(context: &Context<'_>, receiver: &Expr) -> Option<ScopeId> {
    match receiver {
        Expr::Name(name) => {
            let scopes = context.names.scopes;
            if let Some((class, _)) = scopes.receiver(name.id.as_str(), context.scope()) {
                return Some(class);
            }
            let (_, bound) = scopes.lookup(name.id.as_str(), context.scope())?;
            let [Bound { what: Binding::Value(Expr::Call(made)), scope }] = bound else { return None };
            context.names.class_scope(&made.func, *scope)
        }
        Expr::Call(made) => context.names.class_scope(&made.func, context.scope()),
        _ => None,
    }
}
