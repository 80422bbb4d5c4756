//! The books of one recording: takes rounds of readings, keeps one clock per thread, the wall clock, the sites, and
//! what is known of each process. Pure: the edge that reads the kernel hands in plain values, so a recorded run can
//! be replayed.

use std::collections::BTreeMap;

use super::model::Runtime;
use super::segments::Segments;
use super::sites::Sites;
use super::thread_clock::{Counters, Seen, SiteId, Step, ThreadClock};
use super::wall::{Contention, Credit, Mover, WallClock, WallTotals};
use crate::wait::WaitKind;

/// Threads whose details are kept after they ended; of later ones only the totals.
const FINISHED_KEPT: usize = 4096;

/// Segments kept of the first thread that ended; of the second half as many, and so on: many threads tell the
/// rhythm together.
const FINISHED_SEGMENTS: usize = 16_384;

/// Ended processes remembered one by one; the CPU of earlier ones is kept in one sum.
const PROCESSES_KEPT: usize = 8192;

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
    cpu_unseen: u64,
}

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

/// The books.
#[derive(Debug)]
pub struct Ledger {
    /// Blocking points.
    pub sites: Sites,
    /// Live processes and finished ones, by pid.
    pub processes: BTreeMap<i32, ProcessRecord>,
    live: BTreeMap<i32, ThreadRecord>,
    finished: Vec<ThreadRecord>,
    folded: Folded,
    wall: WallClock,
    last_round: u64,
    threads_seen: u64,
    processes_summed: u64,
    /// What threads did before their first reading.
    newborn: Vec<Mover>,
}

/// Threads that ended after 4096 others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// CPU, nanoseconds.
    pub cpu: u64,
    /// Run-queue time.
    pub delay: u64,
    /// Blocked time nothing explains.
    pub unexplained: u64,
}

/// Everything a finished recording holds.
#[derive(Debug)]
pub struct Closed {
    /// Blocking points.
    pub sites: Sites,
    /// Processes.
    pub processes: BTreeMap<i32, ProcessRecord>,
    /// Threads, in the order they ended.
    pub threads: Vec<ThreadRecord>,
    /// Threads beyond the limit.
    pub folded: Folded,
    /// The wall book.
    pub wall: WallTotals,
    /// Threads seen.
    pub threads_seen: u64,
    /// Processes that are only part of the sum under pid 0.
    pub processes_summed: u64,
}

impl Ledger {
    /// Books for a program that may use `cpus` CPUs; time counts from zero.
    #[must_use]
    pub fn new(cpus: f64) -> Self {
        Self {
            sites: Sites::default(),
            processes: BTreeMap::new(),
            live: BTreeMap::new(),
            finished: Vec::new(),
            folded: Folded::default(),
            wall: WallClock::new(cpus),
            last_round: 0,
            threads_seen: 0,
            processes_summed: 0,
            newborn: Vec::new(),
        }
    }

    /// When the last round was taken.
    #[must_use]
    pub fn last_round(&self) -> u64 {
        self.last_round
    }

    /// A process appeared (or was there from the start).
    pub fn process(&mut self, pid: i32, parent: i32, at: u64) {
        self.processes.insert(pid, ProcessRecord { parent, seen: (at, at), ..ProcessRecord::default() });
    }

