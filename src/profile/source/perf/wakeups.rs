//! Who wakes whom, on the whole machine: of a program's own events, the kernel tells only what the program wakes, not what
//! interrupts and others wake of it. Allowed to root. Knows the kernel's trace events and how one of them is written; must not
//! know what follows from a wake-up.

use std::io;
use std::path::PathBuf;

use perf_event::Builder;
use perf_event::events::Software;

use super::super::memory::{half, word};
use super::reasons::SAMPLE;
use super::{LOST, Refused, Watch};
use crate::profile::switching::{Record, What};

/// Where trace events are shown, if the system shows them where it usually does.
const USUAL: &str = "/sys/kernel/tracing";
/// What is mounted where.
const MOUNTS: &str = "/proc/mounts";
/// The event: it happens where the waker runs; the one that tells of its end may happen where the woken thread will.
const EVENT: &str = "events/sched/sched_waking/format";
/// The name space in which threads are numbered, and the number of the first one (`PROC_PID_INIT_INO`).
const NAMES: &str = "/proc/self/ns/pid";
const FIRST: &str = "pid:[4026531836]";
/// Pages for the records of one CPU: 32,000 wake-ups, as a busy machine has them while nobody reads for some time.
const PAGES: usize = 512;
/// `PERF_TYPE_TRACEPOINT`.
const TRACEPOINT: u32 = 2;
/// `PERF_SAMPLE_TID`, `_TIME`, `_RAW`; a sample has them in this order.
const PARTS: u64 = 1 << 1 | 1 << 2 | 1 << 10;
/// Where the length of what the event says stands in a sample, and what it says.
const RAW: usize = 16;
const SAID: usize = 20;
/// Where its flags are, and those of interrupts: `TRACE_FLAG_HARDIRQ`, `_SOFTIRQ`, `_NMI`.
const FLAGS: usize = SAID + 2;
const INTERRUPT: u8 = 0x08 | 0x10 | 0x40;

/// Why wake-ups are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWakeups {
    /// The events have no names.
    #[error("the kernel's trace events are not mounted (sudo mount -t tracefs nodev /sys/kernel/tracing)")]
    NotMounted,
    /// Or may not be used.
    #[error("what the whole machine does is told to root alone (sudo)")]
    NotRoot,
    /// The event is missing, or is not written as it is known.
    #[error("this kernel has no event sched_waking that is known here")]
    NotKnown,
    /// Threads have other numbers here.
    #[error(
        "boundby runs in a name space of its own, where threads have other numbers (docker run --pid host)"
    )]
    OtherNames,
}

/// The wake-ups of the whole machine.
#[derive(Debug)]
pub(crate) struct Wakeups {
    watch: Watch,
    layout: Layout,
    /// There was no room for so many.
    pub(crate) lost: u64,
}

impl Wakeups {
    /// Has all wake-ups told from now on.
    ///
    /// # Errors
    /// Why they cannot be.
    pub(crate) fn open() -> Result<Self, NoWakeups> {
        if std::fs::read_link(NAMES).is_ok_and(|names| names.as_os_str() != FIRST) {
            return Err(NoWakeups::OtherNames);
        }
        let layout = layout()?;
        // All threads there are, on each CPU.
        let watch = Watch::open(&[-1], PAGES, usize::MAX, |_, cpu| description(layout.id, cpu));
        let watch = watch.map_err(|why| match why {
            Refused::NotAllowed => NoWakeups::NotRoot,
            _ => NoWakeups::NotKnown,
        })?;
        Ok(Self { watch, layout, lost: 0 })
    }

    /// Hands over what was told since the last time, those of one CPU in the order of time. Times count from `began`.
    pub(super) fn drain(&mut self, began: u64, mut take: impl FnMut(Record)) {
        let Self { watch, layout, lost } = self;
        watch.drain(|cpu, kind, _, body| match kind {
            LOST => *lost = lost.saturating_add(word(body, 8).unwrap_or(0)),
            SAMPLE => {
                if let Some(record) = decode(cpu, body, began, layout.pid) {
                    take(record);
                }
            }
            _ => {}
        });
    }

    /// Descriptors that are spent on it.
    pub(super) fn descriptors(&self) -> usize {
        self.watch.events.len()
    }
}

/// How the event is known to the kernel, and where it says who is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    id: u64,
    pid: usize,
}

impl Layout {
    /// Reads the kernel's description.
    fn parse(text: &str) -> Option<Self> {
        let number = |line: &str, name: &str| -> Option<usize> {
            line.split([';', '\t', '\n']).find_map(|part| part.trim().strip_prefix(name)?.trim().parse().ok())
        };
        let field = text.lines().find(|line| line.contains("field:pid_t pid;"))?;
        let id = text.lines().find_map(|line| number(line, "ID:"))?;
        Some(Self { id: id as u64, pid: number(field, "offset:")? })
    }
}

