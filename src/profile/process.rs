//! One process of the measured tree, as seen through `/proc`: its threads, its memory, its runtime. The edge: reads
//! the kernel and turns readings into plain values; decides nothing.

mod census;
mod namespaces;
mod reasons;
mod stacks;
mod timeouts;
mod told;

use std::fs::File;
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustc_hash::FxHashMap;

use self::timeouts::Timeouts;
pub(super) use self::told::{told_of_the_gone, told_site_of_the_gone};
use super::callers::Callers;
use super::dispatches::{Dispatches, News};
use super::following::Following;
use super::handed::Handed;
use super::ledger::{Ledger, Reading, Under};
use super::observation::Birth;
use super::source::descriptors::Descriptors;
use super::source::elf::ElfFiles;
use super::source::interpreter::{Interpreter, LockState, Owner};
use super::source::native::Images;
use super::source::procfs::{
    ChildrenOf, KeptFile, Stat, numbered, out_of_descriptors, parse_preemptions, parse_schedstat,
    parse_syscall, read_stat,
};
use super::stack::StackId;
use super::stack_reads::StackReads;
use super::switching::{Ended, Exact, Waits};
use super::thread_clock::{Counters, Seen, SiteId};
use crate::wait::WaitKind;
use crate::wait::classify::Call;

/// A classified wait is believed for this long when the same call repeats at the same place: descriptors are reused.
const BELIEVED_NS: u64 = 100_000_000;
/// Threads whose preemptions are counted in a round: a file of text for each.
pub(super) const PREEMPTIONS_COUNTED: usize = 16;

/// Shared look-ups of one tree.
#[derive(Debug)]
pub(super) struct Lookups {
    /// Executables read so far.
    pub(super) files: ElfFiles,
    /// Descriptors and sockets.
    pub(super) descriptors: Descriptors,
    /// Processes of the tree.
    pub(super) pids: Vec<i32>,
    /// Descriptors boundby may still keep open.
    pub(super) descriptors_left: usize,
    /// Threads whose preemptions may still be counted in this round.
    pub(super) preemptions_left: usize,
    /// Threads whose system call could not be read.
    pub(super) hidden: u64,
    /// Call stacks looked at.
    pub(super) stack_reads: StackReads,
    /// Native code that stacks lead through.
    pub(super) images: Images,
    /// Processes whose threads may still be looked at while they run.
    pub(super) samplers_left: usize,
    /// The records of all switches, where there are any.
    pub(super) following: Option<Following>,
}

impl Lookups {
    /// What is known exactly of a thread.
    fn exact(&self, tid: i32) -> Option<Exact> {
        self.following.as_ref()?.of(tid)
    }

    /// See [`Following::before`].
    fn before(&self, tid: i32) -> Counters {
        self.following.as_ref().map_or_else(Counters::default, |following| following.before(tid))
    }

    /// Whether a process or thread that was known is so no more.
    pub(super) fn has_told_the_end_of(&self, tid: i32) -> bool {
        self.are_told()
            && self.following.as_ref().is_some_and(|following| !following.will_tell_the_end_of(tid))
    }

    /// Whether births and ends of threads and processes are told: each one, as long as no record was lost.
    fn are_told(&self) -> bool {
        self.following.as_ref().is_some_and(|following| following.is_told() && following.lost() == 0)
    }
}

/// Rounds in which a thread may be gone before its end is told.
const VANISHED: u8 = 2;

/// Descriptors that may be spent on one thread.
const DESCRIPTORS_KEPT: usize = 3;
/// Descriptors left for everything else.
const DESCRIPTORS_SPARE: usize = 64;

