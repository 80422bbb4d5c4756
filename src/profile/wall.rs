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
//!    Waits that only another thread of the program can end explain a quiet period only if no external one does, and none
//!    that began when they were over.
//!
//! Where the kernel told of every switch of a span, the first two are not estimated: see [`WallClock::exactly`]. Where it told
//! who woke whom as well, nor is the third: see [`WallClock::chained`].

mod both;

use std::collections::{BTreeMap, VecDeque};

pub use self::both::Both;
use super::history::{Doing, History};
use super::observation::HostShare;
use super::places::Place;
use super::stack::StackId;
use super::switching::Overlap;
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
    /// Time of which every switch is known.
    pub exact: u64,
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
struct Sightings {
    any: f64,
    sum: f64,
}

impl Sightings {
    fn observe(&mut self, active: usize) {
        self.any = self.any * MEMORY + f64::from(u8::from(active > 0));
        self.sum = self.sum * MEMORY + active as f64;
    }

    /// Share of the summed running time that does not overlap; `None`: not known yet.
    fn apart(self) -> Option<f64> {
        (self.any >= BELIEVED).then(|| self.any / self.sum)
    }
}

/// What waits at one place may explain.
#[derive(Debug, Clone, Copy)]
struct Claim {
    credit: Credit,
    /// When the last of them was over, nanoseconds since the beginning.
    until: u64,
}

/// Quiet time of one span, not charged yet; nanoseconds since the beginning.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    began: u64,
    ended: u64,
    time: u64,
    /// What lies before has been charged.
    open_from: u64,
}

