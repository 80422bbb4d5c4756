//! API name → effect: what a call of a library does to whoever calls it. The knowledge is in `rules/catalog/*.yaml`;
//! this module reads it, checks it and finds names in it. It knows no syntax and no rule.

use crate::finding::Cost;
use crate::wait::WaitKind;

/// A language with source the scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Python 2.7 to the newest, as far as its syntax is readable.
    Python,
    /// Rust of any edition.
    Rust,
}

/// What a call does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Blocks the calling thread.
    Blocks {
        /// For what.
        wait: WaitKind,
        /// How long.
        cost: Cost,
    },
    /// Computes on the calling thread long enough to stall others.
    Computes {
        /// How long.
        cost: Cost,
        /// Whether it lets go of the interpreter lock meanwhile; `None` where there is none or it is not known.
        releases_gil: Option<bool>,
    },
    /// Runs a function somewhere else; the call itself does not block.
    Offloads {
        /// Where to.
        to: Offload,
        /// Which argument is the function: its position from 0, or its keyword.
        function: Argument,
    },
    /// Runs the function on the event loop later: it must not block.
    Schedules {
        /// Which argument is the function.
        function: Argument,
    },
    /// Runs a coroutine to its end on the calling thread: `asyncio.run`, `block_on`.
    RunsLoop,
    /// Is known to do none of these, although its name or type might suggest it.
    Harmless,
}

/// Where a function runs that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offload {
    /// A thread, or a pool of them.
    Thread,
    /// Another process, or a pool of them: what is handed over is pickled.
    Process,
    /// A task of an event loop.
    Task,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Argument {
    /// By position from 0 (without the receiver) and, in Python, by this keyword when it is given so.
    At(usize, Option<String>),
    /// By keyword only.
    Named(String),
}

/// A condition on the arguments under which an entry does not hold: `timeout=0`, `block=False`, `WNOHANG`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unless {
    /// Which argument.
    pub argument: Argument,
    /// Its source text, normalised, is one of these.
    pub is: Vec<String>,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// The qualified name: `requests.get`, `requests.Session.get`, `std::thread::sleep`.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// Conditions that take the effect away.
    pub unless: Vec<Unless>,
    /// What to call instead on an event loop: `httpx.AsyncClient.get`, `asyncio.sleep`.
    pub sibling: Option<String>,
    /// What to do, where no sibling says it; markdown-free sentence.
    pub cure: Option<String>,
}
