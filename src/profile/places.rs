//! Time by where in the code it went: waits by blocking point and call stack, CPU by process and call stack. Pure, and
//! bounded. Knows neither what a stack holds nor whether it was read at the right moment.

use std::collections::BTreeMap;

use super::ledger::Under;
use super::sites::Waits;
use super::stack::StackId;
use super::thread_clock::{Payment, SiteId};

/// Places kept apart; what comes later is booked without its stack.
const KEPT_APART: usize = 65_536;
/// Threads remembered per place.
const THREADS_KEPT: usize = 256;

/// Waits whose code was not seen are taken for those of the same blocking point whose code was, if these are at least so
/// many of them.
const KNOWN_ENOUGH: f64 = 0.2;

/// A blocking point as one piece of code gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Why it blocks.
    pub site: SiteId,
    /// Who called it.
    pub stack: StackId,
}

impl Place {
    /// Blocked, but nothing tells where.
    pub const UNKNOWN: Self = Self { site: SiteId::UNKNOWN, stack: StackId::UNSEEN };
}

/// The CPU time that one stack of one process used, nanoseconds, by how it stood to the interpreter lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Computing {
    /// While holding it.
    pub under: u64,
    /// Outside it.
    pub outside: u64,
    /// Without such a lock, or it could not be told.
    pub unclear: u64,
    /// Sightings this rests on.
    pub sightings: u64,
}

impl Computing {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.under + self.outside + self.unclear
    }
}

/// From when to when something was seen, nanoseconds since the recording began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// When it began.
    pub first: u64,
    /// When it was last seen.
    pub last: u64,
}

impl Span {
    /// From the beginning of the earlier to the end of the later.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    /// Whether at least half of it lies in another.
    #[must_use]
    pub fn mostly_in(self, other: Self) -> bool {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        last >= first && 2 * (last - first) >= self.last - self.first
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(self, at: u64) -> bool {
        (self.first..=self.last).contains(&at)
    }
}

/// All places of one recording.
#[derive(Debug, Clone, Default)]
pub struct Places {
    waits: BTreeMap<Place, Waits>,
    computing: BTreeMap<(i32, StackId), Computing>,
    /// When each stack was seen, by its number.
    spans: Vec<Option<Span>>,
    /// Tasks that waited in a stack, summed over the looks at it, and how many looks.
    tasks: BTreeMap<StackId, (u64, u64)>,
    now: u64,
}

impl Places {
    /// The place itself, or where it is booked when there are too many.
    #[must_use]
    pub fn admit(&self, place: Place) -> Place {
        if self.waits.len() < KEPT_APART || self.waits.contains_key(&place) {
            return place;
        }
        Place { stack: StackId::UNSEEN, ..place }
    }

    /// What is booked from now on was seen at this time, nanoseconds since the recording began.
    pub fn pass(&mut self, now: u64) {
        self.now = now;
    }

    /// When a stack was seen; `None`: never, or it is the unseen one.
    #[must_use]
    pub fn span(&self, stack: StackId) -> Option<Span> {
        self.spans.get(stack.0 as usize).copied().flatten()
    }

    /// So many tasks of an event loop were seen waiting in a stack.
    pub fn tasks(&mut self, stack: StackId, waiting: u32) {
        if self.tasks.len() < KEPT_APART || self.tasks.contains_key(&stack) {
            let (sum, looks) = self.tasks.entry(stack).or_default();
            (*sum, *looks) = (*sum + u64::from(waiting), *looks + 1);
        }
    }

    /// Tasks that waited in a stack, summed over the looks at it, and how many looks; `None`: it is in no event loop's task.
    #[must_use]
    pub fn tasks_in(&self, stack: StackId) -> Option<(u64, u64)> {
        self.tasks.get(&stack).copied()
    }

    fn see(&mut self, stack: StackId, for_so_long: u64) {
        if stack == StackId::UNSEEN {
            return;
        }
        let number = stack.0 as usize;
        if self.spans.len() <= number {
            self.spans.resize(number + 1, None);
        }
        let span = Span { first: self.now.saturating_sub(for_so_long), last: self.now };
        self.spans[number] = Some(self.spans[number].map_or(span, |known| known.with(span)));
    }

    /// Books blocked time of a thread; see [`Waits::pay`].
    pub fn pay(&mut self, place: Place, tid: i32, payment: &Payment, whole: Option<u64>) {
        let waits = self.waits.entry(place).or_default();
        waits.pay(payment, whole);
        if waits.threads.len() < THREADS_KEPT {
            waits.threads.insert(tid);
        }
        self.see(place.stack, payment.blocked);
    }

    /// Blocked time that was booked at one place turned out to be of another.
    pub fn repay(&mut self, from: Place, to: Place, tid: i32, blocked: u64) {
        let Some(before) = self.waits.get_mut(&from) else { return };
        let blocked = before.take_back(blocked);
        let now = self.waits.entry(to).or_default();
        now.blocked += blocked;
        now.threads.insert(tid);
    }

