//! What a pool is, which function a call hands to one, and what that function consists of. Knows types by the marks
//! of the catalogue; where a variable may hold pools of two kinds, or something unknown, it is no pool.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Keyword, Stmt, StmtFunctionDef};

use crate::catalog::{Argument, Effect, Language, Mark, Offload};
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::resolve::Names;
use crate::scan::python::scope::{Binding, ScopeId, ScopeKind, argument};

/// How far bindings that refer to each other are followed.
const STEPS: u32 = 8;

/// A call that hands a function to a pool.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Handed<'a> {
    /// Where the function runs.
    pub(in super::super) to: Offload,
    /// The function as it is written.
    pub(in super::super) function: &'a Expr,
    /// The pool as it is written.
    pub(in super::super) pool: &'a Expr,
    /// Whether it runs once per item of an iterable.
    pub(in super::super) maps: bool,
    /// Whether the call comes back before the function has run.
    pub(in super::super) later: bool,
    /// Whether the call gives a future.
    pub(in super::super) future: bool,
    /// The arguments of the call beside the function.
    pub(in super::super) others: &'a [Expr],
    /// And those with keywords.
    pub(in super::super) keywords: &'a [Keyword],
}

/// A function of this file.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Defined<'a> {
    pub(in super::super) function: &'a StmtFunctionDef,
    /// The scope it opens.
    pub(in super::super) scope: ScopeId,
    /// The scope it stands in.
    pub(in super::super) owner: ScopeId,
}

/// Whether a type is a pool, and of what.
pub(super) fn kind(names: &Names<'_>, ty: &str) -> Option<Offload> {
    if names.catalog.has(Language::Python, ty, Mark::ProcessPool) {
        return Some(Offload::Process);
    }
    names.catalog.has(Language::Python, ty, Mark::ThreadPool).then_some(Offload::Thread)
}

/// The type of pool that a call makes.
pub(super) fn made(context: &Context<'_>, call: &ExprCall) -> Option<(String, Offload)> {
    if !matches!(&*call.func, Expr::Name(_) | Expr::Attribute(_)) {
        return None;
    }
    made_by(context.names, &context.callee(call)?)
}

/// As [`made`], for a call that stands in this scope.
pub(super) fn made_in(names: &Names<'_>, call: &ExprCall, scope: ScopeId) -> Option<(String, Offload)> {
    if !matches!(&*call.func, Expr::Name(_) | Expr::Attribute(_)) {
        return None;
    }
    made_by(names, &names.resolve(&call.func, scope)?)
}

fn made_by(names: &Names<'_>, callee: &str) -> Option<(String, Offload)> {
    let ty = match names.catalog.canonical(Language::Python, callee) {
        Some(_) => callee,
        None => names.catalog.returns(Language::Python, callee)?,
    };
    kind(names, ty).map(|kind| (ty.to_owned(), kind))
}

/// The type that an expression has whichever of its bindings counts; `None` where one of them is not known.
pub(super) fn sure_type(names: &Names<'_>, expression: &Expr, scope: ScopeId) -> Option<String> {
    sure(names, expression, scope, STEPS)
}

fn sure(names: &Names<'_>, expression: &Expr, scope: ScopeId, steps: u32) -> Option<String> {
    let steps = steps.checked_sub(1)?;
    let bound = match expression {
        Expr::Name(name) => match names.scopes.receiver(name.id.as_str(), scope) {
            Some(_) => return names.type_of(expression, scope),
            None => names.scopes.lookup(name.id.as_str(), scope)?.1,
        },
        Expr::Attribute(attribute) => {
            let Expr::Name(base) = &*attribute.value else { return names.type_of(expression, scope) };
            let Some((class, _)) = names.scopes.receiver(base.id.as_str(), scope) else {
                return names.type_of(expression, scope);
            };
            match names.scopes.member(class, attribute.attr.as_str()) {
                [] => names.scopes.attribute(class, attribute.attr.as_str()),
                members => members,
            }
        }
        Expr::If(choice) => {
            let first = sure(names, &choice.body, scope, steps)?;
            return (sure(names, &choice.orelse, scope, steps)? == first).then_some(first);
        }
        Expr::BoolOp(_) => return None,
        _ => return names.type_of(expression, scope),
    };
    let mut known: Option<String> = None;
    for bound in bound {
        let ty = match bound.what {
            Binding::Value(value) if value.is_none_literal_expr() => continue,
            Binding::Value(value) => sure(names, value, bound.scope, steps)?,
            Binding::Entered(_) | Binding::Parameter(..) | Binding::Annotated(_) if known.is_none() => {
                names.type_of(expression, scope)?
            }
            Binding::Entered(entered) => names.type_of(entered, bound.scope)?,
            _ => return None,
        };
        if known.as_ref().is_some_and(|known| *known != ty) {
            return None;
        }
        known = Some(ty);
    }
    known
}

/// What a call standing here hands to a pool.
pub(super) fn handed<'a>(context: &Context<'a>, call: &'a ExprCall) -> Option<Handed<'a>> {
    handed_in(context.names, call, context.scope())
}

