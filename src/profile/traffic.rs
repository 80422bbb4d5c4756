//! What came over the connections that a program accepted: from the kernel's counts of segments, look by look, to sums. Pure.
//! Judges nothing: whether a segment is a request is for `requests` to say.

use std::collections::{BTreeMap, BTreeSet};

use super::source::sock_diag::{Counted, Socket};

/// Connections kept apart at once; what comes over others is not counted.
const KEPT: usize = 65_536;
/// Segments without an answer between them that are told apart.
pub const CROWD: usize = 4;
/// Segments from which a connection is long: what belongs to its beginning and end alone is a small part of it.
const LONG: u64 = 10;

/// Sums over the connections that one process accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Connections that were seen.
    pub connections: u64,
    /// Of these, those over which one segment with data came, or none yet, as long as they were seen.
    pub once: u64,
    /// Connections that others on this machine accepted meanwhile and that were seen, and all that the kernel says were
    /// accepted; `None`: it does not say.
    pub others: u64,
    /// See `others`.
    pub accepted: Option<u64>,
    /// Segments with data that came, and those that were sent.
    pub asked: u64,
    /// See `asked`.
    pub answered: u64,
    /// Segments that came over long connections.
    pub over_long: u64,
    /// Segments that came over connections whose segments are about as large as they can be.
    pub full: u64,
    /// Segments that came while so many (one and more, two and more, …) had come since the last one that was sent.
    pub crowded: [u64; CROWD],
    /// Looks at long connections that had moved, by what was left of the segments that had come by then when they were put
    /// together by one, by two, by three and by four; and the same of those that had been sent.
    pub came_left: Remainders,
    /// See `came_left`.
    pub sent_left: Remainders,
}

/// How often so many were left, by how many were put together.
pub type Remainders = [[u64; CROWD]; CROWD];

impl Traffic {
    /// Of two processes of one program.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        let add = |mut sums: [u64; CROWD], more: &[u64; CROWD]| {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            sums
        };
        let add_all = |mut sums: Remainders, more: &Remainders| {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = add(*sum, more));
            sums
        };
        Self {
            connections: self.connections + other.connections,
            once: self.once + other.once,
            // They are the same to both.
            others: self.others.max(other.others),
            accepted: self.accepted.max(other.accepted),
            asked: self.asked + other.asked,
            answered: self.answered + other.answered,
            over_long: self.over_long + other.over_long,
            full: self.full + other.full,
            crowded: add(self.crowded, &other.crowded),
            came_left: add_all(self.came_left, &other.came_left),
            sent_left: add_all(self.sent_left, &other.sent_left),
        }
    }
}

/// A connection, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
struct Connection {
    pid: i32,
    /// What had come over it when the recording began.
    before: (u64, u64, u64),
    now: Counted,
    /// Segments that came since the last one that was sent.
    unanswered: u64,
}

/// The connections of a program.
#[derive(Debug, Default)]
pub(super) struct Connections {
    live: BTreeMap<u64, Connection>,
    sums: BTreeMap<i32, Traffic>,
    /// Of others, and whether they were accepted since the first look.
    strangers: BTreeMap<u64, bool>,
    /// Accepted by anybody, at the beginning and when it was last asked.
    accepted: Option<(u64, u64)>,
    looked: bool,
    /// The connection that is asked for next.
    asked_for: u64,
}

impl Connections {
    /// Of a program that begins when the kernel has accepted so many connections.
    pub(super) fn new(accepted: Option<u64>) -> Self {
        Self { accepted: accepted.map(|now| (now, now)), ..Self::default() }
    }

