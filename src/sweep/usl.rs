//! The Universal Scalability Law (Gunther 1993): throughput of N workers = rate·N / (1 + σ(N−1) + κN(N−1)). σ is the share
//! that goes one at a time, κ what workers lose by agreeing with each other. For checking a curve that was measured;
//! it is no good for extrapolation.

use super::Samples;

/// A fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Runs per second of one worker.
    pub rate: f64,
    /// Contention.
    pub sigma: f64,
    /// Coherency.
    pub kappa: f64,
}

/// A fit with the 90 % intervals of its coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    /// The fit to the medians.
    pub usl: Usl,
    /// Ends of the interval of σ.
    pub sigma: (f64, f64),
    /// Ends of the interval of κ.
    pub kappa: (f64, f64),
    /// Largest difference between a median and the fit, as a share.
    pub worst: f64,
}

/// Fewer different numbers of workers cannot tell three coefficients.
const LEAST: usize = 4;
/// Resamplings behind the intervals.
const RESAMPLINGS: usize = 400;

impl Usl {
    /// Time of one run with so many workers, seconds.
    #[must_use]
    pub fn time(&self, workers: f64) -> f64 {
        (1.0 + self.sigma * (workers - 1.0) + self.kappa * workers * (workers - 1.0)) / (self.rate * workers)
    }

    /// Where more workers begin to cost more than they bring; `None`: nowhere.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        (self.kappa > 0.0).then(|| ((1.0 - self.sigma).max(0.0) / self.kappa).sqrt().max(1.0))
    }

    /// The fit to times by number of workers: N·T(N) = a + b(N−1) + cN(N−1), which is linear; coefficients below zero
    /// mean nothing and are left out. Each point counts by its share, not by its size.
    fn of(curve: &[(f64, f64)]) -> Option<Self> {
        let columns = |n: f64| [1.0, n - 1.0, n * (n - 1.0)];
        // From all coefficients down to the rate alone, until none is negative.
        for used in [&[0, 1, 2][..], &[0, 2], &[0, 1], &[0]] {
            let rows: Vec<(Vec<f64>, f64)> = curve
                .iter()
                .map(|(n, time)| {
                    let target = n * time;
                    (used.iter().map(|column| columns(*n)[*column] / target).collect(), 1.0)
                })
                .collect();
            let Some(solved) = least_squares(&rows) else { continue };
            let of = |column: usize| used.iter().position(|one| *one == column).map_or(0.0, |at| solved[at]);
            let (a, b, c) = (of(0), of(1), of(2));
            if a > 0.0 && b >= 0.0 && c >= 0.0 {
                return Some(Self { rate: 1.0 / a, sigma: b / a, kappa: c / a });
            }
        }
        None
    }
}

/// Fits the law to what was measured; `None` where too few numbers of workers were run.
#[must_use]
pub fn fit(samples: &Samples) -> Option<Fitted> {
    let curve: Vec<(f64, f64)> = samples.curve().into_iter().map(|(n, time)| (f64::from(n), time)).collect();
    if curve.len() < LEAST {
        return None;
    }
    let usl = Usl::of(&curve)?;
    let worst = curve.iter().map(|(n, time)| (usl.time(*n) / time - 1.0).abs()).fold(0.0, f64::max);
    // How far the points lie off the curve, and how far runs lie off each other, whichever is more.
    let off = curve.iter().map(|(n, time)| (usl.time(*n) / time).ln().powi(2)).sum::<f64>();
    let noise = samples.noise(0.0).max((off / (curve.len() as f64 - 3.0).max(1.0)).sqrt());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut sigmas, mut kappas) = (Vec::new(), Vec::new());
    for _ in 0..RESAMPLINGS {
        let again: Vec<(f64, f64)> =
            curve.iter().map(|(n, _)| (*n, usl.time(*n) * (noise * random.normal()).exp())).collect();
        if let Some(one) = Usl::of(&again) {
            sigmas.push(one.sigma);
            kappas.push(one.kappa);
        }
    }
    Some(Fitted { usl, sigma: ends(sigmas, usl.sigma), kappa: ends(kappas, usl.kappa), worst })
}

