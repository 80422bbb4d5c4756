//! The wall book: what the *program* was doing at each moment of wall time. Pure.
//!
//! Time is cut into spans that end when some thread moved. Within a span:
//!
//! 1. A part was *active*: at least one thread ran. Totals per thread are exact; how far they overlapped is bounded
//!    by the largest (they all coincided) and the sum (they took turns). Threads under one interpreter lock take turns
//!    and CPUs that are all busy leave no gap; for the rest, random sightings tell: the share of them with anybody
//!    active, over the mean number active, is the share of the sum that does not overlap. Until there are enough
//!    sightings, threads count as independent.
//! 2. Of the rest, *runnable* as long as the longest run-queue delay.
//! 3. What remains is quiet: everybody waited. It belongs to the wait whose end let the program go on, so it is
//!    charged to the waits that threads came out of, in proportion to the CPU they used afterwards: a poll that looks
//!    and sleeps again gets next to nothing, the answer that starts the next piece of work gets it all.
//!    Waits that only another thread of the program can end explain a quiet period only if no external one does.

use std::collections::{BTreeMap, VecDeque};

use super::history::{Doing, History};
use super::observation::HostShare;
use super::places::Place;
use super::thread_clock::SiteId;

/// A thread that ran or was delayed during a span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mover {
    /// Length of its own interval, nanoseconds: longer than the span if it did not move for a while.
    pub over: u64,
    /// Nanoseconds on a CPU.
    pub run: u64,
    /// Nanoseconds runnable.
    pub delay: u64,
    /// The interpreter lock it runs under, and the share of its CPU that is under it.
    pub lock: Option<(u32, f64)>,
}

/// A wait somebody came out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Which.
    pub place: Place,
    /// CPU used afterwards, nanoseconds.
    pub progress: u64,
    /// How long it was, nanoseconds: it explains no more quiet time than that.
    pub blocked: u64,
    /// See [`crate::wait::classify::Reason::external`].
    pub external: bool,
}

/// How the active part of a span is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contention {
    /// Nothing queued for an interpreter lock, or others ran beside its holder.
    Free,
    /// Threads queued for the interpreter lock while only one ran.
    Serialised,
}

/// Time that was collected so far; nanoseconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WallTotals {
    /// At least one thread ran.
    pub cpu: u64,
    /// One thread ran, others queued for its interpreter lock.
    pub gil: u64,
    /// Nobody ran, somebody could have.
    pub runnable: u64,
    /// Of that, what the host of the machine took from whoever would have run, as far as it is known.
    pub stolen: u64,
    /// Quiet time by the wait that explains it.
    pub waits: BTreeMap<Place, u64>,
    /// Nanoseconds with 0, 1, 2, … threads running.
    pub running: Vec<u64>,
    /// The same, by when it was.
    pub history: History,
}

impl WallTotals {
    /// Quiet time by blocking point, whoever got there.
    #[must_use]
    pub fn by_site(&self) -> BTreeMap<SiteId, u64> {
        let mut sums = BTreeMap::new();
        for (place, time) in &self.waits {
            *sums.entry(place.site).or_default() += time;
        }
        sums
    }

    /// Everything together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cpu + self.gil + self.runnable + self.waits.values().sum::<u64>()
    }
}

/// How long quiet time is collected before it is charged: long enough that a rare poll does not decide alone.
const CHARGE_AFTER: u64 = 200_000_000;
/// How long a thread that is ready to run, and may yet turn out to have been all the time, can put that off.
const CHARGE_AT_LAST: u64 = 2_000_000_000;

/// How late the counters may be: two ticks of the slowest clock.
const LAG: u64 = 20_000_000;
/// Weight of the past in what sightings tell of overlap: about the last hundred count.
const MEMORY: f64 = 0.99;
/// Sightings with somebody active before they are believed.
const BELIEVED: f64 = 10.0;