/// As [`handed`], for a call that stands in this scope.
pub(in super::super) fn handed_in<'a>(
    names: &Names<'a>,
    call: &'a ExprCall,
    scope: ScopeId,
) -> Option<Handed<'a>> {
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let first = call.arguments.args.first();
    if first.is_none() && call.arguments.keywords.is_empty() {
        return None;
    }
    let receiver = sure_type(names, &attribute.value, scope)?;
    let catalog = names.catalog;
    let name = format!("{receiver}.{}", attribute.attr.as_str());
    let effect = catalog.find(Language::Python, &name).map(|api| &api.effect);
    let maps = catalog.has(Language::Python, &name, Mark::Maps);
    let at = match effect {
        Some(Effect::Offloads { function, .. }) => function.clone(),
        _ if maps => Argument::At(0, Some("func".to_owned())),
        _ => return None,
    };
    let function = given(call, &at)?;
    let (pool, to) = if let Some(kind) = kind(names, &receiver) {
        (&*attribute.value, kind)
    } else {
        // The loop's `run_in_executor`: the pool is handed in, in front of the function.
        let Argument::At(place @ 1.., _) = at else { return None };
        let pool = call.arguments.args.get(place - 1)?;
        (pool, kind(names, &sure_type(names, pool, scope)?)?)
    };
    let after = match at {
        Argument::At(place, _) => place + 1,
        Argument::Named(_) => 0,
    };
    Some(Handed {
        to,
        function,
        pool,
        maps,
        later: matches!(effect, Some(Effect::Offloads { .. })),
        future: catalog
            .returns(Language::Python, &name)
            .is_some_and(|ty| catalog.has(Language::Python, ty, Mark::Future)),
        others: call.arguments.args.get(after..).unwrap_or_default(),
        keywords: &call.arguments.keywords,
    })
}

/// The argument that the catalogue means.
pub(super) fn given<'a>(call: &'a ExprCall, which: &Argument) -> Option<&'a Expr> {
    match which {
        Argument::At(place, keyword) => argument(call, *place, keyword.as_deref().unwrap_or("")),
        Argument::Named(keyword) => argument(call, usize::MAX, keyword),
    }
}

/// What `functools.partial` wraps, or the expression itself, and what it is given.
pub(super) fn unwrapped<'a>(
    names: &Names<'_>,
    function: &'a Expr,
    scope: ScopeId,
) -> (&'a Expr, &'a [Expr], &'a [Keyword]) {
    if let Expr::Call(call) = function
        && names.resolve(&call.func, scope).as_deref() == Some("functools.partial")
        && let Some((inner, given)) = call.arguments.args.split_first()
    {
        return (inner, given, &call.arguments.keywords);
    }
    (function, &[], &[])
}

/// The function of this file that an expression names, where it can be no other.
pub(in super::super) fn defined<'a>(
    names: &Names<'a>,
    function: &Expr,
    scope: ScopeId,
) -> Option<Defined<'a>> {
    let (owner, bound) = match function {
        Expr::Name(name) => names.scopes.lookup(name.id.as_str(), scope)?,
        Expr::Attribute(attribute) => {
            let Expr::Name(base) = &*attribute.value else { return None };
            let (class, _) = names.scopes.receiver(base.id.as_str(), scope)?;
            (class, names.scopes.member(class, attribute.attr.as_str()))
        }
        _ => return None,
    };
    let [one] = bound else { return None };
    let Binding::Function(function) = one.what else { return None };
    Some(Defined { function, scope: names.scopes.opened_by(function)?, owner })
}

/// Whether a scope is a function's: what is bound in it cannot be reached by a name.
pub(super) fn is_local(names: &Names<'_>, scope: ScopeId) -> bool {
    !matches!(names.scopes.get(names.scopes.running(scope)).kind, ScopeKind::Module | ScopeKind::Class(_))
}

/// What a function does when it runs, without the functions in it.
pub(super) struct Body<'a, 'n> {
    names: &'n Names<'a>,
    scope: ScopeId,
    /// Its calls, and the scopes they stand in.
    pub(super) calls: Vec<(&'a ExprCall, ScopeId)>,
    /// Its statements.
    pub(super) statements: Vec<&'a Stmt>,
    /// Whether something in it is repeated.
    pub(super) repeats: bool,
}

impl<'a, 'n> Body<'a, 'n> {
    pub(super) fn of(names: &'n Names<'a>, function: &Defined<'a>) -> Self {
        Self::of_statements(names, &function.function.body, function.scope)
    }

    pub(super) fn of_statements(names: &'n Names<'a>, body: &'a [Stmt], scope: ScopeId) -> Self {
        let mut found = Self { names, scope, calls: Vec::new(), statements: Vec::new(), repeats: false };
        found.visit_body(body);
        found
    }
}

impl<'a> Visitor<'a> for Body<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.statements.push(statement);
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::For(_) | Stmt::While(_) => self.repeats = true,
            _ => {}
        }
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        let outer = self.scope;
        match expression {
            Expr::Lambda(_) => return,
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.repeats = true;
                self.scope = self.names.scopes.opened_by(expression).unwrap_or(outer);
            }
            Expr::Call(call) => self.calls.push((call, outer)),
            _ => {}
        }
        depth::grow(|| visitor::walk_expr(self, expression));
        self.scope = outer;
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
