//! What the program waited for, by who woke whom. Whoever was woken by another thread of the program goes on where that one
//! had come from; whoever was woken from outside waited for what it waited for. So every thread has a path: which waits took
//! the quiet time on the way to where it is.
//!
//! ```text
//! 10  ── waits for the network ──►│ runs, wakes 11 │
//! 11  ── waits for 10 ───────────────────────────► │ runs: its path is that of 10, a wait for the network
//! ```
//!
//! Now and then quiet time is divided among the waits of all paths, each path weighed by the time its thread ran: whoever
//! only looks and sleeps again decides next to nothing. A law holds at any time: the path of a thread that runs, or may, holds
//! all the quiet time since it was last divided, if the thread was there then and waited. Pure, and bounded.

use std::collections::VecDeque;
use std::rc::Rc;

use super::waits::is_same;
use super::{State, Switching, Thread, Why};

/// Quiet time that is collected before it is divided, nanoseconds: a rare poll must not decide alone.
const DIVIDED_AFTER: u64 = 200_000_000;
/// Waits kept apart on one path.
const KEPT_APART: usize = 64;
/// Ended threads remembered: as many may be about to be gone at the same time.
const ENDED_KEPT: usize = 64;

/// Quiet time in waits for the same thing, in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Process.
    pub pid: i32,
    /// A thread of it that waited so.
    pub tid: i32,
    /// For what; `None`: the kernel was not asked, or there were too many to be kept apart.
    pub why: Option<Why>,
    /// Nanoseconds.
    pub quiet: u64,
}

/// Sums by process and what was waited for in it, each with a thread that did.
#[derive(Debug, Clone, Default)]
struct Sums<S>(Vec<(i32, i32, Option<Why>, S)>);

impl<S: Default> Sums<S> {
    fn of(&mut self, pid: i32, tid: i32, why: Option<Why>) -> &mut S {
        let is_meant = |(known, _, of, _): &(i32, i32, Option<Why>, S)| *known == pid && is_same(*of, why);
        let at = match self.0.iter().position(is_meant) {
            Some(at) => at,
            None if self.0.len() < KEPT_APART => {
                self.0.push((pid, tid, why, S::default()));
                self.0.len() - 1
            }
            // The first of the many stands for the rest.
            None => KEPT_APART - 1,
        };
        &mut self.0[at].3
    }
}

/// The waits on the way to where a thread is. Handing it on costs nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Rc<Sums<u64>>);

impl Path {
    /// It went on through this wait.
    pub(super) fn through(&mut self, Link { pid, tid, why, quiet }: Link) {
        if quiet > 0 {
            *Rc::make_mut(&mut self.0).of(pid, tid, why) += quiet;
        }
    }

    /// All quiet time on it.
    pub(super) fn quiet(&self) -> u64 {
        self.0.0.iter().map(|(.., quiet)| quiet).sum()
    }
}

/// How quiet time is divided among paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Division {
    /// Of all quiet time, so much is divided.
    from: u64,
    /// The quiet time of waits, times the time that was run after them.
    weighed: Sums<u128>,
    /// The quiet time on the longest path that was weighed.
    longest: u64,
    /// Threads that ended last, and where they had come from: their end is told before they wake who waits for it.
    ended: VecDeque<(i32, Path)>,
}

impl Division {
    /// Begins when there has been so much quiet time.
    pub(super) fn at(quiet: u64) -> Self {
        Self { from: quiet, ..Self::default() }
    }

    /// Quiet time that is divided, or not known.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    /// Whether enough has come together by now.
    pub(super) fn is_due(&self, quiet: u64) -> bool {
        quiet.saturating_sub(self.from) >= DIVIDED_AFTER
    }

    /// A thread came this way, and ran for so long.
    pub(super) fn weigh(&mut self, path: &Path, ran: u64) {
        if ran == 0 {
            return;
        }
        self.longest = self.longest.max(path.quiet());
        for (pid, tid, why, quiet) in &path.0.0 {
            *self.weighed.of(*pid, *tid, *why) += u128::from(*quiet) * u128::from(ran);
        }
    }

    /// A thread has ended that came this way, and ran for so long.
    pub(super) fn end(&mut self, tid: i32, path: Path, ran: u64) {
        self.weigh(&path, ran);
        self.ended.truncate(ENDED_KEPT - 1);
        self.ended.push_front((tid, path));
    }

