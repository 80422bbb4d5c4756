//! Measure a command or a running process tree. Knows the kernel's sources; must not know a rule, a strategy or
//! a worker count.
//!
//! ```text
//! launch ─► record ─► tree ─► process ─► source/*        the edge: reads the kernel, decides nothing
//!              │        │
//!              │        └─► ledger ─► thread_clock, wall, sites, segments      pure: the books
//!              └─► summary, items ─► Profile                                  pure: what they mean
//! ```

mod items;
pub mod launch;
pub mod ledger;
pub mod model;
mod process;
pub mod record;
mod runtime;
pub mod sampler;
pub mod segments;
pub mod sites;
pub mod source;
mod summary;
mod sys;
pub mod thread_clock;
mod tree;
pub mod wall;

use crate::machine::Machine;

pub use model::*;
pub use record::{ProfileError, Target};

/// Measures a target on a `machine`, which is brought up to date with what the program may really use. Returns when the command has ended, when the time is up, or when an
/// attached measurement is interrupted.
///
/// # Errors
/// If the command does not start, or the process to attach to is gone or not ours.
pub fn profile(target: &Target, machine: &mut Machine) -> Result<Profile, ProfileError> {
    record::record(target, machine).map(summary::summarise)
}
