//! What values are, once all files are known: symbolic values to functions, classes and things of libraries. Knows
//! Python's rules of names and classes and what the catalogue says of types; must not know what calls do.

mod classes;
mod evaluate;
mod layout;
mod parameters;
mod table;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::facts::{FileFacts, Function, ValueId};
use super::modules::module_name;
use crate::catalog::Catalog;

pub(super) use layout::Layout;
pub(super) use parameters::{Learnt, is_starred};
pub(super) use table::{Name, Table};

/// A function of the program: functions are numbered through all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FunctionId(pub(super) u32);

/// A class of the program: classes are numbered through all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClassId(pub(super) u32);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Thing {
    /// Not known.
    Unknown,
    /// `None`.
    Nothing,
    /// A file as a module.
    Module(u32),
    /// A function of the program, bound or not.
    Function(FunctionId),
    /// A class of the program.
    Class(ClassId),
    /// An instance of such a class.
    Instance(ClassId),
    /// What `super()` gives in a method of such a class.
    Super(ClassId),
    /// What calling an async function of the program gives.
    Coroutine(FunctionId),
    /// A module, function, class or method of a library, or a builtin.
    External(Name),
    /// An instance of a type of a library.
    Made(Name),
    /// A builtin container; the value of its elements, in a file.
    Container(Name, u32, ValueId),
    /// One of several: see [`Program::several`].
    Several(u32),
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nobody has asked.
    Unasked,
    /// So far: it rests on parameters that are yet to be learnt, or on a value that is being evaluated.
    Provisional(Thing),
    /// For good.
    Final(Thing),
}

type Namespace = FxHashMap<Name, ValueId>;

/// All files together, as somebody sees them who asks what their values are. Several may ask at the same time, each with
/// answers of his own; numbers of names and of unions are his own as well.
pub(super) struct Program<'p> {
    pub(super) files: &'p [FileFacts],
    pub(super) catalog: &'p Catalog,
    layout: &'p Layout<'p>,
    pub(super) names: Table,
    known: Vec<Vec<Answer>>,
    /// How often an answer had to do with less than the whole program.
    guesses: u64,
    /// The names of each file in the common table.
    symbols: Vec<Vec<Option<Name>>>,
    /// What parameters nobody annotated get.
    given: Arc<Learnt>,
    /// What each module binds, and what each class does: in its body and on its instances.
    globals: Vec<Option<Arc<Namespace>>>,
    members: Vec<Option<Arc<(Namespace, Namespace)>>>,
    unions: Vec<Box<[Thing]>>,
    union_of: FxHashMap<Box<[Thing]>, u32>,
    lines: Vec<Option<Arc<classes::Lineage>>>,
    depth: u32,
}

impl<'p> Program<'p> {
    pub(super) fn of(layout: &'p Layout<'p>) -> Self {
        let (files, classes) = (layout.files.len(), layout.classes());
        Self {
            files: layout.files,
            catalog: layout.catalog,
            layout,
            names: Table::default(),
            known: vec![Vec::new(); files],
            guesses: 0,
            symbols: vec![Vec::new(); files],
            given: Arc::default(),
            globals: vec![None; files],
            members: vec![None; classes],
            unions: Vec::new(),
            union_of: FxHashMap::default(),
            lines: vec![None; classes],
            depth: 0,
        }
    }

    pub(super) fn function_id(&self, file: u32, index: u32) -> FunctionId {
        self.layout.function_id(file, index)
    }

    fn class_id(&self, file: u32, index: u32) -> ClassId {
        self.layout.class_id(file, index)
    }

    /// The file of a function, and the function.
    pub(super) fn function(&self, id: FunctionId) -> (u32, &'p Function) {
        self.layout.function(id)
    }

    /// The file of a class, and the class.
    fn class(&self, id: ClassId) -> (u32, &'p super::facts::Class) {
        self.layout.class(id)
    }

