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
