//! What the kernel writes down about a program while it runs: `perf_event_open(2)` and the memory its records come in.
//! Nothing is stopped; the program does not notice.

pub(crate) mod events;
pub(crate) mod kallsyms;
mod order;
pub(crate) mod reasons;
mod ring;
pub(crate) mod wakeups;

use std::io;

use perf_event::Builder;

use self::ring::{Event, Ring};

/// `PERF_RECORD_LOST`: there was no room for so many records.
pub(super) const LOST: u32 = 2;
/// Most CPUs: every thread that is started gets an event for each, which takes it time.
const CPUS: usize = 64;
/// Fewest pages that are of use: room for a few records.
const FEWEST_PAGES: usize = 16;

/// Why the kernel writes nothing down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The system does not allow it: a setting, or a container's filter.
    #[error("perf_event_open was refused (kernel.perf_event_paranoid, or a container's filter)")]
    NotAllowed,
    /// The kernel cannot do it.
    #[error("this kernel does not offer it")]
    NotSupported,
    /// There are more CPUs, or more threads already, than can be looked at without cost.
    #[error("there are too many threads or CPUs to look at without cost")]
    TooMany,
    /// No memory may be locked for the records.
    #[error("no memory may be locked for it (ulimit -l)")]
    NoMemory,
    /// What the kernel's functions are called is not shown.
    #[error("the kernel hides where its functions are (kernel.kptr_restrict)")]
    NoSymbols,
    /// The threads are gone.
    #[error("the threads are gone")]
    Gone,
    /// Who wakes whom is not told.
    #[error("who wakes whom: {0}")]
    Wakeups(wakeups::NoWakeups),
}

/// Events on threads, for each CPU, and the memory they write into: one piece for each CPU.
#[derive(Debug)]
pub(super) struct Watch {
    cpus: Vec<Cpu>,
    events: Vec<Event>,
    most_events: usize,
}

/// The number of a CPU, the first event there, and where all events there write.
#[derive(Debug)]
struct Cpu {
    number: usize,
    first: usize,
    ring: Ring,
}

impl Watch {
    /// Opens what `describe` says of a thread and a CPU, for all of both. Best opened on a command's only thread before it
    /// executes anything; of a process that runs already, on each of its threads.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn open<'b>(
        tids: &[i32],
        pages: usize,
        most_events: usize,
        describe: impl Fn(i32, usize) -> Builder<'b>,
    ) -> Result<Self, Refused> {
        let mut watch = Self { cpus: Vec::new(), events: Vec::new(), most_events };
        let mut cpu = 0;
        while watch.watch(tids, cpu, pages, &describe)? {
            cpu += 1;
        }
        Ok(watch)
    }

    /// Opens it on the threads while they run on one CPU; `false`: there are no further CPUs.
    fn watch<'b>(
        &mut self,
        tids: &[i32],
        cpu: usize,
        pages: usize,
        describe: &impl Fn(i32, usize) -> Builder<'b>,
    ) -> Result<bool, Refused> {
        let mut gone = 0;
        let mut first: Option<usize> = None;
        for tid in tids {
            let event = match self.event(describe(*tid, cpu)) {
                Ok(Some(event)) => event,
                Ok(None) => {
                    gone += 1;
                    continue;
                }
                Err(error) => match error.raw_os_error() {
                    // This CPU is not there now; and then, no further one may be.
                    Some(libc::ENODEV) => return Ok(true),
                    Some(libc::EINVAL) if !self.events.is_empty() => return Ok(false),
                    _ => return Err(refusal(&error)),
                },
            };
            if let Some(first) = first {
                event.write_to(&self.events[first]).map_err(|error| refusal(&error))?;
            } else {
                if self.cpus.len() == CPUS {
                    return Err(Refused::TooMany);
                }
                let ring = ring(&event, pages).map_err(|error| refusal(&error))?;
                self.cpus.push(Cpu { number: cpu, first: self.events.len(), ring });
                first = Some(self.events.len());
            }
            self.events.push(event);
        }
        if gone == tids.len() { Err(Refused::Gone) } else { Ok(true) }
    }

    /// Opens it on another thread, too; `false`: the thread is gone.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn add<'b>(
        &mut self,
        tid: i32,
        describe: impl Fn(i32, usize) -> Builder<'b>,
    ) -> Result<bool, Refused> {
        for at in 0..self.cpus.len() {
            let Cpu { number, first, .. } = self.cpus[at];
            let opened = self.event(describe(tid, number)).map_err(|error| refusal(&error))?;
            let Some(event) = opened else { return Ok(false) };
            event.write_to(&self.events[first]).map_err(|error| refusal(&error))?;
            self.events.push(event);
        }
        Ok(true)
    }

    /// Opens something else on threads, for each CPU, whose records come in the same memory. Threads that are gone are left
    /// out.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn beside<'b>(
        &self,
        tids: &[i32],
        describe: impl Fn(i32, usize) -> Builder<'b>,
    ) -> Result<Vec<Event>, Refused> {
        let mut opened = Vec::new();
        for Cpu { number, first, .. } in &self.cpus {
            for tid in tids {
                let event = self.event(describe(*tid, *number)).map_err(|error| refusal(&error))?;
                let Some(event) = event else { continue };
                event.write_to(&self.events[*first]).map_err(|error| refusal(&error))?;
                opened.push(event);
            }
        }
        Ok(opened)
    }

    /// CPUs there are.
    pub(super) fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Pages for the records of one CPU, where there are fewest.
    pub(super) fn pages(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.ring.pages()).min().unwrap_or(0)
    }

    /// `None`: the thread is gone.
    fn event(&self, description: Builder<'_>) -> io::Result<Option<Event>> {
        if self.events.len() >= self.most_events {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        match Event::open(description) {
            Ok(event) => Ok(Some(event)),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands over what was written since the last time: the number of the CPU, and type, flags and body of a record; all
    /// of one CPU in the order of time.
    pub(super) fn drain(&mut self, mut take: impl FnMut(usize, u32, u16, &[u8])) {
        for Cpu { number, ring, .. } in &mut self.cpus {
            ring.drain(|kind, flags, record| take(*number, kind, flags, record));
        }
    }

    /// Has the kernel write nothing down for a while, or go on.
    pub(super) fn pause(&self, paused: bool) {
        for event in &self.events {
            event.pause(paused);
        }
    }
}

/// Memory for an event's records: up to `most` pages, as many as may be had.
fn ring(event: &Event, most: usize) -> io::Result<Ring> {
    let mut pages = most;
    loop {
        match Ring::map(event, pages) {
            Err(error) if pages > FEWEST_PAGES && error.raw_os_error() != Some(libc::EINVAL) => pages /= 2,
            result => return result,
        }
    }
}

/// What the kernel means by it.
fn refusal(error: &io::Error) -> Refused {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => Refused::NotAllowed,
        Some(libc::ENOMEM) => Refused::NoMemory,
        Some(libc::EMFILE | libc::ENFILE) => Refused::TooMany,
        _ => Refused::NotSupported,
    }
}
