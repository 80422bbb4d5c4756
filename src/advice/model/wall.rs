//! From throughput to wall time: rounds, the drain at the end, and the band around it.

use super::{Networks, Work};

/// Wall times of the items under one strategy, by number of workers; start-up included, the rest of the program
/// not.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Expected, best case and worst case; element 0 is one worker.
    points: Vec<Point>,
}

/// Seconds for one number of workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Expected.
    pub time: f64,
    /// With the asymptotic bound as throughput.
    pub fast: f64,
    /// In lock step.
    pub slow: f64,
    /// Start-up alone; part of the other three.
    pub start: f64,
}

impl Curve {
    /// The closed form for 1 … `workers` workers.
    #[must_use]
    pub fn closed_form(networks: &Networks, work: &Work, workers: usize) -> Self {
        let expected = networks.throughput(workers);
        let fast: Vec<f64> = (1..=workers).map(|n| networks.optimistic(n)).collect();
        let slow: Vec<f64> = (1..=workers).map(|n| networks.pessimistic(n)).collect();
        let expected = times(&expected, work);
        let fast = times(&fast, work);
        let slow = times(&slow, work);
        let points = (0..workers)
            .map(|i| {
                let start = networks.start.seconds(i + 1);
                Point {
                    time: start + expected[i],
                    fast: start + fast[i].min(expected[i]),
                    slow: start + slow[i].max(expected[i]),
                    start,
                }
            })
            .collect();
        Self { points }
    }

    /// Largest number of workers it knows.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.points.len()
    }

    /// The point of `workers` workers, 1 or more; beyond the end the last one.
    #[must_use]
    pub fn at(&self, workers: usize) -> Option<Point> {
        self.points.get(workers.max(1) - 1).or(self.points.last()).copied()
    }
}

/// Wall time by number of workers: whole rounds for equal items, a memoryless drain for random ones.
fn times(throughput: &[f64], work: &Work) -> Vec<f64> {
    let items = work.items.max(1);
    let random = (work.cv * work.cv).clamp(0.0, 1.0);
    let mut drain = 0.0;
    let rate = |workers: u64| {
        let index = (workers as usize).clamp(1, throughput.len());
        throughput[index - 1]
    };
    (1..=throughput.len() as u64)
        .map(|n| {
            if n <= items {
                drain += 1.0 / rate(n);
            }
            let used = n.min(items);
            let (rounds, rest) = (items / used, items % used);
            let mut equal = (rounds * used) as f64 / rate(used);
            if rest > 0 {
                equal += rest as f64 / rate(rest);
            }
            let memoryless = (items - used) as f64 / rate(used) + drain;
            ((1.0 - random) * equal + random * memoryless).max(work.longest)
        })
        .collect()
}
