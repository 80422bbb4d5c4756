//! Types of parameters nobody annotated: what all callers of the program agree to give. One step, no fixed point: a
//! parameter that is handed on stays unknown there.

use rustc_hash::FxHashMap;

use super::{Answer, FunctionId, Program, Thing};
use crate::scan::python::facts::{Argument, FileFacts, Traits};

/// A parameter that gets more kinds of things than this is meant to take any.
const KINDS: usize = 3;

/// What the callers seen so far give: a few things, or too many, or something unknown.
type Given = Option<Vec<Thing>>;

impl Program<'_> {
    /// Learns what parameters get. Everything that rests on them is forgotten.
    pub(in crate::scan::python) fn learn_parameters(&mut self) {
        let mut given: FxHashMap<(FunctionId, u32), Given> = FxHashMap::default();
        for file in 0..self.files.len() as u32 {
            let facts = &self.files[file as usize];
            for call in &facts.calls {
                let thing = self.evaluate(file, call.callee);
                for thing in self.several(thing) {
                    if let Some(callee) = self.runs(thing) {
                        self.give(&mut given, file, callee, facts.arguments_of(call));
                    }
                }
            }
        }
        let learnt = given.into_iter().filter_map(|(parameter, given)| Some((parameter, given?)));
        let learnt: FxHashMap<_, _> =
            learnt.map(|(parameter, given)| (parameter, self.union(given))).collect();
        self.given = learnt;
        for answer in self.known.iter_mut().flatten() {
            if matches!(answer, Answer::Provisional(_)) {
                *answer = Answer::Unasked;
            }
        }
    }

    /// The function of the program that calling a thing runs.
    fn runs(&mut self, thing: Thing) -> Option<FunctionId> {
        match thing {
            Thing::Function(id) => Some(id),
            Thing::Class(class) => self.method(class, "__init__"),
            _ => None,
        }
    }

    fn give(
        &mut self,
        given: &mut FxHashMap<(FunctionId, u32), Given>,
        file: u32,
        callee: FunctionId,
        arguments: &[Argument],
    ) {
        let (there, function) = self.function(callee);
        let shift = u32::from(function.class.is_some() && !function.traits.has(Traits::STATIC));
        let (from, to) = (&self.files[file as usize], &self.files[there as usize]);
        let stop =
            arguments.iter().position(|argument| is_starred(from, argument)).unwrap_or(arguments.len());
        for (position, argument) in arguments.iter().enumerate() {
            let parameter = match argument.keyword {
                None if position < stop => position as u32 + shift,
                None => continue,
                Some(keyword) => {
                    let keyword = from.text(keyword);
                    let found = function.parameters.iter().position(|name| to.text(*name) == keyword);
                    let Some(found) = found else { continue };
                    found as u32
                }
            };
            if parameter as usize >= function.parameters.len() {
                continue;
            }
            let thing = self.evaluate(file, argument.value);
            let slot = given.entry((callee, parameter)).or_insert_with(|| Some(Vec::new()));
            for thing in self.several(thing) {
                let plain = matches!(thing, Thing::Instance(_) | Thing::Made(_) | Thing::Container(..));
                match slot {
                    Some(_) if thing == Thing::Nothing => {}
                    Some(kinds) if plain && (kinds.contains(&thing) || kinds.len() < KINDS) => {
                        if !kinds.contains(&thing) {
                            kinds.push(thing);
                        }
                    }
                    _ => *slot = None,
                }
            }
        }
    }
}

/// `*arguments`: what comes after it has no position.
pub(in crate::scan::python) fn is_starred(facts: &FileFacts, argument: &Argument) -> bool {
    argument.text.is_some_and(|text| facts.text(text) == "*")
}
