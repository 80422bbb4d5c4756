//! Programs that know what their threads did (`fixtures/exact`), under `boundby profile` at each level: where every switch is
//! told, the times are exact.
//!
//! Each thread asks the scheduler in the end how long it was on a CPU and in the run queue; the rest of its life it was
//! blocked. That is compared with the thread book. `BOUNDBY_EXACT` selects the modes, separated by commas: `quiet`, and
//! `busy` with a spinning neighbour per core; without it, `quiet`. `BOUNDBY_EXACT_ONLY` selects programs by parts of their
//! names. Each mode prints a table and leaves it under the target directory; what cannot be run is skipped and said.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is not there")]

#[path = "exact/check.rs"]
mod check;
#[path = "exact/measured.rs"]
mod measured;
#[path = "exact/neighbours.rs"]
mod neighbours;
#[path = "exact/programs.rs"]
mod programs;
#[path = "exact/table.rs"]
mod table;
#[path = "books/waited.rs"]
mod waited;

use std::env;
use std::sync::{Mutex, PoisonError};

use neighbours::{Neighbours, cores};
use table::{Table, say};

/// They measure time, so only one of them may run at any time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const LEVELS: [&str; 3] = ["p", "s", "k"];

fn run_all(mode: &str) {
    let folder = tempfile::TempDir::with_prefix("boundby-exact-").unwrap();
    let (mut programs, missing) = programs::all(folder.path());
    for why in &missing {
        say(&format!("skipped: {why}"));
    }
    let only = env::var("BOUNDBY_EXACT_ONLY").unwrap_or_default();
    let is_meant = |name: &str| only.is_empty() || only.split(',').any(|part| name.contains(part));
    programs.retain(|program| is_meant(program.name));
    assert!(!programs.is_empty(), "BOUNDBY_EXACT_ONLY={only} names no program");
    let port = programs::service();
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for program in &programs {
        for level in LEVELS {
            match measured::run(program, level, folder.path(), port) {
                Ok(run) => {
                    let own = check::complaints(level, &run);
                    table.push(program.name, level, &run, &own);
                    wrong.extend(own.iter().map(|what| format!("{} at level {level}: {what}", program.name)));
                }
                Err(why) => say(&format!("skipped: {} at level {level}: {why}", program.name)),
            }
        }
    }
    table.print(mode);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Whether a mode is to be run.
fn is_asked_for(mode: &str) -> bool {
    env::var("BOUNDBY_EXACT")
        .map_or(mode == "quiet", |modes| modes.split(',').any(|name| name.trim() == mode))
}

#[test]
fn quiet() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if is_asked_for("quiet") {
        run_all("quiet");
    }
}

#[test]
fn busy() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if is_asked_for("busy") {
        let _neighbours = Neighbours::start(cores()).unwrap();
        run_all("busy");
    }
}
