//! What the scan of the source says, beside what the run says of it.

use std::cmp::Reverse;
use std::time::Duration;

use super::lines;
use super::page::{Page, Paragraph, Role, Text};
use crate::join::{InSource, Joined};
use crate::profile::{Profile, Site};
use crate::report::Report;
use crate::units;

/// Lines shown, unless everything is asked for.
const SHOWN: (usize, usize) = (5, 50);

/// A line of the section: what it cost, if it was seen, and what is to be said of it.
type Row = (Option<Duration>, Text);

/// Writes the section; nothing where nothing was scanned, or there is nothing to say.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let Some(source) = report.source else { return };
    let mut all: Vec<Row> = findings(source).chain(unexplained(source, report.profile)).collect();
    all.sort_by_key(|(spent, _)| Reverse(*spent));
    let unseen = all.iter().filter(|(spent, _)| spent.is_none()).count();
    let is_seen = unseen < all.len();
    let left_out = all.len().saturating_sub(if verbose { SHOWN.1 } else { SHOWN.0 });
    all.truncate(all.len() - left_out);
    let costs: Vec<String> = all.iter().map(|(spent, _)| cost(*spent)).collect();
    let width = costs.iter().map(String::len).max().unwrap_or(0);
    let mut rows: Vec<Paragraph> = all
        .into_iter()
        .zip(costs)
        .map(|((spent, body), cost)| {
            let role = if spent.is_some() { Role::Waiting } else { Role::Faint };
            Paragraph { lead: Text::new(role, &format!("{cost:>width$}  ")).unbroken(), body }
        })
        .collect();
    let mut rest = Vec::new();
    if left_out > 0 {
        rest.push(format!("{left_out} more with -v"));
    }
    if unseen > 0 && is_seen {
        let findings = units::count(unseen as u64, "finding");
        rest.push(format!("{findings} on lines that were not seen in this run"));
    }
    if !rest.is_empty() {
        rows.push(Text::new(Role::Faint, &rest.join("; ")).into());
    }
    if !rows.is_empty() {
        page.section("In source", rows);
        page.blank();
    }
}

fn findings(source: &Joined) -> impl Iterator<Item = Row> {
    source.findings.iter().map(|measured| {
        let finding = &measured.finding;
        let place = &finding.seen.place;
        let said = format!(" {}: {}", finding.seen.rule, finding.message);
        let body = Text::new(Role::Strong, &format!("{}:{}", place.path, place.line)).and(Role::Plain, &said);
        (measured.spent.map(|spent| spent.wall), body)
    })
}

/// Lines that took a good part of the time, and that no finding is about.
fn unexplained<'r>(source: &'r Joined, profile: &'r Profile) -> impl Iterator<Item = Row> + 'r {
    let least = profile.wall.mul_f64(lines::LEAST);
    let of_interest = move |(site, known): &(&Site, &InSource)| {
        known.scanned && !known.found && !site.in_event_loop && site.critical >= least
    };
    profile.sites.iter().zip(&source.sites).filter(of_interest).filter_map(|(site, known)| {
        let call = known.call.as_ref().map(|api| format!("; calls {}", lines::explained(api, site.account)));
        let body = Text::new(Role::Strong, &lines::place(site.at.as_ref()?, profile));
        let said = format!(" no finding ({}){}", site.account.name(), call.unwrap_or_default());
        Some((Some(site.critical), body.and(Role::Plain, &said)))
    })
}

fn cost(spent: Option<Duration>) -> String {
    spent.map_or_else(|| "not seen".to_owned(), |spent| units::seconds(spent.as_secs_f64()))
}
