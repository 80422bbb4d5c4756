//! `perf_event_open`, tried for real on the child: the CPU clock, which shows native threads while they run; the records of
//! switches (level S); and the reasons of switches (level K).

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::profile::source::native::on_cpu::CpuSampler;
use crate::profile::source::perf::Refused;
use crate::profile::source::perf::events::{Patience, SwitchRecords};
use crate::profile::switching::What;

use super::procfs::refused;
use super::subject::Subject;
use super::{Check, Outcome};

/// The check of the records of switches.
pub(super) const SWITCHES: &str = "perf level S";
/// The check of their reasons.
pub(super) const REASONS: &str = "perf level K";

/// How long the child may take to switch.
const PATIENCE: Duration = Duration::from_millis(200);

/// Both levels.
pub(super) fn levels(subject: &mut Subject) -> [Check; 2] {
    let switches = told(subject, SwitchRecords::open, |what| matches!(what, What::In | What::Out { .. }));
    let reasons = told(subject, SwitchRecords::open_with_reasons, |what| matches!(what, What::Off(_)));
    [
        Check {
            source: SWITCHES,
            outcome: Outcome::of(switches.map(|()| "boundby profile --level s".to_owned())),
            gives: "exact times on and off the CPU of every thread and child, however short",
            costs: "times come from counters that are looked at again and again (level P); children of a few \
                    milliseconds are known by their sum",
            enable: "sudo sysctl kernel.perf_event_paranoid=2; in a container: docker run --cap-add PERFMON"
                .to_owned(),
            essential: false,
        },
        Check {
            source: REASONS,
            outcome: Outcome::of(reasons.map(|()| "boundby profile --level k".to_owned())),
            gives: "the reason of every single wait, from the kernel's own stack",
            costs: "what threads wait for is seen at random moments; what waits of children of a few milliseconds \
                    were for is not known",
            enable: setting_for_reasons().to_owned(),
            essential: false,
        },
    ]
}

/// What most often decides whether reasons are told.
fn setting_for_reasons() -> &'static str {
    let setting = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    match setting("kptr_restrict").trim() {
        "0" | "" => "sudo sysctl kernel.perf_event_paranoid=1; in a container: docker run --cap-add PERFMON",
        _ => "sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1",
    }
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

/// The child is made to switch, which must be told. (Some systems open such events and never let them fire.)
fn told(
    subject: &mut Subject,
    open: impl FnOnce(&[i32], u64, Patience) -> Result<SwitchRecords, Refused>,
    is_wanted: impl Fn(&What) -> bool,
) -> Result<(), String> {
    let mut records = open(&[subject.pid()], 0, Patience::Limited).map_err(reason)?;
    subject.poke().map_err(|error| refused(&error))?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mut is_told = false;
        records.drain(u64::MAX, |record| is_told |= is_wanted(&record.what));
        if is_told {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err("opened, but it tells of no switch".to_owned())
}

/// What the system said, with the setting that most often decides.
fn reason(why: Refused) -> String {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
    let setting = paranoid.filter(|_| why == Refused::NotAllowed);
    let setting = setting.map(|value| format!("; perf_event_paranoid is {}", value.trim()));
    format!("{why}{}", setting.unwrap_or_default())
}
