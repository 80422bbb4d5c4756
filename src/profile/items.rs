//! The dominating repeated work of a recording: how many items, how each waits and computes, how many are worked on
//! side by side. Pure.
//!
//! An item is one visit of the most waited-for kind of blocking point by the threads that visit it; where child processes
//! do the work one after another, a child is an item; those of a server are its requests, where they can be told. Where most of that is on one line, it is named ([`region`]).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::code::Region;
use super::ledger::{Closed, ThreadRecord};
use super::model::{Counted, Items, Requests, Segment};
use super::places::{Place, Span};
use super::region;
use super::requests;
use super::segments::{RawSegment, Segments};
use super::sites::{Durations, Waits};
use super::stack::StackId;
use super::thread_clock::SiteId;
use crate::wait::WaitKind;

/// Segments handed on.
const SEGMENTS_KEPT: usize = 4096;
/// A thread is a lane of the region if it is at least this active, compared with the most active one.
const LANE_SHARE: f64 = 0.25;

/// Share of their activity that threads wait, from which nothing else counts.
const MOSTLY: f64 = 0.8;
/// A kind of wait marks items only if it explains this share of the wall time: a few page faults at start-up do not
/// cut a computation into pieces.
const ANCHOR_SHARE: f64 = 0.05;

/// Children that cover this share of what waits cover are the items.
const CHILDREN_FIRST: f64 = 0.8;

/// Waiting that other items could overlap.
fn overlaps(kind: WaitKind) -> bool {
    !matches!(kind, WaitKind::Gil | WaitKind::Lock | WaitKind::Idle | WaitKind::Tty)
}

/// Waiting that marks where an item ends: that of a call the program made. Where memory pages are missing is up to the
/// kernel, and how often says nothing of the work.
fn marks(kind: WaitKind) -> bool {
    overlaps(kind) && kind != WaitKind::Paging
}

/// Finds the items of a recording of `wall` nanoseconds.
#[must_use]
pub(super) fn find(books: &Closed, wall: u64) -> Option<Items> {
    let waited = anchor(books, wall)
        .and_then(|anchor| by_waits(books, anchor, wall))
        .or_else(|| by_requests(books, wall));
    let children = by_children(books, wall);
    match (waited, children) {
        // Waits inside the children are parts of them: who starts the children can start several.
        (Some(waited), Some(children)) if children.share > CHILDREN_FIRST * waited.share => Some(children),
        (waited, children) => waited.or(children),
    }
}

/// The group of threads and the kind of wait that explain most quiet time.
fn anchor(books: &Closed, wall: u64) -> Option<(String, WaitKind)> {
    let mut quiet: BTreeMap<(String, WaitKind), u64> = BTreeMap::new();
    for (place, time) in &books.wall.waits {
        let site = books.sites.get(place.site);
        let kind = site.kind();
        if place.site != SiteId::UNKNOWN && site.external && marks(kind) {
            *quiet.entry((books.process_name(site.key.pid), kind)).or_default() += time;
        }
    }
    quiet
        .into_iter()
        .max_by_key(|(_, time)| *time)
        .filter(|(_, time)| *time as f64 >= ANCHOR_SHARE * wall as f64)
        .map(|(anchor, _)| anchor)
}

/// A thread that works on items, and its rhythm while it does.
struct Member<'a> {
    thread: &'a ThreadRecord,
    rhythm: Cow<'a, Segments>,
    /// Waiting that other items could overlap, and CPU that the items take, nanoseconds.
    waits: u64,
    cpu: u64,
}

impl<'a> Member<'a> {
    fn new(books: &Closed, thread: &'a ThreadRecord, part: Option<Span>) -> Self {
        match part {
            None => Self {
                thread,
                rhythm: Cow::Borrowed(&thread.segments),
                waits: delay(books, thread),
                cpu: thread.clock.cpu().saturating_sub(thread.segments.once()),
            },
            Some(part) => {
                let rhythm = thread.segments.within(part);
                let (waits, cpu) = rhythm.totals();
                let cpu = cpu.saturating_sub(rhythm.once());
                Self { thread, rhythm: Cow::Owned(rhythm), waits, cpu }
            }
        }
    }
}

