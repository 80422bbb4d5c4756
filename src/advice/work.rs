//! From facts to the model's inputs: what one item costs, and what is assumed where that was not seen.

use crate::facts::{Facts, Origin, Value};
use crate::profile::{Items, Profile, Segment};

use super::model::replay::Recorded;
use super::model::{Costs, Host, Work};
use super::types::Strategy;

/// The model's inputs for one program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    /// Demands of one item.
    pub work: Work,
    /// The machine and the runtime.
    pub host: Host,
    /// The items as recorded; empty where they could not be told apart.
    pub recorded: Vec<Recorded>,
    /// The model the program has today.
    pub now: Strategy,
    /// Workers it has today.
    pub now_workers: usize,
    /// Cores that the program may use over those really to be had when that was measured, at least 1.
    pub spare: f64,
    /// Measured wall time of the items as the program is.
    pub now_items: f64,
    /// How the items were found.
    pub items: ItemSource,
}

/// Where the items come from; the weaker, the less a prediction is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemSource {
    /// Seen as repeated work.
    Seen,
    /// Each child process is taken for an item.
    Children,
    /// The computation is assumed to be divisible.
    Divisible,
}

impl Subject {
    /// Reads the inputs. `None` where the facts show neither items nor computation.
    pub(super) fn of(facts: &Facts, profile: &Profile, costs: &Costs) -> Option<Self> {
        let number = |name: &str| facts.get_number(name);
        // An unknown runtime may well have such a lock (most interpreters do): assume the worst for threads.
        let gil = facts.get("runtime.gil").is_none_or(|fact| fact.value == Value::Bool(true));
        let cores = number("host.p_eff").filter(|cores| *cores > 0.0).unwrap_or(1.0);
        let host = Host { cores, gil, loops: loops(facts, cores) };
        let allowed =
            ["host.cores", "host.quota"].into_iter().filter_map(number).fold(f64::INFINITY, f64::min);
        let spare = if allowed.is_finite() { (allowed / cores).max(1.0) } else { 1.0 };
        let wall = number("run.wall").filter(|wall| *wall > 0.0)?;
        let children = profile.items.as_ref().is_some_and(|items| items.are_processes);
        // Children bring their own interpreter lock: the parent's does not serialise them.
        let (work, items) = seen(facts, gil && !children, wall)
            .map(|work| (work, if children { ItemSource::Children } else { ItemSource::Seen }))
            .or_else(|| divisible(facts, gil, wall, costs).map(|work| (work, ItemSource::Divisible)))?;
        let now = match facts.get("now.strategy").map(|fact| &fact.value) {
            Some(Value::Text(name)) => Strategy::from_name(name).unwrap_or(Strategy::Sequential),
            _ => Strategy::Sequential,
        };
        let recorded = match (&profile.items, items) {
            // A recording is of the items that were measured, not of those that are wanted.
            (Some(items), ItemSource::Seen) if items.cv.is_some() && items.count == work.items => {
                recorded(items, gil, costs)
            }
            _ => Vec::new(),
        };
        Some(Self {
            work,
            host,
            recorded,
            now,
            spare,
            now_workers: number("now.workers").map_or(1, |n| n.max(1.0) as usize),
            now_items: (wall - work.serial).max(0.0),
            items,
        })
    }
}

/// The items as recorded, for the replay; empty where the recording does not hold the items that were counted: their
/// number is another, or one of them is longer than the longest.
pub(super) fn recorded(items: &Items, gil: bool, costs: &Costs) -> Vec<Recorded> {
    let counted: u64 = items.segments.iter().map(|segment| u64::from(segment.count)).sum();
    let off = (counted as f64 / items.count as f64 - 1.0).abs();
    let longest = items.longest.map_or(f64::INFINITY, |longest| longest.as_secs_f64());
    let too_long =
        |segment: &Segment| segment.wait.as_secs_f64() > longest * (1.0 + costs.recording_tolerance);
    if off > costs.recording_tolerance || items.segments.iter().any(too_long) {
        return Vec::new();
    }
    let segments = items.segments.iter().filter(|segment| segment.count > 0);
    segments
        .map(|segment| {
            let (under, outside) = (segment.cpu_gil.as_secs_f64(), segment.cpu_native.as_secs_f64());
            Recorded {
                count: u64::from(segment.count),
                wait: segment.wait.as_secs_f64(),
                cpu_gil: if gil { under } else { 0.0 },
                cpu_native: if gil { outside } else { under + outside },
            }
        })
        .collect()
}

