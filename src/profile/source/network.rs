//! Internet sockets: who is at the other end, and who opened the connection.
//!
//! A socket is asked itself where the kernel lends it (`pidfd_getfd`, which takes no more rights than reading what a thread
//! waits in, but which containers may forbid); else it is found by its inode in `/proc/PID/net/{tcp,tcp6,udp,udp6}`.
//! A table is read once per batch of unknown sockets, never per sample, and takes a small part of the time at most: the
//! kernel walks all its buckets, which costs milliseconds however few connections there are. A connection opened since
//! the last read is known to be one, but not yet to whom. Which ports are listened on is known from the tables, and from
//! listening sockets that were asked: a listener is older than what it accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use rustix::net::SocketAddrAny;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::wait::classify::Target;

/// How long a table is trusted, at least, before it is read again for a socket it does not hold.
const REREAD_AFTER_NS: u64 = 50_000_000;
/// Reading tables takes at most one part in so many of the time: less than half of what all looking may take, which
/// would become rare otherwise.
const READ_BUDGET: u64 = 300;
/// Sockets remembered per network namespace; more are looked up anew.
const REMEMBERED: usize = 16_384;
const LISTEN: u8 = 0x0A;
const CONNECTED: u8 = 0x01;

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Inode, the identity of a socket.
    pub inode: u64,
    /// This side.
    pub local: SocketAddr,
    /// The other side; unspecified for a listening or unconnected socket.
    pub remote: SocketAddr,
    /// Kernel state; `0x0A` listens.
    pub state: u8,
}

/// What a socket speaks, as its extended attribute `system.sockprotoname` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// An internet socket, listed in this table of `/proc/PID/net`.
    Internet(&'static str),
    /// A Unix socket.
    Unix,
    /// Anything else: netlink, packets, virtual machines.
    Other,
}

/// Tables of internet sockets.
const TABLES: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

impl Protocol {
    /// Reads the attribute's value, which ends with a zero.
    #[must_use]
    pub fn parse(name: &[u8]) -> Self {
        match name.strip_suffix(b"\0").unwrap_or(name) {
            b"TCP" | b"MPTCP" => Self::Internet("tcp"),
            b"TCPv6" | b"MPTCPv6" => Self::Internet("tcp6"),
            b"UDP" => Self::Internet("udp"),
            b"UDPv6" => Self::Internet("udp6"),
            b"UNIX" | b"UNIX-STREAM" => Self::Unix,
            _ => Self::Other,
        }
    }
}

/// The sockets of one network namespace.
#[derive(Debug, Default)]
pub struct Sockets {
    known: BTreeMap<u64, (Target, u16)>,
    listening: BTreeSet<u16>,
    /// When each table may be read again.
    due: BTreeMap<&'static str, u64>,
}

impl Sockets {
    /// What a socket is known to be connected to.
    #[must_use]
    pub fn known(&self, inode: u64) -> Option<Target> {
        self.known.get(&inode).map(|(target, _)| target.clone())
    }

    /// The port of this side, of a socket that listens or was accepted.
    #[must_use]
    pub fn serves(&self, inode: u64) -> Option<u16> {
        let (target, port) = self.known.get(&inode)?;
        matches!(target, Target::Listening(_) | Target::Inet { inbound: true, .. }).then_some(*port)
    }

    /// What a socket not [known](Self::known) yet, `inode`, descriptor `fd` of `pid`, is connected to at `now` (nanoseconds); `table` is the one that
    /// lists it, `None`: any of them. `None`: not an internet socket as far as known.
    pub fn resolve(
        &mut self,
        pid: i32,
        fd: i32,
        inode: u64,
        table: Option<&'static str>,
        now: u64,
    ) -> Option<Target> {
        let asked = table.and_then(|table| Some((ask(pid, fd, table.starts_with("udp"))?, table)));
        match asked {
            Some((socket, table)) => {
                self.make_room();
                // Only a port that nobody is known to listen on makes it worth while to look for listeners.
                if socket.state != LISTEN && !self.listening.contains(&socket.local.port()) {
                    self.read_if_due(pid, table, now);
                }
                self.take(&[(Row { inode, ..socket }, table.starts_with("udp"))]);
            }
            None => {
                for name in TABLES.into_iter().filter(|name| table.is_none_or(|table| table == *name)) {
                    if !self.known.contains_key(&inode) {
                        self.read_if_due(pid, name, now);
                    }
                }
            }
        }
        self.known(inode)
    }

    /// Whether a socket that could not be named may be looked for again at `now`.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        TABLES.iter().any(|name| self.due.get(name).is_some_and(|due| now >= *due))
    }

    fn read_if_due(&mut self, pid: i32, table: &'static str, now: u64) {
        if self.due.get(table).is_some_and(|due| now < *due) {
            return;
        }
        let started = Instant::now();
        self.read(pid, table);
        let cost = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.due.insert(table, now.saturating_add(REREAD_AFTER_NS.max(cost.saturating_mul(READ_BUDGET))));
    }

    fn make_room(&mut self) {
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
    }

    fn read(&mut self, pid: i32, table: &str) {
        self.make_room();
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")) else { return };
        let udp = table.starts_with("udp");
        let rows: Vec<_> = text.lines().skip(1).filter_map(parse_row).map(|row| (row, udp)).collect();
        self.take(&rows);
    }

    fn take(&mut self, rows: &[(Row, bool)]) {
        let listens = |row: &Row, udp: bool| if udp { row.remote.port() == 0 } else { row.state == LISTEN };
        self.listening.extend(
            rows.iter().filter(|(row, udp)| !udp && listens(row, false)).map(|(row, _)| row.local.port()),
        );
        for (row, udp) in rows {
            let target = if listens(row, *udp) {
                Target::Listening(row.local.to_string())
            } else {
                let inbound = !udp && self.listening.contains(&row.local.port());
                Target::Inet { peer: Some(row.remote.to_string()), inbound }
            };
            // Nobody is served over UDP as far as the kernel counts.
            self.known.insert(row.inode, (target, if *udp { 0 } else { row.local.port() }));
        }
    }
}