fn by_waits(books: &Closed, (name, kind): (String, WaitKind), wall: u64) -> Option<Items> {
    let is_anchor = |id: SiteId| {
        let site = books.sites.get(id);
        site.external && site.kind() == kind && books.process_name(site.key.pid) == name
    };
    let critical = |place: Place, _: &Waits| books.wall.waits.get(&place).copied().unwrap_or(0);
    let part = region::part_of_run(books, critical, |place| is_anchor(place.site));
    let is_in =
        |stack: StackId, part: Span| books.places.span(stack).is_some_and(|span| span.mostly_in(part));
    let is_meanwhile = |place: &Place| part.is_none_or(|part| is_in(place.stack, part));
    let is_here = |place: Place| is_anchor(place.site) && is_meanwhile(&place);
    let members: Vec<Member<'_>> = books
        .threads
        .iter()
        .filter(|thread| thread.sites.keys().any(|id| is_anchor(*id)))
        .map(|thread| Member::new(books, thread, part))
        .filter(|member| part.is_none() || member.waits > 0)
        .collect();

    // One item may wait in several calls (connect, send, receive): the busiest call counts the items.
    let mut by_operation: BTreeMap<&str, u64> = BTreeMap::new();
    let mut durations = Durations::default();
    let (mut outstanding, mut waited) = (0, 0);
    for (place, waits) in books.places.waits().filter(|(place, _)| is_here(*place)) {
        let site = books.sites.get(place.site);
        *by_operation.entry(site.key.operation).or_default() += waits.ended;
        durations.merge(&waits.durations);
        waited += waits.blocked;
        if site.event_loop {
            outstanding = outstanding.max(u64::from(site.fan));
        }
    }
    let count = by_operation.into_values().max().filter(|count| *count > 0)?;
    let waits_counted = outweigh(count, &durations, waited);
    let requests = match requests::told(books, &name) {
        // They are of the whole run.
        Some(Ok(told)) if part.is_none() => Some(told),
        _ => requests::asked(books, &name)
            .filter(|asked| requests::pass_once(books, is_here, *asked))
            .map(|asked| (asked, Counted::Waits)),
    };
    let count = requests.map_or(waits_counted, |(count, _)| count);
    let activity: Vec<u64> = members.iter().map(|member| member.waits + member.cpu).collect();
    let most = activity.iter().copied().max()?;
    let busy = activity.iter().filter(|own| **own as f64 >= LANE_SHARE * most as f64).count() as u64;
    // Work may go from thread to thread; where it is next to nothing but waiting, how many do so at once is how many there
    // are.
    let all: u64 = activity.iter().sum();
    let waiting: u64 = members.iter().map(|member| member.waits).sum();
    let one_by_one = waiting as f64 >= MOSTLY * all as f64 && books.sites.take_turns(kind);
    let lanes = if one_by_one { 1 } else { busy.max(1) };
    let covered = all as f64 / lanes as f64 / wall.max(1) as f64;
    let waits = match part {
        None => by_kind(books, members.iter().flat_map(|member| blocked(member.thread))),
        Some(_) => by_kind(books, blocked_meanwhile(books, &name, is_meanwhile)),
    };
    let cpu = members.iter().map(|member| (member.thread, member.cpu));
    let mut items = sum_up(books, count, waits, cpu);
    items.lanes = lanes.max(outstanding);
    items.share = covered.min(1.0);
    let answering = || members.iter().map(|member| member.thread);
    if let Some((_, counted)) = requests {
        items.free = Some(requests::free(books, answering(), activity.iter().sum()));
        items.requests = Some(Requests { rate: rate(count, wall), counted });
    }
    // What is known of single waits is known of items where each has one.
    if waits_counted <= count && durations.count() * 2 >= count && durations.count() >= 2 {
        items.cv = durations.cv();
        items.longest = durations.longest().map(Duration::from_nanos);
        items.p95 = p95(&durations);
    }
    items.region = region::of_waits(books, &name, critical, is_here);
    items.segments = segments(&members, count);
    Some(items)
}

