//! The call stacks of a process's threads, at the moment of a reading.

use super::{Lookups, Process};
use crate::profile::callers::Callers;
use crate::profile::ledger::Ledger;
use crate::profile::source::procfs::parse_schedstat;
use crate::profile::stack::StackId;
use crate::profile::thread_clock::{Counters, Seen};
use crate::wait::WaitKind;
use crate::wait::classify::{Call, Reason};

/// CPU time from which native threads are looked at while they run, nanoseconds.
const WORTH_SAMPLING: u64 = 50_000_000;

impl Process {
    /// The stack a thread is in. `waits`: it was seen blocked with these counters; a stack read after it went on would be
    /// that of something else.
    pub(super) fn stack(
        &mut self,
        index: usize,
        at: &Call,
        waits: Option<Counters>,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> StackId {
        let Some(memory) = &self.memory else { return StackId::UNSEEN };
        if !self.callers.can_read(memory, &mut lookups.stack_reads) {
            return StackId::UNSEEN;
        }
        let thread = &self.threads[index];
        let mut stack = self.callers.stack(
            memory,
            (thread.inner, at, waits.is_some()),
            (&mut lookups.images, ledger.stacks()),
            &mut lookups.stack_reads,
        );
        if let Some(counters) = waits {
            let mut buffer = [0u8; 96];
            let now = thread.schedstat.read(&mut buffer).ok().and_then(parse_schedstat);
            stack = stack.filter(|_| now == Some(counters));
        }
        self.threads[index].unplaced = waits.is_some() && stack.is_none();
        if let (Some(stack), Some(tasks)) = (stack, self.callers.tasks_waiting()) {
            ledger.tasks(stack, tasks.count.round() as u32);
        }
        stack.unwrap_or(StackId::UNSEEN)
    }

    /// What an event loop waits for, corrected by what its tasks do: connections that are open say nothing while every
    /// task only waits for time to pass, and what was believed of the last wait need not hold for this one.
    pub(super) fn told_by_tasks(
        &mut self,
        index: usize,
        seen: Seen,
        now: u64,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> Seen {
        let (Seen::Blocked(site), Some(tasks)) = (seen, self.callers.tasks_waiting()) else { return seen };
        let Some(wait) = self.threads[index].last.filter(|wait| wait.site == site) else { return seen };
        let told = match (wait.kind, tasks.for_time) {
            (WaitKind::Network, true) | (WaitKind::Sleep, false) => {
                self.reason(self.threads[index].tid, &wait.at, None, now, lookups)
            }
            _ => None,
        };
        let Some((mut reason, fan)) = told.filter(|(reason, _)| reason.event_loop) else { return seen };
        if tasks.for_time && reason.kind == WaitKind::Network {
            reason = Reason { kind: WaitKind::Sleep, resource: None, ..reason };
        }
        Seen::Blocked(self.waits(index, &wait.at, now, &reason, fan, ledger))
    }

    /// A thread still waits in a stack that could not be read when the wait was seen first: reads it now, and lets the
    /// books know.
    pub(super) fn place_wait(&mut self, index: usize, lookups: &mut Lookups, ledger: &mut Ledger) {
        let thread = &self.threads[index];
        let (tid, counters) = (thread.tid, thread.counters);
        let at = thread.last.map_or(Call::Hidden, |wait| wait.at);
        let stack = self.stack(index, &at, Some(counters), lookups, ledger);
        if stack != StackId::UNSEEN {
            ledger.placed(tid, stack);
        }
    }

    /// Lets the books know where threads were seen running since the last round.
    pub(super) fn place_running(&mut self, lookups: &mut Lookups, ledger: &mut Ledger) {
        let mut found = Vec::new();
        let places = (&mut lookups.images, ledger.stacks());
        self.callers.drain(self.memory.as_ref(), places, &mut lookups.stack_reads, &mut found);
        found.sort_by_key(|(tid, _)| *tid);
        for samples in found.chunk_by(|(one, _), (other, _)| one == other) {
            let stacks: Vec<StackId> = samples.iter().map(|(_, stack)| *stack).collect();
            ledger.sampled(samples[0].0, &stacks);
        }
    }

    /// Begins to look at threads while they run, once they have computed enough to be worth it.
    pub(super) fn sample_running(&mut self, lookups: &mut Lookups) {
        let computed: u64 = self.threads.iter().map(|thread| thread.counters.run).sum();
        if computed < WORTH_SAMPLING || lookups.samplers_left == 0 || !self.callers.wants_sampler() {
            return;
        }
        let tids: Vec<i32> = self.threads.iter().map(|thread| thread.tid).collect();
        self.callers.sample(&tids, &mut lookups.stack_reads);
        lookups.samplers_left -= usize::from(self.callers.are_sampled());
    }

    /// Its code is gone; another process's threads may be looked at in its place.
    pub(super) fn forget_callers(&mut self, lookups: &mut Lookups) {
        lookups.samplers_left += usize::from(self.callers.are_sampled());
        self.callers = Callers::default();
    }
}