    /// Where a thread had come from that has just ended.
    fn last(&self, tid: i32) -> Option<&Path> {
        self.ended.iter().find(|(ended, _)| *ended == tid).map(|(_, path)| path)
    }

    /// Divides the quiet time of the longest path. The rest, in which whoever will go on next still waits, is left to the
    /// next time.
    pub(super) fn divide(&mut self) -> Vec<Link> {
        let whole = std::mem::take(&mut self.longest);
        self.from += whole;
        self.ended.clear();
        let weighed = std::mem::take(&mut self.weighed).0;
        let all = weighed.iter().map(|(.., weight)| *weight as f64).sum::<f64>().max(1.0);
        let (mut until, mut given) = (0.0, 0);
        let parts = weighed.into_iter().map(|(pid, tid, why, weight)| {
            until += weight as f64;
            // Rounded as a running sum, so that the parts add up to the whole.
            let due = ((until / all * whole as f64) as u64).clamp(given, whole);
            Link { pid, tid, why, quiet: due - std::mem::replace(&mut given, due) }
        });
        parts.filter(|link| link.quiet > 0).collect()
    }
}

impl Switching {
    /// From now on, wake-ups are told, too.
    pub fn with_wakeups(&mut self) {
        self.division = Some(Division::at(self.quiet));
    }

    /// Somebody is woken who waits. Whoever is still on a CPU, about to wait, will not, or is told to be back on one.
    pub(super) fn wake(&mut self, tid: i32, by: Option<i32>, at: u64) {
        if !self.threads.contains_key(&tid) {
            return;
        }
        self.pass(at);
        if self.threads.get(&tid).is_none_or(|thread| thread.state != State::Waiting) {
            return;
        }
        self.enter(tid, State::Ready);
        self.woken += 1;
        // Only who runs, or is about to be gone, can wake anybody.
        let came = |by: i32| match self.threads.get(&by) {
            Some(thread) => (thread.state == State::On).then_some(&thread.path),
            None => self.division.as_ref()?.last(by),
        };
        let Some(path) = by.and_then(came).cloned() else { return };
        self.handovers += 1;
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.path = path;
        }
    }

    /// Somebody is started, by whoever runs there.
    pub(super) fn born(&mut self, pid: i32, tid: i32, parent: i32, cpu: usize) {
        let by = self.cpus.get(cpu).copied().flatten();
        let path = by.and_then(|by| self.threads.get(&by)).map(|thread| thread.path.clone());
        let is_new = !self.threads.contains_key(&tid);
        self.thread(pid, tid, parent, State::New, true);
        if let Some((thread, path)) = self.threads.get_mut(&tid).filter(|_| is_new).zip(path) {
            thread.path = path;
        }
    }

    /// What was waited for up to now is not known: paths begin anew.
    pub(super) fn forget_paths(&mut self) {
        if self.division.is_some() {
            self.division = Some(Division::at(self.quiet));
            for thread in self.threads.values_mut() {
                thread.begin_path(self.now);
            }
        }
    }

    /// How quiet time divides among waits, as far as it is due: when enough has come together, or nobody is left. Nothing,
    /// where nobody tells of wake-ups.
    pub fn divided(&mut self) -> Vec<Link> {
        let Some(division) = &mut self.division else { return Vec::new() };
        if !division.is_due(self.quiet) && !self.threads.is_empty() {
            return Vec::new();
        }
        for thread in self.threads.values_mut() {
            division.weigh(&thread.path, thread.ran(self.now) - thread.run_before);
            thread.begin_path(self.now);
        }
        division.divide()
    }

    /// How often a thread that waited was woken, and how often by another one of the program.
    #[must_use]
    pub fn wakeups(&self) -> (u64, u64) {
        (self.woken, self.handovers)
    }
}