/// The requests of a server that waits for nothing to answer them: they have no wait that marks them.
fn by_requests(books: &Closed, wall: u64) -> Option<Items> {
    let names: BTreeSet<String> = books.traffic.keys().map(|pid| books.process_name(*pid)).collect();
    let told = names.into_iter().filter_map(|name| {
        let (count, counted) = requests::told(books, &name)?.ok()?;
        Some((count, counted, name))
    });
    let (count, counted, name) = told.max_by_key(|(count, ..)| *count)?;
    let members: Vec<Member<'_>> = books
        .threads
        .iter()
        .filter(|thread| books.process_name(thread.pid) == name)
        .map(|thread| Member::new(books, thread, None))
        .collect();
    let activity: Vec<u64> = members.iter().map(|member| member.waits + member.cpu).collect();
    let most = activity.iter().copied().max()?;
    let lanes = activity.iter().filter(|own| **own as f64 >= LANE_SHARE * most as f64).count().max(1) as u64;
    let covered = activity.iter().sum::<u64>() as f64 / lanes as f64 / wall.max(1) as f64;
    if covered < ANCHOR_SHARE {
        return None;
    }
    let waits = by_kind(books, members.iter().flat_map(|member| blocked(member.thread)));
    let cpu = members.iter().map(|member| (member.thread, member.cpu));
    let mut items = sum_up(books, count, waits, cpu);
    items.lanes = lanes;
    items.share = covered.min(1.0);
    let answering = members.iter().map(|member| member.thread);
    items.free = Some(requests::free(books, answering, activity.iter().sum()));
    items.requests = Some(Requests { rate: rate(count, wall), counted });
    Some(items)
}

/// So many a second.
fn rate(count: u64, wall: u64) -> f64 {
    count as f64 / (wall.max(1) as f64 / 1e9)
}

/// Blocked time of all threads of one program in a part of the run, by blocking point.
fn blocked_meanwhile<'a>(
    books: &'a Closed,
    name: &'a str,
    is_meanwhile: impl Fn(&Place) -> bool + 'a,
) -> impl Iterator<Item = (SiteId, u64)> + 'a {
    let of_program = move |place: &Place| books.process_name(books.sites.get(place.site).key.pid) == name;
    let places = books.places.waits().filter(move |(place, _)| is_meanwhile(place) && of_program(place));
    places.map(|(place, waits)| (place.site, waits.blocked))
}

/// Where a good part of the waiting was seen wait by wait, those waits are the items: the dispatches in between (a second
/// packet that was nearly there) are none.
fn outweigh(count: u64, durations: &Durations, blocked: u64) -> u64 {
    let seen = durations.total();
    if seen == 0 || seen.saturating_mul(3) < blocked {
        return count;
    }
    let items = durations.weighty() as f64 * (blocked as f64 / seen as f64).max(1.0);
    (items.round() as u64).clamp(1, count)
}

