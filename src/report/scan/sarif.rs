//! SARIF 2.1.0 as GitHub's code scanning reads it: call chains as code flows, other witnesses as related locations,
//! within the limits of what it takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::json::cost;
use super::{Notice, NoticeKind, ScanReport, way};
use crate::finding::{Confidence, Finding, Hop, Place, Severity};
use crate::rules::source::SourceRule;

/// More results make GitHub refuse the file; the least bad ones are left out.
const MOST_RESULTS: usize = 25_000;
/// More locations of a result are refused; it shows a tenth of them.
const MOST_LOCATIONS: usize = 1000;
/// Bytes of file names that stand for themselves in a URI.
const PLAIN: &[u8] = b"/-._~";

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let mut findings = report.worst_first();
    let left_out = findings.len().saturating_sub(MOST_RESULTS);
    findings.truncate(MOST_RESULTS);
    let mut used: Vec<&str> = findings.iter().map(|finding| finding.seen.rule).collect();
    used.sort_unstable();
    used.dedup();
    let index: BTreeMap<&str, usize> = used.iter().enumerate().map(|(index, rule)| (*rule, index)).collect();
    let rules: Vec<_> = used.iter().map(|id| rule(id, report.rules.get(id))).collect();
    let mut notices: Vec<_> = report.notices.iter().map(notice).collect();
    if left_out > 0 {
        notices.push(json!({
            "level": "warning",
            "message": {"text": format!("{left_out} findings left out: no more than {MOST_RESULTS} can be shown")},
        }));
    }
    let value = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "boundby",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notices}],
            "results": findings.iter().map(|finding| result(report, finding, index[finding.seen.rule])).collect::<Vec<_>>(),
        }],
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(id: &str, rule: Option<&SourceRule>) -> Value {
    let Some(rule) = rule else { return json!({"id": id}) };
    let why: Vec<_> = rule.why.texts().collect();
    let cure: Vec<_> = rule.cure.texts().collect();
    json!({
        "id": id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": why.join(" ")},
        "help": {
            "text": format!("{}\nInstead: {}\nIt cannot see: {}", why.join(" "), cure.join("; or: "), rule.limit),
        },
        "defaultConfiguration": {"level": level(rule.severity.otherwise)},
        "properties": {
            "tags": ["concurrency", format!("group-{}", rule.group), rule.kind.name()],
            "precision": precision(rule.confidence),
            "problem.severity": problem(rule.severity.otherwise),
        },
    })
}

fn result(report: &ScanReport<'_>, finding: &Finding, index: usize) -> Value {
    let seen = &finding.seen;
    let mut text = format!("{}. {}", report.message(finding), finding.cure);
    for chain in seen.chains.iter().skip(1) {
        text.push_str("\nAlso: ");
        text.push_str(&way(chain));
    }
    let mut result = json!({
        "ruleId": seen.rule,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [location(&seen.place, Some(&seen.symbol))],
        // GitHub adds a fingerprint of its own and warns where its name is taken.
        "partialFingerprints": {"boundby/v1": finding.fingerprint},
        "properties": {"confidence": finding.confidence.name(), "opportunity": finding.opportunity},
    });
    let flows: Vec<_> =
        seen.chains.iter().filter(|chain| !chain.is_empty()).map(|chain| flow(chain)).collect();
    if !flows.is_empty() {
        let heads = seen.chains.iter().filter_map(|chain| chain.first());
        let related: Vec<_> = heads
            .take(MOST_LOCATIONS)
            .enumerate()
            .map(|(id, hop)| {
                let mut place = location(&hop.place, None);
                place["id"] = json!(id + 1);
                place["message"] = json!({"text": format!("`{}` calls `{}`", hop.function, hop.callee)});
                place
            })
            .collect();
        result["codeFlows"] = json!(flows);
        result["relatedLocations"] = json!(related);
    }
    if let Some(run) = report.run {
        let spent = run.spent(&seen.place);
        let wall = spent.map_or(0.0, |spent| spent.wall.as_secs_f64());
        // Of the results that a reader sorts by it, those first that took most of the run.
        result["rank"] =
            json!((100.0 * wall / run.wall.as_secs_f64().max(f64::MIN_POSITIVE)).clamp(0.0, 100.0));
        result["properties"]["measured"] = spent.map_or(Value::Null, cost);
    }
    if let Some(fix) = &seen.fix {
        let replacements: Vec<_> = fix
            .edits
            .iter()
            .map(|edit| {
                json!({
                    "deletedRegion": {"byteOffset": edit.bytes.0, "byteLength": edit.bytes.1 - edit.bytes.0},
                    "insertedContent": {"text": edit.text},
                })
            })
            .collect();
        let change = json!({"artifactLocation": artifact(&seen.place.path), "replacements": replacements});
        result["fixes"] = json!([{"description": {"text": fix.title}, "artifactChanges": [change]}]);
    }
    result
}

fn flow(chain: &[Hop]) -> Value {
    let locations: Vec<_> = chain
        .iter()
        .take(MOST_LOCATIONS)
        .map(|hop| {
            let mut place = location(&hop.place, Some(&hop.function));
            place["message"] = json!({"text": format!("`{}` calls `{}`", hop.function, hop.callee)});
            json!({"location": place})
        })
        .collect();
    json!({"threadFlows": [{"locations": locations}]})
}

fn location(place: &Place, symbol: Option<&str>) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": artifact(&place.path),
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        },
    });
    if let Some(symbol) = symbol {
        location["logicalLocations"] = json!([{"fullyQualifiedName": symbol}]);
    }
    location
}

fn artifact(path: &str) -> Value {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    json!({"uri": uri, "uriBaseId": "%SRCROOT%"})
}

fn notice(notice: &Notice) -> Value {
    let level = if notice.kind == NoticeKind::NotUnderstood { "warning" } else { "note" };
    let mut value = json!({
        "level": level,
        "descriptor": {"id": notice.kind.name()},
        "message": {"text": notice.what},
    });
    if !notice.path.is_empty() {
        let mut location = json!({"physicalLocation": {"artifactLocation": artifact(&notice.path)}});
        if notice.line > 0 {
            let region = json!({"startLine": notice.line, "startColumn": notice.column});
            location["physicalLocation"]["region"] = region;
        }
        value["locations"] = json!([location]);
    }
    value
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

fn precision(confidence: Confidence) -> &'static str {
    confidence.name()
}

/// GitHub's word for the lowest is another one.
fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "recommendation",
        other => other.name(),
    }
}
