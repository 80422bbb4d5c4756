//! What an entry says. Pure data.

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

impl Language {
    /// The name in files and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    /// What stands between the parts of a qualified name.
    #[must_use]
    pub fn separator(self) -> &'static str {
        match self {
            Self::Python => ".",
            Self::Rust => "::",
        }
    }

    /// A qualified name as its owner and its last part.
    pub(super) fn split(self, name: &str) -> Option<(&str, &str)> {
        // A single character is found faster than a text of one.
        match self {
            Self::Python => name.rsplit_once('.'),
            Self::Rust => name.rsplit_once("::"),
        }
    }
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
    /// Its source text, normalised, is one of these; empty text is an argument that is not given.
    pub is: Vec<String>,
    /// It is an instance of one of these types.
    pub of: Vec<String>,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// The language it belongs to.
    pub language: Language,
    /// The qualified name: `requests.get`, `requests.Session.get`, `std::thread::sleep`. It ends in `*` where it stands
    /// for every method of a type that has no entry of its own.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// Conditions each of which takes the effect away.
    pub unless: Vec<Unless>,
    /// What to call instead on an event loop: `httpx.AsyncClient.get`, `asyncio.sleep`.
    pub sibling: Option<String>,
    /// What to do, where no sibling says it; markdown-free sentence.
    pub cure: Option<String>,
}

macro_rules! marks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a type or function is, for the patterns that ask: a closed list, each with the word that stands for it
        /// in the files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $($(#[$doc])* $variant,)*
        }

        impl Mark {
            /// Every mark.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

marks! {
    /// A lock that its holder must not take again.
    Lock = "lock",
    /// A lock that its holder may take again.
    ReentrantLock = "reentrant-lock",
    /// A lock, semaphore, event or condition of an event loop.
    AsyncLock = "async-lock",
    /// A semaphore between threads.
    Semaphore = "semaphore",
    /// A condition variable or event between threads.
    Condition = "condition",
    /// What holds a lock until it is dropped.
    Guard = "guard",
    /// What holds a lock of an event loop until it is dropped.
    AsyncGuard = "async-guard",
    /// What holds a run-time checked borrow until it is dropped.
    BorrowGuard = "borrow-guard",
    /// A thread, by its constructor.
    Thread = "thread",
    /// A process, by its constructor.
    Process = "process",
    /// An object whose attributes each thread has for itself.
    ThreadLocal = "thread-local",
    /// A pool of threads.
    ThreadPool = "thread-pool",
    /// A pool of threads each of which has an interpreter, and its lock, for itself.
    OwnInterpreter = "own-interpreter",
    /// A pool of processes.
    ProcessPool = "process-pool",
    /// Runs a function in a pool, once for each item.
    Maps = "maps",
    /// Registers the function it decorates as the answer to requests.
    Routes = "routes",
    /// A queue between threads.
    ThreadQueue = "thread-queue",
    /// A queue between processes.
    ProcessQueue = "process-queue",
    /// A queue between tasks.
    AsyncQueue = "async-queue",
    /// Makes a channel or queue without a bound.
    Unbounded = "unbounded",
    /// A result that will be there later; asking for it blocks.
    Future = "future",
    /// A task of an event loop, or its handle.
    Task = "task",
    /// Gives something that does nothing until it is awaited.
    Coroutine = "coroutine",
    /// Starts a task; what it gives keeps the task alive or tells of its failure.
    Spawns = "spawns",
    /// Runs several awaitables at once.
    Gathers = "gathers",
    /// An event loop or runtime.
    Loop = "loop",
    /// A connection, channel or session that two threads must not use at once.
    NotThreadSafe = "not-thread-safe",
    /// Cannot be pickled.
    Unpicklable = "unpicklable",
    /// Says how many processors the machine has, whatever part of them this process may use.
    HostCpus = "host-cpus",
    /// A file that is open.
    File = "file",
    /// Computes in the interpreter: it waits for nothing and never lets go of the interpreter lock.
    Pure = "pure",
    /// Writes what is to last.
    Writes = "writes",
    /// Puts a finished file in the place of another in one step.
    Replaces = "replaces",
    /// A child process that must be waited for.
    Child = "child",
    /// Only the first call does it; others find what it left.
    Once = "once",
    /// Registers the function it decorates as a command of a command-line program, and runs a loop for it if it is
    /// async.
    Command = "command",
}

impl Mark {
    pub(super) fn bit(self) -> u64 {
        1 << self as u64
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mark| mark.name() == name)
    }
}
