//! Compares a report with the truth. Every complaint says what was expected, what came, why, and where the report is.

use crate::run::{Outcome, Report};
use crate::truth::{Level, Mode, Workload};

/// Seconds from the fork to the first thread's own clock.
const START: f64 = 0.002;
/// Both books must balance to this share.
const BOOK_TOLERANCE: f64 = 0.005;
/// On-CPU time of the thread book against the kernel's own total (rusage).
const CPU_TOLERANCE: f64 = 0.01;
/// Where every switch is known, what switching itself takes is no time on a CPU: up to this share of the total.
const SWITCHING: f64 = 0.15;
/// Below this difference the two clocks of the kernel (scheduler and tick-scaled rusage) may disagree by themselves.
const CPU_TOLERANCE_S: f64 = 0.005;

/// How far a book is from balancing, as a share of the wall time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Books {
    /// The wall book against the wall time.
    pub(crate) wall_error: f64,
    /// On-CPU time of the thread book against rusage, seconds.
    pub(crate) cpu_error_s: f64,
}

impl Books {
    pub(crate) fn of(report: &Report) -> Self {
        let profile = &report.profile;
        let wall: f64 = profile.wall.values().flatten().sum();
        let on_cpu = profile.threads_total.get("cpu").copied().flatten().unwrap_or(f64::NAN);
        Self { wall_error: (wall - profile.wall_s) / profile.wall_s, cpu_error_s: on_cpu - cpu_total(report) }
    }
}

fn cpu_total(report: &Report) -> f64 {
    report.profile.cpu_user_s + report.profile.cpu_system_s
}

/// Everything in the report that contradicts the truth.
pub(crate) fn judge(workload: &Workload, mode: Mode, outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    passed_through(workload, outcome, &mut wrong);
    books(&outcome.report, &mut wrong);
    conclusions(workload, mode, &outcome.report, &mut wrong);
    shares(workload, mode, &outcome.report, &mut wrong);
    let context = format!(
        "  why the truth holds: {}\n  report: {}",
        workload.truth.why.trim().replace('\n', " "),
        outcome.path.display()
    );
    wrong
        .into_iter()
        .map(|complaint| format!("{} ({}): {complaint}\n{context}", workload.name, mode.name()))
        .collect()
}

/// How complaints about a wrong answer that was given with confidence begin.
pub(crate) const CONFIDENTLY: &str = "CONFIDENTLY WRONG: ";

/// Share of the wall time a program that is alone on its machine hardly ever queues for a CPU, unless it is meant to.
const QUEUED: f64 = 0.1;

/// Whether programs that nobody asked for held the CPUs: a quiet machine was not to be had.
pub(crate) fn is_disturbed(workload: &Workload, mode: Mode, report: &Report) -> bool {
    let quiet = mode.name() != "busy" && workload.truth.neighbours_per_core.is_none();
    let queued = report.profile.wall.get("runnable").copied().flatten().unwrap_or(0.0);
    quiet && queued > QUEUED * report.profile.wall_s
}

fn passed_through(workload: &Workload, outcome: &Outcome, wrong: &mut Vec<String>) {
    let truth = &workload.truth;
    if outcome.code != Some(truth.exit) {
        wrong.push(format!("expected exit status {}, got {:?}", truth.exit, outcome.code));
    }
    if outcome.report.exit.code != Some(truth.exit) {
        let reported = outcome.report.exit.code;
        wrong.push(format!("expected exit.code {} in the report, got {reported:?}", truth.exit));
    }
    if outcome.stdout != truth.prints {
        wrong.push(format!("expected the program's output {:?}, got {:?}", truth.prints, outcome.stdout));
    }
}