/// Children of one role that did most of the work, more of them than ever ran at once.
fn by_children(books: &Closed, wall: u64) -> Option<Items> {
    let mut roles: BTreeMap<(i32, &str), Vec<i32>> = BTreeMap::new();
    for (pid, process) in
        books.processes.iter().filter(|(_, process)| books.processes.contains_key(&process.parent))
    {
        roles.entry((process.parent, &process.name)).or_default().push(*pid);
    }
    let all: u64 = books.processes.values().map(|process| process.cpu).sum();
    let (_, pids) = roles.into_iter().max_by_key(|(_, pids)| {
        let lives: Vec<(u64, u64)> = pids.iter().map(|pid| books.processes[pid].seen).collect();
        (union(&lives), pids.iter().map(|pid| books.processes[pid].cpu).sum::<u64>())
    })?;
    let lives: Vec<(u64, u64)> = pids.iter().map(|pid| books.processes[pid].seen).collect();
    let cpu: u64 = pids.iter().map(|pid| books.processes[pid].cpu).sum();
    let lanes = most_at_once(&lives).max(1);
    let alive = union(&lives);
    let does_the_work = cpu * 2 >= all || alive * 2 >= wall;
    if !does_the_work || pids.len() as u64 <= lanes || pids.len() < 2 {
        return None;
    }
    let members: Vec<&ThreadRecord> =
        books.threads.iter().filter(|thread| pids.contains(&thread.pid)).collect();
    let waits = by_kind(books, members.iter().flat_map(|thread| blocked(thread)));
    let whole = members.iter().map(|thread| (*thread, thread.clock.cpu()));
    let mut items = sum_up(books, pids.len() as u64, waits, whole);
    items.lanes = lanes;
    items.share = (alive as f64 / wall.max(1) as f64).min(1.0);
    items.are_processes = true;
    // Each child has an interpreter of its own: nothing is shared between them.
    items.cpu_native += std::mem::take(&mut items.cpu_gil);
    let mut durations = Durations::default();
    for (start, end) in &lives {
        durations.add(end.saturating_sub(*start));
    }
    items.cv = durations.cv();
    items.longest = durations.longest().map(Duration::from_nanos);
    items.p95 = p95(&durations);
    items.region = started_at(books, &pids);
    items.segments = pids
        .iter()
        .take(SEGMENTS_KEPT)
        .map(|pid| {
            let own = members.iter().filter(|thread| thread.pid == *pid);
            let wait: u64 = own.map(|thread| delay(books, thread)).sum();
            let cpu_native = Duration::from_nanos(books.processes[pid].cpu);
            Segment { count: 1, wait: Duration::from_nanos(wait), cpu_gil: Duration::ZERO, cpu_native }
        })
        .collect();
    Some(items)
}

/// Where the parent of these processes waits for them.
fn started_at(books: &Closed, pids: &[i32]) -> Option<Region> {
    let parent = books.processes.get(pids.first()?)?.parent;
    let awaits = |place: Place| {
        let site = books.sites.get(place.site);
        site.key.pid == parent && matches!(site.kind(), WaitKind::Child | WaitKind::Pipe | WaitKind::Idle)
    };
    let blocked = |_: Place, waits: &Waits| waits.blocked;
    region::of_waits(books, &books.process_name(parent), blocked, awaits)
}

/// Blocked time by kind, as far as other items could overlap it; and waits for locks, which they could not.
fn by_kind(books: &Closed, blocked: impl Iterator<Item = (SiteId, u64)>) -> BTreeMap<WaitKind, u64> {
    let mut waits = BTreeMap::new();
    for (id, blocked) in blocked.filter(|(id, _)| *id != SiteId::UNKNOWN) {
        let site = books.sites.get(id);
        let kind = site.kind();
        let is_delay = overlaps(kind) && (site.external || kind == WaitKind::Child);
        if is_delay || matches!(kind, WaitKind::Gil | WaitKind::Lock) {
            *waits.entry(kind).or_default() += blocked;
        }
    }
    waits
}

/// Blocked time of a thread by blocking point.
fn blocked(thread: &ThreadRecord) -> impl Iterator<Item = (SiteId, u64)> {
    thread.sites.iter().map(|(id, (blocked, _))| (*id, *blocked))
}

/// Blocked time of a thread that other items could overlap, nanoseconds.
fn delay(books: &Closed, thread: &ThreadRecord) -> u64 {
    let waits = by_kind(books, blocked(thread));
    waits.into_iter().filter(|(kind, _)| overlaps(*kind)).map(|(_, time)| time).sum()
}

