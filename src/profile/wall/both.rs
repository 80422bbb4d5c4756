//! Two wall books of one program, where the kernel tells who woke whom: the one that uses it, and the one that would be kept
//! without, to compare them. Pure.

use super::{Contention, Credit, Mover, WallClock, WallTotals};
use crate::profile::observation::HostShare;
use crate::profile::switching::Overlap;
use crate::profile::thread_clock::SiteId;

/// A wall book, and the one that would be kept without wake-ups once these are told.
#[derive(Debug, Clone)]
pub struct Both {
    book: WallClock,
    inferred: Option<Box<WallClock>>,
}

impl Both {
    /// See [`WallClock::new`].
    #[must_use]
    pub fn new(cpus: f64) -> Self {
        Self { book: WallClock::new(cpus), inferred: None }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut WallClock> {
        [Some(&mut self.book), self.inferred.as_deref_mut()].into_iter().flatten()
    }

    /// See [`WallClock::credit`].
    pub fn credit(&mut self, credit: Credit) {
        self.each().for_each(|book| book.credit(credit));
    }

    /// See [`WallClock::observe`].
    pub fn observe(&mut self, active: usize) {
        self.each().for_each(|book| book.observe(active));
    }

    /// See [`WallClock::exactly`].
    pub fn exactly(&mut self, overlap: Overlap) {
        self.book.exactly(overlap);
    }

    /// See [`WallClock::chained`]. `inferred`: what switches alone say of the span.
    pub fn chained(&mut self, waits: Vec<(SiteId, u64)>, inferred: Option<Overlap>) {
        let other = self.inferred.get_or_insert_with(|| Box::new(self.book.clone()));
        // The first copy has what was told to the book.
        other.exact = inferred;
        self.book.chained(waits);
    }

    /// See [`WallClock::between`].
    pub fn between(&mut self, elapsed: u64, movers: &[Mover], contention: Contention) {
        self.each().for_each(|book| book.between(elapsed, movers, contention));
    }

    /// See [`WallClock::round`].
    pub fn round(&mut self, elapsed: u64, movers: &[Mover], contention: Contention) {
        self.each().for_each(|book| book.round(elapsed, movers, contention));
    }

    /// See [`WallClock::stolen`].
    pub fn stolen(&mut self, share: HostShare) {
        self.each().for_each(|book| book.stolen(share));
    }

    /// Both, finished; see [`WallClock::finish`].
    #[must_use]
    pub fn finish(self, current: &[Credit]) -> (WallTotals, Option<WallTotals>) {
        let Self { book, inferred } = self;
        (book.finish(current), inferred.map(|inferred| inferred.finish(current)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::history::Doing;
    use crate::profile::places::Place;
    use crate::profile::stack::StackId;

    const MS: u64 = 1_000_000;
    const SLEEP: SiteId = SiteId(1);
    const NET: SiteId = SiteId(2);

    fn came_out(site: SiteId, stack: u32, blocked: u64, external: bool) -> Credit {
        Credit { place: Place { site, stack: StackId(stack) }, progress: MS, blocked, external }
    }

    /// A span of which so much was quiet, the rest computing.
    fn span(quiet: u64, active: u64) -> Overlap {
        Overlap { running: vec![quiet, active], ..Overlap::default() }
    }

    #[test]
    fn what_who_woke_whom_tells_is_charged_and_the_other_book_infers() {
        let mut both = Both::new(1.0);
        for _ in 0..4 {
            both.exactly(span(90 * MS, 10 * MS));
            both.chained(vec![(NET, 90 * MS)], Some(span(80 * MS, 20 * MS)));
            // Two threads came out of waits that took all of it, and each ran as long.
            both.credit(came_out(SLEEP, 7, 90 * MS, true));
            both.credit(came_out(NET, 8, 90 * MS, true));
            both.round(100 * MS, &[], Contention::Free);
        }
        let (book, inferred) = both.finish(&[]);
        let inferred = inferred.unwrap();
        // In which code it was, tells who came out of there.
        let at = Place { site: NET, stack: StackId(8) };
        assert_eq!((book.waits.get(&at), book.waits.len(), book.cpu), (Some(&(360 * MS)), 1, 40 * MS));
        let by_site = inferred.by_site();
        assert_eq!((by_site[&SLEEP], by_site[&NET], inferred.cpu), (160 * MS, 160 * MS, 80 * MS));
    }

    #[test]
    fn where_nobody_tells_there_is_one_book() {
        let mut both = Both::new(1.0);
        both.exactly(span(90 * MS, 10 * MS));
        both.round(100 * MS, &[], Contention::Free);
        assert!(both.finish(&[]).1.is_none());
    }

    proptest! {
        /// However quiet time is said to divide, both books sum to the time that went by, and so do their stretches.
        #[test]
        fn both_books_balance(
            rounds in proptest::collection::vec(
                (0..300u64, 0..100u64, proptest::collection::vec((0..4u32, 0..400u64), 0..4), any::<bool>()), 1..30,
            ),
        ) {
            let (mut both, mut elapsed) = (Both::new(2.0), 0);
            for (quiet, active, waits, is_known) in rounds {
                let (quiet, active) = (quiet * MS, active * MS + 1);
                elapsed += quiet + active;
                let overlap = Some(span(quiet, active)).filter(|_| is_known);
                if let Some(overlap) = &overlap {
                    both.exactly(overlap.clone());
                }
                for (site, time) in &waits {
                    both.credit(came_out(SiteId(*site), site % 3, time / 2 * MS, site % 2 == 0));
                }
                let waits = waits.into_iter().map(|(site, time)| (SiteId(site), time * MS)).collect();
                both.chained(waits, overlap);
                both.round(quiet + active, &[Mover { over: active, run: active, delay: 0, lock: None }], Contention::Free);
            }
            let (book, inferred) = both.finish(&[]);
            for totals in [book, inferred.unwrap()] {
                prop_assert_eq!(totals.total(), elapsed);
                let stretches = totals.history.stretches.iter().flatten();
                let waited: u64 =
                    stretches.filter(|(doing, _)| matches!(doing, Doing::Waiting(_))).map(|(_, time)| time).sum();
                prop_assert_eq!(waited, totals.waits.values().sum::<u64>());
            }
        }
    }
}