/// One thread's sources.
#[derive(Debug)]
struct ThreadSource {
    tid: i32,
    /// By which it knows itself.
    inner: i32,
    schedstat: KeptFile,
    syscall: KeptFile,
    /// How many descriptors are spent on them.
    descriptors: usize,
    children: ChildrenOf,
    /// Before the recording began, and as the kernel showed them last, beyond that.
    before: Counters,
    counters: Counters,
    /// As the books have them.
    handed: Handed,
    dispatches: Dispatches,
    /// It was found in this round.
    fresh: bool,
    /// Rounds since it could be read.
    vanished: u8,
    blocked: bool,
    /// It waits in a stack that could not be read yet.
    unplaced: bool,
    last: Option<Wait>,
}

/// A wait that was classified.
#[derive(Debug, Clone, Copy)]
struct Wait {
    at: Call,
    site: SiteId,
    kind: WaitKind,
    since: u64,
    /// See [`Reason::is_unnamed`].
    unnamed: bool,
    /// For somebody from outside to ask for something.
    serves: bool,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    /// Its id.
    pub(super) pid: i32,
    threads: Vec<ThreadSource>,
    /// `/proc/PID/task`, which has a link for each thread; and how many it had when they were last listed.
    directory: Option<File>,
    links: u64,
    memory: Option<File>,
    interpreter: Option<Interpreter>,
    callers: Callers,
    /// See [`Evidence::semaphore_locks`].
    semaphore_locks: bool,
    /// Of its first thread.
    timeouts: Timeouts,
    /// Blocking points by what the kernel tells of a wait, and until when that is believed.
    told_sites: FxHashMap<(u32, u64, u64), (SiteId, u64)>,
    runtime_looks: usize,
    /// Birth or last exec.
    image_since: u64,
    stack: u64,
    next_census: u64,
    next_children: u64,
    /// Threads that ran since they were last asked for their children.
    unasked: Vec<i32>,
    moved: bool,
    /// Threads that ended but are still listed: zombies whose parent has not asked for them yet.
    ended: Vec<i32>,
    /// Whether its threads know themselves by other numbers.
    nested: bool,
}

impl ThreadSource {
    /// Whether its end is still to be told, if it cannot be read any more.
    fn is_awaited(&self, lookups: &Lookups) -> bool {
        let following = lookups.following.as_ref();
        self.vanished <= VANISHED
            && following.is_some_and(|following| following.will_tell_the_end_of(self.tid))
    }

    fn queues(&self, interpreter: &Interpreter) -> bool {
        matches!(self.last, Some(Wait { at: Call::Inside { args, .. }, .. }) if interpreter.queues_at(args[0]))
    }
}

/// What became of a process in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It lives; these are children not known before.
    Alive(Vec<i32>),
    /// It is gone.
    Gone,
}

impl Process {
    /// A process found at `now`.
    #[must_use]
    pub(super) fn new(pid: i32, now: u64) -> Self {
        Self {
            pid,
            threads: Vec::new(),
            directory: None,
            links: 0,
            memory: None,
            interpreter: None,
            callers: Callers::default(),
            semaphore_locks: false,
            timeouts: Timeouts::default(),
            told_sites: FxHashMap::default(),
            runtime_looks: 0,
            image_since: now,
            stack: 0,
            next_census: now,
            next_children: now,
            unasked: Vec::new(),
            moved: true,
            ended: Vec::new(),
            nested: namespaces::is_nested(pid),
        }
    }

