//! Brokers: channels used by another thread than their own, and fewer messages fetched than workers wait for.

use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;

use super::model::{Calling, Model, Start};
use crate::catalog::{Language, Mark};
use crate::finding::Mitigation;
use crate::scan::python::context::Context;
use crate::scan::python::scope::{Binding, ScopeId, argument};

/// The channel whose messages belong to the thread that consumes them.
const CHANNEL: &str = "pika.BlockingChannel";

/// Observes how a file uses the channels of a broker.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    if !context.mentions("pika") {
        return;
    }
    for calling in &model.callings {
        prefetch(context, model, calling);
    }
    for start in &model.starts {
        off_thread(context, model, start);
    }
}

/// `basic_qos(prefetch_count=1)` beside a pool of eight.
fn prefetch<'a>(context: &mut Context<'a>, model: &Model<'a>, calling: &Calling<'a>) {
    let Expr::Attribute(attribute) = &*calling.call.func else { return };
    if attribute.attr.as_str() != "basic_qos" || !is_channel(context, &attribute.value, calling.scope) {
        return;
    }
    let Some(prefetch) = number(argument(calling.call, 1, "prefetch_count")) else { return };
    let running = |scope| context.names.scopes.running(scope);
    let beside = model.callings.iter().filter(|other| running(other.scope) == running(calling.scope));
    let workers = beside.filter_map(|other| {
        let made = context.names.resolve(&other.call.func, other.scope)?;
        let pool = context.names.catalog.has(Language::Python, &made, Mark::ThreadPool);
        number(argument(other.call, 0, "max_workers").filter(|_| pool))
    });
    let Some(workers) = workers.max().filter(|workers| (1..*workers).contains(&prefetch)) else { return };
    let subject = context.text(&*attribute.value);
    let outer = std::mem::replace(&mut context.scope, calling.scope);
    let mut seen = context.observation("prefetch-not-workers", calling.call.range(), subject);
    seen.facts = vec![("prefetch", prefetch.to_string()), ("workers", format!("{workers} workers"))];
    context.observe(seen);
    context.scope = outer;
}

fn number(value: Option<&Expr>) -> Option<u64> {
    let Expr::NumberLiteral(number) = value? else { return None };
    number.value.as_int()?.as_u64()
}

fn is_channel(context: &Context<'_>, value: &Expr, scope: ScopeId) -> bool {
    context.names.type_of(value, scope).as_deref() == Some(CHANNEL)
}

/// A function that a thread runs, and that uses a channel it was handed.
fn off_thread<'a>(context: &mut Context<'a>, model: &Model<'a>, start: &Start<'a>) {
    let Some(runs) = start.runs else { return };
    let Some(function) = model.functions.get(&runs) else { return };
    for (at, parameter) in function.parameters.args.iter().enumerate() {
        let Some(given) = handed(start.call, at) else { continue };
        let known = is_channel(context, given, start.scope);
        if !known && !is_of_callback(context, model, given, start.scope) {
            continue;
        }
        let name = parameter.parameter.name.as_str();
        let uses = model.callings.iter().filter(|calling| calling.scope == runs).filter(|calling| {
            let Expr::Attribute(attribute) = &*calling.call.func else { return false };
            let of_it = matches!(&*attribute.value, Expr::Name(base) if base.id.as_str() == name);
            let method = format!("{CHANNEL}.{}", attribute.attr.as_str());
            of_it && context.names.catalog.find(Language::Python, &method).is_some()
        });
        for calling in uses.collect::<Vec<_>>() {
            let outer = std::mem::replace(&mut context.scope, runs);
            let mut seen = context.observation("ack-off-thread", calling.call.range(), name);
            if !known {
                seen.mitigations.push(Mitigation::Inferred);
            }
            context.observe(seen);
            context.scope = outer;
        }
    }
}

/// What a thread, or a pool, is told to hand over as this argument.
fn handed(call: &ExprCall, at: usize) -> Option<&Expr> {
    match argument(call, usize::MAX - 1, "args") {
        Some(Expr::Tuple(arguments)) => arguments.elts.get(at),
        None if call.arguments.keywords.is_empty() => call.arguments.args.get(at + 1),
        _ => None,
    }
}

/// Whether a value is the first parameter of what a channel of this file calls for each message.
fn is_of_callback<'a>(context: &Context<'a>, model: &Model<'a>, value: &Expr, scope: ScopeId) -> bool {
    let Expr::Name(name) = value else { return false };
    let scopes = context.names.scopes;
    let Some((owner, [only])) = scopes.lookup(name.id.as_str(), scope) else { return false };
    if !matches!(only.what, Binding::Parameter(_, Some(0), _)) {
        return false;
    }
    let Some(function) = model.functions.get(&owner) else { return false };
    model.callings.iter().any(|calling| {
        let Expr::Attribute(attribute) = &*calling.call.func else { return false };
        let hands_over =
            |given: &Expr| matches!(given, Expr::Name(given) if given.id.as_str() == function.name.as_str());
        attribute.attr.as_str() == "basic_consume"
            && is_channel(context, &attribute.value, calling.scope)
            && (calling.call.arguments.args.iter().any(&hands_over)
                || calling.call.arguments.keywords.iter().any(|given| hands_over(&given.value)))
    })
}
