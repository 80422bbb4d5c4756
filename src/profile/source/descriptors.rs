//! What the descriptors of a process refer to: links under `/proc/PID/fd`, epoll registrations under `fdinfo`, and
//! the arrays that polling calls point to.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use super::network::{Protocol, Sockets};
use super::procfs::numbered;
use crate::wait::classify::{Call, Means, Target, Watched, call};

/// Descriptors of one polling call that are looked at; a server may have thousands, which all look alike.
const WATCHED_AT_MOST: usize = 64;
/// Descriptors of a process that are searched for an event loop.
const SEARCHED: usize = 256;

/// What a link under `/proc/PID/fd` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// `socket:[inode]`.
    Socket(u64),
    /// Anything that needs no further look-up.
    Direct(Target),
}

/// Reads a link's text. `own` holds the link texts of boundby's own standard streams: a pipe among them leads
/// out of the measured tree.
#[must_use]
pub fn parse_link(text: &str, own: &[String]) -> Link {
    if let Some(inode) = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
        return inode.parse().map_or(Link::Direct(Target::Other), Link::Socket);
    }
    let target = match text {
        _ if text.starts_with("pipe:[") => Target::Pipe { outside: own.iter().any(|stream| stream == text) },
        "anon_inode:[eventfd]" => Target::Wakeup,
        "anon_inode:[timerfd]" => Target::Timer,
        "anon_inode:[eventpoll]" => Target::Epoll,
        "anon_inode:[pidfd]" => Target::Process,
        _ if text.starts_with("anon_inode:") => Target::Other,
        _ if text.starts_with("/dev/pts/") || text.starts_with("/dev/tty") || text == "/dev/console" => {
            Target::Tty
        }
        _ if text.starts_with("/dev/null") || text.starts_with("/dev/zero") => Target::Other,
        _ if text.starts_with('/') => Target::File(text.to_owned()),
        _ => Target::Other,
    };
    Link::Direct(target)
}

/// The look-ups of one process tree.
#[derive(Debug, Default)]
pub struct Descriptors {
    own: Vec<String>,
    sockets: Sockets,
    /// Unix sockets whose other end is outside the tree, by inode.
    unix: BTreeMap<u64, bool>,
    /// Ports on which processes of the tree listen, or over which they have accepted connections, with one of these.
    serving: BTreeMap<u16, i32>,
}

/// Ports remembered on which processes listen.
const SERVING: usize = 64;

fn is_fifo(pid: i32, fd: i32) -> bool {
    std::fs::metadata(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|file| file.file_type().is_fifo())
}

