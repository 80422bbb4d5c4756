//! Thread-locals: read in a thread where nothing ever sets them.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{Expr, ExprContext};
use ruff_text_size::Ranged;

use super::model::{Local, Model, Variable};
use super::tell;
use crate::scan::python::context::Context;
use crate::scan::python::scope::{ScopeId, ScopeKind, last_part};

/// Observes reads of attributes in threads, where all that sets them runs elsewhere. What becomes of a thread-local
/// that is handed on, or asked for what it has, cannot be judged from here.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    if model.locals.is_empty() {
        return;
    }
    let in_threads = model.called_from(context.names, model.starts.iter().filter_map(|start| start.runs));
    let may = may_run(context, model, &in_threads);
    let handed_on: BTreeSet<Variable<'a>> =
        model.locals.iter().filter(|used| used.attribute.is_none()).map(|used| used.variable).collect();
    let mut told = BTreeSet::new();
    for read in model.locals.iter().filter(|used| !handed_on.contains(&used.variable)) {
        let Some(attribute) = read.attribute.filter(|attribute| attribute.ctx == ExprContext::Load) else {
            continue;
        };
        let function = context.names.scopes.running(read.scope);
        if !in_threads.contains(&function) || expects_nothing(context, model, function) {
            continue;
        }
        let setters: Vec<ScopeId> =
            model.locals.iter().filter(|used| sets(used, read)).map(|used| used.scope).collect();
        let elsewhere = |setter: &ScopeId| !may.contains(&context.names.scopes.running(*setter));
        let subject = context.text(attribute);
        if !setters.is_empty() && setters.iter().all(elsewhere) && told.insert((function, subject)) {
            let place = (read.scope, attribute.range());
            tell(context, "thread-local-read-elsewhere", place, subject, Vec::new());
        }
    }
}

/// Whether the one sets what the other reads.
fn sets(one: &Local<'_>, read: &Local<'_>) -> bool {
    let name = |used: &Local<'_>| used.attribute.map(|attribute| attribute.attr.id.clone());
    one.variable == read.variable
        && one.attribute.is_some_and(|attribute| attribute.ctx != ExprContext::Load)
        && name(one) == name(read)
}

/// Whether a function is ready for an attribute that is not there.
fn expects_nothing(context: &Context<'_>, model: &Model<'_>, function: ScopeId) -> bool {
    let function = model.functions.get(&function);
    function.is_none_or(|function| context.text(*function).contains("AttributeError"))
}

/// The functions that may run in one of the threads, as far as anybody can tell: they are called there by their name, or
/// handed to somebody, or run without being named.
fn may_run<'a>(
    context: &Context<'a>,
    model: &Model<'a>,
    in_threads: &BTreeSet<ScopeId>,
) -> BTreeSet<ScopeId> {
    let mut named: BTreeMap<&'a str, Vec<ScopeId>> = BTreeMap::new();
    let mut waiting: Vec<ScopeId> = in_threads.iter().copied().collect();
    for scope in model.functions.keys() {
        match called_as(context, *scope) {
            Some(name) => named.entry(name).or_default().push(*scope),
            None => waiting.push(*scope),
        }
    }
    let of = |expression: &Expr| last_part(expression).and_then(|name| named.get(name)).into_iter().flatten();
    for calling in &model.callings {
        let arguments = &calling.call.arguments;
        let handed = arguments.args.iter().chain(arguments.keywords.iter().map(|given| &given.value));
        waiting.extend(handed.filter(|given| !given.is_call_expr()).flat_map(of));
    }
    let mut reached = BTreeSet::new();
    while let Some(function) = waiting.pop() {
        if reached.insert(function) {
            let callings = model.callings_of(context.names, function);
            waiting.extend(callings.flat_map(|calling| of(&calling.call.func)));
        }
    }
    reached
}

/// The name by which a function is called; `None` where it runs without being named.
fn called_as<'a>(context: &Context<'a>, scope: ScopeId) -> Option<&'a str> {
    let scopes = context.names.scopes;
    let ScopeKind::Function(function) = scopes.get(scope).kind else { return None };
    let outer = scopes.get(scope).parent.map(|outer| scopes.get(outer).kind);
    match (function.name.as_str(), outer) {
        ("__init__", Some(ScopeKind::Class(class))) => Some(class.name.as_str()),
        (_, Some(ScopeKind::Function(_) | ScopeKind::Lambda(_))) => None,
        (name, _) => (!name.starts_with("__") && function.decorator_list.is_empty()).then_some(name),
    }
}