    /// A process is gone. Of very many, those that left no trace of their own are summed up under pid 0.
    pub fn process_gone(&mut self, pid: i32, at: u64) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.seen.1 = at;
        }
        if self.processes.len() > PROCESSES_KEPT
            && let Some(process) = self.processes.remove(&pid)
        {
            let rest = self.processes.entry(0).or_default();
            rest.cpu += process.cpu;
            rest.threads = rest.threads.max(process.threads);
            self.processes_summed += 1;
        }
    }

    /// A thread appeared at `at`. `newborn`: it began while being watched.
    pub fn thread(&mut self, pid: i32, tid: i32, at: u64, counters: Counters, newborn: bool) {
        self.threads_seen += 1;
        let clock = ThreadClock::new(at, counters, newborn);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.cpu += clock.cpu();
        }
        self.newborn.push(Mover { run: clock.cpu(), delay: clock.delay(), lock: self.lock_share(pid) });
        let record = ThreadRecord {
            pid,
            tid,
            cpu_unseen: clock.cpu(),
            clock,
            sites: BTreeMap::new(),
            segments: Segments::default(),
            cpu_under: 0,
            cpu_outside: 0,
            unexplained: 0,
        };
        if let Some(earlier) = self.live.insert(tid, record) {
            self.retire(earlier, at);
        }
    }

    /// A thread is gone; it was last seen in the previous round.
    pub fn thread_gone(&mut self, tid: i32) {
        if let Some(record) = self.live.remove(&tid) {
            let at = self.last_round;
            self.retire(record, at);
        }
    }

    fn retire(&mut self, mut record: ThreadRecord, at: u64) {
        if let Some(Seen::Blocked(site)) = record.clock.seen() {
            self.sites.waits(site, record.tid, false, at);
        }
        let (step, unexplained) = record.clock.finish(at);
        record.unexplained = unexplained;
        self.book(&mut record, &step);
        if self.finished.len() < FINISHED_KEPT {
            record.segments.thin(FINISHED_SEGMENTS / (self.finished.len() + 1));
            self.finished.push(record);
        } else {
            self.folded.cpu += record.clock.cpu();
            self.folded.delay += record.clock.delay();
            self.folded.unexplained += unexplained;
        }
    }

    /// One round of readings at `at`.
    pub fn round(&mut self, at: u64, readings: &[Reading]) {
        let elapsed = at.saturating_sub(self.last_round);
        self.last_round = at;
        let mut movers = std::mem::take(&mut self.newborn);
        let (mut outside, mut active) = (0usize, 0usize);
        for reading in readings {
            let Some(mut record) = self.live.remove(&reading.tid) else { continue };
            outside += usize::from(reading.under == Under::Outside);
            active += usize::from(reading.seen == Seen::Active && reading.under != Under::Queued);
            let only_woken = matches!(record.clock.seen(), Some(Seen::Blocked(_)))
                && record.clock.counters().slices == reading.counters.slices;
            self.move_waiter(&record, reading.seen);
            let step = record.clock.observe(at, reading.counters, reading.seen);
            if let Some(step) = &step {
                self.book(&mut record, step);
            }
            if reading.seen == Seen::Active && !only_woken {
                self.witness(&mut record, reading.under);
            }
            if let Some(step) = step {
                let lock = self.lock_share(record.pid);
                movers.push(Mover { run: step.cpu, delay: step.delay, lock });
            }
            self.live.insert(reading.tid, record);
        }
        movers.retain(|mover| mover.run > 0 || mover.delay > 0);
        let queued = self.sites.waiting(WaitKind::Gil);
        let contention = if queued > 0 && outside == 0 { Contention::Serialised } else { Contention::Free };
        self.wall.observe(active);
        self.wall.round(elapsed, &movers, contention);
    }

    /// CPU time since the last sighting belongs, on average, to what a random sighting finds. (A thread that was
    /// blocked and has not been put on a CPU since is only runnable, and is no witness.)
    fn witness(&mut self, record: &mut ThreadRecord, under: Under) {
        let Some(process) = self.processes.get_mut(&record.pid) else { return };
        match under {
            Under::Lock => {
                process.lock_samples.0 += 1;
                record.cpu_under += std::mem::take(&mut record.cpu_unseen);
            }
            Under::Outside => {
                process.lock_samples.1 += 1;
                record.cpu_outside += std::mem::take(&mut record.cpu_unseen);
            }
            Under::Unknown | Under::Queued => {}
        }
    }

    fn move_waiter(&mut self, record: &ThreadRecord, seen: Seen) {
        let before = record.clock.seen();
        if before == Some(seen) {
            return;
        }
        if let Some(Seen::Blocked(site)) = before {
            self.sites.waits(site, record.tid, false, self.last_round);
        }
        if let Seen::Blocked(site) = seen {
            self.sites.waits(site, record.tid, true, self.last_round);
        }
    }

    fn book(&mut self, record: &mut ThreadRecord, step: &Step) {
        record.cpu_unseen += step.cpu;
        if let Some(process) = self.processes.get_mut(&record.pid) {
            process.cpu += step.cpu;
        }
        let mut overlappable = 0;
        let mut ended = 0;
        for payment in step.payments.iter().flatten() {
            let mut payment = *payment;
            if !record.sites.contains_key(&payment.site) {
                // Dispatches before a thread was first seen here are not known to have been waits here.
                payment.ended = payment.ended.min(1);
            }
            let whole = payment.single.then_some(payment.blocked).filter(|blocked| *blocked > 0);
            self.sites.pay(&payment, whole);
            let entry = record.sites.entry(payment.site).or_default();
            entry.0 += payment.blocked;
            entry.1 += payment.ended;
            let site = self.sites.get(payment.site);
            if payment.progress > 0 {
                self.wall.credit(Credit {
                    site: payment.site,
                    progress: payment.progress,
                    external: site.external,
                });
            }
            if site.external {
                overlappable += payment.blocked;
                ended += payment.ended;
            }
        }
        record.segments.add(step.cpu, overlappable, ended);
    }

    fn lock_share(&self, pid: i32) -> Option<(u32, f64)> {
        let process = self.processes.get(&pid)?;
        let (under, outside) = process.lock_samples;
        (process.runtime.gil == Some(true))
            .then(|| (pid.unsigned_abs(), (under + 1) as f64 / (under + outside + 1) as f64))
    }

    /// Threads now waiting for an interpreter lock, and where the live threads wait; main threads first.
    fn current(&self, root: i32) -> Vec<Credit> {
        let of = |record: &ThreadRecord| match record.clock.seen() {
            Some(Seen::Blocked(site)) => {
                Some(Credit { site, progress: 1, external: self.sites.get(site).external })
            }
            _ => None,
        };
        let main = self.live.get(&root).and_then(of);
        match main {
            Some(credit) if credit.external => vec![credit],
            _ => self.live.values().filter_map(of).collect(),
        }
    }

    /// Ends the recording `tail` nanoseconds after the last round.
    #[must_use]
    pub fn close(mut self, root: i32, tail: u64) -> Closed {
        let current = self.current(root);
        self.wall.round(tail, &[], Contention::Free);
        let at = self.last_round + tail;
        for record in std::mem::take(&mut self.live).into_values() {
            self.retire(record, at);
        }
        Closed {
            sites: self.sites,
            processes: self.processes,
            threads: self.finished,
            folded: self.folded,
            wall: self.wall.finish(&current),
            threads_seen: self.threads_seen,
            processes_summed: self.processes_summed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::classify::Reason;

    /// A build that runs for hours: ever new processes, each with a thread that computes and waits.
    #[test]
    fn a_long_recording_takes_no_more_memory_than_a_short_one() {
        const MS: u64 = 1_000_000;
        let reason = Reason {
            kind: WaitKind::Disk,
            operation: "read",
            resource: None,
            external: true,
            event_loop: false,
        };
        let mut ledger = Ledger::new(2.0);
        let mut now = 0;
        for pid in 1..30_000 {
            ledger.process(pid, 0, now);
            ledger.thread(pid, pid, now, Counters::default(), true);
            let site = ledger.sites.find(pid, 7, &reason);
            for step in 1..4 {
                now += MS;
                let counters = Counters { run: step * MS / 4, delay: 0, slices: step };
                let seen = Seen::Blocked(site);
                ledger.round(now, &[Reading { tid: pid, counters, seen, under: Under::Unknown }]);
            }
            ledger.thread_gone(pid);
            ledger.process_gone(pid, now);
        }
        assert!(ledger.live.is_empty());
        assert_eq!(ledger.finished.len(), FINISHED_KEPT);
        assert!(ledger.processes.len() <= PROCESSES_KEPT + 1, "{}", ledger.processes.len());
        assert!(ledger.sites.iter().count() <= 2 * 8192 + 10, "{}", ledger.sites.iter().count());
        let segments: usize = ledger.finished.iter().map(|thread| thread.segments.list().len()).sum();
        assert!(segments <= 10 * FINISHED_SEGMENTS, "{segments}");
        // Nothing is lost for it: what was summed up is still there.
        let kept: u64 = ledger.finished.iter().map(|thread| thread.clock.cpu()).sum();
        assert_eq!(kept + ledger.folded.cpu, 29_999 * 3 * MS / 4);
        assert_eq!(ledger.processes.values().map(|process| process.cpu).sum::<u64>(), 29_999 * 3 * MS / 4);
    }
}
