//! Long waits while a lock between threads is held, here or in what is called meanwhile.
//!
//! A lock around the very thing that is waited for (a connection, a log file) is there to let only one wait at a time:
//! what is called on the guard itself is silent.

use rustc_hash::FxHashMap;

use super::super::facts::{Callee, Value, ValueAt};
use super::super::held::{self, Guard, Kind, While};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::values::Target;
use super::observe;
use crate::catalog::Effect;
use crate::finding::{Cost, Hop, Observation};
use crate::wait::WaitKind;

/// A call that waits: for what, and how long.
type Wait = (WaitKind, Cost);

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    let waiting = Waiting::of(program);
    for id in program.functions() {
        let mut told = Vec::new();
        held::follow(program, id, |guards, happens| {
            let While::Call(call, None) = happens else { return };
            let Some(guard) = guards.iter().find(|guard| guard.kind == Kind::Thread) else { return };
            if told.contains(&call) || guards.iter().any(|guard| concerns(program, call, guard)) {
                return;
            }
            if let Some(seen) = waiting.observe(program, id, guard, call) {
                told.push(call);
                found.push(seen);
            }
        });
    }
}

/// Whether a call is made on what a guard guards, or is given it.
fn concerns(program: &Program<'_>, call: CallId, guard: &Guard) -> bool {
    let this = program.call(call);
    let receiver = match this.callee {
        Callee::Method(receiver, _) | Callee::Value(receiver) => Some(receiver),
        _ => None,
    };
    let given = this.arguments.iter().map(|argument| argument.value);
    receiver.into_iter().chain(given).any(|value| comes_from(program, call.file, value, guard))
}

fn comes_from(program: &Program<'_>, file: u32, value: ValueAt, guard: &Guard) -> bool {
    let facts = program.facts(file);
    let mut at = value;
    for _ in 0..32 {
        at = match facts.value(at) {
            Value::Call(call) if *call == guard.call.at => return true,
            Value::Call(call) => match facts.call(*call).callee {
                Callee::Method(receiver, _) => receiver,
                _ => return false,
            },
            Value::Field(base, _)
            | Value::Index(base)
            | Value::Element(base)
            | Value::Tried(base)
            | Value::Awaited(base)
            | Value::Behind(base)
            | Value::Part(base, _)
            | Value::Matched(base, ..) => *base,
            Value::OneOf(several) => match several.last() {
                Some(last) => *last,
                None => return false,
            },
            _ => return false,
        };
    }
    false
}

/// Which functions wait, and in which call.
struct Waiting {
    functions: FxHashMap<FunctionId, (CallId, Wait)>,
}

impl Waiting {
    fn of(program: &Program<'_>) -> Self {
        let mut functions: FxHashMap<FunctionId, (CallId, Wait)> = FxHashMap::default();
        let mut callers: FxHashMap<FunctionId, Vec<CallId>> = FxHashMap::default();
        let mut pending = Vec::new();
        for call in program.calls() {
            let caller = program.caller(call);
            if let Some(wait) = waits(program, call) {
                functions.entry(caller).or_insert_with(|| {
                    pending.push(caller);
                    (call, wait)
                });
            } else if let Target::Project(targets) = program.target(call)
                && let [callee] = targets[..]
            {
                callers.entry(callee).or_default().push(call);
            }
        }
        while let Some(id) = pending.pop() {
            let Some((_, wait)) = functions.get(&id).copied() else { continue };
            for call in callers.get(&id).into_iter().flatten() {
                let caller = program.caller(*call);
                // Calling an `async` function waits for nothing.
                if !program.function(id).marks.is_async && !functions.contains_key(&caller) {
                    functions.insert(caller, (*call, wait));
                    pending.push(caller);
                }
            }
        }
        Self { functions }
    }

    fn observe(
        &self,
        program: &Program<'_>,
        id: FunctionId,
        guard: &Guard,
        call: CallId,
    ) -> Option<Observation> {
        let mut chain = vec![Hop {
            place: program.call_place(call),
            function: program.name(id),
            callee: program.callee(call),
        }];
        let (wait, cost) = match program.target(call) {
            Target::Project(targets) => {
                let [callee] = targets[..] else { return None };
                if program.function(callee).marks.is_async {
                    return None;
                }
                let (mut inner, wait) = *self.functions.get(&callee)?;
                for _ in 0..16 {
                    chain.push(Hop {
                        place: program.call_place(inner),
                        function: program.name(program.caller(inner)),
                        callee: program.callee(inner),
                    });
                    let Target::Project(targets) = program.target(inner) else { break };
                    let Some((next, _)) = targets.first().and_then(|id| self.functions.get(id)) else {
                        break;
                    };
                    inner = *next;
                }
                wait
            }
            _ => waits(program, call)?,
        };
        let subject = chain.last().map(|hop| hop.callee.to_string()).unwrap_or_default();
        let mut seen = observe(program, "blocking-under-lock", id, program.call_place(call), &subject);
        seen.chains = if chain.len() > 1 { vec![chain] } else { Vec::new() };
        seen.wait = Some(wait);
        seen.cost = Some(cost);
        seen.mitigations.extend(program.mitigations(call));
        seen.mitigations.sort_unstable();
        seen.mitigations.dedup();
        seen.facts.push(("lock", held::written(program, guard)));
        Some(seen)
    }
}

/// What a call of a library waits for, if it is worth a thought: another lock is told of elsewhere.
fn waits(program: &Program<'_>, call: CallId) -> Option<Wait> {
    if program.call(call).how.awaited || held::guard_kind(program, call).is_some() {
        return None;
    }
    match program.api(call)?.effect {
        Effect::Blocks { wait, cost } if cost > Cost::Small && wait != WaitKind::Lock => Some((wait, cost)),
        _ => None,
    }
}
