//! Why, in at most a few lines: the work that was observed and the rule's reason, and where to read more.

use std::collections::BTreeSet;
use std::time::Duration;

use super::page::{Paragraph, Role, Text};
use super::{evidence, lines};
use crate::advice::{Action, Recommendation};
use crate::profile::{BlockingPoint, Counted, Items, Profile};
use crate::report::Report;
use crate::units;
use crate::wait::WaitKind;

/// Columns of the longest name in a sentence.
const NAME: usize = 40;
/// Parts of an item below this share of it are not worth their words.
const PART: f64 = 0.01;

/// The paragraphs of the section; none where there is nothing to say.
pub(super) fn because(best: &Recommendation, report: &Report<'_>, verbose: bool) -> Vec<Paragraph> {
    let (what, why) = best.told();
    let observed = observed(best, report).unwrap_or_default();
    // A plan follows from the work; where a rule says in words what to do, its own reason comes first.
    let order = if what.is_some() { [why, &observed] } else { [&observed, why] };
    let said: Vec<&str> = order.into_iter().filter(|text| !text.is_empty()).collect();
    let mut paragraphs: Vec<Paragraph> = vec![Text::plain(&said.join("; ")).into()];
    if verbose {
        paragraphs.extend(evidence::paragraphs(best, report));
    }
    if !best.rule.is_empty() {
        let more = if verbose { "" } else { ", or -v" };
        let more = format!("more: boundby rules explain {}{more}", best.rule);
        paragraphs.push(Text::new(Role::Faint, &more).into());
    }
    paragraphs
}

/// The work the advice is about: the items, else the wait that binds. Where nothing is to be done about it, it is
/// no reason.
fn observed(best: &Recommendation, report: &Report<'_>) -> Option<String> {
    let Report { profile, advice, .. } = *report;
    if matches!(best.action, Action::Keep | Action::Inconclusive | Action::RaiseQuota) {
        return None;
    }
    if let Some(items) = profile.items.as_ref().filter(|items| items.count > 1) {
        return Some(repeated(items, profile));
    }
    let bound_by = advice.verdict.bound_by.as_str();
    if bound_by == "gil" {
        return None; // That threads queued for it is the verdict.
    }
    let binds = |site: &&BlockingPoint| bound_by == "mixed" || site.kind.name() == bound_by;
    let site = profile.blocking_points.iter().find(binds).filter(|site| site.kind != WaitKind::Idle)?;
    Some(waits(site))
}

/// The costliest blocking point in words: `200 waits of 56.1 ms for db.local:5432`.
fn waits(site: &BlockingPoint) -> String {
    let sleeps = site.kind == WaitKind::Sleep;
    let waits = lines::waits(site.episodes, site.counted, sleeps, site.wait);
    let object = match (&site.resource, site.kind) {
        (_, WaitKind::Sleep) => String::new(),
        (_, WaitKind::Lock | WaitKind::Gil) | (None, _) => format!(" for {}", object_of(site.kind)),
        (Some(resource), _) => format!(" for {}", short(resource)),
    };
    let threads = if site.threads > 1 { format!(" in {} threads", site.threads) } else { String::new() };
    format!("{waits}{object}{threads}")
}

