//! Awaits one after the other that need nothing of each other.
//!
//! Only what is asked for its value counts, and only where order cannot matter: plain functions and shared methods, no
//! exclusive access, no common variable that could carry a state, nothing that only writes.

use super::super::facts::{CallAt, Callee, Event, Local, Receiver, Spot, Value, ValueAt};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::values::Target;
use super::super::vocabulary as words;
use super::observe;
use crate::finding::Observation;

/// `let name = call(…).await;`
#[derive(Debug, Default)]
struct Step {
    call: Option<CallId>,
    spot: Spot,
    uses: Vec<Local>,
    makes: Vec<Local>,
    awaits: u32,
    calls: Vec<CallAt>,
}

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for id in program.functions() {
        if !program.function(id).marks.is_async {
            continue;
        }
        let mut run: Vec<Step> = Vec::new();
        let mut step = Step::default();
        let mut depth = 0_u32;
        for event in program.values.events(id) {
            match *event {
                Event::Mark => {
                    depth += 1;
                    if depth == 1 {
                        step = Step::default();
                    }
                }
                Event::Used(local) | Event::Gone(local) => step.uses.push(local),
                Event::Bind(local, _) => step.makes.push(local),
                Event::Call(at) => step.calls.push(at),
                Event::Await(value, spot) => {
                    step.awaits += 1;
                    step.spot = spot;
                    step.call = last_call(program, id, value);
                }
                Event::Release if depth == 1 => {
                    depth = 0;
                    let done = std::mem::take(&mut step);
                    let fits = independent(program, &done, &run);
                    if !fits {
                        report(program, id, &run, found);
                        run.clear();
                    }
                    if eligible(program, &done) {
                        run.push(done);
                    } else {
                        report(program, id, &run, found);
                        run.clear();
                    }
                }
                Event::Release => depth = depth.saturating_sub(1),
                Event::Fork | Event::Open | Event::Close | Event::Loop(_) | Event::LoopEnd if depth == 0 => {
                    report(program, id, &run, found);
                    run.clear();
                }
                Event::Fork | Event::Loop(_) | Event::Make(_) => step.awaits += 2,
                _ => {}
            }
        }
        report(program, id, &run, found);
    }
}

fn last_call(program: &Program<'_>, id: FunctionId, value: ValueAt) -> Option<CallId> {
    match program.facts(id.file).value(value) {
        Value::Call(at) => Some(CallId { file: id.file, at: *at }),
        _ => None,
    }
}

/// One await of a call whose value is kept, and nothing that another could get in the way of.
fn eligible(program: &Program<'_>, step: &Step) -> bool {
    let Some(call) = step.call else { return false };
    if step.awaits != 1 || step.makes.is_empty() {
        return false;
    }
    let this = program.call(call);
    if this.how.in_loop || this.arguments.iter().any(|argument| argument.exclusive) {
        return false;
    }
    match program.target(call) {
        Target::Project(targets) => targets.iter().all(|target| {
            let function = program.function(*target);
            let shared = matches!(function.receiver, Receiver::None | Receiver::Shared);
            shared && !function.params.iter().any(|param| param.exclusive) && asks(program, *target)
        }),
        Target::External(_) => {
            let name = program.external(call).unwrap_or_default();
            words::is_request(&name)
        }
        _ => false,
    }
}

/// Whether a function's name says that it asks for something: what changes something has its reasons for an order.
fn asks(program: &Program<'_>, id: FunctionId) -> bool {
    words::asks_for(program.facts(id.file).text(program.function(id).name))
}

fn independent(program: &Program<'_>, step: &Step, run: &[Step]) -> bool {
    let earlier: Vec<Local> = run.iter().flat_map(|step| step.makes.iter().copied()).collect();
    let _ = program;
    !step.uses.iter().any(|local| earlier.contains(local))
}

fn report(program: &Program<'_>, id: FunctionId, run: &[Step], found: &mut Vec<Observation>) {
    let [first, .., last] = run else { return };
    let (Some(one), Some(_)) = (first.call, last.call) else { return };
    let names: Vec<String> = run
        .iter()
        .filter_map(|step| step.call)
        .map(|call| {
            let facts = program.facts(call.file);
            match program.call(call).callee {
                Callee::Method(_, name) | Callee::Path(name, _) => facts.text(name).to_owned(),
                _ => String::new(),
            }
        })
        .collect();
    let mut seen = observe(program, "sequential-awaits", id, program.call_place(one), &names.join(", "));
    seen.facts.push(("count", run.len().to_string()));
    found.push(seen);
}
