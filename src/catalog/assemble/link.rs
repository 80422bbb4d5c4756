//! What needs every file: references become names of types, a type gets what it inherits, everything is entered under
//! each of its names.

use super::{FxHashMap, FxHashSet, Language, Raw, RawCall, Reference, RuleError};
use crate::catalog::{Known, Names, Type};

/// The names by which each type is called, and the one it goes by.
type Canonical = FxHashMap<String, String>;

impl Raw {
    pub(super) fn link(self, language: Language, errors: &mut Vec<RuleError>) -> Names {
        let types = self.owners.iter().filter(|(_, owner)| owner.is_type);
        let canonical: Canonical = types
            .flat_map(|(name, owner)| {
                let names = owner.also.iter().chain(std::iter::once(name));
                names.map(move |also| (also.clone(), name.clone()))
            })
            .collect();
        let mut linked = Names::default();
        let mut calls: Vec<(&String, &RawCall)> = self.calls.iter().collect();
        calls.sort_by_key(|(name, _)| *name);
        for (name, call) in calls {
            let returns = call.returns.as_ref().and_then(|to| resolve(&canonical, to, errors));
            let known = Known { returns, ..call.known.clone() };
            linked.known.insert(name.as_str().into(), known);
        }
        let separator = language.separator();
        for (name, owner) in &self.owners {
            let lineage =
                if owner.is_type { self.lineage(name, &canonical, errors) } else { vec![name.clone()] };
            let mut ty = self.ty(name, &lineage, &canonical, errors);
            let marks =
                lineage.iter().filter_map(|of| self.owners.get(of)).fold(0, |bits, of| bits | of.marks);
            let members = self.members(&lineage, &linked, separator);
            ty.others = members.iter().find(|(member, _)| member == "*").map(|(_, known)| known.clone());
            for called in owner.also.iter().chain(std::iter::once(name)) {
                for (member, known) in &members {
                    let full = format!("{called}{separator}{member}");
                    linked.known.entry(full.into()).or_insert_with(|| known.clone());
                }
                if owner.is_type {
                    linked.known.entry(called.as_str().into()).or_default().marks |= marks;
                    linked.types.insert(called.as_str().into(), ty.clone());
                } else if !ty.attributes.is_empty() {
                    linked.modules.insert(called.as_str().into(), ty.attributes.clone());
                }
            }
        }
        linked
    }

    /// A type and all it inherits from, nearest first.
    fn lineage(&self, name: &str, canonical: &Canonical, errors: &mut Vec<RuleError>) -> Vec<String> {
        let mut lineage = Vec::new();
        let mut seen = FxHashSet::default();
        let mut pending = vec![name.to_owned()];
        while let Some(name) = pending.pop() {
            let Some(owner) = self.owners.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
            lineage.push(name);
            let bases = owner.bases.iter().filter_map(|base| resolve(canonical, base, errors));
            let bases: Vec<_> = bases.map(String::from).collect();
            pending.extend(bases.into_iter().rev());
        }
        lineage
    }

    fn ty(&self, name: &str, lineage: &[String], canonical: &Canonical, errors: &mut Vec<RuleError>) -> Type {
        let mut ty = Type { name: name.into(), ..Type::default() };
        ty.bases.extend(lineage.iter().skip(1).map(|base| base.as_str().into()));
        for (attribute, to) in
            lineage.iter().filter_map(|of| self.owners.get(of)).flat_map(|owner| &owner.attributes)
        {
            if let Some(to) = resolve(canonical, to, errors) {
                ty.attributes.entry(attribute.as_str().into()).or_insert(to);
            }
        }
        ty
    }

    /// The calls of a type with those it inherits and does not replace.
    fn members(&self, lineage: &[String], linked: &Names, separator: &str) -> Vec<(String, Known)> {
        let mut seen = FxHashSet::default();
        let mut members = Vec::new();
        for of in lineage {
            for member in self.owners.get(of).into_iter().flat_map(|owner| &owner.members) {
                let known = linked.known.get(format!("{of}{separator}{member}").as_str());
                if let Some(known) = known.filter(|_| seen.insert(member.clone())) {
                    members.push((member.clone(), known.clone()));
                }
            }
        }
        members
    }
}

fn resolve(canonical: &Canonical, to: &Reference, errors: &mut Vec<RuleError>) -> Option<Box<str>> {
    let found = canonical.get(&to.to);
    if found.is_none() && !errors.contains(&to.otherwise) {
        errors.push(to.otherwise.clone());
    }
    found.map(|name| name.as_str().into())
}
