//! Measures each workload at every level and compares what the levels say of it. They take turns, forth and back, so that a
//! machine that becomes slower does so for all, and each has two runs: what differs between these is no level's doing.

use std::collections::BTreeSet;

use crate::check::is_disturbed;
use crate::run::{Ready, Report, Stage, Stop};
use crate::surroundings::Person;
use crate::table::{print, say};
use crate::truth::{Mode, Workload};
use crate::{STOLEN, stolen};

/// The levels, as they are asked for.
const LEVELS: [&str; 3] = ["p", "s", "k"];
/// Workloads of different kinds for the default run: a fight for the interpreter lock, a pool of threads with sockets, a
/// program that sleeps, and one that computes.
const BRIEFLY: [&str; 4] = ["python-gil-fight", "python-pool-too-small", "python-sleep-poll", "rust-cpu"];
/// Accounts of threads that wait for nothing but a CPU, or do not wait.
const WANT_A_CPU: [&str; 3] = ["cpu", "runnable", "throttled"];

/// Whether the workload is one of the few of the default run.
pub(crate) fn is_in_ci(workload: &Workload) -> bool {
    BRIEFLY.contains(&workload.name.as_str())
}

/// # Panics
/// Where a program cannot be run, or where levels disagree on a verdict.
pub(crate) fn run_all(workloads: &[Workload]) {
    let stage = Stage::build(Mode::Levels, Person::Current).unwrap_or_else(|error| panic!("{error}"));
    let (open, refused) = ask(&stage);
    for (level, why) in refused {
        say(&format!("live, levels: {level} cannot be had here: {why}"));
    }
    if open.len() < 2 {
        return say("live, levels: skipped, because there is nothing to compare");
    }
    let (mut rows, mut comparisons, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for workload in workloads {
        let outcome = stage.prepare(workload).and_then(|ready| Comparison::run(&ready, workload, &open));
        let row = match outcome {
            Err(stop) if stop.is_skip() => row_of(workload, &format!("skipped: {stop}")),
            Err(stop) => {
                failures.push(format!("{}: {stop}", workload.name));
                row_of(workload, "BROKEN")
            }
            Ok(comparison) => {
                failures.extend(comparison.disagreement(&workload.truth.verdict).filter(|_| {
                    // What other programs did to some of the runs says nothing of the levels.
                    !comparison.disturbed && workload.truth.known_gap.is_none()
                }));
                let row = comparison.row(&workload.truth.verdict);
                comparisons.push((workload, comparison));
                row
            }
        };
        rows.push(row);
    }
    let rows: Vec<&[String]> = rows.iter().map(<[String; COLUMNS]>::as_slice).collect();
    let circumstances = format!("{}; levels {}, two runs of each", stage.circumstances(), open.join(" · "));
    print(Mode::Levels, &circumstances, &HEADINGS, &rows);
    say(&summary(&open, &comparisons));
    assert!(!comparisons.is_empty() || workloads.is_empty(), "not one workload could be run here");
    assert!(failures.is_empty(), "{} checks failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// The levels that can be had here, and why the others cannot.
fn ask(stage: &Stage) -> (Vec<&'static str>, Vec<(&'static str, String)>) {
    let (mut open, mut refused) = (Vec::new(), Vec::new());
    for level in LEVELS {
        match stage.refusal(level).unwrap_or_else(|error| panic!("{error}")) {
            None => open.push(level),
            Some(why) => refused.push((level, why)),
        }
    }
    (open, refused)
}

const COLUMNS: usize = 9;
const HEADINGS: [&str; COLUMNS] = [
    "workload",
    "verdict",
    "strategy",
    "cpu, s",
    "kernel's, s",
    "waited, s",
    "apart, points",
    "again, points",
    "result",
];

/// The row of a workload that gave no reports.
fn row_of(workload: &Workload, result: &str) -> [String; COLUMNS] {
    let mut cells: [String; COLUMNS] = Default::default();
    cells[0].clone_from(&workload.name);
    result.clone_into(&mut cells[COLUMNS - 1]);
    cells
}

/// What one level says of a workload, run by run.
struct Said {
    level: &'static str,
    reports: Vec<Report>,
}

impl Said {
    /// What its runs say, each thing once.
    fn all<'r>(&'r self, of: impl Fn(&'r Report) -> &'r str) -> BTreeSet<&'r str> {
        self.reports.iter().map(of).collect()
    }

    /// What binds the program, if all runs say the same.
    fn decided(&self) -> Option<&str> {
        let all = self.all(verdict);
        all.first().copied().filter(|_| all.len() == 1)
    }

    fn mean(&self, of: impl Fn(&Report) -> f64) -> f64 {
        self.reports.iter().map(of).sum::<f64>() / self.reports.len() as f64
    }

    /// Share of an account of the wall book; `None`: it was not measured each time.
    fn shares(&self, account: &str) -> Option<Vec<f64>> {
        let share = |report: &Report| Some((*report.profile.wall.get(account)?)? / report.profile.wall_s);
        self.reports.iter().map(share).collect()
    }
}

fn verdict(report: &Report) -> &str {
    &report.verdict.bound_by
}

fn strategy(report: &Report) -> &str {
    report.recommendations.first().map_or("none", |advice| &advice.strategy)
}

fn cpu(report: &Report) -> f64 {
    report.profile.threads_total.get("cpu").copied().flatten().unwrap_or(f64::NAN)
}

fn cpu_of_kernel(report: &Report) -> f64 {
    report.profile.cpu_user_s + report.profile.cpu_system_s
}

fn waited(report: &Report) -> f64 {
    let accounts = report.profile.threads_total.iter();
    let waits = accounts.filter(|(account, _)| !WANT_A_CPU.contains(&account.as_str()));
    waits.filter_map(|(_, seconds)| *seconds).sum()
}

/// A workload at every level.
struct Comparison {
    name: String,
    levels: Vec<Said>,
    /// Other programs held the CPUs in one of the runs.
    disturbed: bool,
}

impl Comparison {
    fn run(ready: &Ready<'_>, workload: &Workload, open: &[&'static str]) -> Result<Self, Stop> {
        let mut levels: Vec<Said> = open.iter().map(|level| Said { level, reports: Vec::new() }).collect();
        let mut disturbed = false;
        let forth_and_back = (0..open.len()).chain((0..open.len()).rev());
        for at in forth_and_back {
            let Said { level, reports } = &mut levels[at];
            let stolen_before = stolen();
            let kept_as = format!("{}-{level}-{}", workload.name, reports.len() + 1);
            let report = ready.profile_at(Some(level), &kept_as)?.report;
            disturbed |= is_disturbed(workload, Mode::Levels, &report)
                || stolen() - stolen_before > STOLEN * report.profile.wall_s;
            reports.push(report);
        }
        Ok(Self { name: workload.name.clone(), levels, disturbed })
    }

    /// The verdict of all runs at all levels; `None`: they differ.
    fn verdict(&self) -> Option<&str> {
        let first = self.levels.first()?.decided()?;
        self.levels.iter().all(|said| said.decided() == Some(first)).then_some(first)
    }

    /// What levels say against one another, each of them twice, though the truth does not allow both.
    fn disagreement(&self, allowed: &[String]) -> Option<String> {
        let decided: BTreeSet<&str> = self.levels.iter().filter_map(Said::decided).collect();
        let fits = |verdict: &&str| allowed.iter().any(|allowed| allowed == verdict);
        (decided.len() > 1 && !decided.iter().all(fits)).then(|| {
            let each: Vec<String> = self
                .levels
                .iter()
                .map(|said| format!("{} at level {}", said.decided().unwrap_or("undecided"), said.level))
                .collect();
            format!("{}: expected one of {allowed:?} at every level, got {}", self.name, each.join(", "))
        })
    }

    /// The account whose share of the wall time differs most between levels, and by how much, percentage points; the means
    /// of their runs count.
    fn apart(&self) -> Option<(&str, f64)> {
        self.widest(|account| {
            let mean = |said: &Said| {
                let shares = said.shares(account)?;
                Some(shares.iter().sum::<f64>() / shares.len() as f64)
            };
            range(self.levels.iter().filter_map(mean))
        })
    }

    /// The same between runs at one level.
    fn again(&self) -> Option<(&str, f64)> {
        self.widest(|account| {
            let between = |said: &Said| range(said.shares(account)?.into_iter());
            self.levels.iter().filter_map(between).max_by(f64::total_cmp)
        })
    }

    fn widest(&self, of: impl Fn(&str) -> Option<f64>) -> Option<(&str, f64)> {
        let accounts = self.levels.first()?.reports.first()?.profile.wall.keys();
        let ranges = accounts.filter_map(|account| Some((account.as_str(), of(account)? * 100.0)));
        ranges.max_by(|one, other| one.1.total_cmp(&other.1))
    }

    fn row(&self, allowed: &[String]) -> [String; COLUMNS] {
        let told = |of: fn(&Report) -> &str| {
            let each = self.levels.iter().map(|said| said.all(of).into_iter().collect::<Vec<_>>().join("/"));
            let mut each: Vec<String> = each.collect();
            if each.iter().all(|one| *one == each[0]) {
                each.truncate(1);
            }
            each.join(" · ")
        };
        let time = |of: fn(&Report) -> f64| {
            let each: Vec<String> = self.levels.iter().map(|said| format!("{:.2}", said.mean(of))).collect();
            each.join(" · ")
        };
        let points = |widest: Option<(&str, f64)>| {
            widest.map_or(String::new(), |(account, points)| format!("{points:.1} ({account})"))
        };
        let mut result = match (self.disagreement(allowed), self.verdict()) {
            (Some(_), _) => "DISAGREE".to_owned(),
            (None, Some(verdict)) if allowed.iter().any(|allowed| allowed == verdict) => "same".to_owned(),
            (None, Some(_)) => "same, NOT TAUGHT".to_owned(),
            (None, None) => "not the same".to_owned(),
        };
        if self.disturbed {
            result.push_str(", disturbed");
        }
        [
            self.name.clone(),
            told(verdict),
            told(strategy),
            time(cpu),
            time(cpu_of_kernel),
            time(waited),
            points(self.apart()),
            points(self.again()),
            result,
        ]
    }
}

