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
            processes_summed: self.processes_summed,
            ended_in: self.ended_in.clone(),
            newborn: self.newborn.clone(),
            tape: None,
            taped: self.taped,
            tracking: None,
        };
        copy.close(root, tail)
    }
}
