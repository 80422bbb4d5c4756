//! A pipeline as stated, and what widening its slowest stage brings, step by step.

use crate::advice::model::pipeline::{self, Stage};

/// A pipeline and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Items that pass through.
    pub items: u64,
    /// Wall time of everything one after another.
    pub sequential: f64,
    /// As stated, then with one worker more at the stage that sets the pace, and so on.
    pub steps: Vec<Widened>,
    /// Which of the steps to take: the last whose worker is worth it.
    pub knee: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Widened {
    /// The stages with their workers.
    pub stages: Vec<Stage>,
    /// The stage that sets the pace, from 0.
    pub slowest: usize,
    /// Wall time.
    pub time: f64,
}

/// Steps shown.
const STEPS: usize = 8;

/// Reckons a pipeline; every added worker must save the share of time that `least` over the worker's part says.
#[must_use]
pub fn pipeline(stages: &[Stage], items: u64, near_best: f64) -> Pipeline {
    let sequential = items as f64 * stages.iter().map(|stage| stage.time).sum::<f64>();
    let mut now = stages.to_vec();
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let slowest = pipeline::slowest(&now);
        steps.push(Widened { stages: now.clone(), slowest, time: pipeline::time(&now, items) });
        match now.get_mut(slowest) {
            Some(stage) if (stage.workers as u64) < items => stage.workers += 1,
            _ => break,
        }
    }
    // A worker is worth it while it brings what a share of `near_best` would not forgive.
    let worth = |pair: &[Widened]| pair[1].time <= near_best * pair[0].time;
    let knee = steps.windows(2).take_while(|pair| worth(pair)).count();
    Pipeline { items, sequential, steps, knee }
}