    /// Takes one round of readings. `attached`: threads found now were there before the recording began.
    pub(super) fn round(
        &mut self,
        now: u64,
        attached: bool,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
        readings: &mut Vec<Reading>,
    ) -> Outcome {
        if (self.moved || self.threads.is_empty()) && !self.list_threads(now, attached, lookups, ledger) {
            return Outcome::Gone;
        }
        if now >= self.next_census && self.moved {
            self.census(now, lookups, ledger);
        }
        self.place_running(lookups, ledger);
        let (mut lock, mut moved_threads) = (None, Vec::new());
        let first = readings.len();
        let mut gone = Vec::new();
        for i in 0..self.threads.len() {
            match self.read_thread(i, now, &mut lock, lookups, ledger) {
                Ok(Some(reading)) => {
                    moved_threads.push(reading.tid);
                    readings.push(reading);
                }
                Ok(None) => {}
                Err(_) if self.is_awaited(i, lookups) => {}
                Err(tid) => gone.push(tid),
            }
            self.threads[i].fresh = false;
        }
        if let Some(lock) = lock {
            self.excuse_queued(lock, &mut readings[first..]);
        }
        if !gone.is_empty() {
            self.links = 0;
            self.ended.retain(|tid| !gone.contains(tid));
            self.ended.extend(&gone);
            self.threads.retain(|thread| {
                let is_gone = gone.contains(&thread.tid);
                if is_gone {
                    ledger.thread_gone(thread.tid);
                    lookups.descriptors_left += thread.descriptors;
                }
                !is_gone
            });
        }
        self.moved = !moved_threads.is_empty() || !gone.is_empty();
        if self.threads.is_empty() && !self.list_threads(now, attached, lookups, ledger) {
            return Outcome::Gone;
        }
        Outcome::Alive(self.new_children(now, moved_threads, lookups))
    }

    /// Brings the list of threads up to date; `false`: the process is gone.
    fn list_threads(&mut self, now: u64, attached: bool, lookups: &mut Lookups, ledger: &mut Ledger) -> bool {
        let directory = PathBuf::from(format!("/proc/{}/task", self.pid));
        if self.directory.is_none() && lookups.descriptors_left > DESCRIPTORS_SPARE {
            self.directory = File::open(&directory).ok();
            lookups.descriptors_left -= usize::from(self.directory.is_some());
        }
        let data = self.directory.as_ref().map_or_else(|| std::fs::metadata(&directory), File::metadata);
        let Ok(data) = data else { return self.is_told_of(lookups) || self.forget(lookups, ledger) };
        if data.st_nlink() == self.links && !self.threads.is_empty() {
            return true;
        }
        self.links = data.st_nlink();
        let listed = match numbered(&directory) {
            Ok(listed) if !listed.is_empty() => listed,
            Err(error) if out_of_descriptors(&error) => {
                // There is none left to list it with: asked again.
                self.links = 0;
                return true;
            }
            _ => return self.is_told_of(lookups) || self.forget(lookups, ledger),
        };
        // Whoever is not listed any more is no zombie; a program may start any number of threads.
        self.ended.retain(|tid| listed.contains(tid));
        let mut known: Vec<i32> = self.threads.iter().map(|thread| thread.tid).collect();
        known.sort_unstable();
        let mut starved = false;
        for tid in listed {
            if known.binary_search(&tid).is_ok() || self.is_zombie(tid, lookups) {
                continue;
            }
            let keep = lookups.descriptors_left > DESCRIPTORS_SPARE;
            let at = |name: &str| directory.join(tid.to_string()).join(name);
            let Ok(schedstat) = KeptFile::open(at("schedstat"), keep) else { continue };
            // Where it may not be opened, waits can still be told from the kernel function and the state.
            let Ok(syscall) =
                KeptFile::open(at("syscall"), keep).or_else(|_| KeptFile::open(at("syscall"), false))
            else {
                continue;
            };
            let mut buffer = [0u8; 96];
            let text = schedstat.read(&mut buffer);
            starved |= text.as_ref().is_err_and(out_of_descriptors);
            let Some(counters) = text.ok().and_then(parse_schedstat) else { continue };
            let before = lookups.before(tid);
            let counters = counters.since(before);
            let descriptors = if keep { DESCRIPTORS_KEPT } else { 0 };
            lookups.descriptors_left = lookups.descriptors_left.saturating_sub(descriptors);
            let (handed, born) = Handed::new(counters, lookups.exact(tid));
            let (since, begun) = born.map_or((now, counters), |born| (born, Counters::default()));
            ledger.thread(Birth { pid: self.pid, tid, at: since, counters: begun, newborn: !attached });
            self.threads.push(ThreadSource {
                tid,
                inner: if self.nested { namespaces::inner_id(self.pid, tid) } else { tid },
                schedstat,
                syscall,
                children: ChildrenOf::at(at("children")),
                descriptors,
                before,
                counters,
                handed,
                dispatches: Dispatches::new(counters.slices),
                fresh: true,
                vanished: 0,
                blocked: false,
                unplaced: false,
                last: None,
            });
        }
        // A zombie still has its directory, but nothing of it can be read any more.
        !self.threads.is_empty() || starved || self.forget(lookups, ledger)
    }

