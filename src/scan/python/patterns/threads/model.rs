//! One file as the questions about threads need it: per function its calls, with the locks held at each, and the
//! threads it starts. Knows names and the catalogue; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprAttribute, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;

use crate::catalog::{Argument, Effect, Language, Mark, Offload};
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::resolve::Names;
use crate::scan::python::scope::{Binding, ScopeId, argument};

/// A variable that can be told from others: of a module or function, or an attribute of the instances of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Variable<'a> {
    /// The module, the function, or the class.
    pub(super) owner: ScopeId,
    /// Whether it is an attribute of `self`.
    pub(super) of_self: bool,
    /// Its name.
    pub(super) name: &'a str,
}

/// What a `with` holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    /// The lock as written.
    pub(super) node: &'a Expr,
    /// Which lock; `None` where that cannot be told.
    pub(super) lock: Option<Variable<'a>>,
    /// Whether its holder may take it again; `None` where it may be no lock at all.
    pub(super) reentrant: Option<bool>,
}

/// A lock being taken with `with`, and what is held then.
#[derive(Debug)]
pub(super) struct Taking<'a> {
    pub(super) scope: ScopeId,
    pub(super) taken: Held<'a>,
    pub(super) held: Vec<Held<'a>>,
    /// Whether something is awaited before it is given back.
    pub(super) awaits: bool,
}

/// A call, and what is held then.
#[derive(Debug)]
pub(super) struct Calling<'a> {
    pub(super) scope: ScopeId,
    pub(super) call: &'a ExprCall,
    pub(super) held: Vec<Held<'a>>,
    /// The function of this file it calls, and whether on `self`.
    pub(super) calls: Option<(ScopeId, bool)>,
}

/// A function handed over to run elsewhere.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) scope: ScopeId,
    pub(super) call: &'a ExprCall,
    /// What is called to start it.
    pub(super) callee: String,
    /// The argument that is the function.
    pub(super) function: &'a Expr,
    /// The function of this file it is.
    pub(super) runs: Option<ScopeId>,
}

/// `lock.acquire()` as a statement of its own.
#[derive(Debug)]
pub(super) struct Acquire<'a> {
    pub(super) scope: ScopeId,
    pub(super) statement: &'a Stmt,
    pub(super) lock: &'a Expr,
    /// What follows it in its block.
    pub(super) then: &'a [Stmt],
}

/// A mention of a thread-local.
#[derive(Debug)]
pub(super) struct Local<'a> {
    pub(super) scope: ScopeId,
    pub(super) variable: Variable<'a>,
    /// The attribute of it that is meant; `None` where it is handed on itself.
    pub(super) attribute: Option<&'a ExprAttribute>,
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) takings: Vec<Taking<'a>>,
    pub(super) callings: Vec<Calling<'a>>,
    pub(super) starts: Vec<Start<'a>>,
    pub(super) acquires: Vec<Acquire<'a>>,
    /// The functions of the file, by the scope they open.
    pub(super) functions: BTreeMap<ScopeId, &'a ruff_python_ast::StmtFunctionDef>,
    /// Where the `daemon` of a thread is set after it was made: of which, and to what.
    pub(super) daemonising: Vec<(ScopeId, &'a Expr, &'a Expr)>,
    pub(super) locals: Vec<Local<'a>>,
    classes: FxHashMap<String, ScopeId>,
    /// What runs more than once: bodies of loops, and comprehensions.
    loops: Vec<TextRange>,
    /// Blocks of statements, in the order of the file.
    blocks: Vec<TextRange>,
}

impl<'a> Model<'a> {
    /// Reads a file.
    pub(super) fn of(context: &Context<'a>, body: &'a [Stmt]) -> Self {
        let mut reader = Reader {
            names: context.names,
            scope: ScopeId::MODULE,
            held: Vec::new(),
            open: Vec::new(),
            has_locals: context.mentions("local("),
            model: Model::default(),
        };
        reader.visit_body(body);
        let mut model = reader.model;
        model.link(context.names);
        model
    }

    /// Whether what stands here runs again and again in the file's order of things.
    pub(super) fn repeats(&self, range: TextRange) -> bool {
        self.loops.iter().any(|round| round.contains_range(range))
    }

