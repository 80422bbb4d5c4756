//! Takes the advice: runs the concurrent variant of a workload with the advised workers and compares its speedup with
//! the predicted one.

use std::collections::BTreeMap;
use std::time::Duration;

use boundby::machine::Others;

use crate::check::{is_disturbed, judge};
use crate::neighbours::cores;
use crate::run::{Outcome, Predicted, Stage, Stop};
use crate::surroundings::Person;
use crate::table::{Row, Table, say};
use crate::truth::{Concurrent, Mode, Workload};

/// Interleaved rounds, one run as it is and one with each number of workers; the medians are compared. Even: see `carry_out`.
const ROUNDS: usize = 6;
/// The share of the advices whose strategy must be the truth's.
const RIGHT: f64 = 0.95;
/// A number of workers that reaches this share of the best speedup is good, and the share that must be.
const NEARLY: f64 = 0.9;
const REACHED: f64 = 0.8;
/// Where other programs take more than this share of the CPUs, more workers find no more of them.
const OTHERS: f64 = 0.15;
/// Bars for the relative error of the predicted speedup: the share of the runs that may not exceed it, and the error.
const ERROR_BARS: [(f64, f64); 2] = [(0.5, 0.15), (0.9, 0.30)];
/// The share of the runs whose measured speedup lies in the predicted interval.
const COVERAGE: f64 = 0.9;

/// What carrying out the advice brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// With the advised number of workers.
    pub(crate) speedup: f64,
    /// The number that was fastest of those tried, and its speedup; `None`: the variant takes no number.
    pub(crate) best: Option<(u32, f64)>,
    /// Share of the CPUs that other programs took meanwhile.
    others: f64,
}

