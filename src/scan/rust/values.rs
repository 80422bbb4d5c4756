//! What a value is, and what a call calls: types as far as constructors, fields, parameters and return types tell.
//! Knows how the standard library wraps things; what the calls of a library do is the catalogue's business.

mod targets;

use std::cell::{Cell, RefCell};

use rustc_hash::{FxHashMap, FxHashSet};

use super::facts::{Event, FunctionKind, Sym, TypeKind, Value, ValueAt};
use super::names::{Def, FunctionId, Names, Text, TypeId};
use super::vocabulary as words;
use crate::catalog::{Catalog, Language, Mark};

/// A type: an index into the table of [`Values::shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ty(u32);

/// The type of which nothing is known.
pub(super) const UNKNOWN: Ty = Ty(0);

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Unknown,
    Project(TypeId, Vec<Ty>),
    External(Text, Vec<Ty>),
    Slice(Ty),
    Tuple(Vec<Ty>),
    Future(Ty),
    Bounded(Vec<Ty>),
    Callable(Ty),
    Parameter(u32),
    Closure(FunctionId),
    Function(FunctionId),
    Text,
    Number,
}

/// What a call leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Functions of the project; several where a trait leaves it open.
    Project(Vec<FunctionId>),
    /// Something outside, by its qualified name.
    External(Text),
    /// Makes a value of the project: a tuple struct, a variant.
    Constructor(Option<Ty>),
    /// Not known.
    Unknown,
}

/// How deep a question may lead to others before the answer is "unknown".
const PATIENCE: u32 = 64;

type Methods = FxHashMap<(Head, Box<str>), Vec<FunctionId>>;

/// What implementations belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Head {
    Project(TypeId),
    External(Text),
}

/// The types of the program.
pub(super) struct Values<'f> {
    pub(super) names: Names<'f>,
    pub(super) catalog: &'f Catalog,
    shapes: RefCell<(FxHashMap<Shape, Ty>, Vec<Shape>)>,
    known: RefCell<Vec<Vec<Option<Ty>>>>,
    targets: RefCell<Vec<Vec<Option<Target>>>>,
    methods: Methods,
    /// Names of methods that the project itself defines.
    defined: FxHashSet<&'f str>,
    /// Implementations of a trait's method.
    implementors: FxHashMap<(Def, Box<str>), Vec<FunctionId>>,
    derefs: FxHashMap<Head, (u32, ValueAt)>,
    associated: FxHashMap<(Head, Box<str>), (u32, ValueAt)>,
    depth: Cell<u32>,
}

impl<'f> Values<'f> {
    pub(super) fn new(names: Names<'f>, catalog: &'f Catalog) -> Self {
        let known = names.files.iter().map(|facts| vec![None; facts.values.len()]).collect();
        let targets = names.files.iter().map(|facts| vec![None; facts.calls.len()]).collect();
        let mut values = Self {
            names,
            catalog,
            shapes: RefCell::default(),
            known: RefCell::new(known),
            targets: RefCell::new(targets),
            methods: Methods::default(),
            defined: FxHashSet::default(),
            implementors: FxHashMap::default(),
            derefs: FxHashMap::default(),
            associated: FxHashMap::default(),
            depth: Cell::new(0),
        };
        values.make(Shape::Unknown);
        values.collect();
        values
    }

    /// Who implements what.
    fn collect(&mut self) {
        for (file, facts) in self.names.files.iter().enumerate() {
            let file = file as u32;
            for (at, function) in facts.functions.iter().enumerate() {
                let Some(owner) = function.owner.filter(|_| function.kind == FunctionKind::Fn) else {
                    continue;
                };
                let id = FunctionId { file, at: super::facts::FunctionAt(at as u32) };
                let name: Box<str> = facts.text(function.name).into();
                self.defined.insert(facts.text(function.name));
                let head = self.head(file, owner);
                if let Some(head) = head {
                    self.methods.entry((head, name.clone())).or_default().push(id);
                }
                if let Some(of_trait) = function.of_trait {
                    let scope = self.names.scope(file, function.scope);
                    if let Some(def) = self.names.resolve(scope, facts.text(of_trait))
                        && !matches!((head, def), (Some(Head::Project(owner)), Def::Type(of)) if owner == of)
                    {
                        self.implementors.entry((def, name)).or_default().push(id);
                    }
                }
            }
            for (owner, target) in &facts.derefs {
                if let Some(head) = self.head(file, *owner) {
                    self.derefs.insert(head, (file, *target));
                }
            }
            for (owner, name, value) in &facts.associated {
                if let Some(head) = self.head(file, *owner) {
                    self.associated.entry((head, facts.text(*name).into())).or_insert((file, *value));
                }
            }
        }
    }

