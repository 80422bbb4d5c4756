//! What the measuring edge tells the books, one thing at a time: everything a run can be replayed from. Plain values;
//! knows neither the kernel nor a file format.

use super::ledger::Reading;
use super::model::Runtime;
use super::stack::{Frame, FrameId, StackId};
use super::switching::Overlap;
use crate::wait::classify::Reason;

/// One thing the edge saw. Times are nanoseconds since the recording began.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// See [`Ledger::process`](super::ledger::Ledger::process).
    Process {
        /// Process.
        pid: i32,
        /// Process that started it; 0: not known.
        parent: i32,
        /// When.
        at: u64,
    },
    /// See [`Ledger::process_gone`](super::ledger::Ledger::process_gone).
    ProcessGone {
        /// Process.
        pid: i32,
        /// When.
        at: u64,
    },
    /// See [`Ledger::thread`](super::ledger::Ledger::thread).
    Thread(Birth),
    /// See [`Ledger::thread_gone`](super::ledger::Ledger::thread_gone).
    ThreadGone {
        /// Thread.
        tid: i32,
    },
    /// See [`Ledger::site`](super::ledger::Ledger::site).
    Site {
        /// Process.
        pid: i32,
        /// Program counter.
        pc: u64,
        /// Why threads block there.
        reason: Reason,
        /// Connections watched there.
        fan: u32,
    },
    /// See [`Ledger::census`](super::ledger::Ledger::census).
    Census {
        /// Process.
        pid: i32,
        /// When.
        at: u64,
        /// What was counted.
        census: Census,
    },
    /// See [`Ledger::runtime`](super::ledger::Ledger::runtime).
    Runtime {
        /// Process.
        pid: i32,
        /// What runs in it.
        runtime: Runtime,
    },
    /// See [`Ledger::event_loop`](super::ledger::Ledger::event_loop).
    EventLoop {
        /// Process.
        pid: i32,
    },
    /// See [`Ledger::named`](super::ledger::Ledger::named).
    Named {
        /// Thread.
        tid: i32,
        /// Where it waits.
        site: super::thread_clock::SiteId,
    },
    /// See [`Ledger::called`](super::ledger::Ledger::called).
    Called {
        /// Thread.
        tid: i32,
        /// Its name.
        name: String,
    },
    /// A frame that stacks may hold from now on; they are numbered from 0.
    Frame {
        /// What it stands for, innermost first; empty: not known yet.
        levels: Vec<Frame>,
    },
    /// See [`Ledger::name_frames`](super::ledger::Ledger::name_frames).
    FrameNamed {
        /// Which.
        frame: FrameId,
        /// What it stands for, innermost first.
        levels: Vec<Frame>,
    },
    /// A call stack that readings may name from now on; they are numbered from 1.
    Stack {
        /// Its frames, innermost first.
        frames: Vec<FrameId>,
    },
    /// See [`Ledger::sampled`](super::ledger::Ledger::sampled).
    Sampled {
        /// Thread.
        tid: i32,
        /// The code it was seen running in.
        stacks: Vec<StackId>,
    },
    /// See [`Ledger::placed`](super::ledger::Ledger::placed).
    Placed {
        /// Thread.
        tid: i32,
        /// The code it waits in.
        stack: StackId,
    },
    /// See [`Ledger::tasks`](super::ledger::Ledger::tasks).
    Tasks {
        /// The code they wait in.
        stack: StackId,
        /// How many.
        waiting: u32,
    },
    /// See [`Ledger::round`](super::ledger::Ledger::round).
    Round {
        /// When.
        at: u64,
        /// Threads that moved.
        readings: Vec<Reading>,
    },
    /// See [`Ledger::host`](super::ledger::Ledger::host).
    Host(HostShare),
    /// See [`Ledger::traffic`](super::ledger::Ledger::traffic).
    Traffic {
        /// Process.
        pid: i32,
        /// What came over the connections it accepted.
        traffic: Box<super::traffic::Traffic>,
    },
    /// See [`Ledger::last_words`](super::ledger::Ledger::last_words).
    LastWords {
        /// When.
        at: u64,
        /// The thread's last reading.
        reading: Reading,
    },
    /// See [`Ledger::exactly`](super::ledger::Ledger::exactly).
    Exactly(Overlap),
    /// See [`Ledger::chained`](super::ledger::Ledger::chained).
    Chained {
        /// Quiet time by where it was waited.
        waits: Vec<(super::thread_clock::SiteId, u64)>,
        /// What switches say without wake-ups.
        inferred: Option<Overlap>,
    },
    /// See [`Ledger::told`](super::ledger::Ledger::told).
    Told {
        /// Thread.
        tid: i32,
        /// What it waited for.
        waits: Vec<super::thread_clock::Told>,
    },
    /// See [`Ledger::lived`](super::ledger::Ledger::lived).
    Lived(Life),
}

/// The whole life of a thread nobody looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Its name; empty: that of its process.
    pub name: String,
    /// When it began.
    pub born: u64,
    /// When it ended.
    pub died: u64,
    /// What it had done by then.
    pub counters: super::thread_clock::Counters,
    /// What it waited for, where the kernel told.
    pub waits: Vec<super::thread_clock::Told>,
}

/// A thread that appeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birth {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// When it was found.
    pub at: u64,
    /// Its counters then.
    pub counters: super::thread_clock::Counters,
    /// Whether it began while being watched; otherwise what it did before does not count.
    pub newborn: bool,
}

/// What the CPUs of the machine did since the last such reading, nanoseconds of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostShare {
    /// The host of this virtual machine gave them to others while they had something to do.
    pub stolen: u64,
    /// They computed.
    pub used: u64,
}

/// The slow facts of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Command name.
    pub name: String,
    /// Threads.
    pub threads: u64,
    /// Resident set, bytes.
    pub rss: u64,
    /// Bytes read and written; `None`: not readable.
    pub io: Option<(u64, u64)>,
}
