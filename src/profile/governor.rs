//! When to stop having every switch written down, and when to begin again: a program that switches a million times a second
//! must not pay for each. Pure: counts and times are handed in.

/// Switches per second on one CPU from which they are not written down any more: each takes the program some 0.6 µs, so
/// that it loses a fortieth of a CPU at most.
const PER_CPU: u64 = 40_000;
/// The same for all CPUs together: whoever reads them must keep up.
const ALL: u64 = 400_000;
/// Time over which they are counted, nanoseconds: a burst is not a habit.
const WINDOW: u64 = 20_000_000;
/// They are written down again when there have been a quarter as many for this long, nanoseconds.
const CALM: u64 = 1_000_000_000;
const CALMER: u64 = 4;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As before.
    Nothing,
    /// Have no more switches written down.
    Pause,
    /// Have them written down.
    Resume,
}

/// Counts switches and decides.
#[derive(Debug, Clone, Default)]
pub(super) struct Governor {
    is_paused: bool,
    since: u64,
    /// Of each CPU; while paused, of all.
    switches: Vec<u64>,
}

impl Governor {
    /// A thread left a CPU, or while nothing is written down: threads were dispatched so often on all.
    pub(super) fn count(&mut self, cpu: usize, switches: u64) {
        if self.switches.len() <= cpu {
            self.switches.resize(cpu + 1, 0);
        }
        self.switches[cpu] += switches;
    }

    /// What to do now. `lost`: records were, since this was asked last.
    pub(super) fn decide(&mut self, now: u64, lost: bool) -> Order {
        let window = now.saturating_sub(self.since);
        let due = if self.is_paused { CALM } else { WINDOW };
        if window < due && !lost {
            return Order::Nothing;
        }
        let per_second = |count: u64| (u128::from(count) * 1_000_000_000 / u128::from(window.max(1))) as u64;
        let all = per_second(self.switches.iter().sum());
        let most = per_second(self.switches.iter().copied().max().unwrap_or(0));
        self.since = now;
        self.switches.clear();
        if self.is_paused {
            self.is_paused = all * CALMER > PER_CPU;
            return if self.is_paused { Order::Nothing } else { Order::Resume };
        }
        self.is_paused = lost || most > PER_CPU || all > ALL;
        if self.is_paused { Order::Pause } else { Order::Nothing }
    }

    /// Whether nothing is written down.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }
}

/// Switches per second on one CPU above which reasons are told for a part of the time only: each takes the program some
/// microsecond more. So many where any program may be measured so, and where somebody asked for it.
const REASONED: u64 = 10_000;
const REASONED_IF_ASKED: u64 = 100_000;
/// Threads above which no reasons are told: having the kernel begin and end takes time for each.
const THREADS: usize = 500;
/// How long they are told, and how long not, nanoseconds.
const TELLS: u64 = 10_000_000;
const RESTS: u64 = 90_000_000;

/// Decides when the kernel tells why threads leave their CPU. That they do, it tells all the time.
#[derive(Debug, Clone)]
pub(super) struct Reasons {
    most: u64,
    state: Telling,
    /// Since when it does what it does; and since when switches are counted.
    since: u64,
    counted_since: u64,
    switches: Vec<u64>,
    /// How often it had to stop.
    pub(super) pauses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// All the time.
    Always,
    /// It rests, or it does not, in turns.
    Now,
    Rests,
    /// Not until the program is calm again.
    Never,
}

impl Reasons {
    /// `asked`: somebody wants to know them, whatever that takes.
    pub(super) fn new(asked: bool) -> Self {
        Self {
            most: if asked { REASONED_IF_ASKED } else { REASONED },
            state: Telling::Always,
            since: 0,
            counted_since: 0,
            switches: Vec::new(),
            pauses: 0,
        }
    }

    /// A thread left a CPU.
    pub(super) fn count(&mut self, cpu: usize) {
        if self.switches.len() <= cpu {
            self.switches.resize(cpu + 1, 0);
        }
        self.switches[cpu] += 1;
    }

