//! The call stacks of CPython's threads, from 3.6 to 3.14, read from the memory of a running process that is neither
//! stopped nor changed.
//!
//! ```text
//! threads: tid ─► thread state ─► innermost frame     walk: frame ─► frame ─► …     code: file, function, line
//! ```
//!
//! A thread that waits cannot change what is read. One that runs may: what does not fit together is refused as a whole
//! and read again, a few times; what fits may still be up to a few microseconds old, and its frames as far apart. The
//! worst cases, seen while they ran on a busy machine:
//!
//! | a program that does nothing but | 3.11 to 3.13 | up to 3.10, 3.14 |
//! |---|---|---|
//! | call functions of 60 ns: refused | 0 % | 4 to 26 % |
//! | the same: a callee beside another line of its caller | 6 to 9 % | up to 1 % |
//! | switch between generators: refused | 0 to 9 % | 23 to 44 % |
//! | the same: a callee beside another line of its caller | 1 to 6 % | 1 to 5 % |
//!
//! Knows memory and its layout; knows nothing of time or of why a thread is looked at.

mod code;
mod layout;
mod library;
mod lines;
mod objects;
mod tasks;
mod threads;
mod walk;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::memory::{is_pointer, read_word};
use crate::profile::stack::{FrameId, StackId, Stacks};
use code::Codes;
use layout::{DESCRIPTION_BYTES, Layout};
use library::Library;
use objects::Objects;
use tasks::Tasks;
use threads::{Threads, head_again};
use walk::Walk;

/// Frames kept of a stack: those next to what the thread does, and where it began.
const INNERMOST: usize = 480;
/// See [`INNERMOST`].
const OUTERMOST: usize = 32;
/// How often a stack that changed while it was read is read again. It is mostly noticed at the innermost frame, at once.
const ATTEMPTS: usize = 12;

/// Why stacks of a process cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReadable {
    /// Its layout is not known.
    #[error("the memory layout of this version of Python is not known")]
    Version,
    /// There is no thread of Python's yet; it may be asked again.
    #[error("Python has not started yet")]
    NotStarted,
    /// What lies there is not what the version should have.
    #[error("the memory does not look as this version of Python should")]
    Implausible,
}

/// A stack changed while it was read, or is none that can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stack changed while it was read")]
pub struct Torn;

/// What the tasks of an event loop do while it waits for events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TasksWaiting {
    /// How many wait where the stack says.
    pub count: f64,
    /// None waits for anything but time to pass.
    pub for_time: bool,
}

/// How often a thread must be seen without a frame until that is believed.
const NOTHING: usize = 3;

/// The stacks of one process image.
#[derive(Debug)]
pub struct PythonStacks {
    layout: Layout,
    threads: Threads,
    codes: Codes,
    walk: Walk,
    frames: Vec<FrameId>,
    /// Of event loops; `None`: the objects of this version are not known.
    tasks: Option<Tasks>,
    tasks_waiting: Option<TasksWaiting>,
}

impl PythonStacks {
    /// Looks whether stacks can be read. `memory` is `/proc/PID/mem`, `runtime` the address of `_PyRuntime` in it (of
    /// `interp_head` in 3.6, which had no such structure), `version` the minor version.
    ///
    /// # Errors
    /// Where they cannot, and why.
    pub fn find(memory: &File, runtime: u64, version: (u8, u8)) -> Result<Self, NotReadable> {
        let mut beginning = [0u8; DESCRIPTION_BYTES];
        let read = memory.read_at(&mut beginning, runtime).unwrap_or(0);
        let layout = Layout::of(version, &beginning[..read]).ok_or(NotReadable::Version)?;
        let interpreters = runtime.checked_add(layout.interpreters as u64).ok_or(NotReadable::Implausible)?;
        // The first thread state says which interpreter it belongs to: a check of the whole layout.
        let follow = |address: u64, offset: usize| {
            read_word(memory, address.checked_add(offset as u64)?).filter(|to| *to == 0 || is_pointer(*to))
        };
        let interpreter = follow(interpreters, 0).ok_or(NotReadable::Implausible)?;
        if interpreter == 0 {
            return Err(NotReadable::NotStarted);
        }
        match follow(interpreter, layout.threads).ok_or(NotReadable::Implausible)? {
            0 => Err(NotReadable::NotStarted),
            state if follow(state, layout.thread.interpreter) == Some(interpreter) => Ok(Self {
                layout,
                threads: Threads::new(&layout, interpreters),
                codes: Codes::new(Library::of(version)),
                walk: Walk::default(),
                frames: Vec::new(),
                tasks: Objects::of(version, &layout).map(Tasks::new),
                tasks_waiting: None,
            }),
            _ => Err(NotReadable::Implausible),
        }
    }

