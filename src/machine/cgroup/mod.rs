//! Control groups: which limits they put on a process. Version 1, version 2 and both at once; the limit of every
//! ancestor that can be seen counts, because the tightest one binds.
//!
//! `place` finds the directories, `limits` reads what they allow, `throttle` reads what they took away.

mod limits;
mod place;
mod throttle;

pub(crate) use limits::{MemoryLimit, cpu, memory, tasks};
pub(crate) use place::{Controller, Place, Version, locate};
pub use throttle::{QuotaReader, QuotaReading};

/// What was found, or the sentence that says why nothing could be.
pub(crate) type Found<T> = Result<T, String>;
