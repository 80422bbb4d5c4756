//! What a thread of a process is doing, and if it waits, for what: gathers the evidence the table asks for.

use super::told::evidence;
use super::{BELIEVED_NS, Lookups, Process, ThreadSource, Wait};
use crate::profile::following::Chain;
use crate::profile::ledger::Ledger;
use crate::profile::source::procfs::read_small;
use crate::profile::thread_clock::{Seen, SiteId};
use crate::wait::WaitKind;
use crate::wait::classify::{Call, Means, Reason, Watched, call, classify};

impl Process {
    /// Whether it runs, or where it waits.
    pub(super) fn sight(
        &mut self,
        index: usize,
        at: &Call,
        now: u64,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> Seen {
        let tid = self.threads[index].tid;
        if *at == Call::Running {
            return Seen::Active;
        }
        if let Some(wait) = &self.threads[index].last
            && same_place(&wait.at, at)
            && now < wait.since + BELIEVED_NS
            && !wait.unnamed
        {
            return Seen::Blocked(wait.site);
        }
        let Some((reason, fan)) = self.reason(tid, at, None, now, lookups) else {
            // Neither running nor waiting for anything known. A hidden call is told from the state alone.
            let state = self.thread_stat(tid).map(|stat| stat.state);
            if *at == Call::Hidden {
                lookups.hidden += 1;
            }
            return if state == Some('R') { Seen::Active } else { Seen::Blocked(SiteId::UNKNOWN) };
        };
        Seen::Blocked(self.waits(index, at, now, &reason, fan, ledger))
    }

    pub(super) fn waits(
        &mut self,
        index: usize,
        at: &Call,
        since: u64,
        reason: &Reason,
        fan: u32,
        ledger: &mut Ledger,
    ) -> SiteId {
        let site = ledger.site(self.pid, place(at, reason), reason, fan);
        let serves = reason.kind == WaitKind::Idle && reason.external;
        let unnamed = reason.is_unnamed();
        self.threads[index].last = Some(Wait { at: *at, site, kind: reason.kind, since, unnamed, serves });
        site
    }

    /// A thread still waits on a connection that was too young to be named: asks again, and lets the books know.
    pub(super) fn name_wait(&mut self, index: usize, now: u64, lookups: &mut Lookups, ledger: &mut Ledger) {
        let (tid, Some(wait)) = (self.threads[index].tid, self.threads[index].last) else { return };
        match self.reason(tid, &wait.at, None, now, lookups) {
            Some((reason, fan)) if !reason.is_unnamed() => {
                let site = self.waits(index, &wait.at, now, &reason, fan, ledger);
                ledger.named(tid, site);
            }
            _ => {}
        }
    }

    /// Gathers the evidence the table asks for, and no more. `told`: the thread need not be there any more, but the kernel
    /// told where it waited.
    pub(super) fn reason(
        &mut self,
        tid: i32,
        at: &Call,
        told: Option<&Chain>,
        now: u64,
        lookups: &mut Lookups,
    ) -> Option<(Reason, u32)> {
        let mut evidence = told.map(evidence).unwrap_or_default();
        let mut fan = 0;
        let means = match at {
            Call::Inside { number, .. } => call(*number).map(|(_, means)| means),
            _ => None,
        };
        match (means, at) {
            (Some(Means::Descriptor | Means::Accept), Call::Inside { args, .. }) => {
                evidence.target = lookups.descriptors.target(self.pid, args[0] as i32, &lookups.pids, now);
            }
            (Some(Means::Futex), Call::Inside { args, .. }) => {
                evidence.semaphore_locks = self.semaphore_locks;
                if tid == self.pid && self.semaphore_locks {
                    // The housekeeping of a server does not make it a sleeper.
                    let serves = |thread: &ThreadSource| thread.last.is_some_and(|wait| wait.serves);
                    let times_out = match told {
                        Some(_) => self.timeouts.are_sleeps(args),
                        None => self.timeouts.waits(self.memory.as_ref(), args),
                    };
                    evidence.times_out = times_out && !self.threads.iter().any(serves);
                }
                if let Some(interpreter) = self.interpreter.as_mut().filter(|known| known.contains(args[0])) {
                    interpreter.waiter_at(args[0]);
                    evidence.interpreter_lock = true;
                }
            }
            (Some(Means::Poll | Means::Select | Means::Epoll), _) => {
                let watched =
                    lookups.descriptors.watched(self.pid, at, self.memory.as_ref(), &lookups.pids, now);
                fan = watched.as_ref().map_or(0, Watched::connections);
                evidence.watched = watched;
            }
            (Some(Means::Sleep | Means::Child | Means::Batch | Means::Signal | Means::FileSystem), _) => {}
            _ if told.is_some() => {}
            _ => {
                evidence.state = self.thread_stat(tid).map(|stat| stat.state);
                evidence.wchan = self.wchan(tid);
            }
        }
        let asks = matches!(means, Some(Means::Descriptor | Means::Accept));
        if evidence.target.is_none() && asks && told.is_none() {
            evidence.wchan = self.wchan(tid);
        }
        classify(at, &evidence).map(|reason| (reason, fan))
    }

    /// The kernel function a thread sleeps in.
    fn wchan(&self, tid: i32) -> Option<String> {
        let text = read_small(format!("/proc/{}/task/{tid}/wchan", self.pid).as_ref()).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Where in the program a wait is counted for: those for the interpreter lock are all one.
pub(super) fn place(at: &Call, reason: &Reason) -> u64 {
    if reason.kind == WaitKind::Gil { 0 } else { at.pc().unwrap_or(0) }
}

/// The same call at the same place: what it waits for need not be looked up again.
fn same_place(before: &Call, at: &Call) -> bool {
    match (before, at) {
        (Call::Inside { number, args, sp, pc }, Call::Inside { number: n, args: a, sp: s, pc: p }) => {
            (number, args[0], sp, pc) == (n, a[0], s, p)
        }
        _ => false,
    }
}