    /// The stack of a thread, innermost first. `Ok(StackId::UNSEEN)`: it runs no Python code. All stacks of a process
    /// must go to the same `stacks`. `tid` is the thread's number in the namespace of the process. Of an event loop that
    /// `waits` for events, the stack goes on into a task that does: see [`PythonStacks::tasks_waiting`].
    ///
    /// # Errors
    /// It changed while it was read.
    pub fn read(
        &mut self,
        memory: &File,
        tid: i32,
        waits: bool,
        stacks: &mut Stacks,
    ) -> Result<StackId, Torn> {
        self.tasks_waiting = None;
        let mut result = Err(Torn);
        let mut nothing = 0;
        self.walk.begin();
        for _ in 0..ATTEMPTS {
            result = self.attempt(memory, tid, waits, stacks);
            // For a moment there is no innermost frame while 3.11 returns from a function.
            nothing += usize::from(result == Ok(StackId::UNSEEN));
            if result.is_ok_and(|stack| stack != StackId::UNSEEN)
                || nothing == NOTHING
                || self.walk.is_spent()
            {
                break;
            }
        }
        result
    }

    /// The tasks of an event loop that waits, in the stack that was read last.
    #[must_use]
    pub fn tasks_waiting(&self) -> Option<TasksWaiting> {
        self.tasks_waiting
    }

    fn attempt(
        &mut self,
        memory: &File,
        tid: i32,
        waits: bool,
        stacks: &mut Stacks,
    ) -> Result<StackId, Torn> {
        self.walk.clear();
        let found = self.threads.states(memory, &self.layout, tid)?.to_vec();
        for state in found {
            self.walk_thread(memory, state, tid)?;
        }
        self.codes.begin_stack();
        self.frames.clear();
        let mut seen = Vec::new();
        for (number, level) in self.walk.levels.iter().enumerate() {
            let frame = self.codes.frame(memory, &self.layout, (number, level), stacks)?;
            self.frames.extend(frame);
            if waits {
                seen.extend(frame.map(|frame| (frame, level.frame)));
            }
        }
        if waits {
            let event_loop = tasks::event_loop(stacks, &seen);
            self.go_on_into_a_task(memory, &event_loop, stacks);
        }
        if self.frames.len() > INNERMOST + OUTERMOST {
            self.frames.drain(INNERMOST..self.frames.len() - OUTERMOST);
        }
        Ok(stacks.stack(&self.frames))
    }

    /// Puts one of the tasks that wait while the loop of these frames does before the stack.
    fn go_on_into_a_task(&mut self, memory: &File, event_loop: &[u64], stacks: &mut Stacks) {
        let Some(tasks) = self.tasks.as_mut().filter(|_| !event_loop.is_empty()) else { return };
        let Some(found) = tasks.waiting(memory, &self.layout, event_loop) else { return };
        let mut told = Vec::new();
        for waiting in &found.waiting {
            self.codes.begin_stack();
            let frames = waiting
                .levels
                .iter()
                .enumerate()
                .map(|level| self.codes.frame(memory, &self.layout, level, stacks).ok().flatten());
            let Some(frames) = frames.collect::<Option<Vec<FrameId>>>() else { continue };
            let levels = frames.iter().filter_map(|frame| stacks.levels_of(*frame).first());
            let awaits = levels.filter(|level| tasks::tells(level)).map(|level| waiting.awaits(level)).next();
            told.extend(awaits.map(|awaits| (frames, awaits, waiting.since)));
        }
        let Some(chosen) = tasks::choose(&told, tasks.turn()) else { return };
        let count = chosen.alike as f64 * found.stands_for;
        self.tasks_waiting = Some(TasksWaiting { count, for_time: chosen.for_time });
        self.frames.splice(..0, chosen.frames);
    }

    fn walk_thread(&mut self, memory: &File, state: u64, tid: i32) -> Result<(), Torn> {
        let Some(head) = self.threads.head_of(memory, &self.layout, state, tid) else {
            self.threads.forget(tid);
            return Err(Torn);
        };
        let again = || head_again(memory, &self.layout, state);
        self.walk.follow(memory, &self.layout, head, again)?;
        let has_outermost = self.walk.outermost().is_none_or(|frame| self.threads.is_outermost(tid, frame));
        if has_outermost { Ok(()) } else { Err(Torn) }
    }
}
