//! How much longer the measured program takes, by its own clocks.

use std::io;
use std::time::Duration;

use crate::Depth;
use crate::pairs::{Estimate, bare_first};
use crate::run::{Ran, Target, bare, profiled};
use crate::table::{Table, Unit};

/// Percent that work on all CPUs may take longer.
const COMPUTING: f64 = 1.0;
/// Percent at the fastest switching the machine gives.
const SWITCHING: f64 = 3.0;

/// One line for wall time and one for CPU time of each program.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    let role = |words: &'static [&'static str]| {
        move |amount: u64| Target::role(&[words, &[amount.to_string().as_str()]].concat())
    };
    compare(depth, table, "one computing thread", Some(COMPUTING), 10_000, role(&["cpu"]))?;
    compare(
        depth,
        table,
        "64 threads that compute and wait",
        Some(COMPUTING),
        200,
        role(&["threads", "64"]),
    )?;
    compare(
        depth,
        table,
        "a byte to and fro between two threads",
        Some(SWITCHING),
        400_000,
        role(&["switches"]),
    )?;
    compare(depth, table, "short children one after another", None, 1_000, role(&["children"]))?;

    let loops = |amount: u64| format!("for _ in range({amount}): pass");
    let fight = |amount: u64| {
        format!(
            "def work():\n    for _ in range({amount} // 4): pass\n\
             threads = [threading.Thread(target=work) for _ in range(4)]\n\
             for thread in threads: thread.start()\nfor thread in threads: thread.join()"
        )
    };
    if Target::python("pass").is_none() {
        return table.skip("slowdown, CPython", "there is no python3");
    }
    let python = |code: String| Target::python(&code).ok_or_else(|| io::Error::other("python3 is gone"));
    let start = 30_000_000;
    compare(depth, table, "CPython, one thread", Some(COMPUTING), start, |amount| python(loops(amount)))?;
    compare(depth, table, "CPython, four threads under the GIL", Some(COMPUTING), start, |amount| {
        python(fight(amount))
    })
}

fn compare(
    depth: Depth,
    table: &mut Table,
    what: &str,
    bar: Option<f64>,
    start: u64,
    target: impl Fn(u64) -> io::Result<Target>,
) -> io::Result<()> {
    // As much work as takes this many seconds; the first run tells how much that is. Many short pairs tell more than few
    // long ones beside neighbours that come and go, but the first half second is looked at most closely.
    let length = depth.of(1.0, 0.3);
    let first = bare(&target(start)?)?.wall.as_secs_f64();
    let amount = ((start as f64 * length / first.max(1e-3)) as u64).max(1);
    let target = target(amount)?;
    let mut pairs: Vec<(Ran, Ran)> = Vec::new();
    for pair in 0..depth.of(40, 3) {
        pairs.push(if bare_first(pair) {
            let bare = bare(&target)?;
            (bare, profiled(&target, &["--no-probe"])?)
        } else {
            let profiled = profiled(&target, &["--no-probe"])?;
            (bare(&target)?, profiled)
        });
    }
    for (clock, time) in [("wall", (|ran| ran.wall) as fn(&Ran) -> Duration), ("CPU", |ran| ran.cpu)] {
        let seconds = |ran: &Ran| time(ran).as_secs_f64();
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        let best = |times: &mut dyn Iterator<Item = f64>| times.fold(f64::INFINITY, f64::min);
        let bests = [
            best(&mut pairs.iter().map(|(bare, _)| seconds(bare))),
            best(&mut pairs.iter().map(|(_, under)| seconds(under))),
        ];
        let ratios = pairs.iter().map(|(bare, under)| seconds(under) / seconds(bare));
        if let Some(ratio) = Estimate::of(ratios.collect()) {
            let what = format!("slowdown, {what}, {clock}");
            table.line(
                &what,
                ratio.map(percent),
                Some(percent(bests[1] / bests[0])),
                (Unit::Percent, bar),
            )?;
        }
    }
    Ok(())
}
