//! Choosing the number of workers: the smallest that comes near the best, under every cap.

use super::{Costs, Curve};

/// An upper bound on workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Cap {
    /// What sets it: `items`, or the id of the rule.
    pub name: String,
    /// Largest number of workers it allows.
    pub workers: f64,
}

/// A number of workers and what decided it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The number to use.
    pub workers: usize,
    /// Smallest number that is about as good.
    pub low: usize,
    /// Largest number that is about as good.
    pub high: usize,
    /// What the number would be with `items` as the only cap.
    pub uncapped: usize,
    /// `knee` where more workers stop helping, else the name of the cap that binds.
    pub binding: String,
}

/// The tightest cap of at least 1, and its bound.
#[must_use]
pub fn tightest(caps: &[Cap]) -> Option<(&Cap, usize)> {
    caps.iter()
        .filter(|cap| !cap.workers.is_nan())
        .min_by(|a, b| a.workers.total_cmp(&b.workers))
        .map(|cap| (cap, cap.workers.clamp(1.0, 1e6) as usize))
}

/// Chooses from `time(n)`, the wall time with `n` workers, over `1..=curve.workers()`.
#[must_use]
pub fn choose(curve: &Curve, caps: &[Cap], items: u64, costs: &Costs) -> Option<Choice> {
    let all = curve.workers().min(items.max(1) as usize);
    let (cap, bound) = tightest(caps).map_or((None, all), |(cap, bound)| (Some(cap), bound.min(all)));
    let time = |n: usize| curve.at(n).map_or(f64::INFINITY, |point| point.time);
    let best = |limit: usize| (1..=limit).map(time).fold(f64::INFINITY, f64::min);
    let smallest = |limit: usize, share: f64| {
        let enough = best(limit) / share;
        (1..=limit).find(|&n| time(n) <= enough)
    };
    let workers = smallest(bound, costs.near_best)?;
    let uncapped = smallest(all, costs.near_best)?;
    let good = best(bound) / costs.about_as_good;
    let low = (1..=workers).find(|&n| time(n) <= good).unwrap_or(workers);
    // More than twice the number is never "about as good": it costs twice as much of everything else.
    let high = (workers..=bound.min(2 * workers)).take_while(|&n| time(n) <= good).last().unwrap_or(workers);
    let binding = if workers == bound && uncapped > workers {
        cap.map_or_else(|| "items".to_owned(), |cap| cap.name.clone())
    } else if workers as u64 == items {
        "items".to_owned()
    } else {
        "knee".to_owned()
    };
    Some(Choice { workers, low, high, uncapped, binding })
}

/// Settles the number of workers by replay, around what the closed form chose, and returns the time it gives.
///
/// `time` is asked about a dozen times; `limit` is the tightest cap.
pub fn by_replay(choice: &mut Choice, limit: usize, costs: &Costs, time: impl Fn(usize) -> f64) -> f64 {
    let tried: Vec<(usize, f64)> = candidates(choice, limit).into_iter().map(|n| (n, time(n))).collect();
    let best = tried.iter().map(|(_, time)| *time).fold(f64::INFINITY, f64::min);
    let enough = best / costs.near_best;
    let Some(at) = tried.iter().position(|(_, time)| *time <= enough) else {
        return best;
    };
    let (mut workers, mut reached) = tried[at];
    // Between the last number that is too small and the first that is enough.
    let mut below = if at == 0 { workers } else { tried[at - 1].0 };
    while workers > below + 1 {
        let middle = usize::midpoint(below, workers);
        let taken = time(middle);
        if taken <= enough {
            (workers, reached) = (middle, taken);
        } else {
            below = middle;
        }
    }
    if workers != choice.workers {
        let good = best / costs.about_as_good;
        choice.low = tried.iter().find(|(_, t)| *t <= good).map_or(workers, |(n, _)| *n).min(workers);
        choice.high = tried
            .iter()
            .rev()
            .find(|(n, t)| *t <= good && *n <= 2 * workers)
            .map_or(workers, |(n, _)| *n)
            .max(workers);
        if workers < choice.workers {
            "knee".clone_into(&mut choice.binding);
        }
        choice.uncapped = choice.uncapped.max(workers);
        choice.workers = workers;
    }
    reached
}

/// Worker counts worth replaying: log-spaced around what the closed form chose, within `limit`.
fn candidates(chosen: &Choice, limit: usize) -> Vec<usize> {
    let mut out = vec![chosen.workers];
    let mut n = chosen.workers as f64 / 4.0;
    while n <= (chosen.workers * 4) as f64 {
        out.push((n.round() as usize).max(1));
        n *= std::f64::consts::SQRT_2;
    }
    out.retain(|n| *n <= limit);
    out.sort_unstable();
    out.dedup();
    out
}
