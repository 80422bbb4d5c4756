//! Takes the advice: runs the concurrent variant of a workload with the advised workers and compares its speedup with
//! the predicted one.

use std::time::Duration;

use crate::check::judge;
use crate::run::{Outcome, Stage, Stop};
use crate::surroundings::Person;
use crate::table::{Row, Table};
use crate::truth::{Concurrent, Mode, Workload};

/// Interleaved pairs of runs, before and after; the medians are compared.
const PAIRS: usize = 3;
/// Bars for the relative error of the predicted speedup.
const MEDIAN_ERROR: f64 = 0.15;
const P90_ERROR: f64 = 0.30;

/// # Panics
/// Where a program cannot be run, where the advice is not the truth's, or where the predictions miss the bars.
pub(crate) fn run_all(workloads: &[Workload]) {
    let stage = Stage::build(Mode::Variants, Person::Current).unwrap_or_else(|error| panic!("{error}"));
    let mut table = Table::new(Mode::Variants, stage.circumstances());
    let mut failures = Vec::new();
    let mut errors = Vec::new();
    for workload in workloads {
        let Some(concurrent) = &workload.truth.concurrent else { continue };
        match carry_out(&stage, workload, concurrent) {
            Err(stop) if stop.is_skip() => table.push(Row::skipped(workload, &stop.to_string())),
            Err(stop) => {
                failures.push(format!("{}: {stop}", workload.name));
                table.push(Row::broken(workload));
            }
            Ok((outcome, measured)) => {
                let wrong = judge(workload, Mode::Variants, &outcome);
                table.push(Row::judged(workload, &outcome, wrong.is_empty()).with_measured(measured));
                failures.extend(wrong);
                let advice = outcome.report.recommendations.first();
                match advice.and_then(|advice| advice.predicted?.speedup) {
                    Some(predicted) => errors.push((predicted / measured - 1.0).abs()),
                    None => {
                        failures.push(format!("{}: expected a predicted speedup, got none", workload.name));
                    }
                }
            }
        }
    }
    table.print();
    errors.sort_by(f64::total_cmp);
    for (name, rank, bar) in [("median", 0.5, MEDIAN_ERROR), ("90th percentile", 0.9, P90_ERROR)] {
        // The nearest rank: the smallest error that this share of the runs does not exceed.
        let index = ((errors.len() as f64 * rank).ceil() as usize).saturating_sub(1);
        if let Some(error) = errors.get(index)
            && *error > bar
        {
            failures.push(format!(
                "{name} error of the predicted speedup: expected at most {bar}, got {error:.2}"
            ));
        }
    }
    assert!(failures.is_empty(), "{} checks failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// The report on the workload as it is, and the speedup its variant really has.
fn carry_out(stage: &Stage, workload: &Workload, concurrent: &Concurrent) -> Result<(Outcome, f64), Stop> {
    let ready = stage.prepare(workload)?;
    let outcome = ready.profile()?;
    let workers = outcome.report.recommendations.first().and_then(|advice| advice.workers).unwrap_or(1.0);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        before.push(ready.time(&workload.truth.command, 1)?);
        after.push(ready.time(&concurrent.command, workers as u32)?);
    }
    Ok((outcome, median(before).as_secs_f64() / median(after).as_secs_f64()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
