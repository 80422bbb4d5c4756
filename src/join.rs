//! Findings of a scan beside what was measured: how long the program really spent on each. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::finding::{Finding, Place};
use crate::profile::{CallStacks, StackTime};
use crate::wait::Account;

/// A finding, and what its line cost in the run that was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What the scan says.
    pub finding: Finding,
    /// What the run says; `None`: the line was in no stack that was seen.
    pub spent: Option<Spent>,
}

/// Time that stacks through one line took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Wall time that the program spent.
    pub wall: Duration,
    /// Of the thread-time, what was waited.
    pub waited: Duration,
    /// Of the thread-time, what was computed.
    pub computed: Duration,
    /// Waits that ended.
    pub waits: u64,
}

/// The findings of a project at `root`, those that cost most wall time first; what was not seen comes last, in the order
/// of the scan.
#[must_use]
pub fn ranked(findings: Vec<Finding>, root: &Path, stacks: &CallStacks) -> Vec<Measured> {
    let mut measured: Vec<Measured> = findings
        .into_iter()
        .map(|finding| {
            let spent = spent(&finding.seen.place, root, stacks);
            Measured { finding, spent }
        })
        .collect();
    measured.sort_by_key(|measured| {
        Reverse(measured.spent.map(|spent| (spent.wall, spent.waited, spent.computed)))
    });
    measured
}

/// What stacks through a stretch of source took, wherever in them it stands.
fn spent(place: &Place, root: &Path, stacks: &CallStacks) -> Option<Spent> {
    let lines = place.line..=place.end_line.max(place.line);
    let file = root.join(&*place.path);
    let frames: BTreeSet<u32> = (0u32..)
        .zip(&stacks.frames)
        .filter(|(_, frame)| frame.line.is_some_and(|line| lines.contains(&line)))
        .filter(|(_, frame)| frame.file.as_deref().is_some_and(|path| is_same(Path::new(path), &file)))
        .map(|(number, _)| number)
        .collect();
    let through = |stack: &&StackTime| stack.frames.iter().any(|frame| frames.contains(frame));
    let mut found = None;
    for stack in stacks.stacks.iter().filter(through) {
        let spent = found.get_or_insert_with(Spent::default);
        spent.wall += stack.critical;
        if stack.account == Account::Cpu {
            spent.computed += stack.time;
        } else {
            spent.waited += stack.time;
        }
        spent.waits += stack.episodes;
    }
    found
}

/// Whether a path as the program knows its source is that of a file: programs may name it from where they were started,
/// and may have run elsewhere than they are scanned.
fn is_same(named: &Path, file: &Path) -> bool {
    let named = named.strip_prefix(".").unwrap_or(named);
    file.ends_with(named) || (named.is_absolute() && file.is_relative() && named.ends_with(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Observation, Severity};
    use crate::profile::stack::Frame;
    use crate::wait::WaitKind;

    fn finding(path: &str, line: u32) -> Finding {
        let place =
            Place { path: path.into(), line, column: 1, end_line: line, end_column: 9, bytes: (0, 9) };
        Finding {
            seen: Observation::new("blocking-call-in-async", place, "f".into(), "time.sleep".into()),
            severity: Severity::Error,
            confidence: Confidence::High,
            message: String::new(),
            why: String::new(),
            cure: String::new(),
            opportunity: false,
            fingerprint: format!("{path}:{line}"),
        }
    }

    fn stacks() -> CallStacks {
        let frame = |file: &str, line| Frame {
            function: "f".to_owned(),
            file: Some(file.to_owned()),
            line: Some(line),
            own: true,
        };
        let stack = |account, frames: &[u32], ms| StackTime {
            process: "python3".to_owned(),
            account,
            operation: String::new(),
            resource: None,
            frames: frames.to_vec(),
            time: Duration::from_millis(ms),
            critical: Duration::from_millis(ms / 2),
            episodes: 1,
        };
        CallStacks {
            frames: vec![frame("/srv/app/web.py", 12), frame("/srv/app/main.py", 3), frame("web.py", 40)],
            stacks: vec![
                stack(Account::Wait(WaitKind::Network), &[0, 1], 100),
                stack(Account::Cpu, &[1], 10),
                stack(Account::Wait(WaitKind::Sleep), &[2, 1], 600),
            ],
            read: 3,
            torn: 0,
        }
    }

    #[test]
    fn what_costs_most_comes_first_and_what_was_not_seen_last() {
        let findings =
            vec![finding("web.py", 99), finding("web.py", 12), finding("main.py", 3), finding("web.py", 40)];
        let ranked = ranked(findings, Path::new("/srv/app"), &stacks());
        let lines: Vec<u32> = ranked.iter().map(|measured| measured.finding.seen.place.line).collect();
        assert_eq!(lines, [3, 40, 12, 99]);
        let whole = ranked[0].spent.unwrap();
        assert_eq!(
            (whole.wall.as_millis(), whole.waited.as_millis(), whole.computed.as_millis()),
            (355, 700, 10)
        );
        assert_eq!(ranked[3].spent, None);
    }

    #[test]
    fn a_path_is_known_by_its_end() {
        let same = |named: &str, file: &str| is_same(Path::new(named), Path::new(file));
        assert!(same("./jobs/etl.py", "/srv/jobs/etl.py") && same("etl.py", "/srv/jobs/etl.py"));
        assert!(same("/build/src/main.rs", "src/main.rs"));
        assert!(!same("other/etl.py", "/srv/jobs/etl.py") && !same("tl.py", "/srv/jobs/etl.py"));
        assert!(!same("/elsewhere/etl.py", "/srv/jobs/etl.py"));
    }
}
