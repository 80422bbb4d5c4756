//! The counters of a thread as the books get them. Time on a CPU is the scheduler's as long as the thread can be looked at:
//! the kernel's records of switches hold what the host of the machine and interrupts took as well, which `wait4` counts to
//! nobody. What the scheduler had not counted yet when a thread was last looked at, they tell; so they do of its waits.
//! Pure.

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
    /// Of the time on a CPU, as the records have it: what the scheduler did not count, and has not been told to be stolen.
    beyond: i64,
    /// The same when it last did not run, so that the scheduler had counted everything.
    settled: i64,
    /// What the host of the machine took.
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
                let origin = Exact { run: 0, ready: 0, waited: 0, waits: 0, quiet: 0, ..exact };
                (Self::since(Counters::default(), Some(origin)), Some(exact.since))
            }
            None => (Self::since(scheduler, None), None),
        }
    }

    fn since(counters: Counters, exact: Option<Exact>) -> Self {
        Self { counters, scheduler: counters, exact, beyond: 0, settled: 0, stolen: 0 }
    }

    /// The counters of the books now; and how much of its waiting since the last time was quiet, if that is known.
    pub(super) fn next(&mut self, scheduler: Counters, exact: Option<Exact>) -> (Counters, Option<u64>) {
        let counted = scheduler.run.saturating_sub(self.scheduler.run);
        let dispatched = scheduler.slices.saturating_sub(self.scheduler.slices);
        self.scheduler = scheduler;
        let step = self.step(exact);
        self.beyond = match step {
            Some((ran, ..)) => self.beyond.saturating_add(signed(ran)).saturating_sub(signed(counted)),
            // Over a gap, only the scheduler knows.
            None => 0,
        };
        let running = exact.is_some_and(|exact| exact.running);
        self.stolen += self.newly_stolen(running);
        if !running {
            self.settled = self.beyond;
        }
        self.counters.run += counted;
        self.counters.slices += step.map_or(dispatched, |(_, waits, _)| waits);
        self.counters.delay = self.counters.delay.max(scheduler.delay + self.stolen);
        (self.counters, step.map(|(_, _, quiet)| quiet))
    }

    /// As [`Handed::next`], of a thread that has ended. Its counters can be read (`last`) for as long as nobody has asked for
    /// it; mostly they are gone.
    pub(super) fn end(mut self, exact: Option<Exact>, last: Option<Counters>) -> (Counters, Option<u64>) {
        let queued = match last {
            Some(last) => last.delay.saturating_sub(self.scheduler.delay),
            None => self.queued_since(exact),
        };
        self.counters.delay += queued;
        let step = self.step(exact);
        if let Some((run, waits, _)) = step {
            let late = self.beyond.saturating_sub(self.settled).clamp(0, LAG).unsigned_abs();
            self.counters.run += run + late;
            self.counters.slices += waits;
        }
        (self.counters, step.map(|(_, _, quiet)| quiet))
    }

    /// How long it was in the run queue since the last step: the records tell it of whoever was put off. After each of its
    /// waits it takes until the thread is back on a CPU; so it does after the last ones as long as after those before, but no
    /// larger a part of them.
    fn queued_since(&self, exact: Option<Exact>) -> u64 {
        let known = self.exact.zip(exact).filter(|(then, now)| then.gap == now.gap);
        let Some((then, now)) = known else { return 0 };
        let put_off = now.ready.saturating_sub(then.ready);
        if !then.from_birth {
            return put_off;
        }
        let woken = self.scheduler.delay.saturating_sub(then.ready).min(then.waited);
        let share = |of: u64, all: u64| {
            (u128::from(woken) * u128::from(of)).checked_div(u128::from(all)).unwrap_or(0) as u64
        };
        let by_number = share(now.waits.saturating_sub(then.waits), then.waits);
        put_off + by_number.min(share(now.waited.saturating_sub(then.waited), then.waited))
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
    /// thread runs, and counts switching, which is no time on a CPU here.) Once told, it is no lateness any more.
    fn newly_stolen(&mut self, running: bool) -> u64 {
        let late = if running { LAG } else { 0 };
        let stolen = self.beyond.saturating_sub(late).max(0);
        self.beyond -= stolen;
        stolen.unsigned_abs()
    }

    /// Whether a thread has moved since it was last handed over, for all that is known exactly.
    #[must_use]
    pub(super) fn moved(&self, exact: Option<Exact>) -> bool {
        self.exact.zip(exact).is_some_and(|(then, now)| (then.run, then.waits) != (now.run, now.waits))
    }
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "what is handed in may be nothing")]
    fn exact(run: u64, waits: u64, gap: u64) -> Option<Exact> {
        let (ready, waited) = (run / 2, 4 * run);
        let from_birth = gap == 0;
        Some(Exact { run, ready, waited, waits, quiet: 2 * run, since: 5, from_birth, gap, running: false })
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
            (Counters { run: 100, delay: 10, slices: 2 }, Some(190))
        );
    }

    #[test]
    fn whoever_was_there_before_begins_with_the_scheduler_and_waits_are_counted_exactly() {
        let (mut handed, since) = Handed::new(scheduler(1000, 30), None);
        assert_eq!(since, None);
        assert_eq!(
            handed.next(scheduler(1010, 31), exact(2, 0, 1)),
            (Counters { run: 1010, delay: 101, slices: 31 }, None)
        );
        assert!(handed.moved(exact(3, 0, 1)) && !handed.moved(exact(2, 0, 1)) && !handed.moved(None));
        assert_eq!(
            handed.next(scheduler(1024, 33), exact(14, 1, 1)),
            (Counters { run: 1024, delay: 102, slices: 32 }, Some(24))
        );
    }

    #[test]
    fn over_a_gap_nothing_is_counted_twice() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        handed.next(scheduler(10, 1), exact(9, 1, 0));
        handed.next(scheduler(30, 5), None);
        assert_eq!(
            handed.next(scheduler(40, 6), exact(20, 2, 1)).0,
            Counters { run: 40, delay: 4, slices: 6 }
        );
        assert_eq!(
            handed.next(scheduler(50, 7), exact(31, 3, 1)),
            (Counters { run: 50, delay: 6, slices: 7 }, Some(22))
        );
    }

    #[test]
    fn what_the_host_took_was_no_time_on_a_cpu() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        let next = handed.next(scheduler(100, 1), exact(130, 1, 0)).0;
        assert_eq!(next, Counters { run: 100, delay: 40, slices: 1 });
        // Nor is it told again when the thread ends.
        assert_eq!(handed.end(exact(140, 1, 0), None).0.run, 110);
    }

    #[test]
    fn what_the_scheduler_had_yet_to_count_of_a_thread_that_ran_is_told_by_its_records() {
        const MS: u64 = 1_000_000;
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        handed.next(scheduler(100 * MS, 1), exact(100 * MS, 1, 0));
        let running = exact(103 * MS, 1, 0).map(|exact| Exact { running: true, ..exact });
        assert_eq!(handed.next(scheduler(100 * MS, 1), running).0.run, 100 * MS);
        assert_eq!(handed.end(exact(105 * MS, 2, 0), None).0.run, 105 * MS);
    }

    #[test]
    fn whoever_ends_was_in_the_queue_since_it_was_looked_at_as_its_counters_say_or_as_before() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        // Put off for 50 of the 90 in the queue, so that it was there for 40 after its one wait, a tenth of it.
        let queued = Counters { run: 100, delay: 90, slices: 1 };
        handed.next(queued, exact(100, 1, 0));
        // Put off for 10 more, and 80 more waited.
        assert_eq!(handed.end(exact(120, 2, 0), None).0.delay, 90 + 10 + 8);
        // One wait of ten times that length is no ten waits.
        assert_eq!(handed.end(exact(1100, 2, 0), None).0.delay, 90 + 500 + 40);
        let last = Counters { delay: 95, ..queued };
        assert_eq!(handed.end(exact(120, 2, 0), Some(last)).0.delay, 95);
    }

    #[test]
    fn of_a_host_that_takes_more_than_can_be_late_the_rest_is_delay() {
        let (mut handed, _) = Handed::new(scheduler(0, 0), exact(0, 0, 0));
        let running = exact(LAG.unsigned_abs() + 30, 1, 0).map(|exact| Exact { running: true, ..exact });
        assert_eq!(handed.next(scheduler(0, 1), running).0, Counters { run: 0, delay: 30, slices: 1 });
    }
}