impl Descriptors {
    /// Look-ups that know boundby's own standard streams.
    #[must_use]
    pub fn new() -> Self {
        let own = (0..3)
            .filter_map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok())
            .map(|link| link.to_string_lossy().into_owned())
            .collect();
        Self { own, ..Self::default() }
    }

    /// What a descriptor refers to; `pids` are the processes of the tree. `None`: closed or not readable.
    pub fn target(&mut self, pid: i32, fd: i32, pids: &[i32], now: u64) -> Option<Target> {
        let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
        match parse_link(&link.to_string_lossy(), &self.own) {
            // A FIFO has a name like a file.
            Link::Direct(Target::File(_)) if is_fifo(pid, fd) => Some(Target::Pipe { outside: false }),
            Link::Direct(target) => Some(target),
            Link::Socket(inode) => Some(self.socket(pid, fd, inode, pids, now)),
        }
    }

    /// Whether a connection without a name may have one at `now`.
    #[must_use]
    pub fn may_name(&self, now: u64) -> bool {
        self.sockets.is_due(now)
    }

    /// Ports on which processes of the tree listen, with one of these.
    #[must_use]
    pub fn serving(&self) -> &BTreeMap<u16, i32> {
        &self.serving
    }

    fn socket(&mut self, pid: i32, fd: i32, inode: u64, pids: &[i32], now: u64) -> Target {
        let target = self.socket_target(pid, fd, inode, pids, now);
        if let Some(port) = self.sockets.serves(inode).filter(|port| *port != 0)
            && self.serving.len() < SERVING
        {
            self.serving.entry(port).or_insert(pid);
        }
        target
    }

    fn socket_target(&mut self, pid: i32, fd: i32, inode: u64, pids: &[i32], now: u64) -> Target {
        if let Some(known) = self.sockets.known(inode) {
            return known;
        }
        match protocol(pid, fd) {
            Some(Protocol::Internet(table)) => {
                let unnamed = Target::Inet { peer: None, inbound: false };
                self.sockets.resolve(pid, fd, inode, Some(table), now).unwrap_or(unnamed)
            }
            Some(Protocol::Unix) => self.unix_socket(pid, inode, pids),
            Some(Protocol::Other) => Target::Other,
            None => {
                let internet = self.sockets.resolve(pid, fd, inode, None, now);
                internet.unwrap_or_else(|| self.unix_socket(pid, inode, pids))
            }
        }
    }

    /// A Unix socket. The two ends of a socket pair have neighbouring inodes; if a
    /// process of the tree holds a neighbour, the pair stays inside (and inside one process it is a wake-up).
    fn unix_socket(&mut self, pid: i32, inode: u64, pids: &[i32]) -> Target {
        let neighbours = [inode + 1, inode.wrapping_sub(1)];
        let holds = |pid: i32| holds_unix_socket(pid, neighbours);
        if let Some(outside) = self.unix.get(&inode) {
            return Target::Unix { outside: *outside };
        }
        if holds(pid) {
            return Target::Wakeup;
        }
        let outside = !pids.iter().take(64).any(|other| *other != pid && holds(*other));
        if self.unix.len() < 4096 {
            self.unix.insert(inode, outside);
        }
        Target::Unix { outside }
    }

    /// What a polling call waits for; `memory` is `/proc/PID/mem`. `None`: the call does not poll.
    pub fn watched(
        &mut self,
        pid: i32,
        at: &Call,
        memory: Option<&File>,
        pids: &[i32],
        now: u64,
    ) -> Option<Watched> {
        let Call::Inside { number, args, .. } = at else { return None };
        let means = call(*number)?.1;
        let (fds, timed, event_loop) = match means {
            Means::Epoll => {
                let timeout = int(args[3]);
                // epoll_pwait2 takes a pointer instead; null never returns by itself.
                let timed = if *number == 441 { args[3] != 0 } else { timeout >= 0 };
                (registered(pid, int(args[0])), timed, true)
            }
            Means::Poll => {
                let by_pointer = *number == libc::SYS_ppoll;
                let timed = if by_pointer { args[2] != 0 } else { int(args[2]) >= 0 };
                (polled(memory, args[0], args[1]), timed, false)
            }
            Means::Select => (selected(memory, &args[..4]), args[4] != 0, false),
            _ => return None,
        };
        let Some(fds) = fds else {
            return Some(Watched { complete: false, timed, event_loop, ..Watched::default() });
        };
        let complete = fds.len() <= WATCHED_AT_MOST;
        let registered = u32::try_from(fds.len()).unwrap_or(u32::MAX);
        let targets =
            fds.iter().take(WATCHED_AT_MOST).filter_map(|fd| self.target(pid, *fd, pids, now)).collect();
        Some(Watched { targets, complete, timed, event_loop, registered })
    }
}

/// Whether a process holds an epoll instance that watches something: an event loop that is always busy is never seen
/// waiting in one. (CPython opens an instance, and closes it again, only to learn whether it could.)
#[must_use]
pub fn has_event_loop(pid: i32) -> bool {
    let descriptors = numbered(format!("/proc/{pid}/fd").as_ref()).unwrap_or_default();
    let is_epoll = |fd: &i32| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|link| link.as_os_str() == "anon_inode:[eventpoll]")
    };
    let mut loops = descriptors.into_iter().take(SEARCHED).filter(is_epoll);
    loops.any(|epoll| registered(pid, epoll).is_some_and(|fds| !fds.is_empty()))
}

/// Whether a process has a Unix socket with one of these inodes. Sockets of all kinds are numbered in one row, so that a
/// connection to another machine may stand beside it.
fn holds_unix_socket(pid: i32, inodes: [u64; 2]) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let links = inodes.map(|inode| format!("socket:[{inode}]"));
    entries.flatten().any(|entry| {
        let is_linked = std::fs::read_link(entry.path())
            .is_ok_and(|link| links.iter().any(|neighbour| link == Path::new(neighbour)));
        let speaks = || protocol(pid, entry.file_name().to_str()?.parse().ok()?);
        is_linked && !matches!(speaks(), Some(Protocol::Internet(_) | Protocol::Other))
    })
}

/// What a socket speaks; `None`: the kernel does not say.
fn protocol(pid: i32, fd: i32) -> Option<Protocol> {
    let mut name = [0u8; 32];
    let path = format!("/proc/{pid}/fd/{fd}");
    let length = rustix::fs::getxattr(path, "system.sockprotoname", &mut name[..]).ok()?;
    Some(Protocol::parse(name.get(..length)?))
}

/// A C `int` among the arguments: the upper half of the register is not part of it.
fn int(argument: u64) -> i32 {
    (argument as u32).cast_signed()
}