    /// Whether whoever runs the one call comes by the other, as far as blocks tell: the block of the one holds both.
    pub(super) fn leads_to(&self, one: &ExprCall, other: &ExprCall) -> bool {
        let innermost = self.blocks.iter().rev().find(|block| block.contains_range(one.range()));
        innermost.is_some_and(|block| block.contains_range(other.range()))
    }

    /// Whether a call of this function runs it: a coroutine does nothing yet when it is called, and of a decorated one
    /// nobody knows.
    pub(super) fn runs_at_once(&self, function: ScopeId) -> bool {
        let function = self.functions.get(&function);
        function.is_some_and(|function| !function.is_async && function.decorator_list.is_empty())
    }

    /// These functions and all that run when they do, as far as calls within the file tell.
    pub(super) fn called_from(
        &self,
        names: &Names<'a>,
        entries: impl IntoIterator<Item = ScopeId>,
    ) -> BTreeSet<ScopeId> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<ScopeId> = entries.into_iter().collect();
        while let Some(function) = waiting.pop() {
            if !self.runs_at_once(function) || !reached.insert(function) {
                continue;
            }
            let calls = self.callings_of(names, function).filter_map(|calling| calling.calls);
            waiting.extend(calls.map(|(callee, _)| callee));
        }
        reached
    }

    /// The calls a function makes itself.
    pub(super) fn callings_of(
        &self,
        names: &Names<'a>,
        function: ScopeId,
    ) -> impl Iterator<Item = &Calling<'a>> {
        self.callings.iter().filter(move |calling| names.scopes.running(calling.scope) == function)
    }

    /// Says which functions of the file are called and started: only now are all of its classes known.
    fn link(&mut self, names: &Names<'a>) {
        for at in 0..self.callings.len() {
            let Calling { scope, call, .. } = self.callings[at];
            self.callings[at].calls = self.function(names, &call.func, scope);
        }
        for at in 0..self.starts.len() {
            let Start { scope, function, .. } = self.starts[at];
            self.starts[at].runs = self.function(names, function, scope).map(|(function, _)| function);
        }
    }

    /// The function of the file that an expression names, and whether as a method of `self`.
    fn function(&self, names: &Names<'a>, expression: &Expr, scope: ScopeId) -> Option<(ScopeId, bool)> {
        let scopes = names.scopes;
        let (bound, of_self) = match expression {
            Expr::Name(name) => (scopes.lookup(name.id.as_str(), scope)?.1, false),
            Expr::Attribute(attribute) => {
                let receiver = match &*attribute.value {
                    Expr::Name(name) => scopes.receiver(name.id.as_str(), scope),
                    _ => None,
                };
                let class = match receiver {
                    Some((class, _)) => class,
                    None => *self.classes.get(&names.type_of(&attribute.value, scope)?)?,
                };
                (scopes.member(class, attribute.attr.as_str()), receiver.is_some())
            }
            _ => return None,
        };
        let [only] = bound else { return None };
        let Binding::Function(function) = only.what else { return None };
        Some((scopes.opened_by(function)?, of_self))
    }
}

/// Which variable an expression is, where it can be told and is bound in one place alone.
pub(super) fn variable<'a>(names: &Names<'a>, expression: &'a Expr, scope: ScopeId) -> Option<Variable<'a>> {
    let scopes = names.scopes;
    match expression {
        Expr::Name(name) => {
            let (owner, bound) = scopes.lookup(name.id.as_str(), scope)?;
            let [only] = bound else { return None };
            matches!(only.what, Binding::Value(_)).then_some(Variable {
                owner,
                of_self: false,
                name: name.id.as_str(),
            })
        }
        Expr::Attribute(attribute) => {
            let Expr::Name(base) = &*attribute.value else { return None };
            let (class, _) = scopes.receiver(base.id.as_str(), scope)?;
            let name = attribute.attr.as_str();
            let places = scopes.member(class, name).len() + scopes.attribute(class, name).len();
            (places == 1).then_some(Variable { owner: class, of_self: true, name })
        }
        _ => None,
    }
}

struct Reader<'a, 'n> {
    names: &'n Names<'a>,
    scope: ScopeId,
    held: Vec<Held<'a>>,
    /// The takings that are not given back yet, as places in the model.
    open: Vec<usize>,
    /// Whether the file may make thread-locals.
    has_locals: bool,
    model: Model<'a>,
}

