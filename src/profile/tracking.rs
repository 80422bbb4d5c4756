//! Draws what threads do as slices of time, from the same intervals the books are kept of. Pure, and bounded: when there
//! are too many slices, what comes later is left out.
//!
//! Within an interval, which is what lies between two readings of a thread, the scheduler's counters say how long it ran
//! and queued. It waited before that where it was seen waiting at the beginning, and after it where at the end.

use std::collections::BTreeMap;

use super::stack::StackId;
use super::thread_clock::{Seen, SiteId};
use super::tracks::{HandOver, Moment};

/// Slices, threads and hand-overs kept, all together.
const KEPT: usize = 300_000;
/// Looks at a thread's name: it is given one after it has started.
const NAMINGS: u8 = 2;

/// What a thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Did {
    /// It ran.
    Run,
    /// It could have run.
    Queue,
    /// It waited, in this code.
    Wait(SiteId, StackId),
}

/// A piece of a thread's time, nanoseconds since the recording began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// When it began.
    pub from: u64,
    /// When it ended.
    pub to: u64,
    /// What was done.
    pub did: Did,
    /// Waits that ended in it.
    pub waits: u32,
}

/// One thread's pieces.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Process.
    pub pid: i32,
    /// Thread.
    pub tid: i32,
    /// Its name, once it was asked for.
    pub name: Option<String>,
    /// One after the other.
    pub pieces: Vec<Piece>,
    /// When the last interval ended.
    end: u64,
    /// CPU time that was drawn before the scheduler counted it.
    ahead: i64,
    /// Time in the run queue that was counted, and not drawn for want of room.
    late: u64,
    namings: u8,
    /// It has come to where everything is cut.
    cut: bool,
}

/// What lies between two readings of a thread.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    /// When it began.
    pub from: u64,
    /// Until when it is known that the thread did not move.
    pub unmoved: u64,
    /// When it ended.
    pub to: u64,
    /// Time on a CPU in it.
    pub cpu: u64,
    /// Time in the run queue.
    pub delay: u64,
    /// Times it was put on a CPU after a wait.
    pub waits: u64,
    /// What the thread was seen doing at its beginning, and in which code.
    pub before: (Option<Seen>, StackId),
    /// The same of its end.
    pub now: (Option<Seen>, StackId),
    /// Whether the wait at its beginning was for a child process.
    pub for_child: bool,
}

/// Everything that is drawn of a recording.
#[derive(Debug)]
pub struct Tracking {
    live: BTreeMap<i32, Drawn>,
    done: Vec<Drawn>,
    hand_overs: Vec<HandOver>,
    /// The child of a process that ended last.
    ended: BTreeMap<i32, Moment>,
    /// How many more there may be.
    left: usize,
    cut_at: Option<u64>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            live: BTreeMap::new(),
            done: Vec::new(),
            hand_overs: Vec::new(),
            ended: BTreeMap::new(),
            left: KEPT,
            cut_at: None,
        }
    }
}

impl Tracking {
    /// A thread appeared at `at`, and had run and queued for so long since it was born.
    pub fn born(&mut self, pid: i32, tid: i32, at: u64, (cpu, delay): (u64, u64)) {
        if !self.has_room(at) {
            return;
        }
        let mut drawn = Drawn {
            pid,
            tid,
            name: None,
            pieces: Vec::new(),
            end: at.saturating_sub(cpu + delay),
            ahead: 0,
            late: 0,
            namings: 0,
            cut: false,
        };
        drawn.add(delay, Did::Queue, 0);
        drawn.add(cpu, Did::Run, 0);
        self.left = self.left.saturating_sub(1 + drawn.pieces.len());
        self.live.insert(tid, drawn);
    }

