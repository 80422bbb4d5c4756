//! From facts and fired rules to a verdict, a recommendation with workers and a predicted gain, and what was
//! rejected. Pure: same facts and rules in, same advice out. Must not know how facts were measured or are printed.
//!
//! ```text
//! facts ─► caps ─► model ─► predicted facts ─► gates ─► preferences, effort ─► advice
//! ```

mod cases;
mod confidence;
mod decide;
mod described;
mod evidence;
mod flip;
mod goals;
pub mod model;
mod predict;
mod predicted;
mod realise;
mod recommend;
mod region;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scenarios_of_regions;
pub mod simulate;
pub mod types;
mod work;

pub use cases::{run_advice_case, run_model_case};
pub use described::{Described, described};
pub use evidence::of_statements;
pub use types::*;

use crate::facts::{self, Facts, Goals, Origin, Scanned, Value};
use crate::machine::Machine;
use crate::profile::{Profile, Region};
use crate::rules::{RuleKind, RuleSet};

use decide::Decision;
use model::Costs;
use predict::Plans;
use work::Subject;

/// Everything that was worked out about one program, and what the parts of the advice are made from.
struct Case<'a> {
    rules: &'a RuleSet,
    costs: Costs,
    facts: Facts,
    subject: Option<Subject>,
    plans: Plans,
    /// Where the items are, where those are what the plans are about.
    region: Option<Region>,
}

/// What the program is bound by and what to do about it.
///
/// Never empty: where nothing can be said, the recommendation says so and what would settle it. Rules without the
/// coefficients of the model ([`Costs::NAMES`]) are caught when they are loaded; here they only mean that nothing
/// is predicted.
#[must_use]
pub fn advise(profile: &Profile, machine: &Machine, rules: &RuleSet) -> Advice {
    advise_knowing(profile, machine, &Scanned::default(), rules)
}

/// As [`advise`], with what a scan of the program's source knows.
#[must_use]
pub fn advise_knowing(profile: &Profile, machine: &Machine, scanned: &Scanned, rules: &RuleSet) -> Advice {
    advise_for(profile, machine, scanned, &Goals::default(), rules)
}

/// As [`advise_knowing`], judged against what is wanted of the program and what limits it.
#[must_use]
pub fn advise_for(
    profile: &Profile,
    machine: &Machine,
    scanned: &Scanned,
    goals: &Goals,
    rules: &RuleSet,
) -> Advice {
    let mut facts = facts::collect(profile, machine);
    facts.strive(goals);
    let mut wanted = Facts::default();
    wanted.strive(goals);
    Advice { stated: of_statements(&wanted), ..conclude(facts, profile, scanned, rules) }
}

/// The same from facts that somebody states ([`facts::declare`]): by the same rules and the same model, and never with
/// high confidence.
#[must_use]
pub fn advise_stated(facts: Facts, rules: &RuleSet) -> Advice {
    conclude(facts, &Profile::default(), &Scanned::default(), rules)
}

fn conclude(facts: Facts, profile: &Profile, scanned: &Scanned, rules: &RuleSet) -> Advice {
    let Ok(costs) = Costs::read(|name| rules.model(name)) else {
        return unpredicted(rules, &facts);
    };
    let (case, decision) = work_out(facts, profile, scanned, rules, &costs);
    tell(&case, &decision)
}

