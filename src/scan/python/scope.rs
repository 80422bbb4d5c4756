//! Who binds a name: the scopes of one file, and in each what its names were bound to. Knows Python's rules of scope
//! and the syntax tree; what a binding means is [`super::resolve`]'s business.
//!
//! Bindings are kept without an order: a name stands for everything it was ever bound to in its scope. That is right
//! for all that is called later than it is defined, and wrong only where one name is used for two things in turn.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, ExceptHandler, Expr, ExprCall, ExprLambda, Parameter, Parameters, Stmt, StmtClassDef,
    StmtFunctionDef,
};
use rustc_hash::FxHashMap;

use super::depth;

/// A scope of a file; the module itself is [`ScopeId::MODULE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(u32);

impl ScopeId {
    /// The module.
    pub const MODULE: Self = Self(0);

    /// Its place in the order of the file.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a scope belongs to.
#[derive(Debug, Clone, Copy)]
pub enum ScopeKind<'a> {
    /// The file.
    Module,
    /// The body of a class: its names are not seen by the functions in it.
    Class(&'a StmtClassDef),
    /// A function, a method, or an async one.
    Function(&'a StmtFunctionDef),
    /// A lambda.
    Lambda(&'a ExprLambda),
    /// A comprehension or a generator expression.
    Comprehension(&'a Expr),
}

/// What a name was bound to, once.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// `import module` (binds the first part), `import module as name`, `from module import member as name`.
    Import {
        /// As written; empty in `from . import member`.
        module: &'a str,
        /// How many dots precede it.
        level: u32,
        /// What is taken from it.
        member: Option<&'a str>,
    },
    /// `def name`.
    Function(&'a StmtFunctionDef),
    /// `class name`.
    Class(&'a StmtClassDef),
    /// `name = expression`, also as a part of an assignment of equally many.
    Value(&'a Expr),
    /// `name: annotation`, with or without a value.
    Annotated(&'a Expr),
    /// `first, name = expression`: the part with this index.
    Part(&'a Expr, usize),
    /// `for name in expression`.
    Element(&'a Expr),
    /// `for _, name in expression`: the part with this index.
    ElementPart(&'a Expr, usize),
    /// `with expression as name`.
    Entered(&'a Expr),
    /// A parameter, its position among the positional ones (`None` for keyword-only, `*args` and `**kwargs`), and its
    /// default.
    Parameter(&'a Parameter, Option<u32>, Option<&'a Expr>),
    /// `except expression as name`.
    Caught(&'a Expr),
    /// Something else: a pattern, a deletion, an unpacking too deep to follow.
    Other,
}

/// A binding, and the scope its expressions are to be read in.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// Where the expressions of `what` are evaluated.
    pub scope: ScopeId,
    /// What the name was bound to.
    pub what: Binding<'a>,
}

/// The names of one scope.
#[derive(Debug)]
pub struct Scope<'a> {
    /// What it belongs to.
    pub kind: ScopeKind<'a>,
    /// The scope around it; `None` for the module.
    pub parent: Option<ScopeId>,
    /// What its names were bound to, in order.
    names: FxHashMap<&'a str, Vec<Bound<'a>>>,
    /// Names that `global` or `nonlocal` hands to another scope.
    elsewhere: FxHashMap<&'a str, ScopeId>,
    /// Of a class: what its methods assign to `self.name`.
    attributes: FxHashMap<&'a str, Vec<Bound<'a>>>,
    /// Of a function: the values it returns.
    pub returns: Vec<&'a Expr>,
    /// Of a function: whether it yields.
    pub is_generator: bool,
}

/// All scopes of a file.
#[derive(Debug)]
pub struct Scopes<'a> {
    all: Vec<Scope<'a>>,
    by_node: FxHashMap<usize, ScopeId>,
    /// `from module import *` at module level: module and level.
    pub stars: Vec<(&'a str, u32)>,
    /// How deep the tree is: what walks it again needs that much stack.
    pub depth: u32,
}

impl<'a> Scopes<'a> {
    /// Reads the bindings of a module.
    #[must_use]
    pub fn of(body: &'a [Stmt]) -> Self {
        let mut builder = Builder {
            scopes: Self { all: Vec::new(), by_node: FxHashMap::default(), stars: Vec::new(), depth: 0 },
            here: ScopeId::MODULE,
            depth: 0,
        };
        builder.scopes.all.push(Scope::new(ScopeKind::Module, None));
        builder.visit_body(body);
        builder.scopes
    }

    /// A scope.
    #[must_use]
    pub fn get(&self, scope: ScopeId) -> &Scope<'a> {
        &self.all[scope.index()]
    }

    /// A scope by its place in the order of the file.
    #[must_use]
    pub fn at(&self, index: usize) -> &Scope<'a> {
        &self.all[index]
    }

    /// A name a scope binds, as long as the file lives.
    #[must_use]
    pub fn name_in(&self, scope: ScopeId, name: &str) -> Option<&'a str> {
        self.get(scope).names.get_key_value(name).map(|(name, _)| *name)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The scope that a function, class, lambda or comprehension of this tree opens.
    #[must_use]
    pub fn opened_by<T>(&self, node: &T) -> Option<ScopeId> {
        self.by_node.get(&address(node)).copied()
    }

    /// Who binds a name that is used in a scope, and to what; `None` for builtins and for what a star import brings.
    #[must_use]
    pub fn lookup(&self, name: &str, from: ScopeId) -> Option<(ScopeId, &[Bound<'a>])> {
        let mut here = from;
        loop {
            let scope = self.get(here);
            let seen = here == from || !matches!(scope.kind, ScopeKind::Class(_));
            if seen {
                if let Some(there) = scope.elsewhere.get(name) {
                    let bound = self.get(*there).names.get(name)?;
                    return Some((*there, bound));
                }
                if let Some(bound) = scope.names.get(name) {
                    return Some((here, bound));
                }
            }
            here = scope.parent?;
        }
    }

    /// The names a scope binds itself, in no order.
    pub fn names(&self, scope: ScopeId) -> impl Iterator<Item = (&'a str, &[Bound<'a>])> {
        self.get(scope).names.iter().map(|(name, bound)| (*name, bound.as_slice()))
    }

    /// What a class binds a name to in its body.
    #[must_use]
    pub fn member(&self, class: ScopeId, name: &str) -> &[Bound<'a>] {
        self.get(class).names.get(name).map_or(&[], Vec::as_slice)
    }

    /// What the methods of a class assign to `self.name`.
    #[must_use]
    pub fn attribute(&self, class: ScopeId, name: &str) -> &[Bound<'a>] {
        self.get(class).attributes.get(name).map_or(&[], Vec::as_slice)
    }

    /// All of [`attribute`](Self::attribute), in no order.
    pub fn attributes(&self, class: ScopeId) -> impl Iterator<Item = (&'a str, &[Bound<'a>])> {
        self.get(class).attributes.iter().map(|(name, bound)| (*name, bound.as_slice()))
    }

    /// The class whose method this function is.
    #[must_use]
    pub fn class_of(&self, function: ScopeId) -> Option<ScopeId> {
        let parent = self.get(function).parent?;
        matches!(self.get(parent).kind, ScopeKind::Class(_)).then_some(parent)
    }

    /// The function, lambda or module whose code runs a scope: comprehensions run in the function around them.
    #[must_use]
    pub fn running(&self, scope: ScopeId) -> ScopeId {
        let mut here = scope;
        while let ScopeKind::Comprehension(_) = self.get(here).kind {
            let Some(parent) = self.get(here).parent else { break };
            here = parent;
        }
        here
    }

    /// The class a name stands for as the first parameter of a method, and whether it is the class itself (`cls`).
    #[must_use]
    pub fn receiver(&self, name: &str, from: ScopeId) -> Option<(ScopeId, bool)> {
        let (scope, bound) = self.lookup(name, from)?;
        let first = matches!(bound, [Bound { what: Binding::Parameter(_, Some(0), _), .. }]);
        let ScopeKind::Function(function) = self.get(scope).kind else { return None };
        let class = self.class_of(scope)?;
        if !first || is_decorated(function, "staticmethod") {
            return None;
        }
        let of_class = is_decorated(function, "classmethod")
            || matches!(function.name.as_str(), "__new__" | "__init_subclass__" | "__class_getitem__");
        Some((class, of_class))
    }

    /// The qualified name of a scope within its module: `Class.method`, `outer.<locals>.inner`; empty for the module.
    /// Of scopes nested absurdly deep only the innermost are named.
    #[must_use]
    pub fn qualified(&self, scope: ScopeId) -> String {
        let mut parts = Vec::new();
        let mut here = Some(scope);
        while let Some(id) = here.filter(|_| parts.len() < MOST_PARTS) {
            let scope = self.get(id);
            match scope.kind {
                ScopeKind::Module | ScopeKind::Comprehension(_) => {}
                ScopeKind::Class(class) => parts.push(class.name.as_str()),
                ScopeKind::Function(function) => parts.push(function.name.as_str()),
                ScopeKind::Lambda(_) => parts.push("<lambda>"),
            }
            here = scope.parent;
            let in_function = here.map(|id| self.get(id).kind);
            if !matches!(scope.kind, ScopeKind::Module | ScopeKind::Comprehension(_))
                && matches!(in_function, Some(ScopeKind::Function(_) | ScopeKind::Lambda(_)))
            {
                parts.push("<locals>");
            }
        }
        parts.reverse();
        parts.join(".")
    }
}

/// Whether a function carries a decorator whose last part is this name.
#[must_use]
pub fn is_decorated(function: &StmtFunctionDef, name: &str) -> bool {
    function.decorator_list.iter().any(|decorator| last_part(&decorator.expression) == Some(name))
}

/// The last part of a dotted name, or of the one that is called: `d` of `a.d(…)`.
#[must_use]
pub fn last_part(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) => Some(name.id.as_str()),
            Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// A qualified name has no more parts than this.
const MOST_PARTS: usize = 32;

/// Nodes are told apart by where they are: the tree does not move while it is read.
fn address<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

impl<'a> Scope<'a> {
    fn new(kind: ScopeKind<'a>, parent: Option<ScopeId>) -> Self {
        Self {
            kind,
            parent,
            names: FxHashMap::default(),
            elsewhere: FxHashMap::default(),
            attributes: FxHashMap::default(),
            returns: Vec::new(),
            is_generator: false,
        }
    }
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
                self.bind_target(&assign.target, Binding::Annotated(&assign.annotation));
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

/// The parts of a tuple or list display.
#[must_use]
pub fn elements(expression: &Expr) -> Option<&[Expr]> {
    match expression {
        Expr::Tuple(tuple) => Some(&tuple.elts),
        Expr::List(list) => Some(&list.elts),
        _ => None,
    }
}

/// The argument of a call at a position or with a keyword.
#[must_use]
pub fn argument<'a>(call: &'a ExprCall, position: usize, keyword: &str) -> Option<&'a Expr> {
    let named =
        call.arguments.keywords.iter().find(|given| given.arg.as_ref().is_some_and(|arg| arg == keyword));
    if let Some(given) = named {
        return Some(&given.value);
    }
    let before = call.arguments.args.get(..=position)?;
    before.iter().all(|argument| !argument.is_starred_expr()).then(|| &before[position])
}
