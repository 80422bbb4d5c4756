//! The lines of the program's own source that its wall time was spent on, and how lines are named.

use std::path::Path;
use std::time::Duration;

use super::page::{Page, Paragraph, Role, Text};
use crate::profile::{Location, Profile, Site};
use crate::units;
use crate::wait::{Account, WaitKind};

/// Lines shown, unless everything is asked for.
const SHOWN: (usize, usize) = (4, 20);
/// What a line that sleeps is accounted to.
const SLEEP: Account = Account::Wait(WaitKind::Sleep);
/// Lines below this share of the wall time are not worth theirs.
const LEAST: f64 = 0.02;
/// What lies on no line is said from this share on.
const NOWHERE: f64 = 0.05;

/// Writes the section; nothing where no stack was seen.
pub(super) fn write(page: &mut Page<'_>, profile: &Profile, verbose: bool) {
    let wall = profile.wall.as_secs_f64();
    let placed: Vec<&Site> = profile.sites.iter().filter(|site| site.at.is_some()).collect();
    if placed.is_empty() || wall <= 0.0 {
        return;
    }
    let share = |site: &Site| site.critical.as_secs_f64() / wall;
    let most = if verbose { SHOWN.1 } else { SHOWN.0 };
    let shown: Vec<&Site> = placed.iter().copied().filter(|site| share(site) >= LEAST).take(most).collect();
    let nowhere: f64 = profile.sites.iter().filter(|site| site.at.is_none()).map(share).sum();
    let shares: Vec<f64> = shown.iter().map(|site| share(site)).chain([nowhere]).collect();
    let percents = units::percent_column(&shares);
    let width = percents.iter().map(String::len).max().unwrap_or(0);
    let kinds = shown.iter().map(|site| kind(site).len()).max().unwrap_or(0);
    let mut rows: Vec<Paragraph> = shown
        .iter()
        .zip(&percents)
        .map(|(site, percent)| {
            let role = if site.account == Account::Cpu { Role::Busy } else { Role::Waiting };
            let lead =
                Text::plain(&format!("{percent:>width$}  ")).and(role, &format!("{:kinds$}  ", kind(site)));
            Paragraph { lead: lead.unbroken(), body: told(site, profile) }
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

fn kind(site: &Site) -> &'static str {
    match site.account {
        Account::Wait(WaitKind::Gil) => "GIL",
        account => account.name(),
    }
}

/// `etl.py:42 in fetch_row: requests.api.get; 200 waits of 56.1 ms; from load at etl.py:88`.
fn told(site: &Site, profile: &Profile) -> Text {
    let Some(at) = &site.at else { return Text::default() };
    let mut said = Vec::new();
    if let Some(call) = &site.call {
        said.push(format!("calls {call}"));
    }
    if site.blocks_event_loop && site.account != Account::Cpu {
        said.push("blocks the event loop".to_owned());
    }
    if site.episodes > 0 && !site.in_event_loop {
        said.push(waits(site.episodes, site.counted, site.account == SLEEP, site.wait));
    }
    if let Some(caller) = site.callers.first().filter(|caller| **caller != *at) {
        said.push(format!("from {}", named(caller, profile)));
    }
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
    Text::new(Role::Strong, &place(at, profile)).and(Role::Plain, &format!("{}{said}", inside(at)))
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
fn place(at: &Location, profile: &Profile) -> String {
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
