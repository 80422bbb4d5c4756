//! The whole program as the detectors see it: functions with their names and surroundings, calls with what they do.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::facts::{Call, CallAt, Fate, FileFacts, Function, FunctionAt, FunctionKind, Spot, Value};
use super::held::Kind;
use super::names::{FunctionId, Text};
use super::values::{Shape, Target, Values};
use super::vocabulary as words;
use crate::catalog::{Api, Argument, Effect, Language, Mark, Offload};
use crate::finding::{Mitigation, Place};

/// Where a closure or block runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// There and then, by whoever it was handed to.
    AtOnce,
    /// On another thread.
    Elsewhere,
    /// Nobody knows when, or a task of its own.
    Later,
}

/// A call of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CallId {
    pub(super) file: u32,
    pub(super) at: CallAt,
}

/// The program.
pub(super) struct Program<'f> {
    pub(super) values: Values<'f>,
    paths: Vec<Arc<str>>,
    names: RefCell<FxHashMap<FunctionId, Arc<str>>>,
    /// Which guard a function of a library gives.
    kinds: RefCell<FxHashMap<Text, Option<Kind>>>,
}

impl<'f> Program<'f> {
    pub(super) fn new(values: Values<'f>) -> Self {
        let paths = values.names.files.iter().map(|facts| Arc::from(facts.path.as_ref())).collect();
        Self { values, paths, names: RefCell::default(), kinds: RefCell::default() }
    }

