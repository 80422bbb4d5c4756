//! Facts that somebody states instead of having them measured, and what a language settles by its name.

use super::{Facts, Goals, Origin, VOCABULARY, Value, collect};
use crate::machine::Machine;

/// Languages by the name of `runtime.lang`, and whether one lock serialises their code.
pub const LANGUAGES: [(&str, bool); 8] = [
    ("python", true),
    ("rust", false),
    ("go", false),
    ("java", false),
    ("node", false),
    ("native", false),
    ("ruby", true),
    ("shell", false),
];

/// Whether a language of this name has such a lock; `None`: no such language.
#[must_use]
pub fn has_gil(language: &str) -> Option<bool> {
    LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, gil)| *gil)
}

/// What somebody says of a program. `None`: not said.
#[expect(clippy::struct_excessive_bools, reason = "each is a statement of its own")]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stated {
    /// What it is bound by: a name of the report contract, or `io` where it waits for who knows what.
    pub bound: Option<String>,
    /// What is wanted of it and what limits it.
    pub goals: Goals,
    /// Whether `bound` was taken from words and not from an answer.
    pub bound_is_guess: bool,
    /// Seconds everything takes one after another.
    pub duration: Option<f64>,
    /// Items.
    pub items: Option<u64>,
    /// Seconds each waits.
    pub wait: Option<f64>,
    /// Seconds of CPU of each; under the interpreter lock where there is one.
    pub cpu: Option<f64>,
    /// Seconds of CPU of each outside that lock.
    pub cpu_outside_lock: Option<f64>,
    /// Whether it runs beside something else.
    pub background: bool,
    /// Whether its items need each other's results.
    pub dependent: bool,
    /// The language.
    pub language: Option<String>,
    /// Whether the interpreter has no lock although its language usually has one.
    pub no_gil: bool,
    /// Cores to be had.
    pub cores: Option<f64>,
    /// Bytes of memory to be had.
    pub memory: Option<f64>,
}

/// Shares of an item that is waiting, assumed where only what binds was said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AssumedWaits {
    /// Where it is said to wait.
    pub waits: f64,
    /// Where it is said to compute.
    pub computes: f64,
    /// Where it is said to do both.
    pub mixed: f64,
}

/// What one item is made of, and where that comes from.
struct Item {
    wait: f64,
    cpu: f64,
    origin: Origin,
}

/// States everything that was said, and what follows from it by arithmetic. What was not said stays unknown; what a word
/// like "I/O-bound" leaves open is marked as assumed.
#[must_use]
pub fn declare(stated: &Stated, machine: &Machine, assumed: &AssumedWaits) -> Facts {
    let mut facts = Facts::default();
    collect::host(&mut facts, machine);
    facts.set("run.stated", Value::Bool(true), Origin::Declared);
    facts.set("run.complete", Value::Bool(true), Origin::Declared);
    for (name, value) in [
        ("host.p_eff", stated.cores),
        ("host.cores", stated.cores.map(f64::ceil)),
        ("host.mem_budget", stated.memory),
    ] {
        if let Some(value) = value {
            facts.number(name, value, Origin::Declared);
        }
    }
    facts.strive(&stated.goals);
    if let Some(word) = &stated.language {
        facts.set("runtime.lang", Value::Text(word.clone()), Origin::Declared);
    }
    let gil = stated.language.as_deref().and_then(has_gil);
    if let Some(gil) = gil {
        facts.set("runtime.gil", Value::Bool(gil && !stated.no_gil), Origin::Declared);
    }
    // What is still to be written has neither; what exists may have both, so these are assumed.
    facts.set("runtime.async", Value::Bool(false), Origin::Assumed);
    facts.set("now.strategy", Value::Text("sequential".to_owned()), Origin::Assumed);
    facts.number("now.workers", 1.0, Origin::Assumed);
    if stated.background {
        facts.set("work.background", Value::Bool(true), Origin::Declared);
    }
    if stated.dependent {
        facts.set("region.independent", Value::Bool(false), Origin::Declared);
    }
    work(&mut facts, stated, assumed, gil);
    for spec in VOCABULARY {
        if facts.get(spec.name).is_none() && facts.reason(spec.name).is_none() {
            facts.unknown(spec.name, "nobody stated it");
        }
    }
    facts
}

