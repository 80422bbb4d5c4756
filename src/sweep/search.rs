//! Which number of workers to run next. Numbers are doubled until more of them no longer help, the knee is closed in on
//! from both sides, and what decides is repeated until it is certain.

use super::Samples;
use super::shape::{Shape, Standing};

/// What is looked for, and how hard.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The numbers that may be tried, ascending, each once.
    pub grid: Vec<u32>,
    /// Whether each of them is to be tried.
    pub exhaustive: bool,
    /// Most runs of one number.
    pub repeats: usize,
    /// A number whose throughput is this share of the best one's is as good.
    pub near_best: f64,
    /// By how much one run is taken to be off where that is not measured yet, as a share.
    pub noise: f64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run it with so many workers.
    Run(u32),
    /// The answer is certain, or cannot be made more so.
    Done {
        /// Whether it is certain.
        certain: bool,
    },
}

/// The smallest number that is not shown to be worse than the best.
#[must_use]
pub fn knee(samples: &Samples, settings: &Settings) -> Option<u32> {
    knee_of(&shape(samples, settings)?, samples, settings)
}

fn knee_of(shape: &Shape, samples: &Samples, settings: &Settings) -> Option<u32> {
    let is_worse = |workers: &u32| shape.standing(*workers, settings.near_best) == Some(Standing::Worse);
    samples.times().keys().copied().find(|workers| !is_worse(workers))
}

fn shape(samples: &Samples, settings: &Settings) -> Option<Shape> {
    Shape::of(samples, samples.noise(settings.noise))
}

/// Numbers that differ by one in so many hardly differ in time.
const NARROW: u64 = 4;
/// So much slower than the best, a number shows that the best lies behind.
const WORSE: f64 = 1.15;
/// Runs that any search may take.
const LEAST: usize = 4;
/// Runs of a number before anything is made to hang on it: two may be lucky both.
const CONFIRMED: usize = 3;

/// Decides what to run next.
#[must_use]
pub fn next(samples: &Samples, settings: &Settings) -> Next {
    let untried =
        |workers: &u32| !samples.times().contains_key(workers) && !samples.failed().contains_key(workers);
    if settings.exhaustive {
        // Round after round, so that a machine that becomes slower does so for all.
        let runs = |workers: &u32| samples.times().get(workers).map_or(0, Vec::len);
        let open = settings.grid.iter().filter(|workers| !samples.failed().contains_key(workers));
        return match open.min_by_key(|workers| runs(workers)) {
            Some(workers) if runs(workers) < settings.repeats => Next::Run(*workers),
            _ => Next::Done { certain: is_certain(samples, settings) },
        };
    }
    // A search that takes longer than trying everything half as often is none.
    if samples.runs() >= (settings.grid.len() * settings.repeats / 2).max(LEAST) {
        return Next::Done { certain: false };
    }
    if let Some(workers) = climb(samples, settings).filter(untried) {
        return Next::Run(workers);
    }
    if let Some(workers) = beside(samples, settings).filter(untried) {
        return Next::Run(workers);
    }
    let Some(knee) = knee(samples, settings) else { return Next::Done { certain: false } };
    // Between the knee and the largest smaller number that is not good enough.
    let below = samples.times().keys().rfind(|workers| **workers < knee).copied().unwrap_or(0);
    let between: Vec<u32> =
        settings.grid.iter().copied().filter(|n| *n > below && *n < knee && untried(n)).collect();
    if let Some(middle) = between.get(between.len() / 2) {
        return Next::Run(*middle);
    }
    doubtful(samples, settings, knee, below)
}

/// How long the rest of the search takes if further runs take what earlier ones lead to expect, seconds; `None`: nothing was
/// run yet.
#[must_use]
pub fn left(samples: &Samples, settings: &Settings) -> Option<f64> {
    let curve = samples.curve();
    let expected = |workers: u32| {
        let below = curve.iter().rfind(|(n, _)| *n <= workers);
        below.or(curve.first()).map(|(_, time)| *time)
    };
    let mut imagined = samples.clone();
    let mut sum = 0.0;
    while let Next::Run(workers) = next(&imagined, settings) {
        let time = expected(workers)?;
        sum += time;
        imagined.add(workers, time);
    }
    Some(sum)
}