    /// The shorter a wait, the seldomer it lasts until its stack is read. Waits at a blocking point whose code was not seen
    /// are shared among the code that was, by how often it waits there; so is their part of the wall time.
    pub fn share_unseen(&mut self, wall: &mut BTreeMap<Place, u64>) {
        let unseen: Vec<Place> =
            self.waits.keys().copied().filter(|place| place.stack == StackId::UNSEEN).collect();
        for from in unseen.into_iter().filter(|place| place.site != SiteId::UNKNOWN) {
            let to: Vec<(Place, u64)> = self
                .waits
                .range(from..Place { stack: StackId(u32::MAX), ..from })
                .filter(|(place, waits)| **place != from && waits.ended > 0)
                .map(|(place, waits)| (*place, waits.ended))
                .collect();
            let Some(waits) = self.waits.get(&from).cloned() else { continue };
            let known: u64 = to.iter().map(|(_, ended)| ended).sum();
            if known == 0 || (known as f64) < KNOWN_ENOUGH * (known + waits.ended) as f64 {
                continue;
            }
            let quiet = wall.remove(&from).unwrap_or(0);
            self.waits.remove(&from);
            let mut before = 0;
            for (place, ended) in to {
                // Parts of a whole that add up to it.
                let part = |whole: u64| {
                    let until =
                        |weight: u64| (u128::from(whole) * u128::from(weight) / u128::from(known)) as u64;
                    until(before + ended) - until(before)
                };
                if let Some(here) = self.waits.get_mut(&place) {
                    here.blocked += part(waits.blocked);
                    here.ended += part(waits.ended);
                    here.counted += part(waits.counted);
                    here.progress += part(waits.progress);
                }
                if quiet > 0 {
                    *wall.entry(place).or_default() += part(quiet);
                }
                before += ended;
            }
        }
    }

    /// Books CPU time on the stack that a sighting found it spent in.
    pub fn compute(&mut self, pid: i32, stack: StackId, under: Under, cpu: u64) {
        let has_room =
            |place: &(i32, StackId)| self.computing.len() < KEPT_APART || self.computing.contains_key(place);
        // A build starts ever new processes: those that come when it is full are one.
        let place = [(pid, stack), (pid, StackId::UNSEEN)].into_iter().find(has_room);
        let (pid, stack) = place.unwrap_or((0, StackId::UNSEEN));
        let entry = self.computing.entry((pid, stack)).or_default();
        entry.sightings += u64::from(stack != StackId::UNSEEN);
        match under {
            Under::Lock => entry.under += cpu,
            Under::Outside => entry.outside += cpu,
            Under::Unknown | Under::Queued => entry.unclear += cpu,
        }
        self.see(stack, 0);
    }

    /// Whether what comes later is booked without its stack.
    #[must_use]
    pub fn are_full(&self) -> bool {
        self.waits.len() >= KEPT_APART || self.computing.len() >= KEPT_APART
    }

    /// Every place that was waited at.
    pub fn waits(&self) -> impl Iterator<Item = (Place, &Waits)> {
        self.waits.iter().map(|(place, waits)| (*place, waits))
    }

    /// CPU time by process and stack.
    pub fn computing(&self) -> impl Iterator<Item = (i32, StackId, &Computing)> {
        self.computing.iter().map(|((pid, stack), computing)| (*pid, *stack, computing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stack: u32) -> Place {
        Place { site: SiteId(1), stack: StackId(stack) }
    }

    fn places(waits: &[(u32, u64, u64)]) -> Places {
        let mut places = Places::default();
        for (stack, blocked, ended) in waits {
            let payment =
                Payment { site: SiteId(1), blocked: *blocked, ended: *ended, whole: None, progress: 0 };
            places.pay(place(*stack), 1, &payment, None);
        }
        places
    }

    #[test]
    fn waits_too_short_to_be_placed_go_to_the_code_that_waits_most_often() {
        // One long wait, nine short ones that were placed and ten that were not.
        let mut places = places(&[(0, 1000, 10), (1, 5_000_000, 1), (2, 900, 9)]);
        let mut wall = BTreeMap::from([(place(0), 500), (place(1), 5_000_000)]);
        places.share_unseen(&mut wall);
        let found: Vec<_> =
            places.waits().map(|(at, waits)| (at.stack.0, waits.blocked, waits.ended)).collect();
        assert_eq!(found, [(1, 5_000_100, 2), (2, 1800, 18)]);
        assert_eq!(wall, BTreeMap::from([(place(1), 5_000_050), (place(2), 450)]));
    }

    #[test]
    fn any_number_of_processes_takes_bounded_memory_and_loses_no_time() {
        let mut places = Places::default();
        let all = 2 * KEPT_APART as i32;
        (1..=all).for_each(|pid| places.compute(pid, StackId::UNSEEN, Under::Unknown, 3));
        places.compute(1, StackId(1), Under::Unknown, 3);
        assert_eq!(places.computing().count(), KEPT_APART + 1);
        let of = |pid| places.computing().find(|(known, ..)| *known == pid).map(|(.., time)| time.total());
        assert_eq!((of(1), of(all), of(0)), (Some(6), None, Some(3 * KEPT_APART as u64)));
    }

    #[test]
    fn one_wait_that_was_placed_says_nothing_of_a_thousand() {
        let mut places = places(&[(0, 1000, 1000), (1, 5, 1)]);
        places.share_unseen(&mut BTreeMap::new());
        assert_eq!(places.waits().count(), 2);
    }
}
