//! What threads waited for, as the kernel told of every wait: from its call chains and registers to blocking points. A wait
//! that is over has left nothing to be looked at but descriptors and memory, which stay what they are for a while.

use super::reasons::place;
use super::{BELIEVED_NS, Lookups, Process};
use crate::profile::following::Chain;
use crate::profile::ledger::Ledger;
use crate::profile::switching::{Waits, Why};
use crate::profile::thread_clock::{SiteId, Told};
use crate::wait::classify::{Call, Evidence, classify};

/// Places remembered of one process.
const REMEMBERED: usize = 4096;
/// A connection that has no name yet may have one after this long, nanoseconds.
const UNNAMED_NS: u64 = 10_000_000;

/// What a wait of this chain, with these registers, is in.
fn call(chain: &Chain, why: &Why) -> Call {
    let Why { args, sp, pc, .. } = *why;
    match chain.call {
        _ if chain.faults => Call::Outside { sp, pc },
        // Nothing is known of the registers of 32-bit programs.
        Some(_) if pc == 0 => Call::Hidden,
        Some(number) => Call::Inside { number, args, sp, pc },
        None => Call::Hidden,
    }
}

/// Whether a thread that was seen in this call was in this very wait, or in one just like it.
fn is_there(at: &Call, why: &Why) -> bool {
    match at {
        Call::Inside { args, sp, pc, .. } => (args[0], *sp, *pc) == (why.args[0], why.sp, why.pc),
        _ => false,
    }
}

/// What the chain says beside.
pub(super) fn evidence(chain: &Chain) -> Evidence {
    let wchan = chain.function.as_deref().map(str::to_owned);
    // Whoever waits in a fault cannot be interrupted.
    Evidence { wchan, state: chain.faults.then_some('D'), ..Evidence::default() }
}

impl Process {
    /// What a thread waited for, as far as it can be told; nothing, if sightings must tell.
    pub(super) fn told(
        &mut self,
        tid: i32,
        waits: Vec<Waits>,
        now: u64,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> Vec<Told> {
        tell(waits, lookups, |why, time, lookups| self.told_site(tid, (why, time), now, lookups, ledger))
    }

    /// Where a thread waited that was told to have waited so, for so long; `None`: what the kernel's functions are called is
    /// not known yet.
    pub(in crate::profile) fn told_site(
        &mut self,
        tid: i32,
        (why, time): (&Why, u64),
        now: u64,
        lookups: &mut Lookups,
        ledger: &mut Ledger,
    ) -> Option<SiteId> {
        let key = (why.chain, why.pc, why.args[0]);
        if let Some((site, _)) = self.told_sites.get(&key).filter(|(_, until)| now < *until) {
            return Some(*site);
        }
        // Whoever looked at the thread while it waited there knows more: what tasks wait for, what a connection is called.
        // A single long wait was looked at when it began.
        let seen = self.threads.iter().find(|thread| thread.tid == tid).and_then(|thread| thread.last);
        let seen = seen.filter(|wait| is_there(&wait.at, why) && now < wait.since + time + BELIEVED_NS);
        let (site, until) = match seen {
            Some(wait) if !wait.unnamed => (wait.site, now + BELIEVED_NS),
            _ => {
                let chain = lookups.following.as_mut()?.chain(why)?;
                let at = call(&chain, why);
                let Some((reason, fan)) = self.reason(tid, &at, Some(&chain), now, lookups) else {
                    lookups.following.as_mut()?.is_unknown(&chain, time);
                    return Some(SiteId::UNKNOWN);
                };
                let believed = if reason.is_unnamed() { UNNAMED_NS } else { BELIEVED_NS };
                (ledger.site(self.pid, place(&at, &reason), &reason, fan), now + believed)
            }
        };
        if self.told_sites.len() >= REMEMBERED {
            self.told_sites.clear();
        }
        self.told_sites.insert(key, (site, until));
        Some(site)
    }
}

/// What a thread waited for whose process has ended before anybody looked at it: its descriptors are gone.
pub(in crate::profile) fn told_of_the_gone(
    pid: i32,
    waits: Vec<Waits>,
    lookups: &mut Lookups,
    ledger: &mut Ledger,
) -> Vec<Told> {
    tell(waits, lookups, |why, time, lookups| told_site_of_the_gone(pid, (why, time), lookups, ledger))
}

/// As [`Process::told_site`], of a thread whose process has ended.
pub(in crate::profile) fn told_site_of_the_gone(
    pid: i32,
    (why, time): (&Why, u64),
    lookups: &mut Lookups,
    ledger: &mut Ledger,
) -> Option<SiteId> {
    let following = lookups.following.as_mut()?;
    let chain = following.chain(why)?;
    let at = call(&chain, why);
    let Some(reason) = classify(&at, &evidence(&chain)) else {
        following.is_unknown(&chain, time);
        return Some(SiteId::UNKNOWN);
    };
    Some(ledger.site(pid, place(&at, &reason), &reason, 0))
}

/// Finds each wait its site. Those that have none, as the kernel was not asked meanwhile, are taken for what the others
/// were; if there are no others, sightings must tell.
fn tell(
    waits: Vec<Waits>,
    lookups: &mut Lookups,
    mut site: impl FnMut(&Why, u64, &mut Lookups) -> Option<SiteId>,
) -> Vec<Told> {
    let (mut told, mut untold) = (Vec::new(), Waits::default());
    for Waits { why, time, ended, quiet, progress, lengths } in waits {
        if let Some(site) = why.and_then(|why| site(&why, time, lookups)) {
            told.push(Told { site, time, ended, quiet, progress, lengths });
        } else {
            untold.time += time;
            untold.ended += ended;
            untold.quiet += quiet;
            untold.progress += progress;
        }
    }
    let known: u64 = told.iter().map(|told| told.time).sum();
    if let Some(following) = &mut lookups.following {
        following.has_told(known, untold.time);
    }
    if known == 0 {
        return Vec::new();
    }
    let mut before = 0;
    for wait in &mut told {
        let own = wait.time;
        // Parts of a whole that add up to it.
        let part = |whole: u64| {
            let until = |weight: u64| (u128::from(whole) * u128::from(weight) / u128::from(known)) as u64;
            until(before + own) - until(before)
        };
        wait.time += part(untold.time);
        wait.ended += part(untold.ended);
        wait.quiet += part(untold.quiet);
        wait.progress += part(untold.progress);
        before += own;
    }
    told
}
