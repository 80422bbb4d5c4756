//! One thread's time as a pure state machine: readings in, on-CPU, run-queue and blocked time out.
//!
//! On-CPU and run-queue time come from the scheduler's counters (`schedstat`), never from sampled states. What is
//! left of an interval was spent blocked, and that part alone is attributed by what samples saw:
//!
//! * A thread that did not move between two readings is in the same wait; its interval simply stays open.
//! * When it moved, blocked time goes to the waits seen at both ends. What lies between two sightings that found
//!   it on the CPU waits for a *witness*: the next sighting that finds it blocked. Sightings are random in
//!   time, so a wait is witnessed in proportion to the time it takes.
//! * Waits between two sightings are counted where the next wait turns out to be as short as they are: a long one is
//!   found more often than it comes, and would get the number of the short ones beside it. Where waits are mostly long,
//!   one that seemed short was only seen late, and what nobody looked at is counted by their length.
//! * The counters lag: a running thread's CPU time is booked at ticks, a runnable thread's delay only when it gets
//!   the CPU. The balance is therefore carried with its sign and never clipped.
//!
//! No clock, no I/O. Law: `cpu + delay + blocked + pending = closed - born`, to the nanosecond.

mod told;

use std::collections::BTreeMap;

pub use told::Told;

/// Index of a blocking point in the table of sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u32);

impl SiteId {
    /// Blocked, but nothing tells where.
    pub const UNKNOWN: Self = Self(0);
}

/// The scheduler's counters of a thread: `/proc/TID/schedstat`, less what `/proc/TID/status` says of preemptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Nanoseconds on a CPU.
    pub run: u64,
    /// Nanoseconds runnable but not running, throttling included.
    pub delay: u64,
    /// Times it was put on a CPU, but for those known to follow a preemption: what is left follows waits.
    pub slices: u64,
}

impl Counters {
    /// What was counted since they stood so.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            run: self.run.saturating_sub(before.run),
            delay: self.delay.saturating_sub(before.delay),
            slices: self.slices.saturating_sub(before.slices),
        }
    }
}

/// What a reading saw the thread do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Running or runnable.
    Active,
    /// Blocked here.
    Blocked(SiteId),
}

/// Blocked time attributed to one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// Where.
    pub site: SiteId,
    /// How long, nanoseconds.
    pub blocked: u64,
    /// Waits that ended there, estimated from dispatches.
    pub ended: u64,
    /// Exactly one wait ended, seen as such: how long it was, nanoseconds, as far as the payment covers it.
    pub whole: Option<u64>,
    /// CPU the thread used after waits at this site.
    pub progress: u64,
}

/// What one closed interval yields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Length of the interval, nanoseconds.
    pub over: u64,
    /// Nanoseconds on a CPU.
    pub cpu: u64,
    /// Nanoseconds runnable.
    pub delay: u64,
    /// Blocked time that found its site.
    pub payments: [Option<Payment>; 2],
}

/// Waits that ended between sightings.
#[derive(Debug, Clone, Copy, Default)]
struct Unseen {
    waits: u64,
    /// How long they can have been in all, nanoseconds.
    blocked: u64,
}

/// Waits at one site that were seen.
#[derive(Debug, Clone, Copy, Default)]
struct Sighted {
    /// Those as short as others beside them, and all that could be told.
    short: u32,
    all: u32,
    /// Long ones whose length is known, and the sum of it, nanoseconds.
    measured: u32,
    length: u64,
}

impl Sighted {
    /// How long its long waits are; `None`: not known.
    fn long(&self) -> Option<u64> {
        self.length.checked_div(u64::from(self.measured)).filter(|length| *length > 0)
    }
}

/// Waits at a site are mostly long where fewer than one in so many seemed short.
const SELDOM: u32 = 3;

/// The state of one thread.
#[derive(Debug, Clone)]
pub struct ThreadClock {
    born: u64,
    closed: u64,
    counters: Counters,
    seen: Option<Seen>,
    /// Blocked time no sighting has explained yet; negative while the counters run ahead.
    pending: i64,
    pending_progress: u64,
    unseen: Unseen,
    /// Waits that are known to have ended before the scheduler counted it.
    ahead: u64,
    sighted: BTreeMap<SiteId, Sighted>,
    cpu: u64,
    delay: u64,
    blocked: u64,
}