/// The work items in words: how many, how they run today, what each of them does.
fn repeated(items: &Items, profile: &Profile) -> String {
    let what = match items {
        Items { are_processes: true, .. } => "child process",
        Items { free: Some(_), .. } => "request",
        _ => "item",
    };
    let how =
        if items.lanes > 1 { format!("{} at a time", items.lanes) } else { "one after another".to_owned() };
    let cpu = items.cpu_gil + items.cpu_native;
    let whole = (items.wait.values().sum::<Duration>() + cpu).as_secs_f64();
    let notable = |time: Duration| time.as_secs_f64() > PART * whole;
    let time = |time: Duration| units::seconds(time.as_secs_f64());
    let mut waits: Vec<(WaitKind, Duration)> =
        items.wait.iter().map(|(kind, wait)| (*kind, *wait)).filter(|(_, wait)| notable(*wait)).collect();
    waits.sort_by_key(|(_, wait)| std::cmp::Reverse(*wait));
    let mut does = Vec::new();
    let waited: Vec<String> = waits
        .iter()
        .filter(|(kind, _)| *kind != WaitKind::Sleep)
        .map(|(kind, wait)| format!("{} for {}", time(*wait), only_resource(profile, *kind)))
        .collect();
    if !waited.is_empty() {
        does.push(format!("waits {}", listed(&waited)));
    }
    does.extend(
        waits.iter().find(|(kind, _)| *kind == WaitKind::Sleep).map(|(_, t)| format!("sleeps {}", time(*t))),
    );
    if notable(cpu) || does.is_empty() {
        let lock = under_lock(items, profile.cpu_split.share().is_some());
        does.push(format!("computes {}{lock}{}", time(cpu), computed_in(items, profile)));
    }
    let what = units::count(items.count, what);
    format!("{what}{}{}, {how}: each {}", rate(items), place(items, profile), listed(&does))
}

/// How often requests came, and what says so: ` (40 a second, counted on 20 connections)`.
fn rate(items: &Items) -> String {
    let Some(requests) = items.requests else { return String::new() };
    let how = match requests.counted {
        Counted::Waits => "told by the waits for them".to_owned(),
        Counted::Segments(connections) => format!("counted on {}", units::count(connections, "connection")),
        Counted::Connections => "one over each connection".to_owned(),
    };
    format!(" ({} a second, {how})", units::plain(requests.rate))
}

/// Where the items are: ` at etl.py:42 in fetch_row, called from load at etl.py:88`.
fn place(items: &Items, profile: &Profile) -> String {
    let Some(region) = &items.region else { return String::new() };
    let named = |at| lines::named(at, profile);
    let caller = region.callers.first().map(|caller| format!(", called from {}", named(caller)));
    format!(" at {}{}", named(&region.at), caller.unwrap_or_default())
}

/// The function of its own that computes an item: ` in parse at etl.py:60`.
fn computed_in(items: &Items, profile: &Profile) -> String {
    let region = items.region.as_ref().filter(|region| region.computes_in.is_some());
    let at = region.and_then(|region| region.computes_at.as_ref());
    at.map(|at| format!(" at {}", lines::named(at, profile))).unwrap_or_default()
}

/// How much of an item's CPU time holds the interpreter lock.
fn under_lock(items: &Items, locked: bool) -> String {
    let share = items.cpu_gil.as_secs_f64() / (items.cpu_gil + items.cpu_native).as_secs_f64();
    match share {
        _ if !locked || !share.is_finite() => String::new(),
        0.95.. => " under the GIL".to_owned(),
        ..0.05 => " outside the GIL".to_owned(),
        _ => format!(" ({} under the GIL)", units::percent(share)),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// The name of what is waited for, where it is one thing with a name that means something; else what kind it is.
fn only_resource(profile: &Profile, kind: WaitKind) -> String {
    let named = kind == WaitKind::Network;
    let sites = profile.blocking_points.iter().filter(|site| site.kind == kind);
    let resources: BTreeSet<&str> = sites.filter_map(|site| site.resource.as_deref()).collect();
    match resources.first() {
        Some(name) if named && resources.len() == 1 => short(name),
        _ => object_of(kind).to_owned(),
    }
}

fn short(name: &str) -> String {
    Text::plain(name).shortened(NAME, "…").to_string()
}

pub(super) fn object_of(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Gil => "the GIL",
        WaitKind::Network => "the network",
        WaitKind::Disk => "files",
        WaitKind::Pipe => "another process",
        WaitKind::Lock => "a lock",
        WaitKind::Sleep => "a timer",
        WaitKind::Child => "a child process",
        WaitKind::Paging => "memory pages",
        WaitKind::Tty => "the terminal",
        WaitKind::Idle => "work",
    }
}
