//! How many processes a pool is told to start, where that is written: a number, or so many for each CPU.

use ruff_python_ast::{Expr, ExprCall, Number, Operator};

use super::pools::made;
use crate::catalog::{Language, Mark, Offload};
use crate::scan::python::context::Context;
use crate::scan::python::resolve::Names;
use crate::scan::python::scope::{Binding, ScopeId, argument};

const RULE: &str = "workers-exceed-cores";

/// A pool of more processes than there can be cores for.
pub(super) fn too_many<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    if call.arguments.is_empty() {
        return;
    }
    let Some((ty, Offload::Process)) = made(context, call) else { return };
    let keywords = context.thresholds.words(RULE, "keywords");
    let given = keywords.iter().find_map(|keyword| argument(call, 0, keyword));
    let Some(workers) = given.and_then(|given| excess(context, given)) else { return };
    let mut seen = context.observation(RULE, call, &ty);
    seen.facts.push(("workers", workers));
    context.observe(seen);
}

/// What is too much about a number of workers, in words.
fn excess(context: &Context<'_>, workers: &Expr) -> Option<String> {
    let (names, scope) = (context.names, context.scope());
    let above = |number: u64, option: &str| {
        context.thresholds.number(RULE, option).is_some_and(|most| number as f64 > most)
    };
    if let Some(number) = number(names, workers, scope) {
        return above(number, "most_workers").then(|| format!("{number} processes"));
    }
    let (workers, scope) = meant(names, workers, scope);
    let Expr::BinOp(product) = workers else { return None };
    let sides = [(&product.left, &product.right), (&product.right, &product.left)];
    let factor = sides.into_iter().find_map(|(cpus, factor)| {
        is_host_cpus(names, cpus, scope).then(|| number(names, factor, scope)).flatten()
    })?;
    let too_many = product.op == Operator::Mult && above(factor, "most_per_cpu");
    too_many.then(|| format!("{factor} processes per CPU"))
}

/// What a variable stands for that is set once; otherwise the expression itself. And where that is to be read.
fn meant<'e, 'a: 'e>(names: &Names<'a>, expression: &'e Expr, scope: ScopeId) -> (&'e Expr, ScopeId) {
    let bound = match expression {
        Expr::Name(name) => names.scopes.lookup(name.id.as_str(), scope).map(|(_, bound)| bound),
        _ => None,
    };
    match bound {
        Some([one]) => match one.what {
            Binding::Value(value) => (value, one.scope),
            _ => (expression, scope),
        },
        _ => (expression, scope),
    }
}

fn number(names: &Names<'_>, expression: &Expr, scope: ScopeId) -> Option<u64> {
    match meant(names, expression, scope).0 {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(number) => number.as_u64(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression asks how many processors the machine has; `os.cpu_count() or 1` where that may be unknown.
fn is_host_cpus(names: &Names<'_>, expression: &Expr, scope: ScopeId) -> bool {
    let (expression, scope) = meant(names, expression, scope);
    let values = match expression {
        Expr::BoolOp(either) => &*either.values,
        other => std::slice::from_ref(other),
    };
    values.iter().any(|value| {
        let asked = value.as_call_expr().and_then(|call| names.resolve(&call.func, scope));
        asked.is_some_and(|name| names.catalog.has(Language::Python, &name, Mark::HostCpus))
    })
}