fn books(report: &Report, wrong: &mut Vec<String>) {
    let profile = &report.profile;
    if report.schema != "boundby/report/1" {
        wrong.push(format!("expected schema boundby/report/1, got {}", report.schema));
    }
    for (book, accounts) in [("wall", &profile.wall), ("threads_total", &profile.threads_total)] {
        for (account, seconds) in accounts {
            if seconds.is_some_and(|seconds| seconds < 0.0) {
                wrong.push(format!("{book}.{account} is negative: {seconds:?}"));
            }
        }
    }
    let Books { wall_error, cpu_error_s } = Books::of(report);
    if !within(wall_error, BOOK_TOLERANCE) {
        wrong.push(format!(
            "expected the wall book to sum to wall_s, it is off by {:.2} %",
            wall_error * 100.0
        ));
    }
    // The first thread lives as long as the program but for its start, and no thread lives longer.
    let lifetimes: f64 = profile.threads_total.values().flatten().sum();
    let (low, high) = (
        profile.wall_s * (1.0 - BOOK_TOLERANCE) - START,
        profile.wall_s * profile.threads * (1.0 + BOOK_TOLERANCE),
    );
    if !(low..=high).contains(&lifetimes) {
        let threads = profile.threads;
        wrong.push(format!(
            "expected threads_total of {threads} threads between {low:.3} and {high:.3} s, got {lifetimes:.3} s"
        ));
    }
    let allowed = (cpu_total(report) * CPU_TOLERANCE).max(CPU_TOLERANCE_S);
    let overhead = if profile.level == "s" { cpu_total(report) * SWITCHING } else { 0.0 };
    if !within(cpu_error_s, allowed) && !within(cpu_error_s + overhead / 2.0, allowed + overhead / 2.0) {
        let total = cpu_total(report);
        wrong.push(format!(
            "expected threads_total.cpu of {total:.3} s (rusage), it is off by {cpu_error_s:.4} s"
        ));
    }
}

/// A value that is not a number is outside everything.
fn within(error: f64, tolerance: f64) -> bool {
    error.abs() <= tolerance
}

fn conclusions(workload: &Workload, mode: Mode, report: &Report, wrong: &mut Vec<String>) {
    let expected = workload.truth.expectation(mode);
    let (bound_by, confidence) = (&report.verdict.bound_by, report.verdict.confidence);
    if !expected.verdict.contains(bound_by) {
        let how = if confidence == Level::High { CONFIDENTLY } else { "" };
        let name = confidence.name();
        wrong.push(format!("{how}expected bound_by {:?}, got {bound_by} ({name})", expected.verdict));
    }
    if let Some(most) = expected.max_confidence
        && confidence > most
        && expected.verdict.first() != Some(bound_by)
    {
        wrong.push(format!(
            "expected at most {} confidence in {bound_by}, got {}",
            most.name(),
            confidence.name()
        ));
    }
    if let Some(least) = expected.min_confidence
        && confidence < least
    {
        wrong.push(format!("expected at least {} confidence, got {}", least.name(), confidence.name()));
    }
    let Some(advice) = report.recommendations.first() else {
        wrong.push("expected a recommendation, got none".to_owned());
        return;
    };
    if !expected.strategy.contains(&advice.strategy) {
        wrong.push(format!("expected strategy {:?}, got {}", expected.strategy, advice.strategy));
    }
    if !expected.action.contains(&advice.action) {
        wrong.push(format!("expected action {:?}, got {}", expected.action, advice.action));
    }
    if let Some([low, high]) = workload.truth.workers
        && !advice.workers.is_some_and(|workers| (low..=high).contains(&workers))
    {
        wrong.push(format!("expected {low} to {high} workers, got {:?}", advice.workers));
    }
}

