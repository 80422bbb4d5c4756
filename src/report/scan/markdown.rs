//! For the summary of a step, a comment or a wiki: a table by rule, then the findings, worst first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::causes::{Cause, causes};
use super::{ScanReport, harmless, way};
use crate::finding::Severity;

/// A summary may have a megabyte; nobody reads more findings than these in one.
const MOST: usize = 200;

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let mut text = format!("## boundby scan: {}\n", report.summary());
    if !report.findings.is_empty() {
        by_rule(&mut text, report);
    }
    // Writing to a string cannot fail, here and below.
    let causes = causes(report.worst_first());
    for cause in causes.iter().take(MOST) {
        one(&mut text, report, cause);
    }
    let left_out = causes.len().saturating_sub(MOST);
    if left_out > 0 {
        let _ = writeln!(text, "\n{left_out} more are not shown here.");
    }
    if !report.notices.is_empty() {
        text.push_str("\n### Also\n\n");
        for notice in report.notices.iter().take(MOST) {
            let place = if notice.line > 0 {
                format!("{}:{}", notice.path, notice.line)
            } else {
                notice.path.clone()
            };
            let place = if place.is_empty() { place } else { format!("{}: ", code(&place)) };
            let _ = writeln!(text, "- {place}{}", prose(&notice.what));
        }
    }
    let asides = report.asides();
    if !asides.is_empty() {
        let _ = writeln!(text, "\n{}", prose(&asides.join("; ")));
    }
    text
}

fn by_rule(text: &mut String, report: &ScanReport<'_>) {
    let mut counts: BTreeMap<(std::cmp::Reverse<Severity>, &str), u64> = BTreeMap::new();
    for finding in report.findings {
        *counts.entry((std::cmp::Reverse(finding.severity), finding.seen.rule)).or_default() += 1;
    }
    text.push_str("\n| findings | severity | rule | |\n|---:|---|---|---|\n");
    for ((severity, rule), count) in counts {
        let title = prose(report.title(rule)).replace('|', "\\|");
        let _ = writeln!(text, "| {count} | {} | `{rule}` | {title} |", severity.0.name());
    }
}

fn one(text: &mut String, report: &ScanReport<'_>, cause: &Cause<'_>) {
    let finding = cause.finding;
    let seen = &finding.seen;
    let place = format!("{}:{}:{}", seen.place.path, seen.place.line, seen.place.column);
    let _ = writeln!(text, "\n**{}** {} `{}`\n", finding.severity.name(), code(&place), seen.rule);
    let _ = writeln!(text, "{}. {}\n", prose(&report.message(finding)), prose(&finding.why));
    if let Some(source) = (report.text)(&seen.place.path).and_then(|text| line(text, seen.place.bytes.0)) {
        let fence = if source.contains("```") { "~~~~" } else { "```" };
        let language = if seen.place.path.ends_with(".rs") { "rust" } else { "python" };
        let _ = writeln!(text, "{fence}{language}\n{}\n{fence}\n", harmless(source.trim()));
    }
    for chain in seen.chains.iter().filter(|chain| chain.len() > 1) {
        let _ = writeln!(text, "Through {}\n", code(&way(chain)));
    }
    if let Some(elsewhere) = cause.elsewhere(str::to_owned) {
        let _ = writeln!(text, "With it: {}\n", prose(&elsewhere));
    }
    let _ = writeln!(text, "Instead: {}", prose(&finding.cure));
}

/// The line around a byte; long ones by their beginning.
fn line(text: &str, at: u32) -> Option<&str> {
    let before = text.get(..at as usize)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?;
    Some(line.char_indices().nth(200).map_or(line, |(end, _)| &line[..end]))
}

/// In backquotes; a backquote inside would end them.
fn code(text: &str) -> String {
    format!("`{}`", harmless(text).replace('`', "'"))
}

/// Names in the texts stand in backquotes already; the rest must not become markup.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (number, part) in harmless(&text.replace('\n', " ")).split('`').enumerate() {
        if number > 0 {
            out.push('`');
        }
        if number % 2 == 0 {
            out.push_str(&part.replace('<', "&lt;").replace('*', "\\*"));
        } else {
            out.push_str(part);
        }
    }
    out
}
