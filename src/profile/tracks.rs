//! What each thread was doing when, for a timeline: plain data, no I/O.
//!
//! Between two looks at a thread the scheduler says how long it ran and queued, and not in which order. How long the
//! slices are between two looks is therefore measured, and where in between they lie is arranged.

use crate::profile::code::Location;
use crate::wait::Account;

/// Everything a timeline shows. Times are nanoseconds since the recording began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracks {
    /// Processes, in the order of their numbers.
    pub processes: Vec<ProcessTrack>,
    /// Threads, those of a process together, in the order of their numbers. A number that was given out again is one
    /// thread here.
    pub threads: Vec<Track>,
    /// What slices refer to.
    pub states: Vec<State>,
    /// What ended a wait.
    pub hand_overs: Vec<HandOver>,
    /// What came later was left out: there was too much of it. `None`: everything is there.
    pub cut_at: Option<u64>,
}

/// A process of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessTrack {
    /// Process.
    pub pid: i32,
    /// Command name; empty: not known.
    pub name: String,
}

/// A thread of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Its name; `None`: it was gone before it could be asked.
    pub name: Option<String>,
    /// What it did, one after the other.
    pub slices: Vec<Slice>,
}

/// A piece of a thread's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// When it began.
    pub from: u64,
    /// When it ended.
    pub to: u64,
    /// Number in [`Tracks::states`].
    pub state: u32,
    /// Waits that ended in it; several where they were too short to be told apart.
    pub waits: u32,
}

/// What a thread was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Running, runnable, or waiting for this; unattributed: it waited, and nobody saw what for.
    pub account: Account,
    /// The system call; empty: none, or not known.
    pub operation: String,
    /// `host:port`, path, lock address.
    pub resource: Option<String>,
    /// Where in the program's own code it waited.
    pub at: Option<Location>,
    /// What is called there, where that is a library.
    pub call: Option<String>,
}

/// A thread went on because of what another did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOver {
    /// Process, thread and moment of what was waited for.
    pub from: Moment,
    /// Process, thread and moment of who went on.
    pub to: Moment,
}

/// A moment of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// When.
    pub at: u64,
}
