//! From the trace of a rule to evidence a reader can check.

use super::types::Evidence;
use crate::facts::{self, Facts, Type, Value};
use crate::rules::{Comparison, List, Truth};

/// The comparisons that speak for a rule, one entry per fact.
pub(super) fn of_trace(trace: &[Comparison]) -> Vec<Evidence> {
    // A line of `none` speaks by what is not there; a reader looks for what is.
    let speaks = |line: &&Comparison| line.list != List::None && line.truth == Truth::True;
    let mut out: Vec<Evidence> = Vec::new();
    for line in trace.iter().filter(speaks) {
        for (name, fact) in &line.facts {
            let Some(fact) = fact else { continue };
            // A term of a sum that adds nothing is no evidence.
            if line.facts.len() > 1 && fact.value == Value::Number(0.0) {
                continue;
            }
            let comparison = line.text.clone();
            if !out.iter().any(|known| known.fact == *name) {
                let unit = facts::spec(name).and_then(|spec| match spec.ty {
                    Type::Number(unit) => Some(unit),
                    Type::Bool | Type::Text => None,
                });
                let (value, origin) = (fact.value.clone(), fact.origin);
                out.push(Evidence { fact: name.clone(), value, unit, origin, comparison });
            }
        }
    }
    out
}

/// Plain facts that are known, in the order given, unless they are there already.
pub(super) fn add_plain(evidence: &mut Vec<Evidence>, facts: &Facts, names: &[&str]) {
    for name in names {
        let Some(fact) = facts.get(name) else { continue };
        if evidence.iter().any(|known| known.fact == *name) {
            continue;
        }
        let unit = facts::spec(name).and_then(|spec| match spec.ty {
            Type::Number(unit) => Some(unit),
            Type::Bool | Type::Text => None,
        });
        evidence.push(Evidence {
            fact: (*name).to_owned(),
            value: fact.value.clone(),
            unit,
            origin: fact.origin,
            comparison: String::new(),
        });
    }
}
