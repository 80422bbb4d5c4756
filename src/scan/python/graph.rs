//! From named values to the call graph: which call runs which function, and which waits, computes or runs a loop. Knows
//! what the catalogue says of libraries and how Python runs code unseen: constructors, context managers, iterators,
//! properties, decorators.

mod decorators;
mod part;
pub(super) mod siblings;
mod sinks;
pub(super) mod under_lock;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use self::decorators::{Calling, Decorators, Runners};
use self::part::Part;
pub(super) use self::part::{Built, PlainCall};
use super::facts::{Argument, Call, FileFacts, Flags, Traits, Use, UseKind, Value, ValueId};
use super::language::{HANDS_OVER, is_route, is_script, is_test};
use super::modules::module_name;
use super::names::{FunctionId, Layout, Learnt, Name, Program, Thing, qualified};
use crate::catalog::{Api, Effect, Language, Mark, Offload};
use crate::finding::{Mitigation, Place};
use crate::scan::callgraph::{Colour, Context, Edge, Node, NodeId};

/// A method without a body stands for those of the classes below, if they are no more than this: of many it is not
/// known which one is meant.
const FEW: usize = 3;

/// Some of the files, and who finds out what they are about.
pub(super) struct Share<'p> {
    pub(super) program: Program<'p>,
    pub(super) files: Range<u32>,
}

/// Shares of a program. Their number and what each of them is asked depends on the files alone.
pub(super) fn shares<'p>(layout: &'p Layout<'p>) -> Vec<Share<'p>> {
    layout.shares().into_iter().map(|files| Share { program: Program::of(layout), files }).collect()
}

/// Builds the graph of a program.
pub(super) fn build<'p>(layout: &'p Layout<'p>, shares: &mut [Share<'p>]) -> Built {
    let files = layout.files;
    let told: Vec<_> = files.par_iter().map(sinks::Told::of).collect();
    let nodes: Vec<Node> = files.par_iter().flat_map_iter(nodes).collect();
    let lessons: Vec<_> =
        shares.par_iter_mut().map(|share| share.program.learn(share.files.clone())).collect();
    let learnt = Arc::new(Learnt::of(lessons));
    let runners = Runners::of(layout);
    let (decorators, pairs): (Vec<_>, Vec<_>) = shares
        .par_iter_mut()
        .map(|Share { program, files }| {
            program.take(Arc::clone(&learnt));
            (Decorators::of(program, &runners, files.clone()), program.overriding(files.clone()))
        })
        .unzip();
    let mut overriding: FxHashMap<FunctionId, Vec<FunctionId>> = FxHashMap::default();
    for (base, id) in pairs.into_iter().flatten() {
        overriding.entry(base).or_default().push(id);
    }
    let known = Known {
        decorators: Decorators::merged(decorators),
        overriding,
        properties: properties(files),
        paths: files.iter().map(|file| Arc::from(file.path.as_str())).collect(),
        told,
    };
    let parts = shares.par_iter_mut().map(|share| Builder::of(share, &known).part()).collect();
    Built::of(layout, nodes, parts)
}

/// What every share must know of the whole program before it can say what calls run.
struct Known<'p> {
    decorators: Decorators,
    /// Methods that say nothing, and those that say it in classes below.
    overriding: FxHashMap<FunctionId, Vec<FunctionId>>,
    /// The names of all properties.
    properties: FxHashSet<&'p str>,
    paths: Vec<Arc<str>>,
    /// What each file says of waiting, besides calling what waits.
    told: Vec<sinks::Told>,
}

/// The functions of a file.
fn nodes(facts: &FileFacts) -> impl Iterator<Item = Node> {
    let path: Arc<str> = facts.path.as_str().into();
    let module = module_name(&facts.path);
    let otherwise = if is_script(&facts.path) { Context::OneShot } else { Context::Unknown };
    let test = is_test(&facts.path);
    facts.functions.iter().map(move |function| {
        let traits = function.traits;
        let colour = match (traits.has(Traits::ASYNC), traits.has(Traits::GENERATOR)) {
            (true, _) => Colour::Async,
            (false, true) => Colour::Generator,
            (false, false) => Colour::Sync,
        };
        let context = if test {
            Context::Test
        } else if traits.has(Traits::START_UP) {
            Context::StartUp
        } else {
            otherwise
        };
        let name = qualified(&module, facts.text(function.name)).into();
        let place = facts.lines.place(&path, function.start, function.end);
        Node { name, place, colour, context, cached: traits.has(Traits::CACHED) }
    })
}

/// The names of all properties of the program.
fn properties(files: &[FileFacts]) -> FxHashSet<&str> {
    files
        .iter()
        .flat_map(|file| {
            let of_file = file.functions.iter().filter(|function| function.traits.has(Traits::PROPERTY));
            of_file.map(|function| file.text(function.short))
        })
        .collect()
}

