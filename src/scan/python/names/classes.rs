//! Classes: what they inherit, and what a name means on them.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{ClassId, FunctionId, Name, Program, Thing};
use crate::catalog::Language;
use crate::scan::python::facts::{FileFacts, Symbol, Traits, ValueId};

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
    pub(super) fn lineage(&mut self, class: ClassId) -> Rc<Lineage> {
        if let Some(known) = &self.lines[class.0 as usize] {
            return Rc::clone(known);
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
        let lineage = Rc::new(lineage);
        self.lines[class.0 as usize] = Some(Rc::clone(&lineage));
        lineage
    }

    /// What a name means on a class, read from an instance or from the class itself; from the ancestors only where
    /// `after` says so.
    pub(super) fn member(&mut self, class: ClassId, member: Name, from: From) -> Thing {
        let lineage = self.lineage(class);
        let skip = usize::from(from == From::Super);
        for ancestor in lineage.classes.iter().skip(skip) {
            let found = self.own_member(*ancestor, member, from);
            if found != Thing::Unknown {
                return found;
            }
            if self.has_member(*ancestor, member) {
                return Thing::Unknown;
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

    fn own_member(&mut self, class: ClassId, member: Name, from: From) -> Thing {
        let (file, facts) = self.class(class);
        let files = self.files;
        let text = self.names.text(member);
        let in_body = find(&files[file as usize], &facts.members, text);
        let assigned = match from {
            From::Class => None,
            From::Instance | From::Super => find(&files[file as usize], &facts.attributes, text),
        };
        let things = [in_body, assigned].into_iter().flatten().collect::<Vec<_>>();
        let things: Vec<Thing> = things.into_iter().map(|value| self.evaluate(file, value)).collect();
        let found = self.union(things);
        if from == From::Class { found } else { self.each(found, Self::read_property) }
    }

    fn has_member(&self, class: ClassId, member: Name) -> bool {
        let (file, facts) = self.class(class);
        let text = self.names.text(member);
        let file = &self.files[file as usize];
        find(file, &facts.members, text).is_some() || find(file, &facts.attributes, text).is_some()
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
        for ancestor in &lineage.classes {
            let (file, facts) = self.class(*ancestor);
            let Some(value) = find(&self.files[file as usize], &facts.members, method) else { continue };
            return match self.evaluate(file, value) {
                Thing::Function(id) => Some(id),
                _ => None,
            };
        }
        None
    }

    /// For each method without a body: the methods of classes below that give it one.
    pub(in crate::scan::python) fn overriding(&mut self) -> FxHashMap<FunctionId, Vec<FunctionId>> {
        let mut overriding: FxHashMap<FunctionId, Vec<FunctionId>> = FxHashMap::default();
        let bodiless: FxHashSet<&str> = self
            .files
            .iter()
            .flat_map(|file| {
                let of_file = file.functions.iter().filter(|function| function.traits.has(Traits::ABSTRACT));
                of_file.filter(|function| function.class.is_some()).map(|function| file.text(function.short))
            })
            .collect();
        for file in 0..self.files.len() as u32 {
            for (index, function) in self.files[file as usize].functions.iter().enumerate() {
                let short = self.files[file as usize].text(function.short);
                let Some(class) = function.class.filter(|_| bodiless.contains(short)) else { continue };
                if function.traits.has(Traits::ABSTRACT) {
                    continue;
                }
                let id = self.function_id(file, index as u32);
                let lineage = self.lineage(self.class_id(file, class));
                for ancestor in lineage.classes.iter().skip(1) {
                    let (there, facts) = self.class(*ancestor);
                    let Some(value) = find(&self.files[there as usize], &facts.members, short) else {
                        continue;
                    };
                    if let Thing::Function(base) = self.evaluate(there, value)
                        && self.function(base).1.traits.has(Traits::ABSTRACT)
                    {
                        overriding.entry(base).or_default().push(id);
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

/// A name in a list in order of name.
pub(super) fn find(file: &FileFacts, names: &[(Symbol, ValueId)], name: &str) -> Option<ValueId> {
    let at = names.binary_search_by(|(symbol, _)| file.text(*symbol).cmp(name)).ok()?;
    Some(names[at].1)
}
