//! What was considered, side by side.

use super::table::Table;
use crate::advice::{Predicted, Recommendation};
use crate::report::Report;
use crate::report::markup::escaped;
use crate::report::text::advice;
use crate::units;

/// A table of everything that was considered: the advice first, then what would do instead, then what was rejected.
pub(super) fn write(out: &mut String, report: &Report<'_>) {
    let advice = report.advice;
    let predicted = advice.recommendations.iter().filter(|one| one.predicted.is_some()).count();
    if predicted + advice.rejected.len() < 2 {
        return;
    }
    out.push_str("<h2>What was considered</h2>\n");
    let mut table = Table::new(&["model", "time", "speedup", "90 % interval", "memory", "because"]);
    for (number, one) in advice.recommendations.iter().enumerate() {
        let (_, why) = one.told();
        let cells = [
            named(one),
            one.predicted.map(|predicted| units::rough_seconds(predicted.wall_s)).unwrap_or_default(),
            one.predicted.map(speedup).unwrap_or_default(),
            one.predicted.map(advice::range).unwrap_or_default(),
            advice::memory(one).unwrap_or_default(),
            why.to_owned(),
        ];
        table.row(if number == 0 { "best" } else { "" }, &cells.map(|cell| escaped(&cell)));
    }
    for one in &advice.rejected {
        let speedup = one.predicted_speedup.map(units::factor).unwrap_or_default();
        let why = format!("not: {}", escaped(&one.why));
        let (none, name) = (String::new(), one.strategy.name().to_owned());
        table.row("out", &[name, none.clone(), speedup, none.clone(), none, why]);
    }
    out.push_str(&table.finish());
}

/// What to do, in the fewest words.
pub(super) fn named(one: &Recommendation) -> String {
    one.told().0.map_or_else(|| advice::plan(one), str::to_owned)
}

pub(super) fn speedup(predicted: Predicted) -> String {
    units::factor(predicted.speedup)
}
