//! The books as if the recording ended now, while they go on.

use super::{Closed, Ledger};

impl Ledger {
    /// Closes a copy `tail` nanoseconds after the last round. Neither tape nor drawing is copied.
    #[must_use]
    pub fn standing(&self, root: i32, tail: u64) -> Closed {
        let copy = Self {
            sites: self.sites.clone(),
            stacks: self.stacks.clone(),
            places: self.places.clone(),
            processes: self.processes.clone(),
            live: self.live.clone(),
            finished: self.finished.clone(),
            folded: self.folded.clone(),
            wall: self.wall.clone(),
            last_round: self.last_round,
            last_elapsed: self.last_elapsed,
            threads_seen: self.threads_seen,
            lives: self.lives,
            processes_summed: self.processes_summed,
            children: self.children.clone(),
            newborn: self.newborn.clone(),
            traffic: self.traffic.clone(),
            tape: None,
            taped: self.taped,
            tracking: None,
        };
        copy.close(root, tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ledger::{Reading, Under};
    use crate::profile::observation::Birth;
    use crate::profile::stack::StackId;
    use crate::profile::thread_clock::{Counters, Seen};
    use crate::wait::WaitKind;
    use crate::wait::classify::Reason;

    const MS: u64 = 1_000_000;

    /// Books of two threads that compute and wait in turn, looked at so often; asked how they stand each time, or never.
    fn told(looks: u64, is_asked: bool) -> Ledger {
        let mut books = Ledger::new(2.0).taped().tracked();
        books.process(1, 0, 0);
        let reason = Reason {
            kind: WaitKind::Network,
            operation: "recv",
            resource: Some("db:1".to_owned()),
            external: true,
            event_loop: false,
        };
        let site = books.site(1, 9, &reason, 0);
        for tid in [1, 2] {
            books.thread(Birth { pid: 1, tid, at: 0, counters: Counters::default(), newborn: true });
        }
        for look in 1..=looks {
            let reading = |tid: i32| {
                let turn = look * u64::from(tid.unsigned_abs());
                let counters = Counters { run: turn * MS, delay: look * MS / 10, slices: turn };
                let seen = if turn % 3 == 0 { Seen::Active } else { Seen::Blocked(site) };
                Reading { tid, counters, seen, under: Under::Unknown, stack: StackId::UNSEEN, quiet: None }
            };
            books.round(look * 10 * MS, &[reading(1), reading(2)]);
            if is_asked {
                drop(books.standing(1, 3 * MS));
            }
        }
        books
    }

    /// What the books say, without what is in no order.
    fn said(closed: &Closed) -> String {
        let sites: Vec<_> = closed.sites.iter().collect();
        format!("{:?} {:?} {sites:?} {:?} {:?}", closed.wall, closed.threads, closed.places, closed.processes)
    }

    #[test]
    fn how_books_stand_is_how_they_would_end() {
        for looks in [1, 7, 300] {
            let books = told(looks, false);
            let standing = books.standing(1, 4 * MS);
            assert!(standing.tape.is_empty() && standing.drawn.is_none());
            assert_eq!(said(&standing), said(&books.close(1, 4 * MS)));
        }
    }

    #[test]
    fn whoever_asks_changes_nothing() {
        let (asked, never) = (told(300, true).close(1, 0), told(300, false).close(1, 0));
        assert_eq!(said(&asked), said(&never));
        assert_eq!(asked.tape, never.tape);
    }
}
