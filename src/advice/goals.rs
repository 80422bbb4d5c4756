//! What goals make of the predictions: a server for an arrival rate, computers for a deadline or for data that one cannot
//! hold. States them as facts for the rules to judge; decides nothing.

use super::Case;
use super::model::{Costs, Work, server};
use super::predict::Plans;
use super::types::Cluster;
use super::work::Subject;
use crate::facts::{EXCHANGED_KINDS, Facts, Origin, Value};
use crate::rules::{RuleKind, RuleSet, Then, Truth};
use crate::units;

/// A server for the rate that is a goal.
pub(super) fn server(facts: &mut Facts, subject: Option<&Subject>, costs: &Costs) {
    let (Some(rate), Some(subject)) = (facts.get_number("goal.rate"), subject) else { return };
    let Subject { work, host, .. } = subject;
    let latency = facts.get_number("goal.latency");
    let best = server::smallest(work, host, rate, latency, facts.get_number("limit.downstream"), costs);
    let processes = if host.gil { host.cores.ceil().max(1.0) as usize } else { 1 };
    let mut state = |name: &str, value: f64| facts.number(name, value, Origin::Predicted);
    state("pred.server.processes", best.shape.processes as f64);
    state("pred.server.threads", best.shape.threads as f64);
    state("pred.server.loops", server::locks(work, host, rate, costs) as f64);
    state("pred.server.slots", server::slots(work, rate, costs).1);
    if let Some((_, tail)) = best.response {
        state("pred.server.tail", tail);
    }
    state("pred.server.most", server::most(work, host, processes));
    state("pred.server.machines", server::machines(work, host, rate, costs));
}

/// Computers for the deadline or the data, once the best plan for one of them is known.
pub(super) fn cluster(facts: &mut Facts, subject: Option<&Subject>, plans: &Plans, costs: &Costs) {
    let Some(subject) = subject else { return };
    let one = facts.get_number("pred.best.time").unwrap_or(plans.now).min(plans.now);
    if one <= 0.0 {
        return;
    }
    let number = |name: &str| facts.get_number(name);
    let efficiency = efficiency(facts, costs);
    let for_time = number("goal.deadline").map(|deadline| {
        let left = (deadline - costs.cluster_start).max(0.0);
        let formula = format!(
            "{} on one computer / ({} of its pace × {} of the time × {} left after the start)",
            units::seconds(one),
            units::percent(efficiency),
            units::percent(costs.cluster_busy),
            units::seconds(left)
        );
        (one / (efficiency * costs.cluster_busy * left), formula)
    });
    let for_data = match (number("data.size"), number("host.mem_budget")) {
        (Some(data), Some(memory)) if memory > 0.0 => {
            let formula = format!(
                "{} × {} in memory / ({} of {})",
                units::bytes(data),
                costs.cluster_expansion,
                units::percent(costs.cluster_memory),
                units::bytes(memory)
            );
            Some((data * costs.cluster_expansion / (costs.cluster_memory * memory), formula))
        }
        _ => None,
    };
    let asked = for_time.into_iter().chain(for_data).max_by(|one, other| one.0.total_cmp(&other.0));
    let Some((needed, formula)) = asked else { return };
    let nodes = needed.ceil().max(1.0);
    if !nodes.is_finite() {
        return facts.unknown("pred.cluster.nodes", "starting a cluster takes longer than the deadline");
    }
    // All computers together ask the other side: where it sets the pace, more of them wait as well.
    let each = number("pred.best.workers").unwrap_or(1.0);
    if subject.work.wait > 0.0 && number("limit.downstream").is_some_and(|limit| nodes * each > limit) {
        return facts
            .unknown("pred.cluster.nodes", "the other side takes less at once than so many computers ask");
    }
    let time = costs.cluster_start + one / (nodes * efficiency);
    let sent =
        number("data.size").filter(|_| exchanges(facts)).map(|data| data / (nodes * costs.cluster_network));
    let mut state = |name: &str, value: f64| facts.number(name, value, Origin::Predicted);
    state("pred.cluster.nodes", nodes);
    state("pred.cluster.time", time);
    state("pred.cluster.gain", one / time);
    state("pred.cluster.task", task(&subject.work, nodes, subject.host.cores, costs));
    if let Some(sent) = sent {
        state("pred.cluster.exchange", sent);
    }
    let formula = format!("{formula} = {}", units::plain(needed));
    facts.set("pred.cluster.formula", Value::Text(formula), Origin::Predicted);
}

/// Whether computers exchange the data of such work.
fn exchanges(facts: &Facts) -> bool {
    text(facts, "work.kind").is_some_and(|kind| EXCHANGED_KINDS.contains(&kind))
}

fn text<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    match &facts.get(name)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Share of its pace that a computer keeps as one of several.
pub(super) fn efficiency(facts: &Facts, costs: &Costs) -> f64 {
    if exchanges(facts) { costs.cluster_efficiency_shuffled } else { costs.cluster_efficiency }
}

/// Length of a task if the work is divided evenly for so many computers, but never below one item.
fn task(work: &Work, nodes: f64, cores: f64, costs: &Costs) -> f64 {
    let tasks = (costs.cluster_tasks_per_core * nodes * cores).clamp(1.0, work.items as f64);
    work.sequential() / tasks
}

/// The engine that the rules take for so many computers, for the code that is written for it.
pub(super) fn name_engine(facts: &mut Facts, rules: &RuleSet) {
    if facts.get("pred.cluster.nodes").is_none() {
        return;
    }
    let taken =
        rules.evaluate(RuleKind::Engine, facts).into_iter().find(|outcome| outcome.truth == Truth::True);
    if let Some(Then::Engine { engine, .. }) = taken.map(|outcome| &outcome.rule.then) {
        facts.set("pred.cluster.engine", Value::Text(engine.clone()), Origin::Predicted);
    }
}

/// The engine that the rules take, and why not the others.
pub(super) fn engine(case: &Case<'_>) -> Option<(Cluster, Vec<String>)> {
    let nodes = case.facts.get_number("pred.cluster.nodes")?;
    let outcomes = case.rules.evaluate(RuleKind::Engine, &case.facts);
    let taken = outcomes.iter().find(|outcome| outcome.truth == Truth::True)?;
    let Then::Engine { engine, task, .. } = &taken.rule.then else { return None };
    let least = task.number(case.rules, &case.facts).unwrap_or_default();
    let task = case.facts.get_number("pred.cluster.task").unwrap_or(least).max(least);
    let others = outcomes.iter().filter(|outcome| outcome.truth != Truth::True);
    let why_not = others.filter_map(|outcome| match &outcome.rule.then {
        Then::Engine { engine, unless, .. } => {
            Some(format!("not {engine}: {}", unless.render(case.rules, &case.facts)))
        }
        _ => None,
    });
    let total = case.subject.as_ref().map_or(0.0, |subject| subject.work.sequential());
    let because = taken.rule.because.render(case.rules, &case.facts);
    let reckoned = text(&case.facts, "pred.cluster.formula").map(|formula| format!("computers: {formula}"));
    let said = reckoned.into_iter().chain([format!("{engine}: {because}")]).chain(why_not).collect();
    let tasks = (total / task.max(f64::MIN_POSITIVE)).ceil().max(1.0) as u64;
    Some((Cluster { engine: engine.clone(), nodes: nodes as u32, task_s: task, tasks }, said))
}
