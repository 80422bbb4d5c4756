//! What a decorator makes of a function: calls of the function may run a wrapper, and the wrapper may run the function
//! on the spot, in a thread, or not at all.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::{Effect, Language};
use crate::scan::python::facts::{Call, FileFacts, Traits, Value, ValueId};
use crate::scan::python::names::{FunctionId, Layout, Program, Thing};

/// What calling a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calling {
    /// The function.
    Itself,
    /// A wrapper that runs the function on the spot.
    Through(FunctionId),
    /// A wrapper that does not, or not on the spot.
    Instead(FunctionId),
    /// Something in another thread, process or later.
    Elsewhere,
}

/// What calling each decorated function runs.
#[derive(Debug, Default)]
pub(super) struct Decorators {
    of: FxHashMap<FunctionId, Calling>,
}

impl Decorators {
    pub(super) fn calling(&self, function: FunctionId) -> Calling {
        self.of.get(&function).copied().unwrap_or(Calling::Itself)
    }

    /// What has been found out of some files each.
    pub(super) fn merged(all: impl IntoIterator<Item = Self>) -> Self {
        Self { of: all.into_iter().flat_map(|decorators| decorators.of).collect() }
    }

    /// Of the functions of these files.
    pub(super) fn of(program: &mut Program<'_>, runners: &Runners, files: Range<u32>) -> Self {
        let mut decorators = Self::default();
        for file in files {
            let facts = &program.files[file as usize];
            for (index, function) in facts.functions.iter().enumerate() {
                let id = program.function_id(file, index as u32);
                // The innermost is applied first.
                for decorator in function.decorators.iter().rev() {
                    let calling = applied(program, runners, file, *decorator, function.traits);
                    if calling != Calling::Itself {
                        decorators.of.insert(id, calling);
                        break;
                    }
                }
            }
        }
        decorators
    }
}

fn applied(
    program: &mut Program<'_>,
    runners: &Runners,
    file: u32,
    decorator: ValueId,
    traits: Traits,
) -> Calling {
    match program.evaluate(file, decorator) {
        Thing::Function(decorator) => {
            let Thing::Function(wrapper) = program.returned(decorator) else { return Calling::Itself };
            if !is_within(program, wrapper, decorator) {
                return Calling::Itself;
            }
            let wraps_async = program.function(wrapper).1.traits.has(Traits::ASYNC);
            match (wraps_async, traits.has(Traits::ASYNC)) {
                // Whoever awaits either of them runs what it says.
                (_, true) => Calling::Itself,
                (false, false) if runners.0.contains(&(decorator, wrapper)) => Calling::Through(wrapper),
                (_, false) => Calling::Instead(wrapper),
            }
        }
        Thing::External(name) => {
            let api = program.catalog.find(Language::Python, program.names.text(name));
            match api.map(|api| &api.effect) {
                Some(Effect::Offloads { .. }) => Calling::Elsewhere,
                _ => Calling::Itself,
            }
        }
        _ => Calling::Itself,
    }
}

/// Whether a function is defined in another one.
fn is_within(program: &Program<'_>, inner: FunctionId, outer: FunctionId) -> bool {
    let (file, mut function) = program.function(inner);
    while let Some(around) = function.outer {
        let id = program.function_id(file, around);
        if id == outer {
            return true;
        }
        function = program.function(id).1;
    }
    false
}

/// Which functions call a parameter of a function around them, or of themselves: pairs of the one whose parameter it is
/// and the one that calls it.
pub(super) struct Runners(FxHashSet<(FunctionId, FunctionId)>);

impl Runners {
    pub(super) fn of(layout: &Layout<'_>) -> Self {
        let of_file = |(file, facts): (usize, &FileFacts)| {
            let pair = |call: &Call| {
                let id = |function| layout.function_id(file as u32, function);
                Some((id(parameter(facts, call.callee)?), id(call.function)))
            };
            facts.calls.iter().filter_map(pair).collect::<Vec<_>>()
        };
        Self(layout.files.par_iter().enumerate().flat_map_iter(of_file).collect())
    }
}

/// The function whose parameter a value is.
fn parameter(facts: &FileFacts, value: ValueId) -> Option<u32> {
    match facts.value(value) {
        Value::Parameter(function, _) => Some(function),
        Value::OneOf(start, count) => {
            facts.alternatives(start, count).iter().find_map(|value| match facts.value(*value) {
                Value::Parameter(function, _) => Some(function),
                _ => None,
            })
        }
        // An annotated parameter that is called is one all the same.
        _ => None,
    }
}
