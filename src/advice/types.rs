//! The advice as data: what every report format renders.

use crate::facts::{Origin, Unit, Value};
use crate::profile::Location;

/// Everything said about one program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Advice {
    /// What binds now.
    pub verdict: Verdict,
    /// `[0]` is the advice, the rest are alternatives in order. Never empty for a real profile.
    pub recommendations: Vec<Recommendation>,
    /// Strategies that were considered and not offered.
    pub rejected: Vec<Rejected>,
    /// Rules that could not be decided.
    pub not_decided: Vec<NotDecided>,
    /// Goals and limits that were stated beside what was measured.
    pub stated: Vec<Evidence>,
}

/// What binds the program now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// One of the names of the report contract: cpu, gil, network, …, mixed.
    pub bound_by: String,
    /// Share of wall time, 0–1.
    pub share: f64,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
    /// The rule that decided.
    pub rule: String,
}

/// How sure a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Confidence {
    /// Do not act on it alone.
    #[default]
    Low,
    /// Likely.
    Medium,
    /// Act on it.
    High,
}

impl Confidence {
    /// The name in JSON and text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The model a program should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// One after another.
    Sequential,
    /// A pool of threads.
    Threads,
    /// A pool of processes.
    Processes,
    /// An event loop.
    Async,
    /// One stage waits, another computes.
    Hybrid,
    /// More than one machine.
    Distributed,
}

impl Strategy {
    /// Every strategy, simplest first.
    pub const ALL: [Self; 6] =
        [Self::Sequential, Self::Threads, Self::Processes, Self::Async, Self::Hybrid, Self::Distributed];

    /// The name in JSON, rules and text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Threads => "threads",
            Self::Processes => "processes",
            Self::Async => "async",
            Self::Hybrid => "hybrid",
            Self::Distributed => "distributed",
        }
    }

    /// The strategy with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Change to the strategy.
    Adopt,
    /// Leave it as it is.
    Keep,
    /// Same strategy, another number of workers.
    Resize,
    /// Take a blocking or computing call off the event loop.
    Unblock,
    /// Make the tasks larger.
    Batch,
    /// Hold the contended lock for less, or less often.
    ReduceContention,
    /// Share or map memory instead of copying it between processes.
    ShareMemory,
    /// Raise the CPU quota, or use less CPU.
    RaiseQuota,
    /// Replace polling or sleeping by waiting for the event.
    WaitForEvent,
    /// The evidence does not decide.
    Inconclusive,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Adopt,
        Self::Keep,
        Self::Resize,
        Self::Unblock,
        Self::Batch,
        Self::ReduceContention,
        Self::ShareMemory,
        Self::RaiseQuota,
        Self::WaitForEvent,
        Self::Inconclusive,
    ];

    /// The name in JSON and rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Keep => "keep",
            Self::Resize => "resize",
            Self::Unblock => "unblock",
            Self::Batch => "batch",
            Self::ReduceContention => "reduce_contention",
            Self::ShareMemory => "share_memory",
            Self::RaiseQuota => "raise_quota",
            Self::WaitForEvent => "wait_for_event",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The action with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Stands between what to do and why in a [headline](Recommendation::headline).
pub const WHY: &str = " — ";

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// Which model the program should have afterwards.
    pub strategy: Strategy,
    /// What to do.
    pub action: Action,
    /// For the reader: what to do, where a rule says it in words, [`WHY`], and the reason; else the reason alone.
    pub headline: String,
    /// How many workers; `None` where the number does not apply.
    pub workers: Option<Workers>,
    /// The stages of a hybrid, in order of flow.
    pub stages: Vec<Stage>,
    /// The computers of a distributed plan.
    pub cluster: Option<Cluster>,
    /// What it gives; `None` where nothing could be predicted.
    pub predicted: Option<Predicted>,
    /// What other numbers of workers would give, in order; empty where the number is not one.
    pub curve: Vec<CurvePoint>,
    /// The repeated work it is about, and what becomes of that alone.
    pub region: Option<RegionGain>,
    /// Confidence in the prediction and the choice.
    pub confidence: Confidence,
    /// The rule that put it here.
    pub rule: String,
    /// The evidence, one comparison or fact each.
    pub because: Vec<Evidence>,
    /// What it assumes and what could spoil it.
    pub caveats: Vec<String>,
    /// When another choice would win.
    pub flip: Option<String>,
    /// The construct of the program's language, on one line.
    pub construct: Option<String>,
    /// A few lines of code.
    pub snippet: Option<String>,
    /// Extra resident memory it costs, bytes.
    pub memory: Option<u64>,
}

