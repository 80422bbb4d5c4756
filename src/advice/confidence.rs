//! How sure: of the verdict, of a plan.

use super::Case;
use super::model::Costs;
use super::predict::Plan;
use super::types::{Confidence, Strategy};
use super::work::ItemSource;
use crate::facts::{Facts, Value};

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

/// Of the verdict: how much is explained, by how many samples, on how quiet a machine.
pub(super) fn verdict(facts: &Facts) -> f64 {
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
    let probe = if measured { 1.0 } else { costs.confidence_no_probe };
    verdict(&case.facts)
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