    /// What to do now, with so many threads. `lost`: records were, since this was asked last.
    pub(super) fn decide(&mut self, now: u64, threads: usize, lost: bool) -> Order {
        let was_told = self.are_told();
        let window = now.saturating_sub(self.counted_since);
        let is_fast = (window >= WINDOW).then(|| {
            let most = self.switches.iter().copied().max().unwrap_or(0);
            self.counted_since = now;
            self.switches.clear();
            u128::from(most) * 1_000_000_000 / u128::from(window) > u128::from(self.most)
        });
        let age = now.saturating_sub(self.since);
        let next = match self.state {
            _ if lost || threads > THREADS => Telling::Never,
            Telling::Never if age >= CALM => Telling::Rests,
            Telling::Always if is_fast == Some(true) => Telling::Rests,
            Telling::Rests if is_fast == Some(false) && age >= WINDOW => Telling::Always,
            Telling::Rests if age >= RESTS => Telling::Now,
            Telling::Now if age >= TELLS => Telling::Rests,
            same => same,
        };
        if next != self.state || next == Telling::Never && (lost || threads > THREADS) {
            (self.state, self.since) = (next, now);
        }
        match (was_told, self.are_told()) {
            (true, false) => {
                self.pauses += 1;
                Order::Pause
            }
            (false, true) => Order::Resume,
            _ => Order::Nothing,
        }
    }

    /// Whether they are told.
    pub(super) fn are_told(&self) -> bool {
        matches!(self.state, Telling::Always | Telling::Now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_program_that_switches_too_fast_is_left_alone_until_it_is_calm() {
        let mut governor = Governor::default();
        governor.count(1, 700);
        assert_eq!(governor.decide(20 * MS, false), Order::Nothing);
        governor.count(1, 900);
        assert_eq!(
            [governor.decide(30 * MS, false), governor.decide(40 * MS, false)],
            [Order::Nothing, Order::Pause]
        );
        governor.count(0, 11_000);
        assert_eq!(governor.decide(1040 * MS, false), Order::Nothing);
        assert!(governor.is_paused());
        governor.count(0, 9_000);
        assert_eq!(governor.decide(2040 * MS, false), Order::Resume);
    }

    #[test]
    fn lost_records_are_a_reason_at_once() {
        let mut governor = Governor::default();
        assert_eq!(governor.decide(MS, true), Order::Pause);
    }

    #[test]
    fn many_cpus_may_switch_more_often_together() {
        let mut governor = Governor::default();
        (0..8).for_each(|cpu| governor.count(cpu, 700));
        assert_eq!(governor.decide(20 * MS, false), Order::Nothing);
        (0..16).for_each(|cpu| governor.count(cpu, 700));
        assert_eq!(governor.decide(40 * MS, false), Order::Pause);
    }

    /// What was ordered in each of these hundredths of a second, in which a CPU switched at this rate.
    fn orders(reasons: &mut Reasons, from: u64, rates: &[u64]) -> Vec<Order> {
        let mut at = from;
        let mut order = |rate: &u64| {
            (0..rate / 100).for_each(|_| reasons.count(1));
            at += 10 * MS;
            reasons.decide(at, 8, false)
        };
        rates.iter().map(&mut order).collect()
    }

    #[test]
    fn reasons_of_a_fast_program_are_told_a_tenth_of_the_time() {
        let mut reasons = Reasons::new(false);
        assert!(!orders(&mut reasons, 0, &[9_000; 20]).contains(&Order::Pause));
        let fast = orders(&mut reasons, 200 * MS, &[30_000; 100]);
        let told = fast.iter().scan(true, |told, order| {
            *told = match order {
                Order::Pause => false,
                Order::Resume => true,
                Order::Nothing => *told,
            };
            Some(*told)
        });
        let told = told.filter(|told| *told).count();
        assert!((8..=14).contains(&told), "{told}");
        // It is calm again.
        assert!(orders(&mut reasons, 1200 * MS, &[1_000; 10]).contains(&Order::Resume) || reasons.are_told());
        assert_eq!(orders(&mut reasons, 1300 * MS, &[1_000; 20]), [Order::Nothing; 20]);
    }

    #[test]
    fn somebody_who_asked_for_reasons_gets_them_at_ten_times_the_rate() {
        assert!(!orders(&mut Reasons::new(true), 0, &[90_000; 20]).contains(&Order::Pause));
        assert!(orders(&mut Reasons::new(true), 0, &[200_000; 20]).contains(&Order::Pause));
    }

    #[test]
    fn many_threads_or_lost_records_end_it_for_a_second() {
        for (threads, lost) in [(501, false), (8, true)] {
            let mut reasons = Reasons::new(true);
            assert_eq!(reasons.decide(10 * MS, threads, lost), Order::Pause);
            assert_eq!(reasons.decide(900 * MS, 8, false), Order::Nothing);
            assert!(!reasons.are_told());
            reasons.decide(1020 * MS, 8, false);
            reasons.decide(1050 * MS, 8, false);
            assert!(reasons.are_told());
        }
    }
}