/// How far threads ran at the same time, from random sightings.
#[derive(Debug, Clone, Copy, Default)]
struct Overlap {
    any: f64,
    sum: f64,
}

impl Overlap {
    fn observe(&mut self, active: usize) {
        self.any = self.any * MEMORY + f64::from(u8::from(active > 0));
        self.sum = self.sum * MEMORY + active as f64;
    }

    /// Share of the summed running time that does not overlap; `None`: not known yet.
    fn apart(self) -> Option<f64> {
        (self.any >= BELIEVED).then(|| self.any / self.sum)
    }
}

/// Quiet time of one span, not charged yet; nanoseconds since the beginning.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    began: u64,
    ended: u64,
    time: u64,
}

/// The state of the wall book.
#[derive(Debug, Clone)]
pub struct WallClock {
    cpus: f64,
    open: u64,
    quiet: u64,
    credits: BTreeMap<Place, Credit>,
    /// Uncharged quiet time, the oldest first: counters that lag may yet turn it into something else.
    recent: VecDeque<Quiet>,
    /// Time that went by, nanoseconds.
    now: u64,
    /// CPU time and run-queue time of the span that follows, from counters that were read long after the nominal end
    /// of theirs: a large executable had to be examined first, or nobody gave us a CPU.
    ahead: (u64, u64),
    /// Time with somebody active since it was last told what the host took, and when that was.
    computed: u64,
    asked: u64,
    /// Threads active at the last sighting.
    active: usize,
    overlap: Overlap,
    totals: WallTotals,
}

impl WallClock {
    /// A book for a program that may use `cpus` CPUs.
    #[must_use]
    pub fn new(cpus: f64) -> Self {
        Self {
            cpus: cpus.max(1.0),
            open: 0,
            quiet: 0,
            credits: BTreeMap::new(),
            recent: VecDeque::new(),
            now: 0,
            ahead: (0, 0),
            computed: 0,
            asked: 0,
            active: 0,
            overlap: Overlap::default(),
            totals: WallTotals::default(),
        }
    }

    /// Adds a wait that somebody came out of.
    pub fn credit(&mut self, credit: Credit) {
        let entry = self.credits.entry(credit.place).or_insert(Credit { progress: 0, blocked: 0, ..credit });
        entry.progress += credit.progress.max(1);
        entry.blocked = entry.blocked.saturating_add(credit.blocked);
    }

    /// A random moment at which this many threads were active.
    pub fn observe(&mut self, active: usize) {
        self.active = active;
        self.overlap.observe(active);
    }

    /// `elapsed` nanoseconds went by, in which these threads moved.
    pub fn round(&mut self, elapsed: u64, movers: &[Mover], contention: Contention) {
        self.open += elapsed;
        self.now += elapsed;
        if movers.is_empty() || self.open == 0 {
            return;
        }
        let span = std::mem::take(&mut self.open);
        let (ran_ahead, queued_ahead) = std::mem::take(&mut self.ahead);
        self.revoke_late(span, movers);

        let active = (active_time(span, movers, self.cpus, self.overlap.apart()) + ran_ahead).min(span);
        let began = self.now - span;
        let doing = match contention {
            Contention::Free => {
                self.totals.cpu += active;
                Doing::Running
            }
            Contention::Serialised => {
                self.totals.gil += active;
                Doing::Serialised
            }
        };
        self.totals.history.add(began, self.now, doing, active);
        self.computed += active;
        let sum: u64 = movers.iter().map(|mover| mover.run.min(span)).sum();
        self.count_running(span - active, active, sum as f64);
        let delay = movers.iter().map(|mover| mover.delay).max().unwrap_or(0);
        let runnable = (delay + queued_ahead).min(span - active);
        self.totals.runnable += runnable;
        self.totals.history.add(began, self.now, Doing::Runnable, runnable);
        let quiet = span - active - runnable;
        self.quiet += quiet;
        if quiet > 0 {
            self.recent.push_back(Quiet { began, ended: self.now, time: quiet });
        }
        if self.quiet >= CHARGE_AFTER && (self.active == 0 || self.quiet >= CHARGE_AT_LAST) {
            self.charge(LAG);
        }
    }

