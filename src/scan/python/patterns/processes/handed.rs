//! What goes to another process: whether it can be pickled, and how large it is.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::pools::{Handed, defined, is_local, sure_type, unwrapped};
use crate::catalog::{Effect, Language, Mark};
use crate::finding::Cost;
use crate::scan::python::context::{Context, Loop};
use crate::scan::python::scope::{Binding, ScopeId, ScopeKind, argument, elements, is_decorated, last_part};
use crate::wait::WaitKind;

/// A subject is no longer than this.
const LONGEST: usize = 40;
/// How a class says how it is pickled.
const PICKLES: &[&str] =
    &["__getstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__", "__copyreg__"];

/// The source of an expression on one line, cut where it is long.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Lambdas, functions inside of functions, locks and connections for another process.
pub(super) fn unpicklable<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    let (function, given, _) = unwrapped(context.names, task.function, context.scope());
    let mut found = Vec::new();
    if let Some(kind) = unpicklable_function(context, function) {
        found.push((function, kind));
    }
    let in_tuple = argument(call, if task.maps { usize::MAX } else { 1 }, "args").and_then(elements);
    let single = if task.maps { &[][..] } else { task.others };
    for value in given.iter().chain(single).chain(in_tuple.unwrap_or_default()) {
        let value: &Expr = value;
        if let Some(kind) = unpicklable_value(context, value) {
            found.push((value, kind));
        }
    }
    for (what, kind) in found {
        let mut seen = context.observation("unpicklable-to-process-pool", what, &short(context.text(what)));
        seen.facts.push(("kind", kind));
        context.observe(seen);
    }
}

fn unpicklable_function(context: &Context<'_>, function: &Expr) -> Option<String> {
    if function.is_lambda_expr() {
        return Some("a lambda".to_owned());
    }
    let names = context.names;
    if let Expr::Attribute(attribute) = function {
        let Expr::Name(base) = &*attribute.value else { return None };
        let (class, false) = names.scopes.receiver(base.id.as_str(), context.scope())? else { return None };
        let method = defined(names, function, context.scope())?;
        if is_decorated(method.function, "staticmethod") || is_decorated(method.function, "classmethod") {
            return None;
        }
        let held = held_unpicklable(context, class)?;
        return Some(format!("a method of an object that holds a `{held}`"));
    }
    let Expr::Name(name) = function else { return None };
    let (owner, bound) = names.scopes.lookup(name.id.as_str(), context.scope())?;
    let all = |is: fn(&Binding<'_>) -> bool| !bound.is_empty() && bound.iter().all(|bound| is(&bound.what));
    if all(|what| matches!(what, Binding::Value(Expr::Lambda(_)))) {
        return Some("a lambda".to_owned());
    }
    if !is_local(names, owner) {
        return None;
    }
    if all(|what| matches!(what, Binding::Function(_))) {
        return Some("a function inside of a function".to_owned());
    }
    all(|what| matches!(what, Binding::Class(_))).then(|| "a class inside of a function".to_owned())
}

/// What the methods of a class put into `self` that cannot be pickled, where the class leaves pickling to Python.
fn held_unpicklable(context: &Context<'_>, class: ScopeId) -> Option<String> {
    let names = context.names;
    let ScopeKind::Class(definition) = names.scopes.get(class).kind else { return None };
    let plain = definition.arguments.as_deref().is_none_or(|arguments| {
        arguments.keywords.is_empty() && arguments.args.iter().all(|base| last_part(base) == Some("object"))
    });
    if !plain || PICKLES.iter().any(|how| !names.scopes.member(class, how).is_empty()) {
        return None;
    }
    let mut held: Vec<String> = names
        .scopes
        .attributes(class)
        .filter_map(|(_, bound)| {
            let [one] = bound else { return None };
            let Binding::Value(value @ Expr::Call(_)) = one.what else { return None };
            let ty = names.type_of(value, one.scope)?;
            names.catalog.has(Language::Python, &ty, Mark::Unpicklable).then_some(ty)
        })
        .collect();
    held.sort_unstable();
    held.into_iter().next()
}

fn unpicklable_value(context: &Context<'_>, value: &Expr) -> Option<String> {
    match value {
        Expr::Lambda(_) => return Some("a lambda".to_owned()),
        Expr::Generator(_) => return Some("a generator".to_owned()),
        Expr::Name(_) | Expr::Attribute(_) | Expr::Call(_) => {}
        _ => return None,
    }
    let ty = sure_type(context.names, value, context.scope())?;
    let catalog = context.names.catalog;
    let ty = catalog.canonical(Language::Python, &ty).unwrap_or(&ty);
    catalog.has(Language::Python, ty, Mark::Unpicklable).then(|| format!("a `{ty}`"))
}

/// A value from a bulk reader among the arguments of every task.
pub(super) fn large_argument<'a>(context: &mut Context<'a>, call: &'a ExprCall, task: &Handed<'a>) {
    let (_, wrapped, keywords) = unwrapped(context.names, task.function, context.scope());
    let repeated: Vec<&Expr> = if task.maps {
        let lists = task.others.iter().filter_map(|list| match list {
            Expr::Call(call) if context.callee(call).as_deref() == Some("itertools.repeat") => {
                call.arguments.args.first()
            }
            _ => None,
        });
        lists.collect()
    } else if context.loops(call.range()).next().is_some() {
        let named = task.keywords.iter().filter(|keyword| keyword.arg.is_some());
        task.others.iter().chain(named.map(|keyword| &keyword.value)).collect()
    } else {
        return;
    };
    let in_partial = wrapped.iter().chain(keywords.iter().map(|keyword| &keyword.value));
    let Some(large) = repeated.into_iter().chain(in_partial).find(|value| is_large(context, call, value))
    else {
        return;
    };
    let seen = context.observation("large-argument-pickled", call, context.text(large));
    context.observe(seen);
}

/// Whether a variable was read in bulk, once and outside of the loop that a call stands in.
fn is_large(context: &Context<'_>, call: &ExprCall, value: &Expr) -> bool {
    let Expr::Name(name) = value else { return false };
    let Some((_, bound)) = context.names.scopes.lookup(name.id.as_str(), context.scope()) else {
        return false;
    };
    let [one] = bound else { return false };
    let Binding::Value(Expr::Call(read)) = one.what else { return false };
    let inside = context.loops(call.range()).any(|around| {
        let range = match around {
            Loop::For(each) => each.range(),
            Loop::While(until) => until.range(),
            Loop::Comprehension(whole) => whole.range(),
        };
        range.contains_range(read.range())
    });
    let Some(callee) = context.names.resolve(&read.func, one.scope) else { return false };
    let api = context.names.catalog.find(Language::Python, &callee);
    let bulk = matches!(
        api.map(|api| &api.effect),
        Some(Effect::Blocks { wait: WaitKind::Disk, cost: Cost::Large | Cost::Unbounded })
    );
    // Opening is no reading.
    let opened = context.names.catalog.returns(Language::Python, &callee);
    let lazy = opened.is_some_and(|ty| {
        context.names.catalog.has(Language::Python, ty, Mark::File)
            || context.names.catalog.has(Language::Python, ty, Mark::Unpicklable)
    });
    bulk && !lazy && !inside
}