    fn head(&self, file: u32, owner: ValueAt) -> Option<Head> {
        // Only the name is needed: arguments of the type may need what is being collected.
        let Value::Type(path, scope, _) = self.names.files[file as usize].value(owner) else { return None };
        self.head_of_path(file, *path, *scope)
    }

    fn head_of_path(&self, file: u32, path: Sym, scope: super::facts::ScopeAt) -> Option<Head> {
        match self.names.resolve(self.names.scope(file, scope), self.names.sym(file, path))? {
            Def::Type(ty) => Some(Head::Project(ty)),
            Def::External(text) => Some(Head::External(text)),
            _ => None,
        }
    }

    /// The number of a shape.
    pub(super) fn make(&self, shape: Shape) -> Ty {
        let mut shapes = self.shapes.borrow_mut();
        if let Some(ty) = shapes.0.get(&shape) {
            return *ty;
        }
        let ty = Ty(shapes.1.len() as u32);
        shapes.1.push(shape.clone());
        shapes.0.insert(shape, ty);
        ty
    }

    /// What a type is made of.
    pub(super) fn shape(&self, ty: Ty) -> Shape {
        self.shapes.borrow().1[ty.0 as usize].clone()
    }

    fn external(&self, name: &str, arguments: Vec<Ty>) -> Ty {
        let name = self.catalog.canonical(Language::Rust, name).unwrap_or(name);
        self.make(Shape::External(self.names.intern(name), arguments))
    }

    /// The qualified name of a type from outside.
    pub(super) fn external_name(&self, ty: Ty) -> Option<Box<str>> {
        match self.shape(ty) {
            Shape::External(text, _) => Some(self.names.text(text)),
            _ => None,
        }
    }

    /// Whether a type is marked so in the catalogue.
    pub(super) fn is(&self, ty: Ty, mark: Mark) -> bool {
        self.external_name(ty).is_some_and(|name| self.catalog.has(Language::Rust, &name, mark))
    }

    /// The type of a value.
    pub(super) fn ty(&self, file: u32, at: ValueAt) -> Ty {
        if at.0 == 0 {
            return UNKNOWN;
        }
        if let Some(known) = self.known.borrow()[file as usize][at.at()] {
            return known;
        }
        if self.depth.get() > PATIENCE {
            return UNKNOWN;
        }
        // Asked for again while it is looked for, it is unknown.
        self.known.borrow_mut()[file as usize][at.at()] = Some(UNKNOWN);
        self.depth.set(self.depth.get() + 1);
        let ty = stacker::maybe_grow(128 << 10, 2 << 20, || self.evaluate(file, at));
        self.depth.set(self.depth.get() - 1);
        self.known.borrow_mut()[file as usize][at.at()] = Some(ty);
        ty
    }

