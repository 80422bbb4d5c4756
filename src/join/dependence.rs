//! Whether measured items need each other, by what a scan found in the code that works on them. Pure.

use std::path::Path;

use super::is_same;
use crate::finding::{Finding, Observation, Place};
use crate::profile::{Location, Region};

/// Rules whose findings say that a call needs what the same call returned before.
const CARRIED: &[&str] = &["loop-carried-call"];
/// Rules whose findings say that what runs side by side changes what it shares.
const SHARED: &[&str] = &["unlocked-shared-update", "check-then-act", "global-mutated-in-worker"];

/// Why the items of a region need each other, by what the scan found in the code that works on them.
#[must_use]
pub fn dependence(region: &Region, findings: &[Finding], root: &Path) -> Option<String> {
    let is_in = |place: &Place, at: &Location| {
        at.file.as_deref().is_some_and(|file| is_same(Path::new(file), &root.join(&*place.path)))
    };
    let own = || std::iter::once(&region.at).chain(&region.callers);
    // Each line, and what is called there: the function further in.
    let called = std::iter::once(region.call.as_deref()).chain(own().map(|at| Some(at.function.as_str())));
    let calls: Vec<(&Location, Option<&str>)> = own().zip(called).collect();
    let is_carried = |finding: &&Finding| {
        let Observation { place, subject, .. } = &finding.seen;
        let lines = place.line..=place.end_line.max(place.line);
        CARRIED.contains(&finding.seen.rule)
            && calls.iter().any(|(at, called)| {
                at.line.is_some_and(|line| lines.contains(&line))
                    && is_in(place, at)
                    && called.is_none_or(|called| last_part(called) == last_part(subject))
            })
    };
    let is_shared = |finding: &&Finding| {
        let Observation { rule, place, symbol, .. } = &finding.seen;
        let of = |at: &Location| is_in(place, at) && last_part(&at.function) == last_part(symbol);
        SHARED.contains(rule) && own().take(2).any(of)
    };
    let found = findings.iter().find(is_carried).or_else(|| findings.iter().find(is_shared))?;
    let Place { path, line, .. } = &found.seen.place;
    Some(format!("{} ({path}:{line})", found.message))
}

/// `get` of `requests.api.get`.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::tests::finding;

    fn region(call: Option<&str>) -> Region {
        let at = |function: &str, line| Location {
            function: function.to_owned(),
            file: Some("/srv/app/web.py".to_owned()),
            line: Some(line),
        };
        Region {
            at: at("Client.fetch", 12),
            call: call.map(str::to_owned),
            callers: vec![at("load", 30), at("<module>", 40)],
            ..Region::default()
        }
    }

    fn of(rule: &'static str, line: u32, symbol: &str, subject: &str) -> Finding {
        let mut finding = finding("web.py", line);
        finding.seen.rule = rule;
        finding.seen.symbol = symbol.into();
        finding.seen.subject = subject.into();
        finding.message = format!("each `{subject}` needs `cursor`");
        finding
    }

    #[test]
    fn items_depend_on_each_other_where_the_call_that_leads_to_them_does() {
        let root = Path::new("/srv/app");
        let found = |call, finding| dependence(&region(call), &[finding], root);
        let carried = |line, subject| of("loop-carried-call", line, "web.load", subject);
        let said = Some("each `client.fetch` needs `cursor` (web.py:30)".to_owned());
        assert_eq!(found(None, carried(30, "client.fetch")), said);
        assert!(found(Some("requests.api.get"), carried(12, "requests.get")).is_some());
        // Another call on the same line, another line, what is put together on the way.
        assert_eq!(found(Some("requests.api.get"), carried(12, "json.loads")), None);
        assert_eq!(found(None, carried(31, "client.fetch")), None);
        assert_eq!(found(None, carried(30, "merge")), None);
        assert_eq!(found(None, of("await-in-loop", 30, "web.load", "client.fetch")), None);
    }

    #[test]
    fn items_depend_on_each_other_where_they_change_what_they_share() {
        let root = Path::new("/srv/app");
        let found = |rule, symbol| dependence(&region(None), &[of(rule, 99, symbol, "total")], root);
        assert!(found("unlocked-shared-update", "web.Client.fetch").is_some());
        assert!(found("check-then-act", "web.load").is_some());
        assert_eq!(found("unlocked-shared-update", "web.other"), None);
    }
}