/// Items of which so many waited so long in all, and whose threads used so much CPU, nanoseconds.
fn sum_up<'a>(
    books: &Closed,
    count: u64,
    waits: BTreeMap<WaitKind, u64>,
    cpu: impl Iterator<Item = (&'a ThreadRecord, u64)>,
) -> Items {
    let (mut under, mut outside) = (0.0, 0.0);
    for (thread, cpu) in cpu {
        let (thread_under, thread_outside) = split(books, thread, cpu as f64);
        under += thread_under;
        outside += thread_outside;
    }
    let each = |nanos: f64| Duration::from_nanos((nanos / count as f64) as u64);
    Items {
        count,
        wait: waits.into_iter().map(|(kind, time)| (kind, each(time as f64))).collect(),
        cpu_gil: each(under),
        cpu_native: each(outside),
        ..Items::default()
    }
}

/// Given from so many items on that were seen one by one.
const COUNTED_ENOUGH: u64 = 10;

fn p95(durations: &Durations) -> Option<Duration> {
    let enough = durations.count() >= COUNTED_ENOUGH;
    durations.quantile(0.95).filter(|_| enough).map(Duration::from_nanos)
}

/// CPU of a thread, as far as it took it under the interpreter lock and outside it. What no sample classed goes the way of the rest of the
/// process; without any sample, code under a lock is taken to hold it.
fn split(books: &Closed, thread: &ThreadRecord, cpu: f64) -> (f64, f64) {
    let Some(process) = books.processes.get(&thread.pid).filter(|process| process.runtime.gil == Some(true))
    else {
        return (0.0, cpu);
    };
    let classed = (thread.cpu_under + thread.cpu_outside) as f64;
    let (held, free) = process.lock_samples;
    let share = if classed > 0.5 * thread.clock.cpu() as f64 {
        thread.cpu_under as f64 / classed
    } else {
        (held + 1) as f64 / (held + free + 1) as f64
    };
    (cpu * share, cpu * (1.0 - share))
}