fn layout() -> Result<Layout, NoWakeups> {
    let mounts = std::fs::read_to_string(MOUNTS).unwrap_or_default();
    let mut refused = NoWakeups::NotMounted;
    for place in places(&mounts) {
        match std::fs::read_to_string(place.join(EVENT)) {
            Ok(text) => return Layout::parse(&text).ok_or(NoWakeups::NotKnown),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = NoWakeups::NotRoot,
            Err(_) => {}
        }
    }
    Err(refused)
}

/// Where trace events may be shown.
fn places(mounts: &str) -> Vec<PathBuf> {
    let place = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let place = PathBuf::from(words.next()?);
        match words.next()? {
            "tracefs" => Some(place),
            "debugfs" => Some(place.join("tracing")),
            _ => None,
        }
    };
    [PathBuf::from(USUAL)].into_iter().chain(mounts.lines().filter_map(place)).collect()
}

fn description<'b>(id: u64, cpu: usize) -> Builder<'b> {
    // What kind it is, is said below.
    let mut builder = Builder::new().kind(Software::DUMMY).any_pid().one_cpu(cpu);
    builder.include_kernel().include_hv().enabled(true).sample_period(1);
    let attributes = builder.attrs_mut();
    attributes.type_ = TRACEPOINT;
    attributes.config = id;
    attributes.sample_type = PARTS;
    attributes.read_format = 0;
    attributes.clockid = libc::CLOCK_MONOTONIC;
    attributes.set_use_clockid(1);
    builder
}

/// A wake-up: the thread that is woken, and by whom. `pid`: where the event says which.
fn decode(cpu: usize, body: &[u8], began: u64, pid: usize) -> Option<Record> {
    let waker = half(body, 4)?.cast_signed();
    let time = word(body, 8)?.saturating_sub(began);
    let length = half(body, RAW)? as usize;
    let said = body.get(..SAID.checked_add(length)?)?;
    let tid = half(said, SAID.checked_add(pid)?)?.cast_signed();
    let interrupted = said.get(FLAGS)? & INTERRUPT != 0;
    let by = (!interrupted && waker > 0).then_some(waker);
    Some(Record { time, cpu, pid: 0, tid, what: What::Woken { by } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMAT: &str = "name: sched_waking
ID: 375
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:int prio;\toffset:28;\tsize:4;\tsigned:1;
\tfield:int target_cpu;\toffset:32;\tsize:4;\tsigned:1;

print fmt: \"comm=%s pid=%d prio=%d target_cpu=%03d\", REC->comm, REC->pid, REC->prio, REC->target_cpu
";

    /// A sample as the kernel writes it: thread 8 of process 7 wakes thread 9.
    fn sample(flags: u8) -> Vec<u8> {
        let mut body = [7i32, 8].map(i32::to_ne_bytes).concat();
        body.extend(150u64.to_ne_bytes());
        body.extend(36u32.to_ne_bytes());
        body.extend([0x77, 0x01, flags, 1, 8, 0, 0, 0]);
        body.extend(*b"woken\0\0\0\0\0\0\0\0\0\0\0");
        body.extend([9i32, 120, 1].map(i32::to_ne_bytes).concat());
        body
    }

    #[test]
    fn a_wake_up_is_read_as_the_kernel_describes_it() {
        let layout = Layout::parse(FORMAT).unwrap();
        assert_eq!(layout, Layout { id: 375, pid: 24 });
        let read = |flags| decode(3, &sample(flags), 100, layout.pid).unwrap();
        let of = |by| Record { time: 50, cpu: 3, pid: 0, tid: 9, what: What::Woken { by } };
        // Interrupts off, and somebody else is to run: it is still the thread that wakes.
        assert_eq!([read(0), read(0x01 | 0x04)], [of(Some(8)), of(Some(8))]);
        // An interrupt on top of it, or what one left to be done.
        assert_eq!([read(0x09), read(0x10)], [of(None), of(None)]);
        assert_eq!(Layout::parse("name: sched_waking\nID: 375\n"), None);
    }

    #[test]
    fn events_are_looked_for_where_something_shows_them() {
        let mounts = "proc /proc proc rw 0 0\nnone /debug debugfs rw 0 0\nnodev /events tracefs rw 0 0\n";
        let expected = [USUAL, "/debug/tracing", "/events"].map(PathBuf::from);
        assert_eq!(places(mounts), expected);
    }

    proptest! {
        #[test]
        fn any_sample_is_read(body: Vec<u8>, text: String, began: u64, pid: usize) {
            decode(0, &body, began, pid);
            Layout::parse(&text);
            places(&text);
        }
    }
}