    /// An interval of a thread was closed.
    pub fn passed(&mut self, tid: i32, interval: &Interval) {
        let has_room = self.has_room(interval.from);
        let Some(drawn) = self.live.get_mut(&tid) else { return };
        if let Some(cut_at) = self.cut_at.filter(|_| !has_room) {
            // The wait it was in when there was no more room.
            if let (Some(Seen::Blocked(site)), stack) = interval.before
                && !drawn.cut
            {
                drawn.add(interval.unmoved.min(cut_at).saturating_sub(drawn.end), Did::Wait(site, stack), 0);
            }
            drawn.cut = true;
            return;
        }
        let before = drawn.pieces.len();
        let went_on = drawn.lay_out(interval);
        self.left = self.left.saturating_sub(drawn.pieces.len() - before);
        let pid = drawn.pid;
        if interval.for_child
            && let Some(at) = went_on
            && let Some(from) = self.ended.get(&pid).copied().filter(|from| from.at >= interval.from)
        {
            self.ended.remove(&pid);
            let at = at.max(from.at).min(interval.to);
            self.hand_overs.push(HandOver { from, to: Moment { pid, tid, at } });
            self.left = self.left.saturating_sub(1);
        }
    }

    /// More is known of the wait that a thread is in.
    pub fn renamed(&mut self, tid: i32, site: SiteId, stack: StackId) {
        let last = self.live.get_mut(&tid).filter(|drawn| !drawn.cut);
        if let Some(Piece { did: did @ Did::Wait(..), .. }) = last.and_then(|drawn| drawn.pieces.last_mut()) {
            *did = Did::Wait(site, stack);
        }
    }

    /// A thread has ended. `parent`: it was a process, of this one.
    pub fn gone(&mut self, tid: i32, parent: Option<i32>) {
        let Some(drawn) = self.live.remove(&tid) else { return };
        if let Some(parent) = parent.filter(|_| self.cut_at.is_none()) {
            self.ended.insert(parent, Moment { pid: drawn.pid, tid, at: drawn.end });
        }
        self.ended.remove(&tid);
        if !drawn.pieces.is_empty() {
            self.done.push(drawn);
        }
    }

    /// Threads of a process whose names are not settled.
    pub fn to_name(&self, pid: i32) -> impl Iterator<Item = i32> {
        let unsettled = move |drawn: &&Drawn| drawn.pid == pid && drawn.namings < NAMINGS;
        self.live.values().filter(unsettled).map(|drawn| drawn.tid)
    }

    /// A thread is called so.
    pub fn called(&mut self, tid: i32, name: String) {
        if let Some(drawn) = self.live.get_mut(&tid) {
            drawn.name = Some(name);
            drawn.namings += 1;
        }
    }

    /// What was drawn of threads that are [`gone`](Self::gone), what ended waits, and from when on everything is left out.
    #[must_use]
    pub fn drawn(&self) -> (&[Drawn], &[HandOver], Option<u64>) {
        (&self.done, &self.hand_overs, self.cut_at)
    }

    /// Whether there is room for more; where there is not, everything ends now.
    fn has_room(&mut self, now: u64) -> bool {
        if self.left == 0 && self.cut_at.is_none() {
            self.cut_at = Some(now.max(self.live.values().map(|drawn| drawn.end).max().unwrap_or(0)));
        }
        self.cut_at.is_none()
    }
}