impl Recommendation {
    /// What to do in words, where a rule says it, and the reason.
    #[must_use]
    pub fn told(&self) -> (Option<&str>, &str) {
        match self.headline.split_once(WHY) {
            Some((what, why)) => (Some(what), why),
            None => (None, &self.headline),
        }
    }
}

/// A worker count and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    /// The number to use.
    pub suggested: u32,
    /// Smallest and largest number that are about as good.
    pub low: u32,
    /// See `low`.
    pub high: u32,
    /// The closed form that explains it, with its numbers put in.
    pub formula: String,
    /// What limits it, for example `knee`, `items`, `cap-downstream`.
    pub binding_cap: String,
}

/// Several computers.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The engine that divides the work.
    pub engine: String,
    /// Computers.
    pub nodes: u32,
    /// Length of one task, seconds.
    pub task_s: f64,
    /// Number of tasks.
    pub tasks: u64,
}

/// One stage of a hybrid.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it does.
    pub name: String,
    /// Its model.
    pub strategy: Strategy,
    /// Its workers.
    pub workers: u32,
    /// The program's own function that does it; `None`: not known, or it does other things as well.
    pub function: Option<String>,
    /// Where that is done today.
    pub at: Option<Location>,
}

/// The repeated work that a plan is about, and what becomes of it alone: [`Predicted`] is of the whole program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RegionGain {
    /// The line it is at; `None`: not seen.
    pub at: Option<Location>,
    /// The program's own code that calls the function it is in.
    pub caller: Option<Location>,
    /// Share of the wall time, 0–1.
    pub share: f64,
    /// How much faster it becomes.
    pub speedup: f64,
    /// Items; `None`: a computation that none were told apart in.
    pub items: Option<u64>,
    /// Coefficient of variation of their duration; `None`: too short to tell apart.
    pub cv: Option<f64>,
    /// Whether they are independent of each other; `None`: nobody knows.
    pub independent: Option<bool>,
    /// Wall time of the rest of the program, seconds: it stays as it is.
    pub serial_s: f64,
}

/// A predicted outcome with its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// Wall time of the program, seconds.
    pub wall_s: f64,
    /// Wall time now over wall time then.
    pub speedup: f64,
    /// Lower end of the interval of `speedup`.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Predicted {
    /// Wall time of the program as it is: for as many tasks as the prediction is about, which may be more than were
    /// measured.
    #[must_use]
    pub fn now(self) -> f64 {
        self.wall_s * self.speedup
    }
}

/// What another number of workers would give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// The number.
    pub workers: u32,
    /// What it gives.
    pub predicted: Predicted,
}

/// One piece of evidence: a fact and the comparison it took part in.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Name of the fact.
    pub fact: String,
    /// Its value.
    pub value: Value,
    /// Its unit; `None` for words and truths.
    pub unit: Option<Unit>,
    /// Where it comes from.
    pub origin: Origin,
    /// The comparison as it stands in the rule, for example `wait.share >= 50%`; empty for a plain fact.
    pub comparison: String,
}

/// A strategy that was considered and not offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Which.
    pub strategy: Strategy,
    /// Why, one sentence.
    pub why: String,
    /// What it would have given, where predicted.
    pub predicted_speedup: Option<f64>,
}

/// A rule that could not be decided.
#[derive(Debug, Clone, PartialEq)]
pub struct NotDecided {
    /// Which rule.
    pub rule: String,
    /// Facts it lacked.
    pub missing: Vec<String>,
    /// What would settle it.
    pub how_to_learn: String,
}