    fn evaluate(&self, file: u32, at: ValueAt) -> Ty {
        match self.names.files[file as usize].value(at) {
            Value::Unknown => UNKNOWN,
            Value::Type(path, scope, arguments) => {
                let arguments: Vec<Ty> = arguments.iter().map(|at| self.ty(file, *at)).collect();
                let def = self.names.resolve(self.names.scope(file, *scope), self.names.sym(file, *path));
                self.named(def, arguments)
            }
            Value::Parameter(at) => self.make(Shape::Parameter(*at)),
            Value::Behind(base) => {
                let base = self.ty(file, *base);
                self.dereferenced(base).unwrap_or(base)
            }
            Value::Associated(on, name) => {
                let on = self.ty(file, *on);
                self.associated_type(on, self.names.sym(file, *name))
            }
            Value::Slice(element) => self.make(Shape::Slice(self.ty(file, *element))),
            Value::Tuple(parts) => {
                self.make(Shape::Tuple(parts.iter().map(|at| self.ty(file, *at)).collect()))
            }
            Value::Bounded(bounds) => {
                self.make(Shape::Bounded(bounds.iter().map(|at| self.ty(file, *at)).collect()))
            }
            Value::Callable(returns) => self.make(Shape::Callable(self.ty(file, *returns))),
            Value::Path(path, scope) => {
                let def = self.names.resolve(self.names.scope(file, *scope), self.names.sym(file, *path));
                self.path_value(def)
            }
            Value::Closure(at) => self.make(Shape::Closure(FunctionId { file, at: *at })),
            Value::Block(at) => {
                let returns = self.names.files[file as usize].function(*at).returns;
                self.make(Shape::Future(self.ty(file, returns)))
            }
            Value::Call(call) => self.call_type(file, *call),
            Value::Field(base, name) => self.field(self.ty(file, *base), self.names.sym(file, *name)),
            Value::Index(base) => self.index(self.ty(file, *base)),
            Value::Element(base) => self.element(self.ty(file, *base)),
            Value::Tried(base) => self.unwrapped(self.ty(file, *base)),
            Value::Awaited(base) => self.awaited(self.ty(file, *base)),
            Value::Part(base, at) => match self.shape(self.ty(file, *base)) {
                Shape::Tuple(parts) => parts.get(*at as usize).copied().unwrap_or(UNKNOWN),
                _ => UNKNOWN,
            },
            Value::Matched(base, pattern, member) => {
                let base = self.ty(file, *base);
                self.matched(base, self.names.sym(file, *pattern), self.names.sym(file, *member))
            }
            Value::OneOf(values) => {
                values.iter().map(|at| self.ty(file, *at)).find(|ty| *ty != UNKNOWN).unwrap_or(UNKNOWN)
            }
            Value::Text => self.make(Shape::Text),
            Value::Number => self.make(Shape::Number),
        }
    }

    fn named(&self, def: Option<Def>, arguments: Vec<Ty>) -> Ty {
        match def {
            Some(Def::Type(ty)) => {
                let facts = &self.names.files[ty.file as usize];
                let definition = &facts.types[ty.at.at()];
                if definition.kind != TypeKind::Alias {
                    return self.make(Shape::Project(ty, arguments));
                }
                let Some((_, value, _)) = definition.fields.first() else { return UNKNOWN };
                self.with(self.ty(ty.file, *value), &arguments)
            }
            Some(Def::External(text)) => self.external(&self.names.text(text), arguments),
            _ => UNKNOWN,
        }
    }

    /// A type with these for its type parameters.
    fn with(&self, ty: Ty, arguments: &[Ty]) -> Ty {
        let all = |types: Vec<Ty>| types.into_iter().map(|ty| self.with(ty, arguments)).collect();
        let shape = match self.shape(ty) {
            Shape::Parameter(at) => return arguments.get(at as usize).copied().unwrap_or(UNKNOWN),
            Shape::Project(id, inner) => Shape::Project(id, all(inner)),
            Shape::External(text, inner) => Shape::External(text, all(inner)),
            Shape::Slice(inner) => Shape::Slice(self.with(inner, arguments)),
            Shape::Tuple(inner) => Shape::Tuple(all(inner)),
            Shape::Future(inner) => Shape::Future(self.with(inner, arguments)),
            Shape::Bounded(inner) => Shape::Bounded(all(inner)),
            Shape::Callable(inner) => Shape::Callable(self.with(inner, arguments)),
            Shape::Unknown | Shape::Closure(_) | Shape::Function(_) | Shape::Text | Shape::Number => {
                return ty;
            }
        };
        self.make(shape)
    }

