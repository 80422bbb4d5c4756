//! The code quality report of GitLab.

use serde_json::{Value, json};

use super::ScanReport;
use crate::finding::{Finding, Severity};

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let rows: Vec<_> = report.findings.iter().map(|finding| row(report, finding)).collect();
    let mut text = serde_json::to_string_pretty(&Value::Array(rows)).unwrap_or_default();
    text.push('\n');
    text
}

fn row(report: &ScanReport<'_>, finding: &Finding) -> Value {
    let place = &finding.seen.place;
    let severity = match (finding.opportunity, finding.severity) {
        (true, _) | (_, Severity::Note) => "info",
        (_, Severity::Warning) => "minor",
        (_, Severity::Error) => "major",
    };
    json!({
        "description": format!("{}. {}", report.message(finding), finding.cure),
        "check_name": finding.seen.rule,
        // Holds no line: the same finding further down is the same.
        "fingerprint": finding.fingerprint,
        "severity": severity,
        "location": {"path": &*place.path, "lines": {"begin": place.line, "end": place.end_line}},
    })
}
