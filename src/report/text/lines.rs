//! The lines of the program's own source that its wall time was spent on, and how lines are named.

use std::path::Path;
use std::time::Duration;

use super::because::object_of;
use super::page::{Page, Paragraph, Role, Text};
use crate::catalog::{Api, Effect};
use crate::profile::{Location, Profile, Site};
use crate::report::Report;
use crate::units;
use crate::wait::{Account, WaitKind};

/// Lines shown, unless everything is asked for.
const SHOWN: (usize, usize) = (4, 20);
/// What a line that sleeps is accounted to.
pub(super) const SLEEP: Account = Account::Wait(WaitKind::Sleep);
/// Lines below this share of the wall time are not worth theirs.
pub(super) const LEAST: f64 = 0.02;
/// What lies on no line is said from this share on.
const NOWHERE: f64 = 0.05;

/// Writes the section; nothing where no stack was seen.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let profile = report.profile;
    let wall = profile.wall.as_secs_f64();
    let placed: Vec<(usize, &Site)> =
        profile.sites.iter().enumerate().filter(|(_, site)| site.at.is_some()).collect();
    if placed.is_empty() || wall <= 0.0 {
        return;
    }
    let share = |site: &Site| site.critical.as_secs_f64() / wall;
    let most = if verbose { SHOWN.1 } else { SHOWN.0 };
    let shown: Vec<(usize, &Site)> =
        placed.into_iter().filter(|(_, site)| share(site) >= LEAST).take(most).collect();
    let nowhere: f64 = profile.sites.iter().filter(|site| site.at.is_none()).map(share).sum();
    let shares: Vec<f64> = shown.iter().map(|(_, site)| share(site)).chain([nowhere]).collect();
    let percents = units::percent_column(&shares);
    let width = percents.iter().map(String::len).max().unwrap_or(0);
    let kinds = shown.iter().map(|(_, site)| kind(site).len()).max().unwrap_or(0);
    let mut rows: Vec<Paragraph> = shown
        .iter()
        .zip(&percents)
        .map(|((number, site), percent)| {
            let in_source = report.source.and_then(|source| source.sites.get(*number));
            let call = in_source.and_then(|in_source| in_source.call.as_ref());
            let role = if site.account == Account::Cpu { Role::Busy } else { Role::Waiting };
            let lead =
                Text::plain(&format!("{percent:>width$}  ")).and(role, &format!("{:kinds$}  ", kind(site)));
            Paragraph { lead: lead.unbroken(), body: told(site, call, profile) }
        })
        .collect();
    if nowhere >= NOWHERE && !shown.is_empty() {
        let lead = Text::plain(&format!("{:>width$}  ", percents[shown.len()])).unbroken();
        rows.push(Paragraph { lead, body: Text::new(Role::Faint, "on lines that were not seen") });
    }
    if !rows.is_empty() {
        page.section("Where", rows);
        page.blank();
    }
}

pub(super) fn kind(site: &Site) -> &'static str {
    match site.account {
        Account::Wait(WaitKind::Gil) => "GIL",
        account => account.name(),
    }
}

/// `etl.py:42 in fetch_row: calls requests.api.get; 200 waits of 56.1 ms; from load at etl.py:88`. `call`: what the
/// catalogue says of what is called.
fn told(site: &Site, call: Option<&Api>, profile: &Profile) -> Text {
    let Some(at) = &site.at else { return Text::default() };
    let mut said = Vec::new();
    if let Some(api) = call {
        said.push(format!("calls {}", explained(api, site.account)));
    } else if let Some(call) = &site.call {
        said.push(format!("calls {call}"));
    }
    if site.blocks_event_loop && site.account != Account::Cpu {
        said.push("blocks the event loop".to_owned());
    }
    if site.episodes > 0 && !site.in_event_loop {
        said.push(waits(site.episodes, site.counted, site.account == SLEEP, site.wait));
    }
    if let Some(tasks) = site.tasks.filter(|_| site.in_event_loop) {
        said.push(at_a_time(tasks));
    }
    if let Some(caller) = site.callers.first().filter(|caller| **caller != *at) {
        said.push(format!("from {}", named(caller, profile)));
    }
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
    Text::new(Role::Strong, &place(at, profile)).and(Role::Plain, &format!("{}{said}", inside(at)))
}

/// `one task at a time`, `about 12 tasks at a time`.
fn at_a_time(tasks: f64) -> String {
    match tasks.round() {
        0.0 | 1.0 => "one task at a time".to_owned(),
        tasks => format!("about {tasks} tasks at a time"),
    }
}

/// `requests.get (async: httpx.AsyncClient.get)`; what it waits for is said where the kernel has another word for it.
pub(super) fn explained(api: &Api, measured: Account) -> String {
    let other = match &api.effect {
        Effect::Blocks { wait, .. } if Account::Wait(*wait) != measured => {
            format!(", which waits for {}", object_of(*wait))
        }
        Effect::Computes { releases_gil: Some(true), .. } => ", outside the GIL".to_owned(),
        _ => String::new(),
    };
    let sibling = api.sibling.as_ref().map(|sibling| format!(" (async: {sibling})")).unwrap_or_default();
    format!("{}{other}{sibling}", api.name)
}

/// `about 200 waits of 56.1 ms`: how many there were, if estimated; how long one took.
pub(super) fn waits(episodes: u64, counted: bool, are_sleeps: bool, waited: Duration) -> String {
    let about = if counted { "" } else { "about " };
    let what = if are_sleeps { "sleep" } else { "wait" };
    let mean = waited.as_secs_f64() / episodes as f64;
    let mean = if episodes > 0 { format!(" of {}", units::seconds(mean)) } else { String::new() };
    format!("{about}{}{mean}", units::count(episodes, what))
}

/// `etl.py:42 in fetch_row`.
pub(super) fn named(at: &Location, profile: &Profile) -> String {
    format!("{}{}", place(at, profile), inside(at))
}

fn inside(at: &Location) -> String {
    match at.function.as_str() {
        "" => String::new(),
        _ if at.file.is_none() => String::new(),
        "<module>" => " at the top level".to_owned(),
        function => format!(" in {function}"),
    }
}

/// `etl.py:42`: the file's name, with its folder where several files of the program have that name.
pub(super) fn place(at: &Location, profile: &Profile) -> String {
    let Some(file) = &at.file else { return at.function.clone() };
    let path = Path::new(file);
    let own_name = path.file_name();
    let known = profile.sites.iter().flat_map(|site| site.at.iter().chain(&site.callers));
    let is_namesake = |other: &str| other != file && Path::new(other).file_name() == own_name;
    let ambiguous = known.filter_map(|other| other.file.as_deref()).any(is_namesake);
    let folder = path.parent().and_then(Path::file_name).filter(|_| ambiguous);
    let name = own_name.map_or_else(|| file.clone(), |name| name.to_string_lossy().into_owned());
    let folder = folder.map(|folder| format!("{}/", folder.to_string_lossy())).unwrap_or_default();
    let line = at.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{folder}{name}{line}")
}