fn reads_one_of(facts: &FileFacts, used: &Use, properties: &FxHashSet<&str>) -> bool {
    matches!(facts.value(used.value), Value::Attribute(_, name) if properties.contains(facts.text(name)))
}

/// What the catalogue says of a name, remembered.
#[derive(Clone, Copy)]
struct Said<'p> {
    api: Option<&'p Api>,
    spawns: bool,
}

struct Builder<'b, 'p> {
    program: &'b mut Program<'p>,
    known: &'b Known<'p>,
    files: Range<u32>,
    /// The file at hand.
    file: u32,
    apis: FxHashMap<Name, Said<'p>>,
    part: Part,
}

impl<'b, 'p> Builder<'b, 'p> {
    fn of(share: &'b mut Share<'p>, known: &'b Known<'p>) -> Self {
        let Share { program, files } = share;
        let (apis, part) = (FxHashMap::default(), Part::default());
        Self { program, known, files: files.clone(), file: 0, apis, part }
    }

    /// What the files of a share add to the graph.
    fn part(mut self) -> Part {
        for file in self.files.clone() {
            self.file = file;
            let facts = &self.program.files[file as usize];
            self.registered(facts);
            for call in &facts.calls {
                self.call(facts, call);
            }
            for used in &facts.uses {
                if used.kind != UseKind::Read || reads_one_of(facts, used, &self.known.properties) {
                    self.used(facts, used);
                }
            }
            for value in &facts.start_up {
                let thing = self.program.evaluate(file, *value);
                let functions = self.program.several(thing).into_iter().filter_map(|thing| match thing {
                    Thing::Function(id) => Some(id),
                    _ => None,
                });
                self.part.starting.extend(functions);
            }
        }
        self.part
    }

    fn place(&self, start: u32, end: u32) -> Place {
        let file = self.file as usize;
        self.program.files[file].lines.place(&self.known.paths[file], start, end)
    }

    fn caller(&self, function: u32) -> FunctionId {
        self.program.function_id(self.file, function)
    }