/// The middle 90 %, around what was fitted.
fn ends(mut values: Vec<f64>, middle: f64) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get((values.len() as f64 * share) as usize).copied().unwrap_or(middle);
    (at(0.05).min(middle), at(0.95).max(middle))
}

/// Solves the normal equations by elimination with pivots; `None` where they have no one solution.
fn least_squares(rows: &[(Vec<f64>, f64)]) -> Option<Vec<f64>> {
    let size = rows.first()?.0.len();
    if rows.len() < size {
        return None;
    }
    let mut matrix = vec![vec![0.0; size + 1]; size];
    for (columns, target) in rows {
        for i in 0..size {
            for j in 0..size {
                matrix[i][j] += columns[i] * columns[j];
            }
            matrix[i][size] += columns[i] * target;
        }
    }
    for i in 0..size {
        let pivot = (i..size).max_by(|a, b| matrix[*a][i].abs().total_cmp(&matrix[*b][i].abs()))?;
        matrix.swap(i, pivot);
        if matrix[i][i].abs() < 1e-300 {
            return None;
        }
        let row = matrix[i].clone();
        for (k, other) in matrix.iter_mut().enumerate() {
            if k != i {
                let factor = other[i] / row[i];
                for (cell, value) in other.iter_mut().zip(&row) {
                    *cell -= factor * value;
                }
            }
        }
    }
    let solved: Vec<f64> = (0..size).map(|i| matrix[i][size] / matrix[i][i]).collect();
    solved.iter().all(|value| value.is_finite()).then_some(solved)
}

/// The same numbers every time: the same runs give the same intervals.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        // xorshift64* (Vigna 2016).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller 1958.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(usl: Usl, noise: f64) -> Samples {
        let mut samples = Samples::default();
        for (i, n) in [1, 2, 3, 4, 6, 8, 12, 16].into_iter().enumerate() {
            let off = [0.3, -1.0, 0.8, -0.2, 1.0, -0.7, 0.1, -0.4][i];
            samples.add(n, usl.time(f64::from(n)) * (1.0 + noise * off));
        }
        samples
    }

    #[test]
    fn a_curve_of_the_law_is_known_again() {
        let truth = Usl { rate: 0.25, sigma: 0.08, kappa: 0.002 };
        let fitted = fit(&samples(truth, 0.0)).unwrap();
        for (found, wanted) in [(fitted.usl.rate, 0.25), (fitted.usl.sigma, 0.08), (fitted.usl.kappa, 0.002)]
        {
            assert!((found / wanted - 1.0).abs() < 1e-6, "{fitted:?}");
        }
        assert!((truth.peak().unwrap() - 21.4).abs() < 0.1);
    }

    #[test]
    fn the_intervals_hold_the_truth_beside_noise() {
        let truth = Usl { rate: 0.25, sigma: 0.08, kappa: 0.002 };
        let fitted = fit(&samples(truth, 0.03)).unwrap();
        assert!(fitted.sigma.0 <= 0.08 && 0.08 <= fitted.sigma.1, "{fitted:?}");
        assert!(fitted.kappa.0 <= 0.002 && 0.002 <= fitted.kappa.1, "{fitted:?}");
        assert!(fitted.sigma.1 - fitted.sigma.0 > 0.01, "{fitted:?}");
    }

    #[test]
    fn nothing_below_zero_is_fitted_and_little_is_no_curve() {
        // Better than linear: neither contention nor coherency.
        let mut samples = Samples::default();
        for n in [1u32, 2, 4, 8] {
            samples.add(n, 10.0 / f64::from(n).powf(1.1));
        }
        let fitted = fit(&samples).unwrap();
        assert!(fitted.usl.sigma >= 0.0 && fitted.usl.kappa >= 0.0, "{fitted:?}");
        let mut few = Samples::default();
        few.add(1, 1.0);
        few.add(2, 0.5);
        assert_eq!(fit(&few), None);
    }
}