impl ThreadClock {
    /// A thread first seen at `at`. One that was `born` while being watched brings its counters along: what it
    /// ran before the first reading counts, and its life began at least that long ago.
    #[must_use]
    pub fn new(at: u64, counters: Counters, newborn: bool) -> Self {
        let before = if newborn { (counters.run + counters.delay).min(at) } else { 0 };
        let (cpu, delay) =
            if newborn { (counters.run.min(before), before - counters.run.min(before)) } else { (0, 0) };
        Self {
            born: at - before,
            closed: at,
            counters,
            seen: None,
            pending: 0,
            pending_progress: 0,
            unseen: Unseen::default(),
            ahead: 0,
            sighted: BTreeMap::new(),
            cpu,
            delay,
            blocked: 0,
        }
    }

    /// CPU the thread used before its first reading (newborn threads only).
    #[must_use]
    pub fn cpu(&self) -> u64 {
        self.cpu
    }

    /// When its last closed interval ended.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.closed
    }

    /// Run-queue time so far.
    #[must_use]
    pub fn delay(&self) -> u64 {
        self.delay
    }

    /// Where it was last seen.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// The counters of the last closed interval.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The wait it was last seen in is one at this site.
    pub fn rename(&mut self, site: SiteId) {
        if let Some(Seen::Blocked(before)) = &mut self.seen {
            *before = site;
        }
    }

    /// It was never seen before where it is now: what it did until now was something else.
    pub fn forget_unseen(&mut self) {
        self.unseen = Unseen::default();
    }

    /// Takes a reading at `at`. The round before, at `unmoved`, found the thread as it was: up to then it was in the wait
    /// it was seen in. `None`: the interval stays open, because nothing happened that a later reading would not
    /// tell better.
    pub fn observe(&mut self, unmoved: u64, at: u64, counters: Counters, seen: Seen) -> Option<Step> {
        let moved = counters != self.counters;
        match (self.seen, seen) {
            (Some(Seen::Blocked(_)), _) | (Some(Seen::Active), Seen::Active) if !moved => return None,
            _ => {}
        }
        Some(self.close(unmoved, at, counters, Some(seen)))
    }

    /// The thread is gone or the recording ends; it was last seen at `at`. The interval in progress is paid to the
    /// wait it was in. Returns what nothing explains, in nanoseconds.
    pub fn finish(&mut self, at: u64) -> (Step, u64) {
        let step = match self.seen {
            Some(Seen::Blocked(site)) => self.close(at, at, self.counters, Some(Seen::Blocked(site))),
            _ => self.close(at, at, self.counters, None),
        };
        let left = u64::try_from(self.pending).unwrap_or(0);
        (step, left)
    }

    fn close(&mut self, unmoved: u64, at: u64, counters: Counters, seen: Option<Seen>) -> Step {
        let elapsed = at.saturating_sub(self.closed);
        let certain = unmoved.saturating_sub(self.closed);
        let cpu = counters.run.saturating_sub(self.counters.run);
        let delay = counters.delay.saturating_sub(self.counters.delay);
        let is_over = matches!(self.seen, Some(Seen::Blocked(_))) && seen.is_some() && seen != self.seen;
        let waits = self.dispatched(counters.slices.saturating_sub(self.counters.slices), is_over);
        self.closed = self.closed.max(at);
        self.counters = counters;
        self.cpu += cpu;
        self.delay += delay;
        self.pending += signed(elapsed) - signed(cpu) - signed(delay);
        if waits > 0 {
            self.pending_progress += cpu;
        }
        let before = self.seen;
        self.seen = seen;
        let rest = u64::try_from(self.pending).unwrap_or(0).saturating_sub(certain);
        let (own, others) = match before {
            Some(Seen::Blocked(site)) if waits > 0 => self.ended(site, waits, certain, rest),
            _ => (0, 0),
        };
        let ended = own + others;
        let between = waits - own;
        self.unseen.waits += between;
        self.unseen.blocked += rest / (waits + 1) * between;
        let payments = match (before, seen) {
            (Some(Seen::Blocked(a)), Some(Seen::Blocked(b))) if a == b && waits <= 1 => {
                [self.pay_all(a, ended, waits == 1), None]
            }
            (Some(Seen::Blocked(a)), Some(Seen::Blocked(b))) => {
                let first = self.pay_share(a, ended, certain, waits + 1);
                [first, self.pay_all(b, 0, false)]
            }
            (Some(Seen::Blocked(a)), _) if waits <= 1 => [self.pay_all(a, ended, waits == 1), None],
            (Some(Seen::Blocked(a)), _) => [self.pay_share(a, ended, certain, waits), None],
            (_, Some(Seen::Blocked(b))) => [self.pay_all(b, 0, false), None],
            _ => [None, None],
        };
        Step { over: elapsed, cpu, delay, payments }
    }

    /// How many waits ended. A thread that is out of the wait it was seen in has ended that one (`is_over`), though its
    /// dispatch may be counted later.
    fn dispatched(&mut self, slices: u64, is_over: bool) -> u64 {
        let waits = slices.saturating_sub(self.ahead);
        self.ahead -= slices.min(self.ahead);
        if waits == 0 && is_over {
            self.ahead += 1;
            return 1;
        }
        waits
    }

    /// How many of these waits ended where the thread was seen waiting, and how many of those before it that were as short
    /// as the one that was seen. That one was `certain` long at least; for the `rest` nobody looked.
    fn ended(&mut self, site: SiteId, waits: u64, certain: u64, rest: u64) -> (u64, u64) {
        let Unseen { waits: others, blocked } = self.unseen;
        let is_short = certain == 0 || others > 0 && certain <= blocked / others;
        let sighted = self.sighted.entry(site).or_default();
        let long = sighted.long();
        // It was not looked at for so long that it may have waited several times.
        if let Some(more) = long.map(|long| rest / long).filter(|more| *more > 0) {
            return (1 + more.min(waits - 1), 0);
        }
        sighted.all = sighted.all.saturating_add(1);
        sighted.short = sighted.short.saturating_add(u32::from(is_short));
        if certain > rest {
            sighted.measured = sighted.measured.saturating_add(1);
            sighted.length = sighted.length.saturating_add(certain + rest / 2);
        }
        if !is_short || sighted.short.saturating_mul(SELDOM) < sighted.all {
            return (1, 0);
        }
        self.unseen = Unseen::default();
        (1, others)
    }

    fn pay_all(&mut self, site: SiteId, ended: u64, single: bool) -> Option<Payment> {
        let blocked = u64::try_from(self.pending).unwrap_or(0);
        self.pay(site, blocked, ended, self.pending_progress, single.then_some(blocked))
    }

    /// What was certainly spent in one wait, and its share of the rest among `parts` equal ones.
    fn pay_share(&mut self, site: SiteId, ended: u64, certain: u64, parts: u64) -> Option<Payment> {
        let parts = parts.max(1);
        let pending = u64::try_from(self.pending).unwrap_or(0);
        let certain = certain.min(pending);
        let blocked = certain + (pending - certain) / parts;
        // Where less is left to share, its length is known well enough: it ended somewhere in the rest.
        let rest = pending - certain;
        let whole = (certain > 0 && certain >= rest).then_some(certain + rest / 2);
        self.pay(site, blocked, ended, self.pending_progress / parts, whole)
    }

    fn pay(
        &mut self,
        site: SiteId,
        blocked: u64,
        ended: u64,
        progress: u64,
        whole: Option<u64>,
    ) -> Option<Payment> {
        self.pending -= signed(blocked);
        self.pending_progress -= progress;
        self.blocked += blocked;
        (blocked > 0 || ended > 0).then_some(Payment { site, blocked, ended, whole, progress })
    }

    /// Time accounted for so far: the thread's life, as its book sums it up.
    #[must_use]
    pub fn lifetime(&self) -> u64 {
        self.cpu + self.delay + self.blocked + u64::try_from(self.pending).unwrap_or(0)
    }

    /// The law's two sides, for tests: accounted time with its sign, and elapsed time.
    #[must_use]
    pub fn balance(&self) -> (i64, i64) {
        let accounted = signed(self.cpu) + signed(self.delay) + signed(self.blocked) + self.pending;
        (accounted, signed(self.closed) - signed(self.born))
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Seen = Seen::Blocked(SiteId(1));
    const B: Seen = Seen::Blocked(SiteId(2));
    const MS: u64 = 1_000_000;

    fn counters(run: u64, delay: u64, slices: u64) -> Counters {
        Counters { run: run * MS, delay: delay * MS, slices }
    }

    fn paid(step: &Step) -> Vec<(u32, u64, u64)> {
        step.payments.iter().flatten().map(|p| (p.site.0, p.blocked / MS, p.ended)).collect()
    }

    /// ```text
    /// ms   0        10        20  21        30
    ///      |  wait A .  wait A . |run| wait B |
    /// ```
    #[test]
    fn a_long_wait_stays_open_and_is_paid_when_the_thread_moves() {
        let mut clock = ThreadClock::new(0, counters(0, 0, 1), false);
        assert!(clock.observe(0, 0, counters(0, 0, 1), A).is_some());
        assert_eq!(clock.observe(0, 10 * MS, counters(0, 0, 1), A), None);
        let step = clock.observe(0, 30 * MS, counters(1, 0, 2), B).unwrap();
        assert_eq!(step.cpu, MS);
        // One wait of A ended and one of B began somewhere in between: half each.
        assert_eq!(paid(&step), [(1, 14, 1), (2, 14, 0)]);
    }

    #[test]
    fn a_wait_that_was_seen_in_progress_is_not_divided_among_later_dispatches() {
        let mut clock = ThreadClock::new(0, counters(0, 0, 1), false);
        clock.observe(0, 0, counters(0, 0, 1), A);
        // Found waiting until 390, then dispatched three times within the last 10 ms.
        let step = clock.observe(390 * MS, 400 * MS, counters(1, 0, 4), Seen::Active).unwrap();
        assert_eq!(paid(&step), [(1, 393, 1)]);
        assert_eq!(step.payments[0].unwrap().whole, Some(394 * MS + MS / 2));
    }

    #[test]
    fn short_waits_between_two_running_sightings_wait_for_a_witness() {
        let mut clock = ThreadClock::new(0, counters(0, 0, 0), false);
        clock.observe(0, 0, counters(0, 0, 0), Seen::Active);
        let step = clock.observe(0, 10 * MS, counters(4, 0, 3), Seen::Active).unwrap();
        assert_eq!(paid(&step), []);
        let step = clock.observe(0, 20 * MS, counters(8, 0, 6), B).unwrap();
        assert_eq!(paid(&step), [(2, 12, 0)]);
        // It was as short as they.
        let step = clock.observe(20 * MS, 30 * MS, counters(12, 0, 9), Seen::Active).unwrap();
        assert_eq!(paid(&step), [(2, 2, 7)]);
    }

    #[test]
    fn a_long_wait_does_not_get_the_number_of_the_short_ones_beside_it() {
        let mut clock = ThreadClock::new(0, counters(0, 0, 0), false);
        clock.observe(0, 0, counters(0, 0, 0), Seen::Active);
        // Twenty short waits; then one that is found in three rounds, and a short one.
        clock.observe(0, 10 * MS, counters(5, 0, 20), A);
        let step = clock.observe(40 * MS, 45 * MS, counters(6, 0, 21), Seen::Active).unwrap();
        assert_eq!(paid(&step).iter().map(|(site, _, ended)| (*site, *ended)).collect::<Vec<_>>(), [(1, 1)]);
        clock.observe(45 * MS, 50 * MS, counters(7, 0, 22), B);
        let step = clock.observe(50 * MS, 55 * MS, counters(8, 0, 23), Seen::Active).unwrap();
        assert_eq!(paid(&step).iter().map(|(site, _, ended)| (*site, *ended)).collect::<Vec<_>>(), [(2, 22)]);
    }

    #[test]
    fn lagging_counters_never_turn_computing_into_waiting() {
        // The tick books CPU late: 7 of 10 ms seen now, 13 of 10 at the next reading.
        let mut clock = ThreadClock::new(0, counters(0, 0, 0), false);
        clock.observe(0, 0, counters(0, 0, 0), Seen::Active);
        clock.observe(0, 10 * MS, counters(7, 0, 0), Seen::Active);
        clock.observe(0, 20 * MS, counters(20, 0, 0), Seen::Active);
        let (step, left) = clock.finish(20 * MS);
        assert_eq!((paid(&step), left), (vec![], 0));
        assert_eq!(clock.lifetime(), 20 * MS);
    }

    #[test]
    fn long_waits_that_nobody_looked_at_are_counted_by_their_length() {
        let mut clock = ThreadClock::new(0, counters(0, 0, 0), false);
        clock.observe(0, 0, counters(0, 0, 0), A);
        // Waits of 50 ms with short ones after each; then nobody looks for four of them.
        for round in 1..5u64 {
            clock.observe(round * 50 * MS - 2 * MS, round * 50 * MS, counters(0, 0, round * 5), A);
        }
        let step = clock.observe(200 * MS, 400 * MS, counters(0, 0, 40), A).unwrap();
        assert_eq!(step.payments.iter().flatten().map(|payment| payment.ended).sum::<u64>(), 5);
    }

    #[test]
    fn waiting_in_the_run_queue_is_not_blocked_time() {
        // Runnable for 30 ms: nothing moves until it gets the CPU, then the delay is booked at once.
        let mut clock = ThreadClock::new(0, counters(0, 0, 1), false);
        clock.observe(0, 0, counters(0, 0, 1), Seen::Active);
        assert_eq!(clock.observe(0, 10 * MS, counters(0, 0, 1), Seen::Active), None);
        assert_eq!(clock.observe(0, 20 * MS, counters(0, 0, 1), Seen::Active), None);
        let step = clock.observe(0, 32 * MS, counters(2, 30, 2), A).unwrap();
        assert_eq!((step.cpu, step.delay), (2 * MS, 30 * MS));
        assert_eq!(step.payments.iter().flatten().map(|p| p.blocked).sum::<u64>(), 0);
    }

    #[test]
    fn a_newborn_brings_the_time_before_its_first_reading() {
        let mut clock = ThreadClock::new(100 * MS, counters(3, 2, 1), true);
        assert_eq!((clock.cpu(), clock.lifetime()), (3 * MS, 5 * MS));
        clock.observe(0, 100 * MS, counters(3, 2, 1), A);
        let (step, left) = clock.finish(110 * MS);
        assert_eq!((paid(&step), left), (vec![(1, 10, 0)], 0));
        assert_eq!(clock.lifetime(), 15 * MS);
    }

    proptest! {
        /// The books balance to the nanosecond whatever the readings are.
        #[test]
        fn every_nanosecond_is_accounted_for(
            readings in proptest::collection::vec((0..30_000u64, 0..40_000u64, 0..40_000u64, 0..5u64, 0..4u32), 1..60),
            newborn: bool,
        ) {
            let mut at = 1_000_000;
            let mut now = Counters { run: 500, delay: 100, slices: 1 };
            let mut clock = ThreadClock::new(at, now, newborn);
            let mut paid = 0;
            for (elapsed, run, delay, slices, seen) in readings {
                at += elapsed;
                now = Counters { run: now.run + run, delay: now.delay + delay, slices: now.slices + slices };
                let seen = if seen == 0 { Seen::Active } else { Seen::Blocked(SiteId(seen)) };
                if let Some(step) = clock.observe(0, at, now, seen) {
                    paid += step.payments.iter().flatten().map(|p| p.blocked).sum::<u64>();
                }
                let (accounted, elapsed) = clock.balance();
                prop_assert_eq!(accounted, elapsed);
            }
            let (step, left) = clock.finish(at + 5);
            paid += step.payments.iter().flatten().map(|p| p.blocked).sum::<u64>();
            let (accounted, elapsed) = clock.balance();
            prop_assert_eq!(accounted, elapsed);
            prop_assert_eq!(clock.cpu() + clock.delay() + paid + left, clock.lifetime());
        }
    }
}