/// From the smallest to the largest; `None`: there are none.
fn range(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let largest = values.clone().max_by(f64::total_cmp)?;
    Some(largest - values.min_by(f64::total_cmp)?)
}

/// How many levels agree, with one another and with what is taught, in one sentence for whoever keeps the table.
fn summary(open: &[&str], comparisons: &[(&Workload, Comparison)]) -> String {
    let all = comparisons.len();
    let allows = |workload: &Workload, said: Option<&str>| {
        said.is_some_and(|said| workload.truth.verdict.iter().any(|allowed| allowed == said))
    };
    let same = comparisons.iter().filter(|(_, comparison)| comparison.verdict().is_some()).count();
    let taught = comparisons.iter().filter(|(workload, comparison)| allows(workload, comparison.verdict()));
    let each: Vec<String> = open
        .iter()
        .enumerate()
        .map(|(at, level)| {
            let right = comparisons
                .iter()
                .filter(|(workload, comparison)| allows(workload, comparison.levels[at].decided()));
            format!("{level} {} of {all}", right.count())
        })
        .collect();
    format!(
        "one verdict at all levels: {same} of {all}; one that is taught: {} of {all}; taught verdicts by level: {}",
        taught.count(),
        each.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(bound_by: &str, network: f64) -> Report {
        let report = json!({
            "schema": "boundby/report/1",
            "exit": {"code": 0},
            "profile": {
                "wall_s": 2.0, "cpu_user_s": 0.3, "cpu_system_s": 0.1, "threads": 1, "level": "p",
                "wall": {"cpu": 0.3, "network": network, "paging": null},
                "threads_total": {"cpu": 0.4, "network": network, "runnable": 0.1, "unattributed": 0.2},
            },
            "verdict": {"bound_by": bound_by, "confidence": "high"},
            "recommendations": [],
        });
        serde_json::from_value(report).unwrap()
    }

    fn comparison(verdicts: [[&str; 2]; 2]) -> Comparison {
        let said = |level, verdicts: [&str; 2], network: f64| Said {
            level,
            reports: vec![report(verdicts[0], network), report(verdicts[1], network + 0.1)],
        };
        let levels = vec![said("p", verdicts[0], 1.0), said("s", verdicts[1], 1.5)];
        Comparison { name: "sample".to_owned(), levels, disturbed: false }
    }

    fn result(verdicts: [[&str; 2]; 2], allowed: &[&str]) -> String {
        let allowed: Vec<String> = allowed.iter().map(|verdict| (*verdict).to_owned()).collect();
        comparison(verdicts).row(&allowed)[COLUMNS - 1].clone()
    }

    #[test]
    fn levels_disagree_where_each_is_sure_and_the_truth_does_not_allow_both() {
        assert_eq!(result([["cpu"; 2], ["cpu"; 2]], &["cpu"]), "same");
        assert_eq!(result([["cpu"; 2], ["cpu"; 2]], &["gil"]), "same, NOT TAUGHT");
        assert_eq!(result([["cpu"; 2], ["gil"; 2]], &["gil"]), "DISAGREE");
        assert_eq!(result([["cpu"; 2], ["gil"; 2]], &["gil", "cpu"]), "not the same");
        // A level that says now this, now that, has not decided.
        assert_eq!(result([["cpu", "gil"], ["gil"; 2]], &["gil"]), "not the same");
        let wrong = comparison([["cpu"; 2], ["gil"; 2]]).disagreement(&["gil".to_owned()]).unwrap();
        assert!(wrong.contains("cpu at level p, gil at level s"), "{wrong}");
    }

    #[test]
    fn a_row_tells_levels_apart_only_where_they_differ() {
        let row = comparison([["cpu", "gil"], ["gil"; 2]]).row(&["gil".to_owned()]);
        assert_eq!(
            row[1..8],
            [
                "cpu/gil · gil",
                "none",
                "0.40 · 0.40",
                "0.40 · 0.40",
                "1.25 · 1.75",
                // Half a second of two; between two runs, a tenth.
                "25.0 (network)",
                "5.0 (network)",
            ]
        );
    }
}