    fn path_value(&self, def: Option<Def>) -> Ty {
        match def {
            Some(Def::Static(file, at)) => {
                let (_, value) = self.names.files[file as usize].statics[at as usize];
                self.ty(file, value)
            }
            Some(Def::Function(id)) => self.make(Shape::Function(id)),
            Some(Def::Type(ty)) => self.make(Shape::Project(ty, Vec::new())),
            Some(Def::Member(ty, name)) => {
                let name = self.names.text(name);
                match self.methods.get(&(Head::Project(ty), name)) {
                    Some(found) => self.make(Shape::Function(found[0])),
                    None => self.make(Shape::Project(ty, Vec::new())),
                }
            }
            _ => UNKNOWN,
        }
    }

    fn associated_type(&self, on: Ty, name: &str) -> Ty {
        let head = match self.shape(on) {
            Shape::Project(ty, _) => Head::Project(ty),
            Shape::External(text, _) => Head::External(text),
            Shape::Future(output) if name == "Output" => return output,
            Shape::Bounded(bounds) if name == "Output" || name == "Item" => {
                return bounds
                    .iter()
                    .map(|bound| self.first(*bound))
                    .find(|ty| *ty != UNKNOWN)
                    .unwrap_or(UNKNOWN);
            }
            _ => return UNKNOWN,
        };
        let found = self.associated.get(&(head, name.into())).copied();
        found.map_or(UNKNOWN, |(file, at)| self.ty(file, at))
    }

    fn first(&self, ty: Ty) -> Ty {
        match self.shape(ty) {
            Shape::External(_, arguments) => arguments.first().copied().unwrap_or(UNKNOWN),
            Shape::Slice(element) => element,
            _ => UNKNOWN,
        }
    }

    /// What a smart pointer, guard or reference-like type gives access to.
    pub(super) fn dereferenced(&self, ty: Ty) -> Option<Ty> {
        match self.shape(ty) {
            Shape::External(text, arguments) => {
                let name = self.names.text(text);
                if words::is_pointer(&name) || self.is_guard(&name) {
                    return arguments.first().copied();
                }
                if let Some(target) = words::deref_of(&name) {
                    return Some(self.external(target, arguments));
                }
                let (file, at) = *self.derefs.get(&Head::External(text))?;
                Some(self.ty(file, at))
            }
            Shape::Project(id, _) => {
                let (file, at) = *self.derefs.get(&Head::Project(id))?;
                Some(self.ty(file, at))
            }
            _ => None,
        }
    }

    fn is_guard(&self, name: &str) -> bool {
        [Mark::Guard, Mark::AsyncGuard, Mark::BorrowGuard]
            .iter()
            .any(|mark| self.catalog.has(Language::Rust, name, *mark))
    }

    /// A type and what it dereferences to, nearest first.
    fn chain(&self, ty: Ty) -> Vec<Ty> {
        let mut chain = vec![ty];
        let mut at = ty;
        while let Some(next) = self.dereferenced(at) {
            if chain.contains(&next) || chain.len() > 8 {
                break;
            }
            chain.push(next);
            at = next;
        }
        chain
    }

    /// The type behind all pointers and guards.
    pub(super) fn innermost(&self, ty: Ty) -> Ty {
        self.chain(ty).last().copied().unwrap_or(ty)
    }

    fn field(&self, base: Ty, name: &str) -> Ty {
        for ty in self.chain(base) {
            match self.shape(ty) {
                Shape::Project(id, arguments) => {
                    let facts = &self.names.files[id.file as usize];
                    let fields = &facts.types[id.at.at()].fields;
                    if let Some((_, value, _)) = fields.iter().find(|(field, ..)| facts.text(*field) == name)
                    {
                        return self.with(self.ty(id.file, *value), &arguments);
                    }
                }
                Shape::External(text, _) => {
                    let owner = self.names.text(text);
                    if let Some(found) = self.catalog.attribute(Language::Rust, &owner, name) {
                        return self.external(found, Vec::new());
                    }
                }
                Shape::Tuple(parts) => {
                    let part = name.parse::<usize>().ok().and_then(|at| parts.get(at).copied());
                    return part.unwrap_or(UNKNOWN);
                }
                _ => {}
            }
        }
        UNKNOWN
    }

