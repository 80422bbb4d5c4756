//! Tasks, threads and processes that are started and then forgotten, and futures that are thrown away.

use super::super::calls;
use super::super::facts::{Callee, Event, Local, Value, ValueAt};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::values::{Shape, Target};
use super::super::vocabulary as words;
use super::observe;
use crate::catalog::{Effect, Mark, Offload};
use crate::finding::Observation;

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for id in program.functions() {
        for event in program.values.events(id) {
            match *event {
                Event::Statement(Some(value)) => {
                    dropped_handle(program, id, value, found);
                    dropped_child(program, id, value, found);
                }
                Event::Discard(value, _) => discarded_future(program, id, value, found),
                Event::Bind(local, value) => unwaited_child(program, id, local, value, found),
                _ => {}
            }
        }
    }
}

fn call_of(program: &Program<'_>, id: FunctionId, value: ValueAt) -> Option<CallId> {
    match program.facts(id.file).value(value) {
        Value::Call(at) => Some(CallId { file: id.file, at: *at }),
        _ => None,
    }
}

/// `tokio::spawn(…);`: whatever goes wrong in there is never told.
fn dropped_handle(program: &Program<'_>, id: FunctionId, value: ValueAt, found: &mut Vec<Observation>) {
    let Some(call) = call_of(program, id, value) else { return };
    let starts = program.marked(call, Mark::Spawns)
        || matches!(
            program.api(call).map(|api| &api.effect),
            Some(Effect::Offloads { to: Offload::Task, .. })
        );
    if !starts || !keeps_nothing(program, call) {
        return;
    }
    let lost = if yields_result(program, call) { "errors" } else { "panics" };
    // A task per connection that deals with its own errors is how servers are written.
    if lost == "panics" && program.call(call).how.in_loop {
        return;
    }
    let subject = program.callee(call);
    let mut seen = observe(program, "spawn-handle-dropped", id, program.call_place(call), &subject);
    seen.facts.push(("lost", lost.to_owned()));
    found.push(seen);
}

/// Whether the handle is the only thing that knows of the task: a set or a scope knows its own.
fn keeps_nothing(program: &Program<'_>, call: CallId) -> bool {
    let name = program.external(call).unwrap_or_default();
    !["JoinSet", "TaskTracker", "Scope", "LocalSet", "FuturesUnordered"]
        .iter()
        .any(|keeper| name.contains(keeper))
}

/// Whether the task ends with a `Result`.
fn yields_result(program: &Program<'_>, call: CallId) -> bool {
    let Some(argument) = program.call(call).arguments.first() else { return false };
    let values = &program.values;
    let ty = match values.shape(values.ty(call.file, argument.value)) {
        Shape::Future(output) => output,
        Shape::Closure(id) | Shape::Function(id) => values.ty(id.file, program.function(id).returns),
        _ => return false,
    };
    values.external_name(ty).is_some_and(|name| name.ends_with("Result"))
}

/// `let _ = work();` where `work` is `async`: it never runs.
fn discarded_future(program: &Program<'_>, id: FunctionId, value: ValueAt, found: &mut Vec<Observation>) {
    let Some(call) = call_of(program, id, value) else { return };
    if program.call(call).how.awaited {
        return;
    }
    let lazy = match program.target(call) {
        Target::Project(targets) => targets.iter().all(|target| program.function(*target).marks.is_async),
        Target::External(_) => calls::gives_future(program, call),
        _ => false,
    };
    if lazy {
        let subject = program.callee(call);
        found.push(observe(program, "let-underscore-future", id, program.call_place(call), &subject));
    }
}

/// A child process in a variable that nobody waits for.
fn unwaited_child(
    program: &Program<'_>,
    id: FunctionId,
    local: Local,
    value: ValueAt,
    found: &mut Vec<Observation>,
) {
    let Some(call) = child(program, id, value) else { return };
    let facts = program.facts(id.file);
    // Moved, or used by anything but a look at its pipes or its number: somebody may wait.
    let escapes = facts.functions.iter().any(|function| function.events.contains(&Event::Gone(local)));
    let waited = facts.calls.iter().any(|other| match other.callee {
        Callee::Method(receiver, name) => {
            receiver == value && !matches!(facts.text(name), "id" | "kill" | "take" | "as_mut" | "as_ref")
        }
        _ => other.arguments.iter().any(|argument| argument.value == value),
    });
    if !escapes && !waited {
        let subject = program.callee(call);
        found.push(observe(program, "zombie-process", id, program.call_place(call), &subject));
    }
}

/// `command.spawn()?;`
fn dropped_child(program: &Program<'_>, id: FunctionId, value: ValueAt, found: &mut Vec<Observation>) {
    if let Some(call) = child(program, id, value) {
        let subject = program.callee(call);
        found.push(observe(program, "zombie-process", id, program.call_place(call), &subject));
    }
}

/// The call that started the child process which a value is. (Those of tokio are waited for by its runtime.)
fn child(program: &Program<'_>, id: FunctionId, value: ValueAt) -> Option<CallId> {
    let values = &program.values;
    let ty = values.ty(id.file, value);
    let of_std = values.external_name(ty).is_some_and(|name| name.starts_with("std::"));
    spawned(program, id, value).filter(|_| of_std && values.is(ty, Mark::Child))
}

/// The call that a value is the unwrapped result of.
fn spawned(program: &Program<'_>, id: FunctionId, value: ValueAt) -> Option<CallId> {
    let facts = program.facts(id.file);
    let mut at = value;
    for _ in 0..8 {
        match facts.value(at) {
            Value::Tried(base) | Value::Matched(base, ..) => at = *base,
            Value::OneOf(several) => at = *several.last()?,
            Value::Call(call) => match facts.call(*call).callee {
                Callee::Method(receiver, name) if words::hands_on(facts.text(name)) => at = receiver,
                _ => return Some(CallId { file: id.file, at: *call }),
            },
            _ => return None,
        }
    }
    None
}
