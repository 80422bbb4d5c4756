//! Measure a command or a running process tree. Knows the kernel's sources; must not know a rule, a strategy or
//! a worker count.
//!
//! ```text
//! launch ─► record ─► tree ─► process ─► source/*        the edge: reads the kernel, decides nothing
//!              │        │
//!              │        └─► ledger ─► thread_clock, wall, sites, segments      pure: the books
//!              └─► summary, items ─► Profile                                  pure: what they mean
//! ```
//!
//! Everything between edge and books is an [`observation`]; [`source::replay`] writes them down and plays them again.

mod callers;
mod clients;
pub mod code;
mod dispatches;
pub mod history;
mod items;
pub mod launch;
pub mod ledger;
pub mod model;
pub mod observation;
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
mod summary;
mod sys;
pub mod thread_clock;
pub mod traffic;
mod tree;
pub mod wall;

use std::io::BufRead;

use crate::machine::Machine;
use ledger::Ledger;
use source::replay::{self, ReplayError, Tape};

pub use code::{CallStacks, Location, Region, Site, StackTime};
pub use model::*;
pub use record::{ProfileError, Target};

/// Measures a target on a `machine`, which is brought up to date with what the program may really use. Returns when the command has ended, when the time is up, or when an
/// attached measurement is interrupted.
///
/// # Errors
/// If the command does not start, or the process to attach to is gone or not ours.
pub fn profile(target: &Target, machine: &mut Machine) -> Result<Profile, ProfileError> {
    let books = Ledger::new(f64::from(machine.cpus()));
    record::record(target, machine, books).map(summary::summarise)
}

/// As [`profile()`], and keeps what the edge saw, so that the same run can be replayed.
///
/// # Errors
/// As [`profile()`].
pub fn profile_on_tape(target: &Target, machine: &mut Machine) -> Result<(Profile, Tape), ProfileError> {
    let cpus = f64::from(machine.cpus());
    let recording = record::record(target, machine, Ledger::new(cpus).taped())?;
    let tape = Tape::of(cpus, &recording);
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