    /// Whether the end of one of its threads is still to be told: it ended after the records were read last.
    fn is_told_of(&mut self, lookups: &Lookups) -> bool {
        self.links = 0;
        self.threads.iter().any(|thread| thread.is_awaited(lookups))
    }

    /// Ends its threads in the books; always `false`.
    pub(super) fn forget(&mut self, lookups: &mut Lookups, ledger: &mut Ledger) -> bool {
        for thread in self.threads.drain(..) {
            ledger.thread_gone(thread.tid);
            lookups.descriptors_left += thread.descriptors;
        }
        lookups.descriptors_left += usize::from(self.memory.take().is_some());
        lookups.descriptors_left += usize::from(self.directory.take().is_some());
        self.forget_callers(lookups);
        false
    }

    /// Opens its memory, anew after an exec, where a descriptor may be spent on it.
    fn open_memory(&mut self, lookups: &mut Lookups) {
        lookups.descriptors_left += usize::from(self.memory.take().is_some());
        if lookups.descriptors_left > DESCRIPTORS_SPARE {
            self.memory = File::open(format!("/proc/{}/mem", self.pid)).ok();
            lookups.descriptors_left -= usize::from(self.memory.is_some());
        }
    }

    /// Whether a thread that is listed has ended. Its end may be told before it shows.
    fn is_zombie(&self, tid: i32, lookups: &Lookups) -> bool {
        // Whoever is told to have ended and goes on all the same changed its user, and is told of no more.
        let told = lookups.has_told_the_end_of(tid);
        let is_over = |stat: Stat| ended(stat.state) || told && stat.exiting;
        self.ended.contains(&tid) && self.thread_stat(tid).is_none_or(is_over)
    }

