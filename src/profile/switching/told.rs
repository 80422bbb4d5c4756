//! What goes into the state machine of switches, and what comes out of it. Times are nanoseconds since the recording began.

use super::waits::{Waits, Why};

/// A change of one thread, as the kernel wrote it down. Time is nanoseconds since the recording began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub time: u64,
    /// On which CPU.
    pub cpu: usize,
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// What.
    pub what: What,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It got a CPU.
    In,
    /// It is about to leave the CPU, and this is why, unless it was put off.
    Off(Why),
    /// It left the CPU.
    Out {
        /// It could have gone on.
        ready: bool,
    },
    /// It was woken. Of its process nothing is told.
    Woken {
        /// By this thread; `None`: by an interrupt.
        by: Option<i32>,
    },
    /// It was started, in a process that this one had started, or was.
    Born {
        /// Process it was started by.
        parent: i32,
    },
    /// Its name was set.
    Named {
        /// The name.
        name: String,
        /// It executes another program.
        exec: bool,
    },
    /// It ended.
    Died,
    /// Of no thread: records are missing before this one.
    Lost,
}

/// How long the program did what, since it was last asked; nanoseconds. Nobody ran and nobody was seen ready for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlap {
    /// With 0, 1, 2, … threads on a CPU.
    pub running: Vec<u64>,
    /// Of the time with none: somebody was ready.
    pub ready: u64,
    /// Of the time with none: whoever ran next had been woken already. It may lie before this span.
    pub woken: u64,
    /// Of the time with just one: others waited for an interpreter lock. `None`: not known.
    pub serialised: Option<u64>,
}

impl Overlap {
    /// Time with at least one thread on a CPU.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.running.iter().skip(1).sum()
    }
}

/// What is known of one thread, exact as long as `gap` stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// Nanoseconds on a CPU since it was first seen.
    pub run: u64,
    /// It could have run, and the records say so: it was new, or put off.
    pub ready: u64,
    /// It waited, or was woken and had no CPU yet.
    pub waited: u64,
    /// Waits it came out of.
    pub waits: u64,
    /// While it waited, nobody else ran either, or was known to be ready, for so long, nanoseconds.
    pub quiet: u64,
    /// Whether it is on a CPU now.
    pub running: bool,
    /// When it was first seen.
    pub since: u64,
    /// Whether that was its birth.
    pub from_birth: bool,
    /// How often its records had a gap before.
    pub gap: u64,
}

/// A thread that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Process.
    pub pid: i32,
    /// Process that started that one; 0: not known.
    pub parent: i32,
    /// Thread.
    pub tid: i32,
    /// Its name; empty: it has that of its process.
    pub name: String,
    /// When.
    pub at: u64,
    /// What it had done; `None`: its records had a gap nobody closed.
    pub exact: Option<Exact>,
    /// Nanoseconds it was ready for a CPU, as far as that was seen.
    pub ready: u64,
    /// What it waited for since it was last asked for.
    pub waits: Vec<Waits>,
}
