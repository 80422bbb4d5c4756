//! What was measured: the one type between the measuring edge and everything after it. Plain data, no I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use super::code::{CallStacks, Region, Site};
use super::tracks::Tracks;
use crate::wait::{Book, WaitKind};

/// One measurement of one program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// The command line that was run, or that of the attached process.
    pub command: Vec<String>,
    /// Whether boundby started the program (`false`: attached to a running pid).
    pub launched: bool,
    /// How the program ended; `None` while it still runs.
    pub exit: Option<Exit>,
    /// Wall time observed.
    pub wall: Duration,
    /// User and system CPU time of the whole tree, exact (rusage) where `cpu_exact`.
    pub cpu_user: Duration,
    /// See `cpu_user`.
    pub cpu_system: Duration,
    /// Largest resident set of any one process, bytes.
    pub max_rss: Option<u64>,
    /// Processes seen, short-lived ones included as far as they could be counted.
    pub processes: u64,
    /// Threads seen.
    pub threads: u64,
    /// The runtime of the process that decides the verdict.
    pub runtime: Runtime,
    /// What the program was doing at each moment of wall time; sums to `wall`. Here `Wait(Gil)` is time in which
    /// a thread ran while others queued for the interpreter lock, so that only one could run the language's code.
    pub wall_book: Book,
    /// The same by when it was.
    pub timeline: Timeline,
    /// What each thread was doing when; `None`: nobody asked for it.
    pub tracks: Option<Tracks>,
    /// The same accounts in thread-time; sums to the lifetimes of all threads. Here `Wait(Gil)` is queueing.
    pub thread_book: Book,
    /// How many threads ran at once.
    pub parallelism: Parallelism,
    /// CPU under and outside the interpreter lock.
    pub cpu_split: CpuSplit,
    /// Repeated blocking points as the kernel knows them, by critical (wall) time, largest first.
    pub blocking_points: Vec<BlockingPoint>,
    /// What lines of the program's own source did, by critical (wall) time, largest first.
    pub sites: Vec<Site>,
    /// Time by call stack.
    pub call_stacks: CallStacks,
    /// The dominating repeated work, where one was found.
    pub items: Option<Items>,
    /// The program's event loop, where it has one.
    pub event_loop: Option<EventLoop>,
    /// Processes by role, for "processes already used" and memory per worker; largest CPU first.
    pub process_groups: Vec<ProcessGroup>,
    /// CPU quota: throttling seen in the target's cgroups during the run.
    pub throttling: Throttling,
    /// How times were measured.
    pub level: Level,
    /// What wake-ups told beyond that; `None`: nobody asked for them.
    pub wakeups: Option<Wakeups>,
    /// How good the measurement is.
    pub quality: Quality,
}

/// How the times of threads were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Level {
    /// R: of processes that have ended alone, as the kernel sums them up for whoever waits for them.
    Rusage,
    /// P: from the scheduler's counters, looked at again and again.
    #[default]
    Proc,
    /// S: from the kernel's records of every switch.
    Switch,
    /// K: from the kernel's records of every switch and why it happened.
    Kernel,
}

impl Level {
    /// Every level, the best last.
    pub const ALL: [Self; 4] = [Self::Rusage, Self::Proc, Self::Switch, Self::Kernel];

    /// The name in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rusage => "r",
            Self::Proc => "p",
            Self::Switch => "s",
            Self::Kernel => "k",
        }
    }
}

/// What the kernel told of who woke whom, beside what is inferred without it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Wakeups {
    /// How often a thread of the program was woken while it waited.
    pub told: u64,
    /// Of these, by another thread of the program.
    pub handed_over: u64,
    /// Wake-ups of the whole machine there was no room for.
    pub lost: u64,
    /// Of the time in which everybody waited, the share that is in the same account of the wall book either way, 0–1.
    /// `None`: there was no such time.
    pub same: Option<f64>,
    /// Wall time in which nobody ran and somebody was ready, as wake-ups tell.
    pub runnable: Duration,
    /// The same as inferred from the scheduler's counters.
    pub runnable_inferred: Duration,
}

/// The source of level S, as a report names it.
pub const SWITCHES: &str = "perf-switches";
/// The source of level K, as a report names it.
pub const REASONS: &str = "perf-reasons";

/// The wall book by when it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Length of a stretch; the last may be shorter.
    pub stretch: Duration,
    /// One after the other, from the beginning; each sums to its length.
    pub books: Vec<Book>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// `exit(code)`.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
    /// It ended while it was watched; how is told to its parent alone, which boundby was not.
    Untold,
}

