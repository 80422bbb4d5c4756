//! The books of one recording: takes rounds of readings, keeps one clock per thread, the wall clock, the sites, and
//! what is known of each process. Pure: the edge that reads the kernel hands in plain values, so a recorded run can
//! be replayed.

mod code;
mod drawing;
mod records;
mod standing;

use std::collections::BTreeMap;

use super::model::Runtime;
use super::observation::{Birth, Census, HostShare, Observation};
use super::places::{Place, Places};
use super::segments::Segments;
use super::sites::Sites;
use super::stack::{StackId, Stacks};
use super::thread_clock::{Seen, SiteId, Step, ThreadClock};
use super::tracking::Tracking;
use super::traffic::Traffic;
use super::wall::{Contention, Credit, Mover, WallClock};
use crate::wait::WaitKind;
use crate::wait::classify::Reason;

pub use records::{Closed, Folded, ProcessRecord, Reading, ThreadRecord, Under};

/// Threads whose details are kept after they ended; of later ones only the totals.
const FINISHED_KEPT: usize = 4096;

/// Segments kept of the first thread that ended; of the second half as many, and so on: many threads tell the
/// rhythm together.
const FINISHED_SEGMENTS: usize = 16_384;

/// Ended processes remembered one by one; the CPU of earlier ones is kept in one sum.
const PROCESSES_KEPT: usize = 8192;

/// The books.
#[derive(Debug)]
pub struct Ledger {
    sites: Sites,
    stacks: Stacks,
    places: Places,
    /// Live processes and finished ones, by pid.
    processes: BTreeMap<i32, ProcessRecord>,
    live: BTreeMap<i32, ThreadRecord>,
    finished: Vec<ThreadRecord>,
    folded: Folded,
    wall: WallClock,
    last_round: u64,
    last_elapsed: u64,
    threads_seen: u64,
    processes_summed: u64,
    /// What came over connections that processes accepted.
    traffic: BTreeMap<i32, Traffic>,
    /// What the child of a process that ended last had been waiting for; who waits for the child waits for that.
    ended_in: BTreeMap<i32, Place>,
    /// What threads did before their first reading.
    newborn: Vec<Moved>,
    /// Everything the books were told; `None`: nobody wants to know.
    tape: Option<Vec<Observation>>,
    /// Frames and stacks that are on the tape.
    taped: (usize, usize),
    /// What is drawn of it all; `None`: nobody wants a timeline.
    tracking: Option<Tracking>,
}

/// What one thread of a process did between two readings, nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Moved {
    pid: i32,
    /// Length of the interval.
    over: u64,
    run: u64,
    delay: u64,
}

impl Ledger {
    /// Books for a program that may use `cpus` CPUs; time counts from zero.
    #[must_use]
    pub fn new(cpus: f64) -> Self {
        Self {
            sites: Sites::default(),
            stacks: Stacks::default(),
            places: Places::default(),
            processes: BTreeMap::new(),
            live: BTreeMap::new(),
            finished: Vec::new(),
            folded: Folded::default(),
            wall: WallClock::new(cpus),
            last_round: 0,
            last_elapsed: 0,
            threads_seen: 0,
            processes_summed: 0,
            traffic: BTreeMap::new(),
            ended_in: BTreeMap::new(),
            newborn: Vec::new(),
            tape: None,
            // The empty stack is known to everybody.
            taped: (0, 1),
            tracking: None,
        }
    }

    /// Books that also keep what they are told, in memory: for recordings of short programs.
    #[must_use]
    pub fn taped(mut self) -> Self {
        self.tape = Some(Vec::new());
        self
    }

