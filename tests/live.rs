//! Runs the programs that teach (`fixtures/workloads`) under `boundby profile` and compares the report with the truth
//! that was built into them.
//!
//! `BOUNDBY_LIVE` selects modes, separated by commas: `quiet` (as whoever runs the tests), `user` (as a plain user,
//! where we are root), `busy` (one spinning neighbour per core), `variants` (the advice is carried out for real and
//! its speedup measured) and `levels` (each level of measuring, beside one another). Without it: `quiet`, `user`, of `busy`
//! the workloads marked for it, and of `levels` a few. `BOUNDBY_LIVE_ONLY` selects workloads by parts of their names,
//! `BOUNDBY_LEVEL` (`p`, `s`, `k`) how they are measured where the mode does not say. Every mode prints a table and leaves
//! the reports under the target directory. Nothing is retried, and what could not be run is said in the table.

#[path = "live/check.rs"]
mod check;
#[path = "live/levels.rs"]
mod levels;
#[path = "exact/neighbours.rs"]
mod neighbours;
#[path = "live/run.rs"]
mod run;
#[path = "live/scratch.rs"]
mod scratch;
#[path = "live/surroundings.rs"]
mod surroundings;
#[path = "live/table.rs"]
mod table;
#[path = "live/truth.rs"]
mod truth;
#[path = "live/variants.rs"]
mod variants;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::check::judge;
use crate::neighbours::{Neighbours, cores};
use crate::run::Stage;
use crate::surroundings::Person;
use crate::table::{Row, Table};
use crate::truth::{Mode, Workload, load_all};

/// Live programs measure time, so only one of them may run at any time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // A failed mode says nothing about the next one.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a mode was asked for by name; `None`: nothing was asked for, the defaults apply.
fn asked_for(mode: Mode) -> Option<bool> {
    let modes = env::var("BOUNDBY_LIVE").ok()?;
    Some(modes.split(',').any(|name| name.trim() == mode.name()))
}

fn selected() -> Vec<Workload> {
    let only = env::var("BOUNDBY_LIVE_ONLY").unwrap_or_default();
    let parts: Vec<&str> = only.split(',').filter(|part| !part.is_empty()).collect();
    let all = load_all().unwrap_or_else(|error| panic!("{error}"));
    let chosen: Vec<Workload> = all
        .into_iter()
        .filter(|workload| parts.is_empty() || parts.iter().any(|part| workload.name.contains(part)))
        .collect();
    assert!(!chosen.is_empty(), "BOUNDBY_LIVE_ONLY={only} names no workload");
    chosen
}

fn run_all(workloads: &[Workload], mode: Mode, person: Person) {
    let stage = Stage::build(mode, person).unwrap_or_else(|error| panic!("{error}"));
    let mut table = Table::new(mode, stage.circumstances());
    let mut failures = Vec::new();
    // Programs share the machine with others, who may hold its CPUs or its disk in just that second. More than one in
    // ten gone wrong is no accident.
    let mut wrong_workloads = 0;
    for workload in workloads {
        let stolen_before = stolen();
        let outcome = stage.prepare(workload).and_then(|ready| ready.profile());
        let stolen = stolen() - stolen_before;
        let row = match outcome {
            Err(stop) if stop.is_skip() => Row::skipped(workload, &stop.to_string()),
            Err(stop) => {
                wrong_workloads += 1;
                failures.push(format!("{} ({}): {stop}", workload.name, mode.name()));
                Row::broken(workload)
            }
            Ok(outcome) => {
                let wrong = judge(workload, mode, &outcome);
                let row = Row::judged(workload, &outcome, wrong.is_empty());
                match &workload.truth.known_gap {
                    Some(gap) if !wrong.is_empty() => {
                        table::say(&format!("known gap, {}: {gap}", workload.name));
                    }
                    None if (check::is_disturbed(workload, mode, &outcome.report)
                        || stolen > STOLEN * outcome.report.profile.wall_s)
                        && !is_inexcusable(&wrong) =>
                    {
                        table::say(&format!("disturbed by other programs: {}", wrong.join("; ")));
                    }
                    _ => {
                        wrong_workloads += usize::from(!wrong.is_empty());
                        failures.extend(wrong);
                    }
                }
                row
            }
        };
        table.push(row);
    }
    table.print();
    assert!(table.ran() > 0 || workloads.is_empty(), "not one workload could be run here");
    if !failures.is_empty() {
        table::say(&format!("{} checks failed:\n\n{}\n", failures.len(), failures.join("\n\n")));
    }
    let allowed = 1 + workloads.len() / 10;
    assert!(wrong_workloads <= allowed, "{wrong_workloads} workloads went wrong, {allowed} may by accident");
}

/// Share of a run for which the host may take CPUs away before its shares are excused: the guest's kernel books such time
/// neither as running nor as waiting for a CPU.
const STOLEN: f64 = 0.03;

/// Seconds for which the host took CPUs away since the machine started (`steal` in `/proc/stat`); zero where nobody says.
fn stolen() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.split_ascii_whitespace().nth(8).and_then(|word| word.parse::<f64>().ok());
    ticks.unwrap_or(0.0) / 100.0
}

/// Whether neighbours excuse none of these complaints: a wrong answer given with confidence, books that do not balance,
/// a program that was not left alone.
fn is_inexcusable(wrong: &[String]) -> bool {
    let never = [check::CONFIDENTLY, "book", "threads_total", "negative", "exit", "output", "schema"];
    wrong.iter().any(|complaint| {
        let complaint = complaint.lines().next().unwrap_or_default();
        never.iter().any(|word| complaint.contains(word))
    })
}

#[test]
fn truths_are_well_formed() {
    let all = load_all().unwrap_or_else(|error| panic!("{error}"));
    let wrong: Vec<String> = all.iter().flat_map(Workload::complaints).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 26, "only {} workloads were found", all.len());
    assert!(all.iter().filter(|workload| workload.truth.concurrent.is_some()).count() >= 20);
}

#[test]
fn quiet() {
    let _alone = alone();
    if asked_for(Mode::Quiet).unwrap_or(true) {
        run_all(&selected(), Mode::Quiet, Person::Current);
    }
}

#[test]
fn user() {
    let _alone = alone();
    if !asked_for(Mode::User).unwrap_or(true) {
        return;
    }
    if Person::current_is_root() {
        run_all(&selected(), Mode::User, Person::Plain);
    } else {
        table::say("live, user: skipped, because the tests run as a plain user already (mode quiet)");
    }
}

#[test]
fn busy() {
    let _alone = alone();
    let mut workloads = selected();
    match asked_for(Mode::Busy) {
        Some(false) => return,
        Some(true) => {}
        None => workloads.retain(|workload| workload.truth.busy.as_ref().is_some_and(|busy| busy.in_ci)),
    }
    // These bring neighbours of their own, and their truth holds for just that many.
    workloads.retain(|workload| workload.truth.neighbours_per_core.is_none());
    let _neighbours = Neighbours::start(cores()).unwrap_or_else(|error| panic!("{error}"));
    run_all(&workloads, Mode::Busy, Person::Current);
}

#[test]
fn variants() {
    let _alone = alone();
    if asked_for(Mode::Variants).unwrap_or(false) {
        variants::run_all(&selected());
    }
}

#[test]
fn levels() {
    let _alone = alone();
    let mut workloads = selected();
    match asked_for(Mode::Levels) {
        Some(false) => return,
        Some(true) => {}
        None => workloads.retain(levels::is_in_ci),
    }
    levels::run_all(&workloads);
}
