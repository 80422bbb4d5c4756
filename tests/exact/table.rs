//! The table of a mode: one line for each program and level, printed and kept beside the build.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::measured::Measured;

const HEADINGS: [&str; 10] = [
    "program",
    "level",
    "lives",
    "blocked",
    "says it",
    "in the queue",
    "says it",
    "on a CPU",
    "`wait4` says",
    "",
];

/// Rows of cells.
pub(crate) struct Table(Vec<[String; HEADINGS.len()]>);

impl Table {
    pub(crate) fn new() -> Self {
        Self(vec![HEADINGS.map(str::to_owned)])
    }

    /// A run with what is wrong with it. Times in milliseconds.
    pub(crate) fn push(&mut self, program: &str, level: &str, run: &Measured, wrong: &[String]) {
        let time = |seconds: f64| format!("{:.1}", seconds * 1e3);
        let (_, told) = &run.told;
        let own = |of: fn(&crate::programs::Sums) -> f64| {
            told.as_ref().map_or(String::new(), |sums| time(of(sums)))
        };
        self.0.push([
            program.to_owned(),
            level.to_owned(),
            format!("{} / {}", run.processes, run.threads),
            time(run.blocked),
            own(|sums| sums.blocked),
            time(run.runnable),
            own(|sums| sums.queued),
            time(run.cpu),
            time(run.used),
            if wrong.is_empty() { "" } else { "WRONG" }.to_owned(),
        ]);
    }

    /// Prints it, and keeps it as Markdown under the target directory.
    pub(crate) fn print(&self, mode: &str) {
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let line = |row: &[String; HEADINGS.len()]| {
            let cells: Vec<String> =
                row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column))).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut lines: Vec<String> = self.0.iter().map(line).collect();
        lines.insert(1, line(&std::array::from_fn(|column| "-".repeat(width(column)))));
        let text = lines.concat();
        say(&format!("{mode}\n\n{text}"));
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("exact-{mode}.md"));
        fs::write(kept, text).unwrap();
    }
}

/// Past the capture of the test harness: the figures are what the test is read for.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "exact: {text}");
}
