//! Patterns: which variables they make, and what those hold.

use syn::{Member, Pat};

use super::super::facts::{Local, Sym, Value, ValueAt};
use super::{Reader, UNKNOWN};

impl Reader<'_> {
    /// Binds the variables of a pattern that `value` is matched with; returns the variable, where it is only one.
    pub(super) fn pattern(&mut self, pat: &Pat, value: ValueAt) -> Option<Local> {
        match pat {
            Pat::Ident(ident) => {
                if let Some((_, inner)) = &ident.subpat {
                    self.pattern(inner, value);
                } else if constant_like(&ident.ident) {
                    return None;
                }
                let name = self.ident(&ident.ident);
                Some(self.bind(name, value))
            }
            Pat::Type(typed) => {
                let value = self.ty(&typed.ty);
                self.pattern(&typed.pat, value)
            }
            Pat::Paren(paren) => self.pattern(&paren.pat, value),
            Pat::Reference(reference) => self.pattern(&reference.pat, value),
            Pat::Guard(guard) => {
                let local = self.pattern(&guard.pat, value);
                self.expr(&guard.guard);
                local
            }
            Pat::Or(or) => {
                // Every case binds the same names.
                or.cases.first().and_then(|case| self.pattern(case, value))
            }
            Pat::Tuple(tuple) => {
                let parts = match self.facts.value(value) {
                    Value::Tuple(parts) => parts.clone(),
                    _ => Vec::new(),
                };
                for (at, element) in tuple.elems.iter().enumerate() {
                    let inner = match parts.get(at) {
                        Some(known) => *known,
                        None => self.derived(value, |value| Value::Part(value, at as u32)),
                    };
                    self.pattern(element, inner);
                }
                None
            }
            Pat::TupleStruct(tuple) => {
                let path = self.path(&tuple.path);
                let mut only = None;
                for (at, element) in tuple.elems.iter().enumerate() {
                    let member = self.sym(&at.to_string());
                    let inner = self.derived(value, |value| Value::Matched(value, path, member));
                    only = self.pattern(element, inner);
                }
                if tuple.elems.len() == 1 { only } else { None }
            }
            Pat::Struct(fields) => {
                let path = self.path(&fields.path);
                for field in &fields.fields {
                    let member = match &field.member {
                        Member::Named(ident) => self.ident(ident),
                        Member::Unnamed(index) => self.sym(&index.index.to_string()),
                    };
                    let inner = self.derived(value, |value| Value::Matched(value, path, member));
                    self.pattern(&field.pat, inner);
                }
                None
            }
            Pat::Slice(slice) => {
                for element in &slice.elems {
                    let inner = self.derived(value, Value::Index);
                    self.pattern(element, inner);
                }
                None
            }
            _ => None,
        }
    }

    /// A value made of another one, unless nothing is known of that.
    pub(super) fn derived(&mut self, from: ValueAt, make: impl FnOnce(ValueAt) -> Value) -> ValueAt {
        if from == UNKNOWN { UNKNOWN } else { self.value(make(from)) }
    }

    pub(super) fn member(&mut self, member: &Member) -> Sym {
        match member {
            Member::Named(ident) => self.ident(ident),
            Member::Unnamed(index) => self.sym(&index.index.to_string()),
        }
    }
}

/// `None`, `MAX`: a pattern that names something, and makes no variable.
fn constant_like(ident: &syn::Ident) -> bool {
    ident.to_string().chars().next().is_some_and(char::is_uppercase)
}