    pub(super) fn files(&self) -> &'f [FileFacts] {
        self.values.names.files
    }

    pub(super) fn facts(&self, file: u32) -> &'f FileFacts {
        &self.values.names.files[file as usize]
    }

    pub(super) fn function(&self, id: FunctionId) -> &'f Function {
        self.values.function(id)
    }

    pub(super) fn call(&self, id: CallId) -> &'f Call {
        self.facts(id.file).call(id.at)
    }

    /// Every function, closure and block, in order.
    pub(super) fn functions(&self) -> impl Iterator<Item = FunctionId> + '_ {
        self.files().iter().enumerate().flat_map(|(file, facts)| {
            (0..facts.functions.len() as u32)
                .map(move |at| FunctionId { file: file as u32, at: FunctionAt(at) })
        })
    }

    /// Every call, in order.
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.files().iter().enumerate().flat_map(|(file, facts)| {
            (0..facts.calls.len() as u32).map(move |at| CallId { file: file as u32, at: CallAt(at) })
        })
    }

    /// The calls of a file, in order.
    pub(super) fn calls_of(&self, file: u32) -> impl Iterator<Item = CallId> + '_ {
        (0..self.facts(file).calls.len() as u32).map(move |at| CallId { file, at: CallAt(at) })
    }

    pub(super) fn caller(&self, call: CallId) -> FunctionId {
        FunctionId { file: call.file, at: self.call(call).function }
    }

    pub(super) fn target(&self, call: CallId) -> Target {
        self.values.target(call.file, call.at)
    }

    /// The qualified name of what is called outside of the project.
    pub(super) fn external(&self, call: CallId) -> Option<Box<str>> {
        match self.target(call) {
            Target::External(text) => {
                let name = self.values.names.text(text);
                Some(name)
            }
            _ => None,
        }
    }

    /// Whether what is called is marked so in the catalogue.
    pub(super) fn marked(&self, call: CallId, mark: Mark) -> bool {
        self.external(call).is_some_and(|name| self.values.catalog.has(Language::Rust, &name, mark))
    }

    /// Remembers which guard a function of a library gives.
    pub(super) fn kind_of(&self, function: Text, find: impl FnOnce() -> Option<Kind>) -> Option<Kind> {
        if let Some(known) = self.kinds.borrow().get(&function) {
            return *known;
        }
        let found = find();
        self.kinds.borrow_mut().insert(function, found);
        found
    }

    /// What the catalogue knows of a call, unless its arguments say otherwise.
    pub(super) fn api(&self, call: CallId) -> Option<&'f Api> {
        let name = self.external(call)?;
        let api = self.values.catalog.find(Language::Rust, &name)?;
        let excused = api.unless.iter().any(|unless| {
            let Argument::At(at, _) = &unless.argument else { return false };
            let text = self.call(call).arguments.get(*at).and_then(|argument| argument.text);
            text.is_some_and(|text| {
                let text = self.facts(call.file).text(text);
                unless.is.iter().any(|wanted| wanted == text || last_parts(text) == last_parts(wanted))
            })
        });
        (!excused).then_some(api)
    }

    /// Whether an argument of a call is known to be a file or something like it, not memory.
    pub(super) fn on_file(&self, call: CallId) -> bool {
        let values = &self.values;
        self.call(call)
            .arguments
            .iter()
            .any(|argument| values.is(values.innermost(values.ty(call.file, argument.value)), Mark::File))
    }

    pub(super) fn place(&self, file: u32, spot: Spot) -> Place {
        Place {
            path: Arc::clone(&self.paths[file as usize]),
            line: spot.start.0,
            column: spot.start.1,
            end_line: spot.end.0,
            end_column: spot.end.1,
            bytes: spot.bytes,
        }
    }

    pub(super) fn call_place(&self, call: CallId) -> Place {
        self.place(call.file, self.call(call).spot)
    }

    /// The qualified name of a function; of a closure or block, of the function around it.
    pub(super) fn name(&self, id: FunctionId) -> Arc<str> {
        if let Some(name) = self.names.borrow().get(&id) {
            return Arc::clone(name);
        }
        let facts = self.facts(id.file);
        let mut function = facts.function(id.at);
        while let Some(parent) = function.parent.filter(|_| function.kind != FunctionKind::Fn) {
            function = facts.function(parent);
        }
        let module = self.values.names.module_name(self.values.names.scope(id.file, function.scope));
        let owner = function.owner.and_then(|owner| match facts.value(owner) {
            Value::Type(path, ..) => facts.text(*path).rsplit("::").next(),
            _ => None,
        });
        let own = facts.text(function.name);
        let parts: Vec<&str> = [module.as_str(), owner.unwrap_or_default(), own]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let name: Arc<str> = parts.join("::").into();
        self.names.borrow_mut().insert(id, Arc::clone(&name));
        name
    }

    /// The name of what a call calls, for people.
    pub(super) fn callee(&self, call: CallId) -> Arc<str> {
        match self.target(call) {
            Target::Project(found) if !found.is_empty() => self.name(found[0]),
            Target::External(text) => self.values.names.text(text).as_ref().into(),
            _ => "?".into(),
        }
    }

    /// Whether a function runs on an event loop by itself: `async`, or polled.
    pub(super) fn on_loop(&self, id: FunctionId) -> bool {
        let function = self.function(id);
        if function.marks.is_async {
            return true;
        }
        let facts = self.facts(id.file);
        function.kind == FunctionKind::Fn
            && facts.text(function.name).starts_with("poll")
            && function
                .of_trait
                .is_some_and(|of| matches!(facts.text(of).rsplit("::").next(), Some("Future" | "Stream")))
    }

    pub(super) fn is_test(&self, id: FunctionId) -> bool {
        let mut function = self.function(id);
        if self.values.names.is_test(id.file) || function.marks.test {
            return true;
        }
        while let Some(parent) = function.parent {
            function = self.facts(id.file).function(parent);
            if function.marks.test {
                return true;
            }
        }
        false
    }

    /// What speaks for less weight where a call stands.
    pub(super) fn mitigations(&self, call: CallId) -> Vec<Mitigation> {
        let how = self.call(call).how;
        let caller = self.caller(call);
        let function = self.function(caller);
        let mut found = Vec::new();
        let mut add = |holds: bool, mitigation| {
            if holds {
                found.push(mitigation);
            }
        };
        add(how.first_call || function.marks.cached, Mitigation::FirstCallOnly);
        add(how.error_path, Mitigation::ErrorPath);
        add(function.marks.main && !how.in_loop, Mitigation::StartUp);
        add(self.facts(caller.file).path.ends_with("build.rs"), Mitigation::OneShot);
        add(self.is_test(caller), Mitigation::Test);
        add(how.guessed, Mitigation::Inferred);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where a closure or block runs that was handed to a call as this argument.
    pub(super) fn runs(&self, call: CallId, argument: u32) -> Runs {
        self.runs_within(call, argument, 8)
    }

    fn runs_within(&self, call: CallId, argument: u32, patience: u32) -> Runs {
        match self.target(call) {
            Target::External(text) => {
                let name = self.values.names.text(text);
                match self.values.catalog.find(Language::Rust, &name).map(|api| &api.effect) {
                    Some(Effect::Offloads { to: Offload::Thread | Offload::Process, .. }) => Runs::Elsewhere,
                    Some(Effect::Offloads { to: Offload::Task, .. } | Effect::Schedules { .. }) => {
                        Runs::Later
                    }
                    Some(Effect::RunsLoop) => Runs::Later,
                    _ if self.values.catalog.has(Language::Rust, &name, Mark::Spawns) => Runs::Later,
                    _ if words::runs_at_once(&name) => Runs::AtOnce,
                    _ => Runs::Later,
                }
            }
            Target::Project(found) if patience > 0 => {
                found.first().map_or(Runs::Later, |id| self.parameter_runs(*id, argument, patience - 1))
            }
            Target::Unknown => match self.call(call).callee {
                super::facts::Callee::Method(_, name)
                    if words::runs_at_once(self.facts(call.file).text(name)) =>
                {
                    Runs::AtOnce
                }
                _ => Runs::Later,
            },
            _ => Runs::Later,
        }
    }

    /// What a function of the project does with a parameter that can be called.
    fn parameter_runs(&self, id: FunctionId, parameter: u32, patience: u32) -> Runs {
        let facts = self.facts(id.file);
        let Some(parameter) = facts.function(id.at).params.get(parameter as usize) else {
            return Runs::Later;
        };
        for (at, call) in facts.calls.iter().enumerate() {
            if !within(facts, call.function, id.at) {
                continue;
            }
            let this = CallId { file: id.file, at: CallAt(at as u32) };
            let called =
                matches!(call.callee, super::facts::Callee::Value(value) if value == parameter.value);
            let handed = call
                .arguments
                .iter()
                .position(|argument| argument.local.is_some() && argument.local == parameter.local);
            let here = match handed {
                _ if called => Runs::AtOnce,
                Some(position) => self.runs_within(this, position as u32, patience),
                None => continue,
            };
            return if here == Runs::AtOnce { self.closure_runs(id, call.function, patience) } else { here };
        }
        Runs::Later
    }

    /// Where what stands in `inner` runs, seen from the function `id` around it.
    fn closure_runs(&self, id: FunctionId, inner: FunctionAt, patience: u32) -> Runs {
        let facts = self.facts(id.file);
        let mut at = inner;
        while at != id.at {
            let function = facts.function(at);
            if let Fate::Argument(call, position) = function.fate
                && patience > 0
            {
                let runs = self.runs_within(CallId { file: id.file, at: call }, position, patience - 1);
                if runs == Runs::Elsewhere {
                    return runs;
                }
            }
            match function.parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Runs::AtOnce
    }

    /// The functions that a call hands over as arguments, with where they run: closures, and functions by name.
    pub(super) fn handed(&self, call: CallId) -> Vec<(FunctionId, Runs)> {
        let mut found = Vec::new();
        for (at, argument) in self.call(call).arguments.iter().enumerate() {
            let id = match self.facts(call.file).value(argument.value) {
                Value::Closure(closure) => Some(FunctionId { file: call.file, at: *closure }),
                Value::Path(..) => match self.values.shape(self.values.ty(call.file, argument.value)) {
                    Shape::Function(id) => Some(id),
                    _ => None,
                },
                _ => None,
            };
            if let Some(id) = id {
                found.push((id, self.runs(call, at as u32)));
            }
        }
        found
    }
}

/// Whether a function is another one, or stands in it.
pub(super) fn within(facts: &FileFacts, inner: FunctionAt, outer: FunctionAt) -> bool {
    let mut at = inner;
    loop {
        if at == outer {
            return true;
        }
        let function = facts.function(at);
        match function.parent.filter(|_| function.kind != FunctionKind::Fn) {
            Some(parent) => at = parent,
            None => return false,
        }
    }
}

/// `std::time::Duration::ZERO` and `Duration::ZERO` are the same.
fn last_parts(text: &str) -> String {
    let mut parts: Vec<&str> = text.rsplit("::").take(2).collect();
    parts.reverse();
    parts.join("::")
}
