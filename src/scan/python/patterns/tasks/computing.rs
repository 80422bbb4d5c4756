//! Functions that compute for long, as far as their text tells: arithmetic in loops, and nothing that waits, remembers
//! or reaches out. Knows functions of the file; what else may be called is listed with the rule.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Operator, Stmt};
use ruff_text_size::Ranged;

use super::super::super::context::{Ancestor, Context, Loop};
use super::super::super::depth;
use super::super::super::scope::{Binding, ScopeId, elements, last_part};
use super::super::processes::pools::{Defined, defined};
use super::definitions::{Node, any, mentions};
use super::overlap::independent;
use crate::catalog::{Effect, Language};
use crate::finding::Cost;

const RULE: &str = "cpu-loop-to-processes";
/// A number that is worked on in so many loops inside of each other takes its time.
const NESTED: u32 = 2;

/// `[count_primes(limit) for limit in limits]`.
pub(super) fn loops<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if call.arguments.is_empty() || context.in_async() || knows_processes(context) {
        return;
    }
    if !repeats_by_itself(context, call) || !computes(context, call, NESTED) {
        return;
    }
    let seen = context.observation(RULE, call, context.text(&*call.func));
    context.observe(seen);
}

/// A call in the body of a loop that computes with what another call there has fetched.
pub(super) fn after<'a>(context: &Context<'a>, fetch: &'a ExprCall, body: &'a [Stmt]) -> Option<&'a str> {
    if knows_processes(context) {
        return None;
    }
    let fetched = context.statement().and_then(|statement| match statement {
        Stmt::Assign(assign) => match &*assign.targets {
            [Expr::Name(name)] => Some(name.id.as_str()),
            _ => None,
        },
        _ => None,
    });
    let mut finder = Consumers { context, fetch, fetched, found: None };
    finder.visit_body(body);
    finder.found.map(|call| context.text(&*call.func))
}

/// Whoever has processes already has decided what they do.
fn knows_processes(context: &Context<'_>) -> bool {
    ["multiprocessing", "ProcessPool", "joblib"].iter().any(|word| context.mentions(word))
}

/// Whether the innermost loop around a call does it for each of its items, and no round needs, or ends with, another.
fn repeats_by_itself(context: &Context<'_>, call: &ExprCall) -> bool {
    match context.loops(call.range()).next() {
        Some(Loop::For(_)) => independent(context, call).is_some_and(|each| !any(&each.body, &mut escapes)),
        Some(Loop::Comprehension(whole)) => {
            let generators = match whole {
                Expr::ListComp(list) => &list.generators,
                Expr::DictComp(dict) => &dict.generators,
                _ => return false,
            };
            // What is computed for a condition ends, or thins out, what comes after it.
            let is_element =
                matches!(context.parent(), Some(Ancestor::Expression(around)) if std::ptr::eq(around, whole));
            let [only] = &**generators else { return false };
            let targets = elements(&only.target).unwrap_or(std::slice::from_ref(&only.target));
            let uses = |target: &Expr| match target {
                Expr::Name(name) => {
                    call.arguments.args.iter().any(|argument| mentions(argument, name.id.as_str()))
                }
                _ => false,
            };
            is_element && only.ifs.is_empty() && !is_few(&only.iter) && targets.iter().any(uses)
        }
        _ => false,
    }
}

/// What makes the rounds of a loop depend on each other, or on the world.
fn escapes(node: Node<'_>) -> bool {
    matches!(
        node,
        Node::Statement(
            Stmt::AugAssign(_) | Stmt::Continue(_) | Stmt::Try(_) | Stmt::With(_) | Stmt::Global(_)
        )
    )
}

/// A display of a few items, or a `range` with literal ends.
fn is_few(iterable: &Expr) -> bool {
    elements(iterable).is_some()
        || matches!(iterable, Expr::Call(call) if last_part(&call.func) == Some("range")
            && call.arguments.args.iter().all(Expr::is_number_literal_expr))
}

/// Whether what a call standing here calls computes for long, with the GIL held.
fn computes(context: &Context<'_>, call: &ExprCall, nested: u32) -> bool {
    match defined(context.names, &call.func, context.scope()) {
        Some(function) if matches!(&*call.func, Expr::Name(_)) => works(context, &function, nested),
        Some(_) => false,
        None => context.callee(call).is_some_and(|name| {
            let api = context.names.catalog.find(Language::Python, &name);
            matches!(
                api.map(|api| &api.effect),
                Some(Effect::Computes { cost: Cost::Large, releases_gil: Some(false) })
            )
        }),
    }
}

