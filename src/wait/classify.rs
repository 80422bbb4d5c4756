//! The one table from what the kernel shows of a blocked thread to the reason of its wait.
//!
//! Input is plain data (system call and arguments, what a descriptor refers to, the kernel's wait channel), so it
//! is tested from recordings. Evidence is taken in the order of `measuring.md` B4.2: the system call first, then the
//! descriptor, then the wait channel.

use super::WaitKind;
pub use super::calls::{CALLS, Means, call};
pub use super::evidence::{Call, Evidence, Target, Watched};
use super::kernel::KernelFunctions;

/// Why a thread is blocked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The kind of wait.
    pub kind: WaitKind,
    /// Plain name of what it does: the system call, or `page fault`.
    pub operation: &'static str,
    /// `host:port`, path or address.
    pub resource: Option<String>,
    /// Whether something outside the process tree ends this wait. The others are ended by a thread of the tree, so
    /// a quiet period is never charged to them while an external wait explains it.
    pub external: bool,
    /// Whether this is an event loop waiting for its events.
    pub event_loop: bool,
}

impl Reason {
    fn new(kind: WaitKind, operation: &'static str, external: bool) -> Self {
        Self { kind, operation, resource: None, external, event_loop: false }
    }

    /// Whether it waits for a connection that is not known by name yet: such a one may turn out to have come in, and
    /// to wait for nothing but the next request.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.kind == WaitKind::Network && self.resource.is_none()
    }

    fn on(mut self, resource: Option<String>) -> Self {
        self.resource = resource;
        self
    }
}

/// What a thread does that is in no system call but blocked.
const PAGE_FAULT: &str = "page fault";
/// What a futex inside the interpreter's own structure is for.
const TAKE_THE_LOCK: &str = "take the GIL";

/// Waiting for a lock that says so.
const MUTEX: &str = "mutex";
/// Waiting for another thread with a time-out, which always comes first.
const TIMED: &str = "timed wait";
/// Waiting for another thread to have something to do.
const PARK: &str = "park";

/// The operation with this plain name: every [`Reason::operation`] is one of these.
#[must_use]
pub fn operation(name: &str) -> Option<&'static str> {
    let names = CALLS.iter().map(|(_, name, _)| *name).chain([PAGE_FAULT, TAKE_THE_LOCK, MUTEX, TIMED, PARK]);
    names.into_iter().find(|known| *known == name)
}

/// What a kernel function settles that a system call leaves open. That a thread polls says nothing yet.
fn by_channel(wchan: Option<&str>) -> Option<WaitKind> {
    let kind = KernelFunctions::builtin().family(wchan?).map(|family| family.kind);
    kind.filter(|kind| *kind != WaitKind::Idle)
}

/// The reason of a wait; `None`: the thread is not blocked, or nothing tells why.
#[must_use]
pub fn classify(at: &Call, evidence: &Evidence) -> Option<Reason> {
    match at {
        Call::Running => None,
        Call::Hidden => by_channel(evidence.wchan.as_deref()).map(|kind| from_channel(kind, "wait")),
        Call::Outside { .. } => outside(evidence),
        Call::Inside { number, args, .. } => match call(*number) {
            Some((operation, means)) => inside(operation, means, args, evidence),
            None => by_channel(evidence.wchan.as_deref()).map(|kind| from_channel(kind, "wait")),
        },
    }
}

fn from_channel(kind: WaitKind, operation: &'static str) -> Reason {
    let external = !matches!(kind, WaitKind::Lock | WaitKind::Child | WaitKind::Pipe | WaitKind::Gil);
    Reason::new(kind, operation, external)
}

/// Blocked outside a system call. A fault waits in state `D`; `-1` in state `S` is a program that is starting.
fn outside(evidence: &Evidence) -> Option<Reason> {
    let channel = by_channel(evidence.wchan.as_deref());
    (evidence.state == Some('D') || matches!(channel, Some(WaitKind::Disk | WaitKind::Paging)))
        .then(|| Reason::new(WaitKind::Paging, PAGE_FAULT, true))
}

