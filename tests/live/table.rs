//! The table a mode prints: one line per workload, on the terminal and kept beside the reports.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::check::Books;
use crate::run::Outcome;
use crate::truth::{Mode, Workload};
use crate::variants::Measured;

const HEADINGS: [&str; COLUMNS] = [
    "workload",
    "verdict",
    "share",
    "advice",
    "predicted",
    "measured",
    "best",
    "reached",
    "books",
    "cpu",
    "result",
];
const COLUMNS: usize = 11;
/// Columns of what was carried out.
const MEASURED: usize = 5;
const BEST: usize = 6;
const REACHED: usize = 7;
const SKIPPED: &str = "skipped: ";

/// One workload in one mode.
pub(crate) struct Row([String; COLUMNS]);

impl Row {
    pub(crate) fn judged(workload: &Workload, outcome: &Outcome, right: bool) -> Self {
        let report = &outcome.report;
        let (advice, predicted) = match report.recommendations.first() {
            None => ("none".to_owned(), String::new()),
            Some(advice) => {
                let workers = advice.workers.map_or(String::new(), |workers| format!(" x{workers}"));
                let speedup = advice.predicted.and_then(|predicted| {
                    let speedup = predicted.speedup?;
                    let band = predicted.low.zip(predicted.high);
                    Some(format!(
                        "{speedup:.1}{}",
                        band.map_or(String::new(), |(low, high)| format!(" ({low:.1}-{high:.1})"))
                    ))
                });
                (format!("{}{workers} {}", advice.strategy, advice.action), speedup.unwrap_or_default())
            }
        };
        let bound_by = &report.verdict.bound_by;
        let books = Books::of(report);
        Self([
            workload.name.clone(),
            format!("{bound_by} ({})", report.verdict.confidence.name()),
            report.verdict.share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share)),
            advice,
            predicted,
            String::new(),
            String::new(),
            String::new(),
            format!("{:+.2} %", books.wall_error * 100.0),
            format!("{:+.1} ms", books.cpu_error_s * 1000.0),
            if right { "ok" } else { "WRONG" }.to_owned(),
        ])
    }

    /// Fills in the speedup that the advised variant reached, and that of the best number of workers.
    pub(crate) fn with_measured(mut self, measured: &Measured) -> Self {
        self.0[MEASURED] = format!("{:.1}", measured.speedup);
        if let Some((workers, best)) = measured.best {
            self.0[BEST] = format!("{best:.1} x{workers}");
            self.0[REACHED] = format!("{:.0} %", 100.0 * measured.speedup / best);
        }
        self
    }

    /// Marks a run in which other programs held the CPUs.
    pub(crate) fn disturbed(mut self) -> Self {
        self.0[COLUMNS - 1].push_str(", disturbed");
        self
    }

    pub(crate) fn skipped(workload: &Workload, reason: &str) -> Self {
        Self::of(workload, &format!("{SKIPPED}{reason}"))
    }

    pub(crate) fn broken(workload: &Workload) -> Self {
        Self::of(workload, "BROKEN")
    }

    fn of(workload: &Workload, result: &str) -> Self {
        let mut cells: [String; COLUMNS] = Default::default();
        cells[0].clone_from(&workload.name);
        result.clone_into(&mut cells[COLUMNS - 1]);
        Self(cells)
    }
}

pub(crate) struct Table {
    mode: Mode,
    circumstances: String,
    rows: Vec<Row>,
}

impl Table {
    /// `circumstances`: who ran it, and with what; printed above the table.
    pub(crate) fn new(mode: Mode, circumstances: String) -> Self {
        Self { mode, circumstances, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Workloads that were not skipped.
    pub(crate) fn ran(&self) -> usize {
        self.rows.iter().filter(|row| !row.0[COLUMNS - 1].starts_with(SKIPPED)).count()
    }

    /// Prints the table, and keeps it as Markdown under the target directory.
    pub(crate) fn print(&self) {
        let rows: Vec<&[String]> = self.rows.iter().map(|row| row.0.as_slice()).collect();
        print(self.mode, &self.circumstances, &HEADINGS, &rows);
    }
}

/// Prints a table of a mode, and keeps it as Markdown under the target directory. A column that is empty in every row is
/// left out: the mode does not measure it.
pub(crate) fn print(mode: Mode, circumstances: &str, headings: &[&str], rows: &[&[String]]) {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let told: Vec<(usize, usize)> = (0..headings.len())
        .filter(|column| rows.iter().any(|row| !row[*column].is_empty()))
        .map(|column| {
            let cells = rows.iter().copied().chain([headings.as_slice()]);
            (column, cells.map(|row| row[column].chars().count()).max().unwrap_or(0))
        })
        .collect();
    let line = |row: &[String]| {
        let cells: Vec<String> =
            told.iter().map(|(column, width)| format!("{:<width$}", row[*column])).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = told.iter().map(|(_, width)| "-".repeat(*width)).collect();
    let text: String = [line(&headings), format!("| {} |\n", rule.join(" | "))]
        .into_iter()
        .chain(rows.iter().map(|row| line(row)))
        .collect();
    say(&format!("live, {}: {circumstances}\n\n{text}", mode.name()));
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(format!("{}.md", mode.name()));
    if let Err(error) = fs::write(&kept, text) {
        say(&format!("{}: {error}", kept.display()));
    }
}

/// Writes past the capture of the test harness: the table is for the reader of a successful run as well.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "\n{text}");
}
