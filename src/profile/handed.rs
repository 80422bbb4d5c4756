//! The counters of a thread as the books get them: exact where every switch is known, the scheduler's where not. One goes
//! over into the other without a jump. Pure.

use super::switching::Exact;
use super::thread_clock::Counters;

/// The counters of one thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handed {
    /// As the books have them.
    counters: Counters,
    /// As the scheduler had them then.
    scheduler: Counters,
    /// As they were known exactly then.
    exact: Option<Exact>,
}

impl Handed {
    /// A thread that was found with these counters of the `scheduler`. Returns since when it is known to the books and with
    /// which counters, if all of its life is known exactly.
    #[must_use]
    pub(super) fn new(scheduler: Counters, exact: Option<Exact>) -> (Self, Option<u64>) {
        match exact.filter(|exact| exact.from_birth) {
            Some(exact) => {
                let origin = Exact { run: 0, waits: 0, quiet: 0, ..exact };
                (Self { counters: Counters::default(), scheduler, exact: Some(origin) }, Some(exact.since))
            }
            None => (Self { counters: scheduler, scheduler, exact: None }, None),
        }
    }

    /// The counters of the books now; and how much of its waiting since the last time was quiet, if that is known.
    pub(super) fn next(&mut self, scheduler: Counters, exact: Option<Exact>) -> (Counters, Option<u64>) {
        let before = self.scheduler;
        self.scheduler = scheduler;
        self.counters.delay = self.counters.delay.max(scheduler.delay);
        let known = self.exact.zip(exact).filter(|(then, now)| then.gap == now.gap);
        let (run, slices, quiet) = match known {
            Some((then, now)) => (
                now.run.saturating_sub(then.run),
                now.waits.saturating_sub(then.waits),
                Some(now.quiet.saturating_sub(then.quiet)),
            ),
            None => (
                scheduler.run.saturating_sub(before.run),
                scheduler.slices.saturating_sub(before.slices),
                None,
            ),
        };
        self.counters.run += run;
        self.counters.slices += slices;
        self.exact = exact;
        (self.counters, quiet)
    }

    /// Whether a thread has moved since it was last handed over, for all that is known exactly.
    #[must_use]
    pub(super) fn moved(&self, exact: Option<Exact>) -> bool {
        self.exact.zip(exact).is_some_and(|(then, now)| (then.run, then.waits) != (now.run, now.waits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(run: u64, waits: u64, gap: u64) -> Option<Exact> {
        Some(Exact { run, waits, quiet: 2 * run, since: 5, from_birth: gap == 0, gap })
    }

    fn scheduler(run: u64, slices: u64) -> Counters {
        Counters { run, delay: run / 10, slices }
    }

    #[test]
    fn a_newborn_is_known_from_its_birth() {
        let (mut handed, since) = Handed::new(scheduler(90, 3), exact(80, 1, 0));
        assert_eq!(since, Some(5));
        assert_eq!(
            handed.next(scheduler(100, 3), exact(95, 2, 0)),
            (Counters { run: 95, delay: 10, slices: 2 }, Some(190))
        );
    }

    #[test]
    fn whoever_was_there_before_begins_with_the_scheduler_and_goes_on_exactly() {
        let (mut handed, since) = Handed::new(scheduler(1000, 30), None);
        assert_eq!(since, None);
        assert_eq!(
            handed.next(scheduler(1010, 31), exact(2, 0, 1)),
            (Counters { run: 1010, delay: 101, slices: 31 }, None)
        );
        assert!(handed.moved(exact(3, 0, 1)) && !handed.moved(exact(2, 0, 1)) && !handed.moved(None));
        assert_eq!(
            handed.next(scheduler(1020, 33), exact(14, 1, 1)),
            (Counters { run: 1022, delay: 102, slices: 32 }, Some(24))
        );
    }

    #[test]
    fn over_a_gap_the_scheduler_counts() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        handed.next(scheduler(10, 1), exact(9, 1, 0));
        assert_eq!(handed.next(scheduler(30, 5), None).0.run, 29);
        assert_eq!(handed.next(scheduler(40, 6), exact(20, 2, 1)).0.run, 39);
        assert_eq!(
            handed.next(scheduler(50, 7), exact(31, 3, 1)),
            (Counters { run: 50, delay: 5, slices: 7 }, Some(22))
        );
    }
}
