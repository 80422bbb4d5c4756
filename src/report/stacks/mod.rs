//! Call stacks for the viewers people have: one file per format.
//!
//! All show the same: the wall time that the program spent in each stack, computing and waiting in one picture. The
//! innermost level says which: `[cpu]`, `[network db.local:5432]`. Formats that hold several pictures have the parts on
//! their own as well.

mod firefox;
mod flamegraph;
mod folded;
mod pprof;
mod speedscope;

use std::path::Path;
use std::time::Duration;

use crate::profile::stack::Frame;
use crate::profile::{Profile, StackTime};
use crate::wait::{Account, WaitKind};

pub(super) use firefox::to_firefox;
pub(super) use flamegraph::to_flamegraph;
pub(super) use folded::to_folded;
pub(super) use pprof::to_pprof;
pub(super) use speedscope::to_speedscope;

/// Time in one stack, as every viewer wants it.
struct Row<'a> {
    /// The process, then functions from the outermost to the innermost, then what was done there.
    levels: Vec<Level<'a>>,
    account: Account,
    /// Wall time that the program spent.
    wall: Duration,
    /// Thread-time.
    time: Duration,
    /// Waits that ended.
    episodes: u64,
}

/// One level of a stack in a viewer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Level<'a> {
    name: String,
    /// The function and its place; `None`: a process, or what was done.
    frame: Option<&'a Frame>,
}

/// Which part of the time a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Everything,
    Computing,
    Waiting,
}

impl Part {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Everything, "wall"), (Self::Computing, "on-CPU"), (Self::Waiting, "off-CPU")];

    fn holds(self, account: Account) -> bool {
        match self {
            Self::Everything => true,
            Self::Computing => account == Account::Cpu,
            Self::Waiting => account != Account::Cpu,
        }
    }
}

/// Every stack of a profile, in its order.
fn rows(profile: &Profile) -> Vec<Row<'_>> {
    profile.call_stacks.stacks.iter().map(|stack| row(profile, stack)).collect()
}

fn row<'a>(profile: &'a Profile, stack: &StackTime) -> Row<'a> {
    let plain = |name: String| Level { name, frame: None };
    let frames =
        stack.frames.iter().rev().filter_map(|frame| profile.call_stacks.frames.get(*frame as usize));
    let levels = [plain(stack.process.clone())]
        .into_iter()
        .chain(frames.map(|frame| Level { name: label(frame), frame: Some(frame) }))
        .chain([plain(doing(stack))])
        .collect();
    Row { levels, account: stack.account, wall: stack.critical, time: stack.time, episodes: stack.episodes }
}

/// `fetch_row (etl.py:42)`.
fn label(frame: &Frame) -> String {
    let file = frame
        .file
        .as_deref()
        .map(|file| Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy()));
    match (file, frame.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", frame.function),
        (Some(file), None) => format!("{} ({file})", frame.function),
        (None, _) => frame.function.clone(),
    }
}

/// `[cpu]`, `[network db.local:5432]`, `[disk fsync]`.
fn doing(stack: &StackTime) -> String {
    let what = match (stack.account, &stack.resource) {
        (Account::Wait(WaitKind::Sleep | WaitKind::Gil), _) => "",
        (_, Some(resource)) => resource,
        (_, None) => &stack.operation,
    };
    let name = stack.account.name();
    if what.is_empty() { format!("[{name}]") } else { format!("[{name} {what}]") }
}

/// The hue of an account, degrees: computing is warm, waiting is cold.
fn hue(account: Account) -> u32 {
    match account {
        Account::Cpu => 28,
        Account::Runnable | Account::Throttled => 350,
        Account::Unattributed => 0,
        Account::Wait(kind) => match kind {
            WaitKind::Gil => 330,
            WaitKind::Lock => 285,
            WaitKind::Network => 215,
            WaitKind::Disk => 180,
            WaitKind::Pipe => 160,
            WaitKind::Child => 135,
            WaitKind::Sleep => 255,
            WaitKind::Paging => 70,
            WaitKind::Tty | WaitKind::Idle => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::CallStacks;

    pub(super) fn profile() -> Profile {
        let frame = |function: &str, line, own| Frame {
            function: function.to_owned(),
            file: Some("/srv/etl.py".to_owned()),
            line: Some(line),
            own,
        };
        let stack = |account, frames: &[u32], ms, resource: Option<&str>| StackTime {
            process: "python3".to_owned(),
            account,
            operation: if account == Account::Cpu { String::new() } else { "recv".to_owned() },
            resource: resource.map(str::to_owned),
            frames: frames.to_vec(),
            time: Duration::from_millis(2 * ms),
            critical: Duration::from_millis(ms),
            episodes: 3,
        };
        Profile {
            wall: Duration::from_secs(1),
            call_stacks: CallStacks {
                frames: vec![frame("fetch", 42, true), frame("main", 88, true), frame("a;b\n<c>", 1, false)],
                stacks: vec![
                    stack(Account::Wait(WaitKind::Network), &[0, 1], 900, Some("db:5432")),
                    stack(Account::Cpu, &[2, 1], 90, None),
                    stack(Account::Wait(WaitKind::Sleep), &[], 10, None),
                ],
                read: 100,
                torn: 0,
            },
            ..Profile::default()
        }
    }

    #[test]
    fn a_stack_reads_from_the_process_to_what_is_done() {
        let profile = profile();
        let names: Vec<String> = rows(&profile)[0].levels.iter().map(|level| level.name.clone()).collect();
        assert_eq!(names, ["python3", "main (etl.py:88)", "fetch (etl.py:42)", "[network db:5432]"]);
        assert_eq!(rows(&profile)[2].levels.last().unwrap().name, "[sleep]");
    }
}
