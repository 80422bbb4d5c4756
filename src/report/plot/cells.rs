//! Curves in the cells of a terminal: lines in braille where there is more than ASCII, letters where there is not.

use super::{Frame, Plot};
use crate::units;

/// A cell of a drawing, and whose curve it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Cell {
    /// What stands in it.
    pub(in crate::report) char: char,
    /// The place of the curve; `None`: axes and blanks.
    pub(in crate::report) series: Option<usize>,
}

/// Dots of a braille cell: two across, four up.
const ACROSS: usize = 2;
const UP: usize = 4;

/// Lines of cells, at most `width` wide, with `height` rows for the curves; none where there is nothing to draw.
pub(in crate::report) fn to_cells(plot: &Plot, width: usize, height: usize, unicode: bool) -> Vec<Vec<Cell>> {
    let Some(frame) = Frame::of(plot) else { return Vec::new() };
    let levels = frame.levels(height / 3);
    let labels: Vec<String> = levels.iter().map(|level| units::plain(*level)).collect();
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1).max(1) + 2;
    let columns = width.saturating_sub(margin).max(10);
    let mut canvas = Canvas::new(columns, height);
    for (i, series) in plot.series.iter().enumerate() {
        let points: Vec<(f64, f64)> = series.points.iter().map(|point| frame.place(*point)).collect();
        if unicode {
            for pair in points.windows(2) {
                canvas.line(pair[0], pair[1], i);
            }
        } else {
            for point in points {
                canvas.letter(point, series.letter, i);
            }
        }
    }
    for (i, series) in plot.series.iter().enumerate() {
        if let Some(mark) = series.mark {
            canvas.letter(frame.place(mark), series.letter.to_ascii_uppercase(), i);
        }
    }
    let plain = |text: &str| text.chars().map(|char| Cell { char, series: None }).collect::<Vec<_>>();
    let mut lines = vec![plain(&plot.up)];
    for row in 0..height {
        let share = |at: usize| 1.0 - at as f64 / height as f64;
        let named = levels.iter().position(|level| {
            let up = frame.place((frame.left, *level)).1;
            up <= share(row) && up > share(row + 1)
        });
        let label = named.map_or("", |at| labels[at].as_str());
        let (tick, bar) = if unicode { ('┤', '│') } else { ('+', '|') };
        let axis = if named.is_some() { tick } else { bar };
        let mut line = plain(&format!("{label:>width$}{axis}", width = margin - 1));
        line.extend(canvas.row(row));
        lines.push(line);
    }
    lines.extend(axis(&frame, &plot.across, margin, columns, unicode).iter().map(|line| plain(line)));
    lines
}

/// The lower axis: a rule with ticks, and the numbers below them.
fn axis(frame: &Frame, name: &str, margin: usize, columns: usize, unicode: bool) -> [String; 2] {
    let (corner, flat, tick) = if unicode { ('└', '─', '┬') } else { ('+', '-', '+') };
    let mut rule: Vec<char> = vec![flat; columns];
    let mut numbers = vec![' '; margin + columns];
    let mut free = 0;
    // The name of the axis stands at its end.
    let room = (margin + columns).saturating_sub(name.chars().count() + 1);
    for value in frame.ticks(columns / 8) {
        let at = (frame.place((value, 0.0)).0 * (columns - 1) as f64).round() as usize;
        let text = units::plain(value);
        let start = margin + at;
        if start < free || start + text.chars().count() > room {
            continue;
        }
        rule[at] = tick;
        for (i, char) in text.chars().enumerate() {
            numbers[start + i] = char;
        }
        free = start + text.chars().count() + 1;
    }
    let numbers: String = numbers[..room].iter().collect();
    let rule: String = rule.into_iter().collect();
    [format!("{corner:>margin$}{rule}"), format!("{numbers} {name}")]
}

struct Canvas {
    columns: usize,
    rows: usize,
    /// Dots of each cell and the curve that drew there last.
    dots: Vec<(u8, usize)>,
    letters: Vec<Option<(char, usize)>>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, dots: vec![(0, 0); columns * rows], letters: vec![None; columns * rows] }
    }

    /// A line between two places, dot by dot.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), series: usize) {
        let dot = |(x, y): (f64, f64)| {
            (x * (self.columns * ACROSS - 1) as f64, (1.0 - y) * (self.rows * UP - 1) as f64)
        };
        let ((x0, y0), (x1, y1)) = (dot(from), dot(to));
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
        for i in 0..=steps as usize {
            let share = i as f64 / steps;
            let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
            self.dot(x.round() as usize, y.round() as usize, series);
        }
    }

    fn dot(&mut self, x: usize, y: usize, series: usize) {
        // The order in which Unicode numbers the dots of a cell.
        const BITS: [[u8; ACROSS]; UP] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let at = (y / UP).min(self.rows - 1) * self.columns + (x / ACROSS).min(self.columns - 1);
        let bit = BITS[y % UP][x % ACROSS];
        let (dots, _) = self.dots[at];
        self.dots[at] = (dots | bit, series);
    }

    fn letter(&mut self, (x, y): (f64, f64), letter: char, series: usize) {
        let column = (x * (self.columns - 1) as f64).round() as usize;
        let row = ((1.0 - y) * (self.rows - 1) as f64).round() as usize;
        self.letters[row * self.columns + column] = Some((letter, series));
    }

    fn row(&self, row: usize) -> impl Iterator<Item = Cell> {
        let cells = row * self.columns..(row + 1) * self.columns;
        cells.map(|at| match (self.letters[at], self.dots[at]) {
            (Some((char, series)), _) => Cell { char, series: Some(series) },
            (None, (0, _)) => Cell { char: ' ', series: None },
            (None, (dots, series)) => {
                Cell { char: char::from_u32(0x2800 + u32::from(dots)).unwrap_or('.'), series: Some(series) }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;

    fn plot() -> Plot {
        let points = (0..=6).map(|i| (f64::from(1 << i), f64::from(1 << i).min(20.0))).collect();
        let threads = Series {
            name: "threads".into(),
            letter: 't',
            points,
            mark: Some((32.0, 20.0)),
            ..Series::default()
        };
        let flat = Series { letter: 'p', points: vec![(1.0, 1.0), (4.0, 1.9)], ..Series::default() };
        Plot { across: "workers".into(), up: "times".into(), series: vec![threads, flat], ..Plot::default() }
    }

    fn shown(width: usize, unicode: bool) -> Vec<String> {
        let lines = to_cells(&plot(), width, 10, unicode);
        lines.iter().map(|line| line.iter().map(|cell| cell.char).collect()).collect()
    }

    #[test]
    fn no_line_is_wider_than_asked_and_ascii_is_ascii() {
        for width in [30, 60, 80, 110] {
            for unicode in [true, false] {
                let lines = shown(width, unicode);
                assert_eq!(lines.len(), 13);
                assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
                assert!(unicode || lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
            }
        }
    }

    #[test]
    fn the_knee_is_marked_and_the_axes_are_named() {
        let lines = shown(80, true);
        assert_eq!(lines.iter().filter(|line| line.contains('T')).count(), 1, "{lines:#?}");
        assert_eq!(lines[0], "times");
        assert!(lines[12].ends_with("workers") && lines[12].contains(" 16 "), "{lines:#?}");
        assert!(lines.iter().any(|line| line.trim_start().starts_with("10┤")), "{lines:#?}");
    }
}
