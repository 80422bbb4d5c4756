//! Curves over a logarithmic axis: in the cells of a terminal, or as SVG. Knows numbers and names, not what they mean.

mod cells;
mod svg;

pub(super) use cells::to_cells;
pub(super) use svg::{part_of_page, to_svg};

/// Curves in one drawing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plot {
    /// What it shows.
    pub(super) title: String,
    /// What stands along the logarithmic axis.
    pub(super) across: String,
    /// What stands along the upright axis, which begins at 0.
    pub(super) up: String,
    /// The curves.
    pub(super) series: Vec<Series>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Series {
    /// Its name.
    pub(super) name: String,
    /// What marks it where there is no colour.
    pub(super) letter: char,
    /// Its points from left to right.
    pub(super) points: Vec<(f64, f64)>,
    /// The point that counts.
    pub(super) mark: Option<(f64, f64)>,
    /// Between which values it lies, from left to right: across, from, to. Drawn where there is colour.
    pub(super) band: Vec<(f64, f64, f64)>,
}

/// The ends of both axes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
}

impl Frame {
    /// `None` where nothing can be drawn.
    fn of(plot: &Plot) -> Option<Self> {
        let band = |series: &Series| series.band.iter().map(|(x, _, to)| (*x, *to)).collect::<Vec<_>>();
        let all = || {
            let points =
                |series: &Series| series.points.iter().chain(&series.mark).copied().collect::<Vec<_>>();
            plot.series.iter().flat_map(move |series| points(series).into_iter().chain(band(series)))
        };
        let usable = |value: &f64| value.is_finite() && *value > 0.0;
        let across = || all().map(|point| point.0).filter(usable);
        let left = across().reduce(f64::min)?;
        let right = across().reduce(f64::max)?.max(left * 2.0);
        let top = all().map(|point| point.1).filter(usable).reduce(f64::max)?;
        Some(Self { left, right, top: top * 1.02 })
    }

    /// Where a point lies: from the left and from below, as shares.
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x.max(self.left) / self.left).ln() / (self.right / self.left).ln();
        (across.clamp(0.0, 1.0), (y / self.top).clamp(0.0, 1.0))
    }

    /// Powers of two (or of four, of eight …) between the ends, at most `most`.
    fn ticks(&self, most: usize) -> Vec<f64> {
        let powers = |step: i32| {
            let first = self.left.log2().ceil() as i32;
            let last = self.right.log2().floor() as i32;
            (first..=last).filter(move |power| power % step == 0).map(|power| 2.0_f64.powi(power))
        };
        let step = (1..64).find(|step| powers(*step).count() <= most.max(1)).unwrap_or(64);
        powers(step).collect()
    }

    /// Round numbers up the other axis, at most `most`.
    fn levels(&self, most: usize) -> Vec<f64> {
        let rough = self.top / most.max(1) as f64;
        let magnitude = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * magnitude).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (1..=2 * most as u32).map(|i| f64::from(i) * step).filter(|level| *level <= self.top).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        let frame = Frame { left: 1.0, right: 1024.0, top: 58.0 };
        assert_eq!(frame.ticks(6), [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0]);
        assert_eq!(frame.levels(6), [10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(frame.place((1.0, 0.0)), (0.0, 0.0));
        assert_eq!(frame.place((1024.0, 58.0)), (1.0, 1.0));
    }

    #[test]
    fn nothing_to_draw_is_no_drawing() {
        assert_eq!(Frame::of(&Plot::default()), None);
        let one = Series { points: vec![(4.0, 2.0)], ..Series::default() };
        assert!(Frame::of(&Plot { series: vec![one], ..Plot::default() }).is_some());
    }
}
