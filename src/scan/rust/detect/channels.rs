//! Channels without a bound, and locks around what an atomic holds.

use super::super::facts::{FunctionAt, TypeKind};
use super::super::names::FunctionId;
use super::super::program::{CallId, Program};
use super::super::values::Shape;
use super::observe;
use crate::catalog::Mark;
use crate::finding::Observation;

pub(super) fn detect(program: &Program<'_>, found: &mut Vec<Observation>) {
    for call in program.calls() {
        if program.marked(call, Mark::Unbounded) {
            unbounded(program, call, found);
        }
    }
    for (file, facts) in program.files().iter().enumerate() {
        for definition in facts.types.iter().filter(|definition| definition.kind == TypeKind::Struct) {
            for (name, value, spot) in &definition.fields {
                let ty = program.values.innermost(program.values.ty(file as u32, *value));
                if !program.values.is(ty, Mark::Lock) {
                    continue;
                }
                let Shape::External(_, arguments) = program.values.shape(ty) else { continue };
                let [inner] = arguments[..] else { continue };
                if program.values.external_name(inner).is_some_and(|name| &*name == "number") {
                    let place = program.place(file as u32, *spot);
                    let id = FunctionId { file: file as u32, at: FunctionAt(0) };
                    let subject = format!("{}.{}", facts.text(definition.name), facts.text(*name));
                    let mut seen = atomic(program, id, place, &subject);
                    seen.symbol = facts.text(definition.name).into();
                    found.push(seen);
                }
            }
        }
    }
}

fn atomic(program: &Program<'_>, id: FunctionId, place: crate::finding::Place, subject: &str) -> Observation {
    if program.facts(id.file).functions.is_empty() {
        return Observation::new("mutex-atomic", place, "".into(), subject.into());
    }
    observe(program, "mutex-atomic", id, place, subject)
}

fn unbounded(program: &Program<'_>, call: CallId, found: &mut Vec<Observation>) {
    let subject = program.callee(call);
    found.push(observe(
        program,
        "unbounded-channel",
        program.caller(call),
        program.call_place(call),
        &subject,
    ));
}