    /// The class whose method a function is.
    pub(super) fn class_of(&self, id: FunctionId) -> Option<ClassId> {
        let (file, function) = self.function(id);
        Some(self.class_id(file, function.class?))
    }

    /// The qualified name of a function.
    pub(super) fn function_name(&self, id: FunctionId) -> String {
        let (file, function) = self.function(id);
        let facts = &self.files[file as usize];
        qualified(&module_name(&facts.path), facts.text(function.name))
    }

    /// The alternatives of a thing: itself, where it is not [`Thing::Several`].
    pub(super) fn several(&self, thing: Thing) -> Vec<Thing> {
        match thing {
            Thing::Several(index) => self.unions[index as usize].to_vec(),
            thing => vec![thing],
        }
    }

    /// One thing for several; nothing and the unknown do not count beside something known.
    fn union(&mut self, things: impl IntoIterator<Item = Thing>) -> Thing {
        let mut all: Vec<Thing> = Vec::new();
        let mut nothing = false;
        for thing in things {
            match thing {
                Thing::Unknown => {}
                Thing::Nothing => nothing = true,
                Thing::Several(index) => all.extend(&self.unions[index as usize]),
                thing => all.push(thing),
            }
        }
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [] if nothing => Thing::Nothing,
            [] => Thing::Unknown,
            [only] => *only,
            many if many.len() > MOST => Thing::Unknown,
            _ => {
                let all = all.into_boxed_slice();
                if let Some(index) = self.union_of.get(&all) {
                    return Thing::Several(*index);
                }
                let index = self.unions.len() as u32;
                self.unions.push(all.clone());
                self.union_of.insert(all, index);
                Thing::Several(index)
            }
        }
    }

    /// Does something with each alternative.
    fn each(&mut self, thing: Thing, mut work: impl FnMut(&mut Self, Thing) -> Thing) -> Thing {
        match thing {
            Thing::Several(index) => {
                let all = self.unions[index as usize].clone();
                let made: Vec<Thing> = all.iter().map(|thing| work(self, *thing)).collect();
                self.union(made)
            }
            thing => work(self, thing),
        }
    }

    fn globals(&mut self, file: u32) -> Arc<Namespace> {
        if let Some(known) = &self.globals[file as usize] {
            return Arc::clone(known);
        }
        let files = self.files;
        let namespace = Arc::new(self.namespace(file, &files[file as usize].globals));
        self.globals[file as usize] = Some(Arc::clone(&namespace));
        namespace
    }

    fn members(&mut self, id: ClassId) -> Arc<(Namespace, Namespace)> {
        if let Some(known) = &self.members[id.0 as usize] {
            return Arc::clone(known);
        }
        let (file, class) = self.class(id);
        let both = Arc::new((self.namespace(file, &class.members), self.namespace(file, &class.attributes)));
        self.members[id.0 as usize] = Some(Arc::clone(&both));
        both
    }

    fn namespace(&mut self, file: u32, names: &[(super::facts::Symbol, ValueId)]) -> Namespace {
        names.iter().map(|(symbol, value)| (self.name(file, *symbol), *value)).collect()
    }

    /// The name of a symbol of a file in the common table.
    fn name(&mut self, file: u32, symbol: super::facts::Symbol) -> Name {
        let facts = &self.files[file as usize];
        let known = &mut self.symbols[file as usize];
        if known.is_empty() {
            known.resize(facts.symbols.count(), None);
        }
        let slot = &mut known[symbol.0 as usize];
        *slot.get_or_insert_with(|| self.names.intern(facts.text(symbol)))
    }
}

/// The qualified name of what a module calls by this name; empty names the module.
pub(super) fn qualified(module: &str, name: &str) -> String {
    match (module, name) {
        (module, "") => module.to_owned(),
        ("", name) => name.to_owned(),
        (module, name) => format!("{module}.{name}"),
    }
}

/// A thing that could be more than this many things is not known.
const MOST: usize = 8;
