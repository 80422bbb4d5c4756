//! What boundby itself takes: resident memory, how it grows, and CPU time while it measures.

use std::io;
use std::time::Duration;

use crate::Depth;
use crate::run::{Target, Used, watched};
use crate::table::{Table, Unit};

const MIB: f64 = 1024.0 * 1024.0;
/// Mebibytes a minute by which a long run may grow once it is warm.
const GROWTH: f64 = 1.0;

/// Short, wide, fertile and long programs.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    if let Err(why) = watched(&Target::role(&["stamp"])?, &[]) {
        return table.skip("recorder", &format!("boundby cannot be watched: {why}"));
    }
    let of = |words: &[&str], ages: &[Duration]| watched(&Target::role(words)?, ages);
    line(table, "0.3 s of computing", &of(&["cpu", "3000"], &[])?)?;
    line(table, "1,000 threads, 5 s", &of(&["waiters", "1000", depth.of("5000", "1000")], &[])?)?;
    line(table, "5,000 short children", &of(&["children", depth.of("5000", "200")], &[])?)?;

    // Growth is judged from one run: a second run would differ by where the allocator puts things.
    let seconds = depth.of(120, 6);
    let ages = [seconds / 6, seconds - seconds / 12].map(Duration::from_secs);
    let long = of(&["service", &(seconds * 1000).to_string()], &ages)?;
    line(table, &format!("threads and children come and go, {seconds} s"), &long)?;
    let minutes = ages[1].saturating_sub(ages[0]).as_secs_f64() / 60.0;
    let grown = (long.at_ages[1] as f64 - long.at_ages[0] as f64) / MIB;
    let bar = (depth == Depth::Full).then_some(GROWTH);
    table.once("memory, the same, growth a minute", grown / minutes, Unit::MebibytesPerMinute, bar)
}

fn line(table: &mut Table, what: &str, used: &Used) -> io::Result<()> {
    table.once(&format!("memory, {what}"), used.peak as f64 / MIB, Unit::Mebibytes, None)?;
    let share = used.cpu.as_secs_f64() / used.wall.as_secs_f64() * 100.0;
    table.once(&format!("CPU, {what}"), share, Unit::OfOneCpu, None)
}
