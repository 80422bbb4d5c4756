//! Facts: named values with a unit and an origin, or the reason why they are unknown. The vocabulary of the rules.
//!
//! Knows every fact a rule may name ([`VOCABULARY`]); must not know a rule or a strategy's mechanics.

mod collect;
mod declared;
mod goals;

pub use collect::{NO_ITEMS, collect};
pub use declared::{AssumedWaits, LANGUAGES, Stated, declare, has_gil};
pub use goals::{EXCHANGED_KINDS, Goals, WORK_KINDS};

use std::collections::BTreeMap;

/// The unit of a number. Values are held in the base unit given here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain count or factor.
    Count,
    /// A share, 0–1; literals may be written `70%`.
    Ratio,
    /// Seconds; literals may be written `100ms`.
    Seconds,
    /// Bytes; literals may be written `8GiB`.
    Bytes,
    /// Per second.
    Rate,
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A number in a unit.
    Number(Unit),
    /// True or false.
    Bool,
    /// A word from a fixed or open list.
    Text,
}

/// A value that is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In the base unit of the fact's type.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// A word.
    Text(String),
}

/// Where a fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Measured on the program.
    Measured,
    /// Read from the machine.
    Machine,
    /// Stated by the user.
    Declared,
    /// Computed by the model from other facts.
    Predicted,
    /// A default constant of the model, measured elsewhere.
    Assumed,
    /// Seen by a scan of the source.
    Scanned,
}

/// What a scan of the source knows of the work that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Why its items need each other, with the place; `None`: nothing of the kind was seen, which proves nothing.
    pub dependence: Option<String>,
}

impl Origin {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Machine => "machine",
            Self::Declared => "declared",
            Self::Predicted => "predicted",
            Self::Assumed => "assumed",
            Self::Scanned => "scanned",
        }
    }
}

/// A known fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Its value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// One row of the vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct FactSpec {
    /// Dotted name.
    pub name: &'static str,
    /// Type and unit.
    pub ty: Type,
    /// What it means; one sentence.
    pub meaning: &'static str,
    /// How to learn it when it is unknown; what to type or to do.
    pub how_to_learn: &'static str,
}

impl FactSpec {
    /// Whether no measurement can tell, only whoever knows the program.
    #[must_use]
    pub fn only_the_user_knows(&self) -> bool {
        self.how_to_learn == STATE
    }

    /// Whether learning it takes more than the profile that is at hand.
    #[must_use]
    pub fn needs_more_than_a_profile(&self) -> bool {
        self.how_to_learn != PROFILE
    }
}

/// All facts of one program. What is absent is unknown, with a reason where there is one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    known: BTreeMap<String, Fact>,
    unknown: BTreeMap<String, String>,
}

impl Facts {
    /// States a fact; a later statement replaces an earlier one.
    pub fn set(&mut self, name: &str, value: Value, origin: Origin) {
        debug_assert!(spec(name).is_some(), "{name} is not in the vocabulary");
        self.unknown.remove(name);
        self.known.insert(name.to_owned(), Fact { value, origin });
    }

    /// States a number; one that is not finite is recorded as unknown.
    pub fn number(&mut self, name: &str, value: f64, origin: Origin) {
        if value.is_finite() {
            self.set(name, Value::Number(value), origin);
        } else {
            self.unknown(name, "not a finite number");
        }
    }

    /// States why a fact is unknown.
    pub fn unknown(&mut self, name: &str, reason: &str) {
        self.known.remove(name);
        self.unknown.insert(name.to_owned(), reason.to_owned());
    }