/// Threads an event loop computes on: the runtimes that spread tasks over the cores, and all the others.
fn loops(facts: &Facts, cores: f64) -> f64 {
    match facts.get("runtime.lang").map(|fact| &fact.value) {
        Some(Value::Text(lang)) => loops_of(lang, cores),
        _ => 1.0,
    }
}

/// The same by the name of the language.
pub(super) fn loops_of(language: &str, cores: f64) -> f64 {
    if matches!(language, "rust" | "go" | "java") { cores.max(1.0) } else { 1.0 }
}

/// CPU of one item under the lock and outside it. Where the split is not known all of it counts as locked: that
/// never promises from threads what they cannot give.
fn split(facts: &Facts, gil: bool, cpu: f64) -> (f64, f64) {
    if !gil {
        return (0.0, cpu);
    }
    let share = facts.get_number("cpu.gil_share").unwrap_or(1.0).clamp(0.0, 1.0);
    (cpu * share, cpu * (1.0 - share))
}

fn seen(facts: &Facts, gil: bool, wall: f64) -> Option<Work> {
    let number = |name: &str| facts.get_number(name);
    let items = number("region.n").filter(|n| *n >= 1.0)?;
    let wait = number("wait.total").unwrap_or(0.0);
    let item = number("region.item_wall").unwrap_or(wait);
    if item <= 0.0 {
        return None;
    }
    let cpu = (item - wait).max(0.0);
    let (cpu_gil, cpu_native) = match (number("cpu.gil"), number("cpu.native")) {
        (Some(locked), Some(free)) if gil => (locked, free),
        _ => split(facts, gil, cpu),
    };
    let share = number("region.share").unwrap_or(1.0).clamp(0.0, 1.0);
    let processes =
        matches!(facts.get("now.strategy").map(|fact| &fact.value), Some(Value::Text(s)) if s == "processes");
    Some(Work {
        items: items as u64,
        wait,
        disk: number("wait.disk").unwrap_or(0.0),
        cpu_gil,
        cpu_native,
        // Time queued for a lock, by each of several workers: the section itself is what all of them share.
        held: lock_section(facts, items),
        cv: number("region.cv").unwrap_or(0.0),
        longest: number("region.longest").unwrap_or(item).min(wall),
        payload: facts
            .get("data.item_bytes")
            .filter(|fact| processes || fact.origin == Origin::Declared)
            .and_then(|_| number("data.item_bytes"))
            .unwrap_or(0.0),
        serial: wall * (1.0 - share),
    })
}

/// Length of the critical section one item goes through, from queueing: with `lanes` workers of which one is
/// inside, the wait of one item is what the others spend inside before it.
fn lock_section(facts: &Facts, items: f64) -> f64 {
    let lanes = facts.get_number("region.lanes").unwrap_or(1.0);
    let queued = facts.get_number("wait.lock").unwrap_or(0.0);
    if lanes < 2.0 || queued <= 0.0 || items < 2.0 { 0.0 } else { queued / (lanes - 1.0) }
}

/// Share of wall time in which the program was ready but not let run: it belongs to the computing it delayed, not
/// to a rest that stays.
fn queued(facts: &Facts) -> f64 {
    ["wall.runnable", "wall.throttled"].iter().filter_map(|name| facts.get_number(name)).sum()
}

/// A computation in which no repeated work was seen: assumed to be divisible into even pieces.
fn divisible(facts: &Facts, gil: bool, wall: f64, costs: &Costs) -> Option<Work> {
    let cpu = facts.get_number("run.cpu").filter(|cpu| *cpu > 0.0)?;
    let on_cpu = facts.get_number("wall.cpu")? + facts.get_number("wall.gil").unwrap_or(0.0);
    let pieces = costs.divisible_pieces.max(1.0);
    let (cpu_gil, cpu_native) = split(facts, gil, cpu / pieces);
    Some(Work {
        items: pieces as u64,
        cpu_gil,
        cpu_native,
        longest: cpu / pieces,
        serial: wall * (1.0 - on_cpu - queued(facts)).clamp(0.0, 1.0),
        ..Work::default()
    })
}