    /// What the kernel shows now. `serving`: ports on which processes of the program listen, with one of these. `accepted`:
    /// connections the kernel has accepted since it runs. `attached`: what is there at the first look was there before.
    pub(super) fn look(
        &mut self,
        sockets: &[Socket],
        serving: &BTreeMap<u16, i32>,
        accepted: Option<u64>,
        attached: bool,
    ) {
        self.accepted = self.accepted.zip(accepted).map(|((first, _), now)| (first, now));
        let is_first = !std::mem::replace(&mut self.looked, true);
        let listening: BTreeSet<u16> = sockets
            .iter()
            .filter_map(|socket| if let Socket::Listening(port) = socket { Some(*port) } else { None })
            .collect();
        let mut before = std::mem::take(&mut self.live);
        for socket in sockets {
            let Socket::Open(counted) = socket else { continue };
            let Some(pid) = serving.get(&counted.port) else {
                if listening.contains(&counted.port) && self.strangers.len() < KEPT {
                    self.strangers.entry(counted.cookie).or_insert(!is_first);
                }
                continue;
            };
            let known = before.remove(&counted.cookie);
            if known.is_none() && self.live.len() >= KEPT {
                continue;
            }
            let connection = known.unwrap_or_else(|| {
                let sum = self.sums.entry(*pid).or_default();
                sum.connections += 1;
                let Counted { asked, answered, bytes, .. } = *counted;
                let there = (u64::from(asked), u64::from(answered), bytes);
                Connection {
                    pid: *pid,
                    before: if attached && is_first { there } else { (0, 0, 0) },
                    // A new one is as if it had been seen when nothing had come yet.
                    now: if attached && is_first {
                        *counted
                    } else {
                        Counted { asked: 0, answered: 0, ..*counted }
                    },
                    unanswered: 0,
                }
            });
            let moved = self.moved(connection, *counted);
            self.live.insert(counted.cookie, moved);
        }
        for gone in before.into_values() {
            self.fold(&gone);
        }
    }

    /// A connection as it is now, with what that tells of the order of segments.
    fn moved(&mut self, mut connection: Connection, now: Counted) -> Connection {
        let sum = self.sums.entry(connection.pid).or_default();
        let new = |now: u32, before: u32| u64::from(now.saturating_sub(before));
        let asked = new(now.asked, connection.now.asked);
        if new(now.answered, connection.now.answered) > 0 {
            connection.unanswered = u64::from(now.is_unanswered && asked > 0);
        } else {
            connection.unanswered += asked;
            for (i, crowded) in sum.crowded.iter_mut().enumerate() {
                // Of the segments that just came, those that came when so many had come already.
                *crowded += connection.unanswered.saturating_sub(i as u64 + 1).min(asked);
            }
        }
        if asked > 0 && u64::from(now.asked) >= LONG {
            for (segments, left) in [(now.asked, &mut sum.came_left), (now.answered, &mut sum.sent_left)] {
                for (together, left) in (1..).zip(left.iter_mut()) {
                    left[(segments % together) as usize] += 1;
                }
            }
        }
        connection.now = now;
        connection
    }

    /// Some connections that were open at the last look, others each time.
    pub(super) fn some(&mut self, at_most: usize) -> Vec<Counted> {
        let from = self.asked_for;
        let some: Vec<Counted> = self
            .live
            .range(from..)
            .chain(self.live.range(..from))
            .map(|(_, open)| open.now)
            .take(at_most)
            .collect();
        self.asked_for = some.last().map_or(0, |last| last.cookie.saturating_add(1));
        some
    }

    /// What the kernel shows of one of them now.
    pub(super) fn again(&mut self, counted: Counted) {
        if let Some(known) = self.live.remove(&counted.cookie) {
            let moved = self.moved(known, counted);
            self.live.insert(counted.cookie, moved);
        }
    }

    fn fold(&mut self, Connection { pid, before, now, .. }: &Connection) {
        let sum = self.sums.entry(*pid).or_default();
        let asked = u64::from(now.asked).saturating_sub(before.0);
        let answered = u64::from(now.answered).saturating_sub(before.1);
        let bytes = now.bytes.saturating_sub(before.2);
        sum.asked += asked;
        sum.answered += answered;
        sum.once += u64::from(asked <= 1);
        if asked >= LONG {
            sum.over_long += asked;
        }
        if asked > 1 && bytes * 2 > asked * u64::from(now.largest) {
            sum.full += asked;
        }
    }