    /// Tells the books what somebody saw earlier. The names of sites are given out as they were then, so readings
    /// must name no other: see [`Ledger::knows`].
    pub fn replay(&mut self, observation: Observation) {
        match observation {
            Observation::Process { pid, parent, at } => self.process(pid, parent, at),
            Observation::ProcessGone { pid, at } => self.process_gone(pid, at),
            Observation::Thread(birth) => self.thread(birth),
            Observation::ThreadGone { tid } => self.thread_gone(tid),
            Observation::Site { pid, pc, reason, fan } => {
                self.site(pid, pc, &reason, fan);
            }
            Observation::Census { pid, at, census } => self.census(pid, at, census),
            Observation::Runtime { pid, runtime } => self.runtime(pid, runtime),
            Observation::EventLoop { pid } => self.event_loop(pid),
            Observation::Named { tid, site } => self.named(tid, site),
            Observation::Called { tid, name } => self.called(tid, name),
            Observation::Frame { levels } => {
                self.stacks.renumber(levels);
            }
            Observation::FrameNamed { frame, levels } => self.stacks.name(frame, levels),
            Observation::Sampled { tid, stacks } => self.sampled(tid, &stacks),
            Observation::Stack { frames } => {
                self.stacks.stack(&frames);
            }
            Observation::Placed { tid, stack } => self.placed(tid, stack),
            Observation::Tasks { stack, waiting } => self.tasks(stack, waiting),
            Observation::Round { at, readings } => self.round(at, &readings),
            Observation::Host(share) => self.host(share),
            Observation::Traffic { pid, traffic } => self.traffic(pid, *traffic),
            Observation::LastWords { at, reading } => self.last_words(at, reading),
        }
    }

    /// Whether a site of this number was given out.
    #[must_use]
    pub fn knows(&self, site: SiteId) -> bool {
        (site.0 as usize) < self.sites.count()
    }

    /// Puts what the edge says on the tape, if there is one.
    fn note(&mut self, observation: impl FnOnce() -> Observation) {
        if let Some(tape) = &mut self.tape {
            tape.push(observation());
        }
    }

    /// When the last round was taken.
    #[must_use]
    pub fn last_round(&self) -> u64 {
        self.last_round
    }

    /// A process appeared (or was there from the start).
    pub fn process(&mut self, pid: i32, parent: i32, at: u64) {
        self.note(|| Observation::Process { pid, parent, at });
        let record = ProcessRecord { parent, seen: (at, at), ..ProcessRecord::default() };
        if let Some(earlier) = self.processes.insert(pid, record) {
            // The kernel gave the number to another process.
            self.sum_up(&earlier);
        }
    }

    /// A process was looked at: its name, memory and bytes.
    pub fn census(&mut self, pid: i32, at: u64, census: Census) {
        self.note(|| Observation::Census { pid, at, census: census.clone() });
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.name = census.name;
        process.threads = process.threads.max(census.threads);
        process.rss = process.rss.max(Some(census.rss));
        process.io = census.io.or(process.io);
        process.seen.1 = at;
    }

    /// What runs in a process was found out.
    pub fn runtime(&mut self, pid: i32, runtime: Runtime) {
        self.note(|| Observation::Runtime { pid, runtime: runtime.clone() });
        if let Some(process) = self.processes.get_mut(&pid) {
            process.runtime = runtime;
        }
    }

    /// An event loop was found in a process.
    pub fn event_loop(&mut self, pid: i32) {
        self.note(|| Observation::EventLoop { pid });
        if let Some(process) = self.processes.get_mut(&pid) {
            process.event_loop = true;
        }
    }

    /// The number of the site where a thread of `pid` blocks for this reason; a polling call there watches `fan`
    /// connections (0: it does not poll).
    pub fn site(&mut self, pid: i32, pc: u64, reason: &Reason, fan: u32) -> SiteId {
        let known = self.sites.count();
        let id = self.sites.find(pid, pc, reason);
        // What is known already would only make the tape longer.
        let is_news = self.sites.count() > known || fan > self.sites.get(id).fan;
        if is_news {
            self.note(|| Observation::Site { pid, pc, reason: reason.clone(), fan });
            self.sites.watches(id, fan);
        }
        if reason.event_loop && self.processes.get(&pid).is_some_and(|process| !process.event_loop) {
            self.event_loop(pid);
        }
        id
    }

