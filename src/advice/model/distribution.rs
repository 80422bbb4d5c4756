//! How the lengths of tasks are distributed: quantiles around a mean of one. Pure mathematics.

/// A distribution of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// All alike.
    Fixed,
    /// Evenly between two ends.
    Uniform,
    /// Memoryless; its coefficient of variation is 1.
    Exponential,
    /// Many short, a few very long: services, networks.
    Lognormal,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Uniform, Self::Exponential, Self::Lognormal];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Uniform => "uniform",
            Self::Exponential => "exponential",
            Self::Lognormal => "lognormal",
        }
    }

    /// The coefficient of variation it has where none is stated.
    #[must_use]
    pub fn usual_cv(self) -> f64 {
        match self {
            Self::Fixed => 0.0,
            // From nothing to twice the mean.
            Self::Uniform => 3.0_f64.sqrt().recip(),
            Self::Exponential | Self::Lognormal => 1.0,
        }
    }

    /// Whether it can have this coefficient of variation.
    #[must_use]
    pub fn allows(self, cv: f64) -> bool {
        match self {
            Self::Fixed => cv == 0.0,
            Self::Uniform => cv <= self.usual_cv() + 1e-9,
            Self::Exponential => (cv - 1.0).abs() < 1e-9,
            Self::Lognormal => true,
        }
    }

    /// The length that a share `p` of the tasks stays below, as a multiple of the mean.
    #[must_use]
    pub fn quantile(self, p: f64, cv: f64) -> f64 {
        let p = p.clamp(1e-12, 1.0 - 1e-12);
        match self {
            Self::Fixed => 1.0,
            Self::Uniform => (1.0 + 3.0_f64.sqrt() * cv * (2.0 * p - 1.0)).max(0.0),
            Self::Exponential => -(1.0 - p).ln(),
            Self::Lognormal => {
                let variance = (1.0 + cv * cv).ln();
                (variance.sqrt() * normal_quantile(p) - variance / 2.0).exp()
            }
        }
    }

    /// The longest of `n` tasks, as a multiple of the mean.
    #[must_use]
    pub fn longest(self, n: u64, cv: f64) -> f64 {
        self.quantile(1.0 - 0.5 / n.max(1) as f64, cv).max(1.0)
    }

    /// `n` lengths that stand for all, in an order that mixes long and short; their mean is one.
    #[must_use]
    pub fn sample(self, n: usize, cv: f64) -> Vec<f64> {
        let mut order: Vec<(f64, usize)> = (0..n).map(|i| (radical_inverse(i), i)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let lengths = order.iter().map(|(_, i)| self.quantile((*i as f64 + 0.5) / n as f64, cv));
        let lengths: Vec<f64> = lengths.collect();
        let mean = lengths.iter().sum::<f64>() / n.max(1) as f64;
        if mean > 0.0 { lengths.into_iter().map(|length| length / mean).collect() } else { lengths }
    }
}

/// The digits of a number mirrored at the point, in base 2: neighbours end up far apart.
fn radical_inverse(number: usize) -> f64 {
    (number as u64).reverse_bits() as f64 / 2.0_f64.powi(64)
}

/// The standard normal quantile by Acklam's rational approximation, relative error 1.15e-9.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_mean_and_the_spread_they_are_asked_for() {
        for (distribution, cv) in
            [(Distribution::Uniform, 0.385), (Distribution::Exponential, 1.0), (Distribution::Lognormal, 0.8)]
        {
            let sample = distribution.sample(4000, cv);
            let n = sample.len() as f64;
            let mean = sample.iter().sum::<f64>() / n;
            let spread = (sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
            assert!(
                (mean - 1.0).abs() < 1e-9 && (spread / mean - cv).abs() < 0.03 * cv,
                "{distribution:?} {spread}"
            );
        }
    }

    #[test]
    fn the_normal_quantile_is_that_of_tables() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_964), (0.05, -1.644_854), (0.999, 3.090_232)] {
            assert!((normal_quantile(p) - z).abs() < 1e-6, "{p}");
        }
    }

    #[test]
    fn order_mixes_long_and_short() {
        let sample = Distribution::Uniform.sample(1000, 0.5);
        let first: f64 = sample[..100].iter().sum::<f64>() / 100.0;
        assert!((first - 1.0).abs() < 0.05, "{first}");
        assert_eq!(Distribution::Fixed.sample(3, 0.0), [1.0, 1.0, 1.0]);
    }
}
