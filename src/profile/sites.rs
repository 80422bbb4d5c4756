//! Blocking points: which there are, and what was learnt of each. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::thread_clock::{Payment, SiteId};
use crate::wait::WaitKind;
use crate::wait::classify::Reason;

/// Distinct blocking points kept apart; later ones are merged by process and kind, and those of processes that come
/// after twice as many by kind alone, so memory stays bounded.
const KEPT_APART: usize = 8192;
/// A futex is a parking spot if all its users wait for more than this share of the time that any of them does. Of
/// threads that take a mutex in turn for good, the first is never seen waiting; while it holds it, all others wait:
/// half of the time of three, less of more.
const PARKED_SHARE: f64 = 0.6;
/// Threads of which at least two wait for less than this share of the time that any does, take turns.
const AT_ONCE: f64 = 0.1;
/// Threads remembered per site.
const THREADS_KEPT: usize = 4096;

/// What makes two waits the same blocking point.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteKey {
    /// Process.
    pub pid: i32,
    /// Program counter; zero where the resource alone identifies the point (a lock's address).
    pub pc: u64,
    /// Kind, operation, resource.
    pub kind: WaitKind,
    /// See `kind`.
    pub operation: &'static str,
    /// See `kind`.
    pub resource: Option<String>,
}

/// Waits that belong together. Times are nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// Blocked time.
    pub blocked: u64,
    /// Waits that ended.
    pub ended: u64,
    /// Of them, those that were seen one by one.
    pub counted: u64,
    /// CPU used after them.
    pub progress: u64,
    /// How long those were that were seen one by one.
    pub durations: Durations,
    /// Threads that waited, as far as they are remembered.
    pub threads: BTreeSet<i32>,
}

impl Waits {
    /// Books blocked time. `whole`: one whole wait was seen, and took so long.
    pub fn pay(&mut self, payment: &Payment, whole: Option<u64>) {
        self.blocked += payment.blocked;
        self.ended = self.ended.saturating_add(payment.ended);
        self.progress = self.progress.saturating_add(payment.progress);
        if let Some(duration) = whole {
            self.counted += 1;
            self.durations.add(duration);
        }
    }

    /// Takes blocked time back that belongs elsewhere: how much of it was here.
    pub fn take_back(&mut self, blocked: u64) -> u64 {
        let taken = blocked.min(self.blocked);
        self.blocked -= taken;
        taken
    }
}

/// Whether at least half of all waits were seen one by one.
#[must_use]
pub fn is_counted(counted: u64, all: u64) -> bool {
    counted > 0 && counted * 2 >= all
}

/// What was learnt of one blocking point.
#[derive(Debug, Clone)]
pub struct SiteRecord {
    /// Its identity.
    pub key: SiteKey,
    /// Whether something outside the tree ends its waits.
    pub external: bool,
    /// Whether it is an event loop's wait for events.
    pub event_loop: bool,
    /// What was waited here.
    pub waits: Waits,
    /// Threads waiting right now, since when, and how long it has been how many of them, nanoseconds.
    waiting: (usize, u64, Vec<u64>),
    /// Most connections watched at once (polling calls).
    pub fan: u32,
}

impl SiteRecord {
    /// What its waits turned out to be. A mutex always has a holder among its users, so they hardly ever all wait
    /// (only as far as a hand-over falls between the readings of two threads). A futex on which all its users
    /// wait at once, or only one thread ever waits, is a place to park: a join, an empty queue, an idle pool.
    #[must_use]
    pub fn kind(&self) -> WaitKind {
        if self.key.kind != WaitKind::Lock || self.key.operation != "futex" {
            return self.key.kind;
        }
        let threads = self.waits.threads.len();
        let all = self.waited(threads.max(1)) as f64;
        let parked = all > PARKED_SHARE * self.waited(1) as f64 || threads < 2;
        if parked { WaitKind::Idle } else { WaitKind::Lock }
    }

    /// How long at least so many threads waited here at once, nanoseconds.
    #[must_use]
    pub fn waited(&self, at_least: usize) -> u64 {
        self.waiting.2.iter().skip(at_least).sum()
    }

    /// The operation's name; a parking spot says so.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match (self.kind(), self.key.operation) {
            (WaitKind::Idle, "futex") => "park",
            (WaitKind::Lock, "futex" | "mutex") => "lock",
            (_, operation) => operation,
        }
    }
}