/// The state of the wall book.
#[derive(Debug, Clone)]
pub struct WallClock {
    cpus: f64,
    open: u64,
    quiet: u64,
    claims: BTreeMap<Place, Claim>,
    /// Those of the span that is going on, and so are not over before it is.
    fresh: Vec<Place>,
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
    overlap: Sightings,
    /// What the switches up to now tell of the open span, if all are known.
    exact: Option<Overlap>,
    /// Whether they told of the span before; and what moved since then without a round.
    is_exact: bool,
    held: Vec<Mover>,
    /// How quiet time divides up to now, as who woke whom tells; `None`: nobody tells.
    chain: Option<Vec<(SiteId, u64)>>,
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
            claims: BTreeMap::new(),
            fresh: Vec::new(),
            recent: VecDeque::new(),
            now: 0,
            ahead: (0, 0),
            computed: 0,
            asked: 0,
            active: 0,
            overlap: Sightings::default(),
            exact: None,
            is_exact: false,
            held: Vec::new(),
            chain: None,
            totals: WallTotals::default(),
        }
    }

    /// Adds a wait that somebody came out of.
    pub fn credit(&mut self, credit: Credit) {
        let none = Credit { progress: 0, blocked: 0, ..credit };
        let claim = self.claims.entry(credit.place).or_insert(Claim { credit: none, until: self.now });
        claim.credit.progress = claim.credit.progress.saturating_add(credit.progress.max(1));
        claim.credit.blocked = claim.credit.blocked.saturating_add(credit.blocked);
        self.fresh.push(credit.place);
    }

    /// So much time went by; whoever came out of a wait did so in it.
    fn pass(&mut self, elapsed: u64) {
        self.open += elapsed;
        self.now += elapsed;
        for place in self.fresh.drain(..) {
            if let Some(claim) = self.claims.get_mut(&place) {
                claim.until = self.now;
            }
        }
    }

    /// A random moment at which this many threads were active.
    pub fn observe(&mut self, active: usize) {
        self.active = active;
        self.overlap.observe(active);
    }

    /// The next round closes a span of which every switch is known: this is what they say.
    pub fn exactly(&mut self, overlap: Overlap) {
        self.exact = Some(overlap);
    }

    /// The next round closes a span up to which quiet time divides so, as far as it was not divided before. What is left is
    /// that of waits in progress.
    pub fn chained(&mut self, waits: Vec<(SiteId, u64)>) {
        self.chain.get_or_insert_default().extend(waits);
    }

    /// Between two rounds, `elapsed` nanoseconds went by, in which these threads moved.
    pub fn between(&mut self, elapsed: u64, movers: &[Mover], contention: Contention) {
        if self.is_exact {
            // The next round may know it exactly.
            self.pass(elapsed);
            self.held.extend_from_slice(movers);
        } else {
            self.round(elapsed, movers, contention);
        }
    }

    /// `elapsed` nanoseconds went by, in which these threads moved.
    pub fn round(&mut self, elapsed: u64, movers: &[Mover], contention: Contention) {
        self.pass(elapsed);
        let held = std::mem::take(&mut self.held);
        let overlap = self.exact.take();
        self.is_exact = overlap.is_some();
        match overlap {
            Some(overlap) => self.close_exactly(&overlap, contention),
            None if held.is_empty() => self.estimate(movers, contention),
            None => self.estimate(&[held.as_slice(), movers].concat(), contention),
        }
    }

    /// The open span, as its switches tell it.
    fn close_exactly(&mut self, overlap: &Overlap, contention: Contention) {
        let span = std::mem::take(&mut self.open);
        self.ahead = (0, 0);
        self.totals.exact += span;
        let active = overlap.active().min(span);
        let began = self.now - span;
        match overlap.serialised.map(|time| time.min(active)) {
            Some(serialised) => {
                self.activity(began, serialised, Contention::Serialised);
                self.activity(began, active - serialised, Contention::Free);
            }
            None => self.activity(began, active, contention),
        }
        if self.totals.running.len() < overlap.running.len() {
            self.totals.running.resize(overlap.running.len(), 0);
        }
        for (sum, time) in self.totals.running.iter_mut().zip(&overlap.running) {
            *sum += time;
        }
        let woken = overlap.woken.min(span - active - overlap.ready.min(span - active));
        let runnable = overlap.ready.min(span - active) + woken;
        self.runnable(began, runnable);
        // Who ran first in this span may have been woken before it began.
        let before = self.take_back(overlap.woken - woken, 0, Doing::Runnable);
        self.totals.runnable += before;
        self.quiet(began, span - active - runnable);
    }

    fn estimate(&mut self, movers: &[Mover], contention: Contention) {
        if movers.is_empty() || self.open == 0 {
            return;
        }
        let span = std::mem::take(&mut self.open);
        let (ran_ahead, queued_ahead) = std::mem::take(&mut self.ahead);
        self.revoke_late(span, movers);

        let active = (active_time(span, movers, self.cpus, self.overlap.apart()) + ran_ahead).min(span);
        let began = self.now - span;
        self.activity(began, active, contention);
        let sum: u64 = movers.iter().map(|mover| mover.run.min(span)).sum();
        self.count_running(span - active, active, sum as f64);
        let delay = movers.iter().map(|mover| mover.delay).max().unwrap_or(0);
        let runnable = (delay + queued_ahead).min(span - active);
        self.runnable(began, runnable);
        self.quiet(began, span - active - runnable);
    }

    /// So much of the time since then, threads ran.
    fn activity(&mut self, began: u64, active: u64, contention: Contention) {
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
    }

    /// So much of the time since then, nobody ran, but somebody could have.
    fn runnable(&mut self, began: u64, runnable: u64) {
        self.totals.runnable += runnable;
        self.totals.history.add(began, self.now, Doing::Runnable, runnable);
    }

    /// So much of the time since then, everybody waited.
    fn quiet(&mut self, began: u64, quiet: u64) {
        self.quiet += quiet;
        if quiet > 0 {
            self.recent.push_back(Quiet { began, ended: self.now, time: quiet, open_from: began });
        }
        self.charge_chain();
        // Who woke whom is told in time.
        let after = if self.chain.is_some() { CHARGE_AT_LAST } else { CHARGE_AFTER };
        if self.quiet >= after && (self.active == 0 || self.quiet >= CHARGE_AT_LAST) {
            self.charge(LAG);
        }
    }

    /// Charges what who woke whom tells. It tells where somebody waited; in which code, those tell that came out of waits
    /// there.
    fn charge_chain(&mut self) {
        let Some(chain) = self.chain.as_mut().map(std::mem::take).filter(|chain| !chain.is_empty()) else {
            return;
        };
        for (site, time) in chain {
            let places = Place { site, stack: StackId(0) }..=Place { site, stack: StackId(u32::MAX) };
            let here: Vec<(Place, u64)> =
                self.claims.range(places).map(|(place, claim)| (*place, claim.credit.blocked)).collect();
            let all: u128 = here.iter().map(|(_, blocked)| u128::from(*blocked)).sum();
            let time = time.min(self.quiet);
            let (mut until, mut given) = (0, 0);
            for (place, blocked) in here {
                until += u128::from(blocked);
                let due = (u128::from(time) * until / all.max(1)) as u64;
                self.charge_to(place, due - std::mem::replace(&mut given, due));
            }
            self.charge_to(Place { site, stack: StackId::UNSEEN }, time - given);
        }
        // What waits took beyond that, others explain, unless it was not told.
        let kept = self.quiet.max(LAG);
        self.claims.retain(|_, claim| {
            claim.credit.progress = 1;
            claim.credit.blocked = claim.credit.blocked.min(kept);
            claim.credit.blocked > 0
        });
    }

    fn charge_to(&mut self, place: Place, share: u64) {
        if share > 0 {
            *self.totals.waits.entry(place).or_default() += share;
        }
        self.settle(share, place.site);
    }

    /// The host gave CPUs to others while they had something to do. No counter of a thread knows of that time, so it looked
    /// quiet; where switches were told, it looked like running. Whoever computed lost as much of it as all that the machine
    /// computed: not more than there was.
    pub fn stolen(&mut self, HostShare { stolen, used }: HostShare) {
        let (computed, since) = (std::mem::take(&mut self.computed), self.asked);
        self.asked = self.now;
        let share = stolen as f64 / used.max(stolen).max(1) as f64;
        let lost = (computed as f64 * share) as u64;
        let taken = if self.is_exact {
            let taken = self.totals.history.turn((since, self.now), Doing::Running, Doing::Runnable, lost);
            let taken = taken.min(self.totals.cpu);
            self.totals.cpu -= taken;
            taken
        } else {
            self.take_back(lost, since, Doing::Runnable)
        };
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
    /// late where counters do, but not for ever, and there may be any number of places.
    fn charge(&mut self, kept: u64) {
        let claims = std::mem::take(&mut self.claims);
        let (external, internal): (Vec<_>, Vec<_>) =
            claims.into_values().partition(|claim| claim.credit.external);
        for mut claims in [external, internal] {
            let mut left = Vec::new();
            while self.quiet > 0 && !claims.is_empty() {
                self.share_out(&mut claims);
                left.extend(claims.extract_if(.., |claim| self.open_to(claim) == 0));
            }
            let is_open = |claim: &Claim| {
                claim.credit.blocked > 0 && claim.until.saturating_add(CHARGE_AT_LAST) >= self.now
            };
            for mut claim in left.into_iter().chain(claims).filter(is_open) {
                claim.credit.progress = 1;
                claim.credit.blocked = claim.credit.blocked.min(kept);
                self.claims.insert(claim.credit.place, claim);
            }
        }
    }

    /// How much of the quiet time a claim may have. What nobody outside ended, and was over before, explains nothing; but
    /// counters may be late.
    fn open_to(&self, claim: &Claim) -> u64 {
        if claim.credit.external {
            return claim.credit.blocked.min(self.quiet);
        }
        let until = claim.until.saturating_add(LAG);
        let in_time = |quiet: &Quiet| quiet.time.min(until.saturating_sub(quiet.open_from));
        self.recent.iter().map(in_time).sum::<u64>().min(claim.credit.blocked)
    }

    /// Gives each claim its share of the quiet time or all it can explain.
    fn share_out(&mut self, claims: &mut [Claim]) {
        let (quiet, sum) = (self.quiet, claims.iter().map(|claim| claim.credit.progress as f64).sum::<f64>());
        let last = claims.len() - 1;
        for (i, claim) in claims.iter_mut().enumerate() {
            let progress = claim.credit.progress as f64;
            let fair = if i == last { self.quiet } else { (quiet as f64 * progress / sum) as u64 };
            let share = fair.min(self.open_to(claim));
            claim.credit.blocked -= share;
            self.charge_to(claim.credit.place, share);
        }
    }

    /// Quiet time that is charged can no longer be taken back; the oldest goes first.
    fn settle(&mut self, charged: u64, to: SiteId) {
        self.quiet -= charged;
        let mut left = charged;
        while left > 0
            && let Some(quiet) = self.recent.front_mut()
        {
            let settled = left.min(quiet.time);
            // What is left of it lies behind.
            let length = u128::from(quiet.ended.saturating_sub(quiet.open_from));
            quiet.open_from += (length * u128::from(settled) / u128::from(quiet.time.max(1))) as u64;
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
        self.pass(0);
        self.charge_chain();
        self.charge(u64::MAX);
        let open = self.open;
        self.quiet += open;
        let began = self.now - open;
        self.recent.push_back(Quiet { began, ended: self.now, time: open, open_from: began });
        self.count_running(open, 0, 0.0);
        for credit in current {
            self.credit(*credit);
        }
        self.pass(0);
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
