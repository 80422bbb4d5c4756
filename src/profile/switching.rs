//! Who is on a CPU, told by the kernel's own records of every switch: a state machine over them. Pure: records in, exact
//! times of threads and of the program as a whole out.
//!
//! ```text
//!            In                    Out, still runnable
//!   New ───────────►  On  ─────────────────────────────►  Ready
//!            In      ▲ │ ▲              In                 │  ▲
//!   Waiting ─────────┘ │ └─────────────────────────────────┘  │
//!    │ ▲               │                                      │
//!    │ └───────────────┘ Out                                  │
//!    └────────────────────────────────────────────────────────┘ Woken
//! ```
//!
//! A thread that was woken is `Waiting` here until it gets a CPU: the kernel tells when it does, not when it was woken. How
//! long that took, the scheduler's counter of a thread knows; the quiet time before its return holds it. Where wake-ups are
//! told as well, it is `Ready` from then on, and who woke whom shows what the program waited for (see `chain`).
//!
//! No clock, no I/O. Laws: what is told twice counts once; no time is negative; in a life without gaps, running, ready and
//! waiting add up to the life, to the nanosecond.

mod chain;
mod told;
mod waits;

use std::collections::BTreeMap;
use std::ops::Range;

pub use self::chain::Link;
use self::chain::{Division, Path};
pub use self::told::{Ended, Exact, Overlap, Record, What};
use self::waits::Account;
pub use self::waits::{Waits, Why};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not known: it was there before, or records were lost.
    Unknown,
    /// It has yet to begin: boundby holds it.
    Held,
    New,
    On,
    Ready,
    Waiting,
}

#[derive(Debug, Clone)]
struct Thread {
    pid: i32,
    parent: i32,
    name: String,
    born: u64,
    from_birth: bool,
    gap: u64,
    state: State,
    since: u64,
    run: u64,
    ready: u64,
    blocked: u64,
    waits: u64,
    quiet: u64,
    /// How long the program had been quiet when its wait began.
    quiet_before: u64,
    /// What it waits for, and waited for.
    waited: Account,
    /// What was waited for on the way to where it is; and what it had run when quiet time was last divided.
    path: Path,
    run_before: u64,
    /// It is said to be about to leave the CPU, which counts from then.
    leaves: bool,
    /// It waits for an interpreter lock.
    queues: bool,
    /// Since its scheduler's counter was last told.
    recent: Recent,
    /// Time in the run queue the scheduler counted, as told last; and what of it no wait has explained yet.
    delay: Option<u64>,
    unexplained: u64,
}

/// What explains the time a thread spent in the run queue, nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    /// It was put off a CPU, or was new.
    ready: u64,
    /// Waits that are over.
    waited: u64,
    /// Of them, time in which the whole program was quiet, up to its return.
    quiet: u64,
}

/// The state machine.
#[derive(Debug, Clone, Default)]
pub struct Switching {
    threads: BTreeMap<i32, Thread>,
    /// Which thread each CPU runs.
    cpus: Vec<Option<i32>>,
    now: u64,
    running: usize,
    ready: usize,
    /// Threads that wait, and how long threads have waited all together, nanoseconds.
    waiting: usize,
    waited: u64,
    /// Threads in a state that is not known.
    unknown: usize,
    /// Where processes have their interpreter locks, threads that wait for one, and how long they did while one ran.
    locks: BTreeMap<i32, Range<u64>>,
    queued: usize,
    serialised: u64,
    /// Since when nobody runs and nobody is known to be ready; and for how long that was so all in all.
    quiet_since: u64,
    quiet: u64,
    overlap: Overlap,
    appeared: Vec<i32>,
    ended: Vec<Ended>,
    gaps: u64,
    has_gap: bool,
    /// How quiet time is divided; `None`: nobody tells of wake-ups.
    division: Option<Division>,
    /// Threads that waited and were woken, and those of them that other threads of the program woke.
    woken: u64,
    handovers: u64,
}

impl Switching {
    /// A thread is there that no record told of.
    pub fn follow(&mut self, pid: i32, tid: i32) {
        self.thread(pid, tid, 0, State::Unknown, false);
    }

    /// Begins with a process that has yet to execute its program: all it will do counts.
    pub fn begin(&mut self, pid: i32, at: u64) {
        self.pass(at);
        self.thread(pid, pid, 0, State::Held, true);
    }

