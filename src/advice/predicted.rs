//! Predictions as facts, so that rules can judge them.

use super::predict::{Plan, Plans};
use super::types::Strategy;
use crate::facts::{Facts, Origin, Value};

fn state(facts: &mut Facts, name: &str, value: f64) {
    facts.number(name, value, Origin::Predicted);
}

/// States every pool; the hybrid only once `best_single` is known.
pub(super) fn pools(facts: &mut Facts, plans: &Plans) {
    if plans.plans.is_empty() {
        return;
    }
    state(facts, "pred.now.time", plans.now);
    for plan in &plans.plans {
        let gain = plans.gain(plan);
        let workers = plan.choice.workers as f64;
        match plan.strategy {
            Strategy::Threads => {
                state(facts, "pred.threads.time", plan.time);
                state(facts, "pred.threads.gain", gain);
                state(facts, "pred.threads.workers", workers);
                state(facts, "pred.threads.uncapped", plan.choice.uncapped as f64);
                if let Some((low, high)) = plan.guide {
                    state(facts, "pred.threads.guide_low", low);
                    state(facts, "pred.threads.guide_high", high);
                }
            }
            Strategy::Processes => {
                state(facts, "pred.processes.time", plan.time);
                state(facts, "pred.processes.gain", gain);
                state(facts, "pred.processes.workers", workers);
                state(facts, "pred.processes.batch", plan.batch as f64);
                if let Some((_, share)) = plan.guide {
                    state(facts, "pred.processes.guide", share);
                }
            }
            Strategy::Async => {
                state(facts, "pred.async.time", plan.time);
                state(facts, "pred.async.gain", gain);
                state(facts, "pred.async.workers", workers);
            }
            Strategy::Sequential | Strategy::Hybrid | Strategy::Distributed => {}
        }
    }
}

/// States the best pool that is not ruled out, and the hybrid to compare it with.
pub(super) fn hybrid(facts: &mut Facts, plans: &Plans, best_single: Option<&Plan>) {
    if let Some(best) = best_single {
        state(facts, "pred.best_single.time", best.time);
    }
    if let Some(plan) = plans.get(Strategy::Hybrid) {
        state(facts, "pred.hybrid.time", plan.time);
        state(facts, "pred.hybrid.gain", plans.gain(plan));
        if let Some(barrier) = plan.barrier {
            state(facts, "pred.hybrid_barrier.time", barrier);
        }
    }
}

/// States the candidate that won.
pub(super) fn best(facts: &mut Facts, plans: &Plans, best: &Plan) {
    let word = Value::Text(best.strategy.name().to_owned());
    facts.set("pred.best.strategy", word, Origin::Predicted);
    state(facts, "pred.best.workers", best.choice.workers as f64);
    state(facts, "pred.best.time", best.time);
    state(facts, "pred.best.gain", plans.gain(best));
    state(facts, "pred.best.saved", plans.now - best.time);
    state(facts, "pred.best.startup", best.start);
}
