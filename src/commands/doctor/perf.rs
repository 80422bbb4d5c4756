//! `perf_event_open`, tried for real on the child: the CPU clock, which shows native threads while they run; and levels S
//! and K, of which this version only says whether they could be had here.

use std::time::{Duration, Instant};
use std::{fs, io, thread};

use perf_event::events::Software;
use perf_event::{Builder, Counter};

use crate::profile::source::native::on_cpu::CpuSampler;

use super::procfs::refused;
use super::subject::Subject;
use super::{Check, Outcome};

/// How the names of these checks begin.
pub(super) const PREFIX: &str = "perf level";

/// `PERF_SAMPLE_CALLCHAIN`.
const CALLCHAIN: u64 = 1 << 5;

/// Both levels.
pub(super) fn levels(subject: &mut Subject) -> [Check; 2] {
    let switches = switch_records(subject.pid()).map(|_| String::new());
    let reasons = kernel_reasons(subject).map(|()| String::new());
    [
        Check {
            source: "perf level S",
            outcome: Outcome::of(switches.map_err(|error| refusal(&error))),
            gives: "exact times on and off the CPU, preemption told from blocking (not used by this version)",
            costs: "nothing in this version: /proc and rusage carry the verdict",
            enable: "sudo sysctl kernel.perf_event_paranoid=2; in a container: docker run --cap-add PERFMON"
                .to_owned(),
            essential: false,
        },
        Check {
            source: "perf level K",
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

/// Level S: records of every switch, user side only.
fn switch_records(pid: i32) -> io::Result<Counter> {
    let mut builder = Builder::new().kind(Software::DUMMY).observe_pid(pid);
    builder.attrs_mut().set_context_switch(1);
    builder.build()
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
    while start.elapsed() < Duration::from_millis(200) {
        if counter.read()? > 0 {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::other("opened, but it counts no switch"))
}
