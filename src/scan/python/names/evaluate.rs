//! Values to things.

use super::classes::From;
use super::{Answer, FunctionId, Name, Program, Thing};
use crate::catalog::Language;
use crate::scan::python::depth;
use crate::scan::python::facts::{Symbol, Traits, Value, ValueId};
use crate::scan::python::language::{self, is_builtin};
use crate::scan::python::resolve::looks_like_class;

/// A value that takes more steps than this is not known.
const DEEPEST: u32 = 400;

impl Program<'_> {
    /// What a value of a file is.
    pub(in crate::scan::python) fn evaluate(&mut self, file: u32, id: ValueId) -> Thing {
        let known = &mut self.known[file as usize];
        if known.is_empty() {
            known.resize(self.files[file as usize].values.len(), Answer::Unasked);
        }
        match known[id.0 as usize] {
            Answer::Unasked => {}
            Answer::Final(thing) => return thing,
            Answer::Provisional(thing) => {
                self.guesses += 1;
                return thing;
            }
        }
        if self.depth >= DEEPEST {
            self.guesses += 1;
            return Thing::Unknown;
        }
        // Until it is known: what refers to itself adds nothing to itself.
        known[id.0 as usize] = Answer::Provisional(Thing::Unknown);
        let guesses = self.guesses;
        self.depth += 1;
        let thing = depth::grow(|| self.compute(file, self.files[file as usize].value(id)));
        self.depth -= 1;
        let answer = if self.guesses == guesses { Answer::Final } else { Answer::Provisional };
        self.known[file as usize][id.0 as usize] = answer(thing);
        thing
    }

    fn compute(&mut self, file: u32, value: Value) -> Thing {
        match value {
            Value::Unknown => Thing::Unknown,
            Value::Parameter(function, position) => {
                self.guesses += 1;
                let function = self.function_id(file, function);
                self.learnt(function, position)
            }
            Value::Nothing => Thing::Nothing,
            Value::Literal(symbol) => Thing::Made(self.builtin(self.files[file as usize].text(symbol))),
            Value::Global(symbol) => self.global(file, symbol),
            Value::Function(index) => Thing::Function(self.function_id(file, index)),
            Value::Class(index) | Value::ClassReceiver(index) => Thing::Class(self.class_id(file, index)),
            Value::Receiver(index) => Thing::Instance(self.class_id(file, index)),
            Value::Super(index) => Thing::Super(self.class_id(file, index)),
            Value::Import { level, module, member } => self.import(file, level, module, member),
            Value::Attribute(base, symbol) => {
                let base = self.evaluate(file, base);
                let member = self.name(file, symbol);
                self.attribute(file, base, member)
            }
            Value::Called(function) => self.called(file, function),
            Value::Awaited(inner) => {
                let inner = self.evaluate(file, inner);
                self.each(inner, |program, thing| match thing {
                    Thing::Coroutine(id) => program.returned(id),
                    thing => thing,
                })
            }
            Value::Instance(class) => {
                let class = self.evaluate(file, class);
                self.each(class, |program, thing| match thing {
                    Thing::Class(class) => Thing::Instance(class),
                    Thing::External(name) => Thing::Made(program.canonical(name)),
                    Thing::Nothing => Thing::Nothing,
                    _ => Thing::Unknown,
                })
            }
            Value::Entered(inner) => {
                let inner = self.evaluate(file, inner);
                self.each(inner, Self::entered)
            }
            Value::Item(inner) => {
                let inner = self.evaluate(file, inner);
                self.each(inner, Self::item)
            }
            Value::Element(inner) => {
                let inner = self.evaluate(file, inner);
                self.each(inner, Self::element)
            }
            Value::Second(inner) => {
                let inner = self.evaluate(file, inner);
                self.each(inner, |program, thing| match thing {
                    Thing::Container(_, file, element) => program.evaluate(file, element),
                    _ => Thing::Unknown,
                })
            }
            Value::Container(symbol, element) => {
                let name = self.builtin(self.files[file as usize].text(symbol));
                Thing::Container(name, file, element)
            }
            Value::OneOf(start, count) => {
                let files = self.files;
                let all = files[file as usize].alternatives(start, count);
                let all: Vec<Thing> = all.iter().map(|value| self.evaluate(file, *value)).collect();
                self.union(all)
            }
        }
    }

    fn builtin(&mut self, name: &str) -> Name {
        self.names.intern(&format!("builtins.{name}"))
    }

    fn global(&mut self, file: u32, symbol: Symbol) -> Thing {
        let known = self.name(file, symbol);
        if let Some(found) = self.exported(file, known) {
            return found;
        }
        let name = self.files[file as usize].text(symbol);
        if is_builtin(name) {
            return Thing::External(self.builtin(name));
        }
        // Bound nowhere: a fragment of something, in which names mean what they usually do.
        if self.files[file as usize].stars.is_empty() { Thing::External(known) } else { Thing::Unknown }
    }

    /// What a module gives under a name: its own, or what it has from a star import. `None` where it has none.
    fn exported(&mut self, file: u32, name: Name) -> Option<Thing> {
        if let Some(value) = self.globals(file).get(&name).copied() {
            return Some(self.evaluate(file, value));
        }
        let facts = &self.files[file as usize];
        facts.stars.iter().find_map(|star| match self.evaluate(file, *star) {
            Thing::Module(there) if there != file && self.depth < DEEPEST => {
                self.depth += 1;
                let found = depth::grow(|| self.exported(there, name));
                self.depth -= 1;
                found
            }
            _ => None,
        })
    }

    /// The function that a module gives under a name.
    pub(in crate::scan::python) fn function_of_module(
        &mut self,
        file: u32,
        name: &str,
    ) -> Option<FunctionId> {
        let name = self.names.intern(name);
        match self.exported(file, name) {
            Some(Thing::Function(id)) => Some(id),
            _ => None,
        }
    }

    fn import(&mut self, file: u32, level: u32, module: Symbol, member: Option<Symbol>) -> Thing {
        let files = self.files;
        let facts = &files[file as usize];
        let Some(module) = self.layout.modules.absolute(file, level, facts.text(module)) else {
            return Thing::Unknown;
        };
        match member {
            None => self.module(file, &module),
            Some(member) => {
                let name = self.name(file, member);
                let member = facts.text(member);
                match self.module(file, &module) {
                    Thing::Module(there) => self.of_module(there, name),
                    _ if level > 0 => {
                        let whole =
                            if module.is_empty() { member.to_owned() } else { format!("{module}.{member}") };
                        self.layout.modules.find(file, &whole).map_or(Thing::Unknown, Thing::Module)
                    }
                    _ => {
                        let whole = format!("{module}.{member}");
                        match self.layout.modules.find(file, &whole) {
                            Some(there) => Thing::Module(there),
                            None => Thing::External(self.names.intern(&whole)),
                        }
                    }
                }
            }
        }
    }

    fn module(&mut self, from: u32, name: &str) -> Thing {
        match self.layout.modules.find(from, name) {
            Some(file) => Thing::Module(file),
            None => Thing::External(self.names.intern(name)),
        }
    }

    /// A name of a module of the program, or a module below it.
    fn of_module(&mut self, file: u32, member: Name) -> Thing {
        if let Some(found) = self.exported(file, member)
            && found != Thing::Unknown
        {
            return found;
        }
        let whole = format!("{}.{}", self.layout.modules.name(file), self.names.text(member));
        match self.layout.modules.find(file, &whole) {
            Some(below) if below != file => Thing::Module(below),
            _ => Thing::Unknown,
        }
    }

    fn attribute(&mut self, from: u32, base: Thing, member: Name) -> Thing {
        self.each(base, |program, thing| program.attribute_of(from, thing, member))
    }

    fn attribute_of(&mut self, from: u32, base: Thing, member: Name) -> Thing {
        match base {
            Thing::Module(file) => self.of_module(file, member),
            Thing::Class(class) => self.member(class, member, From::Class),
            Thing::Instance(class) => self.member(class, member, From::Instance),
            Thing::Super(class) => self.member(class, member, From::Super),
            Thing::External(owner) | Thing::Made(owner) | Thing::Container(owner, ..) => {
                let (owner_text, member_text) = (self.names.text(owner), self.names.text(member));
                let attribute =
                    self.catalog.attribute(Language::Python, owner_text, member_text).map(str::to_owned);
                if let Some(attribute) = attribute {
                    return Thing::Made(self.names.intern(&attribute));
                }
                let name = self.names.join(owner, member);
                if matches!(base, Thing::External(_))
                    && self.layout.modules.is_namespace(self.names.text(owner))
                {
                    let found = self.layout.modules.find(from, self.names.text(name));
                    return found.map_or(Thing::External(name), Thing::Module);
                }
                Thing::External(name)
            }
            Thing::Unknown
            | Thing::Nothing
            | Thing::Function(_)
            | Thing::Coroutine(_)
            | Thing::Several(_) => Thing::Unknown,
        }
    }

    fn called(&mut self, file: u32, function: ValueId) -> Thing {
        if let Value::Attribute(base, symbol) = self.files[file as usize].value(function)
            && let Thing::Container(kind, there, element) = self.evaluate(file, base)
        {
            return self.asked_of_container(kind, there, element, self.files[file as usize].text(symbol));
        }
        let function = self.evaluate(file, function);
        self.each(function, Self::result)
    }

    fn asked_of_container(&mut self, kind: Name, file: u32, element: ValueId, method: &str) -> Thing {
        match method {
            "get" | "pop" | "setdefault" | "popleft" => self.evaluate(file, element),
            "copy" | "union" | "difference" | "intersection" | "values" => {
                Thing::Container(kind, file, element)
            }
            "index" | "count" | "__len__" => Thing::Made(self.builtin("int")),
            _ => Thing::Unknown,
        }
    }

    /// What calling a thing gives.
    fn result(&mut self, function: Thing) -> Thing {
        match function {
            Thing::Function(id) => {
                let traits = self.function(id).1.traits;
                if traits.has(Traits::ASYNC) && !traits.has(Traits::GENERATOR) {
                    Thing::Coroutine(id)
                } else {
                    self.returned(id)
                }
            }
            Thing::Class(class) => Thing::Instance(class),
            Thing::Instance(class) => match self.method(class, "__call__") {
                Some(id) => self.result(Thing::Function(id)),
                None => Thing::Unknown,
            },
            Thing::External(name) => {
                let text = self.names.text(name);
                if let Some(made) = self.catalog.returns(Language::Python, text) {
                    let made = made.to_owned();
                    return Thing::Made(self.names.intern(&made));
                }
                if let Some(made) = language::made_by(text) {
                    return Thing::Made(self.names.intern(made));
                }
                if looks_like_class(text) { Thing::Made(name) } else { Thing::Made(self.names.call(name)) }
            }
            _ => Thing::Unknown,
        }
    }

    /// What a function returns, awaited where it is async.
    pub(in crate::scan::python) fn returned(&mut self, id: FunctionId) -> Thing {
        let (file, function) = self.function(id);
        self.evaluate(file, function.returns)
    }

    /// The name under which the catalogue knows a type.
    fn canonical(&mut self, name: Name) -> Name {
        match self.catalog.canonical(Language::Python, self.names.text(name)) {
            Some(known) => {
                let known = known.to_owned();
                self.names.intern(&known)
            }
            None => name,
        }
    }

    fn entered(&mut self, thing: Thing) -> Thing {
        match thing {
            Thing::Instance(class) => {
                let enter = self.method(class, "__enter__").or_else(|| self.method(class, "__aenter__"));
                match enter.map(|enter| self.returned(enter)) {
                    None | Some(Thing::Unknown) => thing,
                    Some(given) => given,
                }
            }
            Thing::Made(name) => {
                let text = self.names.text(name);
                let enter = ["__enter__", "__aenter__"]
                    .iter()
                    .find_map(|enter| self.catalog.returns(Language::Python, &format!("{text}.{enter}")));
                match enter.map(str::to_owned) {
                    Some(given) => Thing::Made(self.names.intern(&given)),
                    None => thing,
                }
            }
            // What a generator that is a context manager yields.
            Thing::Container(_, file, element) => self.evaluate(file, element),
            Thing::Coroutine(id) => self.returned(id),
            _ => Thing::Unknown,
        }
    }

    fn item(&mut self, thing: Thing) -> Thing {
        match thing {
            // `Class[int]` is the class.
            Thing::Class(_) | Thing::External(_) => thing,
            Thing::Container(_, file, element) => self.evaluate(file, element),
            Thing::Instance(class) => match self.method(class, "__getitem__") {
                Some(id) => self.returned(id),
                None => Thing::Unknown,
            },
            Thing::Made(name) if self.names.text(name) == "builtins.str" => thing,
            _ => Thing::Unknown,
        }
    }

    fn element(&mut self, thing: Thing) -> Thing {
        match thing {
            Thing::Container(_, file, element) => self.evaluate(file, element),
            Thing::Instance(class) => {
                let Some(id) = self.method(class, "__iter__").or_else(|| self.method(class, "__aiter__"))
                else {
                    return Thing::Unknown;
                };
                match self.returned(id) {
                    Thing::Container(_, file, element) => self.evaluate(file, element),
                    _ => Thing::Unknown,
                }
            }
            Thing::Made(name) => match language::element_of(self.names.text(name)) {
                Some(element) => Thing::Made(self.names.intern(element)),
                None => Thing::Unknown,
            },
            _ => Thing::Unknown,
        }
    }
}
