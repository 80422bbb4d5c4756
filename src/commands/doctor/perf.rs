//! `perf_event_open`, tried for real on the child: the CPU clock, which shows native threads while they run; the records of
//! switches (level S); and level K, of which this version only says whether it could be had here.

use std::time::{Duration, Instant};
use std::{fs, io, thread};

use perf_event::Builder;
use perf_event::events::Software;

use crate::profile::source::native::on_cpu::CpuSampler;
use crate::profile::source::perf::events::{Patience, SwitchRecords};

use super::procfs::refused;
use super::subject::Subject;
use super::{Check, Outcome};

/// The check of the records of switches.
pub(super) const SWITCHES: &str = "perf level S";
/// The check of what this version does not use.
pub(super) const UNUSED: &str = "perf level K";

/// How long the child may take to switch.
const PATIENCE: Duration = Duration::from_millis(200);

/// `PERF_SAMPLE_CALLCHAIN`.
const CALLCHAIN: u64 = 1 << 5;

/// Both levels.
pub(super) fn levels(subject: &mut Subject) -> [Check; 2] {
    let switches = switch_records(subject).map(|()| String::new());
    let reasons = kernel_reasons(subject).map(|()| String::new());
    [
        Check {
            source: SWITCHES,
            outcome: Outcome::of(switches),
            gives: "exact times on and off the CPU of every thread and child, however short",
            costs: "times come from counters that are looked at again and again (level P); children of a few \
                    milliseconds are known by their sum",
            enable: "sudo sysctl kernel.perf_event_paranoid=2; in a container: docker run --cap-add PERFMON"
                .to_owned(),
            essential: false,
        },
        Check {
            source: UNUSED,
            outcome: Outcome::of(reasons.map_err(|error| refusal(&error))),
            gives: "the reason of every single wait, from the kernel's own stack (not used by this version)",
            costs: "nothing in this version: /proc and rusage carry the verdict",
            enable: "sudo sysctl kernel.perf_event_paranoid=1; in a container: docker run --cap-add PERFMON"
                .to_owned(),
            essential: false,
        },
    ]
}

/// Native threads while they run.
pub(super) fn cpu_clock(subject: &Subject) -> Check {
    let opened = CpuSampler::open(&[subject.pid()]);
    Check {
        source: "CPU clock",
        outcome: Outcome::of(opened.map(|_| String::new()).map_err(|why| why.to_string())),
        gives: "the lines of native code that compute (those that wait, and all of CPython, need memory alone)",
        costs: "lines that compute are not named in native code; those that wait are",
        enable: "sudo sysctl kernel.perf_event_paranoid=2; in a container: docker run --cap-add PERFMON"
            .to_owned(),
        essential: false,
    }
}

/// What the system said, with the setting that most often decides.
fn refusal(error: &io::Error) -> String {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
    let setting = paranoid.map(|value| format!(", perf_event_paranoid is {}", value.trim()));
    format!("{}{}", refused(error), setting.unwrap_or_default())
}

/// Level S: the child is made to switch, which must be told.
fn switch_records(subject: &mut Subject) -> Result<(), String> {
    let mut records =
        SwitchRecords::open(&[subject.pid()], 0, Patience::Limited).map_err(|why| why.to_string())?;
    subject.poke().map_err(|error| refused(&error))?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if records.drain(u64::MAX, |_| ()) > 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err("opened, but it tells of no switch".to_owned())
}

/// Level K: every switch with the kernel's call chain. Some systems open the event and never fire it, so the child is
/// made to switch.
fn kernel_reasons(subject: &mut Subject) -> io::Result<()> {
    let mut builder = Builder::new().kind(Software::CONTEXT_SWITCHES).observe_pid(subject.pid());
    builder.include_kernel().sample_period(1);
    let attributes = builder.attrs_mut();
    attributes.sample_type = CALLCHAIN;
    attributes.set_exclude_callchain_user(1);
    let mut counter = builder.build()?;
    counter.enable()?;
    subject.poke()?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if counter.read()? > 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::other("opened, but it counts no switch"))
}
