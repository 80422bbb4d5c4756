//! Loops in async code that never let others run, and loops that ask again and again instead of waiting.

use super::super::facts::{Bound, Callee, Event, LoopFact, LoopKind};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::vocabulary as words;
use super::observe;
use crate::catalog::Effect;
use crate::finding::{Cost, Observation};
use crate::wait::WaitKind;

/// A loop of so many steps takes a millisecond however little a step does.
const MANY_STEPS: u64 = 1_000_000;
/// So many operators of arithmetic in nested loops over ranges are a computation.
const MUCH_ARITHMETIC: u32 = 2;

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for id in program.functions() {
        let function = program.function(id);
        for (at, fact) in function.loops.iter().enumerate() {
            let inside = Inside::of(program, id, at as u32);
            if program.on_loop(id) && fact.awaits == 0 && heavy(function.loops.as_slice(), at, &inside) {
                let mut seen =
                    observe(program, "cpu-loop-in-async", id, program.place(id.file, fact.spot), "loop");
                seen.cost = Some(if inside.spins { Cost::Unbounded } else { Cost::Large });
                found.push(seen);
            }
            if let Some(sleep) = inside.polls(program, fact) {
                let subject = program.callee(sleep);
                let mut seen = observe(program, "poll-loop", id, program.place(id.file, fact.spot), &subject);
                seen.wait = Some(WaitKind::Sleep);
                found.push(seen);
            }
        }
    }
}

fn heavy(loops: &[LoopFact], at: usize, inside: &Inside) -> bool {
    let fact = &loops[at];
    if fact.depth > 0 && loops[..at].iter().any(|outer| outer.depth < fact.depth && outer.awaits == 0) {
        // The outer loop is the one to tell of.
        return false;
    }
    if inside.spins {
        return true;
    }
    let nested = loops[at + 1..].iter().take_while(|inner| inner.depth > fact.depth);
    match fact.kind {
        LoopKind::For(Bound::Literal(steps)) if steps >= MANY_STEPS => true,
        LoopKind::For(Bound::Literal(steps)) => nested
            .filter_map(|inner| match inner.kind {
                LoopKind::For(Bound::Literal(more)) => Some(more),
                _ => None,
            })
            .max()
            .is_some_and(|more| steps.saturating_mul(more) >= MANY_STEPS),
        LoopKind::For(Bound::Computed | Bound::Endless) => {
            let ranges = nested
                .filter(|inner| matches!(inner.kind, LoopKind::For(Bound::Computed | Bound::Endless)))
                .count();
            ranges > 0 && fact.arithmetic >= MUCH_ARITHMETIC && !inside.waits
        }
        _ => false,
    }
}

/// What the calls in a loop do.
#[derive(Debug, Default)]
struct Inside {
    /// Calls that sleep, last one.
    sleeps: Option<CallId>,
    awaited_sleeps: u32,
    /// Asks an atomic or tries a lock, and otherwise nothing.
    spins: bool,
    /// Something else that waits or is awaited.
    waits: bool,
    asks: u32,
    others: u32,
}

impl Inside {
    fn of(program: &Program<'_>, id: FunctionId, wanted: u32) -> Self {
        let mut inside = Self::default();
        let mut depth = 0_u32;
        for event in program.values.events(id) {
            match *event {
                Event::Loop(at) if depth > 0 || at == wanted => depth += 1,
                Event::LoopEnd if depth > 0 => depth -= 1,
                Event::Call(at) if depth > 0 => inside.add(program, CallId { file: id.file, at }),
                _ => {}
            }
        }
        let facts = &program.function(id).loops[wanted as usize];
        let endless = matches!(facts.kind, LoopKind::While | LoopKind::Loop);
        let yields = inside.sleeps.is_some() || inside.waits;
        inside.spins = endless && inside.asks > 0 && inside.others == 0 && !yields && facts.arithmetic == 0;
        inside
    }

    fn add(&mut self, program: &Program<'_>, call: CallId) {
        let facts = program.facts(call.file);
        let this = program.call(call);
        let name = program.external(call).unwrap_or_default();
        if words::sleeps(&name) {
            self.awaited_sleeps += u32::from(this.how.awaited);
            self.sleeps = Some(call);
        } else if matches!(this.callee, Callee::Method(_, name) if words::asks(facts.text(name)))
            || words::spins(&name)
        {
            self.asks += 1;
        } else {
            let blocks = matches!(program.api(call).map(|api| &api.effect), Some(Effect::Blocks { .. }));
            self.waits |= this.how.awaited || blocks;
            self.others += u32::from(!words::is_plain(&name));
        }
    }

    /// The sleep of a loop that only looks and sleeps.
    fn polls(&self, program: &Program<'_>, fact: &LoopFact) -> Option<CallId> {
        let only = fact.awaits == self.awaited_sleeps;
        let looks = self.asks > 0;
        // A sleep up to a moment that was computed is a timer, not a question.
        let regular =
            |call: &CallId| program.call(*call).arguments.iter().all(|argument| argument.text.is_some());
        self.sleeps.filter(regular).filter(|_| only && looks && fact.ends && !self.waits)
    }
}
