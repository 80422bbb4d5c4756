//! What the books are told, drawn as slices of time besides, where somebody wants a timeline. Knows what a track is made
//! of; must not book anything.

use super::{Birth, Ledger, Observation, Reading, Seen, SiteId, StackId, ThreadRecord};
use crate::profile::thread_clock::Step;
use crate::profile::tracking::{Interval, Tracking};
use crate::wait::WaitKind;

/// A thread as its clock left it at its last reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    seen: Option<Seen>,
    stack: StackId,
    closed: u64,
    slices: u64,
}

impl Before {
    pub(super) fn of(record: &ThreadRecord) -> Self {
        let clock = &record.clock;
        Self {
            seen: clock.seen(),
            stack: record.stack,
            closed: clock.closed(),
            slices: clock.counters().slices,
        }
    }
}

impl Ledger {
    /// Books that also draw what threads do, for a timeline.
    #[must_use]
    pub fn tracked(mut self) -> Self {
        self.tracking = Some(Tracking::default());
        self
    }

    /// Threads of a process whose names are wanted.
    #[must_use]
    pub fn to_name(&self, pid: i32) -> Vec<i32> {
        self.tracking.as_ref().map(|tracking| tracking.to_name(pid).collect()).unwrap_or_default()
    }

    /// A thread is called so.
    pub fn called(&mut self, tid: i32, name: String) {
        self.note(|| Observation::Called { tid, name: name.clone() });
        if let Some(tracking) = &mut self.tracking {
            tracking.called(tid, name);
        }
    }

    pub(super) fn draw_birth(&mut self, birth: &Birth, done: (u64, u64)) {
        if let Some(tracking) = &mut self.tracking {
            tracking.born(birth.pid, birth.tid, birth.at, done);
        }
    }

    /// Its clock took this reading, and closed an interval.
    pub(super) fn draw_step(&mut self, before: Before, unmoved: u64, step: &Step, reading: &Reading) {
        let for_child = self.is_for_child(before.seen);
        let Some(tracking) = &mut self.tracking else { return };
        let interval = Interval {
            from: before.closed,
            unmoved,
            to: before.closed + step.over,
            cpu: step.cpu,
            delay: step.delay,
            waits: reading.counters.slices.saturating_sub(before.slices),
            before: (before.seen, before.stack),
            now: (Some(reading.seen), reading.stack),
            for_child,
        };
        tracking.passed(reading.tid, &interval);
    }

    /// Its clock has stopped.
    pub(super) fn draw_end(&mut self, before: Before, step: &Step, record: &ThreadRecord) {
        let is_process = record.pid == record.tid;
        let parent = self.processes.get(&record.pid).filter(|_| is_process).map(|process| process.parent);
        let for_child = self.is_for_child(before.seen);
        let Some(tracking) = &mut self.tracking else { return };
        let to = before.closed + step.over;
        let interval = Interval {
            from: before.closed,
            unmoved: to,
            to,
            cpu: step.cpu,
            delay: step.delay,
            waits: 0,
            before: (before.seen, before.stack),
            now: (None, StackId::UNSEEN),
            for_child,
        };
        tracking.passed(record.tid, &interval);
        tracking.gone(record.tid, parent);
    }

    /// The wait a thread is in is one at this site, in this code.
    pub(super) fn draw_renamed(&mut self, tid: i32, site: SiteId, stack: StackId) {
        if let Some(tracking) = &mut self.tracking {
            tracking.renamed(tid, site, stack);
        }
    }

    fn is_for_child(&self, seen: Option<Seen>) -> bool {
        matches!(seen, Some(Seen::Blocked(site)) if self.sites.get(site).key.kind == WaitKind::Child)
    }
}
