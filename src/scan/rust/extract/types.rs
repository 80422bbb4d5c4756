//! Types, generic parameters and paths as written. References, parentheses and lifetimes say nothing here.

use syn::{GenericArgument, PathArguments, Type, TypeParamBound};

use super::super::facts::{Sym, Value, ValueAt};
use super::{Reader, UNKNOWN};

impl Reader<'_> {
    /// A type as a value.
    pub(super) fn ty(&mut self, ty: &Type) -> ValueAt {
        stacker::maybe_grow(128 << 10, 2 << 20, || match ty {
            Type::Array(t) => self.slice_of(&t.elem),
            Type::Slice(t) => self.slice_of(&t.elem),
            Type::FnPtr(t) => {
                let returns = self.return_type(&t.output);
                self.value(Value::Callable(returns))
            }
            Type::Group(t) => self.ty(&t.elem),
            Type::Paren(t) => self.ty(&t.elem),
            Type::Ptr(t) => self.ty(&t.elem),
            Type::Reference(t) => self.ty(&t.elem),
            Type::ImplTrait(t) => self.bounded(t.bounds.iter()),
            Type::TraitObject(t) => self.bounded(t.bounds.iter()),
            Type::Path(t) => self.type_path(t.qself.as_ref(), &t.path),
            Type::Tuple(t) => {
                let parts = t.elems.iter().map(|part| self.ty(part)).collect();
                self.value(Value::Tuple(parts))
            }
            _ => UNKNOWN,
        })
    }

    fn slice_of(&mut self, element: &Type) -> ValueAt {
        let element = self.ty(element);
        self.value(Value::Slice(element))
    }

    /// What a signature returns; `()` is an empty tuple.
    pub(super) fn return_type(&mut self, output: &syn::ReturnType) -> ValueAt {
        match output {
            syn::ReturnType::Default => self.value(Value::Tuple(Vec::new())),
            syn::ReturnType::Type(_, ty) => self.ty(ty),
        }
    }

    /// Something of which only the traits are known.
    pub(super) fn bounded<'b>(&mut self, bounds: impl Iterator<Item = &'b TypeParamBound>) -> ValueAt {
        let bounds: Vec<ValueAt> = bounds.filter_map(|bound| self.bound(bound)).collect();
        match bounds[..] {
            [one] if matches!(self.facts.value(one), Value::Callable(_)) => one,
            _ => self.value(Value::Bounded(bounds)),
        }
    }

    fn bound(&mut self, bound: &TypeParamBound) -> Option<ValueAt> {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last()?;
        if let PathArguments::Parenthesized(arguments) = &last.arguments {
            let returns = self.return_type(&arguments.output);
            return Some(self.value(Value::Callable(returns)));
        }
        Some(self.type_path(None, &bound.path))
    }

    fn type_path(&mut self, qself: Option<&syn::QSelf>, path: &syn::Path) -> ValueAt {
        if let Some(qself) = qself {
            let on = self.ty(&qself.ty);
            return self.associated(on, path);
        }
        let Some(first) = path.segments.first() else { return UNKNOWN };
        if let Some(on) = self.named_here(&first.ident) {
            return if path.segments.len() == 1 { on } else { self.associated(on, path) };
        }
        let name = self.path(path);
        let arguments = self.arguments_of(path);
        self.value(Value::Type(name, self.scope, arguments))
    }

    fn associated(&mut self, on: ValueAt, path: &syn::Path) -> ValueAt {
        let Some(last) = path.segments.last() else { return UNKNOWN };
        let name = self.ident(&last.ident);
        self.value(Value::Associated(on, name))
    }

    /// `Self` and type parameters.
    pub(super) fn named_here(&mut self, ident: &syn::Ident) -> Option<ValueAt> {
        if ident == "Self" {
            return self.owner;
        }
        if self.generics.is_empty() {
            return None;
        }
        let name = self.ident(ident);
        self.generics.iter().rev().find(|(generic, _)| *generic == name).map(|(_, value)| *value)
    }

    /// The path without generic arguments, as one symbol.
    pub(super) fn path(&mut self, path: &syn::Path) -> Sym {
        if path.leading_colon.is_none() && path.segments.len() == 1 {
            return self.ident(&path.segments[0].ident);
        }
        let mut text = String::new();
        for (at, segment) in path.segments.iter().enumerate() {
            if at > 0 || path.leading_colon.is_some() {
                text.push_str("::");
            }
            let ident = segment.ident.to_string();
            text.push_str(ident.strip_prefix("r#").unwrap_or(&ident));
        }
        self.sym(&text)
    }

    /// The generic arguments that are types, of whichever segment has them.
    pub(super) fn arguments_of(&mut self, path: &syn::Path) -> Vec<ValueAt> {
        let mut types = Vec::new();
        for segment in &path.segments {
            if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
                types.extend(self.generic_arguments(arguments));
            }
        }
        types
    }

    /// Types between `<` and `>`; `Item = T` counts as `T`.
    pub(super) fn generic_arguments(
        &mut self,
        arguments: &syn::AngleBracketedGenericArguments,
    ) -> Vec<ValueAt> {
        let mut types = Vec::new();
        for argument in &arguments.args {
            match argument {
                GenericArgument::Type(ty) => types.push(self.ty(ty)),
                GenericArgument::AssocType(associated) => types.push(self.ty(&associated.ty)),
                _ => {}
            }
        }
        types
    }

    /// Brings the type parameters of a definition into sight: they are whatever it is used with.
    pub(super) fn enter_parameters(&mut self, generics: &syn::Generics) -> usize {
        let before = self.generics.len();
        for (at, parameter) in generics.type_params().enumerate() {
            let name = self.ident(&parameter.ident);
            let value = self.value(Value::Parameter(at as u32));
            self.generics.push((name, value));
        }
        before
    }

    /// Brings type parameters into sight; returns how many were in sight before.
    pub(super) fn enter_generics(&mut self, generics: &syn::Generics) -> usize {
        let before = self.generics.len();
        for parameter in generics.type_params() {
            let name = self.ident(&parameter.ident);
            self.generics.push((name, UNKNOWN));
        }
        for (at, parameter) in generics.type_params().enumerate() {
            let wanted = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            let wanted = wanted.filter_map(|predicate| match predicate {
                syn::WherePredicate::Type(predicate) if names(&predicate.bounded_ty, &parameter.ident) => {
                    Some(&predicate.bounds)
                }
                _ => None,
            });
            let bounds: Vec<&TypeParamBound> = parameter.bounds.iter().chain(wanted.flatten()).collect();
            let value = self.bounded(bounds.into_iter());
            self.generics[before + at].1 = value;
        }
        before
    }
}

fn names(ty: &Type, ident: &syn::Ident) -> bool {
    matches!(ty, Type::Path(path) if path.qself.is_none() && path.path.is_ident(ident))
}
