//! Threads for functions that do nothing but compute in Python: the interpreter runs them one at a time.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Operator, Stmt};
use ruff_text_size::Ranged;

use super::model::{Calling, Model, Start, owner};
use super::shared::{of_one_worker, repeats};
use super::tell;
use crate::catalog::{Effect, Language, Mark};
use crate::scan::python::context::Context;
use crate::scan::python::depth;
use crate::scan::python::scope::ScopeId;

/// Observes functions that several threads run, and that another process could run as they are. A file that asks
/// whether there is an interpreter lock knows what it does.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    if context.mentions("_is_gil_enabled") {
        return;
    }
    let mut told = BTreeSet::new();
    for start in &model.starts {
        let Some(runs) = start.runs.filter(|runs| !told.contains(runs)) else { continue };
        let Some(function) = model.functions.get(&runs) else { continue };
        if shares_the_lock(context, start) && several(context, model, start) && computes(context, model, runs)
        {
            told.insert(runs);
            let place = (start.scope, start.call.range());
            tell(context, "threads-for-cpu-bound", place, function.name.as_str(), Vec::new());
        }
    }
}

/// Whether it runs in a thread, or a pool of them, beside others of the same interpreter.
fn shares_the_lock(context: &Context<'_>, start: &Start<'_>) -> bool {
    let is = |name: &str, mark| context.names.catalog.has(Language::Python, name, mark);
    let owner = owner(&start.callee);
    is(&start.callee, Mark::Thread) || is(owner, Mark::ThreadPool) && !is(owner, Mark::OwnInterpreter)
}

/// Whether a function starts several threads of it, here or line by line.
fn several<'a>(context: &Context<'a>, model: &Model<'a>, start: &Start<'a>) -> bool {
    let running = |scope| context.names.scopes.running(scope);
    let beside = |other: &&Start<'a>| {
        other.runs == start.runs
            && running(other.scope) == running(start.scope)
            && shares_the_lock(context, other)
            && !of_one_worker(context, other)
    };
    repeats(context, model, start)
        || !of_one_worker(context, start) && model.starts.iter().filter(beside).count() > 1
}

/// Whether a function only computes, in Python, and again and again; what it calls has to do the same. Operators alone
/// tell nothing: they may be those of arrays, which compute without the interpreter.
fn computes<'a>(context: &Context<'a>, model: &Model<'a>, function: ScopeId) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![function];
    let mut work = Work::default();
    while let Some(function) = waiting.pop() {
        if !seen.insert(function) {
            continue;
        }
        let Some(definition) = model.functions.get(&function).filter(|_| model.runs_at_once(function)) else {
            return false;
        };
        work.visit_body(&definition.body);
        if work.other {
            return false;
        }
        for calling in model.callings_of(context.names, function) {
            match calling.calls {
                Some((callee, _)) if callee == function => (work.again, work.counts) = (true, true),
                Some((callee, _)) => waiting.push(callee),
                None if is_pure(context, calling) => work.counts = true,
                None => return false,
            }
        }
    }
    work.again && work.counts
}

/// Whether a call of a library is known to compute and to keep the interpreter lock all the while.
fn is_pure(context: &Context<'_>, calling: &Calling<'_>) -> bool {
    let Some(callee) = context.names.resolve(&calling.call.func, calling.scope) else { return false };
    let catalog = context.names.catalog;
    let holds = |effect: &Effect| matches!(effect, Effect::Computes { releases_gil: Some(false), .. });
    // A method of a builtin type: `builtins.list.append`.
    let builtin = callee.strip_prefix("builtins.").is_some_and(|method| method.contains('.'));
    builtin
        || catalog.has(Language::Python, &callee, Mark::Pure)
        || catalog.find(Language::Python, &callee).is_some_and(|api| holds(&api.effect))
}

/// What the statements of functions say about their work.
#[derive(Default)]
struct Work {
    /// Whether something is repeated.
    again: bool,
    /// Whether it is known to deal with the interpreter's own numbers and containers.
    counts: bool,
    /// Whether there is more to it than computing: it shares state, hands over its values one by one, or enters what
    /// is not known.
    other: bool,
}

impl<'a> Visitor<'a> for Work {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            // What is defined here runs where it is called.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::With(_) | Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Import(_) | Stmt::ImportFrom(_) => {
                self.other = true;
            }
            Stmt::For(_) => self.again = true,
            Stmt::While(until) => {
                self.again = true;
                // Not one that only watches out for something.
                self.counts |= until.body.iter().any(Stmt::is_aug_assign_stmt);
            }
            _ => {}
        }
        depth::grow(|| visitor::walk_stmt(self, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(_) => return,
            Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => self.other = true,
            Expr::BinOp(operation) => self.other |= operation.op == Operator::MatMult,
            Expr::Attribute(attribute) => self.other |= attribute.ctx.is_store(),
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                self.again = true;
            }
            _ => {}
        }
        depth::grow(|| visitor::walk_expr(self, expression));
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}