    /// A process is gone. Of very many, those that left no trace of their own are summed up under pid 0.
    pub fn process_gone(&mut self, pid: i32, at: u64) {
        self.note(|| Observation::ProcessGone { pid, at });
        self.ended_in.remove(&pid);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.seen.1 = at;
        }
        if self.processes.len() > PROCESSES_KEPT
            && let Some(process) = self.processes.remove(&pid)
        {
            self.sum_up(&process);
        }
    }

    fn sum_up(&mut self, process: &ProcessRecord) {
        let rest = self.processes.entry(0).or_default();
        rest.cpu += process.cpu;
        rest.threads = rest.threads.max(process.threads);
        self.processes_summed += 1;
    }

    /// A thread appeared.
    pub fn thread(&mut self, birth: Birth) {
        self.note(|| Observation::Thread(birth));
        let Birth { pid, tid, at, counters, newborn } = birth;
        self.threads_seen += 1;
        let clock = ThreadClock::new(at, counters, newborn);
        if let Some(process) = self.processes.get_mut(&pid) {
            process.cpu += clock.cpu();
        }
        let (run, delay) = (clock.cpu(), clock.delay());
        self.newborn.push(Moved { pid, over: run + delay, run, delay });
        let record = ThreadRecord {
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
        };
        if let Some(earlier) = self.live.insert(tid, record) {
            self.retire(earlier, at);
        }
        self.draw_birth(&birth, (run, delay));
    }

    /// The wait a thread was last seen in, and has not moved since, is one at this site: more is known of it than was then.
    pub fn named(&mut self, tid: i32, site: SiteId) {
        self.note(|| Observation::Named { tid, site });
        let Some(mut record) = self.live.remove(&tid) else { return };
        if record.clock.seen() == record.waits_at.map(Seen::Blocked) {
            self.move_waiter(&mut record, Seen::Blocked(site));
            record.clock.rename(site);
            let stack = record.stack;
            self.draw_renamed(tid, site, stack);
            self.move_wait(&mut record, Place { site, stack });
        }
        self.live.insert(tid, record);
    }

    /// A thread is gone; it was last seen in the previous round.
    pub fn thread_gone(&mut self, tid: i32) {
        self.note(|| Observation::ThreadGone { tid });
        if let Some(mut record) = self.live.remove(&tid) {
            let at = self.last_round;
            let paid = record.in_progress.take();
            // It came out of the wait it was last seen in, if only to end. What it did then is not known.
            if let Some(Seen::Blocked(site)) = record.clock.seen() {
                // It may have gone on for as long as the rounds are apart.
                let unpaid = at.saturating_sub(record.clock.closed()) + self.last_elapsed;
                let place = self.places.admit(Place { site, stack: record.stack });
                if let Some(process) = self.processes.get(&record.pid).filter(|_| tid == record.pid) {
                    self.ended_in.insert(process.parent, place);
                }
                self.credit_over((place, paid.map_or(0, |(_, blocked)| blocked) + unpaid));
            } else if let Some(over) = paid {
                self.credit_over(over);
            }
            self.retire(record, at);
        }
    }

    fn retire(&mut self, mut record: ThreadRecord, at: u64) {
        if let Some(site) = record.waits_at.take() {
            self.sites.waits(site, record.tid, false, at);
        }
        let drawn = drawing::Before::of(&record);
        let (step, unexplained) = record.clock.finish(at);
        record.unexplained = unexplained;
        self.draw_end(drawn, &step, &record);
        let (before, now) = (record.waits_in(), record.stack);
        self.book(&mut record, &step, before, now);
        if record.samples.is_empty() {
            record.samples.push(StackId::UNSEEN);
        }
        self.place_samples(&mut record);
        if self.finished.len() < FINISHED_KEPT {
            record.segments.thin(FINISHED_SEGMENTS / (self.finished.len() + 1));
            self.finished.push(record);
        } else {
            self.folded.cpu += record.clock.cpu();
            self.folded.delay += record.clock.delay();
            self.folded.unexplained += unexplained;
            for (site, (blocked, _)) in record.sites {
                *self.folded.blocked.entry(site).or_default() += blocked;
            }
        }
    }

    /// One round of readings at `at`, a random moment.
    pub fn round(&mut self, at: u64, readings: &[Reading]) {
        self.note_stacks();
        self.note(|| Observation::Round { at, readings: readings.to_vec() });
        let is_active = |reading: &&Reading| {
            reading.seen == Seen::Active
                && reading.under != Under::Queued
                && self.live.contains_key(&reading.tid)
        };
        let active = readings.iter().filter(is_active).count();
        self.wall.observe(active);
        self.take(at, readings);
    }

    /// What the host of this machine took of its CPUs since this was told last.
    pub fn host(&mut self, share: HostShare) {
        self.note(|| Observation::Host(share));
        self.wall.stolen(share);
    }

    /// What came, in all, over the connections that a process accepted.
    pub fn traffic(&mut self, pid: i32, traffic: Traffic) {
        self.note(|| Observation::Traffic { pid, traffic: Box::new(traffic) });
        self.traffic.insert(pid, traffic);
    }

    /// The last reading of a thread that has ended. It was not found at a random moment, so it tells what the thread
    /// used, but nothing of what ran at the same time.
    pub fn last_words(&mut self, at: u64, reading: Reading) {
        self.note(|| Observation::LastWords { at, reading });
        self.take(at, &[reading]);
    }

    fn take(&mut self, at: u64, readings: &[Reading]) {
        let at = at.max(self.last_round);
        let before = self.last_round;
        let elapsed = at - before;
        self.last_round = at;
        self.last_elapsed = elapsed;
        self.places.pass(at);
        let mut moved = std::mem::take(&mut self.newborn);
        let mut outside = 0usize;
        for reading in readings {
            let Some(mut record) = self.live.remove(&reading.tid) else { continue };
            outside += usize::from(reading.under == Under::Outside);
            let only_woken = matches!(record.clock.seen(), Some(Seen::Blocked(_)))
                && record.clock.counters().slices == reading.counters.slices;
            self.move_waiter(&mut record, reading.seen);
            let waited_in = record.waits_in();
            let drawn = drawing::Before::of(&record);
            let step = record.clock.observe(before, at, reading.counters, reading.seen);
            if let Some(step) = &step {
                self.draw_step(drawn, before, step, reading);
                self.book(&mut record, step, waited_in, reading.stack);
                record.stack = reading.stack;
                moved.push(Moved { pid: record.pid, over: step.over, run: step.cpu, delay: step.delay });
            }
            if reading.seen == Seen::Active && !only_woken {
                self.witness(&mut record, reading.under, reading.stack);
            }
            self.live.insert(reading.tid, record);
        }
        let queued = self.sites.waiting(WaitKind::Gil);
        let contention = if queued > 0 && outside == 0 { Contention::Serialised } else { Contention::Free };
        let movers = self.movers(&moved);
        self.wall.round(elapsed, &movers, contention);
    }

    /// What moved as the wall book wants it: in an order that does not depend on who was read first.
    fn movers(&self, moved: &[Moved]) -> Vec<Mover> {
        let mut movers: Vec<Mover> = moved
            .iter()
            .filter(|moved| moved.run > 0 || moved.delay > 0)
            .map(|moved| {
                let Moved { pid, over, run, delay } = *moved;
                Mover { over, run, delay, lock: self.lock_share(pid) }
            })
            .collect();
        movers.sort_unstable_by_key(|mover| {
            (mover.lock.map(|(lock, _)| lock), mover.run, mover.delay, mover.over)
        });
        movers
    }

    /// CPU time since the last sighting belongs, on average, to what a random sighting finds. (A thread that was
    /// blocked and has not been put on a CPU since is only runnable, and is no witness.)
    fn witness(&mut self, record: &mut ThreadRecord, under: Under, stack: StackId) {
        if stack != StackId::UNSEEN && under != Under::Queued {
            let cpu = std::mem::take(&mut record.cpu_unplaced);
            self.places.compute(record.pid, stack, under, cpu);
        }
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

    fn move_waiter(&mut self, record: &mut ThreadRecord, seen: Seen) {
        let now = match seen {
            Seen::Blocked(site) => Some(site),
            Seen::Active => None,
        };
        let before = std::mem::replace(&mut record.waits_at, now);
        if before == now {
            return;
        }
        if let Some(site) = before {
            self.sites.waits(site, record.tid, false, self.last_round);
        }
        if let Some(site) = now {
            self.sites.waits(site, record.tid, true, self.last_round);
        }
    }

    /// `waited_in`: the code of the wait at the beginning of the step, if it began with one; `now`: that at its end.
    fn book(&mut self, record: &mut ThreadRecord, step: &Step, waited_in: Option<StackId>, now: StackId) {
        record.cpu_unseen += step.cpu;
        record.cpu_unplaced += step.cpu;
        if let Some(process) = self.processes.get_mut(&record.pid) {
            process.cpu += step.cpu;
        }
        let mut overlappable = 0;
        let mut ended = 0;
        let stacks = [waited_in.unwrap_or(now), now];
        for (payment, stack) in step.payments.into_iter().zip(stacks) {
            let Some(payment) = payment else { continue };
            let place = self.places.admit(Place { site: payment.site, stack });
            if !record.sites.contains_key(&payment.site) {
                record.clock.forget_unseen();
            }
            // What was paid while the wait was in progress is a part of it.
            let in_progress = match record.in_progress.take() {
                Some((waits_at, blocked)) if waits_at == place => blocked,
                Some(over) => {
                    self.credit_over(over);
                    0
                }
                None => 0,
            };
            let blocked = in_progress + payment.blocked;
            let whole = payment.whole.map(|rest| in_progress + rest).filter(|whole| *whole > 0);
            self.sites.pay(&payment, whole);
            self.places.pay(place, record.tid, &payment, whole);
            let entry = record.sites.entry(payment.site).or_default();
            entry.0 += payment.blocked;
            entry.1 += payment.ended;
            let site = self.sites.get(payment.site);
            // It explains quiet time once it is over. The CPU time it leads to may be booked later still: at a tick, or when
            // the thread leaves the CPU.
            if payment.progress > 0 || payment.ended > 0 {
                let progress = payment.progress;
                if site.key.kind == WaitKind::Child
                    && let Some(place) = self.ended_in.remove(&record.pid)
                {
                    let external = self.sites.get(place.site).external;
                    self.wall.credit(Credit { place, progress, blocked: 0, external });
                }
                self.wall.credit(Credit { place, progress, blocked, external: site.external });
            } else {
                record.in_progress = Some((place, blocked));
            }
            if site.external {
                overlappable += payment.blocked;
                ended += payment.ended;
            }
        }
        record.segments.add(step.cpu, overlappable, ended, self.last_round);
        self.place_samples(record);
    }

    /// A wait that something else came after explains quiet time, whoever saw it end.
    fn credit_over(&mut self, (place, blocked): (Place, u64)) {
        let external = self.sites.get(place.site).external;
        self.wall.credit(Credit { place, progress: 0, blocked, external });
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
                let external = self.sites.get(site).external;
                let place = self.places.admit(Place { site, stack: record.stack });
                Some(Credit { place, progress: 1, blocked: u64::MAX, external })
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
        let at = self.last_round.saturating_add(tail);
        for record in std::mem::take(&mut self.live).into_values() {
            self.retire(record, at);
        }
        self.note_stacks();
        let mut wall = self.wall.finish(&current);
        self.places.share_unseen(&mut wall.waits);
        Closed {
            sites: self.sites,
            stacks: self.stacks,
            places: self.places,
            processes: self.processes,
            threads: self.finished,
            folded: self.folded,
            wall,
            threads_seen: self.threads_seen,
            processes_summed: self.processes_summed,
            traffic: self.traffic,
            tape: self.tape.unwrap_or_default(),
            drawn: self.tracking,
        }
    }
}

#[cfg(test)]
mod tests;
