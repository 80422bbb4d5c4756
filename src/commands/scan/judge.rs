//! From what was seen to what is said: rules weigh, the project's settings lower or raise, comments take back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Finding, Mitigation, Observation};
use crate::report::scan::{Notice, NoticeKind};
use crate::rules::source::SourceRules;
use crate::scan::suppress::Suppressions;

use super::settings::Settings;

/// What is left, and what has to be said besides.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Of every severity, in order of place.
    pub(super) findings: Vec<Finding>,
    /// How many a comment took back.
    pub(super) suppressed: u64,
    pub(super) notices: Vec<Notice>,
}

pub(super) fn judge(
    observations: Vec<Observation>,
    comments: &BTreeMap<Arc<str>, Suppressions>,
    settings: &Settings,
    rules: &SourceRules,
) -> Judged {
    let observations = observations.into_iter().map(|seen| in_tests(seen, settings)).collect();
    let weighed = rules.weigh(observations);
    let mut judged = Judged::default();
    for rule in weighed.without_rule {
        let what =
            format!("no file of rules/source/ says what `{rule}` means: reinstall boundby, or check --rules");
        let kind = NoticeKind::Installation;
        judged.notices.push(Notice { kind, path: String::new(), line: 0, column: 0, what });
    }
    let mut findings = weighed.findings;
    findings.retain(|finding| settings.counts(finding.seen.rule, &finding.seen.place.path));
    for finding in &mut findings {
        if let Some(severity) = settings.severity(finding.seen.rule, &finding.seen.place.path) {
            finding.severity = severity;
        }
    }
    let mut by_path: BTreeMap<Arc<str>, Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        by_path.entry(Arc::clone(&finding.seen.place.path)).or_default().push(finding);
    }
    for path in comments.keys() {
        by_path.entry(Arc::clone(path)).or_default();
    }
    for (path, found) in by_path {
        match comments.get(&path) {
            Some(comments) => take_back(found, comments, settings, rules, &mut judged),
            None => judged.findings.extend(found),
        }
    }
    judged
}

/// Test code is held to less.
fn in_tests(mut seen: Observation, settings: &Settings) -> Observation {
    if settings.is_test(&seen.place.path) && !seen.mitigations.contains(&Mitigation::Test) {
        seen.mitigations.push(Mitigation::Test);
        seen.mitigations.sort();
    }
    seen
}

/// Takes findings of one file back that its comments name, and says which comments are of no use.
fn take_back(
    found: Vec<Finding>,
    comments: &Suppressions,
    settings: &Settings,
    rules: &SourceRules,
    judged: &mut Judged,
) {
    let means = |selector: &str, id: &str| rules.selected(selector).contains(&id);
    let notice = |place: &crate::finding::Place, what: String| Notice {
        kind: NoticeKind::Suppression,
        path: place.path.to_string(),
        line: place.line,
        column: place.column,
        what,
    };
    for malformed in &comments.malformed {
        judged.notices.push(notice(&malformed.place, malformed.what.clone()));
    }
    let mut used: Vec<Vec<bool>> = comments.all.iter().map(|one| vec![false; one.rules.len()]).collect();
    for finding in found {
        let mut taken = false;
        for (suppression, used) in comments.all.iter().zip(&mut used) {
            if settings.require_reason && suppression.reason.is_empty() {
                continue;
            }
            for (selector, used) in suppression.rules.iter().zip(used) {
                if suppression.covers(&finding, |one, id| one == selector && means(one, id)) {
                    *used = true;
                    taken = true;
                }
            }
        }
        if taken { judged.suppressed += 1 } else { judged.findings.push(finding) }
    }
    for (suppression, used) in comments.all.iter().zip(used) {
        if settings.require_reason && suppression.reason.is_empty() {
            let what = format!(
                "`ignore[{}]` has no effect without a reason: write it behind",
                suppression.rules.join(", ")
            );
            judged.notices.push(notice(&suppression.place, what));
            continue;
        }
        for (selector, used) in suppression.rules.iter().zip(used) {
            let ids = rules.selected(selector);
            let what = if ids.is_empty() {
                let near = rules
                    .nearest(selector)
                    .map(|near| format!(": did you mean `{near}`?"))
                    .unwrap_or_default();
                format!("no rule `{selector}` to ignore{near}")
            } else if used || !ids.iter().any(|id| settings.counts(id, &suppression.place.path)) {
                // What was not looked for could not be found.
                continue;
            } else {
                format!("`{selector}` is not found here: remove it from the `ignore`")
            };
            judged.notices.push(notice(&suppression.place, what));
        }
    }
}