/// All blocking points of one recording. Number 0 is "nothing tells where".
#[derive(Debug, Clone)]
pub struct Sites {
    records: Vec<SiteRecord>,
    by_key: HashMap<SiteKey, SiteId>,
    /// Where a place has talked to one peer only, a connection too young to be named is taken to lead there as well.
    only_peer: HashMap<(i32, u64, &'static str), Option<SiteId>>,
    waiting: BTreeMap<WaitKind, Waiting>,
}

/// Threads that wait for one kind of thing, wherever.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    now: u32,
    since: u64,
    /// How long it have been one and more, and two and more, nanoseconds.
    any: u64,
    several: u64,
}

impl Default for Sites {
    fn default() -> Self {
        let key = SiteKey { pid: 0, pc: 0, kind: WaitKind::Idle, operation: "unknown", resource: None };
        Self {
            records: vec![record(key, false, false)],
            by_key: HashMap::new(),
            only_peer: HashMap::new(),
            waiting: BTreeMap::new(),
        }
    }
}

fn record(key: SiteKey, external: bool, event_loop: bool) -> SiteRecord {
    SiteRecord { key, external, event_loop, waits: Waits::default(), waiting: (0, 0, Vec::new()), fan: 0 }
}

impl Sites {
    /// The site of a wait of process `pid` at program counter `pc`.
    pub fn find(&mut self, pid: i32, pc: u64, reason: &Reason) -> SiteId {
        let by_address = reason.kind == WaitKind::Lock && matches!(reason.operation, "futex" | "mutex");
        let mut key = SiteKey {
            pid,
            pc: if by_address { 0 } else { pc },
            kind: reason.kind,
            operation: reason.operation,
            resource: reason.resource.clone(),
        };
        if self.records.len() >= KEPT_APART && !self.by_key.contains_key(&key) {
            key.resource = None;
            key.pc = 0;
            // A build starts ever new processes.
            if self.records.len() >= 2 * KEPT_APART && !self.by_key.contains_key(&key) {
                key.pid = 0;
            }
        }
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let place = (pid, pc, reason.operation);
        let named = reason.kind == WaitKind::Network && key.resource.is_some();
        if reason.kind == WaitKind::Network
            && key.resource.is_none()
            && let Some(Some(only)) = self.only_peer.get(&place)
        {
            return *only;
        }
        let Ok(number) = u32::try_from(self.records.len()) else { return SiteId::UNKNOWN };
        let id = SiteId(number);
        self.records.push(record(key.clone(), reason.external, reason.event_loop));
        self.by_key.insert(key, id);
        if named {
            self.only_peer.entry(place).and_modify(|only| *only = None).or_insert(Some(id));
        }
        id
    }

    /// A thread began (`true`) or ended waiting here at `now`, nanoseconds.
    pub fn waits(&mut self, id: SiteId, tid: i32, begins: bool, now: u64) {
        let site = &mut self.records[id.0 as usize];
        let (waiting, since, times) = &mut site.waiting;
        let elapsed = now.saturating_sub(std::mem::replace(since, now));
        if elapsed > 0 {
            if times.len() <= *waiting {
                times.resize(*waiting + 1, 0);
            }
            times[*waiting] += elapsed;
        }
        if begins {
            *waiting += 1;
            if site.waits.threads.len() < THREADS_KEPT {
                site.waits.threads.insert(tid);
            }
        } else {
            *waiting = waiting.saturating_sub(1);
        }
        let all = self.waiting.entry(site.key.kind).or_default();
        let elapsed = now.saturating_sub(std::mem::replace(&mut all.since, now));
        all.any += if all.now >= 1 { elapsed } else { 0 };
        all.several += if all.now >= 2 { elapsed } else { 0 };
        all.now = if begins { all.now + 1 } else { all.now.saturating_sub(1) };
    }

    /// A polling call here watches this many descriptors.
    pub fn watches(&mut self, id: SiteId, fan: u32) {
        let site = &mut self.records[id.0 as usize];
        site.fan = site.fan.max(fan);
    }

    /// Books blocked time; see [`Waits::pay`].
    pub fn pay(&mut self, payment: &Payment, whole: Option<u64>) {
        self.records[payment.site.0 as usize].waits.pay(payment, whole);
    }

