//! What the books hold of a thread, a process and a finished recording: plain values.

use std::collections::BTreeMap;

use crate::profile::model::Runtime;
use crate::profile::observation::Observation;
use crate::profile::places::{Place, Places};
use crate::profile::segments::Segments;
use crate::profile::sites::Sites;
use crate::profile::stack::{StackId, Stacks};
use crate::profile::thread_clock::{Counters, Seen, SiteId, ThreadClock, Told};
use crate::profile::tracking::Tracking;
use crate::profile::traffic::Traffic;
use crate::profile::wall::WallTotals;

/// How an active thread stands to the interpreter lock of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// Its process has no such lock, or the owner could not be read.
    Unknown,
    /// It holds the lock.
    Lock,
    /// Another thread holds it, or nobody.
    Outside,
    /// It was woken to take the lock and has not got a CPU yet.
    Queued,
}

/// What was seen of one thread in one round. A thread that did not move need not be handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Thread.
    pub tid: i32,
    /// Its counters.
    pub counters: Counters,
    /// Active or blocked.
    pub seen: Seen,
    /// For active threads.
    pub under: Under,
    /// The code it was found in.
    pub stack: StackId,
    /// While it waited since its last reading, nobody else ran either, or was ready to, for so long, nanoseconds. `None`:
    /// not known.
    pub quiet: Option<u64>,
}

/// One live or finished thread.
#[derive(Debug, Clone)]
pub struct ThreadRecord {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Its time.
    pub clock: ThreadClock,
    /// Blocked time and ended waits by site.
    pub sites: BTreeMap<SiteId, (u64, u64)>,
    /// Its rhythm.
    pub segments: Segments,
    /// CPU seen under the lock, nanoseconds.
    pub cpu_under: u64,
    /// CPU seen outside it.
    pub cpu_outside: u64,
    /// Blocked time nothing explains.
    pub unexplained: u64,
    /// CPU no sighting has classed yet.
    pub(super) cpu_unseen: u64,
    /// CPU no sighting has found a stack for yet.
    pub(super) cpu_unplaced: u64,
    /// The code it was seen running in since then.
    pub(super) samples: Vec<StackId>,
    /// The code it was found in when its clock last took a reading.
    pub(super) stack: StackId,
    /// Where the last reading found it waiting. Its clock may know of a later wait only: an interval stays open until
    /// the counters move, and a thread that was woken is no longer waiting before it runs.
    pub(super) waits_at: Option<SiteId>,
    /// The wait it is in.
    pub(super) in_progress: Option<InProgress>,
    /// Quiet time it waited in that was not paid yet; `None`: not known.
    pub(super) quiet: Option<u64>,
    /// The wait that was paid last.
    pub(super) waited_last: Option<Place>,
    /// What it waited for since its last reading, where the kernel told.
    pub(super) told: Vec<Told>,
}

/// A wait that is not over, as far as it was paid.
#[derive(Debug, Clone, Copy)]
pub(super) struct InProgress {
    pub(super) place: Place,
    /// Its length, nanoseconds.
    pub(super) blocked: u64,
    /// The quiet time it may explain.
    pub(super) quiet: u64,
}

impl ThreadRecord {
    /// A thread with what its clock knows.
    pub(super) fn new(pid: i32, tid: i32, clock: ThreadClock) -> Self {
        Self {
            pid,
            tid,
            cpu_unseen: clock.cpu(),
            cpu_unplaced: clock.cpu(),
            samples: Vec::new(),
            stack: StackId::UNSEEN,
            clock,
            sites: BTreeMap::new(),
            segments: Segments::default(),
            cpu_under: 0,
            cpu_outside: 0,
            unexplained: 0,
            waits_at: None,
            in_progress: None,
            quiet: Some(0),
            waited_last: None,
            told: Vec::new(),
        }
    }

    /// The code it waits in, if its clock saw it waiting.
    pub(super) fn waits_in(&self) -> Option<StackId> {
        matches!(self.clock.seen(), Some(Seen::Blocked(_))).then_some(self.stack)
    }
}

/// Under this number stand the processes that are not kept one by one.
pub const SUMMED_UP: i32 = 0;

/// What is known of a process.
#[derive(Debug, Clone, Default)]
pub struct ProcessRecord {
    /// Process that started it.
    pub parent: i32,
    /// Command name.
    pub name: String,
    /// Its runtime.
    pub runtime: Runtime,
    /// Threads at once, at most.
    pub threads: u64,
    /// Resident set, at most, bytes.
    pub rss: Option<u64>,
    /// Bytes read and written.
    pub io: Option<(u64, u64)>,
    /// CPU of all its threads, nanoseconds.
    pub cpu: u64,
    /// Samples of running threads under and outside the lock.
    pub lock_samples: (u64, u64),
    /// Whether an event loop was found in it.
    pub event_loop: bool,
    /// When it was first and last seen, nanoseconds since the recording began.
    pub seen: (u64, u64),
}

/// Threads that ended after 4096 others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// CPU, nanoseconds.
    pub cpu: u64,
    /// Run-queue time.
    pub delay: u64,
    /// Blocked time by site.
    pub blocked: BTreeMap<SiteId, u64>,
    /// Blocked time nothing explains.
    pub unexplained: u64,
}

/// Everything a finished recording holds.
#[derive(Debug)]
pub struct Closed {
    /// Blocking points.
    pub sites: Sites,
    /// Call stacks.
    pub stacks: Stacks,
    /// Time by blocking point and stack.
    pub places: Places,
    /// Processes.
    pub processes: BTreeMap<i32, ProcessRecord>,
    /// Threads, in the order they ended.
    pub threads: Vec<ThreadRecord>,
    /// Threads beyond the limit.
    pub folded: Folded,
    /// The wall book.
    pub wall: WallTotals,
    /// The same as it would be without knowing who woke whom; `None`: nobody told.
    pub inferred: Option<WallTotals>,
    /// Threads seen.
    pub threads_seen: u64,
    /// Those of them that were known from their ends alone.
    pub lives: u64,
    /// Processes that are only part of the sum under pid 0.
    pub processes_summed: u64,
    /// What came over the connections that processes accepted.
    pub traffic: BTreeMap<i32, Traffic>,
    /// Everything the books were told, in order; empty unless [`taped`](super::Ledger::taped).
    pub tape: Vec<Observation>,
    /// What is drawn of it all, for a timeline; `None` unless [`tracked`](super::Ledger::tracked).
    pub drawn: Option<Tracking>,
}

impl Closed {
    /// Command name of a process; empty: not known.
    #[must_use]
    pub fn process_name(&self, pid: i32) -> String {
        self.processes.get(&pid).map(|process| process.name.clone()).unwrap_or_default()
    }
}