impl Drawn {
    /// Draws an interval; when the wait it began with was over, if it was.
    fn lay_out(&mut self, interval: &Interval) -> Option<u64> {
        let Interval { unmoved, to, cpu, delay, .. } = *interval;
        let length = to.saturating_sub(self.end);
        let certain = unmoved.saturating_sub(self.end);
        let owed = i64::try_from(cpu).unwrap_or(i64::MAX).saturating_sub(self.ahead);
        let mut run = u64::try_from(owed).unwrap_or(0).min(length);
        let due = self.late.saturating_add(delay);
        let mut queued = due.min(length - run);
        let wait = |(seen, stack): (Option<Seen>, StackId)| match seen {
            Some(Seen::Blocked(site)) => Some(Did::Wait(site, stack)),
            _ => None,
        };
        let (before, now) = (wait(interval.before), wait(interval.now));
        let waits = u32::try_from(interval.waits).unwrap_or(u32::MAX);
        if before.is_none() && now.is_none() && waits == 0 && interval.now.0.is_some() {
            // It never waited: what is not counted yet was time on a CPU.
            queued = due.min(length);
            run = length - queued;
        }
        let quiet = length - run - queued;
        self.late = due - queued;
        let [run_signed, counted] = [run, cpu].map(|time| i64::try_from(time).unwrap_or(i64::MAX));
        self.ahead = self.ahead.saturating_add(run_signed).saturating_sub(counted);
        let (first, rest) = match (before, now) {
            (Some(_), Some(_)) => {
                let first = certain.min(quiet);
                (first + (quiet - first) / 2, (quiet - first).div_ceil(2))
            }
            (Some(_), None) => (quiet, 0),
            _ => (0, quiet),
        };
        if let Some(before) = before {
            self.add(first, before, waits.max(u32::from(interval.now.0.is_some())));
        }
        let over = self.end;
        if let Some(now) = now {
            self.add(queued, Did::Queue, 0);
            self.add(run, Did::Run, 0);
            self.add(rest, now, 0);
        } else {
            // Waits that nobody saw lie somewhere in what it ran.
            let later = if rest > 0 { run / 2 } else { 0 };
            self.add(queued, Did::Queue, 0);
            self.add(run - later, Did::Run, 0);
            self.add(rest, Did::Wait(SiteId::UNKNOWN, StackId::UNSEEN), waits);
            self.add(later, Did::Run, 0);
        }
        before.map(|_| over)
    }