/// The next number of the climb; `None`: more workers no longer help.
fn climb(samples: &Samples, settings: &Settings) -> Option<u32> {
    let Some((best_at, best)) = samples.best() else {
        return settings.grid.iter().find(|n| !samples.failed().contains_key(n)).copied();
    };
    let largest = *samples.times().keys().next_back()?;
    // Twice in a row: one slow run would be taken for the end of the way.
    let beyond = samples.curve().into_iter().filter(|(n, time)| *n > best_at && *time > WORSE * best).count();
    let is_worse = samples.median(largest)? > WORSE * best;
    if samples.failed().keys().next_back().is_some_and(|failed| *failed > largest)
        || (is_worse && beyond >= 2)
    {
        return None;
    }
    let last = *settings.grid.last()?;
    let target = largest.saturating_mul(2).min(last);
    // The grid need not have the double.
    settings.grid.iter().find(|n| **n >= target && **n > largest).copied()
}

/// Beside the best number something better may lie, up to the next ones that were tried; `None`: too little to matter.
fn beside(samples: &Samples, settings: &Settings) -> Option<u32> {
    let best = best(samples, settings)?;
    let tried = || samples.times().keys().copied();
    let middle = |low: u32, high: u32| {
        let between: Vec<u32> = settings.grid.iter().copied().filter(|n| *n > low && *n < high).collect();
        let is_wide = u64::from(high - low) * NARROW > u64::from(best);
        between.get(between.len() / 2).copied().filter(|_| is_wide)
    };
    let above = tried().find(|n| *n > best).and_then(|next| middle(best, next));
    above.or_else(|| tried().rfind(|n| *n < best).and_then(|next| middle(next, best)))
}

/// Repeats what the decision hangs on.
fn doubtful(samples: &Samples, settings: &Settings, knee: u32, below: u32) -> Next {
    let runs = |workers: u32| samples.times().get(&workers).map_or(0, Vec::len);
    let Some(best) = best(samples, settings) else { return Next::Done { certain: false } };
    // Of many single runs the best is the luckiest, and what looks not good enough beside it may be the unluckiest; with
    // both run again it is also seen how much runs differ here.
    let decisive = [best, below, knee].into_iter().filter(|workers| *workers > 0);
    if let Some(once) = decisive.into_iter().find(|workers| runs(*workers) < CONFIRMED.min(settings.repeats))
    {
        return Next::Run(once);
    }
    let certain = is_certain(samples, settings);
    let open = [knee, best].into_iter().filter(|workers| !certain && runs(*workers) < settings.repeats);
    match open.min_by_key(|workers| runs(*workers)) {
        Some(workers) => Next::Run(workers),
        None => Next::Done { certain },
    }
}

/// Whether the knee is shown to be as good as the best; that what is below is worse is part of being the knee.
fn is_certain(samples: &Samples, settings: &Settings) -> bool {
    let Some(shape) = shape(samples, settings) else { return false };
    knee_of(&shape, samples, settings).and_then(|knee| shape.standing(knee, settings.near_best))
        == Some(Standing::Good)
}

