//! Classes: what they inherit, and what a name means on them.

use std::ops::Range;
use std::sync::Arc;

use super::{ClassId, FunctionId, Name, Program, Thing};
use crate::catalog::Language;
use crate::scan::python::facts::Traits;

/// A class and what it inherits from, nearest first.
#[derive(Debug)]
pub(super) struct Lineage {
    /// Classes of the program, the class itself among them.
    pub(super) classes: Vec<ClassId>,
    /// Types of libraries.
    pub(super) externals: Vec<Name>,
    /// Whether there is a base nobody knows.
    pub(super) unknown: bool,
}

impl Program<'_> {
    pub(super) fn lineage(&mut self, class: ClassId) -> Arc<Lineage> {
        if let Some(known) = &self.lines[class.0 as usize] {
            return Arc::clone(known);
        }
        let mut lineage = Lineage { classes: Vec::new(), externals: Vec::new(), unknown: false };
        let mut open = vec![Thing::Class(class)];
        while let Some(next) = open.pop() {
            match next {
                Thing::Class(class) if !lineage.classes.contains(&class) => {
                    lineage.classes.push(class);
                    let (file, facts) = self.class(class);
                    let bases: Vec<Thing> =
                        facts.bases.iter().map(|base| self.evaluate(file, *base)).collect();
                    open.extend(bases.into_iter().rev());
                }
                Thing::External(name) if !lineage.externals.contains(&name) => lineage.externals.push(name),
                Thing::Class(_) | Thing::External(_) => {}
                Thing::Several(_) => {
                    let all = self.several(next);
                    open.extend(all.into_iter().rev());
                }
                _ => lineage.unknown = true,
            }
        }
        let lineage = Arc::new(lineage);
        self.lines[class.0 as usize] = Some(Arc::clone(&lineage));
        lineage
    }

    /// What a name means on a class, read from an instance or from the class itself; from the ancestors only where
    /// `after` says so.
    pub(super) fn member(&mut self, class: ClassId, member: Name, from: From) -> Thing {
        let lineage = self.lineage(class);
        let skip = usize::from(from == From::Super);
        for ancestor in lineage.classes.iter().skip(skip) {
            if let Some(found) = self.own_member(*ancestor, member, from) {
                return found;
            }
        }
        self.inherited(&lineage, member)
    }

    fn inherited(&mut self, lineage: &Lineage, member: Name) -> Thing {
        let mut first = None;
        for base in &lineage.externals {
            let text = self.names.text(*base);
            let attribute =
                self.catalog.attribute(Language::Python, text, self.names.text(member)).map(str::to_owned);
            if let Some(attribute) = attribute {
                return Thing::Made(self.names.intern(&attribute));
            }
            let name = self.names.join(*base, member);
            if self.catalog.knows(Language::Python, self.names.text(name)) {
                return Thing::External(name);
            }
            first = first.or(Some(name));
        }
        match first {
            Some(name) if !lineage.unknown && lineage.externals.len() == 1 => Thing::External(name),
            _ => Thing::Unknown,
        }
    }

    /// `None` where the class itself has no such name.
    fn own_member(&mut self, class: ClassId, member: Name, from: From) -> Option<Thing> {
        let (file, _) = self.class(class);
        let both = self.members(class);
        let in_body = both.0.get(&member).copied();
        let assigned = both.1.get(&member).copied().filter(|_| from != From::Class);
        let found = match (in_body, assigned) {
            (Some(only), None) | (None, Some(only)) => self.evaluate(file, only),
            (Some(one), Some(other)) => {
                let things = [one, other].map(|value| self.evaluate(file, value));
                self.union(things)
            }
            (None, None) => return None,
        };
        Some(if from == From::Class { found } else { self.each(found, Self::read_property) })
    }

    /// Reading a property gives what its function returns.
    fn read_property(&mut self, thing: Thing) -> Thing {
        let Thing::Function(id) = thing else { return thing };
        let (file, function) = self.function(id);
        if function.traits.has(Traits::PROPERTY) { self.evaluate(file, function.returns) } else { thing }
    }

    /// The function of the program that a name means on instances of a class, properties included.
    pub(in crate::scan::python) fn method(&mut self, class: ClassId, method: &str) -> Option<FunctionId> {
        let lineage = self.lineage(class);
        let method = self.names.intern(method);
        for ancestor in &lineage.classes {
            let (file, _) = self.class(*ancestor);
            let Some(value) = self.members(*ancestor).0.get(&method).copied() else { continue };
            return match self.evaluate(file, value) {
                Thing::Function(id) => Some(id),
                _ => None,
            };
        }
        None
    }

    /// For each method without a body: the methods of classes below, in these files, that give it one.
    pub(in crate::scan::python) fn overriding(&mut self, files: Range<u32>) -> Vec<(FunctionId, FunctionId)> {
        let mut overriding = Vec::new();
        for file in files {
            for (index, function) in self.files[file as usize].functions.iter().enumerate() {
                let short = self.files[file as usize].text(function.short);
                let Some(class) = function.class.filter(|_| self.layout.bodiless.contains(short)) else {
                    continue;
                };
                if function.traits.has(Traits::ABSTRACT) {
                    continue;
                }
                let id = self.function_id(file, index as u32);
                let lineage = self.lineage(self.class_id(file, class));
                let name = self.names.intern(short);
                for ancestor in lineage.classes.iter().skip(1) {
                    let (there, _) = self.class(*ancestor);
                    let Some(value) = self.members(*ancestor).0.get(&name).copied() else { continue };
                    if let Thing::Function(base) = self.evaluate(there, value)
                        && self.function(base).1.traits.has(Traits::ABSTRACT)
                    {
                        overriding.push((base, id));
                    }
                }
            }
        }
        overriding
    }

    /// The types of libraries a class inherits from.
    pub(in crate::scan::python) fn externals(&mut self, class: ClassId) -> Vec<Name> {
        self.lineage(class).externals.clone()
    }
}

/// Through what a name is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Instance,
    Class,
    /// `super()`: an instance, but from the first ancestor on.
    Super,
}
