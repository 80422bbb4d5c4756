//! Every switch, birth, name and end of the threads of a program, as the kernel writes them down: allowed to any user for
//! programs of his own. With them, where it is allowed, why the threads left their CPU. Knows the records of
//! `perf_event_open(2)`; must not know what follows from them.

use perf_event::Builder;
use perf_event::events::Software;

use super::super::memory::{half, word};
use super::order::InOrder;
use super::reasons::{self, Chains, SAMPLE};
use super::ring::Event;
use super::wakeups::{NoWakeups, Wakeups};
use super::{LOST, Refused, Watch, kallsyms};
use crate::profile::switching::{Record, What};

/// Pages for the records of one CPU: half of what any user may lock by default, so that threads can be looked at while
/// they run, too. Room for ten thousand switches.
const PAGES: usize = 64;
/// Where every switch is wanted, however fast they come: a fiftieth of a second of the most there can be.
const PAGES_FOR_ALL: usize = 1024;
/// With the reasons of switches, six times as much is written.
const PAGES_FOR_REASONS: usize = 1024;
const PAGES_FOR_ALL_REASONS: usize = 2048;
/// With fewer pages, they would be lost.
const FEWEST_FOR_REASONS: usize = 64;
/// Most CPUs where reasons are told: every thread that is started gets two events for each, which takes it time.
const CPUS_FOR_REASONS: usize = 32;
/// Most events opened at once: as many descriptors.
const EVENTS: usize = 4096;

/// `PERF_SAMPLE_TID`, `_TIME`: they stand behind every record, in this order.
const PARTS: u64 = 1 << 1 | 1 << 2;
/// `PERF_RECORD_COMM`, `_EXIT`, `_FORK`, `_SWITCH`.
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SWITCH: u32 = 14;
/// Flags of a record: `PERF_RECORD_MISC_SWITCH_OUT`, `_SWITCH_OUT_PREEMPT`, `_COMM_EXEC`.
const SWITCH_OUT: u16 = 1 << 13;
const STILL_READY: u16 = 1 << 14;
const BY_EXEC: u16 = 1 << 13;
/// Bytes of thread and time behind a record.
const TRAILER: usize = 16;

/// Whether a program may be left alone when it switches too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It is.
    Limited,
    /// Whoever asked wants all switches.
    Endless,
}

/// The records of a program's switches.
#[derive(Debug)]
pub(crate) struct SwitchRecords {
    watch: Watch,
    /// When the recording began, `CLOCK_MONOTONIC`, nanoseconds.
    began: u64,
    records: InOrder,
    /// There was no room for so many.
    pub(crate) lost: u64,
    /// The events that tell why, while they are wanted, and the call chains they told.
    reasons: Vec<Event>,
    chains: Chains,
    /// Who wakes whom, where that is wanted.
    wakeups: Option<Wakeups>,
}

impl SwitchRecords {
    /// Begins with these threads and all they start. Times count from `began`.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn open(tids: &[i32], began: u64, patience: Patience) -> Result<Self, Refused> {
        let pages = match patience {
            Patience::Limited => PAGES,
            Patience::Endless => PAGES_FOR_ALL,
        };
        let watch = Watch::open(tids, pages, EVENTS, description)?;
        Ok(Self::of(watch, began))
    }

    /// As [`SwitchRecords::open`], and why threads leave their CPU.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn open_with_reasons(tids: &[i32], began: u64, patience: Patience) -> Result<Self, Refused> {
        let pages = match patience {
            Patience::Limited => PAGES_FOR_REASONS,
            Patience::Endless => PAGES_FOR_ALL_REASONS,
        };
        if !kallsyms::are_shown() {
            return Err(Refused::NoSymbols);
        }
        let watch = Watch::open(tids, pages, EVENTS, description)?;
        if watch.cpus() > CPUS_FOR_REASONS {
            return Err(Refused::TooMany);
        }
        if watch.pages() < FEWEST_FOR_REASONS {
            return Err(Refused::NoMemory);
        }
        let mut records = Self::of(watch, began);
        records.reasons = records.watch.beside(tids, reasons::description)?;
        Ok(records)
    }

    fn of(watch: Watch, began: u64) -> Self {
        Self {
            watch,
            began,
            records: InOrder::default(),
            lost: 0,
            reasons: Vec::new(),
            chains: Chains::default(),
            wakeups: None,
        }
    }

    /// Has wake-ups told, too: those of all threads of the machine.
    ///
    /// # Errors
    /// Why they cannot be.
    pub(crate) fn add_wakeups(&mut self) -> Result<(), NoWakeups> {
        self.wakeups = Some(Wakeups::open()?);
        Ok(())
    }

    /// Times count from then. What happened before was at the beginning.
    pub(crate) fn count_from(&mut self, began: u64) {
        self.began = began;
    }

    /// Follows another thread that was there before; `false`: it is gone.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn add(&mut self, tid: i32) -> Result<bool, Refused> {
        if !self.watch.add(tid, description)? {
            return Ok(false);
        }
        if !self.reasons.is_empty() {
            self.reasons.extend(self.watch.beside(&[tid], reasons::description)?);
        }
        Ok(true)
    }

    /// Hands over all that happened before a moment that has passed, in the order of time. What a CPU has not finished
    /// writing by then is late. Returns how many there were.
    pub(crate) fn drain(&mut self, until: u64, take: impl FnMut(&Record)) -> usize {
        let Self { watch, records, lost, began, chains, wakeups, .. } = self;
        watch.drain(|cpu, kind, flags, body| {
            if kind == LOST {
                *lost = lost.saturating_add(word(body, 8).unwrap_or(0));
            }
            records.extend(match kind {
                SAMPLE => reasons::decode(cpu, body, *began, chains),
                _ => decode(cpu, kind, flags, body, *began),
            });
        });
        if let Some(wakeups) = wakeups {
            wakeups.drain(*began, |record| records.extend([record]));
        }
        records.hand_over(until, take)
    }

    /// Descriptors that are spent on it.
    pub(crate) fn descriptors(&self) -> usize {
        let wakeups = self.wakeups.as_ref().map_or(0, Wakeups::descriptors);
        self.watch.events.len() + self.reasons.len() + wakeups
    }

    /// Wake-ups there was no room for; `None`: none are told.
    pub(crate) fn wakeups_lost(&self) -> Option<u64> {
        self.wakeups.as_ref().map(|wakeups| wakeups.lost)
    }

    /// Call chains of the kernel, as reasons name them.
    pub(crate) fn chains(&self) -> &Chains {
        &self.chains
    }

    /// Whether it may tell why threads leave their CPU.
    pub(crate) fn tells_reasons(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// Has the kernel tell no reasons for a while, or go on.
    pub(crate) fn pause_reasons(&self, paused: bool) {
        self.reasons.iter().for_each(|event| event.pause(paused));
    }

    /// Has the kernel write nothing down for a while, or go on.
    pub(crate) fn pause(&self, paused: bool) {
        self.watch.pause(paused);
    }
}

