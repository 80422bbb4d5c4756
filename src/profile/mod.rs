//! Measure a command or a running process tree. Knows the kernel's sources; must not know a rule, a strategy or
//! a worker count.
//!
//! ```text
//! launch ─► record ─► tree ─► process ─► source/*        the edge: reads the kernel, decides nothing
//!              │        │
//!              │        └─► ledger ─► thread_clock, wall, sites, segments, tracking   pure: the books
//!              ├─► summary, items ─► Profile                                  pure: what they mean
//!              └─► watch                                                      how they stand meanwhile
//! ```
//!
//! Everything between edge and books is an [`observation`]; [`source::replay`] writes them down and plays them again.

mod callers;
mod clients;
pub mod code;
mod dispatches;
mod following;
mod governor;
mod handed;
pub mod history;
mod inbox;
mod items;
pub mod launch;
pub mod ledger;
mod levels;
pub mod model;
pub mod observation;
mod own_cpu;
pub mod places;
mod process;
pub mod record;
mod region;
mod requests;
mod runtime;
pub mod sampler;
pub mod segments;
pub mod sites;
pub mod source;
pub mod stack;
pub mod stack_reads;
mod summary;
pub mod switching;
mod sys;
pub mod thread_clock;
pub mod tracking;
pub mod tracks;
pub mod traffic;
mod tree;
pub mod wall;
pub mod watch;

use std::io::BufRead;

use crate::machine::Machine;
use ledger::Ledger;
use source::replay::{self, ReplayError, Tape};

pub use code::{CallStacks, Location, Region, Site, StackTime};
pub use model::*;
pub use record::{ProfileError, Target};
pub use watch::{Standing, Watcher};

/// Measures a target on a `machine`, which is brought up to date with what the program may really use. Returns when the
/// command has ended, when the time is up, or when an attached measurement is interrupted. `level`: how to measure; `None`: as well as it can be done here.
///
/// # Errors
/// If the command does not start, or the process to attach to is gone or not ours.
pub fn profile(
    target: &Target,
    machine: &mut Machine,
    level: Option<Level>,
) -> Result<Profile, ProfileError> {
    profile_with(target, machine, level, Extras::default(), None).map(|(profile, _)| profile)
}

/// What is wanted of a measurement beside the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extras {
    /// What the edge saw, so that the same run can be replayed. Kept in memory until the end.
    pub tape: bool,
    /// What each thread was doing when.
    pub tracks: bool,
    /// Who woke whom, which takes [`Level::Kernel`].
    pub wakeups: bool,
}

/// As [`profile()`], with what is wanted besides, and somebody who may look on.
///
/// # Errors
/// As [`profile()`].
pub fn profile_with(
    target: &Target,
    machine: &mut Machine,
    level: Option<Level>,
    extras: Extras,
    watcher: Option<&mut dyn Watcher>,
) -> Result<(Profile, Option<Tape>), ProfileError> {
    let cpus = f64::from(machine.cpus());
    let mut books = Ledger::new(cpus);
    if extras.tape {
        books = books.taped();
    }
    if extras.tracks {
        books = books.tracked();
    }
    let asked = record::Asked { level, wakeups: extras.wakeups };
    let recording = record::record(target, machine, asked, books, watcher)?;
    let tape = extras.tape.then(|| Tape::of(cpus, &recording));
    Ok((summary::summarise(recording), tape))
}

/// The profile of a recorded run, and the machine it ran on.
///
/// # Errors
/// If it is no recording, or one of another version, or damaged.
pub fn replay(recording: impl BufRead) -> Result<(Profile, Machine), ReplayError> {
    let (recording, machine) = replay::play(recording)?;
    Ok((summary::summarise(recording), machine))
}
