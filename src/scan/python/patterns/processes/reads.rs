//! Where a name is read.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use crate::scan::python::depth;

/// Collects the places where a name is read, functions inside included.
pub(super) struct Reads<'t> {
    name: &'t str,
    found: Vec<TextSize>,
}

impl<'t> Reads<'t> {
    pub(super) fn of(body: &[Stmt], name: &'t str) -> Vec<TextSize> {
        let mut reads = Self { name, found: Vec::new() };
        reads.visit_body(body);
        reads.found
    }
}

impl<'a> Visitor<'a> for Reads<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && name.ctx.is_load()
            && name.id.as_str() == self.name
        {
            self.found.push(expression.start());
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }
}