/// Descriptors registered in an epoll instance: the `tfd:` lines of its `fdinfo`.
fn registered(pid: i32, epoll: i32) -> Option<Vec<i32>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).ok()?;
    Some(parse_registered(&text))
}

fn parse_registered(text: &str) -> Vec<i32> {
    text.lines()
        .filter_map(|line| line.strip_prefix("tfd:")?.split_ascii_whitespace().next()?.parse().ok())
        .collect()
}

/// `struct pollfd { int fd; short events; short revents; }`.
fn polled(memory: Option<&File>, address: u64, count: u64) -> Option<Vec<i32>> {
    let count = usize::try_from(count).ok()?.min(WATCHED_AT_MOST + 1);
    let mut bytes = vec![0u8; count * 8];
    memory?.read_exact_at(&mut bytes, address).ok()?;
    let fds =
        bytes.chunks_exact(8).filter_map(|entry| Some(i32::from_ne_bytes(entry.get(..4)?.try_into().ok()?)));
    Some(fds.filter(|fd| *fd >= 0).collect())
}

/// The three bit sets of `select`; `args` are the highest descriptor plus one and the sets' addresses.
fn selected(memory: Option<&File>, args: &[u64]) -> Option<Vec<i32>> {
    let count = usize::try_from(args[0]).ok()?.min(1024);
    let mut fds = Vec::new();
    for address in args[1..].iter().filter(|address| **address != 0) {
        let mut bits = vec![0u8; count.div_ceil(8)];
        memory?.read_exact_at(&mut bits, *address).ok()?;
        fds.extend(
            (0..count)
                .filter(|fd| bits[fd / 8] & (1 << (fd % 8)) != 0)
                .filter_map(|fd| i32::try_from(fd).ok()),
        );
    }
    fds.sort_unstable();
    fds.dedup();
    Some(fds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_what_a_descriptor_is() {
        let own = ["pipe:[7]".to_owned()];
        let read = |text: &str| parse_link(text, &own);
        assert_eq!(read("socket:[42]"), Link::Socket(42));
        assert_eq!(read("pipe:[7]"), Link::Direct(Target::Pipe { outside: true }));
        assert_eq!(read("pipe:[8]"), Link::Direct(Target::Pipe { outside: false }));
        assert_eq!(read("anon_inode:[eventfd]"), Link::Direct(Target::Wakeup));
        assert_eq!(read("/dev/pts/0"), Link::Direct(Target::Tty));
        assert_eq!(read("/data/x (deleted)"), Link::Direct(Target::File("/data/x (deleted)".to_owned())));
        assert_eq!(read("/dev/null"), Link::Direct(Target::Other));
    }

    #[test]
    fn sockets_say_what_they_speak() {
        use std::os::fd::AsRawFd;
        let ours = |socket: &dyn AsRawFd| protocol(own_pid(), socket.as_raw_fd());
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        // A kernel that does not say so (a sandbox) says nothing.
        assert!(matches!(ours(&tcp), Some(Protocol::Internet("tcp")) | None));
        assert!(matches!(ours(&unix), Some(Protocol::Unix) | None));
    }

    #[test]
    fn a_connection_is_no_half_of_a_socket_pair() {
        use std::os::fd::AsFd;
        let inode = |socket: &dyn AsFd| rustix::fs::fstat(socket.as_fd()).unwrap().st_ino;
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(holds_unix_socket(own_pid(), [inode(&unix), 0]));
        // A kernel that does not say what a socket speaks leaves it open.
        if protocol(own_pid(), std::os::fd::AsRawFd::as_raw_fd(&tcp)).is_some() {
            assert!(!holds_unix_socket(own_pid(), [inode(&tcp), 0]));
        }
    }

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn an_epoll_instance_that_watches_nothing_is_no_event_loop() {
        use rustix::event::epoll;
        let looked = |watching: bool| {
            // A process of its own: the tests of this one run beside each other.
            let instance = epoll::create(epoll::CreateFlags::empty()).unwrap();
            let (ours, theirs) = std::io::pipe().unwrap();
            if watching {
                let data = epoll::EventData::new_u64(0);
                epoll::add(&instance, &ours, data, epoll::EventFlags::IN).unwrap();
            }
            let mut holder = std::process::Command::new("cat").stdin(ours).spawn().unwrap();
            drop(instance);
            let pid = i32::try_from(holder.id()).unwrap();
            let found = has_event_loop(pid);
            drop(theirs);
            holder.wait().unwrap();
            found
        };
        assert_eq!((looked(false), looked(true)), (false, true));
    }

    #[test]
    fn epoll_registrations_are_listed() {
        let text = "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 5\ntfd:  7 events: 1 data: 7\n";
        assert_eq!(parse_registered(text), [5, 7]);
    }
}
