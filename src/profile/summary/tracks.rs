//! From what was drawn of threads to a timeline that speaks of accounts and lines of code. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account;
use super::code::{innermost_own, library_call};
use crate::profile::ledger::Closed;
use crate::profile::thread_clock::SiteId;
use crate::profile::tracking::{Did, Drawn};
use crate::profile::tracks::{ProcessTrack, Slice, State, Track, Tracks};
use crate::units;
use crate::wait::Account;

/// The timeline; `None`: nobody asked for one.
pub(super) fn tracks(books: &Closed) -> Option<Tracks> {
    let (drawn, hand_overs, cut_at) = books.drawn.as_ref()?.drawn();
    let mut found = Tracks { hand_overs: hand_overs.to_vec(), cut_at, ..Tracks::default() };
    let mut numbers: BTreeMap<Did, u32> = BTreeMap::new();
    let mut threads: BTreeMap<(i32, i32), Track> = BTreeMap::new();
    let mut in_order: Vec<&Drawn> = drawn.iter().collect();
    in_order.sort_by_key(|drawn| (drawn.pid, drawn.tid, drawn.pieces.first().map(|piece| piece.from)));
    for drawn in in_order {
        let track = threads.entry((drawn.pid, drawn.tid)).or_insert_with(|| Track {
            pid: drawn.pid,
            tid: drawn.tid,
            name: None,
            slices: Vec::new(),
        });
        track.name = drawn.name.clone().filter(|name| !name.is_empty()).or(track.name.take());
        // Whoever got a number again began after its first owner had ended, if not for whoever looked.
        let mut end = track.slices.last().map_or(0, |slice| slice.to);
        for piece in &drawn.pieces {
            let state = *numbers.entry(piece.did).or_insert_with(|| {
                found.states.push(state(books, piece.did));
                found.states.len() as u32 - 1
            });
            let slice = Slice { from: piece.from.max(end), to: piece.to, state, waits: piece.waits };
            if slice.to > slice.from {
                end = slice.to;
                track.slices.push(slice);
            }
        }
    }
    found.threads = threads.into_values().collect();
    let mut pids: Vec<i32> = found.threads.iter().map(|track| track.pid).collect();
    pids.dedup();
    found.processes =
        pids.into_iter().map(|pid| ProcessTrack { pid, name: books.process_name(pid) }).collect();
    Some(found)
}

fn state(books: &Closed, did: Did) -> State {
    let of = |account| State { account, operation: String::new(), resource: None, at: None, call: None };
    match did {
        Did::Run => of(Account::Cpu),
        Did::Queue => of(Account::Runnable),
        Did::Wait(SiteId::UNKNOWN, stack) => {
            State { at: innermost_own(&books.stacks, stack), ..of(Account::Unattributed) }
        }
        Did::Wait(id, stack) => {
            let site = books.sites.get(id);
            let resource = site.key.resource.clone().filter(|_| site.operation() != "park");
            State {
                account: account(site, id),
                operation: site.operation().to_owned(),
                resource,
                at: innermost_own(&books.stacks, stack),
                call: library_call(&books.stacks, stack),
            }
        }
    }
}

/// What is missing from a timeline, for the reader.
pub(super) fn left_out(books: &Closed, wall: Duration) -> Option<String> {
    let (.., cut_at) = books.drawn.as_ref()?.drawn();
    let missing = wall.saturating_sub(Duration::from_nanos(cut_at?));
    let share = missing.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE);
    Some(format!(
        "timeline: the last {} was left out: it holds so many changes and no more; look at a part with --pid and --duration",
        units::percent(share)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ledger::{Ledger, Reading, Under};
    use crate::profile::observation::Birth;
    use crate::profile::stack::StackId;
    use crate::profile::thread_clock::{Counters, Seen};

    const MS: u64 = 1_000_000;

    #[test]
    fn a_long_run_is_drawn_from_its_beginning_and_the_rest_is_said_to_be_missing() {
        let mut books = Ledger::new(1.0).tracked();
        books.process(1, 0, 0);
        let mut counters = Counters::default();
        books.thread(Birth { pid: 1, tid: 1, at: 0, counters, newborn: true });
        let rounds = 200_000;
        for round in 1..=rounds {
            counters = Counters { run: counters.run + MS, delay: 0, slices: counters.slices + 1 };
            let seen = Seen::Blocked(SiteId::UNKNOWN);
            let reading = Reading {
                tid: 1,
                counters,
                seen,
                under: Under::Unknown,
                stack: StackId::UNSEEN,
                quiet: None,
            };
            books.round(round * 10 * MS, &[reading]);
        }
        let books = books.close(1, 0);
        let tracks = tracks(&books).unwrap();
        let end = tracks.threads[0].slices.last().unwrap().to;
        assert!(tracks.cut_at.is_some_and(|cut_at| cut_at >= end && cut_at - end < 10 * MS));
        assert_eq!(end / (10 * MS), 150_000);
        let said = left_out(&books, Duration::from_millis(10 * rounds)).unwrap();
        assert!(said.starts_with("timeline: the last 25 % was left out"), "{said}");
    }
}