/// The items and the books of such a program, as far as the answers give them.
fn work(facts: &mut Facts, stated: &Stated, assumed: &AssumedWaits, gil: Option<bool>) {
    let item = item(stated, assumed);
    let length = item.as_ref().map(|item| item.wait + item.cpu);
    let count = stated.items.map(|n| n as f64).or_else(|| match (stated.duration, length) {
        // A split without a length says nothing about how many there are.
        (Some(duration), Some(length)) if knows_length(stated) && length > 0.0 => {
            Some((duration / length).round().max(1.0))
        }
        _ => None,
    });
    let whole = stated.duration.or_else(|| {
        let length = length.filter(|_| knows_length(stated))?;
        Some(length * count?)
    });
    if let Some(whole) = whole {
        let said = stated.duration.map(|_| Origin::Declared);
        let origin = said.or(item.as_ref().map(|item| item.origin)).unwrap_or(Origin::Declared);
        facts.number("run.wall", whole, origin);
    }
    let Some(Item { wait, cpu, origin }) = item else { return };
    let length = wait + cpu;
    if length <= 0.0 {
        return;
    }
    let (waits, computes) = (wait / length, cpu / length);
    facts.number("wait.share", waits, origin);
    facts.number("cpu.share", computes, origin);
    books(facts, stated, waits, computes, origin);
    if let Some(whole) = whole {
        facts.number("run.cpu", whole * computes, origin);
    }
    let gil = gil.map(|gil| gil && !stated.no_gil);
    match (gil, stated.cpu_outside_lock) {
        (Some(false), _) => facts.number("cpu.gil_share", 0.0, Origin::Declared),
        (_, Some(outside)) if cpu > 0.0 => {
            facts.number("cpu.gil_share", (1.0 - outside / cpu).clamp(0.0, 1.0), Origin::Declared);
        }
        _ => {}
    }
    let (Some(count), Some(whole)) = (count, whole) else { return };
    let each = whole / count;
    let of_item = if knows_length(stated) { 1.0 } else { each / length };
    let state = |facts: &mut Facts, name: &str, value: f64| facts.number(name, value * of_item, origin);
    let counted = if stated.items.is_some() { Origin::Declared } else { origin };
    facts.number("region.n", count, counted);
    facts.number("region.share", 1.0, Origin::Assumed);
    facts.number("region.lanes", 1.0, Origin::Assumed);
    facts.set("region.processes", Value::Bool(false), Origin::Assumed);
    state(facts, "region.item_wall", length);
    state(facts, "wait.total", wait);
    match wait_fact(stated) {
        // Where nobody said what it waits for, the network is as good a guess as it is for the books.
        None if wait > 0.0 => facts.number("wait.net", wait * of_item, Origin::Assumed),
        named => {
            for (_, name) in WAITS {
                state(facts, name, if named == Some(name) { wait } else { 0.0 });
            }
        }
    }
    if let Some(share) = facts.get_number("cpu.gil_share") {
        let under = if gil == Some(false) { 0.0 } else { share };
        state(facts, "cpu.gil", cpu * under);
        state(facts, "cpu.native", cpu * (1.0 - under));
    }
}

/// Whether the length of an item was said, not only of which parts it is made.
fn knows_length(stated: &Stated) -> bool {
    stated.wait.is_some() || stated.cpu.is_some() || stated.cpu_outside_lock.is_some()
}

fn item(stated: &Stated, assumed: &AssumedWaits) -> Option<Item> {
    let computes = stated.bound.as_deref().map(|bound| matches!(bound, "cpu" | "gil"));
    let share = match (stated.bound.as_deref(), computes) {
        (Some("mixed"), _) => Some(assumed.mixed),
        (_, Some(true)) => Some(assumed.computes),
        (_, Some(false)) => Some(assumed.waits),
        (_, None) => None,
    };
    let cpu = match (stated.cpu, stated.cpu_outside_lock) {
        (None, None) => None,
        (under, outside) => Some(under.unwrap_or(0.0) + outside.unwrap_or(0.0)),
    };
    match (stated.wait, cpu) {
        (Some(wait), Some(cpu)) => Some(Item { wait, cpu, origin: Origin::Declared }),
        (Some(wait), None) => {
            let share = share.unwrap_or(assumed.waits).clamp(f64::EPSILON, 1.0);
            Some(Item { wait, cpu: wait * (1.0 - share) / share, origin: Origin::Assumed })
        }
        (None, Some(cpu)) => {
            let share = share.unwrap_or(assumed.computes).clamp(0.0, 1.0 - 1e-6);
            Some(Item { wait: cpu * share / (1.0 - share), cpu, origin: Origin::Assumed })
        }
        (None, None) => {
            let share = share?;
            Some(Item { wait: share, cpu: 1.0 - share, origin: Origin::Assumed })
        }
    }
}

/// The fact that holds the wait of an item, by what is waited for.
fn wait_fact(stated: &Stated) -> Option<&'static str> {
    let bound = stated.bound.as_deref()?;
    WAITS.iter().find(|(kind, _)| *kind == bound).map(|(_, fact)| *fact)
}

/// Kinds of waiting by the name of their account, and the fact that holds such a wait of an item.
const WAITS: [(&str, &str); 6] = [
    ("network", "wait.net"),
    ("disk", "wait.disk"),
    ("pipe", "wait.pipe"),
    ("lock", "wait.lock"),
    ("sleep", "wait.sleep"),
    ("child", "wait.child"),
];

/// The wall book of one thread that does one thing after another: it waits or it computes, and everything else is nothing, by
/// what was said. Where nobody said what it waits for, the network is assumed: what most programs wait for.
fn books(facts: &mut Facts, stated: &Stated, waits: f64, computes: f64, origin: Origin) {
    let origin = if stated.bound_is_guess { Origin::Assumed } else { origin };
    let known = |bound: &str| {
        stated.bound.as_deref() == Some(bound) || (bound == "cpu" && stated.bound.as_deref() == Some("gil"))
    };
    let kinds = WAITS.map(|(kind, _)| kind);
    let named = kinds.iter().any(|kind| known(kind));
    facts.number("run.coverage", 1.0, origin);
    for kind in kinds {
        let this = known(kind) || (!named && kind == "network");
        let origin = if named || waits == 0.0 { origin } else { Origin::Assumed };
        facts.number(&format!("wall.{kind}"), if this { waits } else { 0.0 }, origin);
    }
    facts.number("wall.cpu", computes, origin);
    for nothing in ["gil", "runnable", "throttled", "paging", "tty", "idle", "unattributed"] {
        facts.number(&format!("wall.{nothing}"), 0.0, origin);
    }
}
