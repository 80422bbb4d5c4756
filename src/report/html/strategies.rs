//! What was considered, side by side.

use std::fmt::Write as _;

use super::table::Table;
use crate::advice::CurvePoint;
use crate::report::Report;
use crate::report::markup::escaped;
use crate::report::plot::{self, Plot, Series};
use crate::report::text::advice::{CONSIDERED, considered};

/// A table of everything that was considered: the advice first, then what would do instead, then what was rejected.
pub(super) fn write(out: &mut String, report: &Report<'_>) {
    let rows = considered(report);
    if rows.is_empty() {
        return;
    }
    out.push_str("<h2>What was considered</h2>\n");
    let mut table = Table::new(&CONSIDERED);
    for (number, (rejected, cells)) in rows.into_iter().enumerate() {
        let class = match (rejected, number) {
            (true, _) => "out",
            (false, 0) => "best",
            (false, _) => "",
        };
        table.row(class, &cells.map(|cell| escaped(&cell)));
    }
    out.push_str(&table.finish());
    curve(out, report);
}

/// The speedup by number of workers of what is offered: with the interval of the advice, and its number marked.
fn curve(out: &mut String, report: &Report<'_>) {
    let drawn = report.advice.recommendations.iter().filter(|one| one.curve.len() >= 2);
    let series: Vec<Series> = drawn
        .enumerate()
        .map(|(place, one)| {
            let at = |point: &CurvePoint| (f64::from(point.workers), point.predicted.speedup);
            let between =
                |point: &CurvePoint| (f64::from(point.workers), point.predicted.low, point.predicted.high);
            let chosen = one.workers.as_ref().map_or(0, |workers| workers.suggested);
            Series {
                name: one.strategy.name().to_owned(),
                points: one.curve.iter().map(at).collect(),
                mark: one.curve.iter().find(|point| point.workers == chosen).map(at),
                // Several bands over one another cannot be read.
                band: if place == 0 { one.curve.iter().map(between).collect() } else { Vec::new() },
                ..Series::default()
            }
        })
        .collect();
    if series.is_empty() {
        return;
    }
    let marks: Vec<String> = series
        .iter()
        .filter_map(|one| one.mark.map(|(workers, _)| format!("{} × {workers}", one.name)))
        .collect();
    let plot = Plot {
        title: "predicted speedup by number of workers".to_owned(),
        across: "workers".to_owned(),
        up: "times as fast".to_owned(),
        series,
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<h3>With other numbers of workers</h3>\n{}<p class=\"legend\">Marked: {}. Shaded: the 90 % interval of the \
         first.</p>\n",
        plot::part_of_page(&plot),
        escaped(&marks.join(", "))
    );
}
