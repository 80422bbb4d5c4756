//! A thread of whose waits the kernel told, each with its reason: what is left of an interval is theirs, and no sighting has
//! to explain it. Pure.

use super::{Counters, Seen, SiteId, Step, ThreadClock, Unseen, signed};

/// Waits of one thread at one site since it was last looked at. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where.
    pub site: SiteId,
    /// How long all of them together, until the thread was back on a CPU.
    pub time: u64,
    /// How many are over.
    pub ended: u64,
    /// Of the time, that in which nobody else ran, or was ready to.
    pub quiet: u64,
    /// Time on a CPU after them.
    pub progress: u64,
    /// How long those that are over took, each, as far as they were kept.
    pub lengths: Vec<u64>,
}

impl ThreadClock {
    /// As [`ThreadClock::observe`], of a thread that is known to have waited so since the last reading. Returns what each of
    /// these is paid: what was neither on a CPU nor ready, and no wait with more than it took. (The kernel tells when a
    /// thread was back on a CPU; how long it had been ready by then, the scheduler knows.)
    pub fn observe_told(
        &mut self,
        at: u64,
        counters: Counters,
        seen: Seen,
        waits: &[Told],
    ) -> (Step, Vec<u64>) {
        let elapsed = at.saturating_sub(self.closed);
        let cpu = counters.run.saturating_sub(self.counters.run);
        let delay = counters.delay.saturating_sub(self.counters.delay);
        self.closed = self.closed.max(at);
        self.counters = counters;
        self.cpu += cpu;
        self.delay += delay;
        self.pending += signed(elapsed) - signed(cpu) - signed(delay);
        // Whatever sightings would have to explain is explained.
        self.pending_progress = 0;
        self.unseen = Unseen::default();
        self.ahead = 0;
        self.seen = Some(seen);
        let all = waits.iter().fold(0u64, |sum, told| sum.saturating_add(told.time));
        let blocked = u64::try_from(self.pending).unwrap_or(0).min(all);
        let mut until = 0u64;
        let mut paid = 0;
        let shares = waits.iter().map(|told| {
            until = until.saturating_add(told.time);
            let here = (u128::from(blocked) * u128::from(until) / u128::from(all.max(1))) as u64;
            here - std::mem::replace(&mut paid, here)
        });
        let shares: Vec<u64> = shares.collect();
        self.pending -= signed(blocked);
        self.blocked += blocked;
        (Step { over: elapsed, cpu, delay, payments: [None, None] }, shares)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn told(site: u32, time: u64, ended: u64) -> Told {
        Told { site: SiteId(site), time, ended, quiet: 0, progress: 0, lengths: Vec::new() }
    }

    #[test]
    fn what_was_no_computing_is_divided_as_the_kernel_told() {
        let mut clock = ThreadClock::new(0, Counters::default(), true);
        // Ten milliseconds: four on a CPU, two ready after waking, the rest waiting.
        let counters = Counters { run: 4 * MS, delay: 2 * MS, slices: 5 };
        let waits = [told(1, 6 * MS, 3), told(2, 2 * MS, 1)];
        let (step, shares) = clock.observe_told(10 * MS, counters, Seen::Active, &waits);
        assert_eq!((step.cpu, step.delay, shares), (4 * MS, 2 * MS, vec![3 * MS, MS]));
        assert_eq!(clock.lifetime(), 10 * MS);
    }

    #[test]
    fn computing_that_is_counted_late_is_no_wait() {
        let mut clock = ThreadClock::new(0, Counters::default(), true);
        let counters = |run| Counters { run, delay: 0, slices: 1 };
        let (_, shares) = clock.observe_told(10 * MS, counters(5 * MS), Seen::Active, &[told(1, MS, 1)]);
        assert_eq!(shares, [MS]);
        let (_, shares) = clock.observe_told(20 * MS, counters(19 * MS), Seen::Active, &[told(1, MS, 1)]);
        assert_eq!(shares, [0]);
        assert_eq!(clock.lifetime(), 20 * MS);
    }

    proptest! {
        #[test]
        fn every_nanosecond_is_accounted_for(
            looks in proptest::collection::vec(
                (0..30 * MS, 0..30 * MS, 0..20 * MS, proptest::collection::vec(0..40 * MS, 0..4), 0..3u32), 1..40,
            ),
        ) {
            let (mut at, mut now, mut paid) = (0, Counters::default(), 0);
            let mut clock = ThreadClock::new(0, now, true);
            for (elapsed, run, delay, waits, seen) in looks {
                at += elapsed;
                now = Counters { run: now.run + run, delay: now.delay + delay, slices: now.slices + 1 };
                let seen = if seen == 0 { Seen::Active } else { Seen::Blocked(SiteId(seen)) };
                let waits: Vec<Told> = (1..).zip(waits).map(|(site, time)| told(site, time, 1)).collect();
                let (_, shares) = clock.observe_told(at, now, seen, &waits);
                prop_assert!(waits.iter().zip(&shares).all(|(told, share)| share <= &told.time));
                paid += shares.iter().sum::<u64>();
                let (accounted, elapsed) = clock.balance();
                prop_assert_eq!(accounted, elapsed);
            }
            let (step, left) = clock.finish(at + MS);
            paid += step.payments.iter().flatten().map(|payment| payment.blocked).sum::<u64>();
            prop_assert_eq!(clock.cpu() + clock.delay() + paid + left, clock.lifetime());
        }
    }
}
