//! What was considered, side by side.

use super::table::Table;
use crate::report::Report;
use crate::report::markup::escaped;
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
}