/// Everything that can be worked out, and what was decided.
fn work_out<'a>(
    mut facts: Facts,
    profile: &Profile,
    scanned: &Scanned,
    rules: &'a RuleSet,
    costs: &Costs,
) -> (Case<'a>, Decision) {
    assume(&mut facts, costs);
    facts.set("host.calibrated", Value::Bool(rules.is_calibrated()), Origin::Machine);
    disregard_chance_items(&mut facts, costs);
    if facts.get("region.n").is_some() {
        facts.learn(scanned);
        facts.scale();
    }
    let subject = Subject::of(&facts, profile, costs);
    let caps = decide::caps(rules, &facts);
    goals::server(&mut facts, subject.as_ref(), costs);
    // Requests that arrive at a rate are no pile of items: the time of all of them is the rate's business.
    let piled = subject.as_ref().filter(|_| facts.get("goal.rate").is_none());
    let plans = piled.map(|subject| predict::predict(subject, &caps, costs)).unwrap_or_default();
    let items = profile.items.as_ref().filter(|_| facts.get("region.n").is_some());
    let region = items.and_then(|items| items.region.clone());
    if let Some(holder) = realise::defined_in(region.as_ref()) {
        facts.set("work.defined_in", Value::Text(holder.to_owned()), Origin::Measured);
    }
    let mut case = Case { rules, costs: *costs, facts, subject, plans, region };
    let decision = decide::decide(&mut case);
    (case, decision)
}

fn tell(case: &Case<'_>, decision: &Decision) -> Advice {
    let verdict = decide::verdict(case);
    let (recommendations, rejected) = recommend::recommend(case, decision, &verdict);
    let not_decided = decide::not_decided(case);
    Advice { verdict, recommendations, rejected, not_decided, stated: Vec::new() }
}

/// Defaults of the model that stand in for what was not measured, marked as such.
fn assume(facts: &mut Facts, costs: &Costs) {
    if facts.get("mem.per_thread").is_none() {
        facts.number("mem.per_thread", costs.thread_resident, Origin::Assumed);
    }
    if facts.get("mem.per_process").is_none() {
        facts.number("mem.per_process", costs.process_resident, Origin::Assumed);
    }
    if let (Some(moved), Some(wall)) = (facts.get_number("data.moved"), facts.get_number("run.wall"))
        && wall > 0.0
    {
        facts.number("data.move_share", moved / costs.parent_bandwidth.max(1.0) / wall, Origin::Predicted);
    }
    if let Some(bytes) = facts.get_number("data.item_bytes") {
        facts.number("data.ser_cost", bytes / costs.parent_bandwidth.max(1.0), Origin::Predicted);
    }
}

/// Forgets items that only rare waits inside a computation seem to mark: pages read at start-up, a line printed now
/// and then. Where each item is a process it needs no wait to be told apart.
fn disregard_chance_items(facts: &mut Facts, costs: &Costs) {
    let number = |name: &str| facts.get_number(name);
    let Some(item) = number("region.item_wall") else { return };
    let waits = ["wait.net", "wait.disk", "wait.sleep", "wait.child", "wait.pipe"];
    let wait: f64 = waits.into_iter().filter_map(number).sum();
    // Who states items has them, whatever they wait for.
    if confidence::is_stated(facts) {
        return;
    }
    let processes = facts.get("region.processes").is_some_and(|fact| fact.value == Value::Bool(true));
    if processes || wait >= costs.item_wait_least * item {
        return;
    }
    let of_items = |name: &str| {
        let of_program =
            ["region.independent", "region.dependence", "region.processes", "cpu.gil_share"].contains(&name);
        !of_program && ["region.", "wait.", "cpu."].iter().any(|prefix| name.starts_with(prefix))
    };
    for spec in facts::VOCABULARY.iter().filter(|spec| of_items(spec.name)) {
        facts.unknown(spec.name, facts::NO_ITEMS);
    }
}

/// The advice where the rules lack the coefficients of the model: a verdict, and nothing predicted.
fn unpredicted(rules: &RuleSet, facts: &Facts) -> Advice {
    let outcomes = rules.evaluate(RuleKind::Verdict, facts);
    Advice {
        verdict: decide::first_verdict(rules, facts, &outcomes, Confidence::Low),
        recommendations: vec![recommend::inconclusive("rules/model.yaml")],
        rejected: Vec::new(),
        not_decided: Vec::new(),
        stated: Vec::new(),
    }
}