    /// Adds a piece where the last one ended; what goes on is one piece.
    fn add(&mut self, length: u64, did: Did, waits: u32) {
        if length == 0 {
            return;
        }
        let from = self.end;
        self.end += length;
        match self.pieces.last_mut() {
            Some(last) if last.did == did && last.to == from => {
                last.to = self.end;
                last.waits = last.waits.saturating_add(waits);
            }
            _ => self.pieces.push(Piece { from, to: self.end, did, waits }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEEN: (Option<Seen>, StackId) = (Some(Seen::Active), StackId::UNSEEN);

    fn blocked(site: u32) -> (Option<Seen>, StackId) {
        (Some(Seen::Blocked(SiteId(site))), StackId(site))
    }

    fn wait(site: u32) -> Did {
        Did::Wait(SiteId(site), StackId(site))
    }

    fn interval(
        from: u64,
        to: u64,
        before: (Option<Seen>, StackId),
        now: (Option<Seen>, StackId),
    ) -> Interval {
        Interval { from, unmoved: from, to, cpu: 0, delay: 0, waits: 0, before, now, for_child: false }
    }

    /// What was drawn of one thread that was born at zero.
    fn drawn(intervals: &[Interval]) -> Vec<(u64, u64, Did)> {
        let mut tracking = Tracking::default();
        tracking.born(1, 1, 0, (0, 0));
        for interval in intervals {
            tracking.passed(1, interval);
        }
        tracking.gone(1, None);
        let (done, ..) = tracking.drawn();
        done.iter().flat_map(|drawn| &drawn.pieces).map(|piece| (piece.from, piece.to, piece.did)).collect()
    }

    #[test]
    fn a_wait_lasts_until_it_moved_and_half_of_what_nobody_saw() {
        let first = interval(0, 10, SEEN, blocked(1));
        let then = Interval {
            unmoved: 100,
            cpu: 4,
            delay: 2,
            waits: 1,
            ..interval(10, 120, blocked(1), blocked(2))
        };
        assert_eq!(
            drawn(&[first, then]),
            [(0, 107, wait(1)), (107, 109, Did::Queue), (109, 113, Did::Run), (113, 120, wait(2))]
        );
    }

    #[test]
    fn a_thread_that_never_waited_ran_however_late_that_is_counted() {
        let late = Interval { cpu: 4, ..interval(0, 10, SEEN, SEEN) };
        let caught_up = Interval { cpu: 16, ..interval(10, 20, SEEN, SEEN) };
        let ended = Interval { cpu: 5, waits: 1, ..interval(20, 30, SEEN, blocked(3)) };
        assert_eq!(drawn(&[late, caught_up, ended]), [(0, 25, Did::Run), (25, 30, wait(3))]);
    }

    #[test]
    fn waits_that_nobody_saw_are_waits_for_nothing_known() {
        let between = Interval { cpu: 4, waits: 7, ..interval(0, 10, SEEN, SEEN) };
        let unknown = Did::Wait(SiteId::UNKNOWN, StackId::UNSEEN);
        assert_eq!(drawn(&[between]), [(0, 2, Did::Run), (2, 8, unknown), (8, 10, Did::Run)]);
    }

    #[test]
    fn whoever_waits_for_a_child_goes_on_when_it_has_ended() {
        let mut tracking = Tracking::default();
        tracking.born(1, 1, 0, (0, 0));
        tracking.born(2, 2, 0, (0, 0));
        tracking.passed(2, &Interval { cpu: 50, ..interval(0, 50, SEEN, SEEN) });
        tracking.gone(2, Some(1));
        let awaits =
            Interval { unmoved: 40, cpu: 5, waits: 1, for_child: true, ..interval(0, 60, blocked(1), SEEN) };
        tracking.passed(1, &awaits);
        // Another wait for a child, which nobody saw end.
        tracking.passed(1, &Interval { from: 60, to: 90, unmoved: 80, ..awaits });
        tracking.gone(1, None);
        let (_, hand_overs, _) = tracking.drawn();
        let (from, to) = (Moment { pid: 2, tid: 2, at: 50 }, Moment { pid: 1, tid: 1, at: 55 });
        assert_eq!(hand_overs, [HandOver { from, to }]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_one_moment_on() {
        let mut tracking = Tracking { left: 5, ..Tracking::default() };
        for tid in [1, 2] {
            tracking.born(1, tid, 0, (0, 0));
            tracking.passed(tid, &interval(0, 10, SEEN, blocked(1)));
        }
        let moves = |from| Interval { cpu: 4, waits: 1, ..interval(from, from + 10, blocked(1), blocked(1)) };
        for from in [10, 20, 30] {
            tracking.passed(1, &moves(from));
        }
        tracking.born(1, 3, 40, (1, 1));
        // The second waited all the time.
        tracking.passed(2, &Interval { unmoved: 90, ..interval(10, 100, blocked(1), blocked(1)) });
        for tid in [1, 2, 3] {
            tracking.gone(tid, None);
        }
        let (done, _, cut_at) = tracking.drawn();
        let ends: Vec<_> = done.iter().map(|drawn| (drawn.tid, drawn.end)).collect();
        assert_eq!((ends, cut_at), (vec![(1, 20), (2, 20)], Some(20)));
    }

    proptest! {
        #[test]
        fn slices_follow_each_other_and_nothing_is_lost(
            looks in proptest::collection::vec((0..30_u64, 0..40_u64, 0..20_u64, 0..4_u64, 0..4_u32, 0..4_u64), 1..200)
        ) {
            let seen = |site: u32| if site == 0 { SEEN } else { blocked(site) };
            let (mut tracking, mut now, mut before, mut counted) = (Tracking::default(), 0, SEEN, (0, 0));
            tracking.born(1, 1, 0, (0, 0));
            for (length, cpu, delay, waits, site, quiet) in looks {
                let unmoved = now + length * quiet / 4;
                let next = Interval { unmoved, cpu, delay, waits, ..interval(now, now + length, before, seen(site)) };
                tracking.passed(1, &next);
                (now, before, counted) = (now + length, seen(site), (counted.0 + cpu, counted.1 + delay));
            }
            let drawn = tracking.live.remove(&1).unwrap();
            let mut end = 0;
            for piece in &drawn.pieces {
                prop_assert!(piece.from == end && piece.to > end);
                end = piece.to;
            }
            prop_assert_eq!(end, now);
            let in_all = |did: Did| {
                let pieces = drawn.pieces.iter().filter(|piece| piece.did == did);
                i128::from(pieces.map(|piece| piece.to - piece.from).sum::<u64>())
            };
            prop_assert_eq!(in_all(Did::Run), i128::from(counted.0) + i128::from(drawn.ahead));
            prop_assert_eq!(in_all(Did::Queue), i128::from(counted.1) - i128::from(drawn.late));
        }
    }
}