/// # Panics
/// Where a program cannot be run, or where advice or predictions miss the bars.
pub(crate) fn run_all(workloads: &[Workload]) {
    let stage = Stage::build(Mode::Variants, Person::Current).unwrap_or_else(|error| panic!("{error}"));
    let mut table = Table::new(Mode::Variants, stage.circumstances());
    let mut failures = Vec::new();
    let mut comparisons = Vec::new();
    let (mut advised, mut reached) = (Vec::new(), Vec::new());
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
                let row = Row::judged(workload, &outcome, wrong.is_empty()).with_measured(&measured);
                // What other programs took says nothing of the advice, and no speedup beside them is the program's own.
                let disturbed =
                    is_disturbed(workload, Mode::Variants, &outcome.report) || measured.others > OTHERS;
                table.push(if disturbed { row.disturbed() } else { row });
                for complaint in wrong {
                    say(&complaint);
                }
                if disturbed {
                    continue;
                }
                let advice = outcome.report.recommendations.first();
                advised.push(advice.is_some_and(|advice| workload.truth.strategy.contains(&advice.strategy)));
                reached.extend(measured.best.map(|(_, best)| measured.speedup >= NEARLY * best));
                match advice.and_then(|advice| Comparison::of(advice.predicted?, measured.speedup)) {
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
    say(&summary(&advised, &reached, &comparisons));
    failures.extend(missed("strategies that are right", &advised, RIGHT));
    failures.extend(missed("numbers of workers that reach nearly the best", &reached, REACHED));
    failures.extend(missed_bars(&comparisons));
    assert!(!advised.is_empty() || workloads.is_empty(), "other programs disturbed every run");
    assert!(failures.is_empty(), "{} checks failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// A bar that too few reach.
fn missed(what: &str, good: &[bool], bar: f64) -> Option<String> {
    let count = good.iter().filter(|good| **good).count();
    ((count as f64) < bar * good.len() as f64)
        .then(|| format!("{what}: expected {bar} of {}, got {count}", good.len()))
}

/// How it went, in one sentence for whoever keeps the table.
fn summary(advised: &[bool], reached: &[bool], comparisons: &[Comparison]) -> String {
    let of = |good: &[bool]| format!("{} of {}", good.iter().filter(|good| **good).count(), good.len());
    let mut errors: Vec<f64> = comparisons.iter().map(|comparison| comparison.error).collect();
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| 100.0 * ranked(&errors, share).unwrap_or(f64::NAN);
    let covered: Vec<bool> = comparisons.iter().map(|comparison| comparison.covered).collect();
    format!(
        "strategy right: {}; number reaches {:.0} % of the best: {}; error of the predicted speedup: median {:.0} %, \
         90th percentile {:.0} %; intervals that hold: {}",
        of(advised),
        100.0 * NEARLY,
        of(reached),
        at(0.5),
        at(0.9),
        of(&covered)
    )
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

/// The nearest rank: the smallest error that this share of the runs does not exceed.
fn ranked(errors: &[f64], share: f64) -> Option<f64> {
    errors.get(((errors.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied()
}

/// The bars that these predictions do not reach.
fn missed_bars(comparisons: &[Comparison]) -> Vec<String> {
    let mut errors: Vec<f64> = comparisons.iter().map(|comparison| comparison.error).collect();
    errors.sort_by(f64::total_cmp);
    let mut missed = Vec::new();
    for (share, bar) in ERROR_BARS {
        if let Some(error) = ranked(&errors, share).filter(|error| *error > bar) {
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

/// The report on the workload as it is, and what its variant really brings.
fn carry_out(
    stage: &Stage,
    workload: &Workload,
    concurrent: &Concurrent,
) -> Result<(Outcome, Measured), Stop> {
    let ready = stage.prepare(workload)?;
    let outcome = ready.profile()?;
    let advised =
        outcome.report.recommendations.first().and_then(|advice| advice.workers).unwrap_or(1.0) as u32;
    let takes_a_number = concurrent.command.iter().any(|word| word.contains("{workers}"));
    let numbers = if takes_a_number { around(advised) } else { vec![advised] };
    let others = Others::watch();
    let mut before = Vec::new();
    let mut after: BTreeMap<u32, Vec<Duration>> = BTreeMap::new();
    // Round after round, so that a machine that becomes slower does so for all.
    for _ in 0..ROUNDS {
        before.push(ready.time(&workload.truth.command, 1)?);
        for workers in &numbers {
            after.entry(*workers).or_default().push(ready.time(&concurrent.command, *workers)?);
        }
    }
    let before = median(&before).as_secs_f64();
    let speedup = |times: &[Duration]| before / median(times).as_secs_f64();
    let speedups: BTreeMap<u32, f64> =
        after.iter().map(|(workers, times)| (*workers, speedup(times))).collect();
    // The luckiest of several numbers would be taken for the best: which it is, one half of the rounds says, and how fast
    // it is, the other.
    let best = after
        .iter()
        .max_by(|one, other| speedup(&one.1[..ROUNDS / 2]).total_cmp(&speedup(&other.1[..ROUNDS / 2])))
        .map(|(workers, times)| (*workers, speedup(&times[ROUNDS / 2..])));
    let tried: Vec<String> =
        speedups.iter().map(|(workers, speedup)| format!("{workers}: {speedup:.1}")).collect();
    say(&format!("{}, speedup with each number: {}", workload.name, tried.join(", ")));
    let others = others.and_then(|others| others.share(cores() as u32)).unwrap_or(0.0);
    let measured = Measured { speedup: speedups[&advised], best: best.filter(|_| takes_a_number), others };
    Ok((outcome, measured))
}

/// Numbers of workers that show whether another one would have been better: halves and doubles, and those close by.
fn around(advised: u32) -> Vec<u32> {
    let share = |part: u32, of: u32| (advised * part).div_ceil(of).max(1);
    let mut numbers = vec![share(1, 2), share(3, 4), advised, share(3, 2), share(2, 1), share(4, 1)];
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2
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
    fn numbers_lie_on_both_sides_of_the_advised_one() {
        assert_eq!(around(1), [1, 2, 4]);
        assert_eq!(around(2), [1, 2, 3, 4, 8]);
        assert_eq!(around(16), [8, 12, 16, 24, 32, 64]);
        assert_eq!(
            missed("", &[true, true, true, false], 0.8).as_deref(),
            Some(": expected 0.8 of 4, got 3")
        );
        assert_eq!(missed("", &[true; 4], 0.8), None);
    }

    #[test]
    fn a_prediction_without_an_interval_covers_nothing() {
        let bare = Predicted { speedup: Some(4.0), low: None, high: None };
        assert!(!Comparison::of(bare, 4.0).unwrap().covered);
        assert!(Comparison::of(Predicted { speedup: None, ..bare }, 4.0).is_none());
    }
}