    /// Blocked time that was booked on one site turned out to be of another.
    pub fn repay(&mut self, from: SiteId, to: SiteId, blocked: u64) {
        let blocked = self.records[from.0 as usize].waits.take_back(blocked);
        self.records[to.0 as usize].waits.blocked += blocked;
    }

    /// Threads that wait for this kind of thing right now.
    #[must_use]
    pub fn waiting(&self, kind: WaitKind) -> u32 {
        self.waiting.get(&kind).map_or(0, |waiting| waiting.now)
    }

    /// Whether several threads waited for this kind of thing, and hardly ever two at once: they take turns, as those of a
    /// runtime do that hand its one event loop around.
    #[must_use]
    pub fn take_turns(&self, kind: WaitKind) -> bool {
        let waiting = self.waiting.get(&kind).copied().unwrap_or_default();
        waiting.any > 0 && waiting.several as f64 <= AT_ONCE * waiting.any as f64
    }

    /// How many there are, the unknown one included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Whether later ones are merged.
    #[must_use]
    pub fn are_full(&self) -> bool {
        self.records.len() >= KEPT_APART
    }

    /// One site's record.
    #[must_use]
    pub fn get(&self, id: SiteId) -> &SiteRecord {
        &self.records[id.0 as usize]
    }

    /// All sites with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SiteId, &SiteRecord)> {
        (0u32..).map(SiteId).zip(&self.records)
    }
}

/// Counts of durations by size, within 12 % (six buckets per doubling), from 1 us to more than an hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations {
    counts: Vec<u32>,
    /// Nanoseconds by bucket: what is summed up is exact.
    sums: Vec<u64>,
    longest: u64,
}

const PER_DOUBLING: f64 = 6.0;
/// A wait shorter than this share of the typical one is a second packet that was nearly there, and no wait of its own.
const NEGLIGIBLE: f64 = 0.05;

impl Durations {
    /// Counts one duration, nanoseconds.
    pub fn add(&mut self, nanos: u64) {
        let bucket = ((nanos.max(1000) as f64 / 1000.0).log2() * PER_DOUBLING) as usize;
        let bucket = bucket.min(255);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
            self.sums.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sums[bucket] = self.sums[bucket].saturating_add(nanos);
        self.longest = self.longest.max(nanos);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
            self.sums.resize(other.sums.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine = mine.saturating_add(*theirs);
        }
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The longest, nanoseconds.
    #[must_use]
    pub fn longest(&self) -> Option<u64> {
        (self.longest > 0).then_some(self.longest)
    }

    /// All of them together, nanoseconds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sums.iter().sum()
    }

    /// How many carry the time: those that are not negligible beside what a random moment of waiting falls into, the
    /// mean weighted by duration.
    #[must_use]
    pub fn weighty(&self) -> u64 {
        let total = self.total() as f64;
        let buckets = || self.sums.iter().zip(&self.counts).filter(|(_, count)| **count > 0);
        let squares: f64 = buckets().map(|(sum, count)| (*sum as f64).powi(2) / f64::from(*count)).sum();
        let least = NEGLIGIBLE * squares / total;
        buckets()
            .filter(|(sum, count)| **sum as f64 >= least * f64::from(**count))
            .map(|(_, n)| u64::from(*n))
            .sum()
    }

    /// Coefficient of variation.
    #[must_use]
    pub fn cv(&self) -> Option<f64> {
        let count = self.count() as f64;
        let middles = || (0..self.counts.len()).map(middle).zip(&self.counts);
        let mean = middles().map(|(at, count)| at * f64::from(*count)).sum::<f64>() / count;
        let variance =
            middles().map(|(at, count)| (at - mean).powi(2) * f64::from(*count)).sum::<f64>() / count;
        (count >= 2.0).then(|| variance.sqrt() / mean)
    }

    /// The duration that a share `q` of all does not exceed, nanoseconds.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = (q * self.count() as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank.max(1)
        })?;
        Some((middle(bucket) as u64).min(self.longest))
    }
}