    /// The fact, where known.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.known.get(name)
    }

    /// The number, where known and a number.
    #[must_use]
    pub fn get_number(&self, name: &str) -> Option<f64> {
        match self.known.get(name)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Why a fact is unknown, where a reason was stated.
    #[must_use]
    pub fn reason(&self, name: &str) -> Option<&str> {
        self.unknown.get(name).map(String::as_str)
    }

    /// States what a scan of the source knows.
    pub fn learn(&mut self, scanned: &Scanned) {
        if let Some(why) = &scanned.dependence {
            self.set("region.independent", Value::Bool(false), Origin::Scanned);
            self.set("region.dependence", Value::Text(why.clone()), Origin::Scanned);
        }
    }

    /// Known facts in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.known.iter().map(|(name, fact)| (name.as_str(), fact))
    }
}

/// The row of the vocabulary with this name.
#[must_use]
pub fn spec(name: &str) -> Option<&'static FactSpec> {
    VOCABULARY.iter().find(|spec| spec.name == name)
}

const fn number(
    name: &'static str,
    unit: Unit,
    meaning: &'static str,
    how_to_learn: &'static str,
) -> FactSpec {
    FactSpec { name, ty: Type::Number(unit), meaning, how_to_learn }
}

const fn boolean(name: &'static str, meaning: &'static str, how_to_learn: &'static str) -> FactSpec {
    FactSpec { name, ty: Type::Bool, meaning, how_to_learn }
}

const fn text(name: &'static str, meaning: &'static str, how_to_learn: &'static str) -> FactSpec {
    FactSpec { name, ty: Type::Text, meaning, how_to_learn }
}

/// How most facts are learned.
pub const PROFILE: &str = "profile the program: boundby profile -- CMD";
const LONGER: &str = "profile a longer run, so that more waits are seen";
const PROBE: &str = "run without --no-probe on an otherwise quiet machine";
const CALIBRATE: &str = "measure it on this computer: boundby calibrate";
const STATE: &str = "only you can know: state it";