    /// One thread's reading; `Ok(None)`: it did not move. `Err`: it is gone.
    fn read_thread(
        &mut self,
        index: usize,
        now: u64,
        lock: &mut Option<LockState>,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> Result<Option<Reading>, i32> {
        let thread = &self.threads[index];
        let tid = thread.tid;
        let mut buffer = [0u8; 256];
        let text = match thread.schedstat.read(&mut buffer) {
            Ok(text) => text,
            // Nothing was learnt, which is not to say that it is gone.
            Err(error) if out_of_descriptors(&error) => return Ok(None),
            Err(_) => return Err(tid),
        };
        let counters = parse_schedstat(text).ok_or(tid)?.since(thread.before);
        let exact = lookups.exact(tid);
        if counters == thread.counters && thread.blocked && !thread.handed.moved(exact) {
            if let Some(following) = &mut lookups.following {
                following.rests(tid);
            }
            if thread.unplaced {
                self.place_wait(index, lookups, ledger);
            }
            let thread = &self.threads[index];
            if thread.last.is_some_and(|wait| wait.unnamed) && lookups.descriptors.may_name(now) {
                self.name_wait(index, now, lookups, ledger);
            }
            return Ok(None);
        }
        if tid == self.pid {
            self.timeouts.went_on();
        }
        let thread = &self.threads[index];
        let at = match thread.syscall.read(&mut buffer) {
            Ok(text) => parse_syscall(text),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Err(tid),
            Err(_) => Call::Hidden,
        };
        // A zombie can still be read; it only looks like a thread outside any call.
        if matches!(at, Call::Outside { sp: 0, .. })
            && self.thread_stat(tid).is_none_or(|stat| ended(stat.state))
        {
            return Err(tid);
        }
        let seen = self.sight(index, &at, now, lookups, ledger);
        let under = match seen {
            Seen::Active => self.under(self.threads[index].inner, lock),
            Seen::Blocked(_) => Under::Unknown,
        };
        let blocks = matches!(seen, Seen::Blocked(_));
        let stack = self.stack(index, &at, blocks.then_some(counters), lookups, ledger);
        let seen = self.told_by_tasks(index, seen, now, lookups, ledger);
        let was_blocked = self.threads[index].blocked;
        let news = self.threads[index].dispatches.since(counters.slices, was_blocked);
        // What a computing thread was dispatched after shows when it is next seen in a wait.
        let is_due = blocks || was_blocked;
        let preemptions = if is_due && exact.is_none() && matches!(news, News::Unclear { .. }) {
            self.count_preemptions(tid, lookups)
        } else {
            None
        };
        let thread = &mut self.threads[index];
        if let Some(following) = lookups.following.as_mut().filter(|_| !thread.fresh || exact.is_some()) {
            following.looked((self.pid, tid), counters, thread.counters, !blocks);
        }
        thread.counters = counters;
        thread.blocked = blocks;
        if is_due {
            thread.dispatches.count(counters.slices, news, preemptions);
        }
        let counted = Counters { slices: thread.dispatches.after_waits, ..counters };
        let (counters, quiet) = thread.handed.next(counted, exact);
        let waits = lookups.following.as_mut().map(|following| following.waits(tid)).unwrap_or_default();
        self.tell(tid, waits, now, lookups, ledger);
        Ok(Some(Reading { tid, counters, seen, under, stack, quiet }))
    }

    /// Where a thread stands to the interpreter lock, which is read once per round, beside the first active thread.
    fn under(&mut self, inner: i32, lock: &mut Option<LockState>) -> Under {
        let (Some(interpreter), Some(memory)) = (&mut self.interpreter, &self.memory) else {
            return Under::Unknown;
        };
        if !interpreter.has_lock() {
            return Under::Unknown;
        }
        if lock.is_none() {
            let threads = &self.threads;
            let is_thread = |inner: i32| threads.iter().any(|thread| thread.inner == inner);
            *lock = interpreter.state(memory, is_thread);
        }
        match lock.map(|lock| lock.owner) {
            Some(Owner::Thread(holder)) if holder == inner => Under::Lock,
            Some(Owner::Thread(_) | Owner::Nobody) => Under::Outside,
            _ => Under::Unknown,
        }
    }

    /// A thread that was woken to take the lock but has not got a CPU yet looks like one that computes outside it. As
    /// many as the lock counts in its queue beyond those seen blocked there are no witnesses.
    fn excuse_queued(&self, lock: LockState, readings: &mut [Reading]) {
        let Some(interpreter) = &self.interpreter else { return };
        let blocked =
            self.threads.iter().filter(|thread| thread.blocked && thread.queues(interpreter)).count();
        let mut woken = (lock.queued as usize).saturating_sub(blocked);
        for reading in readings.iter_mut().filter(|reading| reading.under == Under::Outside) {
            if woken == 0 {
                return;
            }
            woken -= 1;
            reading.under = Under::Queued;
        }
    }

    fn preemptions(&self, tid: i32) -> Option<u64> {
        let mut buffer = [0u8; 4096];
        let file = File::open(format!("/proc/{}/task/{tid}/status", self.pid)).ok()?;
        // The kernel writes it in one piece.
        let length = file.read_at(&mut buffer, 0).ok()?;
        parse_preemptions(buffer.get(..length)?)
    }

    /// As long as there is time for it in this round.
    fn count_preemptions(&self, tid: i32, lookups: &mut Lookups) -> Option<u64> {
        lookups.preemptions_left = lookups.preemptions_left.checked_sub(1)?;
        self.preemptions(tid)
    }

    /// A thread that has ended, with its last `counters`.
    pub(super) fn last_words(&mut self, tid: i32, counters: Counters) -> Option<Reading> {
        let preemptions = self.preemptions(tid);
        let thread = self.threads.iter_mut().find(|thread| thread.tid == tid)?;
        let counters = counters.since(thread.before);
        let news = thread.dispatches.since(counters.slices, thread.blocked);
        thread.dispatches.count(counters.slices, news, preemptions);
        let counted = Counters { slices: thread.dispatches.after_waits, ..counters };
        Some(last_reading(tid, thread.handed.next(counted, None)))
    }

    /// Lets the books know what a thread waited for, as the kernel told.
    fn tell(&mut self, tid: i32, waits: Vec<Waits>, now: u64, lookups: &mut Lookups, ledger: &mut Ledger) {
        let told = self.told(tid, waits, now, lookups, ledger);
        if !told.is_empty() {
            ledger.told(tid, told);
        }
    }

    /// The end of a thread was told. Returns its last reading, if it was known.
    pub(super) fn end(&mut self, end: &Ended, lookups: &mut Lookups, ledger: &mut Ledger) -> Option<Reading> {
        self.ended.push(end.tid);
        let at = self.threads.iter().position(|thread| thread.tid == end.tid)?;
        self.tell(end.tid, end.waits.clone(), end.at, lookups, ledger);
        let thread = self.threads.swap_remove(at);
        lookups.descriptors_left += thread.descriptors;
        self.links = 0;
        self.moved = true;
        let mut buffer = [0u8; 96];
        let last = thread.schedstat.read(&mut buffer).ok().and_then(parse_schedstat);
        let last = last.map(|last| last.since(thread.before));
        Some(last_reading(end.tid, thread.handed.end(end.exact, last)))
    }

    /// Whether a thread that cannot be read any more has an end that is still to be told.
    fn is_awaited(&mut self, index: usize, lookups: &Lookups) -> bool {
        let thread = &mut self.threads[index];
        thread.vanished += 1;
        thread.is_awaited(lookups)
    }

    /// Threads that can be found.
    pub(super) fn has(&self, tid: i32) -> bool {
        self.threads.iter().any(|thread| thread.tid == tid)
    }

    fn thread_stat(&self, tid: i32) -> Option<Stat> {
        read_stat(format!("/proc/{}/task/{tid}/stat", self.pid).as_ref())
    }

    /// Children that are not known yet. Only a thread that ran can have started one.
    fn new_children(&mut self, now: u64, moved: Vec<i32>, lookups: &Lookups) -> Vec<i32> {
        // One that starts its children and waits for them must be asked though it does not run again.
        self.unasked.extend(moved);
        self.unasked.sort_unstable();
        self.unasked.dedup();
        if self.unasked.is_empty() || now < self.next_children {
            return Vec::new();
        }
        if lookups.are_told() {
            self.unasked.clear();
            return Vec::new();
        }
        let asked = std::mem::take(&mut self.unasked);
        // Wide processes are asked less often: the cost is one file per thread that ran.
        self.next_children = now + 2_000_000 * asked.len() as u64;
        self.threads
            .iter_mut()
            .filter(|thread| asked.binary_search(&thread.tid).is_ok())
            .flat_map(|thread| thread.children.read(thread.descriptors > 0))
            .filter(|pid| lookups.pids.binary_search(pid).is_err())
            .collect()
    }
}

/// What a thread had done when it ended.
fn last_reading(tid: i32, (counters, quiet): (Counters, Option<u64>)) -> Reading {
    Reading { tid, counters, seen: Seen::Active, under: Under::Unknown, stack: StackId::UNSEEN, quiet }
}

/// Whether a thread in this state has ended, though it is still listed.
pub(super) fn ended(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}
