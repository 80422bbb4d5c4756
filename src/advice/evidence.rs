//! From the trace of a rule to evidence a reader can check.

use super::types::Evidence;
use crate::facts::{self, Facts, Origin, Type, Value};
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

/// Facts about the work that are shown of a description, in order.
const SAID: [&str; 24] = [
    "region.n",
    "wait.total",
    "cpu.gil",
    "cpu.native",
    "region.item_wall",
    "wait.share",
    "run.wall",
    "wall.network",
    "data.size",
    "work.kind",
    "work.background",
    "region.independent",
    "runtime.lang",
    "host.p_eff",
    "host.mem_budget",
    "limit.downstream",
    "goal.tasks",
    "data.item_bytes",
    "goal.deadline",
    "goal.machines",
    "goal.rate",
    "goal.latency",
    "goal.concurrency",
    "goal.connections",
];
/// Of these a server has as many as time goes by.
const WITHOUT_END: [&str; 2] = ["region.n", "run.wall"];

/// What was stated of a program or assumed in place of an answer, as evidence.
#[must_use]
pub fn of_statements(facts: &Facts) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    let said: Vec<&str> = SAID
        .into_iter()
        .filter(|name| {
            let origin = facts.get(name).map(|fact| fact.origin);
            let endless = facts.get("goal.rate").is_some() && WITHOUT_END.contains(name);
            // Nothing of a kind is no statement; that nothing of an item is waiting is one.
            let nothing = facts.get_number(name) == Some(0.0) && *name != "wait.share";
            !endless && !nothing && matches!(origin, Some(Origin::Declared | Origin::Assumed))
        })
        .collect();
    add_plain(&mut evidence, facts, &said);
    evidence
}
