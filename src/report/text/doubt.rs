//! The largest doubt about an advice of low confidence, and the one measurement that would settle it.

use crate::advice::Recommendation;
use crate::report::Report;
use crate::units;
use crate::wait::Account;

/// One sentence: what is not known, and what to do about it.
///
/// Each doubt is weighed by what it may hide, between 0 and 1, and the heaviest is told: a report with five doubts
/// is read as one without any.
pub(super) fn largest(best: &Recommendation, report: &Report<'_>) -> String {
    let Report { profile, machine, .. } = *report;
    let share = |account: Account| profile.wall_book.share(account).unwrap_or(0.0);
    let scatter = |seen: u64| 1.0 / (seen.max(1) as f64).sqrt();
    let (queued, dark) = (share(Account::Runnable), share(Account::Unattributed));
    let samples = profile.quality.samples;
    if samples == 0 && profile.wall_book.total().is_zero() {
        return "stated, not measured".to_owned();
    }
    let mut doubts = vec![
        (
            queued,
            format!(
                "other programs held the CPUs {} of the time; profile it on a quiet machine",
                units::percent(queued)
            ),
        ),
        (
            dark,
            format!(
                "{} of the time is not explained; boundby doctor names the source that is missing",
                units::percent(dark)
            ),
        ),
        (
            scatter(samples),
            format!("only {} were taken; profile a longer run", units::count(samples, "sample")),
        ),
    ];
    if machine.capacity.is_none() {
        let said = "how many cores are really to be had was not measured; run it without --no-probe";
        doubts.push((0.1, said.to_owned()));
    }
    if let Some(items) = profile.items.as_ref() {
        let said = format!("only {} were seen; profile a longer run", units::count(items.count, "item"));
        doubts.push((scatter(items.count), said));
    }
    if let (Some(predicted), Some(workers)) = (best.predicted, &best.workers) {
        let width = 1.0 - (predicted.low / predicted.high).clamp(0.0, 1.0);
        let said = format!(
            "the gain may be anything from {} to {}; try {} and compare the times",
            units::factor(predicted.low),
            units::factor(predicted.high),
            units::count(workers.suggested.into(), "worker")
        );
        doubts.push((if width.is_finite() { width } else { 1.0 }, said));
    }
    let heaviest = doubts.into_iter().max_by(|(one, _), (other, _)| one.total_cmp(other));
    heaviest.map(|(_, said)| said).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::advice::{Action, Advice, Confidence, Predicted, Strategy, Workers};
    use crate::machine::Machine;
    use crate::profile::{Profile, Quality};

    fn plan() -> Recommendation {
        let workers =
            Workers { suggested: 8, low: 8, high: 8, formula: String::new(), binding_cap: String::new() };
        Recommendation {
            strategy: Strategy::Threads,
            action: Action::Adopt,
            headline: String::new(),
            workers: Some(workers),
            stages: Vec::new(),
            cluster: None,
            predicted: Some(Predicted { wall_s: 1.0, speedup: 2.0, low: 1.9, high: 2.1 }),
            curve: Vec::new(),
            region: None,
            confidence: Confidence::Low,
            rule: String::new(),
            because: Vec::new(),
            caveats: Vec::new(),
            flip: None,
            construct: None,
            snippet: None,
            memory: None,
        }
    }

    fn told(best: &Recommendation, samples: u64, queued: u64) -> String {
        let mut profile = Profile {
            wall: Duration::from_secs(1),
            quality: Quality { samples, ..Quality::default() },
            ..Profile::default()
        };
        profile.wall_book[Account::Cpu] = 1_000 - queued;
        profile.wall_book[Account::Runnable] = queued;
        let machine = Machine { capacity: Some(2.0), ..Machine::default() };
        let advice = Advice::default();
        largest(best, &Report { profile: &profile, machine: &machine, advice: &advice, source: None })
    }

    #[test]
    fn the_heaviest_doubt_is_told_with_what_settles_it() {
        let wide = Recommendation {
            predicted: Some(Predicted { wall_s: 1.0, speedup: 2.0, low: 0.5, high: 4.0 }),
            ..plan()
        };
        assert_eq!(told(&plan(), 4, 0), "only 4 samples were taken; profile a longer run");
        assert!(told(&plan(), 400, 300).contains("30 % of the time; profile it on a quiet machine"));
        assert!(
            told(&wide, 400, 300).contains("from 0.5× to 4.0×; try 8 workers"),
            "{}",
            told(&wide, 400, 300)
        );
    }
}