/// Language runtimes that change the advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Language {
    /// CPython (with or without GIL).
    Python,
    /// Node.js.
    Node,
    /// A Java virtual machine.
    Java,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// C, C++ or anything else compiled without a recognised runtime.
    Native,
    /// A shell.
    Shell,
    /// Ruby.
    Ruby,
    /// Not recognised or not readable.
    #[default]
    Unknown,
}

impl Language {
    /// Every language, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Python,
        Self::Node,
        Self::Java,
        Self::Go,
        Self::Rust,
        Self::Native,
        Self::Shell,
        Self::Ruby,
        Self::Unknown,
    ];

    /// The name in JSON and rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Native => "native",
            Self::Shell => "shell",
            Self::Ruby => "ruby",
            Self::Unknown => "unknown",
        }
    }
}

/// A runtime, as found in a running process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runtime {
    /// The language.
    pub language: Language,
    /// For example `CPython`, `Node.js`, `OpenJDK`; `None` where there is no more to say than the language.
    pub implementation: Option<String>,
    /// For example `3.11.7`, where it could be read.
    pub version: Option<String>,
    /// Whether one lock serialises the language's code; `None`: could not be told.
    pub gil: Option<bool>,
}

/// How many threads of the tree ran at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parallelism {
    /// CPU time over wall time: mean number of threads running.
    pub mean: f64,
    /// Share of wall time with 0, 1, 2, … threads running; sums to 1. Empty: not measured.
    pub share_of_wall_by_running_threads: Vec<f64>,
    /// Threads of one process that each do a tenth of the CPU work and more, and park again and again in between: they
    /// wait for each other. At most one of them: 0.
    pub alternating: u64,
}

/// CPU time by its relation to the interpreter lock. Only for runtimes that have one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CpuSplit {
    /// CPU while holding the lock, whole tree. `None`: no such runtime, or too few samples of running threads.
    pub gil: Option<Duration>,
    /// CPU of the same processes outside the lock.
    pub native: Option<Duration>,
    /// Samples of running threads the split rests on.
    pub samples: u64,
}

impl CpuSplit {
    /// Samples of running threads below which the split says nothing.
    pub const FEWEST: u64 = 20;

    /// Share of the CPU time that holds the lock, 0–1; `None`: there is no such lock or CPU time, or too little of it was
    /// looked at to tell.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let (gil, native) = (self.gil?.as_secs_f64(), self.native?.as_secs_f64());
        (self.samples >= Self::FEWEST && gil + native > 0.0).then(|| gil / (gil + native))
    }
}

/// A repeated blocking point: same process group, same program counter and stack pointer, or same descriptor.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockingPoint {
    /// Why it blocks.
    pub kind: WaitKind,
    /// `read`, `write`, `fsync`, `connect`, `accept`, `poll`, …; the system call's plain name.
    pub operation: String,
    /// `host:port`, path, lock address; `None` where it could not be resolved.
    pub resource: Option<String>,
    /// Command name of the process and its thread name.
    pub thread: String,
    /// Number of waits.
    pub episodes: u64,
    /// Whether `episodes` was counted one by one; `false`: estimated from switch counts.
    pub counted: bool,
    /// Blocked time, thread-seconds.
    pub wait: Duration,
    /// Of it, wall time the program really waited for it (critical path).
    pub critical: Duration,
    /// Wall time with at least one thread waiting here. For a lock: how long there was a queue.
    pub queued: Duration,
    /// 95th percentile of a wait; `None` where waits were shorter than the sampling interval.
    pub p95: Option<Duration>,
    /// CPU used by the same threads between these waits.
    pub cpu: Duration,
    /// Threads that waited here.
    pub threads: u64,
    /// Whether the wait is the thread's event loop waiting for events (epoll and kin).
    pub in_event_loop: bool,
}

