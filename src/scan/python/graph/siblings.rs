//! Calls of a function that has an async twin: where the author of a class gave both `get` and `aget`, an async function
//! that calls `get` took the wrong one. No list of names is needed for that.

use super::Built;
use super::part::PlainCall;
use crate::finding::{Observation, Place};
use crate::scan::callgraph::{Colour, NodeId};
use crate::scan::python::facts::Traits;
use crate::scan::python::language::ASYNC_TWINS;
use crate::scan::python::names::{FunctionId, Program};

/// Observes them among these calls, except where the function is already told to block: one root, one finding. `blocks`
/// says that of each function.
pub(in crate::scan::python) fn observe(
    program: &mut Program<'_>,
    built: &Built,
    plain: &[PlainCall],
    blocks: &[bool],
    rule: &'static str,
) -> Vec<Observation> {
    let mut observations = Vec::new();
    for (caller, callee, place) in plain {
        let colour = built.graph.node(*caller).colour;
        if colour != Colour::Async || blocks[callee.0 as usize] {
            continue;
        }
        if let Some(twin) = twin(program, *callee).filter(|twin| NodeId(twin.0) != *caller) {
            observations.push(observation(program, built, rule, (*caller, *callee, twin), place));
        }
    }
    observations
}

fn twin(program: &mut Program<'_>, function: FunctionId) -> Option<FunctionId> {
    let (file, facts) = program.function(function);
    if facts.traits.has(Traits::ASYNC) || facts.traits.has(Traits::PROPERTY) {
        return None;
    }
    let short = program.files[file as usize].text(facts.short);
    let class = program.class_of(function);
    ASYNC_TWINS.iter().find_map(|(before, after)| {
        let name = format!("{before}{short}{after}");
        let found = match class {
            Some(class) => program.method(class, &name),
            None if facts.outer == Some(0) => program.function_of_module(file, &name),
            None => None,
        }?;
        program.function(found).1.traits.has(Traits::ASYNC).then_some(found)
    })
}

fn observation(
    program: &Program<'_>,
    built: &Built,
    rule: &'static str,
    (caller, target, twin): (NodeId, FunctionId, FunctionId),
    place: &Place,
) -> Observation {
    let around = built.graph.node(caller);
    let subject = program.function_name(target).into();
    Observation {
        mitigations: around.context.mitigation().into_iter().collect(),
        facts: vec![("sibling", program.function_name(twin))],
        ..Observation::new(rule, place.clone(), around.name.clone(), subject)
    }
}