    /// The sums, by process.
    pub(super) fn close(mut self) -> BTreeMap<i32, Traffic> {
        for connection in std::mem::take(&mut self.live).into_values() {
            self.fold(&connection);
        }
        let accepted = self.accepted.map(|(first, last)| last.saturating_sub(first));
        for sum in self.sums.values_mut() {
            sum.others = self.strangers.values().filter(|is_new| **is_new).count() as u64;
            sum.accepted = accepted;
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 8080;

    fn open(cookie: u64, asked: u32, answered: u32, is_unanswered: bool) -> Socket {
        Socket::Open(Counted {
            cookie,
            port: PORT,
            asked,
            answered,
            bytes: 70 * u64::from(asked),
            largest: 1448,
            is_unanswered,
            ..Counted::default()
        })
    }

    /// The sums of process 7 over these looks.
    fn sums(attached: bool, looks: &[&[Socket]]) -> Traffic {
        let mut connections = Connections::new(Some(100));
        for (i, look) in looks.iter().enumerate() {
            connections.look(look, &BTreeMap::from([(PORT, 7)]), Some(100 + i as u64), attached);
        }
        connections.close().remove(&7).unwrap_or_default()
    }

    #[test]
    fn what_came_before_the_recording_is_not_of_it() {
        let looks: [&[Socket]; 2] =
            [&[open(1, 500, 500, false)], &[open(1, 510, 511, false), open(2, 3, 3, false)]];
        let attached = sums(true, &looks);
        assert_eq!((attached.connections, attached.asked, attached.answered), (2, 13, 14));
        assert_eq!(sums(false, &looks).asked, 513);
        assert_eq!(attached.accepted, Some(1));
    }

    #[test]
    fn a_connection_that_is_gone_keeps_what_came_over_it() {
        let looks: [&[Socket]; 3] = [&[open(1, 1, 1, false)], &[open(2, 1, 2, false)], &[]];
        let found = sums(false, &looks);
        assert_eq!((found.connections, found.once, found.asked, found.answered), (2, 2, 2, 3));
    }

    #[test]
    fn segments_without_an_answer_between_them_crowd() {
        // One after another; then three at once.
        let alternating: [&[Socket]; 3] =
            [&[open(1, 1, 0, true)], &[open(1, 2, 1, true)], &[open(1, 3, 2, true)]];
        assert_eq!(sums(false, &alternating).crowded, [0; CROWD]);
        let at_once: [&[Socket]; 2] = [&[open(1, 1, 0, true)], &[open(1, 4, 0, true)]];
        assert_eq!(sums(false, &at_once).crowded, [3, 2, 1, 0]);
    }

    #[test]
    fn what_belongs_together_leaves_nothing_over() {
        // Answers of two segments each, whenever it is looked.
        let looks = [10u32, 13, 15, 18].map(|asked| [open(1, asked, 2 * asked, false)]);
        let looks: Vec<&[Socket]> = looks.iter().map(<[Socket; 1]>::as_slice).collect();
        let found = sums(false, &looks);
        assert_eq!((found.came_left[1], found.sent_left[1]), ([2, 2, 0, 0], [4, 0, 0, 0]));
    }

    #[test]
    fn connections_of_others_are_counted_apart() {
        let stranger = |cookie| {
            let counted = Counted { cookie, port: 22, ..Counted::default() };
            [Socket::Listening(22), Socket::Open(counted)]
        };
        let [one, other] = [stranger(8), stranger(9)];
        let looks: [&[Socket]; 2] =
            [&[one[0], one[1], open(1, 1, 1, false)], &[other[0], other[1], one[1], open(1, 2, 2, false)]];
        assert_eq!(sums(false, &looks).others, 1);
        // What nobody here listens for was opened from here.
        let opened =
            [Socket::Open(Counted { cookie: 9, port: 4711, ..Counted::default() }), open(1, 2, 2, false)];
        assert_eq!(sums(false, &[&[], &opened]).others, 0);
    }
}
