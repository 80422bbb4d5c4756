//! Who called: the reader of call stacks that fits what runs in a process. The edge: reads memory and gives numbers of
//! stacks; knows no time.

use std::fs::File;

use super::model::Language;
use super::source::native::on_cpu::CpuSampler;
use super::source::native::{Images, NativeStacks};
use super::source::perf::Refused;
use super::source::python::{NotReadable, PythonStacks, TasksWaiting};
use super::stack::{StackId, Stacks};
use super::stack_reads::StackReads;
use crate::wait::classify::Call;

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
    /// Native code.
    Native(Box<Native>),
    /// A runtime that makes code at run time and did not write down where, so far; how often it was asked for.
    Untold(i32, u32),
    /// Nobody reads the stacks of this runtime, or not in this process.
    Refused,
}

/// The stacks of native code: of threads that wait, and of threads that run where the kernel shows those.
#[derive(Debug)]
pub(super) struct Native {
    stacks: NativeStacks,
    running: Running,
}

/// Whether threads are looked at while they run.
#[derive(Debug)]
enum Running {
    /// It computed too little so far to be worth it.
    NotYet,
    Sampled(CpuSampler),
    Refused,
}

/// Threads that are looked at until a runtime is asked again whether it tells where its code is.
const ASKED_AGAIN: u32 = 64;

/// Names of the sources of stacks, as the report knows them.
pub(super) const PYTHON_STACKS: &str = "python-stacks";
/// See [`PYTHON_STACKS`].
pub(super) const NATIVE_STACKS: &str = "native-stacks";
/// See [`PYTHON_STACKS`].
pub(super) const CPU_CLOCK: &str = "perf-cpu-clock";
/// See [`PYTHON_STACKS`].
pub(super) const OTHER_STACKS: &str = "stacks";

impl Callers {
    /// The reader for a Python.
    pub(super) fn python(memory: &File, state: PythonState, reads: &mut StackReads) -> Self {
        match PythonStacks::find(memory, state.address, state.version) {
            Ok(stacks) => Self::Python(Box::new(stacks)),
            Err(NotReadable::NotStarted) => Self::Awaited(state),
            Err(why) => {
                reads.refuse(PYTHON_STACKS, why.to_string());
                Self::Refused
            }
        }
    }

    /// The reader for a process without a Python.
    pub(super) fn other(pid: i32, language: Language, reads: &mut StackReads) -> Self {
        match language {
            Language::Rust | Language::Go | Language::Native => {
                Self::Native(Box::new(Native { stacks: NativeStacks::new(pid), running: Running::NotYet }))
            }
            Language::Node | Language::Java => {
                reads.untold.insert(pid, language);
                Self::Untold(pid, 0)
            }
            Language::Ruby => {
                reads.refuse(OTHER_STACKS, format!("nobody here reads the stacks of {}", language.name()));
                Self::Refused
            }
            // Lines of a shell would need a reader of their own, and what it starts does the work.
            Language::Python | Language::Shell | Language::Unknown => Self::Refused,
        }
    }

    /// Whether there are stacks to be read.
    pub(super) fn can_read(&mut self, memory: &File, reads: &mut StackReads) -> bool {
        if let Self::Awaited(state) = *self {
            *self = Self::python(memory, state, reads);
        }
        if let Self::Untold(pid, asked) = self {
            let is_due = *asked % ASKED_AGAIN == 0;
            *asked = asked.wrapping_add(1);
            if let Some(stacks) = is_due.then(|| NativeStacks::of_runtime(*pid)).flatten() {
                reads.untold.remove(pid);
                *self = Self::Native(Box::new(Native { stacks, running: Running::NotYet }));
            }
        }
        matches!(self, Self::Python(_) | Self::Native(_))
    }

    /// The stack of a thread that was last seen in this call; `None`: it changed while it was read.
    pub(super) fn stack(
        &mut self,
        memory: &File,
        (tid, at, waits): (i32, &Call, bool),
        (images, stacks): (&mut Images, &mut Stacks),
        reads: &mut StackReads,
    ) -> Option<StackId> {
        let stack = match (self, at) {
            (Self::Python(python), _) => python.read(memory, tid, waits, stacks).ok(),
            (Self::Native(native), Call::Inside { pc, sp, .. }) => {
                let unwound = native.stacks.blocked(memory, *pc, *sp, images, stacks);
                reads.native = true;
                Some(unwound.stack)
            }
            _ => return Some(StackId::UNSEEN),
        };
        reads.read += 1;
        reads.torn += u64::from(stack.is_none());
        stack
    }

    /// The tasks of an event loop that wait, in the stack that was read last.
    pub(super) fn tasks_waiting(&self) -> Option<TasksWaiting> {
        match self {
            Self::Python(python) => python.tasks_waiting(),
            _ => None,
        }
    }

    /// Whether its threads could be looked at while they run, and are not yet.
    pub(super) fn wants_sampler(&self) -> bool {
        matches!(self, Self::Native(native) if matches!(native.running, Running::NotYet))
    }

    /// Whether its threads are looked at while they run.
    pub(super) fn are_sampled(&self) -> bool {
        matches!(self, Self::Native(native) if matches!(native.running, Running::Sampled(_)))
    }

    /// Looks at these threads while they run, and at whatever they start.
    pub(super) fn sample(&mut self, tids: &[i32], reads: &mut StackReads) {
        let Self::Native(native) = self else { return };
        native.running = match CpuSampler::open(tids) {
            Ok(sampler) => Running::Sampled(sampler),
            Err(why) => {
                if why != Refused::Gone {
                    reads.refuse(CPU_CLOCK, why.to_string());
                }
                Running::Refused
            }
        };
    }

    /// Hands over the stacks of threads that were seen running since the last time, with their numbers.
    pub(super) fn drain(
        &mut self,
        memory: Option<&File>,
        (images, stacks): (&mut Images, &mut Stacks),
        reads: &mut StackReads,
        found: &mut Vec<(i32, StackId)>,
    ) {
        let Self::Native(native) = self else { return };
        let Native { stacks: unwinder, running: Running::Sampled(sampler) } = native.as_mut() else { return };
        reads.cpu_clock = true;
        sampler.drain(|sample| {
            reads.read += 1;
            found.push((sample.tid, unwinder.running(sample, memory, images, stacks).stack));
        });
    }
}
