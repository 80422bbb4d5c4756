//! Which function of this file an expression means, and what stands in a function or statement. Knows the tree and the
//! bindings; must not know rules.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

use super::super::super::context::Context;
use super::super::super::depth;
use super::super::super::language::BODILESS;
use super::super::super::scope::{Binding, Bound, ScopeId, last_part};

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

/// Whether a statement or expression below these fulfils a condition; functions and classes in between run at another
/// time and are left out.
pub(super) fn any(body: &[Stmt], test: &mut dyn FnMut(Node<'_>) -> bool) -> bool {
    let mut search = Search { test, found: false };
    search.visit_body(body);
    search.found
}

/// As [`any`], below one expression.
pub(super) fn any_in(expression: &Expr, test: &mut dyn FnMut(Node<'_>) -> bool) -> bool {
    let mut search = Search { test, found: false };
    search.visit_expr(expression);
    search.found
}

/// A node that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'n> {
    /// A statement.
    Statement(&'n Stmt),
    /// An expression.
    Expression(&'n Expr),
}

/// Whether this waits on the loop: `await`, `async for`, `async with`.
pub(super) fn waits(node: Node<'_>) -> bool {
    match node {
        Node::Statement(Stmt::For(each)) => each.is_async,
        Node::Statement(Stmt::With(with)) => with.is_async,
        Node::Expression(Expr::Await(_)) => true,
        Node::Expression(Expr::ListComp(list)) => list.generators.iter().any(|part| part.is_async),
        Node::Expression(Expr::SetComp(set)) => set.generators.iter().any(|part| part.is_async),
        Node::Expression(Expr::DictComp(dict)) => dict.generators.iter().any(|part| part.is_async),
        _ => false,
    }
}

/// Whether an expression mentions a name.
pub(super) fn mentions(expression: &Expr, name: &str) -> bool {
    any_in(
        expression,
        &mut |node| matches!(node, Node::Expression(Expr::Name(found)) if found.id.as_str() == name),
    )
}

struct Search<'t> {
    test: &'t mut dyn FnMut(Node<'_>) -> bool,
    found: bool,
}

impl<'a> Visitor<'a> for Search<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if self.found || matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            return;
        }
        self.found = (self.test)(Node::Statement(statement));
        if !self.found {
            depth::grow(|| visitor::walk_stmt(self, statement));
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if self.found || expression.is_lambda_expr() {
            return;
        }
        self.found = (self.test)(Node::Expression(expression));
        if !self.found {
            depth::grow(|| visitor::walk_expr(self, expression));
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
