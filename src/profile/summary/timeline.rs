//! From what was done in each stretch to accounts. Pure.

use std::time::Duration;

use super::account;
use crate::profile::history::Doing;
use crate::profile::ledger::Closed;
use crate::profile::model::Timeline;
use crate::wait::{Account, Book, WaitKind};

/// The wall book by stretch. What was moved in the whole (`wall`) is moved in each stretch by its share: nothing tells
/// when it was.
pub(super) fn timeline(books: &Closed, wall: &Book) -> Timeline {
    let history = &books.wall.history;
    let mut stretches: Vec<Book> = Vec::with_capacity(history.stretches.len());
    for stretch in &history.stretches {
        let mut book = Book::default();
        for (doing, time) in stretch {
            book[match doing {
                Doing::Running => Account::Cpu,
                Doing::Serialised => Account::Wait(WaitKind::Gil),
                Doing::Runnable => Account::Runnable,
                Doing::Waiting(site) => account(books.sites.get(*site), *site),
            }] += time;
        }
        stretches.push(book);
    }
    let mut whole = Book::default();
    for book in &stretches {
        whole += book;
    }
    for (from, before) in whole.iter() {
        let to = if from == Account::Runnable { Account::Throttled } else { Account::Cpu };
        let share = before.saturating_sub(wall[from]) as f64 / before.max(1) as f64;
        if share > 0.0 && from != to {
            for book in &mut stretches {
                let moved = (book[from] as f64 * share).round() as u64;
                book.transfer(from, to, moved);
            }
        }
    }
    Timeline { stretch: Duration::from_nanos(history.stretch), books: stretches }
}
