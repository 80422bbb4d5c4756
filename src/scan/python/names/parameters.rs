//! Types of parameters nobody annotated: what all callers of the program agree to give. One step, no fixed point: a
//! parameter that is handed on stays unknown there.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Answer, ClassId, FunctionId, Program, Thing};
use crate::scan::python::facts::{Argument, FileFacts, Traits, ValueId};

/// A parameter that gets more kinds of things than this is meant to take any.
const KINDS: usize = 3;

/// What the callers seen so far give: a few things, or too many, or something unknown.
type Given<T> = Option<Vec<T>>;

/// A parameter, by its function and position.
type Parameter = (FunctionId, u32);

/// What parameters get in some of the files.
pub(in crate::scan::python) struct Lesson(Vec<(Parameter, Given<Told>)>);

/// What parameters get in all of them.
#[derive(Debug, Default)]
pub(in crate::scan::python) struct Learnt(FxHashMap<Parameter, Given<Told>>);

/// A thing in terms that everybody understands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Instance(ClassId),
    Made(Arc<str>),
    Container(Arc<str>, u32, ValueId),
}

impl Learnt {
    /// Puts together what all files show.
    pub(in crate::scan::python) fn of(lessons: Vec<Lesson>) -> Self {
        let mut learnt = Self::default();
        for (parameter, given) in lessons.into_iter().flat_map(|lesson| lesson.0) {
            let slot = learnt.0.entry(parameter).or_insert_with(|| Some(Vec::new()));
            match given {
                Some(given) => given.into_iter().for_each(|told| add(slot, told)),
                None => *slot = None,
            }
        }
        learnt
    }
}

/// One more kind of thing.
fn add<T: PartialEq>(slot: &mut Given<T>, kind: T) {
    match slot {
        Some(kinds) if kinds.contains(&kind) => {}
        Some(kinds) if kinds.len() < KINDS => kinds.push(kind),
        _ => *slot = None,
    }
}

impl Program<'_> {
    /// Learns what parameters get in calls of these files.
    pub(in crate::scan::python) fn learn(&mut self, files: Range<u32>) -> Lesson {
        let mut given: FxHashMap<Parameter, Given<Thing>> = FxHashMap::default();
        for file in files {
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
        let told = |things: Vec<Thing>| things.into_iter().filter_map(|thing| self.told(thing)).collect();
        Lesson(given.into_iter().map(|(parameter, given)| (parameter, given.map(told))).collect())
    }

    fn told(&self, thing: Thing) -> Option<Told> {
        Some(match thing {
            Thing::Instance(class) => Told::Instance(class),
            Thing::Made(name) => Told::Made(self.names.shared(name)),
            Thing::Container(name, file, value) => Told::Container(self.names.shared(name), file, value),
            _ => return None,
        })
    }

    /// Takes what has been learnt of all files. Every answer that rests on parameters is forgotten.
    pub(in crate::scan::python) fn take(&mut self, learnt: Arc<Learnt>) {
        self.given = learnt;
        for answer in self.known.iter_mut().flatten() {
            if matches!(answer, Answer::Provisional(_)) {
                *answer = Answer::Unasked;
            }
        }
    }

    /// What a parameter gets.
    pub(super) fn learnt(&mut self, function: FunctionId, position: u32) -> Thing {
        let learnt = Arc::clone(&self.given);
        let Some(Some(given)) = learnt.0.get(&(function, position)) else { return Thing::Unknown };
        let things: Vec<Thing> = given
            .iter()
            .map(|told| match told {
                Told::Instance(class) => Thing::Instance(*class),
                Told::Made(name) => Thing::Made(self.names.intern(name)),
                Told::Container(name, file, value) => {
                    Thing::Container(self.names.intern(name), *file, *value)
                }
            })
            .collect();
        self.union(things)
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
        given: &mut FxHashMap<Parameter, Given<Thing>>,
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
                match thing {
                    Thing::Nothing => {}
                    _ if plain => add(slot, thing),
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
