//! Where an event loop was blocked, by how long in all: a wait in a loop holds up every task, whatever else the program
//! waited for meanwhile.

use std::time::Duration;

use super::lines::{SLEEP, named, waits};
use super::page::{Page, Paragraph, Role, Text};
use crate::profile::{Profile, Site};
use crate::units;
use crate::wait::Account;

/// Lines shown, unless everything is asked for.
const SHOWN: (usize, usize) = (3, 20);
/// A line that blocks a loop for less than this share of the wall time is not worth its own.
const LEAST: f64 = 0.02;

/// Writes the section; nothing where no loop was blocked for long.
pub(super) fn write(page: &mut Page<'_>, profile: &Profile, verbose: bool) {
    let least = profile.wall.mul_f64(LEAST);
    let blocks = |site: &&Site| site.blocks_event_loop && site.at.is_some() && stall(site) >= least;
    let mut sites: Vec<&Site> = profile.sites.iter().filter(blocks).collect();
    sites.sort_by_key(|site| std::cmp::Reverse(stall(site)));
    sites.truncate(if verbose { SHOWN.1 } else { SHOWN.0 });
    let lengths: Vec<String> = sites.iter().map(|site| units::seconds(stall(site).as_secs_f64())).collect();
    let width = lengths.iter().map(String::len).max().unwrap_or(0);
    let rows: Vec<Paragraph> =
        sites.iter().zip(&lengths).filter_map(|(site, length)| row(site, length, width, profile)).collect();
    if !rows.is_empty() {
        page.section("Loop", rows);
        page.blank();
    }
}

/// How long a line blocked a loop in all.
fn stall(site: &Site) -> Duration {
    if site.account == Account::Cpu { site.cpu } else { site.wait }
}

/// `0.77 s  blocked by app.py:31 in turn: 19 waits of 40.5 ms`.
fn row(site: &Site, length: &str, width: usize, profile: &Profile) -> Option<Paragraph> {
    let computes = site.account == Account::Cpu;
    let lead = Text::plain(&format!("{length:>width$}  ")).and(Role::Warning, "blocked by ").unbroken();
    let said = match site.episodes {
        _ if computes => ", which computes".to_owned(),
        0 => String::new(),
        episodes => format!(": {}", waits(episodes, site.counted, site.account == SLEEP, site.wait)),
    };
    let body = Text::new(Role::Strong, &named(site.at.as_ref()?, profile)).and(Role::Plain, &said);
    Some(Paragraph { lead, body })
}
