//! Calls that must not happen on a loop: what the catalogue says of them, the conditions it makes, and what speaks for
//! less weight.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Builder;
use crate::catalog::{self, Api, Effect, Language, Mark, Unless};
use crate::finding::{Cost, Edit, Fix, Mitigation};
use crate::scan::callgraph::{NodeId, Sink, SinkKind};
use crate::scan::python::facts::{Argument, Call, FileFacts, Flags, Traits, Value, ValueId};
use crate::scan::python::language::{ASKS_FOR_AWAITABLE, ASKS_FOR_END, NEVER_WAITS, is_test};
use crate::scan::python::names::{Name, Thing, is_starred};
use crate::wait::WaitKind;

impl<'p> Builder<'_, 'p> {
    pub(super) fn sink(
        &mut self,
        facts: &'p FileFacts,
        call: &'p Call,
        api: &'p Api,
        name: Name,
        inferred: Option<Mitigation>,
    ) {
        // What is awaited is not the function that blocks, whatever its name says.
        let awaited = call.flags.has(Flags::AWAITED);
        let never_waiting = &self.known.told[self.file as usize].never_waiting;
        let told = matches!(facts.value(call.callee), Value::Attribute(on, _) if never_waiting.contains(&on));
        if awaited
            || told
            || call.flags.has(Flags::NEVER_WAITS)
            || self.is_there(facts, call)
            || api.unless.iter().any(|unless| self.holds(facts, call, unless))
        {
            return;
        }
        let before = self.part.sinks.len();
        self.sink_at(call.function, (call.start, call.end), call.flags, api, name, inferred);
        let fix = fix(facts, call, api);
        let limited = is_limited(facts, call, api);
        let of_object = self.is_method(facts, call);
        if let Some(sink) = self.part.sinks.get_mut(before) {
            sink.fix = fix;
            sink.endless &= !limited;
            if !of_object {
                self.part.functions.push(before);
            }
        }
    }

    /// Whether the object was asked before, in the same function, whether it is done.
    fn is_there(&self, facts: &FileFacts, call: &Call) -> bool {
        let Value::Attribute(on, _) = facts.value(call.callee) else { return false };
        let asked = &self.known.told[self.file as usize].asked;
        asked.get(&(call.function, on)).is_some_and(|asked| *asked < call.start)
    }

    /// Whether the condition is met that takes the effect away.
    fn holds(&mut self, facts: &FileFacts, call: &Call, unless: &Unless) -> bool {
        let Some(given) = argument(facts, call, &unless.argument) else {
            // Empty text stands for an argument that is not given.
            return unless.is.iter().any(String::is_empty);
        };
        let text = given.text.map(|text| facts.text(text));
        text.is_some_and(|text| unless.is.iter().any(|wanted| same(text, wanted)))
            || self.is_one_of(given.value, &unless.of)
    }

    /// Whether a value is an instance of one of these types of libraries.
    fn is_one_of(&mut self, value: ValueId, types: &[String]) -> bool {
        if types.is_empty() {
            return false;
        }
        match self.program.evaluate(self.file, value) {
            Thing::Made(name) => types.iter().any(|wanted| wanted == self.program.names.text(name)),
            _ => false,
        }
    }

    /// Whether a call is one of a method, on an object.
    fn is_method(&mut self, facts: &FileFacts, call: &Call) -> bool {
        let Value::Attribute(on, _) = facts.value(call.callee) else { return false };
        let on = self.program.evaluate(self.file, on);
        !self.program.several(on).iter().all(|on| matches!(on, Thing::External(_) | Thing::Module(_)))
    }

    pub(super) fn sink_at(
        &mut self,
        function: u32,
        span: (u32, u32),
        flags: Flags,
        api: &'p Api,
        name: Name,
        inferred: Option<Mitigation>,
    ) {
        let (kind, cost) = match api.effect {
            Effect::Blocks { wait, cost } => (SinkKind::Waits(wait), cost),
            Effect::Computes { cost, .. } => (SinkKind::Computes, cost),
            Effect::RunsLoop => (SinkKind::RunsLoop, Cost::Unbounded),
            Effect::Offloads { .. } | Effect::Schedules { .. } | Effect::Harmless => return,
        };
        let mut mitigations = mitigations(flags, inferred);
        if is_test(&self.known.paths[self.file as usize]) {
            mitigations.push(Mitigation::Test);
        }
        if self.program.catalog.has(Language::Python, self.program.names.text(name), Mark::Once) {
            mitigations.push(Mitigation::FirstCallOnly);
        }
        let place = self.place(span.0, span.1);
        let endless = cost == Cost::Unbounded && self.waits_for_others(kind, name);
        self.part.sinks.push(Sink {
            node: NodeId(self.caller(function).0),
            place,
            callee: self.program.names.text(name).into(),
            kind,
            cost,
            endless,
            mitigations,
            guarded: flags.has(Flags::GUARDED),
            repeated: flags.has(Flags::REPEATED),
            sibling: api.sibling.as_deref().map(Arc::from),
            cure: api.cure.as_deref().map(Arc::from),
            fix: None,
        });
    }

    /// Whether it waits for what others do. Whoever holds a lock lets go of it, and a future has a rule of its own.
    fn waits_for_others(&self, kind: SinkKind, name: Name) -> bool {
        const OTHERWISE: [Mark; 4] = [Mark::Lock, Mark::ReentrantLock, Mark::Semaphore, Mark::Future];
        let owner = self.program.names.text(name).rsplit_once('.').map_or("", |(owner, _)| owner);
        matches!(kind, SinkKind::Waits(_))
            && !OTHERWISE.iter().any(|mark| self.program.catalog.has(Language::Python, owner, *mark))
    }
}