    fn index(&self, base: Ty) -> Ty {
        for ty in self.chain(base) {
            if self.dereferenced(ty).is_some() {
                continue;
            }
            match self.shape(ty) {
                Shape::Slice(element) => return element,
                Shape::External(_, arguments) if !arguments.is_empty() => {
                    return arguments.last().copied().unwrap_or(UNKNOWN);
                }
                _ => {}
            }
        }
        UNKNOWN
    }

    fn element(&self, base: Ty) -> Ty {
        for ty in self.chain(base) {
            if self.dereferenced(ty).is_some() {
                continue;
            }
            match self.shape(ty) {
                Shape::Slice(element) => return element,
                Shape::External(text, arguments) => {
                    let name = self.names.text(text);
                    if words::is_map(&name) && arguments.len() == 2 {
                        return self.make(Shape::Tuple(arguments));
                    }
                    if let Some(first) = arguments.first() {
                        return *first;
                    }
                }
                Shape::Bounded(bounds) => {
                    let found = bounds.iter().map(|bound| self.first(*bound)).find(|ty| *ty != UNKNOWN);
                    return found.unwrap_or(UNKNOWN);
                }
                Shape::Project(id, _) => {
                    let item = self.associated.get(&(Head::Project(id), "Item".into())).copied();
                    if let Some((file, at)) = item {
                        return self.ty(file, at);
                    }
                }
                _ => {}
            }
        }
        UNKNOWN
    }

    /// What `?` and `unwrap` give. What is no wrapper stays: the catalogue leaves wrappers out.
    fn unwrapped(&self, ty: Ty) -> Ty {
        match self.shape(ty) {
            Shape::External(text, arguments) if words::is_wrapper(&self.names.text(text)) => {
                arguments.first().copied().unwrap_or(UNKNOWN)
            }
            _ => ty,
        }
    }

    fn awaited(&self, ty: Ty) -> Ty {
        match self.shape(ty) {
            Shape::Future(output) => output,
            Shape::Bounded(_) | Shape::Project(..) => self.associated_type(ty, "Output"),
            Shape::External(text, arguments) => {
                let name = self.names.text(text);
                if words::is_pointer(&name) || words::is_future(&name) {
                    let inner = arguments.first().copied().unwrap_or(UNKNOWN);
                    return if words::is_future(&name) { inner } else { self.awaited(inner) };
                }
                ty
            }
            _ => ty,
        }
    }

    fn matched(&self, base: Ty, pattern: &str, member: &str) -> Ty {
        let variant = pattern.rsplit("::").next().unwrap_or(pattern);
        let base = self.innermost(base);
        match (variant, self.shape(base)) {
            ("Some" | "Ok" | "Ready", Shape::External(..)) => self.unwrapped(base),
            ("Some", Shape::Bounded(_)) => self.element(base),
            (_, Shape::Project(id, arguments)) => {
                let facts = &self.names.files[id.file as usize];
                let definition = &facts.types[id.at.at()];
                let wanted = match definition.kind {
                    TypeKind::Enum => format!("{variant}.{member}"),
                    _ => member.to_owned(),
                };
                let found = definition.fields.iter().find(|(name, ..)| facts.text(*name) == wanted);
                found.map_or(UNKNOWN, |(_, value, _)| self.with(self.ty(id.file, *value), &arguments))
            }
            ("Some" | "Ok", _) => base,
            _ => UNKNOWN,
        }
    }

    pub(super) fn function(&self, id: FunctionId) -> &'f super::facts::Function {
        self.names.files[id.file as usize].function(id.at)
    }

    /// Every event of a function with its file.
    pub(super) fn events(&self, id: FunctionId) -> &'f [Event] {
        &self.names.files[id.file as usize].function(id.at).events
    }
}
