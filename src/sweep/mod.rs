//! How a program's time depends on its number of workers, from runs: which number to try next, when the answer is
//! certain, what the curve says. Pure: it is given times and names numbers; somebody else runs commands.

pub mod search;
pub mod shape;
pub mod usl;

use std::collections::BTreeMap;

/// Wall times of runs by number of workers, seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    times: BTreeMap<u32, Vec<f64>>,
    failed: BTreeMap<u32, String>,
}

impl Samples {
    /// A run took so long.
    pub fn add(&mut self, workers: u32, seconds: f64) {
        self.times.entry(workers).or_default().push(seconds);
    }

    /// A run failed, and why: this number of workers is out.
    pub fn fail(&mut self, workers: u32, why: String) {
        self.times.remove(&workers);
        self.failed.insert(workers, why);
    }

    /// Numbers whose runs failed, with what was said.
    #[must_use]
    pub fn failed(&self) -> &BTreeMap<u32, String> {
        &self.failed
    }

    /// Numbers that were run, with their times.
    #[must_use]
    pub fn times(&self) -> &BTreeMap<u32, Vec<f64>> {
        &self.times
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.times.values().map(Vec::len).sum::<usize>() + self.failed.len()
    }

    /// The median time of a number; `None`: it was not run.
    #[must_use]
    pub fn median(&self, workers: u32) -> Option<f64> {
        let mut times = self.times.get(&workers)?.clone();
        times.sort_by(f64::total_cmp);
        match times.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(times[odd / 2]),
            even => Some(f64::midpoint(times[even / 2 - 1], times[even / 2])),
        }
    }

    /// All medians, by number.
    #[must_use]
    pub fn curve(&self) -> Vec<(u32, f64)> {
        self.times.keys().filter_map(|workers| Some((*workers, self.median(*workers)?))).collect()
    }

    /// The number with the least time.
    #[must_use]
    pub fn best(&self) -> Option<(u32, f64)> {
        self.curve().into_iter().min_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// By how much a single run is off, as a share: of the runs that were repeated; while there are few of them, mixed
    /// with what is assumed. One that something else held up counts as one: of all pairs of runs with as many workers, the
    /// middle one says how far they lie apart.
    #[must_use]
    pub fn noise(&self, assumed: f64) -> f64 {
        /// Repeats that what is assumed counts for.
        const PRIOR: f64 = 3.0;
        /// So many deviations lies the middle pair of a normal distribution apart: 0.6745 √2.
        const MIDDLE_PAIR: f64 = 0.9539;
        let repeats: f64 = self.times.values().map(|times| times.len() as f64 - 1.0).sum();
        let mut apart: Vec<f64> = self
            .times
            .values()
            .flat_map(|times| {
                times
                    .iter()
                    .enumerate()
                    .flat_map(|(at, one)| times[..at].iter().map(move |other| (one / other).ln().abs()))
            })
            .filter(|apart| apart.is_finite())
            .collect();
        apart.sort_by(f64::total_cmp);
        let seen = apart.get(apart.len() / 2).map_or(0.0, |middle| middle / MIDDLE_PAIR);
        ((assumed * assumed * PRIOR + seen * seen * repeats) / (PRIOR + repeats)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_that_was_held_up_does_not_make_all_of_them_noisy() {
        let mut samples = Samples::default();
        assert!((samples.noise(0.05) - 0.05).abs() < 1e-9);
        for workers in 1..=8 {
            for time in [1.00, 1.01, 0.99, 1.00] {
                samples.add(workers, time / f64::from(workers));
            }
        }
        let quiet = samples.noise(0.05);
        assert!((0.01..0.03).contains(&quiet), "{quiet}");
        samples.add(1, 3.0);
        assert!(samples.noise(0.05) < 1.3 * quiet);
        // Runs that all differ by so much are another matter.
        for workers in 1..=8 {
            for time in [1.2, 0.8, 1.3] {
                samples.add(workers, time / f64::from(workers));
            }
        }
        assert!(samples.noise(0.05) > 0.08);
    }
}
