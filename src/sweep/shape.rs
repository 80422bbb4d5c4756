//! What runs say of the whole curve: more workers first help and then hurt, so that numbers which contradict that differ by
//! noise, and lend each other their runs. Times are compared as logarithms, since noise is a share of the time.

use super::Samples;

/// Deviations from which on a difference is taken for one: 90 % of cases on one side.
const SHOWN: f64 = 1.282;

/// The time of one number of workers as its neighbours bear it out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    workers: u32,
    /// Logarithm of the time in seconds.
    log: f64,
    /// How many runs say so.
    runs: f64,
}

/// How a number stands to the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Shown to be as good.
    Good,
    /// Shown to be worse.
    Worse,
    /// The runs leave it open.
    Open,
}

/// Falling, then rising times.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    points: Vec<Point>,
    /// By how much a single run is off, as a share.
    noise: f64,
}

impl Shape {
    /// The shape that is nearest to the medians, each weighing as many runs as it has; `noise`: by how much a single run is
    /// off, as a share. `None`: nothing was run.
    #[must_use]
    pub fn of(samples: &Samples, noise: f64) -> Option<Self> {
        let medians: Vec<Point> = samples
            .curve()
            .into_iter()
            .map(|(workers, time)| {
                let runs = samples.times().get(&workers).map_or(0, Vec::len) as f64;
                Point { workers, log: time.max(f64::MIN_POSITIVE).ln(), runs }
            })
            .collect();
        // Wherever the turn may be: falling before, rising behind.
        let fits = (1..=medians.len()).map(|turn| {
            let (before, behind) = medians.split_at(turn);
            let mut points = falling(before.iter().copied());
            let mut rising = falling(behind.iter().rev().copied());
            rising.reverse();
            points.extend(rising);
            points
        });
        let off = |points: &[Point]| -> f64 {
            points.iter().zip(&medians).map(|(fit, seen)| seen.runs * (fit.log - seen.log).powi(2)).sum()
        };
        let points = fits.min_by(|one, other| off(one).total_cmp(&off(other)))?;
        Some(Self { points, noise })
    }

    /// The best number and its time, seconds; of equals the smallest.
    #[must_use]
    pub fn best(&self) -> Option<(u32, f64)> {
        self.lowest().map(|best| (best.workers, best.log.exp()))
    }

    /// Whether a number reaches `near_best` of the best throughput; `None`: it was not run.
    #[must_use]
    pub fn standing(&self, workers: u32, near_best: f64) -> Option<Standing> {
        let best = self.lowest()?;
        let one = self.points.iter().find(|point| point.workers == workers)?;
        if one.log <= best.log {
            return Some(Standing::Good);
        }
        let deviation = self.noise * (1.0 / one.runs + 1.0 / best.runs).sqrt();
        let short = one.log - best.log + near_best.ln();
        Some(if short > SHOWN * deviation {
            Standing::Worse
        } else if short < -SHOWN * deviation {
            Standing::Good
        } else {
            Standing::Open
        })
    }

    fn lowest(&self) -> Option<&Point> {
        self.points.iter().min_by(|one, other| one.log.total_cmp(&other.log))
    }
}

/// The nearest values that never rise: neighbours that do are one, with the runs of all (pool adjacent violators; Ayer et al.,
/// 1955).
fn falling(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut pools: Vec<Vec<Point>> = Vec::new();
    for point in points {
        let mut pool = vec![point];
        while pools.last().is_some_and(|before| before[0].log < pool[0].log) {
            let Some(mut before) = pools.pop() else { break };
            let runs = before[0].runs + pool[0].runs;
            let log = (before[0].log * before[0].runs + pool[0].log * pool[0].runs) / runs;
            before.append(&mut pool);
            for one in &mut before {
                (one.log, one.runs) = (log, runs);
            }
            pool = before;
        }
        pools.push(pool);
    }
    pools.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(times: &[(u32, &[f64])]) -> Samples {
        let mut samples = Samples::default();
        for (workers, times) in times {
            times.iter().for_each(|time| samples.add(*workers, *time));
        }
        samples
    }

    #[test]
    fn numbers_that_contradict_the_shape_share_their_runs() {
        let shape = Shape::of(
            &samples(&[(1, &[8.0]), (2, &[4.0]), (3, &[2.0]), (4, &[4.5, 4.5]), (5, &[5.0])]),
            0.01,
        )
        .unwrap();
        let points: Vec<(u32, f64)> = shape.points.iter().map(|point| (point.workers, point.runs)).collect();
        assert_eq!(points, [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 1.0)]);
        assert_eq!(shape.best(), Some((3, 2.0)));
        let flat = Shape::of(&samples(&[(1, &[8.0]), (2, &[4.0]), (3, &[4.1]), (4, &[3.9])]), 0.01).unwrap();
        assert!((flat.points[1].runs - 2.0).abs() < 1e-9);
        assert_eq!(flat.best().unwrap().0, 4);
    }

    #[test]
    fn a_number_is_worse_only_where_the_runs_show_it() {
        let times = |second: f64, runs: usize| {
            Shape::of(&samples(&[(1, &vec![second; runs]), (2, &vec![1.0; runs])]), 0.05).unwrap()
        };
        let standing = |second: f64, runs: usize| times(second, runs).standing(1, 0.95);
        assert_eq!(standing(1.1, 1), Some(Standing::Open));
        assert_eq!(standing(1.1, 10), Some(Standing::Worse));
        assert_eq!(standing(1.01, 10), Some(Standing::Good));
        assert_eq!(standing(1.5, 1), Some(Standing::Worse));
        assert_eq!(times(1.5, 1).standing(2, 0.95), Some(Standing::Good));
        assert_eq!(times(1.5, 1).standing(3, 0.95), None);
        assert!(Shape::of(&Samples::default(), 0.05).is_none());
    }

    proptest! {
        #[test]
        fn the_fit_falls_and_then_rises_and_keeps_the_runs(times in prop::collection::vec((0.1..10.0f64, 1usize..5), 1..20)) {
            let mut samples = Samples::default();
            for (workers, (time, runs)) in (1..).zip(&times) {
                (0..*runs).for_each(|_| samples.add(workers, *time));
            }
            let shape = Shape::of(&samples, 0.05).unwrap();
            let logs: Vec<f64> = shape.points.iter().map(|point| point.log).collect();
            let lowest = logs.iter().copied().fold(f64::INFINITY, f64::min);
            let turn = logs.iter().position(|log| *log <= lowest).unwrap();
            prop_assert!(logs[..=turn].windows(2).all(|pair| pair[0] >= pair[1]), "{:?}", logs);
            prop_assert!(logs[turn..].windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", logs);
            let seen: f64 = times.iter().map(|(time, runs)| time.ln() * *runs as f64).sum();
            let fitted: f64 = logs.iter().zip(&times).map(|(log, (_, runs))| log * *runs as f64).sum();
            prop_assert!((seen - fitted).abs() < 1e-6);
        }
    }
}