    /// The host gave CPUs to others while they had something to do. No counter of a thread knows of that time, so it looked
    /// quiet. Whoever computed lost as much of it as all that the machine computed: not more than there was.
    pub fn stolen(&mut self, HostShare { stolen, used }: HostShare) {
        let (computed, since) = (std::mem::take(&mut self.computed), self.asked);
        self.asked = self.now;
        let share = stolen as f64 / used.max(stolen).max(1) as f64;
        let taken = self.take_back((computed as f64 * share) as u64, since, Doing::Runnable);
        self.totals.runnable += taken;
        self.totals.stolen += taken;
    }

    /// Time that the counters book too late for the spans it belongs to: CPU time up to two ticks, and a delay in the
    /// run queue only when it is over. Meanwhile the spans looked quiet.
    fn revoke_late(&mut self, span: u64, movers: &[Mover]) {
        let late = movers.iter().map(|mover| mover.run.saturating_sub(span)).max().unwrap_or(0);
        let ran = self.take_back(late.min(LAG), self.now.saturating_sub(span + LAG), Doing::Running);
        self.totals.cpu += ran;
        if ran > 0 {
            self.count_running(0, ran, ran as f64);
            self.totals.running[0] = self.totals.running[0].saturating_sub(ran);
        }
        let mut queued = 0;
        if let Some(longest) = movers.iter().max_by_key(|mover| mover.run + mover.delay) {
            let late = longest.delay.min((longest.run + longest.delay).saturating_sub(span));
            let began = longest.over.max(longest.run + longest.delay);
            queued = self.take_back(late, self.now.saturating_sub(began), Doing::Runnable);
            self.totals.runnable += queued;
        }
        let beyond = |mover: &Mover| {
            let own = mover.over.max(span);
            let run = mover.run.saturating_sub(own);
            let delay = (mover.run + mover.delay).saturating_sub(own + run);
            (run.saturating_sub(ran), delay.saturating_sub(queued))
        };
        self.ahead = movers.iter().map(beyond).max_by_key(|(run, delay)| run + delay).unwrap_or_default();
    }

    /// Takes up to `amount` of the quiet time that lies after `since`, the latest first: in truth, this was done then.
    fn take_back(&mut self, amount: u64, since: u64, doing: Doing) -> u64 {
        let mut left = amount;
        while left > 0
            && let Some(quiet) = self.recent.back_mut().filter(|quiet| quiet.ended > since)
        {
            let moved = left.min(quiet.time);
            quiet.time -= moved;
            left -= moved;
            self.totals.history.add(quiet.began, quiet.ended, doing, moved);
            if quiet.time == 0 {
                self.recent.pop_back();
            }
        }
        self.quiet -= amount - left;
        amount - left
    }

    fn count_running(&mut self, none: u64, active: u64, sum: f64) {
        let mean = if active == 0 { 0.0 } else { (sum / active as f64).max(1.0) };
        let low = mean.floor() as usize;
        if self.totals.running.len() < low + 2 {
            self.totals.running.resize(low + 2, 0);
        }
        let upper = ((mean - mean.floor()) * active as f64) as u64;
        self.totals.running[0] += none;
        self.totals.running[low] += active - upper.min(active);
        self.totals.running[low + 1] += upper.min(active);
    }