/// The work items of the dominating region: what could overlap.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Items {
    /// Number of items seen (visits of the anchor site).
    pub count: u64,
    /// Whether each item is a child process with an address space (and an interpreter lock) of its own.
    pub are_processes: bool,
    /// Where an item is what a client asked for: the share of their time in which the threads that answer waited for the
    /// next one.
    pub free: Option<f64>,
    /// There: how many of them came, and how that is known.
    pub requests: Option<Requests>,
    /// Threads or processes that already work on them side by side.
    pub lanes: u64,
    /// Wait per item by kind; lock and GIL waits are not delay and are kept apart by their kind.
    pub wait: BTreeMap<WaitKind, Duration>,
    /// CPU per item while holding the interpreter lock (zero for runtimes without one).
    pub cpu_gil: Duration,
    /// CPU per item outside it.
    pub cpu_native: Duration,
    /// Coefficient of variation of the item's duration; `None`: waits too short to tell them apart.
    pub cv: Option<f64>,
    /// The longest item.
    pub longest: Option<Duration>,
    /// 95th percentile of an item's waiting; `None`: too few were seen one by one.
    pub p95: Option<Duration>,
    /// Share of wall time this region covers, 0–1.
    pub share: f64,
    /// Where in the program's own code they are; `None`: no line has most of them, or none was seen.
    pub region: Option<Region>,
    /// Recorded items in order, for the replay; run-length coded, bounded. Empty: none recorded.
    pub segments: Vec<Segment>,
}

/// What clients asked of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requests {
    /// A second.
    pub rate: f64,
    /// What was counted.
    pub counted: Counted,
}

/// What tells the number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// How often threads waited for clients, which agrees with how often they came to wait for what an answer needs.
    Waits,
    /// Segments with data that came and those that went, which agree, over so many connections.
    Segments(u64),
    /// Connections that were accepted: one request came over each.
    Connections,
}

impl Counted {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Segments(_) => "segments",
            Self::Connections => "connections",
        }
    }
}

impl Items {
    /// Mean duration of an item: its waiting and its computing.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.wait.values().sum::<Duration>() + self.cpu_gil + self.cpu_native
    }
}

/// `count` consecutive items that look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// Number of items.
    pub count: u32,
    /// Wait of each.
    pub wait: Duration,
    /// CPU of each under the interpreter lock.
    pub cpu_gil: Duration,
    /// CPU of each outside it.
    pub cpu_native: Duration,
}

/// The threads that run an event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventLoop {
    /// Time they waited for events: the loop's own idling.
    pub waiting: Duration,
    /// Time they were blocked outside the loop's wait, so that no other task could go on.
    pub blocked: Duration,
    /// CPU time they used.
    pub cpu: Duration,
    /// Most connections that were watched at once; `None`: the loop was never seen waiting.
    pub connections: Option<u64>,
}

/// Processes of one role: same executable, started by the same parent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessGroup {
    /// Command name.
    pub name: String,
    /// Command name of the process that started them; `None`: it is not part of the program.
    pub parent: Option<String>,
    /// Processes seen, in all.
    pub count: u64,
    /// Most of them alive at once.
    pub concurrent: u64,
    /// Threads of one of them, at most.
    pub threads: u64,
    /// CPU of all.
    pub cpu: Duration,
    /// Resident set of one, at most, bytes.
    pub rss: Option<u64>,
    /// Bytes read and written by all of them, pipes and page cache included (`rchar`, `wchar`).
    pub bytes_read: Option<u64>,
    /// See `bytes_read`.
    pub bytes_written: Option<u64>,
    /// Its runtime.
    pub runtime: Runtime,
}

/// CPU quota as felt during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Throttling {
    /// Enforcement periods that elapsed; `None`: no quota or not readable.
    pub periods: Option<u64>,
    /// Periods in which the group was stopped.
    pub throttled_periods: Option<u64>,
    /// Time threads of the group were held back, as the kernel counts it.
    pub throttled: Option<Duration>,
}

/// How good a measurement is, and what is missing from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quality {
    /// Sources that were used, best first: `procfs`, `rusage`, `gil-owner`, …
    pub sources_used: Vec<String>,
    /// Sources that were refused or absent.
    pub refused: Vec<Refused>,
    /// Sampling rounds taken.
    pub samples: u64,
    /// Rounds that came more than one interval late.
    pub late: u64,
    /// Waits or threads known to have been missed.
    pub lost: u64,
    /// Mean sampling interval.
    pub interval: Duration,
    /// CPU time boundby itself used while sampling.
    pub own_cpu: Duration,
    /// Share of CPU time seen thread by thread; the rest came from rusage totals. `None`: no exact total.
    pub cpu_coverage: Option<f64>,
    /// Sentences for the reader: odd things that were seen.
    pub remarks: Vec<String>,
}

/// A source that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    /// Name of the source.
    pub source: String,
    /// What the system said.
    pub reason: String,
    /// What is missing from the report because of it, and what to type to enable it.
    pub costs: String,
}
