//! Takes the advice: runs the concurrent variant of a workload with the advised workers and compares its speedup with
//! the predicted one.

use std::time::Duration;

use crate::check::judge;
use crate::run::{Outcome, Predicted, Stage, Stop};
use crate::surroundings::Person;
use crate::table::{Row, Table};
use crate::truth::{Concurrent, Mode, Workload};

/// Interleaved pairs of runs, before and after; the medians are compared.
const PAIRS: usize = 3;
/// Bars for the relative error of the predicted speedup: the share of the runs that may not exceed it, and the error.
const ERROR_BARS: [(f64, f64); 2] = [(0.5, 0.15), (0.9, 0.30)];
/// The share of the runs whose measured speedup lies in the predicted interval.
const COVERAGE: f64 = 0.9;

/// # Panics
/// Where a program cannot be run, where the advice is not the truth's, or where the predictions miss the bars.
pub(crate) fn run_all(workloads: &[Workload]) {
    let stage = Stage::build(Mode::Variants, Person::Current).unwrap_or_else(|error| panic!("{error}"));
    let mut table = Table::new(Mode::Variants, stage.circumstances());
    let mut failures = Vec::new();
    let mut comparisons = Vec::new();
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
                match advice.and_then(|advice| Comparison::of(advice.predicted?, measured)) {
                    Some(comparison) => comparisons.push(comparison),
                    None if concurrent.unpredicted.is_some() => {}
                    None => {
                        failures.push(format!("{}: expected a predicted speedup, got none", workload.name));
                    }
                }
            }
        }
    }
    table.print();
    failures.extend(missed_bars(&comparisons));
    assert!(failures.is_empty(), "{} checks failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// A predicted speedup against the measured one.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    /// Relative to the measured one.
    error: f64,
    /// Whether the interval contains the measured one; no interval contains nothing.
    covered: bool,
}

impl Comparison {
    fn of(predicted: Predicted, measured: f64) -> Option<Self> {
        let error = (predicted.speedup? / measured - 1.0).abs();
        let interval = predicted.low.zip(predicted.high);
        Some(Self { error, covered: interval.is_some_and(|(low, high)| (low..=high).contains(&measured)) })
    }
}

/// The bars that these predictions do not reach.
fn missed_bars(comparisons: &[Comparison]) -> Vec<String> {
    let mut errors: Vec<f64> = comparisons.iter().map(|comparison| comparison.error).collect();
    errors.sort_by(f64::total_cmp);
    let mut missed = Vec::new();
    for (share, bar) in ERROR_BARS {
        // The nearest rank: the smallest error that this share of the runs does not exceed.
        let rank = (errors.len() as f64 * share).ceil() as usize;
        if let Some(error) = errors.get(rank.saturating_sub(1))
            && *error > bar
        {
            let percent = share * 100.0;
            missed.push(format!(
                "speedup error at {percent} % of the runs: expected at most {bar}, got {error:.2}"
            ));
        }
    }
    let covered = comparisons.iter().filter(|comparison| comparison.covered).count();
    if (covered as f64) < COVERAGE * comparisons.len() as f64 {
        let all = comparisons.len();
        missed.push(format!("predicted intervals: expected {COVERAGE} of {all} to hold, got {covered}"));
    }
    missed
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

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(speedup: f64) -> Comparison {
        let predicted =
            Predicted { speedup: Some(speedup), low: Some(speedup * 0.7), high: Some(speedup * 1.3) };
        Comparison::of(predicted, 4.0).unwrap()
    }

    #[test]
    fn one_bad_prediction_in_ten_is_allowed_and_two_are_not() {
        let mut comparisons = vec![comparison(4.2); 9];
        comparisons.push(comparison(8.0));
        assert_eq!(missed_bars(&comparisons), [""; 0]);
        comparisons[0] = comparison(8.0);
        let missed = missed_bars(&comparisons);
        assert!(missed[0].contains("at 90 % of the runs: expected at most 0.3, got 1.00"), "{missed:?}");
        assert!(missed[1].contains("expected 0.9 of 10 to hold, got 8"), "{missed:?}");
    }

    #[test]
    fn the_median_error_counts_both_directions() {
        let missed = missed_bars(&[comparison(3.2), comparison(4.0), comparison(4.8)]);
        assert_eq!(missed.len(), 1, "{missed:?}");
        assert!(missed[0].contains("at 50 %"), "{missed:?}");
    }

    #[test]
    fn a_prediction_without_an_interval_covers_nothing() {
        let bare = Predicted { speedup: Some(4.0), low: None, high: None };
        assert!(!Comparison::of(bare, 4.0).unwrap().covered);
        assert!(Comparison::of(Predicted { speedup: None, ..bare }, 4.0).is_none());
    }
}