    /// Takes a record. Records come in the order of time; one that is late counts from now.
    pub fn take(&mut self, record: &Record) {
        let Record { cpu, pid, tid, .. } = *record;
        if record.what == What::Lost {
            self.gap(record.time);
        }
        if let What::Woken { by } = record.what {
            return self.wake(tid, by, record.time);
        }
        if tid <= 0 || pid <= 0 {
            return;
        }
        self.pass(record.time);
        match &record.what {
            What::In => {
                self.vacate(cpu, tid);
                self.thread(pid, tid, 0, State::Unknown, false);
                self.enter(tid, State::On);
                if let Some(place) = self.cpus.get_mut(cpu) {
                    *place = Some(tid);
                }
            }
            What::Off(why) => {
                self.thread(pid, tid, 0, State::Unknown, false);
                let is_on = |thread: &Thread| matches!(thread.state, State::On | State::Unknown);
                if self.threads.get(&tid).is_some_and(is_on) {
                    self.enter(tid, State::Waiting);
                    if let Some(thread) = self.threads.get_mut(&tid) {
                        thread.waited.reason(*why);
                        thread.leaves = true;
                        thread.queues = self.locks.get(&pid).is_some_and(|lock| lock.contains(&why.args[0]));
                        self.queued += usize::from(thread.queues);
                    }
                }
            }
            What::Out { ready } => {
                self.thread(pid, tid, 0, State::Unknown, false);
                let state = if *ready { State::Ready } else { State::Waiting };
                let leaves = self.threads.get_mut(&tid).map(|thread| std::mem::take(&mut thread.leaves));
                match self.threads.get(&tid).map(|thread| thread.state) {
                    Some(State::On | State::Unknown) => self.enter(tid, state),
                    // It was said to wait before it was said to be put off.
                    Some(State::Waiting) if *ready && leaves == Some(true) => self.put_off(tid),
                    _ => {}
                }
            }
            What::Born { parent } => self.born(pid, tid, *parent, cpu),
            What::Named { name, exec } => {
                if *exec {
                    self.exec(pid, tid);
                }
                if let Some(thread) = self.threads.get_mut(&tid) {
                    thread.name.clone_from(name);
                }
            }
            What::Died => self.end(tid),
            What::Woken { .. } | What::Lost => {}
        }
    }

    /// Records are missing before this time: nobody's state is known.
    pub fn gap(&mut self, at: u64) {
        self.pass(at);
        self.gaps += 1;
        self.has_gap = true;
        self.cpus.clear();
        for thread in self.threads.values_mut() {
            thread.state = State::Unknown;
            thread.since = self.now;
            thread.gap = self.gaps;
            thread.from_birth = false;
            thread.recent = Recent::default();
            // What it waits for when it is told of again may be something else.
            thread.waited.begin(None);
            thread.leaves = false;
            thread.queues = false;
        }
        (self.running, self.ready, self.waiting, self.queued) = (0, 0, 0, 0);
        self.unknown = self.threads.len();
        self.quiet_since = self.now;
        self.forget_paths();
    }

    /// Somebody looked at a thread whose state is not known.
    pub fn settle(&mut self, tid: i32, active: bool) {
        if self.threads.get(&tid).is_some_and(|thread| thread.state == State::Unknown) {
            self.enter(tid, if active { State::On } else { State::Waiting });
        }
    }

