//! What a call calls, and what it gives.

use super::super::facts::{Call, CallAt, Callee, TypeKind};
use super::super::names::{Def, FunctionId, Text, TypeId};
use super::super::vocabulary as words;
use super::{Head, Shape, Target, Ty, UNKNOWN, Values};
use crate::catalog::Language;

impl Values<'_> {
    /// What a call calls.
    pub(in crate::scan::rust) fn target(&self, file: u32, call: CallAt) -> Target {
        if let Some(known) = &self.targets.borrow()[file as usize][call.at()] {
            return known.clone();
        }
        let target = self.find_target(file, self.names.files[file as usize].call(call));
        self.targets.borrow_mut()[file as usize][call.at()] = Some(target.clone());
        target
    }

    fn find_target(&self, file: u32, call: &Call) -> Target {
        match call.callee {
            Callee::Path(path, Some(on)) => {
                let name = self.names.sym(file, path);
                let on = self.ty(file, on);
                if name == "Self" { Target::Constructor(Some(on)) } else { self.method(on, name, false) }
            }
            Callee::Path(path, None) => {
                let scope = self.names.scope(file, call.scope);
                match self.names.resolve(scope, self.names.sym(file, path)) {
                    Some(Def::Function(id)) => Target::Project(vec![id]),
                    Some(Def::External(text)) => self.external_function(text),
                    Some(Def::Member(ty, name)) => {
                        let on = self.named(Some(Def::Type(ty)), Vec::new());
                        let name = self.names.text(name);
                        match self.method(on, &name, false) {
                            Target::Unknown => Target::Constructor(Some(on)),
                            found => found,
                        }
                    }
                    Some(Def::Type(ty)) => {
                        Target::Constructor(Some(self.named(Some(Def::Type(ty)), Vec::new())))
                    }
                    _ => Target::Unknown,
                }
            }
            Callee::Method(receiver, name) => {
                let name = self.names.sym(file, name);
                let scope = self.names.scope(file, call.scope);
                if name.contains("par_") && self.names.imports_of(scope, words::PARALLEL_PRELUDE) {
                    let path = format!("{}::{name}", words::PARALLEL_TRAIT);
                    return Target::External(self.names.intern(&path));
                }
                self.method(self.ty(file, receiver), name, true)
            }
            Callee::Value(value) => match self.shape(self.innermost(self.ty(file, value))) {
                Shape::Closure(id) | Shape::Function(id) => Target::Project(vec![id]),
                _ => Target::Unknown,
            },
            Callee::Macro(_) => Target::Unknown,
        }
    }

    fn external_function(&self, text: Text) -> Target {
        let name = self.names.text(text);
        if let Some((owner, method)) = name.rsplit_once("::") {
            let owner = self.names.intern(owner);
            if let Some(found) = self.methods.get(&(Head::External(owner), method.into())) {
                return Target::Project(found.clone());
            }
        }
        Target::External(text)
    }

    /// A function of a type, looked for along what it dereferences to.
    pub(in crate::scan::rust) fn method(&self, on: Ty, name: &str, deref: bool) -> Target {
        let chain = if deref { self.chain(on) } else { vec![on] };
        let mut nearest = None;
        for ty in chain {
            match self.shape(ty) {
                Shape::Project(id, _) => {
                    if let Some(found) = self.project_method(id, name) {
                        return found;
                    }
                }
                Shape::External(text, _) => {
                    if let Some(found) = self.methods.get(&(Head::External(text), name.into())) {
                        return Target::Project(found.clone());
                    }
                    let owner = self.names.text(text);
                    let path = format!("{owner}::{name}");
                    if self.catalog.knows(Language::Rust, &path) {
                        return Target::External(self.names.intern(&path));
                    }
                    if !words::is_pointer(&owner) || words::of_pointer(name) || !deref {
                        nearest.get_or_insert(path);
                    }
                    if words::of_pointer(name) && words::is_pointer(&owner) {
                        break;
                    }
                }
                Shape::Bounded(bounds) => {
                    for bound in bounds {
                        let found = self.method(bound, name, false);
                        if found != Target::Unknown {
                            return found;
                        }
                    }
                }
                Shape::Slice(_) => {
                    nearest.get_or_insert_with(|| format!("slice::{name}"));
                }
                Shape::Text => {
                    nearest.get_or_insert_with(|| format!("str::{name}"));
                }
                Shape::Number => {
                    nearest.get_or_insert_with(|| format!("number::{name}"));
                }
                Shape::Future(_) => {
                    nearest.get_or_insert_with(|| format!("std::future::Future::{name}"));
                }
                Shape::Tuple(_) => {
                    nearest.get_or_insert_with(|| format!("tuple::{name}"));
                }
                Shape::Closure(_) | Shape::Function(_) | Shape::Callable(_) => {
                    nearest.get_or_insert_with(|| format!("std::ops::Fn::{name}"));
                }
                Shape::Unknown | Shape::Parameter(_) => {}
            }
        }
        if nearest.is_none() && deref && words::is_universal(name) && !self.defined.contains(name) {
            nearest = Some(format!("std::{name}"));
        }
        nearest.map_or(Target::Unknown, |path| Target::External(self.names.intern(&path)))
    }

    fn project_method(&self, id: TypeId, name: &str) -> Option<Target> {
        let own = self.methods.get(&(Head::Project(id), name.into())).cloned();
        let kind = self.names.files[id.file as usize].types[id.at.at()].kind;
        if kind == TypeKind::Trait {
            let mut all = self.implementors.get(&(Def::Type(id), name.into())).cloned().unwrap_or_default();
            let has_body = |id: &FunctionId| !self.function(*id).events.is_empty();
            all.extend(own.into_iter().flatten().filter(has_body));
            return if all.is_empty() { None } else { Some(Target::Project(all)) };
        }
        own.map(Target::Project)
    }

    /// What calling a function gives.
    fn returned(&self, id: FunctionId) -> Ty {
        let function = self.function(id);
        let returns = self.ty(id.file, function.returns);
        if function.marks.is_async { self.make(Shape::Future(returns)) } else { returns }
    }

    pub(super) fn call_type(&self, file: u32, at: CallAt) -> Ty {
        let call = self.names.files[file as usize].call(at);
        let arguments = || call.arguments.iter().map(|argument| self.ty(file, argument.value));
        match self.target(file, at) {
            Target::Project(found) => found.first().map_or(UNKNOWN, |id| self.returned(*id)),
            Target::Constructor(ty) => ty.unwrap_or(UNKNOWN),
            Target::External(text) => {
                let name = self.names.text(text);
                let on = match call.callee {
                    Callee::Method(receiver, _) => Some(self.ty(file, receiver)),
                    _ => None,
                };
                let given: Vec<Ty> = arguments().collect();
                let types: Vec<Ty> = call.types.iter().map(|ty| self.ty(file, *ty)).collect();
                self.external_call(&name, on, &given, types)
            }
            Target::Unknown => match call.callee {
                Callee::Value(value) => match self.shape(self.innermost(self.ty(file, value))) {
                    Shape::Callable(returns) => returns,
                    _ => UNKNOWN,
                },
                Callee::Method(receiver, name) if words::passes(self.names.sym(file, name)) => {
                    self.ty(file, receiver)
                }
                _ => UNKNOWN,
            },
        }
    }

    fn external_call(&self, name: &str, on: Option<Ty>, given: &[Ty], types: Vec<Ty>) -> Ty {
        let (owner, method) = name.rsplit_once("::").unwrap_or(("", name));
        if owner == words::PARALLEL_TRAIT && method.contains("par_") {
            return self.external(owner, on.map(|on| self.element(on)).into_iter().collect());
        }
        if owner.starts_with("std::fmt::") {
            return on.unwrap_or(UNKNOWN);
        }
        if let Some(on) = on
            && let Some(ty) = self.standard_method(on, method, given)
        {
            return ty;
        }
        if let Some(returns) = self.catalog.returns(Language::Rust, name) {
            // A guard or an iterator is of what its owner is of.
            let inner = match on {
                Some(on) => self.arguments_along(on, owner),
                None if types.is_empty() => given.iter().copied().take(1).collect(),
                None => types,
            };
            return self.external(returns, inner);
        }
        match (owner, method) {
            ("std::option::Option" | "std::result::Result", "Some" | "Ok") => {
                return self.external(owner, given.iter().copied().take(1).collect());
            }
            ("std::option::Option" | "std::result::Result", _) => return UNKNOWN,
            _ => {}
        }
        if on.is_none()
            && let Some((sender, receiver)) = words::channel(name)
        {
            let element = types.first().copied().unwrap_or(UNKNOWN);
            let ends = [sender, receiver].map(|end| {
                let module = owner;
                self.external(&format!("{module}::{end}"), vec![element])
            });
            return self.make(Shape::Tuple(ends.to_vec()));
        }
        if on.is_none()
            && let Some(stem) = owner.rsplit("::").next()
            && stem.starts_with(char::is_uppercase)
        {
            let made = if words::wraps_argument(owner) {
                given.first().copied().into_iter().collect()
            } else {
                types
            };
            if words::is_constructor(method) {
                return self.external(owner, made);
            }
            if method == "clone" {
                return given.first().copied().unwrap_or(UNKNOWN);
            }
        }
        UNKNOWN
    }

    /// The generic arguments of the type in the chain of `on` that is called `owner`.
    fn arguments_along(&self, on: Ty, owner: &str) -> Vec<Ty> {
        for ty in self.chain(on) {
            if let Shape::External(text, arguments) = self.shape(ty)
                && &*self.names.text(text) == owner
            {
                return arguments;
            }
        }
        Vec::new()
    }

    /// Methods of the standard library that give what they are called on, or a part of it.
    fn standard_method(&self, on: Ty, method: &str, given: &[Ty]) -> Option<Ty> {
        if words::unwraps(method) {
            return Some(self.unwrapped(on));
        }
        if words::passes(method) {
            return Some(on);
        }
        if words::gives_element(method) {
            return Some(self.element(on));
        }
        if method == "map" || method == "and_then" || method == "then" {
            let made = given.first().map(|closure| self.shape(*closure));
            if let Some(Shape::Closure(id) | Shape::Function(id)) = made {
                let returned = self.returned(id);
                return Some(match self.shape(on) {
                    Shape::External(text, _) if method == "map" => {
                        self.make(Shape::External(text, vec![returned]))
                    }
                    Shape::Slice(_) => self.make(Shape::Slice(returned)),
                    _ => returned,
                });
            }
        }
        None
    }
}