fn inside(operation: &'static str, means: Means, args: &[u64; 6], evidence: &Evidence) -> Option<Reason> {
    let reason = match means {
        Means::Descriptor | Means::Accept => return descriptor(operation, evidence),
        Means::Futex if evidence.interpreter_lock => Reason::new(WaitKind::Gil, TAKE_THE_LOCK, false),
        Means::Futex if evidence.times_out => Reason::new(WaitKind::Sleep, TIMED, true),
        Means::Futex => futex(args, evidence.semaphore_locks),
        Means::Sleep => Reason::new(WaitKind::Sleep, operation, true),
        Means::Child => Reason::new(WaitKind::Child, operation, false),
        Means::Poll | Means::Select | Means::Epoll => return Some(polling(operation, evidence)),
        Means::FileLock => Reason::new(WaitKind::Lock, operation, true),
        Means::Signal => Reason::new(WaitKind::Idle, operation, true),
        Means::Batch | Means::FileSystem => Reason::new(WaitKind::Disk, operation, true),
        // Sleeping while changing mappings is a fight for the address space's lock, or the disk.
        Means::Memory => match by_channel(evidence.wchan.as_deref()) {
            Some(WaitKind::Disk | WaitKind::Paging) => Reason::new(WaitKind::Paging, operation, true),
            _ => Reason::new(WaitKind::Lock, operation, false),
        },
    };
    Some(reason)
}

/// Values of the futex word and of its operation that a mutex waits with; see futex(2).
mod mutex {
    /// `FUTEX_PRIVATE_FLAG`: a join waits on a word that the kernel clears, and that is not private.
    pub(super) const PRIVATE: u64 = 0x80;
    /// `FUTEX_CMD_MASK`, without the flags for privacy and the clock.
    pub(super) const COMMAND: u64 = 0x7f;
    /// `FUTEX_WAIT` and `FUTEX_WAIT_BITSET`.
    pub(super) const WAITS: [u64; 2] = [0, 9];
    /// `FUTEX_LOCK_PI` and `FUTEX_LOCK_PI2`.
    pub(super) const INHERITS: [u64; 2] = [6, 13];
    /// "Locked, with waiters" in glibc, in Rust's standard library and in Go's runtime.
    pub(super) const CONTENDED: u64 = 2;
    /// The same in musl: this bit beside the owner.
    pub(super) const CONTENDED_BIT: u64 = 0x8000_0000;
}

/// A mutex says so by the value it waits for. Conditions, semaphores, joins and parked threads do not: with
/// `semaphore_locks` they may be locks and who waits there has to tell; elsewhere they are places to park.
fn futex(args: &[u64; 6], semaphore_locks: bool) -> Reason {
    let (command, private, value) = (args[1] & mutex::COMMAND, args[1] & mutex::PRIVATE, args[2]);
    let waits = mutex::WAITS.contains(&command) && private != 0;
    let contended = value == mutex::CONTENDED
        || value & mutex::CONTENDED_BIT != 0 && value >> 32 == 0 && value != u64::from(u32::MAX);
    let operation = match waits && contended || mutex::INHERITS.contains(&command) {
        true => MUTEX,
        false if semaphore_locks => "futex",
        false => return Reason::new(WaitKind::Idle, PARK, false),
    };
    Reason::new(WaitKind::Lock, operation, false).on(Some(format!("{:#x}", args[0])))
}

fn descriptor(operation: &'static str, evidence: &Evidence) -> Option<Reason> {
    let Some(target) = &evidence.target else {
        let fallback = match operation {
            "recv" | "send" | "connect" => Some(WaitKind::Network),
            "accept" => Some(WaitKind::Idle),
            "fsync" => Some(WaitKind::Disk),
            _ => by_channel(evidence.wchan.as_deref()),
        };
        return fallback.map(|kind| from_channel(kind, operation));
    };
    Some(match target {
        Target::File(path) => Reason::new(WaitKind::Disk, operation, true).on(Some(path.clone())),
        Target::Pipe { outside } | Target::Unix { outside } => unnamed(target, operation, *outside),
        Target::Inet { inbound: true, peer } if operation != "send" => {
            Reason::new(WaitKind::Idle, operation, true).on(peer.clone())
        }
        Target::Inet { peer, .. } => Reason::new(WaitKind::Network, operation, true).on(peer.clone()),
        Target::Listening(at) => Reason::new(WaitKind::Idle, operation, true).on(Some(at.clone())),
        Target::Tty => Reason::new(WaitKind::Tty, operation, true),
        Target::Timer => Reason::new(WaitKind::Sleep, operation, true),
        Target::Wakeup => Reason::new(WaitKind::Idle, operation, false),
        Target::Process => Reason::new(WaitKind::Child, operation, false),
        Target::Epoll | Target::Other => Reason::new(WaitKind::Idle, operation, true),
    })
}