/// The members' rhythms, one after another, scaled so that they hold as many items as were counted.
fn segments(members: &[Member<'_>], count: u64) -> Vec<Segment> {
    let raw: u64 = members.iter().flat_map(|member| member.rhythm.list()).map(|segment| segment.count).sum();
    if raw == 0 {
        return Vec::new();
    }
    let per_item = raw as f64 / count as f64;
    let mut segments = Vec::new();
    for Member { thread, rhythm, .. } in members {
        let classed = thread.cpu_under + thread.cpu_outside;
        let under = if classed == 0 { 1.0 } else { thread.cpu_under as f64 / classed as f64 };
        let mut once = rhythm.once();
        segments.extend(rhythm.list().iter().map(|raw| {
            // What comes before the first wait is not repeated, nor what comes after the last, which is no segment.
            let taken = once.min(raw.cpu);
            once = 0;
            scale(&RawSegment { cpu: raw.cpu - taken, ..*raw }, per_item, under)
        }));
    }
    segments.truncate(SEGMENTS_KEPT);
    segments
}

fn scale(raw: &RawSegment, per_item: f64, under: f64) -> Segment {
    let time = |nanos: u64, share: f64| Duration::from_nanos((nanos as f64 * per_item * share) as u64);
    Segment {
        count: ((raw.count as f64 / per_item).round() as u32).max(1),
        wait: time(raw.wait, 1.0),
        cpu_gil: time(raw.cpu, under),
        cpu_native: time(raw.cpu, 1.0 - under),
    }
}

/// Most intervals that overlap at any moment.
#[must_use]
pub(super) fn most_at_once(lives: &[(u64, u64)]) -> u64 {
    let mut events: Vec<(u64, i64)> =
        lives.iter().flat_map(|(start, end)| [(*start, 1), (*end, -1)]).collect();
    // Ends come before starts: a child that follows another does not overlap it.
    events.sort_unstable();
    let (mut now, mut most) = (0i64, 0i64);
    for (_, change) in events {
        now += change;
        most = most.max(now);
    }
    most.unsigned_abs()
}

fn union(lives: &[(u64, u64)]) -> u64 {
    let mut sorted = lives.to_vec();
    sorted.sort_unstable();
    let (mut covered, mut reached) = (0, 0);
    for (start, end) in sorted {
        let start = start.max(reached);
        covered += end.saturating_sub(start);
        reached = reached.max(end);
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ledger::{Ledger, Reading, Under};
    use crate::profile::observation::Birth;
    use crate::profile::thread_clock::{Counters, Seen};
    use crate::wait::classify::Reason;

    const MS: u64 = 1_000_000;

    /// What is found where a thread computes 8 ms and waits 2 ms, a hundred times.
    fn found(kind: WaitKind, operation: &'static str) -> Option<Items> {
        let mut books = Ledger::new(2.0);
        books.process(1, 0, 0);
        books.thread(Birth { pid: 1, tid: 1, at: 0, counters: Counters::default(), newborn: true });
        let reason = Reason { kind, operation, resource: None, external: true, event_loop: false };
        let site = books.site(1, 9, &reason, 0);
        for turn in 1..=100 {
            let counters = Counters { run: turn * 8 * MS, delay: 0, slices: turn };
            let reading = Reading {
                tid: 1,
                counters,
                seen: Seen::Blocked(site),
                under: Under::Unknown,
                stack: StackId(0),
                quiet: None,
            };
            books.round(turn * 10 * MS, &[reading]);
        }
        find(&books.close(1, 0), 1000 * MS)
    }

    /// How many at a time are found where three threads wait 10 ms each, in turn or all at once.
    fn lanes(in_turn: bool) -> u64 {
        let mut books = Ledger::new(2.0);
        books.process(1, 0, 0);
        let reason = Reason {
            kind: WaitKind::Network,
            operation: "epoll",
            resource: None,
            external: true,
            event_loop: true,
        };
        let [polls, parks] = [
            (9, reason.clone()),
            (
                8,
                Reason {
                    kind: WaitKind::Idle,
                    external: false,
                    event_loop: false,
                    operation: "park",
                    ..reason
                },
            ),
        ]
        .map(|(pc, reason)| books.site(1, pc, &reason, u32::from(reason.event_loop)));
        for tid in 1..=3 {
            books.thread(Birth { pid: 1, tid, at: 0, counters: Counters::default(), newborn: true });
        }
        for turn in 1..=150u64 {
            let readings: Vec<Reading> = (1..=3)
                .map(|tid: i32| {
                    let polling = !in_turn || turn % 3 + 1 == u64::from(tid.unsigned_abs());
                    let seen = Seen::Blocked(if polling { polls } else { parks });
                    let counters = Counters { run: turn * MS / 10, delay: 0, slices: turn };
                    Reading { tid, counters, seen, under: Under::Unknown, stack: StackId(0), quiet: None }
                })
                .collect();
            books.round(turn * 10 * MS, &readings);
        }
        find(&books.close(1, 0), 1500 * MS).unwrap().lanes
    }

    #[test]
    fn threads_that_hand_one_event_loop_around_are_one_lane() {
        assert_eq!((lanes(true), lanes(false)), (1, 3));
    }

    #[test]
    fn pages_that_are_missing_cut_no_work_into_items() {
        let files = found(WaitKind::Disk, "read").expect("files do");
        assert!((95..=100).contains(&files.count), "{files:?}");
        assert_eq!(found(WaitKind::Paging, "page fault"), None);
    }

    #[test]
    fn intervals_that_touch_do_not_overlap() {
        assert_eq!(most_at_once(&[(0, 10), (10, 20), (5, 12)]), 2);
        assert_eq!(most_at_once(&[]), 0);
        assert_eq!(union(&[(0, 10), (5, 12), (20, 30)]), 22);
    }
}