    /// The scheduler says how long a thread has been in the run queue all in all.
    pub fn delayed(&mut self, tid: i32, delay: u64) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let before = thread.delay.replace(delay).unwrap_or(if thread.from_birth { 0 } else { delay });
        let recent = std::mem::take(&mut thread.recent);
        // It was counted when the thread got the CPU, which may have been after the last record.
        let owed = (delay.saturating_sub(before) + thread.unexplained).saturating_sub(recent.ready);
        let woken = owed.min(recent.quiet);
        thread.unexplained = owed.saturating_sub(recent.waited);
        self.overlap.woken += woken;
    }

    /// Somebody found a thread that moved and is not followed: what the program as a whole did is not known.
    pub fn missed(&mut self) {
        self.has_gap = true;
    }

    /// Whether there are threads in a state that is not known.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.unknown > 0
    }

    /// Nobody finds these threads any more, and their end is not among the records.
    pub fn forget(&mut self, is_there: impl Fn(i32) -> bool) {
        let gone = |(tid, thread): (&i32, &mut Thread)| thread.state == State::Unknown && !is_there(*tid);
        self.threads.retain(|tid, thread| !gone((tid, thread)));
        self.unknown = self.threads.values().filter(|thread| thread.state == State::Unknown).count();
    }

    /// What is known of a thread now; `None`: nothing exact.
    #[must_use]
    pub fn of(&self, tid: i32) -> Option<Exact> {
        self.threads.get(&tid).and_then(|thread| thread.exact(self.now, self.quiet))
    }

    /// What a thread waited for since this was asked last, up to now.
    pub fn waits(&mut self, tid: i32) -> Vec<Waits> {
        let (now, quiet) = (self.now, self.quiet);
        let Some(thread) = self.threads.get_mut(&tid) else { return Vec::new() };
        let waiting = thread.state == State::Waiting;
        thread.waited.take(waiting.then(|| (now - thread.since, quiet - thread.quiet_before)))
    }

    /// How long threads have waited all together, as far as that was told, nanoseconds.
    #[must_use]
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// Threads that are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Whether a thread is known at all.
    #[must_use]
    pub fn knows(&self, tid: i32) -> bool {
        self.threads.contains_key(&tid)
    }

    /// Processes that have appeared since this was asked last, with their parents (0: not known), if they are still there.
    pub fn appeared(&mut self) -> Vec<(i32, i32)> {
        let appeared = std::mem::take(&mut self.appeared);
        let parent = |pid: i32| Some((pid, self.threads.get(&pid)?.parent));
        appeared.into_iter().filter_map(parent).collect()
    }

    /// Threads that have ended since this was asked last, in the order of their ends.
    pub fn ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// What the program as a whole did since this was asked last, up to now; `None`: not known, as records are missing or
    /// threads could not be told.
    pub fn overlap(&mut self, at: u64) -> Option<Overlap> {
        self.pass(at);
        let mut overlap = std::mem::take(&mut self.overlap);
        let serialised = std::mem::take(&mut self.serialised);
        overlap.serialised = Some(serialised).filter(|_| !self.locks.is_empty());
        let is_known = !std::mem::take(&mut self.has_gap);
        is_known.then_some(overlap)
    }

    fn pass(&mut self, time: u64) {
        let passed = time.saturating_sub(self.now);
        if passed == 0 {
            return;
        }
        self.now = time;
        self.has_gap |= self.unknown > 0;
        self.waited = self.waited.saturating_add(passed.saturating_mul(self.waiting as u64));
        if self.overlap.running.len() <= self.running {
            self.overlap.running.resize(self.running + 1, 0);
        }
        self.overlap.running[self.running] += passed;
        if self.running == 1 && self.queued > 0 {
            self.serialised += passed;
        }
        if self.is_quiet() {
            self.quiet += passed;
        } else if self.running == 0 {
            self.overlap.ready += passed;
        }
    }

    /// A process has its interpreter lock here, or none any more.
    pub fn lock(&mut self, pid: i32, lock: Option<Range<u64>>) {
        match lock {
            Some(lock) => self.locks.insert(pid, lock),
            None => self.locks.remove(&pid),
        };
    }

    /// Makes sure that it is known; whoever is, stays as it was.
    fn thread(&mut self, pid: i32, tid: i32, parent: i32, state: State, from_birth: bool) {
        if let Some(thread) = self.threads.get_mut(&tid) {
            if thread.parent == 0 && parent != pid {
                thread.parent = parent;
            }
            return;
        }
        // Whoever starts a process gives it its name, until it executes another program.
        let name = self.threads.get(&parent).map(|thread| thread.name.clone()).unwrap_or_default();
        self.threads.insert(
            tid,
            Thread {
                pid,
                parent: if parent == pid { 0 } else { parent },
                name,
                born: self.now,
                from_birth,
                gap: self.gaps,
                state: State::Unknown,
                since: self.now,
                run: 0,
                ready: 0,
                blocked: 0,
                waits: 0,
                quiet: 0,
                quiet_before: 0,
                waited: Account::default(),
                path: Path::default(),
                run_before: 0,
                leaves: false,
                queues: false,
                recent: Recent::default(),
                delay: None,
                unexplained: 0,
            },
        );
        if tid == pid {
            self.appeared.push(pid);
        }
        self.unknown += 1;
        self.enter(tid, state);
    }

    /// Whatever the thread is in ends now, and this begins.
    fn enter(&mut self, tid: i32, state: State) {
        let (now, was_quiet, quiet_since) = (self.now, self.is_quiet(), self.quiet_since);
        let quiet = self.quiet;
        let Some(thread) = self.threads.get_mut(&tid).filter(|thread| thread.state != state) else { return };
        let time = now - thread.since;
        match thread.state {
            State::Unknown => self.unknown -= 1,
            State::Held => {}
            State::On => {
                thread.run += time;
                thread.waited.run(time);
                self.running -= 1;
            }
            State::New | State::Ready => {
                thread.ready += time;
                thread.recent.ready += time;
                self.ready -= 1;
            }
            State::Waiting => {
                self.waiting -= 1;
                thread.waits += 1;
                thread.blocked += time;
                thread.quiet += quiet - thread.quiet_before;
                if let Some(division) = &self.division {
                    let why = thread.waited.current();
                    let quiet = quiet.saturating_sub(thread.quiet_before.max(division.from()));
                    thread.path.through(Link { pid: thread.pid, tid, why, quiet });
                }
                thread.waited.end(time, quiet - thread.quiet_before);
                thread.leaves = false;
                self.queued -= usize::from(std::mem::take(&mut thread.queues));
                thread.recent.waited += time;
                thread.recent.quiet += if was_quiet { now - quiet_since } else { 0 };
            }
        }
        thread.state = state;
        thread.since = now;
        thread.quiet_before = quiet;
        match state {
            State::Waiting => {
                thread.waited.begin(None);
                self.waiting += 1;
            }
            State::Unknown => self.unknown += 1,
            State::On => self.running += 1,
            State::New | State::Ready => self.ready += 1,
            State::Held => {}
        }
        if !was_quiet && self.is_quiet() {
            self.quiet_since = now;
        }
    }

    /// It has just been said to wait, and is ready to go on instead: it did not wait.
    fn put_off(&mut self, tid: i32) {
        let now = self.now;
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let time = now - thread.since;
        thread.waited.begin(None);
        self.queued -= usize::from(std::mem::take(&mut thread.queues));
        thread.ready += time;
        thread.recent.ready += time;
        thread.state = State::Ready;
        thread.since = now;
        self.waiting -= 1;
        self.ready += 1;
    }

    fn is_quiet(&self) -> bool {
        self.running == 0 && self.ready == 0
    }

    /// A CPU runs one thread at a time: if another one was there, its leaving is missing.
    fn vacate(&mut self, cpu: usize, tid: i32) {
        const CPUS: usize = 4096;
        if self.cpus.len() <= cpu && cpu < CPUS {
            self.cpus.resize(cpu + 1, None);
        }
        let Some(before) = self.cpus.get_mut(cpu).and_then(Option::take).filter(|before| *before != tid)
        else {
            return;
        };
        if self.threads.get(&before).is_some_and(|thread| thread.state == State::On) {
            self.enter(before, State::Waiting);
        }
    }

    fn end(&mut self, tid: i32) {
        let Some(thread) = self.threads.get(&tid) else { return };
        let exact = thread.exact(self.now, self.quiet);
        // What it was in is over; that it ran last is so by nature.
        self.enter(tid, State::Unknown);
        let Some(mut thread) = self.threads.remove(&tid) else { return };
        self.unknown -= 1;
        let waits = thread.waited.take(None);
        if let Some(division) = &mut self.division {
            division.end(tid, thread.path, thread.run - thread.run_before);
        }
        if thread.pid == tid {
            self.locks.remove(&tid);
        }
        let of_process = self.threads.get(&thread.pid).map_or(0, |first| first.parent);
        self.ended.push(Ended {
            pid: thread.pid,
            parent: if thread.parent == 0 { of_process } else { thread.parent },
            tid,
            name: thread.name,
            at: self.now,
            exact,
            ready: thread.ready,
            waits,
        });
    }

    /// All other threads of a process end with an exec, and whoever calls it becomes the first.
    fn exec(&mut self, pid: i32, tid: i32) {
        let others: Vec<i32> = self
            .threads
            .iter()
            .filter(|(other, thread)| thread.pid == pid && **other != tid)
            .map(|(other, _)| *other)
            .collect();
        for other in others {
            self.end(other);
        }
        self.thread(pid, tid, 0, State::Unknown, false);
        self.enter(tid, State::On);
    }
}

impl Thread {
    /// Time on a CPU up to now.
    fn ran(&self, now: u64) -> u64 {
        self.run + if self.state == State::On { now - self.since } else { 0 }
    }

    fn exact(&self, now: u64, quiet: u64) -> Option<Exact> {
        let up_to_now = |state: State, time: u64| if self.state == state { time } else { 0 };
        (self.state != State::Unknown).then_some(Exact {
            run: self.ran(now),
            ready: self.ready,
            waited: self.blocked + up_to_now(State::Waiting, now - self.since),
            waits: self.waits,
            quiet: self.quiet + up_to_now(State::Waiting, quiet.saturating_sub(self.quiet_before)),
            running: self.state == State::On,
            since: self.born,
            from_birth: self.from_birth,
            gap: self.gap,
        })
    }
}

#[cfg(test)]
mod tests;
