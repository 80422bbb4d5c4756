//! When to look: rounds at random distances, so that the program's own rhythm is never hit in step, faster at the start
//! of a run and slower when looking gets expensive.

use std::time::Duration;

/// Mean distance of rounds once a run lasts: 100 a second.
const STEADY: Duration = Duration::from_millis(10);
/// Mean distance at the very start, so that a short run has samples too.
const FIRST: Duration = Duration::from_millis(2);
/// While a run is young, the mean distance is this share of its age.
const PER_AGE: u32 = 100;
/// Longest mean distance, however expensive a round is.
const SLOWEST: Duration = Duration::from_secs(1);
/// Share of one CPU that looking may cost.
const BUDGET: f64 = 0.02;
/// Rounds whose median counts as the cost of one: reading an executable once must not slow down the rest.
const REMEMBERED: usize = 9;

/// Decides the distances and counts the late rounds.
#[derive(Debug, Clone)]
pub struct Schedule {
    random: u64,
    /// CPU costs of the last rounds.
    costs: [Duration; REMEMBERED],
    /// Rounds taken.
    pub rounds: u64,
    /// Rounds that came more than one mean distance late.
    pub late: u64,
}

impl Schedule {
    /// A schedule with a seed for its jitter.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: seed | 1, costs: [Duration::ZERO; REMEMBERED], rounds: 0, late: 0 }
    }

    /// Mean distance at this age of the run.
    #[must_use]
    pub fn mean(&self, age: Duration) -> Duration {
        let by_age = (age / PER_AGE).clamp(FIRST, STEADY);
        let mut costs = self.costs;
        costs.sort_unstable();
        let by_cost = costs[REMEMBERED / 2].div_f64(BUDGET);
        by_age.max(by_cost).min(SLOWEST)
    }

    /// Distance to the next round: uniform between a quarter and seven quarters of the mean.
    pub fn next(&mut self, age: Duration) -> Duration {
        // xorshift64: quality does not matter here, independence of the program's timers does.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let unit = (self.random >> 11) as f64 / (1u64 << 53) as f64;
        self.mean(age).mul_f64(0.25 + 1.5 * unit)
    }

    /// A round was taken: what it cost, and how much later than planned it came.
    pub fn took(&mut self, cost: Duration, late: Duration, age: Duration) {
        self.late += u64::from(late > self.mean(age));
        self.costs[self.rounds as usize % REMEMBERED] = cost;
        self.rounds += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_run_is_looked_at_more_often_and_an_old_one_steadily() {
        let schedule = Schedule::new(1);
        assert_eq!(schedule.mean(Duration::ZERO), FIRST);
        assert_eq!(schedule.mean(Duration::from_millis(500)), Duration::from_millis(5));
        assert_eq!(schedule.mean(Duration::from_secs(100)), STEADY);
    }

    #[test]
    fn expensive_rounds_come_less_often() {
        let mut schedule = Schedule::new(1);
        for _ in 0..50 {
            schedule.took(Duration::from_micros(700), Duration::ZERO, Duration::from_secs(9));
        }
        let share = 700e-6 / schedule.mean(Duration::from_secs(9)).as_secs_f64();
        assert!(share <= BUDGET * 1.02, "{share}");
    }

    #[test]
    fn distances_are_spread_around_the_mean() {
        let mut schedule = Schedule::new(42);
        let age = Duration::from_secs(9);
        let drawn: Vec<f64> =
            (0..4000).map(|_| schedule.next(age).as_secs_f64() / STEADY.as_secs_f64()).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!(drawn.iter().all(|distance| (0.25..=1.75).contains(distance)));
    }
}