/// What a file says of waiting, besides calling what waits.
pub(super) struct Told {
    /// Values that never wait.
    never_waiting: FxHashSet<ValueId>,
    /// Where functions ask an object whether it is done.
    asked: FxHashMap<(u32, ValueId), u32>,
    /// What functions call and await only if it can be.
    pub(super) either: FxHashSet<(u32, ValueId)>,
}

impl Told {
    pub(super) fn of(facts: &FileFacts) -> Self {
        Self { never_waiting: never_waiting(facts), asked: asked(facts), either: either(facts) }
    }
}

/// Whether a call is told how long to wait at most: the catalogue names that argument where it says when a call does not
/// wait at all.
fn is_limited(facts: &FileFacts, call: &Call, api: &Api) -> bool {
    let limit = |unless: &&Unless| matches!(&unless.argument, catalog::Argument::At(_, Some(name)) | catalog::Argument::Named(name) if name == "timeout");
    let given = api.unless.iter().find(limit).and_then(|unless| argument(facts, call, &unless.argument));
    given.is_some_and(|given| given.text.is_none_or(|text| facts.text(text) != "None"))
}

/// `time.sleep(x)` as a statement of an async function becomes `await asyncio.sleep(x)`: sleeping takes one number
/// and gives nothing back, so only the name and the `await` change. Anything else may differ in more.
fn fix(facts: &FileFacts, call: &Call, api: &Api) -> Option<Fix> {
    let sleeps = matches!(api.effect, Effect::Blocks { wait: WaitKind::Sleep, .. });
    let in_async = facts.functions[call.function as usize].traits.has(Traits::ASYNC);
    let one_number = matches!(facts.arguments_of(call), [only] if only.keyword.is_none());
    if !(sleeps && in_async && one_number && facts.exact && call.flags.has(Flags::STATEMENT)) {
        return None;
    }
    let sibling = api.sibling.as_deref()?;
    let callee = spelled(facts, sibling)?;
    let edit = Edit { bytes: (call.start, call.callee_end), text: format!("await {callee}") };
    Some(Fix { title: format!("await `{sibling}`"), edits: vec![edit] })
}

