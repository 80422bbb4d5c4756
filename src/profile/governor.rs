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
}
