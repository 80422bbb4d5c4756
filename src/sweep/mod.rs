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
    /// with what is assumed.
    #[must_use]
    pub fn noise(&self, assumed: f64) -> f64 {
        /// Repeats that what is assumed counts for.
        const PRIOR: f64 = 3.0;
        let (mut sum, mut freedom) = (assumed * assumed * PRIOR, PRIOR);
        for (workers, times) in &self.times {
            let Some(median) = self.median(*workers).filter(|median| *median > 0.0) else { continue };
            sum += times.iter().map(|time| (time / median).ln().powi(2)).sum::<f64>();
            freedom += times.len() as f64 - 1.0;
        }
        (sum / freedom).sqrt()
    }
}
