//! Forks while threads run.

use std::collections::BTreeMap;

use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

use super::model::{Calling, Model};
use crate::catalog::{Language, Mark};
use crate::scan::python::context::Context;
use crate::scan::python::scope::ScopeId;

/// What a call does to the threads and processes of its function.
enum Step {
    Starts,
    Joins,
    Forks,
}

/// Observes forks after threads were started, in the order of one function's code. Where a start method is chosen
/// anywhere in the file nothing is said.
pub(super) fn observe<'a>(context: &mut Context<'a>, model: &Model<'a>) {
    if context.mentions("set_start_method") {
        return;
    }
    let mut started: BTreeMap<ScopeId, Vec<&Calling<'a>>> = BTreeMap::new();
    for calling in &model.callings {
        let function = context.names.scopes.running(calling.scope);
        match step(context, calling) {
            Some(Step::Starts) => started.entry(function).or_default().push(calling),
            Some(Step::Joins) => {
                started.remove(&function);
            }
            Some(Step::Forks) => {
                let threads = started.get(&function).into_iter().flatten();
                let Some(thread) = threads.last().filter(|thread| model.leads_to(thread.call, calling.call))
                else {
                    continue;
                };
                let outer = std::mem::replace(&mut context.scope, calling.scope);
                let subject = context.text(&*calling.call.func);
                let mut seen = context.observation("fork-after-threads", calling.call.range(), subject);
                seen.facts = vec![("threads", context.text(&*thread.call.func).to_owned())];
                context.observe(seen);
                context.scope = outer;
            }
            None => {}
        }
    }
}

fn step(context: &Context<'_>, calling: &Calling<'_>) -> Option<Step> {
    let Expr::Attribute(attribute) = &*calling.call.func else { return None };
    let method = attribute.attr.as_str();
    if method == "join" {
        // Of whatever: threads in a list are joined by a name whose type is not known. A string joins with arguments.
        return calling.call.arguments.args.is_empty().then_some(Step::Joins);
    }
    if method == "fork" {
        let name = context.names.resolve(&calling.call.func, calling.scope)?;
        return (name == "os.fork").then_some(Step::Forks);
    }
    if method != "start" {
        return None;
    }
    let kind = context.names.type_of(&attribute.value, calling.scope)?;
    let is = |mark| context.names.catalog.has(Language::Python, &kind, mark);
    if is(Mark::Thread) {
        return Some(Step::Starts);
    }
    is(Mark::Process).then_some(Step::Forks)
}
