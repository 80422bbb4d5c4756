//! How sure: of the verdict, of a plan.

use super::Case;
use super::model::Costs;
use super::predict::Plan;
use super::types::{Confidence, Strategy};
use super::work::ItemSource;
use crate::facts::{Facts, Origin, Value};

/// The level a number between 0 and 1 amounts to.
pub(super) fn level(value: f64, costs: &Costs) -> Confidence {
    if value >= costs.confidence_high {
        Confidence::High
    } else if value >= costs.confidence_medium {
        Confidence::Medium
    } else {
        Confidence::Low
    }
}

/// Whether the facts were stated instead of measured.
pub(super) fn is_stated(facts: &Facts) -> bool {
    facts.get("run.stated").is_some_and(|fact| fact.value == Value::Bool(true))
}

/// Of what was stated: as sure as people know their programs, less for each part that had to be assumed; never as sure
/// as what was measured.
fn stated(facts: &Facts, costs: &Costs) -> f64 {
    if facts.get("wait.share").is_none() {
        return 0.0;
    }
    let decisive = ["wait.share", "region.n", "wall.cpu"];
    let assumed = |name: &&str| facts.get(name).is_some_and(|fact| fact.origin == Origin::Assumed);
    let guessed = decisive.iter().filter(|name| assumed(name)).count();
    let most = costs.confidence_high.next_down();
    (costs.confidence_stated * costs.confidence_guessed.powf(guessed as f64)).min(most)
}

/// Of the verdict: how much is explained, by how many samples, on how quiet a machine.
pub(super) fn verdict(facts: &Facts, costs: &Costs) -> f64 {
    if is_stated(facts) {
        return stated(facts, costs);
    }
    let number = |name: &str| facts.get_number(name);
    let coverage = number("run.coverage").unwrap_or(0.0);
    let samples = number("run.samples").unwrap_or(0.0).max(1.0);
    let queued = number("wall.runnable").unwrap_or(0.0);
    coverage * (1.0 - 1.0 / samples.sqrt()) * (1.0 - queued)
}

/// Of a plan: the verdict's, the number of items, the width of the interval, and every fact that was assumed.
pub(super) fn plan(case: &Case<'_>, plan: &Plan) -> f64 {
    let costs = &case.costs;
    let Some(subject) = &case.subject else { return 0.0 };
    let items = (subject.work.items as f64).max(1.0);
    let width = if plan.slow > 0.0 { (plan.fast / plan.slow).clamp(0.0, 1.0) } else { 0.0 };
    let measured = case.facts.get("host.p_eff_measured").is_some_and(|fact| fact.value == Value::Bool(true));
    let probe = if measured || is_stated(&case.facts) { 1.0 } else { costs.confidence_no_probe };
    verdict(&case.facts, costs)
        * (1.0 - costs.confidence_items / items.sqrt())
        * width.powf(costs.confidence_band_exponent)
        * costs.confidence_unknown.powf(assumptions(case, plan) as f64)
        * probe
}

/// Facts the plan rests on that nobody measured.
fn assumptions(case: &Case<'_>, plan: &Plan) -> usize {
    let Some(subject) = &case.subject else { return 0 };
    let (work, costs) = (&subject.work, &case.costs);
    let number = |name: &str| case.facts.get_number(name);
    let guessed = case.facts.get("wait.net").is_some_and(|fact| fact.origin == Origin::Assumed);
    let waits_for_who_knows = guessed && work.wait > 0.0;
    let computes = work.cpu() * 5.0 > work.cpu() + work.wait;
    [
        // The items share nothing they change.
        case.facts.get("region.independent").is_none(),
        // They divide as assumed.
        subject.items == ItemSource::Divisible,
        // Which of the CPU time holds the lock.
        subject.host.gil && computes && case.facts.get("cpu.gil_share").is_none(),
        // Whether there is such a lock.
        case.facts.get("runtime.gil").is_none(),
        // What a disk serves at once: twice, it decides the number of workers and the gain.
        work.disk > 0.5 * work.wait,
        work.disk > 0.5 * work.wait,
        // What is waited for at all: it might be a disk.
        waits_for_who_knows,
        waits_for_who_knows,
        // A sleep may be a rate limit.
        number("wait.sleep").unwrap_or(0.0) > 0.5 * work.wait && work.wait > 0.0,
        // What the other side takes at once.
        number("wait.net").unwrap_or(0.0) > 0.0
            && number("limit.downstream").is_none()
            && plan.choice.workers as f64 >= costs.crowd,
        // How many tasks a loop has in flight today.
        subject.now == Strategy::Async && plan.strategy == Strategy::Async,
    ]
    .into_iter()
    .filter(|assumed| *assumed)
    .count()
}
