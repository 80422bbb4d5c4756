//! Findings that one change would mend, told as one. People read causes; what keeps account of findings (SARIF, GitLab,
//! a baseline) gets each of them.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::finding::Finding;

/// So many places are named beside the one that is shown.
const NAMED: usize = 4;

/// What one change would mend.
#[derive(Debug, Clone)]
pub(super) struct Cause<'f> {
    /// The first of the worst.
    pub(super) finding: &'f Finding,
    /// All others, in order.
    pub(super) others: Vec<&'f Finding>,
}

/// The causes of findings, in the order in which they are met.
pub(super) fn causes<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Vec<Cause<'f>> {
    let mut causes: Vec<Cause<'f>> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    for finding in findings {
        let key = finding.seen.cause.as_deref().map(|cause| (finding.seen.rule, cause));
        if let Some(at) = key.and_then(|key| known.get(&key)) {
            causes[*at].add(finding);
        } else {
            known.extend(key.map(|key| (key, causes.len())));
            causes.push(Cause { finding, others: Vec::new() });
        }
    }
    causes
}

impl<'f> Cause<'f> {
    fn add(&mut self, finding: &'f Finding) {
        let worse = (finding.severity, finding.confidence) > (self.finding.severity, self.finding.confidence);
        self.others.push(if worse { std::mem::replace(&mut self.finding, finding) } else { finding });
    }

    /// Where else it shows: `b.py:3 `os.walk`, c.py:7 `open` and 3 more`. `None` where it is the one place.
    pub(super) fn elsewhere(&self, from_here: impl Fn(&str) -> String) -> Option<String> {
        let mut text = String::new();
        for other in self.others.iter().take(NAMED) {
            let comma = if text.is_empty() { "" } else { ", " };
            let (place, subject) = (&other.seen.place, &other.seen.subject);
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}`{subject}` at {}:{}", from_here(&place.path), place.line);
        }
        let more = self.others.len().saturating_sub(NAMED);
        if more > 0 {
            let _ = write!(text, " and {more} more (--format concise names each)");
        }
        (!text.is_empty()).then_some(text)
    }
}