    fn said(&mut self, name: Name) -> Said<'p> {
        let catalog = self.program.catalog;
        let text = self.program.names.text(name);
        *self.apis.entry(name).or_insert_with(|| Said {
            api: catalog.find(Language::Python, text),
            spawns: catalog.has(Language::Python, text, Mark::Spawns)
                || catalog.has(Language::Python, text, Mark::Gathers),
        })
    }

    /// Finds the functions that a framework calls: the plain ones that answer requests in a thread, and the async ones
    /// that are commands, for each of which a loop is run. Their decorators say so.
    fn registered(&mut self, facts: &'p FileFacts) {
        for (index, function) in facts.functions.iter().enumerate() {
            let is_async = function.traits.has(Traits::ASYNC);
            let registered = function.decorators.iter().any(|decorator| {
                let registers = match facts.value(*decorator) {
                    Value::Called(registers) => registers,
                    _ => *decorator,
                };
                let Thing::External(name) = self.program.evaluate(self.file, registers) else { return false };
                let name = self.program.names.text(name);
                if is_async {
                    self.program.catalog.has(Language::Python, name, Mark::Command)
                } else {
                    is_route(name)
                }
            });
            let id = self.program.function_id(self.file, index as u32);
            match (registered, is_async) {
                (true, true) => self.part.entries.push(id),
                (true, false) => self.part.answering.push(id),
                (false, _) => {}
            }
        }
    }

    fn call(&mut self, facts: &'p FileFacts, call: &'p Call) {
        self.part.calls += 1;
        let thing = self.program.evaluate(self.file, call.callee);
        let all = self.program.several(thing);
        self.part.resolved += u64::from(all.iter().any(|thing| self.is_target(*thing)));
        if call.flags.has(Flags::DECORATOR) {
            return;
        }
        // Of a plain and an async one, what is awaited is the async one.
        let awaited = call.flags.has(Flags::AWAITED) && all.iter().any(|thing| self.is_async(*thing));
        for thing in &all {
            // Of several, what is awaited, if with others, is none of the plain ones, known or not.
            let is_awaited = call.flags.has(Flags::AWAITED)
                || call.flags.has(Flags::IN_AWAIT)
                || self.known.told[self.file as usize].either.contains(&(call.function, call.callee));
            let plain = is_awaited && all.len() > 1;
            if (!awaited && !plain) || self.is_async(*thing) {
                self.calls(facts, call, *thing, all.len() > 1);
            }
        }
    }

    fn is_async(&self, thing: Thing) -> bool {
        match thing {
            Thing::Function(id) => self.program.function(id).1.traits.has(Traits::ASYNC),
            _ => false,
        }
    }

    /// Whether calling it is calling something known. What a library's function returned is not: its methods have no
    /// name of their own.
    fn is_target(&self, thing: Thing) -> bool {
        match thing {
            Thing::Function(_) | Thing::Class(_) | Thing::Instance(_) => true,
            Thing::External(name) | Thing::Made(name) => !self.program.names.text(name).contains("()"),
            _ => false,
        }
    }

    fn calls(&mut self, facts: &'p FileFacts, call: &'p Call, thing: Thing, one_of_several: bool) {
        let inferred = one_of_several.then_some(Mitigation::Inferred);
        let span = (call.start, call.end);
        match thing {
            Thing::Function(id) => {
                let implementations = self.implementations(id);
                let guess = (implementations.len() > 1).then_some(Mitigation::Inferred);
                for id in implementations {
                    self.edge(call.function, id, span, call.flags, inferred.or(guess));
                }
            }
            Thing::Class(class) => {
                for constructor in ["__init__", "__new__", "__post_init__"] {
                    if let Some(id) = self.program.method(class, constructor) {
                        self.edge(call.function, id, span, call.flags, inferred);
                    }
                }
                for base in self.program.externals(class) {
                    self.external(facts, call, base, inferred);
                }
            }
            Thing::Instance(class) => {
                if let Some(id) = self.program.method(class, "__call__") {
                    self.edge(call.function, id, span, call.flags, inferred);
                }
            }
            Thing::External(name) => self.external(facts, call, name, inferred),
            Thing::Made(name) => {
                let dunder = self.program.names.intern("__call__");
                let name = self.program.names.join(name, dunder);
                self.external(facts, call, name, inferred);
            }
            _ => {}
        }
    }

    /// The functions a call of this one may run: itself; where it says nothing, those few that say it instead.
    fn implementations(&self, id: FunctionId) -> Vec<FunctionId> {
        match self.known.overriding.get(&id) {
            Some(overriding) if overriding.len() <= FEW => overriding.clone(),
            _ => vec![id],
        }
    }

    fn edge(
        &mut self,
        from: u32,
        to: FunctionId,
        span: (u32, u32),
        flags: Flags,
        inferred: Option<Mitigation>,
    ) {
        let caller = self.caller(from);
        let traits = self.program.function(to).1.traits;
        let place = self.place(span.0, span.1);
        if traits.has(Traits::GENERATOR) {
            return;
        }
        let (first, second) = match self.known.decorators.calling(to) {
            Calling::Itself => (Some(to), None),
            Calling::Through(wrapper) => (Some(to), Some(wrapper)),
            Calling::Instead(wrapper) => (None, Some(wrapper)),
            Calling::Elsewhere => (None, None),
        };
        if first.is_some() && !flags.has(Flags::AWAITED) && !traits.has(Traits::ASYNC) {
            self.part.plain.push((NodeId(caller.0), to, place.clone()));
        }
        for to in [first, second].into_iter().flatten() {
            self.run(caller, to, place.clone(), flags, inferred);
        }
    }

    fn run(
        &mut self,
        from: FunctionId,
        to: FunctionId,
        place: Place,
        flags: Flags,
        inferred: Option<Mitigation>,
    ) {
        self.part.edges.push(Edge {
            from: NodeId(from.0),
            to: NodeId(to.0),
            place,
            mitigations: sinks::mitigations(flags, inferred),
            awaited: flags.has(Flags::AWAITED),
            guarded: flags.has(Flags::GUARDED),
            repeated: flags.has(Flags::REPEATED),
        });
    }

    fn external(&mut self, facts: &'p FileFacts, call: &'p Call, name: Name, inferred: Option<Mitigation>) {
        let said = self.said(name);
        if said.spawns {
            self.part.spawning.insert(self.caller(call.function));
        }
        let Some(api) = said.api else { return };
        match &api.effect {
            Effect::Schedules { function } => {
                if let Some(given) = sinks::argument(facts, call, function) {
                    self.schedule(given);
                }
            }
            Effect::Offloads { to: Offload::Task, .. } => {
                self.part.spawning.insert(self.caller(call.function));
            }
            Effect::RunsLoop => {
                self.entry(facts, call);
                self.sink(facts, call, api, name, inferred);
            }
            Effect::Blocks { .. } | Effect::Computes { .. } => self.sink(facts, call, api, name, inferred),
            Effect::Offloads { .. } | Effect::Harmless => {}
        }
    }

    fn schedule(&mut self, given: &Argument) {
        let thing = self.program.evaluate(self.file, given.value);
        for thing in self.program.several(thing) {
            if let Thing::Function(id) = thing {
                self.part.scheduled.push(id);
            }
        }
    }

    /// `asyncio.run(main())` where a program starts.
    fn entry(&mut self, facts: &FileFacts, call: &Call) {
        let function = &facts.functions[call.function as usize];
        let starts = call.function == 0
            || call.flags.has(Flags::MAIN)
            || function.traits.has(Traits::COMMAND)
            || matches!(facts.text(function.short), "main" | "cli" | "run" | "_main");
        let Some(given) = facts.arguments_of(call).first().filter(|_| starts) else { return };
        if let Thing::Coroutine(id) = self.program.evaluate(self.file, given.value) {
            self.part.entries.push(id);
            return;
        }
        // `task = loop.create_task(main())` and `loop.run_until_complete(task)`.
        for before in facts.calls.iter().filter(|before| before.function == call.function) {
            let Some(given) = facts.arguments_of(before).first() else { continue };
            if let Thing::External(name) = self.program.evaluate(self.file, before.callee)
                && self.said(name).spawns
                && let Thing::Coroutine(id) = self.program.evaluate(self.file, given.value)
            {
                self.part.entries.push(id);
            }
        }
    }

    fn used(&mut self, facts: &'p FileFacts, used: &'p Use) {
        match used.kind {
            UseKind::Enter => self.entered(facts, used),
            UseKind::Iterate => self.iterated(facts, used),
            UseKind::Read => self.read(facts, used),
        }
    }

    /// The function of the program that a value is the call of.
    fn called_function(&mut self, facts: &FileFacts, value: ValueId, wanted: Traits) -> Option<FunctionId> {
        let Value::Called(function) = facts.value(value) else { return None };
        match self.program.evaluate(self.file, function) {
            Thing::Function(id) => {
                let traits = self.program.function(id).1.traits;
                (traits.has(wanted) && !traits.has(Traits::ASYNC)).then_some(id)
            }
            _ => None,
        }
    }

    fn entered(&mut self, facts: &'p FileFacts, used: &'p Use) {
        if let Some(id) = self.called_function(facts, used.value, Traits::CONTEXT_MANAGER) {
            let (caller, place) = (self.caller(used.function), self.place(used.start, used.end));
            return self.run(caller, id, place, used.flags, None);
        }
        self.methods(used, &["__enter__", "__exit__"]);
    }

    fn iterated(&mut self, facts: &'p FileFacts, used: &'p Use) {
        if let Some(id) = self.called_function(facts, used.value, Traits::GENERATOR) {
            let (caller, place) = (self.caller(used.function), self.place(used.start, used.end));
            return self.run(caller, id, place, used.flags, None);
        }
        self.methods(used, &["__iter__", "__next__"]);
    }

    /// Runs these methods of what is used.
    fn methods(&mut self, used: &'p Use, methods: &[&str]) {
        let thing = self.program.evaluate(self.file, used.value);
        let all = self.program.several(thing);
        let inferred = (all.len() > 1).then_some(Mitigation::Inferred);
        for thing in all {
            for method in methods {
                match thing {
                    Thing::Instance(class) => {
                        if let Some(id) = self.program.method(class, method) {
                            self.edge(used.function, id, (used.start, used.end), used.flags, inferred);
                        }
                    }
                    Thing::Made(name) => {
                        if *method == "__exit__" && self.leaves_nothing(used, name) {
                            continue;
                        }
                        let member = self.program.names.intern(method);
                        let name = self.program.names.join(name, member);
                        if let Some(api) = self.said(name).api {
                            self.sink_at(
                                used.function,
                                (used.start, used.end),
                                used.flags,
                                api,
                                name,
                                inferred,
                            );
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether a pool is left that was given nothing to do behind the back of whoever leaves it: what is awaited inside
    /// of the `with` is done.
    fn leaves_nothing(&self, used: &Use, made: Name) -> bool {
        let (catalog, name) = (self.program.catalog, self.program.names.text(made));
        let is_pool = [Mark::ThreadPool, Mark::ProcessPool];
        if !is_pool.iter().any(|mark| catalog.has(Language::Python, name, *mark)) {
            return false;
        }
        let facts = &self.program.files[self.file as usize];
        !facts.calls.iter().filter(|call| call.function == used.function).any(|call| {
            let Value::Attribute(on, method) = facts.value(call.callee) else { return false };
            let entered = facts
                .each(on)
                .iter()
                .any(|on| matches!(facts.value(*on), Value::Entered(entered) if entered == used.value));
            entered && HANDS_OVER.contains(&facts.text(method))
        })
    }

    fn read(&mut self, facts: &'p FileFacts, used: &'p Use) {
        let Value::Attribute(base, name) = facts.value(used.value) else { return };
        let base = self.program.evaluate(self.file, base);
        let all = self.program.several(base);
        let inferred = (all.len() > 1).then_some(Mitigation::Inferred);
        for thing in all {
            let Thing::Instance(class) = thing else { continue };
            if let Some(id) = self.program.method(class, facts.text(name))
                && self.program.function(id).1.traits.has(Traits::PROPERTY)
            {
                self.edge(used.function, id, (used.start, used.end), used.flags, inferred);
            }
        }
    }
}
