//! What the kernel shows of a blocked thread, as plain data: the call it is in, and what its descriptors refer to. Knows
//! no reasons: those are [`classify`](super::classify)'s.

/// What `/proc/TID/syscall` says of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Not blocked.
    Running,
    /// Blocked inside a system call.
    Inside {
        /// System call number of this architecture.
        number: i64,
        /// Its arguments.
        args: [u64; 6],
        /// Stack pointer.
        sp: u64,
        /// Program counter.
        pc: u64,
    },
    /// Blocked, but not in a system call: a page fault, or a program that is just starting.
    Outside {
        /// Stack pointer.
        sp: u64,
        /// Program counter.
        pc: u64,
    },
    /// Not readable.
    Hidden,
}

impl Call {
    /// The program counter of a blocked thread; `None`: not blocked, or not readable.
    #[must_use]
    pub fn pc(&self) -> Option<u64> {
        match self {
            Self::Inside { pc, .. } | Self::Outside { pc, .. } => Some(*pc),
            Self::Running | Self::Hidden => None,
        }
    }
}

/// What a descriptor refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file or directory on a file system.
    File(String),
    /// A pipe or FIFO; `outside`: the other end is known to be held by a process outside the tree.
    Pipe {
        /// Held by a process that is not measured.
        outside: bool,
    },
    /// A connected or connecting TCP or UDP socket.
    Inet {
        /// `host:port` of the other side, where it is known.
        peer: Option<String>,
        /// The other side opened the connection to a port this machine listens on.
        inbound: bool,
    },
    /// A listening socket.
    Listening(String),
    /// A unix socket; `outside` as for pipes.
    Unix {
        /// The other end is in no process of the tree.
        outside: bool,
    },
    /// A terminal.
    Tty,
    /// A timer.
    Timer,
    /// An eventfd or a socket pair of the process with itself: how an event loop is woken by its own threads.
    Wakeup,
    /// A nested epoll instance.
    Epoll,
    /// A child process.
    Process,
    /// A file change watch, signal descriptor or anything else.
    Other,
}

/// What a `poll`, `select` or `epoll_wait` is waiting for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// The descriptors, as far as they could be listed.
    pub targets: Vec<Target>,
    /// Whether the list is complete.
    pub complete: bool,
    /// Whether the call returns by itself after a time.
    pub timed: bool,
    /// Whether the descriptors are registered in an epoll instance (an event loop).
    pub event_loop: bool,
    /// How many descriptors are watched in all.
    pub registered: u32,
}

impl Watched {
    /// How many of the descriptors lead to somebody else, as far as those looked at tell: a loop watches its own
    /// wake-up descriptors and timers as well.
    #[must_use]
    pub fn connections(&self) -> u32 {
        let leads_out =
            |target: &&Target| matches!(target, Target::Inet { .. } | Target::Unix { outside: true });
        let found = u32::try_from(self.targets.iter().filter(leads_out).count()).unwrap_or(u32::MAX);
        if self.complete {
            return found;
        }
        let share = f64::from(found) / self.targets.len().max(1) as f64;
        (f64::from(self.registered) * share).round() as u32
    }
}

/// Everything known of one blocked thread.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the first argument refers to, if the call takes a descriptor.
    pub target: Option<Target>,
    /// What a polling call watches.
    pub watched: Option<Watched>,
    /// The kernel function the thread sleeps in.
    pub wchan: Option<String>,
    /// The state letter of `/proc/TID/stat`.
    pub state: Option<char>,
    /// Whether a futex address lies inside the interpreter's own structure.
    pub interpreter_lock: bool,
    /// Whether the locks of this runtime are semaphores, which a futex call does not tell from a place to park.
    pub semaphore_locks: bool,
    /// Whether the program's first thread waits for others with a time-out, and nobody ever wakes it before.
    pub times_out: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_watches_connections_and_its_own_descriptors() {
        let peer = || Target::Inet { peer: None, inbound: false };
        let targets = vec![Target::Wakeup, peer(), Target::Timer, peer()];
        let watched = Watched { targets, complete: true, registered: 4, ..Watched::default() };
        assert_eq!(watched.connections(), 2);
        assert_eq!(Watched { complete: false, registered: 1000, ..watched }.connections(), 500);
    }
}