/// The number with the least time as its neighbours bear it out.
fn best(samples: &Samples, settings: &Settings) -> Option<u32> {
    shape(samples, settings)?.best().map(|(workers, _)| workers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(grid: Vec<u32>) -> Settings {
        Settings { grid, exhaustive: false, repeats: 4, near_best: 0.95, noise: 0.05 }
    }

    /// Runs the search on a curve; the knee, and how many runs it took.
    fn found(settings: &Settings, time: impl Fn(u32, usize) -> Option<f64>) -> (Option<u32>, usize) {
        let mut samples = Samples::default();
        for run in 0..10_000 {
            match next(&samples, settings) {
                Next::Run(workers) => match time(workers, run) {
                    Some(time) => samples.add(workers, time),
                    None => samples.fail(workers, "no".to_owned()),
                },
                Next::Done { .. } => return (knee(&samples, settings), samples.runs()),
            }
        }
        panic!("it does not end");
    }

    #[test]
    fn the_knee_of_a_pool_is_where_the_cores_end() {
        let pool = |cores: u32| move |n: u32, _: usize| Some(0.5 + 12.0 / f64::from(n.min(cores)));
        let grid: Vec<u32> = (1..=16).collect();
        for cores in [1, 2, 3, 4, 6, 8] {
            let (knee, runs) = found(&settings(grid.clone()), pool(cores));
            assert_eq!(knee, Some(cores), "{cores}");
            assert!(runs <= 16 * 4 / 2, "{cores}: {runs}");
        }
    }

    #[test]
    fn what_fails_is_out_and_ends_the_climb() {
        let time = |n: u32, _: usize| (n <= 8).then(|| 10.0 / f64::from(n));
        let (knee, _) = found(&settings(vec![1, 2, 4, 8, 16, 32]), time);
        assert_eq!(knee, Some(8));
        assert_eq!(found(&settings(vec![1, 2]), |_, _| None), (None, 2));
    }

    #[test]
    fn the_time_left_is_that_of_the_runs_to_come() {
        let mut settings = settings(vec![1, 2, 4]);
        assert_eq!(left(&Samples::default(), &settings), None);
        settings.exhaustive = true;
        let mut samples = Samples::default();
        samples.add(1, 8.0);
        samples.add(2, 4.0);
        // Three more of 8 s, three of 4 s, and four of 4 workers, of which no more is known than of 2.
        assert_eq!(left(&samples, &settings), Some(24.0 + 12.0 + 16.0));
        settings.exhaustive = false;
        assert!(left(&samples, &settings).unwrap() < 52.0);
    }

    #[test]
    fn a_number_that_nothing_depends_on_is_found_out_in_a_few_runs() {
        let (knee, runs) = found(&settings((1..=64).collect()), |_, run| Some(1.0 + 0.01 * (run % 3) as f64));
        assert_eq!(knee, Some(1));
        assert!(runs <= 16, "{runs}");
    }

    /// A number of a distribution like the normal one, of a seed and a turn.
    fn noise(seed: u64, turn: usize) -> f64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(turn as u64 + 1);
        let mut uniform = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }

    /// Curves that are flat beyond their knee, slightly falling, or rising again; with noise of 1 to 4 %.
    #[test]
    fn beside_noise_search_and_trying_everything_agree_within_a_step() {
        type Curve = fn(f64) -> f64;
        let curves: [(&str, Curve); 5] = [
            ("flat", |n| 0.1 + 1.0 / n.min(2.0)),
            ("at the threshold", |n| {
                if n < 2.0 {
                    2.0
                } else if n < 3.0 {
                    1.06
                } else {
                    1.0
                }
            }),
            ("slowly falling", |n| 1.0 + 0.3 / n),
            ("rising", |n| 1.0 / n.min(4.0) + 0.01 * n),
            ("none", |_| 1.0),
        ];
        let computing: Vec<u32> = (1..=8).collect();
        let waiting: Vec<u32> = vec![1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
        let (mut far, mut all) = (Vec::new(), 0);
        for (name, curve) in curves {
            for grid in [&computing, &waiting] {
                for seed in 0..60 {
                    let share = [0.01, 0.02, 0.04][seed as usize % 3];
                    let time =
                        |n: u32, run: usize| Some(curve(f64::from(n)) * (share * noise(seed, run)).exp());
                    let mut settings = settings(grid.clone());
                    let (searched, runs) = found(&settings, time);
                    settings.exhaustive = true;
                    let again = |n: u32, run: usize| time(n, run + 1000);
                    let (tried, most) = found(&settings, again);
                    assert!(runs * 2 <= most, "{name}: {runs} of {most}");
                    let at = |workers: Option<u32>| grid.iter().position(|n| Some(*n) == workers).unwrap();
                    all += 1;
                    if at(searched).abs_diff(at(tried)) > 1 {
                        far.push((name, share, searched, tried));
                    }
                }
            }
        }
        assert!(far.len() * 20 <= all, "{} of {all}: {far:?}", far.len());
    }

    proptest! {
        #[test]
        fn the_search_ends_and_is_at_most_a_step_off(
            cores in 1u32..40, serial in 0.0..0.3f64, seed in 0u64..1000,
        ) {
            let grid: Vec<u32> = (1..=32).collect();
            let exact = |n: u32| serial + (1.0 - serial) / f64::from(n.min(cores)) + 0.0005 * f64::from(n);
            let noisy = |n: u32, run: usize| {
                let turn = (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(run as u64 * 1_442_695_041)) >> 33;
                Some(exact(n) * (1.0 + 0.004 * (turn % 5) as f64))
            };
            let (found, runs) = found(&settings(grid.clone()), noisy);
            let best = grid.iter().map(|n| exact(*n)).fold(f64::INFINITY, f64::min);
            let time = exact(found.unwrap());
            // A twentieth is as good, and so is what the three runs of a number do not show to be more.
            prop_assert!(time <= best / 0.88, "{} of {}", time, best);
            prop_assert!(runs <= 64, "{}", runs);
        }
    }
}