/// A unix socket to a process outside the tree is a service (a database on this machine): a network wait in all that
/// matters. Inside the tree it is a pipe.
fn unnamed(target: &Target, operation: &'static str, outside: bool) -> Reason {
    match target {
        Target::Unix { .. } if outside => {
            Reason::new(WaitKind::Network, operation, true).on(Some("unix socket".to_owned()))
        }
        _ => Reason::new(WaitKind::Pipe, operation, outside),
    }
}

/// What a polling call really waits for: the strongest reason among what it watches. Work that is outstanding
/// elsewhere (a peer, a pipe, a child) beats a timer, a timer beats having nothing to do.
fn polling(operation: &'static str, evidence: &Evidence) -> Reason {
    let Some(watched) = &evidence.watched else {
        return Reason::new(WaitKind::Idle, operation, true);
    };
    let rank = |kind: WaitKind| match kind {
        WaitKind::Network => 5,
        WaitKind::Child | WaitKind::Pipe => 4,
        WaitKind::Disk => 3,
        WaitKind::Sleep => 2,
        WaitKind::Tty => 1,
        _ => 0,
    };
    let serves = watched
        .targets
        .iter()
        .any(|target| matches!(target, Target::Listening(_) | Target::Inet { inbound: true, .. }));
    let strongest = watched
        .targets
        .iter()
        .filter_map(|target| {
            let asked = Evidence { target: Some(target.clone()), ..Evidence::default() };
            descriptor(operation, &asked)
        })
        .max_by_key(|reason| rank(reason.kind));
    let mut reason = match strongest {
        Some(reason) if rank(reason.kind) > 0 && !(serves && reason.kind == WaitKind::Sleep) => reason,
        // Nothing but its own wake-up descriptors: with a time-out the loop sleeps until its next timer; without
        // one it is parked. A server's housekeeping timer does not make it a sleeper.
        other => {
            let external = other.as_ref().is_none_or(|reason| reason.external);
            if watched.timed && watched.complete && !serves {
                Reason::new(WaitKind::Sleep, operation, true)
            } else {
                let resource = other.and_then(|reason| reason.resource);
                Reason::new(WaitKind::Idle, operation, external || serves).on(resource)
            }
        }
    };
    reason.event_loop = watched.event_loop;
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside_of(number: i64) -> Call {
        Call::Inside { number, args: [0x7f00_0000_1000, 0, 0, 0, 0, 0], sp: 1, pc: 2 }
    }

    fn kind(number: i64, evidence: &Evidence) -> Option<WaitKind> {
        classify(&inside_of(number), evidence).map(|reason| reason.kind)
    }

    fn to(target: Target) -> Evidence {
        Evidence { target: Some(target), ..Evidence::default() }
    }

    fn watching(targets: Vec<Target>, timed: bool) -> Evidence {
        let watched = Watched { targets, complete: true, timed, event_loop: true, registered: 0 };
        Evidence { watched: Some(watched), ..Evidence::default() }
    }

    fn peer(inbound: bool) -> Target {
        Target::Inet { peer: Some("10.0.0.1:5432".to_owned()), inbound }
    }

    #[test]
    fn the_descriptor_decides_what_a_read_waits_for() {
        let read = libc::SYS_read;
        assert_eq!(kind(read, &to(Target::File("/var/x".to_owned()))), Some(WaitKind::Disk));
        assert_eq!(kind(read, &to(Target::Pipe { outside: false })), Some(WaitKind::Pipe));
        assert_eq!(kind(read, &to(peer(false))), Some(WaitKind::Network));
        assert_eq!(kind(read, &to(Target::Tty)), Some(WaitKind::Tty));
        assert_eq!(kind(read, &to(Target::Unix { outside: true })), Some(WaitKind::Network));
        assert_eq!(kind(read, &to(Target::Unix { outside: false })), Some(WaitKind::Pipe));
    }

    #[test]
    fn a_server_waiting_for_its_clients_is_idle_not_network_bound() {
        assert_eq!(kind(libc::SYS_recvfrom, &to(peer(true))), Some(WaitKind::Idle));
        assert_eq!(
            kind(libc::SYS_accept4, &to(Target::Listening("0.0.0.0:80".to_owned()))),
            Some(WaitKind::Idle)
        );
        let server =
            watching(vec![Target::Listening("0.0.0.0:80".to_owned()), peer(true), Target::Wakeup], true);
        assert_eq!(kind(libc::SYS_epoll_pwait, &server), Some(WaitKind::Idle));
    }

    #[test]
    fn an_event_loop_with_an_outstanding_request_waits_for_the_peer() {
        let client = watching(vec![Target::Wakeup, peer(false)], true);
        let reason = classify(&inside_of(libc::SYS_epoll_pwait), &client).unwrap();
        assert_eq!((reason.kind, reason.event_loop), (WaitKind::Network, true));
        assert_eq!(reason.resource.as_deref(), Some("10.0.0.1:5432"));
        // A server that asks its database is waiting for the database.
        let both = watching(vec![Target::Listening("0.0.0.0:80".to_owned()), peer(false)], false);
        assert_eq!(kind(libc::SYS_epoll_pwait, &both), Some(WaitKind::Network));
    }

    #[test]
    fn an_event_loop_with_only_a_timer_sleeps_and_without_one_is_parked() {
        assert_eq!(kind(libc::SYS_epoll_pwait, &watching(vec![Target::Wakeup], true)), Some(WaitKind::Sleep));
        assert_eq!(kind(libc::SYS_epoll_pwait, &watching(vec![Target::Wakeup], false)), Some(WaitKind::Idle));
        assert_eq!(kind(libc::SYS_ppoll, &watching(vec![], true)), Some(WaitKind::Sleep));
    }

    #[test]
    fn a_futex_inside_the_interpreter_is_the_gil() {
        let python = Evidence { semaphore_locks: true, ..Evidence::default() };
        assert_eq!(kind(libc::SYS_futex, &python), Some(WaitKind::Lock));
        // A loop around `Event.wait(0.1)` polls; what takes the GIL waits with a time-out as well.
        let polls = Evidence { times_out: true, ..python.clone() };
        assert_eq!(kind(libc::SYS_futex, &polls), Some(WaitKind::Sleep));
        let gil = Evidence { interpreter_lock: true, times_out: true, ..Evidence::default() };
        assert_eq!(kind(libc::SYS_futex, &gil), Some(WaitKind::Gil));
    }

    #[test]
    fn a_mutex_says_so_and_what_does_not_is_a_place_to_park() {
        let wait = |operation: u64, value: u64| {
            let args = [0x7f00_0000_1000, operation, value, 0, 0, 0];
            let at = Call::Inside { number: libc::SYS_futex, args, sp: 1, pc: 2 };
            classify(&at, &Evidence::default()).map(|reason| (reason.kind, reason.operation))
        };
        let (mutex, park) = (Some((WaitKind::Lock, "mutex")), Some((WaitKind::Idle, "park")));
        // glibc, Rust, musl, priority inheritance.
        assert_eq!(wait(0x80, 2), mutex);
        assert_eq!(wait(0x89, 2), mutex);
        assert_eq!(wait(0x80, 0x8000_1234), mutex);
        assert_eq!(wait(0x86, 0), mutex);
        // A condition or semaphore, a join, a parked thread of Rust, a note of Go.
        assert_eq!(wait(0x189, 0), park);
        assert_eq!(wait(0x109, 2), park);
        assert_eq!(wait(0x89, 0xffff_ffff), park);
        assert_eq!(wait(0x80, 0), park);
    }

    #[test]
    fn only_uninterruptible_sleep_outside_a_call_is_a_page_fault() {
        let at = Call::Outside { sp: 1, pc: 2 };
        let fault = Evidence { state: Some('D'), ..Evidence::default() };
        assert_eq!(classify(&at, &fault).map(|reason| reason.kind), Some(WaitKind::Paging));
        let starting = Evidence { state: Some('S'), ..Evidence::default() };
        assert_eq!(classify(&at, &starting), None);
    }

    #[test]
    fn unknown_calls_fall_back_to_the_wait_channel_and_else_stay_unknown() {
        let known = Evidence { wchan: Some("futex_do_wait".to_owned()), ..Evidence::default() };
        assert_eq!(kind(9999, &known), Some(WaitKind::Lock));
        assert_eq!(kind(9999, &Evidence::default()), None);
        assert_eq!(classify(&Call::Running, &known), None);
    }
}
