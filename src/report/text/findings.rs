//! What the scan of the source says, beside what the run says of it.

use super::page::{Page, Paragraph, Role, Text};
use crate::join::Measured;
use crate::report::Report;
use crate::units;

/// Findings shown, unless everything is asked for.
const SHOWN: (usize, usize) = (5, 50);

/// Writes the section; nothing where nothing was scanned.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let findings = report.findings;
    let Some(first) = findings.first() else { return };
    let most = if verbose { SHOWN.1 } else { SHOWN.0 };
    let costs: Vec<String> = findings.iter().take(most).map(cost).collect();
    let width = costs.iter().map(String::len).max().unwrap_or(0);
    let mut rows: Vec<Paragraph> = findings
        .iter()
        .zip(&costs)
        .map(|(measured, cost)| {
            let place = &measured.finding.seen.place;
            let role = if measured.spent.is_some() { Role::Waiting } else { Role::Faint };
            let lead = Text::new(role, &format!("{cost:>width$}  ")).unbroken();
            let body = Text::new(Role::Strong, &format!("{}:{}", place.path, place.line))
                .and(Role::Plain, &format!(" {}: {}", measured.finding.seen.rule, measured.finding.message));
            Paragraph { lead, body }
        })
        .collect();
    let seen = findings.iter().filter(|measured| measured.spent.is_some()).count();
    let mut rest = Vec::new();
    if findings.len() > most {
        rest.push(format!("{} more with -v", findings.len() - most));
    }
    if seen < findings.len() && first.spent.is_some() {
        rest.push(format!(
            "{} on lines that were not seen in this run",
            units::count((findings.len() - seen) as u64, "finding")
        ));
    }
    if !rest.is_empty() {
        rows.push(Text::new(Role::Faint, &rest.join("; ")).into());
    }
    page.section("In source", rows);
    page.blank();
}

fn cost(measured: &Measured) -> String {
    measured.spent.map_or_else(|| "not seen".to_owned(), |spent| units::seconds(spent.wall.as_secs_f64()))
}
