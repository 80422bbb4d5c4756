//! Locks taken twice by one thread, and pairs of locks taken in both orders.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::super::facts::{Callee, Event};
use super::super::held::{self, Guard, Kind, Lock, While};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::values::Target;
use super::observe;
use crate::finding::{Hop, Observation};

/// A lock that is taken while another one is held.
struct Taken {
    holder: Guard,
    lock: Lock,
    at: CallId,
    id: FunctionId,
}

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    let locks = Locks::of(program);
    let mut pairs: Vec<Taken> = Vec::new();
    for id in program.functions() {
        held::follow(program, id, |guards, happens| {
            let While::Call(call, own) = happens else { return };
            for holder in guards.iter().filter(|guard| guard.kind != Kind::Borrow) {
                if let Some(own) = own {
                    if waits(program, call) {
                        twice(program, id, holder, own, call, found);
                        if let Some(lock) = own.lock.clone() {
                            pairs.push(Taken { holder: holder.clone(), lock, at: call, id });
                        }
                    }
                } else if let Target::Project(targets) = program.target(call)
                    && let [callee] = targets[..]
                {
                    if own_lock_again(program, id, holder, call, callee, &locks) {
                        found.push(again_below(program, id, holder, call, callee));
                    }
                    for lock in locks.all.get(&callee).into_iter().flatten() {
                        pairs.push(Taken { holder: holder.clone(), lock: lock.clone(), at: call, id });
                    }
                }
            }
        });
    }
    inversions(program, &pairs, found);
}

/// Whether a call that gives a guard waits for it.
fn waits(program: &Program<'_>, call: CallId) -> bool {
    !matches!(program.call(call).callee, Callee::Method(_, name) if program.facts(call.file).text(name).starts_with("try_"))
}

/// Whether a guard only reads: two of those may be held at once.
fn reads(program: &Program<'_>, call: CallId) -> bool {
    matches!(program.call(call).callee, Callee::Method(_, name) if program.facts(call.file).text(name).starts_with("read"))
}

fn tries(program: &Program<'_>, call: CallId) -> bool {
    matches!(program.call(call).callee, Callee::Method(_, name) if program.facts(call.file).text(name).starts_with("try_"))
}

fn twice(
    program: &Program<'_>,
    id: FunctionId,
    holder: &Guard,
    own: &Guard,
    call: CallId,
    found: &mut Vec<Observation>,
) {
    let (Some(first), Some(second)) = (holder.receiver, own.receiver) else { return };
    // Whoever takes the lock after trying to does so where trying failed.
    if holder.local.is_none() && tries(program, holder.call) {
        return;
    }
    if own.kind == Kind::Borrow || reads(program, call) && reads(program, holder.call) {
        return;
    }
    if held::same(program, id.file, first, second) {
        // A temporary in the head of an `if let` lives to the end of its `else`.
        let rule = if holder.local.is_none() { "if-let-mutex" } else { "double-lock" };
        let mut seen = observe(program, rule, id, program.call_place(call), &held::written(program, own));
        seen.facts.push(("first_line", program.call(holder.call).spot.start.0.to_string()));
        found.push(seen);
    }
}

/// Whether `self.method()` takes a lock of `self` that is held.
fn own_lock_again(
    program: &Program<'_>,
    id: FunctionId,
    holder: &Guard,
    call: CallId,
    callee: FunctionId,
    locks: &Locks,
) -> bool {
    let this = enclosing_this(program, id);
    let (Callee::Method(receiver, _), Some(lock), Some(held)) =
        (program.call(call).callee, &holder.lock, holder.receiver)
    else {
        return false;
    };
    if this.is_none() || Some(receiver) != this || reads(program, holder.call) {
        return false;
    }
    let facts = program.facts(id.file);
    let super::super::facts::Value::Field(base, _) = facts.value(held) else { return false };
    Some(*base) == this && locks.own.get(&callee).is_some_and(|own| own.contains(lock))
}

fn enclosing_this(program: &Program<'_>, id: FunctionId) -> Option<super::super::facts::ValueAt> {
    let facts = program.facts(id.file);
    let mut function = facts.function(id.at);
    while function.this.is_none() {
        function = facts.function(function.parent?);
    }
    function.this
}

fn again_below(
    program: &Program<'_>,
    id: FunctionId,
    holder: &Guard,
    call: CallId,
    callee: FunctionId,
) -> Observation {
    let mut seen =
        observe(program, "double-lock", id, program.call_place(call), &held::written(program, holder));
    seen.chains.push(vec![Hop {
        place: program.call_place(call),
        function: program.name(id),
        callee: program.name(callee),
    }]);
    seen.facts.push(("first_line", program.call(holder.call).spot.start.0.to_string()));
    seen
}