impl Thread {
    fn begin_path(&mut self, now: u64) {
        self.path = Path::default();
        self.run_before = self.ran(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::switching::{Record, What};

    const MS: u64 = 1_000_000;
    const IN: What = What::In;
    const OUT: What = What::Out { ready: false };

    fn off(chain: u32) -> What {
        What::Off(Why { chain, args: [0; 6], sp: 1, pc: 2 })
    }

    fn woken(by: i32) -> What {
        What::Woken { by: (by > 0).then_some(by) }
    }

    /// A program of threads 10 and 11 of which this is told, in milliseconds; each thread runs on its own CPU.
    fn told(records: &[(u64, i32, What)]) -> Switching {
        let mut switching = Switching::default();
        switching.with_wakeups();
        switching.begin(10, 0);
        let born = What::Born { parent: 10 };
        for (time, tid, what) in [(0, 10, IN), (0, 11, born), (0, 11, IN)].iter().chain(records) {
            let cpu = (*tid - 10).unsigned_abs() as usize;
            switching.take(&Record { time: time * MS, cpu, pid: 10, tid: *tid, what: what.clone() });
        }
        switching
    }

    /// Chain of the wait and milliseconds.
    fn divided(switching: &mut Switching) -> Vec<(u32, u64)> {
        let links = switching.divided().into_iter();
        links.map(|link| (link.why.map_or(0, |why| why.chain), link.quiet / MS)).collect()
    }

    /// ```text
    /// time    0    10           300   304 310
    ///  10     | on | waits (1)         | on        woken by 11, at 302
    ///  11     | on | waits (2)   | on  |           woken from outside, at 300
    /// ```
    #[test]
    fn whoever_was_woken_by_another_goes_on_where_that_one_came_from() {
        let mut switching = told(&[
            (10, 10, off(1)),
            (10, 10, OUT),
            (10, 11, off(2)),
            (10, 11, OUT),
            (299, 11, woken(0)),
            (300, 11, IN),
            (302, 10, woken(11)),
            (303, 11, off(2)),
            (303, 11, OUT),
            (304, 10, IN),
        ]);
        let overlap = switching.overlap(310 * MS).unwrap();
        // Ready from when they were woken: a millisecond before anybody ran, and one more after 11.
        assert_eq!((overlap.ready, overlap.woken, overlap.running[0]), (2 * MS, 0, 291 * MS));
        assert_eq!(divided(&mut switching), [(2, 289)]);
        assert_eq!(switching.wakeups(), (2, 1));
        // The time that is divided is divided once.
        assert_eq!(divided(&mut switching), []);
    }

    #[test]
    fn who_only_looks_and_sleeps_again_decides_next_to_nothing() {
        // Thread 11 looks every 10 ms, for one of them; 10 waits for 405 and computes for 200.
        let looks = (1..=40).flat_map(|look| {
            let at = look * 10;
            [(at, 11, woken(0)), (at, 11, IN), (at + 1, 11, off(2)), (at + 1, 11, OUT)]
        });
        let mut records: Vec<_> = vec![(0, 10, off(1)), (0, 10, OUT), (1, 11, off(2)), (1, 11, OUT)];
        records.extend(looks);
        records.extend([(405, 10, woken(0)), (405, 10, IN)]);
        let mut switching = told(&records);
        switching.overlap(605 * MS);
        let waits = divided(&mut switching);
        let of = |chain| waits.iter().find(|(told, _)| *told == chain).map_or(0, |(_, time)| *time);
        // All of the time that both waited, but for what rounding takes.
        assert_eq!(of(1) + of(2), 363);
        assert!(of(1) > 4 * of(2), "{waits:?}");
    }

    #[test]
    fn whoever_waits_for_the_end_of_another_waited_for_what_that_one_did() {
        let mut switching = told(&[
            (10, 10, off(1)),
            (10, 10, OUT),
            (10, 11, off(2)),
            (10, 11, OUT),
            (300, 11, woken(0)),
            (300, 11, IN),
            (305, 11, What::Died),
            (305, 10, woken(11)),
            (306, 10, IN),
        ]);
        switching.overlap(310 * MS);
        assert_eq!((divided(&mut switching), switching.wakeups()), (vec![(2, 290)], (2, 1)));
    }

    #[test]
    fn an_interrupt_or_a_stranger_hands_nothing_over() {
        for by in [0, 99] {
            let mut switching = told(&[
                (10, 10, off(1)),
                (10, 10, OUT),
                (10, 11, off(2)),
                (10, 11, OUT),
                (300, 10, woken(by)),
                (300, 10, IN),
            ]);
            switching.overlap(310 * MS);
            assert_eq!((divided(&mut switching), switching.wakeups()), (vec![(1, 290)], (1, 0)));
        }
    }

    #[test]
    fn a_wake_up_of_somebody_who_does_not_wait_or_is_not_known_is_nothing() {
        let records = [(10, 10, OUT), (20, 10, woken(0)), (30, 10, IN), (50, 10, OUT)];
        let mut twice: Vec<_> = records.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        twice.extend([(60, 77, woken(0)), (60, 11, woken(10))]);
        let (mut once, mut twice) = (told(&records), told(&twice));
        assert_eq!(once.overlap(70 * MS), twice.overlap(70 * MS));
        assert_eq!((once.of(10), once.wakeups()), (twice.of(10), twice.wakeups()));
        assert!(!twice.knows(77));
    }

    #[test]
    fn over_a_gap_nothing_is_divided() {
        let before = [(10, 10, off(1)), (10, 10, OUT), (10, 11, OUT), (250, 10, woken(0)), (250, 10, IN)];
        let mut with_gap = before.to_vec();
        with_gap.extend([(300, 10, What::Lost), (310, 10, IN)]);
        for (records, expected) in [(before.as_slice(), vec![(1, 240)]), (&with_gap, vec![])] {
            let mut switching = told(records);
            switching.overlap(320 * MS);
            assert_eq!(divided(&mut switching), expected);
        }
    }

    proptest! {
        /// Whatever is told: no quiet time is divided twice, none that was not there, and wake-ups make no time and lose none.
        #[test]
        fn quiet_time_is_divided_once(
            records in proptest::collection::vec((0..90u64, 0..3usize, 10..15i32, 0..12u8), 0..200),
        ) {
            let mut switching = Switching::default();
            switching.with_wakeups();
            switching.begin(10, 0);
            let (mut time, mut sum) = (0u64, 0);
            for (passed, cpu, tid, what) in records {
                time += passed * MS;
                let what = match what {
                    0..=2 => IN,
                    3..=4 => What::Out { ready: what == 3 },
                    5 => What::Born { parent: 10 },
                    6 => What::Died,
                    7..=8 => off(u32::from(cpu == 0)),
                    _ => woken(tid % 3 + 9),
                };
                switching.take(&Record { time, cpu, pid: 10, tid, what });
                for tid in 10..15 {
                    if let Some(exact) = switching.of(tid) {
                        prop_assert!(exact.run + exact.quiet <= time - exact.since);
                    }
                }
                let longest = switching.threads.values().map(|thread| thread.path.quiet()).max().unwrap_or(0);
                let from = switching.division.as_ref().map_or(0, Division::from);
                prop_assert!(from + longest <= switching.quiet);
                sum += switching.divided().iter().map(|link| link.quiet).sum::<u64>();
                prop_assert!(sum <= switching.quiet);
            }
            for life in switching.ended() {
                let run = life.exact.map_or(0, |exact| exact.run);
                prop_assert!(life.exact.is_none_or(|exact| run + life.ready <= life.at - exact.since));
            }
            if let Some(overlap) = switching.overlap(time) {
                prop_assert_eq!(overlap.running.iter().sum::<u64>(), time);
                prop_assert!(overlap.ready <= time - overlap.active());
            }
        }

        /// A life of which every wake-up is told adds up to the nanosecond: on a CPU, ready, waiting.
        #[test]
        fn running_ready_and_waiting_are_the_life(
            stints in proptest::collection::vec((1..50u64, 0..50u64, 1..50u64), 1..50),
        ) {
            let mut switching = Switching::default();
            switching.with_wakeups();
            let mut tell = |time, what| switching.take(&Record { time, cpu: 0, pid: 10, tid: 10, what });
            tell(0, What::Born { parent: 9 });
            tell(0, IN);
            let (mut time, mut run, mut ready, mut waiting) = (0, 0, 0, 0);
            for (on, away, queued) in stints {
                (time, run) = (time + on, run + on);
                tell(time, off(1));
                tell(time, OUT);
                (time, waiting) = (time + away, waiting + away);
                tell(time, woken(0));
                (time, ready) = (time + queued, ready + queued);
                tell(time, IN);
            }
            let told: u64 = switching.waits(10).iter().map(|wait| wait.time).sum();
            let overlap = switching.overlap(time).unwrap();
            prop_assert_eq!((overlap.active(), overlap.ready, overlap.running[0]), (run, ready, ready + waiting));
            prop_assert_eq!((switching.of(10).unwrap().quiet, told), (waiting, waiting));
            switching.take(&Record { time, cpu: 0, pid: 10, tid: 10, what: What::Died });
            let ended = switching.ended();
            prop_assert_eq!((ended[0].ready, run + ready + waiting), (ready, time));
            // Nobody is left: what was waited for is divided, however little it is.
            prop_assert_eq!(switching.divided().iter().map(|link| link.quiet).sum::<u64>(), waiting);
        }
    }
}
