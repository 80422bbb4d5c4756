//! What watching a program costs at each level, beside what other tools take for theirs: programs of every kind, each alone
//! and under each tool. Prints a table for `benches/README.md` when it is done.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use crate::Depth;
use crate::pairs::Estimate;
use crate::run::Target;
use crate::table::{Table, Unit, verdict};
use crate::tools::{BOUNDBY, Cost, OF_PYTHON, OTHERS, Tool, adopt, alone};

/// A program, and how many times as long as alone it may take.
struct Program {
    name: &'static str,
    /// The role, or a Python that computes.
    role: Option<&'static str>,
    /// Units of work to begin with: about a second.
    start: u64,
    /// By the name of a tool.
    bars: &'static [(&'static str, f64)],
}

const PROGRAMS: [Program; 5] = [
    Program { name: "one computing thread", role: Some("cpu"), start: 10_000, bars: &[("boundby", 1.01)] },
    Program {
        name: "reads of one byte that never wait",
        role: Some("reads"),
        start: 5_000_000,
        bars: &[("boundby", 1.03)],
    },
    Program {
        name: "short children one after another",
        role: Some("children"),
        start: 1_000,
        bars: &[("boundby", 1.1)],
    },
    Program {
        name: "a byte to and fro between two threads",
        role: Some("switches"),
        start: 400_000,
        bars: &[("boundby", 1.05), ("boundby --level s", 1.5)],
    },
    Program { name: "CPython, one thread", role: None, start: 100_000, bars: &[("boundby", 1.01)] },
];

/// Another tool that slows a program down more than so many times gets a smaller amount of work.
const SLOW: f64 = 3.0;

impl Program {
    fn target(&self, amount: u64) -> io::Result<Target> {
        match self.role {
            Some(role) => Target::role(&[role, &amount.to_string()]),
            None => Target::python(&format!(
                "def leaf(n): return n * n % 7\ndef branch(n): return sum([leaf(i) for i in range(n)])\n\
                 for _ in range({amount}): branch(60)"
            ))
            .ok_or_else(|| io::Error::other("there is no python3")),
        }
    }

    fn tools(&self) -> impl Iterator<Item = Tool> + use<> {
        let of_python = if self.role.is_none() { OF_PYTHON.as_slice() } else { &[] };
        BOUNDBY.into_iter().chain(OTHERS).chain(of_python.iter().copied())
    }

    fn bar(&self, tool: Tool) -> Option<f64> {
        self.bars.iter().find(|(name, _)| *name == tool.name).map(|(_, bar)| *bar)
    }
}

/// One line for wall time and one for CPU time of each program under each tool; then all of it as Markdown.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    adopt()?;
    let scratch = tempfile::tempdir()?;
    let mut rows = String::new();
    for program in &PROGRAMS {
        match contenders(depth, table, program, scratch.path()) {
            Ok(contenders) => compare(depth, table, program, contenders, scratch.path(), &mut rows)?,
            Err(why) => table.skip(&format!("levels, {}", program.name), &why.to_string())?,
        }
    }
    writeln!(
        io::stdout().lock(),
        "\n| program | under | wall, times alone | between | best/best | bar | | CPU, times alone | between | best/best |\n\
         |---|---|---|---|---|---|---|---|---|---|\n{rows}"
    )
}

/// A tool with the work that it is measured by.
struct Contender {
    tool: Tool,
    target: Target,
    /// Of those whose work is as much, the first runs alone as well.
    amount: u64,
    runs: Vec<Cost>,
}

