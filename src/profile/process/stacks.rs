//! The call stacks of a process's threads, at the moment of a reading.

use super::{Lookups, Process};
use crate::profile::ledger::Ledger;
use crate::profile::source::procfs::parse_schedstat;
use crate::profile::stack::StackId;
use crate::profile::thread_clock::Counters;

impl Process {
    /// The stack a thread is in. `waits`: it was seen blocked with these counters; a stack read after it went on would be
    /// that of something else.
    pub(super) fn stack(
        &mut self,
        index: usize,
        waits: Option<Counters>,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> StackId {
        let Some(memory) = &self.memory else { return StackId::UNSEEN };
        if !self.callers.can_read(memory) {
            return StackId::UNSEEN;
        }
        let thread = &self.threads[index];
        let mut stack = self.callers.stack(memory, thread.tid, ledger.stacks(), &mut lookups.stack_reads);
        if let Some(counters) = waits {
            let mut buffer = [0u8; 96];
            let now = thread.schedstat.read(&mut buffer).ok().and_then(parse_schedstat);
            stack = stack.filter(|_| now == Some(counters));
        }
        self.threads[index].unplaced = waits.is_some() && stack.is_none();
        stack.unwrap_or(StackId::UNSEEN)
    }

    /// A thread still waits in a stack that could not be read when the wait was seen first: reads it now, and lets the
    /// books know.
    pub(super) fn place_wait(&mut self, index: usize, lookups: &mut Lookups, ledger: &mut Ledger) {
        let (tid, counters) = (self.threads[index].tid, self.threads[index].counters);
        let stack = self.stack(index, Some(counters), lookups, ledger);
        if stack != StackId::UNSEEN {
            ledger.placed(tid, stack);
        }
    }
}