fn inversions(program: &Program<'_>, pairs: &[Taken], found: &mut Vec<Observation>) {
    let mut orders: BTreeMap<(&Lock, &Lock), &Taken> = BTreeMap::new();
    for pair in pairs {
        if let Some(first) = &pair.holder.lock
            && *first != pair.lock
        {
            orders.entry((first, &pair.lock)).or_insert(pair);
        }
    }
    for ((first, second), taken) in &orders {
        let Some(reverse) = orders.get(&(*second, *first)).filter(|_| first < second) else { continue };
        if one_lock_rules(program, taken, reverse) {
            continue;
        }
        // Where it is taken second, in both places: the later one in the program is the one that turned it round.
        let (later, earlier) = if program.call_place(taken.at) > program.call_place(reverse.at) {
            (taken, reverse)
        } else {
            (reverse, taken)
        };
        let [first, second] = [&later.holder, &earlier.holder].map(|guard| held::written(program, guard));
        let subject = format!("{first} / {second}");
        let mut seen =
            observe(program, "lock-order-inversion", later.id, program.call_place(later.at), &subject);
        seen.chains = [later, earlier]
            .into_iter()
            .map(|taken| {
                let hop = |call: CallId| Hop {
                    place: program.call_place(call),
                    function: program.name(taken.id),
                    callee: program.callee(call),
                };
                vec![hop(taken.holder.call), hop(taken.at)]
            })
            .collect();
        let other = program.call_place(earlier.at);
        seen.facts = vec![("other", format!("{}:{}", other.path, other.line))];
        found.push(seen);
    }
}

/// Whether both orders are taken in the same function, one after the other, by the same thread: no deadlock by itself.
fn one_lock_rules(program: &Program<'_>, left: &Taken, right: &Taken) -> bool {
    left.id == right.id && left.at == right.at
        || [left, right].iter().any(|taken| reads(program, taken.at) && reads(program, taken.holder.call))
}

/// Which locks a function takes, itself or below.
struct Locks {
    /// Any lock that has a name in the whole program.
    all: FxHashMap<FunctionId, BTreeSet<Lock>>,
    /// Fields of its own `self`.
    own: FxHashMap<FunctionId, BTreeSet<Lock>>,
}

impl Locks {
    fn of(program: &Program<'_>) -> Self {
        let mut all: FxHashMap<FunctionId, BTreeSet<Lock>> = FxHashMap::default();
        let mut own: FxHashMap<FunctionId, BTreeSet<Lock>> = FxHashMap::default();
        let mut callers: FxHashMap<FunctionId, Vec<(FunctionId, bool)>> = FxHashMap::default();
        for id in program.functions() {
            for event in program.values.events(id) {
                let Event::Call(at) = *event else { continue };
                let call = CallId { file: id.file, at };
                let on_self = matches!(program.call(call).callee, Callee::Method(receiver, _)
                    if program.function(id).this == Some(receiver));
                match program.target(call) {
                    Target::Project(targets) if targets.len() == 1 => {
                        callers.entry(targets[0]).or_default().push((id, on_self));
                    }
                    Target::External(_)
                        if held::guard_kind(program, call).is_some_and(|k| k != Kind::Borrow) =>
                    {
                        let Callee::Method(receiver, _) = program.call(call).callee else { continue };
                        if !waits(program, call) {
                            continue;
                        }
                        let Some(lock) = held::lock_of(program, id.file, receiver) else { continue };
                        if matches!(lock, Lock::Variable(..)) {
                            continue;
                        }
                        let facts = program.facts(id.file);
                        if let super::super::facts::Value::Field(base, _) = facts.value(receiver)
                            && program.function(id).this == Some(*base)
                        {
                            own.entry(id).or_default().insert(lock.clone());
                        }
                        all.entry(id).or_default().insert(lock);
                    }
                    _ => {}
                }
            }
        }
        spread(&mut all, &callers, false);
        spread(&mut own, &callers, true);
        Self { all, own }
    }
}

/// From callees to callers until nothing changes.
fn spread(
    locks: &mut FxHashMap<FunctionId, BTreeSet<Lock>>,
    callers: &FxHashMap<FunctionId, Vec<(FunctionId, bool)>>,
    only_own: bool,
) {
    let mut pending: Vec<FunctionId> = locks.keys().copied().collect();
    pending.sort_unstable();
    while let Some(id) = pending.pop() {
        let here = locks.get(&id).cloned().unwrap_or_default();
        for (caller, on_self) in callers.get(&id).into_iter().flatten() {
            if only_own && !on_self {
                continue;
            }
            let there = locks.entry(*caller).or_default();
            let before = there.len();
            there.extend(here.iter().cloned());
            if there.len() > before {
                pending.push(*caller);
            }
        }
    }
}
