//! Who called: the reader of call stacks that fits what runs in a process. The edge: reads memory and gives numbers of
//! stacks; knows no time.

use std::fs::File;

use super::record::StackReads;
use super::source::python::{NotReadable, PythonStacks};
use super::stack::{StackId, Stacks};

/// Where CPython's state lies in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PythonState {
    /// Address of `_PyRuntime`.
    pub(super) address: u64,
    /// Minor version.
    pub(super) version: (u8, u8),
}

/// What reads the stacks of one process image.
#[derive(Debug, Default)]
pub(super) enum Callers {
    /// Nothing is known of its runtime that would allow it.
    #[default]
    Unknown,
    /// Python is there, but has not started yet.
    Awaited(PythonState),
    /// Python's stacks.
    Python(Box<PythonStacks>),
    /// There is a runtime whose stacks could be read, but not this time.
    Refused(NotReadable),
}

impl Callers {
    /// The reader for a Python.
    pub(super) fn python(memory: &File, state: PythonState) -> Self {
        match PythonStacks::find(memory, state.address, state.version) {
            Ok(stacks) => Self::Python(Box::new(stacks)),
            Err(NotReadable::NotStarted) => Self::Awaited(state),
            Err(why) => Self::Refused(why),
        }
    }

    /// Whether there are stacks to be read.
    pub(super) fn can_read(&mut self, memory: &File) -> bool {
        if let Self::Awaited(state) = *self {
            *self = Self::python(memory, state);
        }
        matches!(self, Self::Python(_))
    }

    /// The stack of a thread; `None`: it changed while it was read.
    pub(super) fn stack(
        &mut self,
        memory: &File,
        tid: i32,
        stacks: &mut Stacks,
        reads: &mut StackReads,
    ) -> Option<StackId> {
        let Self::Python(python) = self else { return Some(StackId::UNSEEN) };
        reads.read += 1;
        let stack = python.read(memory, tid, stacks).ok();
        reads.torn += u64::from(stack.is_none());
        stack
    }
}