fn description<'b>(tid: i32, cpu: usize) -> Builder<'b> {
    let mut builder = Builder::new().kind(Software::DUMMY).observe_pid(tid).one_cpu(cpu);
    // Whoever asks for the program's side alone needs no rights.
    builder.exclude_kernel(true).exclude_hv(true).inherit(true).enabled(true);
    let attributes = builder.attrs_mut();
    attributes.sample_type = PARTS;
    attributes.read_format = 0;
    attributes.set_sample_id_all(1);
    attributes.set_context_switch(1);
    attributes.set_task(1);
    attributes.set_comm(1);
    attributes.set_comm_exec(1);
    attributes.clockid = libc::CLOCK_MONOTONIC;
    attributes.set_use_clockid(1);
    builder
}

/// A record; `None`: one that says nothing of a thread.
fn decode(cpu: usize, kind: u32, flags: u16, body: &[u8], began: u64) -> Option<Record> {
    let trailer = body.get(body.len().checked_sub(TRAILER)?..)?;
    let time = word(trailer, 8)?.saturating_sub(began);
    let number = |at: usize| half(body, at).map(u32::cast_signed);
    let (pid, tid, what) = match kind {
        SWITCH if flags & SWITCH_OUT == 0 => (number(0)?, number(4)?, What::In),
        SWITCH => (number(0)?, number(4)?, What::Out { ready: flags & STILL_READY != 0 }),
        FORK => (number(0)?, number(8)?, What::Born { parent: number(4)? }),
        EXIT => (number(0)?, number(8)?, What::Died),
        COMM => {
            let name = body.get(8..body.len() - TRAILER)?.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            (number(0)?, number(4)?, What::Named { name, exec: flags & BY_EXEC != 0 })
        }
        // The thread on whose behalf it was written is not the one it is about.
        LOST => (0, 0, What::Lost),
        _ => return None,
    };
    Some(Record { time, cpu, pid, tid, what })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record as the kernel writes it: 32-bit numbers, text, and thread and time behind.
    fn body(numbers: &[i32], text: &[u8], time: u64) -> Vec<u8> {
        let mut body: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        body.extend(text);
        body.extend([7i32, 8].iter().flat_map(|number| number.to_ne_bytes()));
        body.extend(time.to_ne_bytes());
        body
    }

    #[test]
    fn records_are_read_as_the_kernel_writes_them() {
        let read = |kind, flags, body: &[u8]| decode(3, kind, flags, body, 100).unwrap();
        let of = |pid, tid, what| Record { time: 50, cpu: 3, pid, tid, what };
        assert_eq!(read(SWITCH, 0, &body(&[], b"", 150)), of(7, 8, What::In));
        let out = |flags| read(SWITCH, SWITCH_OUT | flags, &body(&[], b"", 150)).what;
        assert_eq!([out(0), out(STILL_READY)], [What::Out { ready: false }, What::Out { ready: true }]);
        // Process, its parent, thread, the parent's thread, time.
        let birth = body(&[20, 10, 21, 11, 150, 0], b"", 150);
        assert_eq!(read(FORK, 0, &birth), of(20, 21, What::Born { parent: 10 }));
        assert_eq!(read(EXIT, 0, &birth), of(20, 21, What::Died));
        let name = What::Named { name: "sh".to_owned(), exec: true };
        assert_eq!(read(COMM, BY_EXEC, &body(&[20, 21], b"sh\0\0\0\0\0\0", 150)), of(20, 21, name));
        assert_eq!(read(LOST, 0, &body(&[1, 0, 9, 0], b"", 150)).what, What::Lost);
    }

    proptest! {
        #[test]
        fn any_record_is_read(kind in 0..20u32, flags: u16, body: Vec<u8>, began: u64) {
            decode(0, kind, flags, &body, began);
        }
    }
}