impl<'a> Reader<'a, '_> {
    fn inside(&mut self, opened: Option<ScopeId>, work: impl FnOnce(&mut Self)) {
        let opened = opened.unwrap_or(self.scope);
        let outer = std::mem::replace(&mut self.scope, opened);
        work(self);
        self.scope = outer;
    }

    /// A function or class: what is held where it is defined is not held when it runs.
    fn apart(&mut self, opened: Option<ScopeId>, work: impl FnOnce(&mut Self)) {
        let (held, open) = (std::mem::take(&mut self.held), std::mem::take(&mut self.open));
        self.inside(opened, work);
        (self.held, self.open) = (held, open);
    }

    fn has(&self, kind: &str, mark: Mark) -> bool {
        self.names.catalog.has(Language::Python, kind, mark)
    }

    fn held(&self, node: &'a Expr) -> Held<'a> {
        let kind = match node {
            Expr::Name(_) | Expr::Attribute(_) => self.names.type_of(node, self.scope),
            // What a function of the file gives may be a lock of others as well.
            Expr::Call(call) if makes_lock(self.names, call, self.scope) => {
                self.names.type_of(node, self.scope)
            }
            _ => None,
        };
        let lock = kind.as_deref().is_some_and(|kind| self.has(kind, Mark::Lock));
        let reentrant = kind.as_deref().is_some_and(|kind| self.has(kind, Mark::ReentrantLock));
        Held {
            node,
            lock: if lock || reentrant { variable(self.names, node, self.scope) } else { None },
            reentrant: (lock || reentrant).then_some(reentrant),
        }
    }

    /// Which thread-local an expression is.
    fn local(&self, expression: &'a Expr) -> Option<Variable<'a>> {
        let is_read = match expression {
            Expr::Name(name) => name.ctx.is_load(),
            Expr::Attribute(attribute) => attribute.ctx.is_load(),
            _ => false,
        };
        let kind = self.names.type_of(expression, self.scope).filter(|_| self.has_locals && is_read)?;
        self.has(&kind, Mark::ThreadLocal).then(|| variable(self.names, expression, self.scope))?
    }

    fn with(&mut self, with: &'a ruff_python_ast::StmtWith) {
        let (held, open) = (self.held.len(), self.open.len());
        for item in &with.items {
            self.visit_expr(&item.context_expr);
            if let Some(target) = &item.optional_vars {
                self.visit_expr(target);
            }
            let taken = self.held(&item.context_expr);
            if taken.reentrant.is_some() && !with.is_async {
                self.open.push(self.model.takings.len());
                self.model.takings.push(Taking {
                    scope: self.scope,
                    taken,
                    held: self.held.clone(),
                    awaits: false,
                });
            }
            self.held.push(taken);
        }
        self.visit_body(&with.body);
        self.held.truncate(held);
        self.open.truncate(open);
    }

    fn round(&mut self, body: &[Stmt]) {
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            self.model.loops.push(TextRange::new(first.start(), last.end()));
        }
    }

    fn awaits(&mut self) {
        for at in &self.open {
            self.model.takings[*at].awaits = true;
        }
    }

    fn call(&mut self, call: &'a ExprCall) {
        self.model.callings.push(Calling { scope: self.scope, call, held: self.held.clone(), calls: None });
        let Some(callee) = self.names.resolve(&call.func, self.scope) else { return };
        let effect = self.names.catalog.find(Language::Python, &callee).map(|api| &api.effect);
        let given = match effect {
            Some(Effect::Offloads { to: Offload::Thread, function: Argument::At(position, keyword) }) => {
                argument(call, *position, keyword.as_deref().unwrap_or_default())
            }
            Some(Effect::Offloads { to: Offload::Thread, function: Argument::Named(keyword) }) => {
                argument(call, usize::MAX - 1, keyword)
            }
            // One that waits until all of them are done.
            _ if self.has(&callee, Mark::Maps) && self.has(owner(&callee), Mark::ThreadPool) => {
                argument(call, 0, "func")
            }
            _ => None,
        };
        if let Some(function) = given {
            self.model.starts.push(Start { scope: self.scope, call, callee, function, runs: None });
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                let opened = self.names.scopes.opened_by(function);
                if let Some(opened) = opened {
                    self.model.functions.insert(opened, function);
                }
                self.apart(opened, |reader| reader.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                let opened = self.names.scopes.opened_by(class);
                if let Some(opened) = opened {
                    let name = format!("{}.{}", self.names.module, self.names.scopes.qualified(opened));
                    self.model.classes.insert(name.trim_start_matches('.').to_owned(), opened);
                }
                self.apart(opened, |reader| reader.visit_body(&class.body));
            }
            Stmt::With(with) => {
                if with.is_async {
                    self.awaits();
                }
                self.with(with);
            }
            Stmt::For(each) => {
                if each.is_async {
                    self.awaits();
                }
                self.round(&each.body);
                visitor::walk_stmt(self, statement);
            }
            Stmt::While(until) => {
                self.round(&until.body);
                visitor::walk_stmt(self, statement);
            }
            Stmt::Assign(assign) => {
                for target in assign.targets.iter().filter_map(Expr::as_attribute_expr) {
                    if target.attr.as_str() == "daemon" {
                        self.model.daemonising.push((self.scope, &target.value, &assign.value));
                    }
                }
                visitor::walk_stmt(self, statement);
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn expression(&mut self, expression: &'a Expr) {
        let opened = match expression {
            Expr::Lambda(lambda) => {
                let opened = self.names.scopes.opened_by(lambda);
                return self.apart(opened, |reader| reader.visit_expr(&lambda.body));
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.model.loops.push(expression.range());
                self.names.scopes.opened_by(expression)
            }
            Expr::Await(_) => {
                self.awaits();
                None
            }
            Expr::Call(call) => {
                self.call(call);
                None
            }
            Expr::Attribute(attribute) => {
                let of_it = self.local(&attribute.value).map(|local| (local, Some(attribute)));
                let mention = of_it.or_else(|| self.local(expression).map(|local| (local, None)));
                if let Some((variable, attribute)) = mention {
                    return self.model.locals.push(Local { scope: self.scope, variable, attribute });
                }
                None
            }
            _ => None,
        };
        self.inside(opened, |reader| visitor::walk_expr(reader, expression));
    }
}

impl<'a> Visitor<'a> for Reader<'a, '_> {
    fn visit_body(&mut self, body: &'a [Stmt]) {
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            self.model.blocks.push(TextRange::new(first.start(), last.end()));
        }
        for (at, statement) in body.iter().enumerate() {
            if let Some(lock) = acquired(statement)
                && self.held(lock).reentrant.is_some()
            {
                let then = &body[at + 1..];
                self.model.acquires.push(Acquire { scope: self.scope, statement, lock, then });
            }
            self.visit_stmt(statement);
        }
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        depth::grow(|| self.statement(statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::StringLiteral(_) | Expr::NumberLiteral(_) => {}
            Expr::Name(_) => {
                let mention = self.local(expression);
                let of = |variable| Local { scope: self.scope, variable, attribute: None };
                self.model.locals.extend(mention.map(of));
            }
            _ => depth::grow(|| self.expression(expression)),
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

/// The lock of `lock.acquire()`, waiting as long as it takes.
fn acquired(statement: &Stmt) -> Option<&Expr> {
    let Stmt::Expr(statement) = statement else { return None };
    let (lock, call) = method(&statement.value, "acquire")?;
    call.arguments.is_empty().then_some(lock)
}

/// The type a method belongs to, or the module a function is of.
pub(super) fn owner(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(owner, _)| owner)
}

/// Whether a call makes a lock.
pub(super) fn makes_lock(names: &Names<'_>, call: &ExprCall, scope: ScopeId) -> bool {
    let made = names.resolve(&call.func, scope);
    let made = made.as_deref().and_then(|made| names.catalog.returns(Language::Python, made));
    let is = |mark| made.is_some_and(|made| names.catalog.has(Language::Python, made, mark));
    is(Mark::Lock) || is(Mark::ReentrantLock)
}

/// The receiver of a call of a method of this name.
pub(super) fn method<'a>(expression: &'a Expr, name: &str) -> Option<(&'a Expr, &'a ExprCall)> {
    let Expr::Call(call) = expression else { return None };
    let Expr::Attribute(attribute) = &*call.func else { return None };
    (attribute.attr.as_str() == name).then_some((&attribute.value, call))
}
