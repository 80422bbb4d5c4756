//! How often clients ask a program that serves: the kernel's counts of the connections it accepted, looked at now and then.
//! The edge: asks the kernel; what came over a connection is [`traffic`](super::traffic)'s to sum up.

use std::collections::BTreeMap;

use super::own_cpu;
use super::source::procfs::{parse_accepted, read_small};
use super::source::sock_diag::SockDiag;
use super::traffic::{Connections, Traffic};

/// How often it is looked, at most, nanoseconds.
const LOOK_NS: u64 = 25_000_000;
/// Looking takes at most one part in so many of the time, and so does asking again: the kernel walks all its buckets for
/// the one, but not for the other.
const LOOK_BUDGET: u64 = 150;
/// Connections asked for again at once.
const ASKED_AGAIN: usize = 32;
/// Ports looked at.
const PORTS: usize = 64;

/// What is known of the clients of a program.
#[derive(Debug)]
pub(super) struct Clients {
    kernel: Kernel,
    connections: Connections,
    /// Whether processes are in our network namespace.
    ours: BTreeMap<i32, bool>,
    next: u64,
    next_again: u64,
}

/// What can be asked.
#[derive(Debug)]
enum Kernel {
    Unasked,
    Tells(SockDiag),
    Silent(&'static str),
}

/// Name of this source, as the report knows it.
pub(super) const SOCK_DIAG: &str = "sock-diag";
const NO_DIAG: &str = "the kernel does not tell of its sockets (INET_DIAG), or a sandbox forbids to ask";
const ELSEWHERE: &str = "the program is in a network namespace of its own";

impl Clients {
    /// Before anybody asked anything.
    pub(super) fn new() -> Self {
        Self {
            kernel: Kernel::Unasked,
            connections: Connections::new(accepted()),
            ours: BTreeMap::new(),
            next: 0,
            next_again: 0,
        }
    }

    /// Looks, if it is time. `serving`: ports on which processes of the program listen, with one of these.
    pub(super) fn look_if_due(&mut self, now: u64, serving: &BTreeMap<u16, i32>, attached: bool) {
        let looks = now >= self.next && !serving.is_empty();
        if !looks && now < self.next_again {
            return;
        }
        let before = own_cpu::thread();
        let due = if looks {
            self.look(serving, attached);
            &mut self.next
        } else {
            self.look_again();
            &mut self.next_again
        };
        let cost = u64::try_from(own_cpu::thread().saturating_sub(before).as_nanos()).unwrap_or(u64::MAX);
        *due = now.saturating_add(LOOK_NS.max(cost.saturating_mul(LOOK_BUDGET)));
    }

    /// Asks for some connections that are known: what came over them since is lost when they end.
    fn look_again(&mut self) {
        let Kernel::Tells(diag) = &self.kernel else { return };
        for counted in self.connections.some(ASKED_AGAIN) {
            if let Some(counted) = diag.again(&counted.address) {
                self.connections.again(counted);
            }
        }
    }

    /// Looks. `attached`: what is there at the first look was there before.
    pub(super) fn look(&mut self, serving: &BTreeMap<u16, i32>, attached: bool) {
        if matches!(self.kernel, Kernel::Unasked) && !serving.is_empty() {
            self.kernel = SockDiag::open().map_or(Kernel::Silent(NO_DIAG), Kernel::Tells);
        }
        let Kernel::Tells(diag) = &self.kernel else { return };
        let mut here = BTreeMap::new();
        for (port, pid) in serving.iter().take(PORTS) {
            if *self.ours.entry(*pid).or_insert_with(|| is_in_our_network(*pid)) {
                here.insert(*port, *pid);
            }
        }
        if here.is_empty() {
            self.kernel = Kernel::Silent(ELSEWHERE);
            return;
        }
        match diag.sockets() {
            Some(sockets) => self.connections.look(&sockets, &here, accepted(), attached),
            None => self.kernel = Kernel::Silent(NO_DIAG),
        }
    }

    /// What came, by process; or why that is not known. Nothing of either where nobody serves.
    pub(super) fn close(self) -> (BTreeMap<i32, Traffic>, Option<&'static str>) {
        let why = if let Kernel::Silent(why) = self.kernel { Some(why) } else { None };
        (self.connections.close(), why)
    }
}

/// Connections that were accepted in our network namespace since it exists.
fn accepted() -> Option<u64> {
    parse_accepted(&read_small("/proc/self/net/snmp".as_ref()).ok()?)
}

fn is_in_our_network(pid: i32) -> bool {
    let network = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/net")).ok();
    // What cannot be told is taken to be as it mostly is.
    network("self").zip(network(&pid.to_string())).is_none_or(|(ours, its)| ours == its)
}