/// Middle of a bucket, nanoseconds.
fn middle(bucket: usize) -> f64 {
    1000.0 * 2f64.powf((bucket as f64 + 0.5) / PER_DOUBLING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(address: &str) -> Reason {
        Reason {
            kind: WaitKind::Lock,
            operation: "futex",
            resource: Some(address.to_owned()),
            external: false,
            event_loop: false,
        }
    }

    #[test]
    fn a_connection_without_a_name_leads_where_all_others_of_its_place_do() {
        let mut sites = Sites::default();
        let mut recv = |pc, peer: Option<&str>| {
            let resource = peer.map(str::to_owned);
            let kind = WaitKind::Network;
            sites.find(
                1,
                pc,
                &Reason { kind, operation: "recv", resource, external: true, event_loop: false },
            )
        };
        let one = recv(9, Some("10.0.0.1:80"));
        assert_eq!(recv(9, None), one);
        assert_ne!(recv(8, None), one);
        let other = recv(9, Some("10.0.0.2:80"));
        assert!(![one, other].contains(&recv(9, None)));
    }

    #[test]
    fn a_mutex_always_has_a_holder_a_parking_spot_has_not() {
        let mut sites = Sites::default();
        let (mutex, park, join) = (
            sites.find(1, 9, &lock("0x10")),
            sites.find(1, 9, &lock("0x20")),
            sites.find(1, 9, &lock("0x30")),
        );
        for (round, (waiter, holder)) in [(0, (1, 2)), (1, (2, 1))] {
            let at = |ms: u64| (round * 100 + ms) * 1_000_000;
            sites.waits(mutex, waiter, true, at(0));
            // The lock changes hands between two readings: both seem to wait for a moment.
            sites.waits(mutex, holder, true, at(9));
            sites.waits(mutex, waiter, false, at(10));
            sites.waits(mutex, holder, false, at(19));
            sites.waits(park, waiter, true, at(0));
            sites.waits(park, holder, true, at(1));
            sites.waits(park, waiter, false, at(50));
            sites.waits(park, holder, false, at(51));
        }
        sites.waits(join, 1, true, 0);
        assert_eq!(sites.get(mutex).kind(), WaitKind::Lock);
        assert_eq!(sites.get(park).kind(), WaitKind::Idle);
        assert_eq!((sites.get(join).kind(), sites.get(join).operation()), (WaitKind::Idle, "park"));
    }

    #[test]
    fn a_mutex_that_each_takes_once_for_long_is_no_parking_spot() {
        let mut sites = Sites::default();
        let mutex = sites.find(1, 9, &lock("0x10"));
        let at = |ms: u64| ms * 1_000_000;
        // Thread 1 holds it from the start; 2, then 3 follow, half a second each.
        sites.waits(mutex, 2, true, at(0));
        sites.waits(mutex, 3, true, at(10));
        sites.waits(mutex, 2, false, at(500));
        sites.waits(mutex, 3, false, at(1000));
        assert_eq!(sites.get(mutex).kind(), WaitKind::Lock);
    }

    #[test]
    fn the_number_of_sites_is_bounded() {
        let mut sites = Sites::default();
        for address in 0..3 * KEPT_APART {
            sites.find(1, 9, &lock(&format!("{address:#x}")));
        }
        assert!(sites.iter().count() <= KEPT_APART + 2);
        for pid in 2..i32::try_from(3 * KEPT_APART).unwrap() {
            sites.find(pid, 9, &lock("0x10"));
        }
        assert!(sites.iter().count() <= 2 * KEPT_APART + 1);
    }

    #[test]
    fn quantiles_are_within_their_bucket() {
        let mut durations = Durations::default();
        for ms in 1..=100u64 {
            durations.add(ms * 1_000_000);
        }
        let p95 = durations.quantile(0.95).unwrap() as f64;
        assert!((p95 / 95e6 - 1.0).abs() < 0.13, "{p95}");
        assert_eq!(durations.longest(), Some(100_000_000));
        assert_eq!(Durations::default().quantile(0.5), None);
        assert_eq!(durations.total(), 5_050_000_000);
    }

    #[test]
    fn second_packets_carry_no_weight() {
        let mut durations = Durations::default();
        for _ in 0..20 {
            durations.add(50_000_000);
            durations.add(200_000);
        }
        assert_eq!((durations.count(), durations.weighty()), (40, 20));
        // Waits of every length between one and fifty are all waits.
        let mut even = Durations::default();
        (1..=50).for_each(|ms| even.add(ms * 1_000_000));
        assert!(even.weighty() >= 49, "{}", even.weighty());
        assert_eq!(Durations::default().weighty(), 0);
    }
}
