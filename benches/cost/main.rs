//! What measuring and scanning cost: the measured program, the user who waits, and the machine. One table, each figure
//! beside its bar. Knows the command line of boundby and nothing of its inside; `benches/README.md` says what each line
//! means.
//!
//! ```text
//! cargo bench --bench cost                 everything but endurance, about half an hour
//! cargo bench --bench cost -- slowdown     one group: slowdown, stacks, levels, waiting, recorder, scan, endurance
//! cargo bench --bench cost -- scan --tree=DIR
//! cargo bench --bench cost -- endurance --seconds=600 --levels=default,s,k
//! cargo bench --bench cost -- --quick      whether the benches work; the figures mean little
//! ```

mod endurance;
mod latency;
mod levels;
mod pairs;
mod recorder;
mod roles;
mod run;
mod scan;
mod slowdown;
mod stacks;
mod table;
mod tools;

use std::io;
use std::process::ExitCode;

use table::Table;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Enough for figures.
    Full,
    /// Enough to see that the benches work.
    Quick,
}

impl Depth {
    /// The larger amount for a full run, the smaller one for a quick one.
    pub(crate) fn of<T>(self, full: T, quick: T) -> T {
        if self == Self::Full { full } else { quick }
    }
}

type Group = fn(Depth, &mut Table) -> io::Result<()>;

const GROUPS: [(&str, Group); 7] = [
    ("slowdown", slowdown::measure),
    ("stacks", stacks::measure),
    ("levels", levels::measure),
    ("waiting", latency::measure),
    ("recorder", recorder::measure),
    ("scan", scan::measure),
    (ENDURANCE, endurance::measure),
];
/// Takes half an hour, and is measured only if it is named.
const ENDURANCE: &str = "endurance";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, role)) if first == roles::FLAG => roles::play(role),
        _ => bench(&arguments),
    };
    done.unwrap_or_else(|error| {
        anstream::eprintln!("bench: {error}");
        ExitCode::FAILURE
    })
}

fn bench(arguments: &[String]) -> io::Result<ExitCode> {
    let depth =
        if arguments.iter().any(|argument| argument == "--quick") { Depth::Quick } else { Depth::Full };
    // Cargo adds --bench.
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = wanted.iter().find(|name| GROUPS.iter().all(|(known, _)| known != *name)) {
        let names = GROUPS.map(|(name, _)| name).join(", ");
        return Err(io::Error::other(format!("no group {unknown}; choose from {names}")));
    }
    let mut table = Table::begin(depth)?;
    for (name, measure) in GROUPS {
        if wanted.is_empty() && name != ENDURANCE || wanted.iter().any(|wanted| *wanted == name) {
            measure(depth, &mut table)?;
        }
    }
    table.end()
}
