//! Workflow commands of GitHub: an annotation per cause, worst first, within what a step may show; the rest is
//! counted, and stands in the summary (`--format markdown=$GITHUB_STEP_SUMMARY`).

use std::fmt::Write as _;

use super::causes::causes;
use super::{NoticeKind, ScanReport, harmless};
use crate::finding::Severity;

/// So many of each kind are shown per step; further ones would be dropped without a word.
const SHOWN: usize = 10;

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    let all = causes(report.worst_first());
    for severity in Severity::ALL.iter().rev() {
        let of_it = all.iter().filter(|cause| cause.finding.severity == *severity);
        let of_it: Vec<_> = of_it.collect();
        left_out += of_it.len().saturating_sub(SHOWN);
        for cause in of_it.into_iter().take(SHOWN) {
            let finding = cause.finding;
            let place = &finding.seen.place;
            let command = if *severity == Severity::Note { "notice" } else { severity.name() };
            let mut properties = format!("file={},line={}", property(&place.path), place.line);
            // Columns are taken only where they are of one line.
            if place.end_line == place.line {
                let _ = write!(properties, ",col={},endColumn={}", place.column, place.end_column);
            } else {
                let _ = write!(properties, ",endLine={}", place.end_line);
            }
            let elsewhere = cause.elsewhere(str::to_owned).map(|places| format!("\nwith it: {places}"));
            let message =
                format!("{}\n{}{}", report.message(finding), finding.cure, elsewhere.unwrap_or_default());
            let message = data(&message);
            let _ =
                writeln!(text, "::{command} {properties},title={}::{message}", property(finding.seen.rule));
        }
    }
    let not_understood = report.notices.iter().filter(|notice| notice.kind == NoticeKind::NotUnderstood);
    for notice in not_understood.take(SHOWN) {
        let line = notice.line.max(1);
        let _ = writeln!(
            text,
            "::warning file={},line={line},title=not understood::{}",
            property(&notice.path),
            data(&notice.what)
        );
    }
    let _ = writeln!(text, "{}", data(&report.summary()));
    if left_out > 0 {
        let _ = writeln!(
            text,
            "{left_out} more are not annotated: add --format markdown=$GITHUB_STEP_SUMMARY to see all of them"
        );
    }
    text
}

fn data(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| harmless(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
