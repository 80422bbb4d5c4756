//! For programs: schema `boundby/scan/1`. The names below are the contract; more may be added.

use serde_json::{Value, json};

use super::causes::causes;
use super::{Notice, ScanReport};
use crate::finding::{Finding, Hop, Place};
use crate::join::Spent;

const SCHEMA: &str = "boundby/scan/1";

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let totals = report.totals;
    let share = (totals.calls > 0).then(|| totals.calls_resolved as f64 / totals.calls as f64);
    let value = json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "base": totals.base,
        "findings": report.findings.iter().map(|found| with_cost(report, found)).collect::<Vec<_>>(),
        "notices": report.notices.iter().map(notice).collect::<Vec<_>>(),
        "totals": {
            "files": totals.files,
            "lines": totals.lines,
            "files_not_understood": totals.not_understood,
            "async_functions": totals.async_functions,
            "calls": totals.calls,
            "calls_resolved": totals.calls_resolved,
            "calls_resolved_share": share,
            "below_level": totals.below_level,
            "suppressed": totals.suppressed,
            "known": totals.known,
            "fixable": totals.fixable,
            "failing": totals.failing,
            "causes": causes(report.findings).len(),
        },
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// A finding, and where there is a run what it cost in that; `null`: its line was in no stack that was seen.
fn with_cost(report: &ScanReport<'_>, found: &Finding) -> Value {
    let mut value = finding(found);
    if report.run.is_some() {
        value["measured"] = report.spent(found).map_or(Value::Null, cost);
    }
    value
}

/// What a line cost in a run.
pub(super) fn cost(spent: Spent) -> Value {
    json!({
        "wall_s": spent.wall.as_secs_f64(),
        "waited_s": spent.waited.as_secs_f64(),
        "cpu_s": spent.computed.as_secs_f64(),
        "waits": spent.waits,
    })
}

fn finding(finding: &Finding) -> Value {
    let seen = &finding.seen;
    let fix = seen.fix.as_ref().map(|fix| {
        let edits = fix.edits.iter();
        let edits: Vec<_> = edits
            .map(|edit| json!({"start": edit.bytes.0, "end": edit.bytes.1, "text": edit.text}))
            .collect();
        json!({"title": fix.title, "edits": edits})
    });
    json!({
        "rule": seen.rule,
        "severity": finding.severity.name(),
        "confidence": finding.confidence.name(),
        "opportunity": finding.opportunity,
        "message": finding.message,
        "why": finding.why,
        "cure": finding.cure,
        "place": place(&seen.place),
        "symbol": &*seen.symbol,
        "subject": &*seen.subject,
        "wait": seen.wait.map(crate::wait::WaitKind::name),
        "cost": seen.cost.map(crate::finding::Cost::name),
        "mitigations": seen.mitigations.iter().map(|mitigation| mitigation.name()).collect::<Vec<_>>(),
        "cause": seen.cause.as_deref(),
        "reached_from": seen.reached_from,
        "chains": seen.chains.iter().map(|chain| chain.iter().map(hop).collect()).collect::<Vec<Vec<_>>>(),
        "fix": fix,
        "fingerprint": finding.fingerprint,
    })
}

fn hop(hop: &Hop) -> Value {
    json!({"function": &*hop.function, "callee": &*hop.callee, "place": place(&hop.place)})
}

fn place(place: &Place) -> Value {
    json!({
        "path": &*place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    })
}

fn notice(notice: &Notice) -> Value {
    json!({
        "kind": notice.kind.name(),
        "path": notice.path,
        "line": (notice.line > 0).then_some(notice.line),
        "column": (notice.line > 0).then_some(notice.column),
        "what": notice.what,
    })
}
