//! The counters of a thread as the books get them: exact where every switch is known, the scheduler's where not. One goes
//! over into the other without a jump. Pure.

use super::switching::Exact;
use super::thread_clock::Counters;

/// How late the scheduler counts the time of a thread that runs, nanoseconds: two ticks of the slowest clock.
const LAG: i64 = 20_000_000;

/// The counters of one thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handed {
    /// As the books have them.
    counters: Counters,
    /// As the scheduler had them then.
    scheduler: Counters,
    /// As they were known exactly then.
    exact: Option<Exact>,
    /// Of the time on a CPU, as far as it is known exactly: what the scheduler did not count.
    beyond: i64,
    /// Of that, what the host of the machine took.
    stolen: u64,
}

impl Handed {
    /// A thread that was found with these counters of the `scheduler`. Returns since when it is known to the books and with
    /// which counters, if all of its life is known exactly.
    #[must_use]
    pub(super) fn new(scheduler: Counters, exact: Option<Exact>) -> (Self, Option<u64>) {
        match exact.filter(|exact| exact.from_birth) {
            // Both count from its birth.
            Some(exact) => {
                let origin = Exact { run: 0, waits: 0, quiet: 0, ..exact };
                (Self::since(Counters::default(), Some(origin)), Some(exact.since))
            }
            None => (Self::since(scheduler, None), None),
        }
    }

    fn since(counters: Counters, exact: Option<Exact>) -> Self {
        Self { counters, scheduler: counters, exact, beyond: 0, stolen: 0 }
    }

    /// The counters of the books now; and how much of its waiting since the last time was quiet, if that is known.
    pub(super) fn next(&mut self, scheduler: Counters, exact: Option<Exact>) -> (Counters, Option<u64>) {
        let counted = scheduler.run.saturating_sub(self.scheduler.run);
        let dispatched = scheduler.slices.saturating_sub(self.scheduler.slices);
        self.scheduler = scheduler;
        let step = self.step(exact);
        let (mut run, mut waits) = (counted, dispatched);
        if let Some((ran, waited, _)) = step {
            let stolen = self.stolen(ran, counted, exact.is_some_and(|exact| exact.running)).min(ran);
            self.stolen += stolen;
            (run, waits) = (ran - stolen, waited);
        }
        self.counters.run += run;
        self.counters.slices += waits;
        self.counters.delay = self.counters.delay.max(scheduler.delay + self.stolen);
        (self.counters, step.map(|(_, _, quiet)| quiet))
    }

    /// As [`Handed::next`], of a thread that has ended: the scheduler's counters are gone.
    pub(super) fn end(mut self, exact: Option<Exact>) -> (Counters, Option<u64>) {
        let step = self.step(exact);
        if let Some((run, waits, _)) = step {
            self.counters.run += run;
            self.counters.slices += waits;
        }
        (self.counters, step.map(|(_, _, quiet)| quiet))
    }

    /// What is known exactly of the time since the last step: on a CPU, waits, quiet.
    fn step(&mut self, exact: Option<Exact>) -> Option<(u64, u64, u64)> {
        let then = std::mem::replace(&mut self.exact, exact);
        let (then, now) = then.zip(exact).filter(|(then, now)| then.gap == now.gap)?;
        Some((
            now.run.saturating_sub(then.run),
            now.waits.saturating_sub(then.waits),
            now.quiet.saturating_sub(then.quiet),
        ))
    }

    /// What the host took of a thread's time on a CPU: the scheduler knows, and did not count it. (It counts late while a
    /// thread runs, and counts switching, which is no time on a CPU here.)
    fn stolen(&mut self, run: u64, counted: u64, running: bool) -> u64 {
        let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        self.beyond = self.beyond.saturating_add(signed(run)).saturating_sub(signed(counted));
        let late = if running { LAG } else { 0 };
        let stolen = u64::try_from(self.beyond.saturating_sub(late)).unwrap_or(0);
        stolen.saturating_sub(self.stolen)
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

    #[expect(clippy::unnecessary_wraps, reason = "what is handed in may be nothing")]
    fn exact(run: u64, waits: u64, gap: u64) -> Option<Exact> {
        Some(Exact { run, waits, quiet: 2 * run, since: 5, from_birth: gap == 0, gap, running: false })
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
            handed.next(scheduler(1024, 33), exact(14, 1, 1)),
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

    #[test]
    fn what_the_host_took_was_no_time_on_a_cpu() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        assert_eq!(
            handed.next(scheduler(100, 1), exact(130, 1, 0)).0,
            Counters { run: 100, delay: 40, slices: 1 }
        );
        // While it runs, the scheduler may only be late.
        let running = exact(250, 1, 0).map(|exact| Exact { running: true, ..exact });
        assert_eq!(handed.next(scheduler(100, 1), running).0.run, 220);
        assert_eq!(
            handed.next(scheduler(220, 1), exact(250, 1, 0)).0,
            Counters { run: 220, delay: 52, slices: 1 }
        );
        assert_eq!(handed.end(exact(260, 2, 0)).0.run, 230);
    }
}
