//! The books of one recording: takes rounds of readings, keeps one clock per thread, the wall clock, the sites, and
//! what is known of each process. Pure: the edge that reads the kernel hands in plain values, so a recorded run can
//! be replayed.

mod booking;
mod children;
mod code;
mod drawing;
mod records;
mod standing;

use std::collections::BTreeMap;

use super::model::Runtime;
use super::observation::{Birth, Census, HostShare, Life, Observation};
use super::places::{Place, Places};
use super::sites::Sites;
use super::stack::{StackId, Stacks};
use super::switching::Overlap;
use super::thread_clock::{Counters, Seen, SiteId, ThreadClock, Told};
use super::tracking::Tracking;
use super::traffic::Traffic;
use super::wall::{Both, Contention, Credit, Mover};
use crate::wait::WaitKind;
use crate::wait::classify::Reason;

use children::Children;
pub use records::{Closed, Folded, ProcessRecord, Reading, SUMMED_UP, ThreadRecord, Under};

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
    wall: Both,
    last_round: u64,
    last_elapsed: u64,
    threads_seen: u64,
    lives: u64,
    processes_summed: u64,
    /// What came over connections that processes accepted.
    traffic: BTreeMap<i32, Traffic>,
    /// What children had been waiting for when they ended; who waits for the child waits for that.
    children: Children,
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
            wall: Both::new(cpus),
            last_round: 0,
            last_elapsed: 0,
            threads_seen: 0,
            lives: 0,
            processes_summed: 0,
            traffic: BTreeMap::new(),
            children: Children::default(),
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
            Observation::Exactly(overlap) => self.exactly(overlap),
            Observation::Chained { waits, inferred } => self.chained(waits, inferred),
            Observation::Told { tid, waits } => self.told(tid, waits),
            Observation::Lived(life) => self.lived(life),
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
        self.children.forget(pid);
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
        let rest = self.processes.entry(SUMMED_UP).or_default();
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
        let record = ThreadRecord::new(pid, tid, clock);
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
                    let parent = process.parent;
                    if let Some(waited) = self.children.end(parent, place) {
                        self.credit_child(waited, place);
                    }
                    // Whoever has ended itself waits for nobody any more.
                    if !self.live.contains_key(&parent) {
                        self.children.forget(parent);
                    }
                }
                self.credit_over(place, paid.map_or(0, |paid| paid.quiet) + unpaid);
            } else if let Some(over) = paid {
                self.credit_over(over.place, over.quiet);
            }
            // What of its quiet time no wait was paid for was, most likely, its last.
            if let Some((place, quiet)) = record.waited_last.zip(record.quiet.take()) {
                self.credit_over(place, quiet);
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
        self.children.overdue().for_each(|credit| self.wall.credit(credit));
        let (elapsed, movers, contention) = self.take(at, readings);
        self.wall.round(elapsed, &movers, contention);
    }

    /// Every switch up to the next round is known: what they say of the program as a whole since the last such telling.
    pub fn exactly(&mut self, overlap: Overlap) {
        self.note(|| Observation::Exactly(overlap.clone()));
        self.wall.exactly(overlap);
    }

    /// The kernel tells who wakes whom: up to the next round, quiet time divides so, as far as it was not divided before.
    /// `inferred`: what switches say without wake-ups.
    pub fn chained(&mut self, waits: Vec<(SiteId, u64)>, inferred: Option<Overlap>) {
        self.note(|| Observation::Chained { waits: waits.clone(), inferred: inferred.clone() });
        self.wall.chained(waits, inferred);
    }

    /// What a thread that is looked at waited for since the last time, as the kernel told it of every wait.
    pub fn told(&mut self, tid: i32, waits: Vec<Told>) {
        self.note(|| Observation::Told { tid, waits: waits.clone() });
        if let Some(record) = self.live.get_mut(&tid) {
            record.told.extend(waits);
        }
    }

    /// A thread came and went, and nobody looked at it meanwhile. Its process is known, if only from such lives.
    pub fn lived(&mut self, life: Life) {
        self.note(|| Observation::Lived(life.clone()));
        let Life { pid, tid, name, born, died, counters, waits } = life;
        self.threads_seen += 1;
        self.lives += 1;
        let Counters { run, delay, .. } = counters;
        self.newborn.push(Moved { pid, over: died - born, run, delay });
        if let Some(process) = self.processes.get_mut(&pid) {
            process.threads = process.threads.max(1);
            process.seen.1 = process.seen.1.max(died);
            if process.name.is_empty() {
                process.name = name;
            }
        }
        let birth = Birth { pid, tid, at: born, counters: Counters::default(), newborn: true };
        self.draw_birth(&birth, (0, 0));
        let mut record = ThreadRecord::new(pid, tid, ThreadClock::new(born, Counters::default(), true));
        let (step, shares) = record.clock.observe_told(died, counters, Seen::Active, &waits);
        self.book_told(&mut record, &step, waits.iter().zip(&shares), [(None, StackId::UNSEEN); 2]);
        self.retire(record, died);
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
        let (elapsed, movers, contention) = self.take(at, &[reading]);
        self.wall.between(elapsed, &movers, contention);
    }

    /// Books what threads did; returns what the wall book wants to know of it.
    fn take(&mut self, at: u64, readings: &[Reading]) -> (u64, Vec<Mover>, Contention) {
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
            record.quiet = record.quiet.zip(reading.quiet).map(|(before, more)| before.saturating_add(more));
            let drawn = drawing::Before::of(&record);
            let told = std::mem::take(&mut record.told);
            let step = if told.is_empty() {
                let step = record.clock.observe(before, at, reading.counters, reading.seen);
                step.inspect(|step| self.book(&mut record, step, waited_in, reading.stack))
            } else {
                let places = [(record.clock.seen(), record.stack), (Some(reading.seen), reading.stack)];
                let (step, shares) = record.clock.observe_told(at, reading.counters, reading.seen, &told);
                self.book_told(&mut record, &step, told.iter().zip(&shares), places);
                Some(step)
            };
            if let Some(step) = &step {
                self.draw_step(drawn, before, step, reading);
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
        (elapsed, self.movers(&moved), contention)
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
        self.children.overdue().for_each(|credit| self.wall.credit(credit));
        self.note_stacks();
        let (mut wall, inferred) = self.wall.finish(&current);
        self.places.share_unseen(&mut wall.waits);
        Closed {
            sites: self.sites,
            stacks: self.stacks,
            places: self.places,
            processes: self.processes,
            threads: self.finished,
            folded: self.folded,
            wall,
            inferred,
            threads_seen: self.threads_seen,
            lives: self.lives,
            processes_summed: self.processes_summed,
            traffic: self.traffic,
            tape: self.tape.unwrap_or_default(),
            drawn: self.tracking,
        }
    }
}

#[cfg(test)]
mod tests;
