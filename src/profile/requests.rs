//! The requests of a server: what clients ask, counted by the waits for them. Pure.
//!
//! A read that finds a request there already does not wait, and nobody sees it; so the number is believed only if it
//! agrees with another one: how often the program came to the line where it waits for what it needs to answer.

use std::collections::BTreeMap;

use super::ledger::{Closed, ThreadRecord};
use super::places::Place;
use super::sites::SiteRecord;
use super::stack::StackId;
use crate::wait::WaitKind;

/// System calls in which a thread waits for a client: those that read what it asks, those that take its connection, and
/// those that wait for either. Each family may see every request.
const FAMILIES: [&[&str]; 3] = [&["recv", "read"], &["accept"], &["select", "poll"]];
/// How far both numbers may be apart, as a share of the larger.
const APART: f64 = 0.2;
/// Fewer agree by accident.
const FEWEST: u64 = 8;

/// How often threads of a program waited for clients until one asked for something; `None`: hardly ever.
pub(super) fn asked(books: &Closed, name: &str) -> Option<u64> {
    let ended = |family: &&[&str]| -> u64 {
        let of_clients = books.sites.iter().filter(|(_, site)| {
            is_for_clients(site)
                && family.contains(&site.key.operation)
                && books.process_name(site.key.pid) == name
        });
        of_clients.map(|(_, site)| site.waits.ended).sum()
    };
    FAMILIES.iter().map(ended).max().filter(|asked| *asked >= FEWEST)
}

fn is_for_clients(site: &SiteRecord) -> bool {
    site.key.kind == WaitKind::Idle
        && site.external
        && !site.event_loop
        && FAMILIES.iter().any(|family| family.contains(&site.key.operation))
}

/// Share of their time in which the threads that answer waited for clients. `answering`: how long they answered,
/// nanoseconds.
pub(super) fn free<'a>(
    books: &Closed,
    threads: impl Iterator<Item = &'a ThreadRecord>,
    answering: u64,
) -> f64 {
    let sites = threads.flat_map(|thread| &thread.sites);
    let for_clients = sites.filter(|(id, _)| is_for_clients(books.sites.get(**id)));
    let waited: u64 = for_clients.map(|(_, (blocked, _))| blocked).sum();
    waited as f64 / (waited + answering).max(1) as f64
}

/// Whether the program came to the busiest of the places where it waits `here`, on one way there, as often as clients
/// asked.
pub(super) fn pass_once(books: &Closed, is_here: impl Fn(Place) -> bool, asked: u64) -> bool {
    let mut visits: BTreeMap<(&str, StackId), u64> = BTreeMap::new();
    for (place, waits) in books.places.waits().filter(|(place, _)| is_here(*place)) {
        let operation = books.sites.get(place.site).key.operation;
        *visits.entry((operation, place.stack)).or_default() += waits.ended;
    }
    let busiest = visits.into_values().max().unwrap_or(0);
    busiest.abs_diff(asked) as f64 <= APART * busiest.max(asked) as f64
}
