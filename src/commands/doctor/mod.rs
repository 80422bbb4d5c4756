//! `boundby doctor`: tries every measuring source on a child of its own and says what works, what its absence costs
//! and what to type. Nothing is concluded from settings: what counts is whether the file opens and says something.

mod perf;
mod procfs;
mod subject;
mod table;

use std::io::Write;

use anyhow::Context as _;

use super::calibrate;
use crate::cli::DoctorArgs;
use crate::machine::{self, Machine, QuotaReader};
use crate::{exit, units};
use subject::Subject;

/// One measuring source and how it fared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    source: &'static str,
    outcome: Outcome,
    /// What it is good for.
    gives: &'static str,
    /// What is missing without it.
    costs: &'static str,
    /// What to type to get it.
    enable: String,
    /// Whether level P is impossible without it.
    essential: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It delivers; the text may add what it said.
    Works(String),
    /// The system refused, or what it said is of no use.
    Refused(String),
    /// It could not be tried here.
    Untried(String),
}

impl Outcome {
    fn of(result: Result<String, String>) -> Self {
        result.map_or_else(Self::Refused, Self::Works)
    }
}

/// Runs the checks and writes the table. Returns the exit code: 0, or 1 where level P itself is impossible, so that a
/// profile could tell no more than the total CPU time.
///
/// # Errors
///
/// Fails if `out` cannot be written, or if no child can be started to try the sources on.
pub fn run(args: &DoctorArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut subject = Subject::start().context("cannot start a child process to try the sources on")?;
    let machine = machine::survey(Some(subject.pid()));
    let mut checks = procfs::own_child(&subject);
    checks.push(quota(&machine, subject.pid()));
    checks.push(perf::cpu_clock(&subject));
    checks.extend(perf::levels(&mut subject));
    checks.push(procfs::rusage(subject));
    checks.push(procfs::visibility());
    checks.push(procfs::attach(args.pid));
    checks.push(calibration(&machine));

    writeln!(out, "{}\n", headline(&machine))?;
    write!(out, "{}", table::render(&checks, table::terminal_width()))?;
    writeln!(out, "\n{}", summary(&checks))?;
    for note in &machine.notes {
        writeln!(out, "Note: {note}")?;
    }
    Ok(if possible(&checks) { exit::SUCCESS } else { exit::FINDINGS })
}

fn possible(checks: &[Check]) -> bool {
    essential_missing(checks).is_empty()
}

fn essential_missing(checks: &[Check]) -> Vec<&'static str> {
    let works = |check: &Check| matches!(check.outcome, Outcome::Works(_));
    checks.iter().filter(|check| check.essential && !works(check)).map(|check| check.source).collect()
}

fn headline(machine: &Machine) -> String {
    let quota = match machine.quota {
        Some(cores) => units::significant(cores),
        None if unseen_quota(machine).is_some() => "unknown".to_owned(),
        None => "none".to_owned(),
    };
    let bytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), |size| units::bytes(size as f64));
    let limit = machine.memory_limit.map(|limit| format!(" (limit {})", units::bytes(limit as f64)));
    format!(
        "Linux {}: {}, {} usable, CPU quota {quota}; memory {}{}, {} available; open files {}",
        machine.kernel,
        units::count(machine.cpus_logical.into(), "CPU"),
        machine.cpus(),
        bytes(machine.memory_total),
        limit.unwrap_or_default(),
        bytes(machine.memory_available),
        machine.max_open_files.map_or_else(|| "without a known limit".to_owned(), |files| files.to_string()),
    )
}