/// Who takes part, and by how much work: as much as takes long enough under the tool.
fn contenders(
    depth: Depth,
    table: &mut Table,
    program: &Program,
    scratch: &Path,
) -> io::Result<Vec<Contender>> {
    let length = depth.of(1.0, 0.1);
    let first = alone(&program.target(program.start)?)?.wall;
    let whole = ((program.start as f64 * length / first.max(1e-3)) as u64).max(1);
    let trial = (whole / 20).max(1);
    let trial_alone = alone(&program.target(trial)?)?.wall;
    let mut found = Vec::new();
    for tool in program.tools() {
        match program.target(trial).and_then(|target| tool.cost(&target, scratch)) {
            Ok(cost) => {
                let times = cost.wall / trial_alone.max(1e-6);
                let is_slow = times > SLOW && !tool.is_boundby();
                let amount = if is_slow { ((whole as f64 / times) as u64).max(1) } else { whole };
                let target = program.target(amount)?;
                found.push(Contender { tool, target, amount, runs: Vec::new() });
            }
            Err(why) => {
                table.skip(&format!("levels, {}, {}", program.name, tool.name), &why.to_string())?;
            }
        }
    }
    // Whoever is measured by the same work stands together, in the order of the tools.
    found.sort_by_key(|contender: &Contender| std::cmp::Reverse(contender.amount));
    Ok(found)
}

/// Rounds of everybody: A B C … C B A, so that a drift of the machine hits all alike.
fn compare(
    depth: Depth,
    table: &mut Table,
    program: &Program,
    mut contenders: Vec<Contender>,
    scratch: &Path,
    rows: &mut String,
) -> io::Result<()> {
    let mut bare: Vec<Vec<Cost>> = contenders.iter().map(|_| Vec::new()).collect();
    let is_first = |all: &[Contender], at: usize| at == 0 || all[at - 1].amount != all[at].amount;
    for round in 0..depth.of(20, 2) {
        let forth = round % 2 == 0;
        let order: Vec<usize> =
            if forth { (0..contenders.len()).collect() } else { (0..contenders.len()).rev().collect() };
        for at in order {
            let goes_alone = is_first(&contenders, at);
            let contender = &mut contenders[at];
            if goes_alone && forth {
                bare[at].push(alone(&contender.target)?);
            }
            contender.runs.push(contender.tool.cost(&contender.target, scratch)?);
            if goes_alone && !forth {
                bare[at].push(alone(&contender.target)?);
            }
        }
    }
    let mut beside = 0;
    for at in 0..contenders.len() {
        if is_first(&contenders, at) {
            beside = at;
        }
        let contender = &contenders[at];
        let bar = program.bar(contender.tool);
        let figures = CLOCKS.map(|(_, time)| ratio(&contender.runs, &bare[beside], time));
        let _ = write!(rows, "| {} | {} |", program.name, contender.tool.name);
        for ((clock, _), (figure, best)) in CLOCKS.iter().zip(figures) {
            let Some(figure) = figure else { continue };
            let bar = bar.filter(|_| *clock == "wall");
            let what = format!("levels, {}, {}, {clock}", program.name, contender.tool.name);
            table.line(&what, figure, Some(best), (Unit::Ratio, bar))?;
            let show = |value| Unit::Ratio.show(value);
            let _ = write!(
                rows,
                " {} | {} … {} | {} |",
                show(figure.median),
                show(figure.low),
                show(figure.high),
                show(best)
            );
            if *clock == "wall" {
                let said = bar.map_or_else(String::new, show);
                let _ = write!(rows, " {said} | {} |", verdict(figure, bar));
            }
        }
        rows.push('\n');
    }
    Ok(())
}

/// Which time of a run.
type Clock = (&'static str, fn(&Cost) -> f64);

const CLOCKS: [Clock; 2] = [("wall", |cost| cost.wall), ("CPU", |cost| cost.cpu)];

/// How many times as long: the median of the rounds' ratios, and the least disturbed runs of each kind.
fn ratio(under: &[Cost], alone: &[Cost], time: fn(&Cost) -> f64) -> (Option<Estimate>, f64) {
    let best = |runs: &[Cost]| runs.iter().map(time).fold(f64::INFINITY, f64::min);
    let ratios = under.iter().zip(alone).map(|(under, alone)| time(under) / time(alone)).collect();
    (Estimate::of(ratios), best(under) / best(alone))
}
