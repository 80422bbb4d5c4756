//! What was not kept one by one because there was too much of it, for the reader. Pure.

use crate::profile::ledger::{Closed, SUMMED_UP};
use crate::profile::model::ProcessGroup;
use crate::units::{count, grouped};

/// Groups of processes that are told one by one: a build farm gives each of its jobs a name of its own.
const GROUPS: usize = 500;

/// Processes that are kept one by one.
fn kept(books: &Closed) -> u64 {
    books.processes.keys().filter(|pid| **pid != SUMMED_UP).count() as u64
}

/// All processes that were seen.
pub(super) fn processes(books: &Closed) -> u64 {
    kept(books) + books.processes_summed
}

/// The groups that are told, largest first, with the others as one without a name.
pub(super) fn groups(mut groups: Vec<ProcessGroup>) -> Vec<ProcessGroup> {
    let others = groups.split_off(groups.len().min(GROUPS));
    let together = others.into_iter().reduce(|sum, other| {
        let bytes = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b).or(a).or(b);
        ProcessGroup {
            name: String::new(),
            parent: None,
            count: sum.count + other.count,
            concurrent: sum.concurrent.max(other.concurrent),
            threads: sum.threads.max(other.threads),
            cpu: sum.cpu + other.cpu,
            rss: sum.rss.max(other.rss),
            bytes_read: bytes(sum.bytes_read, other.bytes_read),
            bytes_written: bytes(sum.bytes_written, other.bytes_written),
            ..sum
        }
    });
    groups.extend(together);
    groups
}

/// What is not told one by one.
pub(super) fn remarks(books: &Closed) -> impl Iterator<Item = String> + use<> {
    let threads = (books.threads.len() as u64, books.threads_seen, "thread");
    let processes = (kept(books), processes(books), "process");
    let summed: Vec<String> = [threads, processes]
        .into_iter()
        .filter(|(kept, all, _)| kept < all)
        .map(|(kept, all, what)| format!("{} of {}", grouped(kept), count(all, what)))
        .collect();
    let lives = (!summed.is_empty()).then(|| {
        format!("there were too many: {} are told one by one, the others in sums", summed.join(" and "))
    });
    let points = books.sites.are_full().then(|| {
        "there were too many blocking points: later ones are told by process and kind, not by what they are for"
            .to_owned()
    });
    let code = (books.stacks.are_full() || books.places.are_full()).then(|| {
        "there were too many call stacks: of later ones little is told, or no code at all".to_owned()
    });
    [lives, points, code].into_iter().flatten()
}