/// How a file can spell a function of a library without a new import.
fn spelled(facts: &FileFacts, qualified: &str) -> Option<String> {
    let (owner, member) = qualified.rsplit_once('.')?;
    facts.globals.iter().find_map(|(name, value)| {
        let Value::Import { level: 0, module, member: taken } = facts.value(*value) else { return None };
        let name = facts.text(*name);
        match taken {
            None if facts.text(module) == owner => Some(format!("{name}.{member}")),
            Some(taken) if facts.text(module) == owner && facts.text(taken) == member => {
                Some(name.to_owned())
            }
            _ => None,
        }
    })
}

/// The values of a file on which a method is called that makes them never wait.
fn never_waiting(facts: &FileFacts) -> FxHashSet<ValueId> {
    let told = facts.calls.iter().filter_map(|call| {
        let Value::Attribute(on, method) = facts.value(call.callee) else { return None };
        let (_, values) = NEVER_WAITS.iter().find(|(name, _)| *name == facts.text(method))?;
        let given = facts.text(facts.arguments_of(call).first()?.text?);
        values.contains(&given).then_some(on)
    });
    told.collect()
}

/// What each function calls and asks of what it got whether it can be awaited: it is ready for both.
fn either(facts: &FileFacts) -> FxHashSet<(u32, ValueId)> {
    let mut either = FxHashSet::default();
    for call in &facts.calls {
        let (Value::Attribute(_, name) | Value::Import { member: Some(name), .. }) = facts.value(call.callee)
        else {
            continue;
        };
        if !ASKS_FOR_AWAITABLE.contains(&facts.text(name)) {
            continue;
        }
        let Some(given) = facts.arguments_of(call).first() else { continue };
        let all = facts.each(given.value);
        either.extend(all.iter().filter_map(|value| match facts.value(*value) {
            Value::Called(callee) => Some((call.function, callee)),
            _ => None,
        }));
    }
    either
}

/// Where each function asks each object first whether it is done.
fn asked(facts: &FileFacts) -> FxHashMap<(u32, ValueId), u32> {
    let mut asked = FxHashMap::default();
    for call in &facts.calls {
        let Value::Attribute(on, method) = facts.value(call.callee) else { continue };
        if on != ValueId::UNKNOWN && ASKS_FOR_END.contains(&facts.text(method)) {
            asked.entry((call.function, on)).or_insert(call.start);
        }
    }
    asked
}

/// What the circumstances of a call speak for.
pub(super) fn mitigations(flags: Flags, inferred: Option<Mitigation>) -> Vec<Mitigation> {
    let rows = [(Flags::FIRST_CALL, Mitigation::FirstCallOnly), (Flags::ERROR_PATH, Mitigation::ErrorPath)];
    let mut found: Vec<Mitigation> =
        rows.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, mitigation)| *mitigation).collect();
    found.extend(inferred);
    found
}

/// The argument of a call that the catalogue means.
pub(super) fn argument<'f>(
    facts: &'f FileFacts,
    call: &Call,
    wanted: &catalog::Argument,
) -> Option<&'f Argument> {
    let arguments = facts.arguments_of(call);
    let named = |name: &str| {
        arguments.iter().find(|argument| argument.keyword.is_some_and(|keyword| facts.text(keyword) == name))
    };
    match wanted {
        catalog::Argument::At(position, keyword) => {
            keyword.as_deref().and_then(named).or_else(|| at(facts, arguments, *position))
        }
        catalog::Argument::Named(keyword) => named(keyword),
    }
}

/// The argument at a position, where no `*arguments` stands before it.
fn at<'f>(facts: &FileFacts, arguments: &'f [Argument], position: usize) -> Option<&'f Argument> {
    let before = arguments.get(..=position)?;
    let counted = before.iter().all(|argument| argument.keyword.is_none() && !is_starred(facts, argument));
    if counted { before.last() } else { None }
}

/// Whether two constants are the same: names by their last part, strings whatever their quotes.
fn same(text: &str, wanted: &str) -> bool {
    let bare = |text: &str| text.trim_matches(['"', '\'']).to_owned();
    if bare(text) == bare(wanted) {
        return true;
    }
    let is_name = |text: &str| text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    is_name(text) && is_name(wanted) && last(text) == last(wanted)
}
