//! Reads the scopes of a file off its tree, in one walk.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Comprehension, ExceptHandler, Expr, Parameters, Stmt, StmtClassDef, StmtFunctionDef};
use rustc_hash::FxHashMap;

use super::{Binding, Bound, Scope, ScopeId, ScopeKind, Scopes, address, elements, last_part};
use crate::scan::python::depth;
use crate::scan::python::language::UNTYPED;

pub(super) fn build(body: &[Stmt]) -> Scopes<'_> {
    let mut builder = Builder {
        scopes: Scopes { all: Vec::new(), by_node: FxHashMap::default(), stars: Vec::new(), depth: 0 },
        here: ScopeId::MODULE,
        depth: 0,
    };
    builder.scopes.all.push(Scope::new(ScopeKind::Module, None));
    builder.visit_body(body);
    builder.scopes
}

struct Builder<'a> {
    scopes: Scopes<'a>,
    here: ScopeId,
    depth: u32,
}

impl<'a> Builder<'a> {
    fn scope(&mut self) -> &mut Scope<'a> {
        &mut self.scopes.all[self.here.index()]
    }

    fn open<T>(&mut self, node: &'a T, kind: ScopeKind<'a>) -> ScopeId {
        let id = ScopeId(self.scopes.all.len() as u32);
        self.scopes.all.push(Scope::new(kind, Some(self.here)));
        self.scopes.by_node.insert(address(node), id);
        std::mem::replace(&mut self.here, id)
    }

    fn bind(&mut self, name: &'a str, what: Binding<'a>) {
        self.bind_in(self.here, name, what);
    }

    fn bind_in(&mut self, scope: ScopeId, name: &'a str, what: Binding<'a>) {
        let owner = self.scopes.get(scope).elsewhere.get(name).copied().unwrap_or(scope);
        let names = &mut self.scopes.all[owner.index()].names;
        names.entry(name).or_default().push(Bound { scope: self.here, what });
    }

    /// Binds every name of a target; `whole` is what the target as a whole gets.
    fn bind_target(&mut self, target: &'a Expr, whole: Binding<'a>) {
        match target {
            Expr::Name(name) => self.bind(name.id.as_str(), whole),
            Expr::Starred(starred) => self.bind_target(&starred.value, Binding::Other),
            Expr::Attribute(attribute) => {
                if let Expr::Name(base) = &*attribute.value
                    && let Some((class, false)) = self.scopes.receiver(base.id.as_str(), self.here)
                {
                    let bound = Bound { scope: self.here, what: whole };
                    let attributes = &mut self.scopes.all[class.index()].attributes;
                    attributes.entry(attribute.attr.as_str()).or_default().push(bound);
                }
            }
            Expr::Tuple(_) | Expr::List(_) => {
                let parts = elements(target).unwrap_or_default();
                let values = match whole {
                    Binding::Value(value) => elements(value).filter(|values| values.len() == parts.len()),
                    _ => None,
                };
                let starred = parts.iter().any(Expr::is_starred_expr);
                for (index, part) in parts.iter().enumerate() {
                    let what = match (whole, values) {
                        (_, Some(values)) if !starred && !values[index].is_starred_expr() => {
                            Binding::Value(&values[index])
                        }
                        (Binding::Value(value), _) if !starred => Binding::Part(value, index),
                        (Binding::Element(value), _) if !starred => Binding::ElementPart(value, index),
                        _ => Binding::Other,
                    };
                    self.bind_target(part, what);
                }
            }
            _ => {}
        }
    }

    fn bind_parameters(&mut self, parameters: &'a Parameters) {
        for (position, given) in (0..).zip(parameters.posonlyargs.iter().chain(&parameters.args)) {
            let what = Binding::Parameter(&given.parameter, Some(position), given.default.as_deref());
            self.bind(given.parameter.name.as_str(), what);
        }
        for given in &parameters.kwonlyargs {
            let what = Binding::Parameter(&given.parameter, None, given.default.as_deref());
            self.bind(given.parameter.name.as_str(), what);
        }
        for variadic in [&parameters.vararg, &parameters.kwarg].into_iter().flatten() {
            self.bind(variadic.name.as_str(), Binding::Other);
        }
    }

    fn function(&mut self, function: &'a StmtFunctionDef) {
        self.bind(function.name.as_str(), Binding::Function(function));
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        self.visit_parameters(&function.parameters);
        let outer = self.open(function, ScopeKind::Function(function));
        self.bind_parameters(&function.parameters);
        self.visit_body(&function.body);
        self.here = outer;
    }

    fn class(&mut self, class: &'a StmtClassDef) {
        self.bind(class.name.as_str(), Binding::Class(class));
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        let outer = self.open(class, ScopeKind::Class(class));
        self.visit_body(&class.body);
        self.here = outer;
    }

    fn comprehension(&mut self, whole: &'a Expr, parts: &[&'a Expr], generators: &'a [Comprehension]) {
        // The first iterable is evaluated outside.
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let outer = self.open(whole, ScopeKind::Comprehension(whole));
        for (index, generator) in generators.iter().enumerate() {
            if index > 0 {
                self.visit_expr(&generator.iter);
            }
            self.bind_target(&generator.target, Binding::Element(&generator.iter));
            for condition in &generator.ifs {
                self.visit_expr(condition);
            }
        }
        for part in parts {
            self.visit_expr(part);
        }
        self.here = outer;
    }

    fn hand_over(&mut self, name: &'a str, to: ScopeId) {
        self.scope().elsewhere.insert(name, to);
    }

    /// The function around this one, where `nonlocal` looks first.
    fn outer_function(&self) -> ScopeId {
        let mut here = self.scopes.get(self.here).parent;
        while let Some(id) = here {
            if matches!(self.scopes.get(id).kind, ScopeKind::Function(_) | ScopeKind::Lambda(_)) {
                return id;
            }
            here = self.scopes.get(id).parent;
        }
        ScopeId::MODULE
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => return self.function(function),
            Stmt::ClassDef(class) => return self.class(class),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.as_str();
                    let first = module.split('.').next().unwrap_or(module);
                    let (name, module) =
                        alias.asname.as_ref().map_or((first, first), |name| (name.as_str(), module));
                    self.bind(name, Binding::Import { module, level: 0, member: None });
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    let member = alias.name.as_str();
                    if member == "*" {
                        self.scopes.stars.push((module, import.level));
                        continue;
                    }
                    let name = alias.asname.as_ref().map_or(member, |name| name.as_str());
                    self.bind(name, Binding::Import { module, level: import.level, member: Some(member) });
                }
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.bind_target(target, Binding::Value(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) => {
                // `Final` alone promises no type; the value says it.
                let names_a_type = last_part(&assign.annotation).is_none_or(|name| !UNTYPED.contains(&name));
                if names_a_type || assign.value.is_none() {
                    self.bind_target(&assign.target, Binding::Annotated(&assign.annotation));
                }
                if let Some(value) = &assign.value {
                    self.bind_target(&assign.target, Binding::Value(value));
                }
            }
            Stmt::AugAssign(assign) => self.bind_target(&assign.target, Binding::Other),
            Stmt::For(each) => self.bind_target(&each.target, Binding::Element(&each.iter)),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.bind_target(target, Binding::Entered(&item.context_expr));
                    }
                }
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.hand_over(name.as_str(), ScopeId::MODULE);
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                let outer = self.outer_function();
                for name in &nonlocal.names {
                    self.hand_over(name.as_str(), outer);
                }
            }
            Stmt::Return(done) => {
                if let Some(value) = &done.value {
                    self.scope().returns.push(value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn expression(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
                let outer = self.open(lambda, ScopeKind::Lambda(lambda));
                if let Some(parameters) = &lambda.parameters {
                    self.bind_parameters(parameters);
                }
                self.scope().returns.push(&lambda.body);
                self.visit_expr(&lambda.body);
                self.here = outer;
            }
            Expr::ListComp(list) => self.comprehension(expression, &[&list.elt], &list.generators),
            Expr::SetComp(set) => self.comprehension(expression, &[&set.elt], &set.generators),
            Expr::Generator(generator) => {
                self.comprehension(expression, &[&generator.elt], &generator.generators);
            }
            Expr::DictComp(dict) => match &dict.key {
                Some(key) => self.comprehension(expression, &[key, &dict.value], &dict.generators),
                None => self.comprehension(expression, &[&dict.value], &dict.generators),
            },
            Expr::Named(named) => {
                // A walrus in a comprehension binds in the function around it.
                let owner = self.scopes.running(self.here);
                if let Expr::Name(name) = &*named.target {
                    self.bind_in(owner, name.id.as_str(), Binding::Value(&named.value));
                }
                self.visit_expr(&named.value);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                let owner = self.scopes.running(self.here);
                self.scopes.all[owner.index()].is_generator = true;
                visitor::walk_expr(self, expression);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}

impl<'a> Visitor<'a> for Builder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.depth += 1;
        self.scopes.depth = self.scopes.depth.max(self.depth);
        depth::grow(|| self.statement(statement));
        self.depth -= 1;
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        // Most nodes are leaves, and leaves bind nothing.
        if matches!(expression, Expr::Name(_) | Expr::StringLiteral(_) | Expr::NumberLiteral(_)) {
            return;
        }
        self.depth += 1;
        self.scopes.depth = self.scopes.depth.max(self.depth);
        depth::grow(|| self.expression(expression));
        self.depth -= 1;
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let (Some(name), Some(caught)) = (&inner.name, &inner.type_) {
            self.bind(name.as_str(), Binding::Caught(caught));
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ruff_python_ast::Pattern) {
        use ruff_python_ast::Pattern;
        let name = match pattern {
            Pattern::MatchAs(part) => part.name.as_ref(),
            Pattern::MatchStar(part) => part.name.as_ref(),
            Pattern::MatchMapping(part) => part.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str(), Binding::Other);
        }
        depth::grow(|| visitor::walk_pattern(self, pattern));
    }
}
