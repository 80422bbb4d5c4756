//! Follows a program by the records of its switches: reads them in time, keeps the state machine up to date, and leaves a
//! program alone that switches too fast. The edge; what follows from a record is [`switching`](super::switching)'s to know.

use super::governor::{Governor, Order};
use super::source::perf::Refused;
use super::source::perf::events::{Patience, SwitchRecords};
use super::switching::{Ended, Exact, Overlap, Switching, What};
use super::thread_clock::Counters;

/// What is exact of a program.
#[derive(Debug)]
pub(super) struct Following {
    records: SwitchRecords,
    state: Switching,
    governor: Option<Governor>,
    lost: u64,
    /// How often it was left alone.
    pub(super) pauses: u64,
}

impl Following {
    /// Follows a process that has yet to become the command. Times count from `began`, `CLOCK_MONOTONIC` in nanoseconds.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn launch(pid: i32, began: u64, patience: Patience) -> Result<Self, Refused> {
        let records = SwitchRecords::open(&[pid], began, patience)?;
        let mut following = Self::new(records, patience);
        following.state.begin(pid, 0);
        Ok(following)
    }

    /// Follows processes that run already, whose threads `list` names each time it is asked.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn attach(
        mut list: impl FnMut() -> Vec<i32>,
        began: u64,
        patience: Patience,
    ) -> Result<Self, Refused> {
        let mut known = list();
        let records = SwitchRecords::open(&known, began, patience)?;
        let mut following = Self::new(records, patience);
        // Whatever a followed thread starts is followed. What others had started meanwhile is found by looking again.
        loop {
            let news: Vec<i32> = list().into_iter().filter(|tid| !known.contains(tid)).collect();
            if news.is_empty() {
                return Ok(following);
            }
            for tid in &news {
                following.records.add(*tid)?;
            }
            known.extend(news);
        }
    }

    fn new(records: SwitchRecords, patience: Patience) -> Self {
        let governor = (patience == Patience::Limited).then(Governor::default);
        Self { records, state: Switching::default(), governor, lost: 0, pauses: 0 }
    }

    /// Takes in what happened up to now. Returns the processes that appeared, with their parents, and the threads that
    /// ended.
    pub(super) fn advance(&mut self, now: u64) -> (Vec<(i32, i32)>, Vec<Ended>) {
        let (state, governor) = (&mut self.state, &mut self.governor);
        self.records.drain(now, |record| {
            if let (What::Out { .. }, Some(governor)) = (&record.what, governor.as_mut()) {
                governor.count(record.cpu, 1);
            }
            state.take(record);
        });
        let lost = self.records.lost > self.lost;
        self.lost = self.records.lost;
        match self.governor.as_mut().map_or(Order::Nothing, |governor| governor.decide(now, lost)) {
            Order::Nothing => {}
            Order::Pause => {
                self.pauses += 1;
                self.records.pause(true);
                self.state.gap(now);
            }
            Order::Resume => {
                self.records.pause(false);
                self.state.gap(now);
            }
        }
        (self.state.appeared(), self.state.ended())
    }

    /// Whether switches are told at present.
    pub(super) fn is_told(&self) -> bool {
        !self.governor.as_ref().is_some_and(Governor::is_paused)
    }

    /// What is known exactly of a thread.
    pub(super) fn of(&self, tid: i32) -> Option<Exact> {
        self.state.of(tid).filter(|_| self.is_told())
    }

    /// Whether the end of a thread is still to be told.
    pub(super) fn will_tell_the_end_of(&self, tid: i32) -> bool {
        self.is_told() && self.state.knows(tid)
    }

    /// Somebody looked at a thread: the scheduler's counters, those of the look before, and whether it runs or may run.
    pub(super) fn looked(&mut self, (pid, tid): (i32, i32), now: Counters, before: Counters, active: bool) {
        if !self.is_told() {
            if let Some(governor) = &mut self.governor {
                governor.count(0, now.slices.saturating_sub(before.slices));
            }
            return;
        }
        if self.state.of(tid).is_none() {
            if now != before {
                self.state.missed();
            }
            self.state.follow(pid, tid);
            self.state.settle(tid, active);
        }
        self.state.delayed(tid, now.delay);
    }

    /// Somebody looked at a thread that is where it was.
    pub(super) fn rests(&mut self, tid: i32) {
        if self.is_told() {
            self.state.settle(tid, false);
        }
    }

    /// What the program as a whole did since this was asked last; `None`: not known. `is_there`: the threads that were
    /// found.
    pub(super) fn overlap(&mut self, now: u64, is_there: impl Fn(i32) -> bool) -> Option<Overlap> {
        let overlap = self.state.overlap(now).filter(|_| self.is_told());
        if self.state.is_unsettled() {
            self.state.forget(is_there);
        }
        overlap
    }

    /// Descriptors that are spent on it.
    pub(super) fn descriptors(&self) -> usize {
        self.records.descriptors()
    }

    /// Records there was no room for.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