    /// Charges the quiet time: waits that something outside the program ended first, then the others; each group by the
    /// CPU used afterwards, no wait with more than it took. What nothing explains yet stays for later waits. Of
    /// what waits took and did not show as quiet time, `kept` explains later quiet time, if nothing else does: it shows
    /// late where counters do.
    fn charge(&mut self, kept: u64) {
        let credits = std::mem::take(&mut self.credits);
        let (external, internal): (Vec<_>, Vec<_>) =
            credits.into_values().partition(|credit| credit.external);
        for mut claims in [external, internal] {
            while self.quiet > 0 && !claims.is_empty() {
                self.share_out(&mut claims);
            }
            let left = |claim: Credit| Credit { progress: 1, blocked: claim.blocked.min(kept), ..claim };
            self.credits.extend(claims.into_iter().map(|claim| (claim.place, left(claim))));
        }
    }

    /// Gives each claim its share of the quiet time or all it can explain, and drops those that are satisfied.
    fn share_out(&mut self, claims: &mut Vec<Credit>) {
        let (quiet, sum) = (self.quiet, claims.iter().map(|claim| claim.progress as f64).sum::<f64>());
        let last = claims.len() - 1;
        for (i, claim) in claims.iter_mut().enumerate() {
            let fair =
                if i == last { self.quiet } else { (quiet as f64 * claim.progress as f64 / sum) as u64 };
            let share = fair.min(claim.blocked).min(self.quiet);
            claim.blocked -= share;
            if share > 0 {
                *self.totals.waits.entry(claim.place).or_default() += share;
            }
            self.settle(share, claim.place.site);
        }
        claims.retain(|claim| claim.blocked > 0);
    }

    /// Quiet time that is charged can no longer be taken back; the oldest goes first.
    fn settle(&mut self, charged: u64, to: SiteId) {
        self.quiet -= charged;
        let mut left = charged;
        while left > 0
            && let Some(quiet) = self.recent.front_mut()
        {
            let settled = left.min(quiet.time);
            quiet.time -= settled;
            left -= settled;
            self.totals.history.add(quiet.began, quiet.ended, Doing::Waiting(to), settled);
            if quiet.time == 0 {
                self.recent.pop_front();
            }
        }
    }

    /// The recording ends while threads are in these waits. What nobody came out of any more is charged to them.
    #[must_use]
    pub fn finish(mut self, current: &[Credit]) -> WallTotals {
        // The last span is still open: it may be just what the waits that are over took.
        self.charge(u64::MAX);
        let open = self.open;
        self.quiet += open;
        self.recent.push_back(Quiet { began: self.now - open, ended: self.now, time: open });
        self.count_running(open, 0, 0.0);
        for credit in current {
            self.credit(*credit);
        }
        self.charge(0);
        if self.quiet > 0 {
            *self.totals.waits.entry(Place::UNKNOWN).or_default() += self.quiet;
            self.settle(self.quiet, SiteId::UNKNOWN);
        }
        self.totals
    }
}

/// Time of a span in which at least one thread ran, nanoseconds.
fn active_time(span: u64, movers: &[Mover], cpus: f64, apart: Option<f64>) -> u64 {
    let length = span as f64;
    let mut under_lock: BTreeMap<u32, f64> = BTreeMap::new();
    let mut idle = 1.0;
    let mut largest: f64 = 0.0;
    let mut sum = 0.0;
    for mover in movers {
        let run = (mover.run as f64 / length).min(1.0);
        sum += run;
        largest = largest.max(run);
        let free = match mover.lock {
            Some((lock, share)) => {
                *under_lock.entry(lock).or_default() += run * share;
                run * (1.0 - share)
            }
            None => run,
        };
        idle *= 1.0 - free;
    }
    for run in under_lock.into_values() {
        let run = run.min(1.0);
        largest = largest.max(run);
        idle *= 1.0 - run;
    }
    let crowd = (sum / cpus).min(1.0);
    // With sightings, the CPUs only set the floor: all of it packed as densely as they allow.
    let spread = match apart {
        Some(apart) => (apart * sum).max(crowd),
        None => (1.0 - idle).max(1.0 - (1.0 - crowd).powf(cpus)),
    };
    let active = spread.max(largest).min(sum).min(1.0);
    ((active * length) as u64).min(span)
}

#[cfg(test)]
mod tests;