/// Whether a function does arithmetic in loops nested this deep, and nothing but compute.
fn works(context: &Context<'_>, function: &Defined<'_>, nested: u32) -> bool {
    let definition = function.function;
    let generates = context.names.scopes.get(function.scope).is_generator;
    if definition.is_async || generates || !definition.decorator_list.is_empty() {
        return false;
    }
    let mut work = Work { context, scope: function.scope, nested: 0, deepest: 0, pure: true };
    work.visit_body(&definition.body);
    work.pure && work.deepest >= nested
}

struct Work<'c, 'a> {
    context: &'c Context<'a>,
    scope: ScopeId,
    /// Loops around the node at hand.
    nested: u32,
    /// Loops around the arithmetic with the most of them.
    deepest: u32,
    /// Whether nothing was seen that does more than compute.
    pure: bool,
}

impl Work<'_, '_> {
    fn repeated(&mut self, work: impl FnOnce(&mut Self)) {
        self.nested += 1;
        work(self);
        self.nested -= 1;
    }

    /// Takes note of an operation. Some are as well one of strings, sets or arrays.
    fn computes(&mut self, operator: Operator) {
        if !matches!(operator, Operator::Add | Operator::BitOr | Operator::BitAnd | Operator::MatMult) {
            self.deepest = self.deepest.max(self.nested);
        }
    }

    /// Whether a call does no more than compute: what is listed with the rule, and methods of such modules and types.
    fn is_pure(&self, call: &ExprCall) -> bool {
        let Some(name) = self.context.names.resolve(&call.func, self.scope) else { return false };
        let owner = name.rsplit_once('.').map_or("", |(owner, _)| owner);
        let listed = |word| self.context.thresholds.lists(RULE, "pure", word);
        listed(&name) || listed(owner)
    }

    /// Whether a target belongs to this call of the function alone.
    fn is_own(&self, target: &Expr) -> bool {
        match target {
            Expr::Name(_) => true,
            Expr::Tuple(_) | Expr::List(_) => {
                elements(target).is_some_and(|parts| parts.iter().all(|part| self.is_own(part)))
            }
            Expr::Subscript(item) => match &*item.value {
                Expr::Name(name) => {
                    let bound = self.context.names.scopes.lookup(name.id.as_str(), self.scope);
                    bound.is_some_and(|(owner, bound)| {
                        owner == self.scope
                            && !bound.iter().any(|bound| matches!(bound.what, Binding::Parameter(..)))
                    })
                }
                inner @ Expr::Subscript(_) => self.is_own(inner),
                _ => false,
            },
            _ => false,
        }
    }
}

impl<'a> Visitor<'a> for Work<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => self.pure &= assign.targets.iter().all(|target| self.is_own(target)),
            Stmt::AugAssign(assign) => {
                self.pure &= self.is_own(&assign.target);
                self.computes(assign.op);
            }
            Stmt::For(_) | Stmt::While(_) => {
                return self.repeated(|work| depth::grow(|| visitor::walk_stmt(work, statement)));
            }
            Stmt::If(_)
            | Stmt::Return(_)
            | Stmt::Expr(_)
            | Stmt::AnnAssign(_)
            | Stmt::Assert(_)
            | Stmt::Raise(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::Pass(_) => {}
            _ => self.pure = false,
        }
        if self.pure {
            depth::grow(|| visitor::walk_stmt(self, statement));
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                let outer = self.scope;
                self.scope = self.context.names.scopes.opened_by(expression).unwrap_or(outer);
                self.repeated(|work| depth::grow(|| visitor::walk_expr(work, expression)));
                self.scope = outer;
                return;
            }
            Expr::BinOp(operation) if !is_text(&operation.left) => self.computes(operation.op),
            Expr::Call(call) => self.pure &= self.is_pure(call),
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Lambda(_) => self.pure = false,
            _ => {}
        }
        if self.pure {
            depth::grow(|| visitor::walk_expr(self, expression));
        }
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

/// `"%s" % x` and `"-" * 80` are no arithmetic.
fn is_text(expression: &Expr) -> bool {
    matches!(expression, Expr::StringLiteral(_) | Expr::BytesLiteral(_) | Expr::FString(_))
}

/// Looks for a call that computes with what was fetched.
struct Consumers<'c, 'a> {
    context: &'c Context<'a>,
    fetch: &'a ExprCall,
    fetched: Option<&'a str>,
    found: Option<&'a ExprCall>,
}

impl<'a> Visitor<'a> for Consumers<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            depth::grow(|| visitor::walk_stmt(self, statement));
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && self.found.is_none()
            && call.arguments.args.iter().any(|argument| {
                argument.range().contains_range(self.fetch.range())
                    || self.fetched.is_some_and(|name| mentions(argument, name))
            })
            // What was fetched is large where it was worth fetching: one loop over it is enough.
            && computes(self.context, call, 1)
        {
            self.found = Some(call);
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
