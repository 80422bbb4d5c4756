//! A line per finding, in the form editors and people can click.

use std::fmt::Write as _;

use super::{ScanReport, harmless};

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let mut text = String::new();
    for finding in report.findings {
        let place = &finding.seen.place;
        let path = (report.from_here)(&place.path);
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            text,
            "{}:{}:{}: {}[{}] {}",
            harmless(&path),
            place.line,
            place.column,
            finding.severity.name(),
            finding.seen.rule,
            harmless(&report.message(finding))
        );
    }
    text.push_str(&notices(report));
    if !report.quiet {
        let _ = writeln!(text, "{}", report.summary());
    }
    text
}

/// A line per notice.
pub(super) fn notices(report: &ScanReport<'_>) -> String {
    let mut text = String::new();
    for notice in report.notices {
        let mut place = (report.from_here)(&notice.path);
        if notice.line > 0 {
            let _ = write!(place, ":{}:{}", notice.line, notice.column);
        }
        let colon = if place.is_empty() { "" } else { ": " };
        let _ =
            writeln!(text, "{}{colon}{} [{}]", harmless(&place), harmless(&notice.what), notice.kind.name());
    }
    text
}