fn shares(workload: &Workload, mode: Mode, report: &Report, wrong: &mut Vec<String>) {
    let Some(bands) = workload.truth.expectation(mode).shares else { return };
    let profile = &report.profile;
    let seconds = |account: &str| profile.wall.get(account).copied().flatten();
    // Neighbours that nobody asked for (other jobs of a build machine) show up as run-queue time, and the bands hold
    // for the rest.
    let stolen = if bands.contains_key("runnable") { 0.0 } else { seconds("runnable").unwrap_or(0.0) };
    for (account, [low, high]) in bands {
        let expected = format!("expected {account} between {low} and {high} of the wall time");
        // All of the time may come out as a hair more than all of it.
        let share = |seconds: f64| (seconds / (profile.wall_s - stolen) * 1e9).round() / 1e9;
        match seconds(account).map(share) {
            None => wrong.push(format!("{expected}, it was not measured")),
            Some(share) if (*low..=*high).contains(&share) => {}
            Some(share) => wrong.push(format!("{expected}, got {share:.3}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn workload() -> Workload {
        let truth = serde_yaml::from_str(
            "{description: d, command: [c], prints: \"done\\n\", verdict: [network], strategy: [threads],
              action: [adopt], shares: {network: [0.8, 1.0]}, workers: [2, 6], why: w,
              busy: {verdict: [network, contended], max_confidence: medium}}",
        );
        Workload { name: "sample".to_owned(), directory: "sample".into(), truth: truth.unwrap() }
    }

    fn report() -> Value {
        json!({
            "schema": "boundby/report/1",
            "exit": {"code": 0},
            "profile": {
                "level": "p", "wall_s": 2.0, "cpu_user_s": 0.15, "cpu_system_s": 0.05, "threads": 1,
                "wall": {"cpu": 0.2, "network": 1.7, "paging": null, "unattributed": 0.1},
                "threads_total": {"cpu": 0.2, "network": 1.8},
            },
            "verdict": {"bound_by": "network", "confidence": "high"},
            "recommendations": [{"strategy": "threads", "action": "adopt", "workers": 4}],
        })
    }

    fn complaints(report: Value, mode: Mode) -> Vec<String> {
        let outcome = Outcome {
            report: serde_json::from_value(report).unwrap(),
            path: "report.json".into(),
            code: Some(0),
            stdout: "done\n".to_owned(),
        };
        judge(&workload(), mode, &outcome)
    }

    fn changed(pointer: &str, value: Value) -> Value {
        let mut report = report();
        *report.pointer_mut(pointer).unwrap() = value;
        report
    }

    #[test]
    fn a_true_report_passes() {
        assert_eq!(complaints(report(), Mode::Quiet), [""; 0]);
    }

    #[test]
    fn each_untruth_is_one_complaint_with_its_report() {
        for (pointer, value, expected) in [
            ("/verdict/bound_by", json!("cpu"), "CONFIDENTLY WRONG: expected bound_by"),
            ("/recommendations/0/strategy", json!("async"), "expected strategy"),
            ("/recommendations/0/action", json!("keep"), "expected action"),
            ("/recommendations/0/workers", json!(7), "expected 2 to 6 workers"),
            ("/recommendations", json!([]), "expected a recommendation"),
            ("/exit/code", json!(1), "expected exit.code 0"),
            ("/schema", json!("boundby/report/2"), "expected schema"),
            ("/profile/wall/unattributed", json!(0.12), "expected the wall book to sum"),
            ("/profile/threads_total/cpu", json!(0.21), "expected threads_total.cpu"),
            ("/profile/threads_total/network", json!(0.9), "expected threads_total of 1 threads"),
            ("/profile/threads_total/cpu", json!(null), "expected threads_total"),
        ] {
            let wrong = complaints(changed(pointer, value), Mode::Quiet);
            assert!(wrong.iter().any(|complaint| complaint.contains(expected)), "{pointer}: {wrong:?}");
            assert!(wrong.iter().all(|complaint| complaint.contains("report.json")), "{wrong:?}");
        }
    }

    #[test]
    fn run_queue_time_is_taken_out_of_the_shares() {
        let mut report = changed("/profile/wall/network", json!(1.3));
        assert!(
            complaints(report.clone(), Mode::Quiet).iter().any(|wrong| wrong.contains("expected network"))
        );
        report["profile"]["wall"]["runnable"] = json!(0.4);
        assert_eq!(complaints(report, Mode::Quiet), [""; 0]);
    }

    #[test]
    fn beside_neighbours_another_name_passes_only_unsure() {
        let mut report = changed("/verdict/bound_by", json!("contended"));
        assert_eq!(complaints(report.clone(), Mode::Busy).len(), 1);
        report["verdict"]["confidence"] = json!("medium");
        assert_eq!(complaints(report.clone(), Mode::Busy), [""; 0]);
        assert_eq!(complaints(report, Mode::Quiet).len(), 1);
    }
}