/// Every fact a rule may name. Adding one is one row here and one line where it is collected.
pub const VOCABULARY: &[FactSpec] = &[
    number("host.cores", Unit::Count, "CPUs in the affinity mask", PROFILE),
    number("host.quota", Unit::Count, "CPU quota in cores, tightest over all ancestor cgroups", PROFILE),
    boolean("host.calibrated", "whether boundby calibrate measured here what workers cost", CALIBRATE),
    number("host.p_eff", Unit::Count, "cores to be had, by affinity, quota and measured capacity", PROBE),
    boolean("host.p_eff_measured", "whether the parallel capacity was measured by the spin probe", PROBE),
    number("host.mem_budget", Unit::Bytes, "memory that new workers may use", PROFILE),
    number("host.fd_free", Unit::Count, "open files still allowed", PROFILE),
    number("host.tasks_max", Unit::Count, "limit on threads and processes", PROFILE),
    number("run.wall", Unit::Seconds, "wall time observed", PROFILE),
    number("run.cpu", Unit::Seconds, "CPU time of the whole tree", PROFILE),
    number("run.samples", Unit::Count, "sampling rounds taken", LONGER),
    number("run.coverage", Unit::Ratio, "share of wall time that is explained", LONGER),
    boolean(
        "run.complete",
        "the program was seen from start to end",
        "profile it from the start: boundby profile -- CMD",
    ),
    number(
        "wall.cpu",
        Unit::Ratio,
        "share of wall time with a thread on a CPU and none queueing for the GIL",
        PROFILE,
    ),
    number(
        "wall.gil",
        Unit::Ratio,
        "share of wall time running while others queued for the interpreter lock",
        PROFILE,
    ),
    number(
        "wall.runnable",
        Unit::Ratio,
        "share of wall time ready to run while other programs held the CPUs",
        PROFILE,
    ),
    number("wall.throttled", Unit::Ratio, "share of wall time stopped by the CPU quota", PROFILE),
    number("wall.network", Unit::Ratio, "share of wall time waiting for the network", PROFILE),
    number("wall.disk", Unit::Ratio, "share of wall time waiting for files", PROFILE),
    number(
        "wall.pipe",
        Unit::Ratio,
        "share of wall time waiting for another process through a pipe",
        PROFILE,
    ),
    number("wall.lock", Unit::Ratio, "share of wall time waiting for locks", PROFILE),
    number("wall.sleep", Unit::Ratio, "share of wall time in deliberate sleeps", PROFILE),
    number(
        "wall.child",
        Unit::Ratio,
        "share of wall time waiting for children that could not be seen",
        PROFILE,
    ),
    number("wall.paging", Unit::Ratio, "share of wall time reading pages from a device or swap", PROFILE),
    number("wall.tty", Unit::Ratio, "share of wall time waiting for a person", PROFILE),
    number("wall.idle", Unit::Ratio, "share of wall time with nothing to do", PROFILE),
    number("wall.unattributed", Unit::Ratio, "share of wall time no sample explains", LONGER),
    number(
        "thread.lock",
        Unit::Ratio,
        "share of thread-time, parked threads left out, blocked on locks",
        PROFILE,
    ),
    number(
        "thread.gil",
        Unit::Ratio,
        "share of thread-time, parked threads left out, queued for the interpreter lock",
        PROFILE,
    ),
    number(
        "thread.pipe",
        Unit::Ratio,
        "share of thread-time, parked threads left out, blocked on pipes",
        PROFILE,
    ),
    number(
        "thread.runnable",
        Unit::Ratio,
        "share of thread-time, parked threads left out, ready but not running",
        PROFILE,
    ),
    number("parallelism.mean", Unit::Count, "mean number of threads running", PROFILE),
    number(
        "parallelism.wanted",
        Unit::Count,
        "mean number of threads that ran or were ready to run",
        PROFILE,
    ),
    number("region.n", Unit::Count, "items of the repeated work that takes most time", LONGER),
    number("region.share", Unit::Ratio, "share of wall time the items cover", LONGER),
    number("region.item_wall", Unit::Seconds, "wall time of one item", LONGER),
    number("region.cv", Unit::Count, "coefficient of variation of the items", LONGER),
    number("region.longest", Unit::Seconds, "longest item", LONGER),
    boolean("region.requests", "whether the items are requests of clients", PROFILE),
    number(
        "region.free",
        Unit::Ratio,
        "share of their time in which the threads that answer requests wait for the next one",
        PROFILE,
    ),
    number(
        "region.lanes",
        Unit::Count,
        "threads or processes already working on items side by side",
        PROFILE,
    ),
    boolean("region.processes", "whether each item is a child process of its own", PROFILE),
    boolean("region.independent", "whether the items are independent of each other", STATE),
    text("region.dependence", "why the items are not independent of each other", STATE),
    number(
        "wait.total",
        Unit::Seconds,
        "wait per item that others could overlap: no lock, no run queue",
        LONGER,
    ),
    number("wait.net", Unit::Seconds, "network wait per item", LONGER),
    number("wait.disk", Unit::Seconds, "file wait per item", LONGER),
    number("wait.sleep", Unit::Seconds, "sleep per item", LONGER),
    number("wait.child", Unit::Seconds, "wait for unseen children per item", LONGER),
    number("wait.pipe", Unit::Seconds, "wait for another process per item", LONGER),
    number("wait.lock", Unit::Seconds, "lock wait per item", LONGER),
    number("wait.share", Unit::Ratio, "share of an item that is waiting, not computing", LONGER),
    number("cpu.gil", Unit::Seconds, "CPU per item while holding the interpreter lock", LONGER),
    number("cpu.native", Unit::Seconds, "CPU per item outside the interpreter lock", LONGER),
    number("cpu.share", Unit::Ratio, "share of an item that is computing, not waiting", LONGER),
    number(
        "cpu.gil_share",
        Unit::Ratio,
        "share of the program's CPU used while holding the interpreter lock",
        LONGER,
    ),
    number("data.item_bytes", Unit::Bytes, "bytes sent between processes per item", PROFILE),
    number("data.ser_cost", Unit::Seconds, "CPU to copy one item's data between processes", PROFILE),
    number("mem.per_process", Unit::Bytes, "resident memory one more process costs", PROFILE),
    number("mem.per_thread", Unit::Bytes, "resident memory one more thread costs", PROFILE),
    number("data.moved", Unit::Bytes, "bytes the worker processes read and wrote, files included", PROFILE),
    number("data.move_share", Unit::Ratio, "share of wall time it takes to copy those bytes", PROFILE),
    number("handoff.n", Unit::Count, "waits for another thread or process: pipes and locks", PROFILE),
    number("handoff.cpu", Unit::Seconds, "CPU between two of those waits", PROFILE),
    number(
        "loop.blocked",
        Unit::Ratio,
        "share of wall time the event loop's thread is blocked outside the loop",
        PROFILE,
    ),
    number(
        "threads.alternating",
        Unit::Count,
        "threads that share the CPU work and park again and again in between",
        PROFILE,
    ),
    number("lock.waiters", Unit::Count, "threads that queue for the most contended lock", PROFILE),
    number(
        "lock.queued",
        Unit::Ratio,
        "share of wall time with at least one thread queueing for that lock",
        PROFILE,
    ),
    number("lock.episodes", Unit::Count, "how often they queue for it", PROFILE),
    number("disk.sync", Unit::Ratio, "share of file waits that are fsync and kin", PROFILE),
    text("site.kind", "kind of the wait that costs most wall time", LONGER),
    text("site.operation", "system call of that wait", LONGER),
    text("site.resource", "host, path or address of that wait", LONGER),
    number("site.episodes", Unit::Count, "number of those waits", LONGER),
    number("site.wait", Unit::Seconds, "mean length of those waits", LONGER),
    text("runtime.lang", "python, node, java, go, rust, native, shell, ruby or unknown", PROFILE),
    boolean("runtime.gil", "one lock serialises the language's code", PROFILE),
    boolean("runtime.async", "the program runs an event loop", PROFILE),
    text("now.strategy", "model the program has today: sequential, threads, processes, async", PROFILE),
    number("now.workers", Unit::Count, "workers it has today", PROFILE),
    number("now.processes", Unit::Count, "processes working at once today", PROFILE),
    number("now.parent_share", Unit::Ratio, "share of CPU time used outside the worker processes", PROFILE),
    number("now.children", Unit::Count, "processes started in all, beside the first", PROFILE),
    number("limit.downstream", Unit::Count, "concurrent requests the other side allows", STATE),
    boolean("run.stated", "whether the program was described instead of measured", PROFILE),
    text("work.kind", "what it works on: tasks, arrays, tables, stream, jobs", STATE),
    text(
        "work.defined_in",
        "what holds the function that is called for each item: function or class",
        LONGER,
    ),
    boolean("work.background", "whether it runs beside something else that matters more", STATE),
    number("data.size", Unit::Bytes, "data the whole work reads", STATE),
    number("goal.tasks", Unit::Count, "items of the real work, where fewer were measured", STATE),
    number("goal.deadline", Unit::Seconds, "time within which the whole work must be done", STATE),
    number("goal.machines", Unit::Count, "computers that may be used", STATE),
    number("goal.concurrency", Unit::Count, "operations that should be in flight at once", STATE),
    number("goal.connections", Unit::Count, "connections that are held open at once", STATE),
    number("goal.rate", Unit::Rate, "requests that arrive", STATE),
    number("goal.latency", Unit::Seconds, "time within which most requests should be answered", STATE),
    number("pred.server.processes", Unit::Count, "processes a server needs for what arrives", STATE),
    number("pred.server.threads", Unit::Count, "threads in each of them", STATE),
    number("pred.server.loops", Unit::Count, "processes that its computing alone needs", STATE),
    number("pred.server.slots", Unit::Count, "requests in flight at once, with room to spare", STATE),
    number("pred.server.tail", Unit::Seconds, "time that 95 % of its requests stay below", STATE),
    number("pred.server.most", Unit::Rate, "requests one computer can compute at most", STATE),
    number("pred.server.machines", Unit::Count, "computers that keep up with what arrives", STATE),
    number("pred.cluster.nodes", Unit::Count, "computers that meet the deadline or hold the data", STATE),
    number("pred.cluster.time", Unit::Seconds, "predicted wall time on so many computers", STATE),
    number("pred.cluster.gain", Unit::Count, "predicted speedup over the best on one computer", STATE),
    number("pred.cluster.task", Unit::Seconds, "length of a task when it is divided for them", STATE),
    number("pred.cluster.exchange", Unit::Seconds, "time to send all the data between them once", STATE),
    text("pred.cluster.formula", "how their number was reckoned", STATE),
    text("pred.cluster.engine", "engine that the rules choose for them", STATE),
    number("pred.now.time", Unit::Seconds, "wall time the model gives the program as it is", LONGER),
    text("pred.best.strategy", "strategy of the best candidate", LONGER),
    number("pred.best.workers", Unit::Count, "workers of the best candidate", LONGER),
    number("pred.best.time", Unit::Seconds, "predicted wall time of the best candidate", LONGER),
    number("pred.best.gain", Unit::Count, "predicted speedup of the best candidate", LONGER),
    number("pred.best.saved", Unit::Seconds, "time the best candidate saves", LONGER),
    number("pred.best.startup", Unit::Seconds, "start-up the best candidate costs", LONGER),
    number(
        "pred.best_single.time",
        Unit::Seconds,
        "predicted wall time of the best candidate but hybrid",
        LONGER,
    ),
    number("pred.threads.time", Unit::Seconds, "predicted wall time with threads", LONGER),
    number("pred.threads.gain", Unit::Count, "predicted speedup with threads", LONGER),
    number("pred.threads.workers", Unit::Count, "threads advised", LONGER),
    number("pred.threads.uncapped", Unit::Count, "threads that would be advised without caps", LONGER),
    number(
        "pred.threads.guide_low",
        Unit::Ratio,
        "share of the best throughput that 2 threads per core reach",
        LONGER,
    ),
    number(
        "pred.threads.guide_high",
        Unit::Ratio,
        "share of the best throughput that 5 threads per core reach",
        LONGER,
    ),
    number("pred.processes.time", Unit::Seconds, "predicted wall time with processes", LONGER),
    number("pred.processes.gain", Unit::Count, "predicted speedup with processes", LONGER),
    number("pred.processes.workers", Unit::Count, "processes advised", LONGER),
    number("pred.processes.batch", Unit::Count, "items to send to a process at once", LONGER),
    number(
        "pred.processes.guide",
        Unit::Ratio,
        "share of the best throughput that one process per core reaches",
        LONGER,
    ),
    number("pred.async.time", Unit::Seconds, "predicted wall time with async", LONGER),
    number("pred.async.gain", Unit::Count, "predicted speedup with async", LONGER),
    number("pred.async.workers", Unit::Count, "concurrent tasks advised", LONGER),
    number("pred.hybrid.time", Unit::Seconds, "predicted wall time of the streaming hybrid", LONGER),
    number("pred.hybrid.gain", Unit::Count, "predicted speedup of the streaming hybrid", LONGER),
    number("pred.hybrid_barrier.time", Unit::Seconds, "predicted wall time of the two-step hybrid", LONGER),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_dotted() {
        let names: std::collections::BTreeSet<_> = VOCABULARY.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), VOCABULARY.len());
        assert!(names.iter().all(|name| name.contains('.')));
    }

    #[test]
    fn a_number_that_is_not_finite_is_unknown_not_zero() {
        let mut facts = Facts::default();
        facts.number("run.wall", f64::NAN, Origin::Measured);
        assert_eq!(facts.get("run.wall"), None);
        assert_eq!(facts.reason("run.wall"), Some("not a finite number"));
    }
}
