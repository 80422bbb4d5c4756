//! What the program was doing in each stretch of its wall time: the wall book, cut into stretches. Pure, and bounded:
//! when the stretches become too many, each two become one.
//!
//! Quiet time is charged some time after it went by (see [`wall`](super::wall)), the oldest first, so that a wait may
//! stand up to a charge's length beside where it was. What every stretch holds together is exact.

use std::collections::BTreeMap;

use super::thread_clock::SiteId;

/// Length of a stretch at first, nanoseconds: about that of a sample on a busy machine.
const STRETCH: u64 = 20_000_000;
/// Stretches kept; as many columns as a drawing can use.
const STRETCHES: usize = 256;
/// Blocking points told apart in one stretch.
const SITES: usize = 32;

/// What the program was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// A thread ran.
    Running,
    /// One thread ran, others queued for its interpreter lock.
    Serialised,
    /// Nobody ran, somebody could have.
    Runnable,
    /// All waited; this wait explains it.
    Waiting(SiteId),
}

/// Time by stretch, nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Length of a stretch, nanoseconds.
    pub stretch: u64,
    /// What was done in each.
    pub stretches: Vec<BTreeMap<Doing, u64>>,
}

impl Default for History {
    fn default() -> Self {
        Self { stretch: STRETCH, stretches: Vec::new() }
    }
}

impl History {
    /// Adds time that lies, evenly, somewhere between two moments since the beginning.
    pub fn add(&mut self, from: u64, to: u64, doing: Doing, time: u64) {
        if time == 0 {
            return;
        }
        let last = to.max(from + 1) - 1;
        while last / self.stretch >= STRETCHES as u64 {
            self.halve();
        }
        let length = last + 1 - from;
        let (mut done, mut given) = (0, 0);
        for number in from / self.stretch..=last / self.stretch {
            done += ((number + 1) * self.stretch).min(last + 1) - (number * self.stretch).max(from);
            // Rounded as a running sum, so that the parts add up to the whole.
            let due = (u128::from(time) * u128::from(done) / u128::from(length)) as u64;
            self.put(number as usize, doing, due - given);
            given = due;
        }
    }

    /// Of what was done between two moments, up to so much was really something else. Returns how much.
    pub fn turn(&mut self, (from, to): (u64, u64), doing: Doing, really: Doing, most: u64) -> u64 {
        let mut left = most;
        for number in (from / self.stretch) as usize..=(to / self.stretch) as usize {
            let Some(time) = self.stretches.get_mut(number).and_then(|stretch| stretch.get_mut(&doing))
            else {
                continue;
            };
            let turned = left.min(*time);
            *time -= turned;
            left -= turned;
            self.put(number, really, turned);
        }
        most - left
    }

    fn put(&mut self, number: usize, doing: Doing, time: u64) {
        if self.stretches.len() <= number {
            self.stretches.resize_with(number + 1, BTreeMap::new);
        }
        let stretch = &mut self.stretches[number];
        let is_full = stretch.len() >= SITES && !stretch.contains_key(&doing);
        let doing = if is_full { Doing::Waiting(SiteId::UNKNOWN) } else { doing };
        if time > 0 {
            *stretch.entry(doing).or_default() += time;
        }
    }

    /// Each two stretches become one.
    fn halve(&mut self) {
        let before = std::mem::take(&mut self.stretches);
        self.stretch *= 2;
        for (number, stretch) in before.into_iter().enumerate() {
            for (doing, time) in stretch {
                self.put(number / 2, doing, time);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn time_is_spread_over_the_stretches_it_lies_in() {
        let mut history = History::default();
        history.add(10 * MS, 70 * MS, Doing::Running, 30 * MS);
        let told: Vec<u64> = history.stretches.iter().map(|stretch| stretch[&Doing::Running] / MS).collect();
        assert_eq!(told, [5, 10, 10, 5]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_long_it_is(
            spans in proptest::collection::vec((0..20_000_000_000_u64, 0..5_000_000_000_u64, 0..900_u32), 1..60)
        ) {
            let mut history = History::default();
            let mut whole = 0;
            for (from, time, site) in spans {
                let doing = if site % 3 == 0 { Doing::Running } else { Doing::Waiting(SiteId(site)) };
                history.add(from, from + time, doing, time);
                whole += time;
            }
            let told: u64 = history.stretches.iter().flat_map(BTreeMap::values).sum();
            prop_assert_eq!(told, whole);
            prop_assert!(history.stretches.len() <= STRETCHES);
            prop_assert!(history.stretches.iter().all(|stretch| stretch.len() <= SITES + 1));
        }
    }
}
