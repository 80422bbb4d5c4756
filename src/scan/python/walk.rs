//! Walks one file once, with everything that stands around a node at hand, and asks the patterns and the collector of
//! facts about each node.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, Decorator, ExceptHandler, Expr, ExprLambda, Parameters, Stmt, StmtClassDef,
    StmtFunctionDef,
};

use super::collect::Collector;
use super::context::{Ancestor, Context};
use super::depth;
use super::patterns::{ASKED, Asked};
use super::scope::ScopeId;

/// Walks a module. Observations end up in the context, facts in the collector.
pub(super) fn walk<'a>(
    context: Context<'a>,
    collector: Collector<'a>,
    body: &'a [Stmt],
) -> (Context<'a>, Collector<'a>) {
    let mut walker = Walker { context, collector, asked: &ASKED };
    for visit in &walker.asked.modules {
        visit(&mut walker.context, body);
    }
    walker.visit_body(body);
    (walker.context, walker.collector)
}

struct Walker<'a> {
    context: Context<'a>,
    collector: Collector<'a>,
    asked: &'static Asked,
}

impl<'a> Walker<'a> {
    /// Does something with a node among the ancestors, in the scope it opens.
    fn inside(&mut self, node: Ancestor<'a>, opened: Option<ScopeId>, work: impl FnOnce(&mut Self)) {
        let outer = self.context.scope;
        self.context.ancestors.push(node);
        if let Some(opened) = opened {
            self.context.scope = opened;
        }
        work(self);
        self.context.scope = outer;
        self.context.ancestors.pop();
    }

    fn function(&mut self, statement: &'a Stmt, function: &'a StmtFunctionDef) {
        self.inside(Ancestor::Statement(statement), None, |walker| {
            for decorator in &function.decorator_list {
                walker.visit_decorator(decorator);
            }
            walker.visit_parameters(&function.parameters);
        });
        let opened = self.context.names.scopes.opened_by(function);
        self.collector.enter_function(&self.context, function, opened);
        self.inside(Ancestor::Statement(statement), opened, |walker| {
            for visit in &walker.asked.functions {
                visit(&mut walker.context, function);
            }
            walker.visit_body(&function.body);
        });
        self.collector.leave_function();
    }

    fn class(&mut self, statement: &'a Stmt, class: &'a StmtClassDef) {
        self.inside(Ancestor::Statement(statement), None, |walker| {
            for decorator in &class.decorator_list {
                walker.visit_decorator(decorator);
            }
            if let Some(arguments) = &class.arguments {
                walker.visit_arguments(arguments);
            }
        });
        let opened = self.context.names.scopes.opened_by(class);
        self.inside(Ancestor::Statement(statement), opened, |walker| {
            for visit in &walker.asked.classes {
                visit(&mut walker.context, class);
            }
            walker.visit_body(&class.body);
        });
    }

    fn lambda(&mut self, expression: &'a Expr, lambda: &'a ExprLambda) {
        if let Some(parameters) = &lambda.parameters {
            self.visit_parameters(parameters);
        }
        let opened = self.context.names.scopes.opened_by(lambda);
        self.collector.enter_lambda(&self.context, lambda, opened);
        self.inside(Ancestor::Expression(expression), opened, |walker| walker.visit_expr(&lambda.body));
        self.collector.leave_function();
    }

    fn comprehension(&mut self, whole: &'a Expr, parts: &[&'a Expr], generators: &'a [Comprehension]) {
        if let Some(first) = generators.first() {
            self.inside(Ancestor::Expression(whole), None, |walker| walker.visit_expr(&first.iter));
        }
        let opened = self.context.names.scopes.opened_by(whole);
        self.inside(Ancestor::Expression(whole), opened, |walker| {
            for (index, generator) in generators.iter().enumerate() {
                walker.collector.iterate(&walker.context, &generator.iter, generator.is_async);
                if index > 0 {
                    walker.visit_expr(&generator.iter);
                }
                for condition in &generator.ifs {
                    walker.visit_expr(condition);
                }
            }
            for part in parts {
                walker.visit_expr(part);
            }
        });
    }

    fn statement(&mut self, statement: &'a Stmt) {
        for visit in &self.asked.statements {
            visit(&mut self.context, statement);
        }
        match statement {
            Stmt::FunctionDef(function) => return self.function(statement, function),
            Stmt::ClassDef(class) => return self.class(statement, class),
            _ => {}
        }
        self.collector.statement(&self.context, statement);
        self.inside(Ancestor::Statement(statement), None, |walker| visitor::walk_stmt(walker, statement));
    }

    fn expression(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(lambda) => return self.lambda(expression, lambda),
            Expr::ListComp(list) => return self.comprehension(expression, &[&list.elt], &list.generators),
            Expr::SetComp(set) => return self.comprehension(expression, &[&set.elt], &set.generators),
            Expr::Generator(lazy) => return self.comprehension(expression, &[&lazy.elt], &lazy.generators),
            Expr::DictComp(dict) => {
                return match &dict.key {
                    Some(key) => self.comprehension(expression, &[key, &dict.value], &dict.generators),
                    None => self.comprehension(expression, &[&dict.value], &dict.generators),
                };
            }
            Expr::Call(call) => {
                self.context.meet(call);
                for visit in &self.asked.calls {
                    visit(&mut self.context, call);
                }
                self.collector.call(&self.context, call);
            }
            Expr::Attribute(attribute) => self.collector.read(&self.context, expression, attribute),
            _ => {}
        }
        self.inside(Ancestor::Expression(expression), None, |walker| visitor::walk_expr(walker, expression));
    }
}

impl<'a> Visitor<'a> for Walker<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| self.statement(statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if matches!(expression, Expr::Name(_) | Expr::StringLiteral(_) | Expr::NumberLiteral(_)) {
            return;
        }
        depth::grow(|| self.expression(expression));
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}

    fn visit_decorator(&mut self, decorator: &'a Decorator) {
        self.visit_expr(&decorator.expression);
    }

    fn visit_parameters(&mut self, parameters: &'a Parameters) {
        for given in parameters.iter_non_variadic_params() {
            if let Some(default) = &given.default {
                self.visit_expr(default);
            }
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        self.inside(Ancestor::Handler(handler), None, |walker| visitor::walk_except_handler(walker, handler));
    }

    fn visit_pattern(&mut self, pattern: &'a ruff_python_ast::Pattern) {
        depth::grow(|| visitor::walk_pattern(self, pattern));
    }
}
