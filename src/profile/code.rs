//! Where in the source the time went: what was measured, as plain data. No I/O.

use std::time::Duration;

use super::stack::Frame;
use crate::wait::Account;

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// Function; empty: not known.
    pub function: String,
    /// Source file, as the runtime or the debug information names it.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<u32>,
}

impl Location {
    /// `etl.py:42`; `None` where the file is not known.
    #[must_use]
    pub fn short(&self) -> Option<String> {
        let name = self.file.as_deref()?.rsplit('/').next()?;
        Some(self.line.map_or_else(|| name.to_owned(), |line| format!("{name}:{line}")))
    }
}

impl From<&Frame> for Location {
    fn from(frame: &Frame) -> Self {
        let Frame { function, file, line, own: _ } = frame.clone();
        Self { function, file, line }
    }
}

/// What one line of the program did: it computed, or it waited for one kind of thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Computing, or waiting for this.
    pub account: Account,
    /// Where in the program's own code; `None`: the stack was not seen.
    pub at: Option<Location>,
    /// What is called there, where that is a library: `requests.api.get`.
    pub call: Option<String>,
    /// The own code that leads there, nearest first; of several ways the one that took most time.
    pub callers: Vec<Location>,
    /// The busiest of the system calls that it waits in; empty: it computes.
    pub operation: String,
    /// `host:port`, path, …; `None`: there are several, or it could not be resolved.
    pub resource: Option<String>,
    /// Command name of the process.
    pub process: String,
    /// Visits: the waits of the busiest system call. Zero where it computes: the visits are not known.
    pub episodes: u64,
    /// Whether they were counted one by one; `false`: estimated from switch counts.
    pub counted: bool,
    /// Blocked time, thread-seconds.
    pub wait: Duration,
    /// Wall time that the program spent on it: really waited for it, or computed it.
    pub critical: Duration,
    /// 95th percentile of a wait; `None`: not seen one by one.
    pub p95: Option<Duration>,
    /// CPU time: of the line where it computes, of what follows the waits where it waits.
    pub cpu: Duration,
    /// Share of the CPU time of a computing line that held the interpreter lock; `None`: not told.
    pub under_lock: Option<f64>,
    /// Threads that were seen here.
    pub threads: u64,
    /// Whether it is an event loop waiting for events.
    pub in_event_loop: bool,
    /// Tasks of the event loop that waited here at once, on average; `None`: it is in no task.
    pub tasks: Option<f64>,
    /// Whether an event loop called it, so that meanwhile no other task could go on.
    pub blocks_event_loop: bool,
}

/// Where in the program's own code repeated work is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// The line that most of its waiting is on.
    pub at: Location,
    /// What is called there, where that is a library.
    pub call: Option<String>,
    /// The own code that leads there, nearest first.
    pub callers: Vec<Location>,
    /// The function that waits, and does nothing else of an item; `None`: it waits among other things.
    pub waits_in: Option<String>,
    /// The line that most of its computing is on; `None`: not seen, or in several functions.
    pub computes_at: Option<Location>,
    /// The function that computes, and does nothing else of an item; `None`: it computes among other things.
    pub computes_in: Option<String>,
}

/// Time by call stack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallStacks {
    /// Frames that stacks refer to.
    pub frames: Vec<Frame>,
    /// Stacks, those with most time first; those with least of very many are added up without their frames.
    pub stacks: Vec<StackTime>,
    /// Stacks that were looked at.
    pub read: u64,
    /// Of them, those that changed while they were read, and so tell nothing.
    pub torn: u64,
}

/// What threads did with their time in one call stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackTime {
    /// Command name of the process.
    pub process: String,
    /// Computing, or waiting for this.
    pub account: Account,
    /// The system call; empty: it computes.
    pub operation: String,
    /// What it waited for, where that is known.
    pub resource: Option<String>,
    /// Numbers of its frames in [`CallStacks::frames`], innermost first; empty: not seen.
    pub frames: Vec<u32>,
    /// Thread-time.
    pub time: Duration,
    /// Wall time that the program spent on it.
    pub critical: Duration,
    /// Waits that ended.
    pub episodes: u64,
}
