//! Pairs of measurements and what their ratios say. Pure.

/// A median with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// The median.
    pub(crate) median: f64,
    /// The interval that holds the true median in at least 95 of 100 cases; with fewer than six values, their range.
    pub(crate) low: f64,
    /// See `low`.
    pub(crate) high: f64,
}

impl Estimate {
    /// Of at least one value. The interval comes from order statistics: how many values lie below the true median is
    /// binomial, whatever their distribution.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let middle = values.get(count / 2)?;
        let median =
            if count.is_multiple_of(2) { f64::midpoint(values[count / 2 - 1], *middle) } else { *middle };
        let outside = outside(count);
        Some(Self { median, low: values[outside], high: values[count - 1 - outside] })
    }

    /// The same in other terms; `change` must not turn the order round.
    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { median: change(self.median), low: change(self.low), high: change(self.high) }
    }
}

/// How many of the smallest values may be left out of the interval.
fn outside(count: usize) -> usize {
    let mut ways = 0.5f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let (mut below, mut left_out) = (ways, 0);
    while below <= 0.025 && left_out < count / 2 {
        left_out += 1;
        ways *= (count - left_out + 1) as f64 / left_out as f64;
        below += ways;
    }
    // `left_out` values below are already too likely: the interval begins at the one before.
    left_out.saturating_sub(1)
}

/// Which of the two comes first in a pair: A B, B A, A B, …, so that a drift of the machine hits both alike.
pub(crate) fn bare_first(pair: usize) -> bool {
    pair.is_multiple_of(2)
}

/// Checked when the benches start: they have no test harness of their own.
pub(crate) fn self_check() -> bool {
    let of = |count: usize| Estimate::of((1..=count).map(|value| value as f64).collect());
    let is = |count, median, low, high| of(count) == Some(Estimate { median, low, high });
    // From tables of the sign test: 6 values leave out none, 10 leave out 1, 20 leave out 5 on each side.
    of(0).is_none() && is(6, 3.5, 1.0, 6.0) && is(10, 5.5, 2.0, 9.0) && is(20, 10.5, 6.0, 15.0)
}