fn summary(checks: &[Check]) -> String {
    if !possible(checks) {
        let names = essential_missing(checks).join(", ");
        return format!(
            "Level P (/proc) is impossible here: {names}. A profile could tell no more than the total CPU time."
        );
    }
    let refused = checks.iter().filter(|check| matches!(check.outcome, Outcome::Refused(_)));
    let names: Vec<_> = refused.map(|check| check.source).collect();
    let missing = match names.as_slice() {
        [] => "All sources of this version work.".to_owned(),
        names => format!("Missing: {}; profiles say so where it matters.", names.join(", ")),
    };
    let works = |source: &str| {
        checks.iter().any(|check| check.source == source && matches!(check.outcome, Outcome::Works(_)))
    };
    let levels = match (works(perf::SWITCHES), works(perf::REASONS)) {
        (true, true) => "up to level K: every switch is told, and why",
        (true, false) => "up to level S: every switch is told",
        (false, _) => "levels P and R: /proc and rusage",
    };
    format!("Profiling works here ({levels}). {missing}")
}

/// What the survey has to say where it may have missed a quota.
fn unseen_quota(machine: &Machine) -> Option<&String> {
    machine.notes.iter().find(|note| note.contains("quota"))
}

fn quota(machine: &Machine, pid: i32) -> Check {
    let result = match (machine.quota, unseen_quota(machine)) {
        (Some(quota), _) if QuotaReader::open(pid).is_some() => {
            Ok(format!("quota of {} cores", units::significant(quota)))
        }
        (Some(quota), _) => {
            Err(format!("quota of {} cores, but its cpu.stat cannot be read", units::significant(quota)))
        }
        (None, Some(note)) => Err(note.clone()),
        (None, None) => Ok("no quota set".to_owned()),
    };
    Check {
        source: "cgroup",
        outcome: Outcome::of(result),
        gives: "CPU quota and throttling, memory limit, limit on tasks",
        costs: "a program stopped by its quota looks as if other programs held the CPUs; worker counts may be too high",
        enable: "mount the cgroup file system read-only: docker run -v /sys/fs/cgroup:/sys/fs/cgroup:ro"
            .to_owned(),
        essential: false,
    }
}

/// What predictions rest on: it is no source, and nothing that was measured misses it.
fn calibration(machine: &Machine) -> Check {
    Check {
        source: "calibration",
        outcome: calibrate::told(machine).map_or_else(Outcome::Untried, Outcome::Works),
        gives: "predictions by what workers cost on this computer",
        costs: "",
        enable: String::new(),
        essential: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &'static str, essential: bool, outcome: Outcome) -> Check {
        Check { source, outcome, gives: "", costs: "", enable: String::new(), essential }
    }

    #[test]
    fn this_computer_is_examined_and_the_child_is_gone_afterwards() {
        let mut out = Vec::new();
        let code = run(&DoctorArgs::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for source in [
            "process files",
            "schedstat",
            "syscall",
            "rusage",
            "cgroup",
            "CPU clock",
            "perf level S",
            "perf level K",
            "attach",
        ] {
            assert!(text.contains(source), "{source} is missing from:\n{text}");
        }
        assert_eq!(code, exit::SUCCESS, "{text}");
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        assert_eq!(children.trim(), "", "a child was left behind");
    }

    #[test]
    fn only_an_essential_source_makes_measuring_impossible() {
        let refused = || Outcome::Refused("denied".to_owned());
        let optional = [check("a", true, Outcome::Works(String::new())), check("wchan", false, refused())];
        assert!(possible(&optional));
        assert!(summary(&optional).contains("Missing: wchan"), "{}", summary(&optional));
        let essential = [check("a", true, refused())];
        assert!(!possible(&essential));
        assert!(summary(&essential).starts_with("Level P (/proc) is impossible here: a."));
    }

    #[test]
    fn a_quota_that_may_be_hidden_is_not_called_none() {
        let machine =
            Machine { notes: vec!["x: a CPU quota would be missed".to_owned()], ..Machine::default() };
        assert!(matches!(quota(&machine, 0).outcome, Outcome::Refused(_)));
        assert_eq!(quota(&Machine::default(), 0).outcome, Outcome::Works("no quota set".to_owned()));
    }
}
