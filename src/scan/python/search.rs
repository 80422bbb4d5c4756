//! Looking through statements and expressions for something, as far as they run together. Knows the tree only.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};

use super::depth;

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
