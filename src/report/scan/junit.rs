//! JUnit's XML, for whatever shows test results: a suite per file, a failed case per finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{NoticeKind, ScanReport};
use crate::finding::Finding;
use crate::report::markup;

pub(super) fn render(report: &ScanReport<'_>) -> String {
    let mut suites: BTreeMap<&str, (Vec<&Finding>, Vec<String>)> = BTreeMap::new();
    for finding in report.findings {
        suites.entry(&finding.seen.place.path).or_default().0.push(finding);
    }
    for notice in report.notices.iter().filter(|notice| notice.kind == NoticeKind::NotUnderstood) {
        let what = format!("{}:{}: {}", notice.line, notice.column, notice.what);
        suites.entry(&notice.path).or_default().1.push(what);
    }
    let failures = report.findings.len();
    let errors: usize = suites.values().map(|(_, errors)| errors.len()).sum();
    // A report without a single case is taken for a broken one.
    let tests = (failures + errors).max(1);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        xml,
        "<testsuites name=\"boundby\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    if suites.is_empty() {
        xml.push_str("  <testsuite name=\"boundby\" tests=\"1\" failures=\"0\" errors=\"0\">\n");
        let _ =
            writeln!(xml, "    <testcase name=\"{}\" classname=\"boundby\"/>", escaped(&report.summary()));
        xml.push_str("  </testsuite>\n");
    }
    for (path, (findings, errors)) in suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
            escaped(path),
            findings.len() + errors.len(),
            findings.len(),
            errors.len()
        );
        for finding in findings {
            case(&mut xml, path, finding, &report.message(finding));
        }
        for error in errors {
            let _ = writeln!(
                xml,
                "    <testcase name=\"not understood\" classname=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>",
                escaped(path),
                escaped(&error)
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, path: &str, finding: &Finding, message: &str) {
    let place = &finding.seen.place;
    let _ = writeln!(
        xml,
        "    <testcase name=\"{}:{}:{}\" classname=\"{}\" file=\"{}\" line=\"{}\">",
        finding.seen.rule,
        place.line,
        place.column,
        escaped(path),
        escaped(path),
        place.line
    );
    let _ = writeln!(
        xml,
        "      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
        finding.severity.name(),
        escaped(message),
        escaped(&format!(
            "{}:{}:{}\n{}\nInstead: {}",
            path, place.line, place.column, finding.why, finding.cure
        ))
    );
}

/// In an attribute, where a line must not end.
fn escaped(text: &str) -> String {
    text.split('\n').map(markup::escaped).collect::<Vec<_>>().join("&#10;")
}