/// What a socket says of itself; its inode is left open. `None`: it is not lent, or it is not connected yet. It is held for
/// microseconds, in which a program that closes it has not closed it for its peer.
fn ask(pid: i32, fd: i32, udp: bool) -> Option<Row> {
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let socket = pidfd_getfd(process, fd, PidfdGetfdFlags::empty()).ok()?;
    let local = address(rustix::net::getsockname(&socket).ok()?)?;
    let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    if !udp && rustix::net::sockopt::socket_acceptconn(&socket).ok()? {
        return Some(Row { inode: 0, local, remote: nobody, state: LISTEN });
    }
    let remote = rustix::net::getpeername(&socket).ok().flatten().and_then(address);
    let remote = if udp { remote.unwrap_or(nobody) } else { remote? };
    Some(Row { inode: 0, local, remote, state: CONNECTED })
}

fn address(any: SocketAddrAny) -> Option<SocketAddr> {
    let at = SocketAddr::try_from(any).ok()?;
    Some(SocketAddr::new(at.ip().to_canonical(), at.port()))
}

/// One line of `/proc/net/tcp` and its kin.
#[must_use]
pub fn parse_row(line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    let local = parse_address(words.nth(1)?)?;
    let remote = parse_address(words.next()?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(Row { inode, local, remote, state })
}

/// `0100007F:1F90`: the address in 32-bit words of host byte order, the port in network order.
fn parse_address(word: &str) -> Option<SocketAddr> {
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word =
        |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0u8; 16];
            for (i, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(i)?);
            }
            let six = Ipv6Addr::from(octets);
            six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENER: &str = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 0 100 0";
    const CLIENT: &str = "   1: 0100007F:C350 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 502 1 0 20 4";
    const ACCEPTED: &str = "   2: 0100007F:1F90 0200007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 503 1 0 20 4";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_client_an_accepted_and_a_listening_socket_are_told_apart() {
        let mut sockets = Sockets::default();
        let rows: Vec<_> =
            [CLIENT, ACCEPTED, LISTENER].iter().map(|line| (parse_row(line).unwrap(), false)).collect();
        sockets.take(&rows);
        let at = |inode| sockets.known(inode);
        let inet = |peer: &str, inbound| Some(Target::Inet { peer: Some(peer.to_owned()), inbound });
        assert_eq!(at(502), inet("127.0.0.1:5432", false));
        assert_eq!(at(503), inet("127.0.0.2:50001", true));
        assert_eq!(at(501), Some(Target::Listening("127.0.0.1:8080".to_owned())));
        assert_eq!(at(999), None);
    }

    #[test]
    fn a_socket_is_asked_who_opened_its_connection() {
        use std::os::fd::AsRawFd;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(at).unwrap();
        let (server, from) = listener.accept().unwrap();
        let us = i32::try_from(std::process::id()).unwrap();
        let ask = |fd| ask(us, fd, false).map(|row| (row.local, row.remote, row.state == LISTEN));
        // A sandbox may lend nothing.
        let Some((local, _, listens)) = ask(listener.as_raw_fd()) else { return };
        assert_eq!((local, listens), (at, true));
        assert_eq!(ask(client.as_raw_fd()), Some((from, at, false)));
        assert_eq!(ask(server.as_raw_fd()), Some((at, from, false)));
        let mut sockets = Sockets::default();
        let mut told = |fd, inode| sockets.resolve(us, fd, inode, Some("tcp"), 0);
        // Inodes that no table lists: only the sockets themselves can have told.
        let inbound = |target| matches!(target, Some(Target::Inet { inbound: true, .. }));
        assert!(!inbound(told(client.as_raw_fd(), u64::MAX)));
        assert!(inbound(told(server.as_raw_fd(), u64::MAX - 1)));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(super::ask(us, udp.as_raw_fd(), true).map(|row| row.remote.port()), Some(0));
    }

    #[test]
    fn a_protocol_names_its_table() {
        assert_eq!(Protocol::parse(b"TCPv6\0"), Protocol::Internet("tcp6"));
        assert_eq!(Protocol::parse(b"UNIX-STREAM\0"), Protocol::Unix);
        assert_eq!(Protocol::parse(b"NETLINK\0"), Protocol::Other);
    }

    #[test]
    fn broken_lines_are_skipped() {
        for line in ["", "sl local", "0: zz:1 00000000:0 01", "0: 0100007F 0100007F:1 01 a b c d e f"] {
            assert_eq!(parse_row(line), None, "{line}");
        }
    }
}
