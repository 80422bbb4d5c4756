//! What wake-ups told, beside what is inferred without them. Pure.

use std::time::Duration;

use super::{account, nanos};
use crate::profile::ledger::Closed;
use crate::profile::levels::Levels;
use crate::profile::model::Wakeups;
use crate::profile::wall::WallTotals;
use crate::wait::Book;

/// What they told of a recording; `None`: nobody asked.
pub(super) fn wakeups(levels: &Levels, books: &Closed) -> Option<Wakeups> {
    let told = levels.wakeups?;
    let (exact, inferred) = (&books.wall, books.inferred.as_ref()?);
    let (one, other) = (waits(exact, books), waits(inferred, books));
    let same: u64 = one.iter().zip(other.iter()).map(|((_, one), (_, other))| one.min(other)).sum();
    // What one of them takes for waiting and the other for a CPU that was lacking is told apart.
    let all = nanos(one.total().min(other.total()));
    Some(Wakeups {
        told: told.told,
        handed_over: told.handed_over,
        lost: told.lost,
        same: (all > 0).then(|| same as f64 / all as f64),
        runnable: Duration::from_nanos(exact.runnable),
        runnable_inferred: Duration::from_nanos(inferred.runnable),
    })
}

/// Time in which everybody waited, by account.
fn waits(wall: &WallTotals, books: &Closed) -> Book {
    let mut book = Book::default();
    for (id, quiet) in wall.by_site() {
        book[account(books.sites.get(id), id)] += quiet;
    }
    book
}
