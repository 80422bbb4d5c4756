//! Iterators that a thread makes and the loop goes through: the thread is done at once, the work is the loop's. Knows
//! generators of the file, and others by the list of the rule.

use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::super::super::context::{Ancestor, Context};
use super::super::super::language::CONSUMERS;
use super::super::super::scope::{ScopeId, last_part};
use super::definitions::{Node, any, definition};

const RULE: &str = "lazy-iterator-offloaded";

/// Looks at what a thread is given to call.
pub(super) fn offloaded<'a>(context: &mut Context<'a>, call: &'a ExprCall, given: &'a Expr) {
    let Some((maker, scope)) = maker(context, given) else { return };
    if !makes_an_iterator(context, maker, scope) || !is_gone_through(context, call) {
        return;
    }
    let subject = context.text(maker);
    let seen = context.observation(RULE, call, subject);
    context.observe(seen);
}

/// What is called in the thread in the end, and where that is to be read: the function itself, what `partial` wraps, or
/// what a lambda gives the result of.
fn maker<'a>(context: &Context<'a>, given: &'a Expr) -> Option<(&'a Expr, ScopeId)> {
    match given {
        Expr::Name(_) | Expr::Attribute(_) => Some((given, context.scope())),
        Expr::Call(call) if context.callee(call).as_deref() == Some("functools.partial") => {
            Some((call.arguments.args.first()?, context.scope()))
        }
        Expr::Lambda(lambda) => {
            let inner = lambda.body.as_call_expr()?;
            Some((&inner.func, context.names.scopes.opened_by(lambda)?))
        }
        _ => None,
    }
}

fn makes_an_iterator(context: &Context<'_>, maker: &Expr, scope: ScopeId) -> bool {
    match definition(context, maker) {
        Some(function) => {
            let inside = context.names.scopes.opened_by(function);
            !function.is_async && inside.is_some_and(|inside| context.names.scopes.get(inside).is_generator)
        }
        None => context.names.resolve(maker, scope).is_some_and(|name| {
            context.thresholds.lists(RULE, "lazy", name.strip_prefix("builtins.").unwrap_or(&name))
        }),
    }
}

/// Whether this function goes through what an offloading call standing here gives: at once, or through a variable.
fn is_gone_through(context: &Context<'_>, call: &ExprCall) -> bool {
    let mut around = context
        .ancestors()
        .skip_while(|ancestor| matches!(ancestor, Ancestor::Expression(Expr::Await(_) | Expr::Named(_))));
    match around.next() {
        Some(Ancestor::Statement(Stmt::For(each))) => each.iter.range().contains_range(call.range()),
        Some(Ancestor::Statement(Stmt::Assign(assign))) => {
            let ([Expr::Name(name)], Some(function)) = (&*assign.targets, context.function()) else {
                return false;
            };
            let goes = &mut |node: Node<'_>| goes_through(node, name.id.as_str());
            any(&function.body, goes)
        }
        Some(Ancestor::Expression(whole)) => {
            iterated(Node::Expression(whole)).any(|each| each.range().contains_range(call.range()))
        }
        _ => false,
    }
}

fn goes_through(node: Node<'_>, name: &str) -> bool {
    iterated(node).any(|each| matches!(each, Expr::Name(each) if each.id.as_str() == name))
}

/// What a node goes through on the spot.
fn iterated(node: Node<'_>) -> impl Iterator<Item = &Expr> {
    let (one, generators, arguments) = match node {
        Node::Statement(Stmt::For(each)) if !each.is_async => (Some(&*each.iter), &[][..], &[][..]),
        Node::Expression(Expr::ListComp(list)) => (None, &*list.generators, &[][..]),
        Node::Expression(Expr::SetComp(set)) => (None, &*set.generators, &[][..]),
        Node::Expression(Expr::DictComp(dict)) => (None, &*dict.generators, &[][..]),
        Node::Expression(Expr::Generator(lazy)) => (None, &*lazy.generators, &[][..]),
        Node::Expression(Expr::Call(call))
            if last_part(&call.func).is_some_and(|name| CONSUMERS.contains(&name)) =>
        {
            (None, &[][..], &*call.arguments.args)
        }
        _ => (None, &[][..], &[][..]),
    };
    one.into_iter().chain(generators.iter().map(|part| &part.iter)).chain(arguments)
}
