//! How long the user waits: until the program starts, and from its end to the report.

use std::io;
use std::time::Duration;

use crate::Depth;
use crate::pairs::{Estimate, bare_first};
use crate::run::{Ran, Target, bare, profiled};
use crate::table::{Table, Unit};

/// Milliseconds until the program starts.
const START: f64 = 30.0;
/// Milliseconds from its end to the report.
const REPORT: f64 = 200.0;

/// Both waits for a program that does nothing and for the report of one with much to report.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    let stamp = Target::role(&["stamp"])?;
    let (mut alone, mut under) = (Vec::new(), Vec::new());
    for pair in 0..depth.of(40, 3) {
        if bare_first(pair) {
            alone.push(bare(&stamp)?);
        }
        under.push(profiled(&stamp, &[])?);
        if !bare_first(pair) {
            alone.push(bare(&stamp)?);
        }
    }
    line(table, "until the program starts, without boundby", &alone, |ran| ran.before, None)?;
    line(table, "until the program starts", &under, |ran| ran.before, Some(START))?;
    line(table, "from its end to the end of boundby", &under, |ran| ran.after, Some(REPORT))?;

    let large = Target::role(&["waiters", "1000", "1500"])?;
    let runs: Vec<Ran> = (0..depth.of(9, 1)).map(|_| profiled(&large, &[])).collect::<io::Result<_>>()?;
    line(table, "from its end to the end of boundby, 1,000 threads", &runs, |ran| ran.after, Some(REPORT))?;
    let family = Target::role(&["children", depth.of("5000", "200")])?;
    let runs: Vec<Ran> = (0..depth.of(3, 1)).map(|_| profiled(&family, &[])).collect::<io::Result<_>>()?;
    line(table, "from its end to the end of boundby, 5,000 children", &runs, |ran| ran.after, Some(REPORT))
}

fn line(
    table: &mut Table,
    what: &str,
    runs: &[Ran],
    of: impl Fn(&Ran) -> Duration,
    bar: Option<f64>,
) -> io::Result<()> {
    let values = runs.iter().map(|ran| of(ran).as_secs_f64() * 1000.0).collect();
    Estimate::of(values).map_or(Ok(()), |figure| table.line(what, figure, None, (Unit::Milliseconds, bar)))
}
