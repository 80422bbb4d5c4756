//! Schema 1 of the JSON report: the public contract, field by field. Names here never change; more may be added.
//!
//! Only data and its description (the doc comments become the JSON Schema). Must not be used outside
//! `report::json`: the rest of the crate has its own types, which are free to change. Times are seconds, sizes
//! bytes, shares 0–1. Fields beyond the contract are optional on reading, so that a file with the contract's
//! names alone can be read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::{CallStacksV1, LocationV1, SiteV1};
use super::findings::FindingV1;
use super::names;
use super::region::{RegionGainV1, RegionV1};
use super::timeline::TimelineV1;
use super::wakeups::WakeupsV1;

/// The name and version of this format.
pub(super) const SCHEMA: &str = "boundby/report/1";

/// What a program is bound by, and what to do about it. Times in seconds, sizes in bytes, shares 0–1. A value
/// that was not measured is null, with the reason in `profile.quality.not_measured`; it is never 0.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "boundby report")]
pub(super) struct ReportV1 {
    /// Always `boundby/report/1`.
    #[schemars(schema_with = "names::schema")]
    pub(super) schema: String,
    /// The command line that was measured.
    pub(super) command: Vec<String>,
    /// How it ended; null while it still runs.
    pub(super) exit: Option<ExitV1>,
    /// What the computer offered it.
    pub(super) machine: MachineV1,
    /// The runtime of the process that decides the verdict.
    pub(super) runtime: RuntimeV1,
    /// What was measured; null: the program was described, and nothing was measured.
    pub(super) profile: Option<ProfileV1>,
    /// What was said of the program, where it was described instead of measured; goals and limits, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stated: Option<Vec<EvidenceV1>>,
    /// What binds the program.
    pub(super) verdict: VerdictV1,
    /// The first is the advice, the rest are alternatives in order.
    pub(super) recommendations: Vec<RecommendationV1>,
    /// Strategies that were considered and not offered.
    pub(super) rejected: Vec<RejectedV1>,
    /// Findings in source code; empty where no source was scanned.
    #[serde(default)]
    pub(super) findings: Vec<FindingV1>,
    /// Rules that lacked a fact.
    pub(super) not_decided: Vec<NotDecidedV1>,
}

/// How a program ended: one of the two is set, or none where only its parent was told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ExitV1 {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// The number of the signal that killed it.
    pub(super) signal: Option<i32>,
}

/// What a computer offers one program.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct MachineV1 {
    /// Processors.
    pub(super) cpus: CpusV1,
    /// Memory.
    pub(super) memory: MemoryV1,
    /// Soft limit on open files.
    pub(super) max_open_files: Option<u64>,
    /// The tightest limit on processes and threads.
    pub(super) max_tasks: Option<u64>,
    /// Kernel release.
    pub(super) kernel: String,
    /// What could not be read, and what that costs.
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

/// Processors.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct CpusV1 {
    /// Online logical CPUs.
    pub(super) logical: u32,
    /// CPUs in the affinity mask.
    pub(super) affinity: Option<u32>,
    /// CPU quota in cores; null: none, or not readable (then `machine.notes` says so).
    pub(super) quota: Option<f64>,
    /// Cores really to be had.
    pub(super) effective: f64,
    /// Parallel capacity in cores, measured.
    pub(super) capacity: Option<f64>,
}

/// Memory in bytes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct MemoryV1 {
    /// Physical memory.
    pub(super) total: Option<u64>,
    /// Available to new work.
    pub(super) available: Option<u64>,
    /// The tightest limit of a control group.
    pub(super) limit: Option<u64>,
}

/// A language runtime.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RuntimeV1 {
    /// The language.
    #[schemars(schema_with = "names::languages")]
    pub(super) language: String,
    /// For example `CPython`.
    pub(super) implementation: Option<String>,
    /// For example `3.11.7`.
    pub(super) version: Option<String>,
    /// Whether one lock serialises the language's code; null: could not be told.
    pub(super) gil: Option<bool>,
}

/// Seconds by kind of activity. Null: not measured.
pub(super) type BookV1 = BTreeMap<String, Option<f64>>;

/// What was measured.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ProfileV1 {
    /// Wall time observed.
    pub(super) wall_s: f64,
    /// CPU time in user mode, whole process tree.
    pub(super) cpu_user_s: f64,
    /// CPU time in the kernel, whole process tree.
    pub(super) cpu_system_s: f64,
    /// Largest resident set of any one process.
    pub(super) max_rss: Option<u64>,
    /// Processes seen.
    pub(super) processes: u64,
    /// Threads seen.
    pub(super) threads: u64,
    /// Whether the program was seen from its start; false: attached while it ran.
    #[serde(default)]
    pub(super) launched: bool,
    /// How times were measured: `k` by every switch of every thread and its reason, `s` by every switch, `p` by the
    /// scheduler's counters, `r` by what the kernel says of processes that have ended.
    #[serde(default)]
    pub(super) level: Option<String>,
    /// What was told of who woke whom; absent: nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wakeups: Option<WakeupsV1>,
    /// What the program was doing at each moment; sums to `wall_s`. `gil` is time in which one thread ran while
    /// others queued for the interpreter lock.
    #[serde(serialize_with = "names::book_in_order")]
    #[schemars(schema_with = "names::accounts")]
    pub(super) wall: BookV1,
    /// The same kinds in thread-seconds; sums to the lifetimes of all threads. `gil` is time spent queueing.
    #[serde(serialize_with = "names::book_in_order")]
    #[schemars(schema_with = "names::accounts")]
    pub(super) threads_total: BookV1,
    /// How many threads ran at once.
    pub(super) parallelism: ParallelismV1,
    /// CPU time under and outside the interpreter lock.
    #[serde(default)]
    pub(super) cpu_split: CpuSplitV1,
    /// What lines of the program's own source did, those that cost most wall time first.
    pub(super) sites: Vec<SiteV1>,
    /// Repeated blocking points as the kernel knows them, those that cost most wall time first.
    #[serde(default)]
    pub(super) blocking_points: Vec<BlockingPointV1>,
    /// Time by call stack.
    #[serde(default)]
    pub(super) call_stacks: CallStacksV1,
    /// What the program was doing in each stretch of its wall time; absent: saved before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeline: Option<TimelineV1>,
    /// The dominating repeated work; null: none found.
    pub(super) items: Option<ItemsV1>,
    /// The program's event loop; null: it has none, or none was recognised.
    pub(super) event_loop: Option<EventLoopV1>,
    /// Processes by role, largest CPU time first.
    #[serde(default)]
    pub(super) process_groups: Vec<ProcessGroupV1>,
    /// CPU quota as felt during the run.
    #[serde(default)]
    pub(super) throttling: ThrottlingV1,
    /// How good the measurement is.
    pub(super) quality: QualityV1,
}

/// How many threads ran at once.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ParallelismV1 {
    /// Mean number of threads running; null: no wall time.
    pub(super) mean: Option<f64>,
    /// Share of wall time with 0, 1, 2, … threads running; empty: not measured.
    pub(super) share_of_wall_by_running_threads: Vec<f64>,
    /// Threads of one process that share its CPU work and park again and again in between.
    #[serde(default)]
    pub(super) alternating: u64,
}

/// CPU time by its relation to the interpreter lock.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct CpuSplitV1 {
    /// CPU while holding the lock.
    pub(super) gil_s: Option<f64>,
    /// CPU of the same processes outside the lock.
    pub(super) native_s: Option<f64>,
    /// Samples of running threads this rests on.
    pub(super) samples: u64,
}

/// A repeated blocking point as the kernel knows it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct BlockingPointV1 {
    /// Why it blocks.
    #[schemars(schema_with = "names::wait_kinds")]
    pub(super) kind: String,
    /// The system call's plain name.
    #[serde(default)]
    pub(super) operation: String,
    /// Peer, path or lock.
    pub(super) resource: Option<String>,
    /// Process and thread.
    #[serde(default)]
    pub(super) thread: String,
    /// Number of waits.
    pub(super) episodes: u64,
    /// Whether the waits were counted one by one; false: estimated.
    #[serde(default)]
    pub(super) counted: bool,
    /// Blocked time, thread-seconds.
    pub(super) wait_s: f64,
    /// Of it, wall time the program really waited for it.
    pub(super) critical_s: Option<f64>,
    /// Wall time with at least one thread waiting here.
    pub(super) queued_s: Option<f64>,
    /// Mean length of a wait; null without waits.
    pub(super) mean_wait_s: Option<f64>,
    /// 95th percentile of a wait.
    pub(super) p95_wait_s: Option<f64>,
    /// CPU of the same threads between these waits.
    pub(super) cpu_s: f64,
    /// Threads that waited here.
    pub(super) threads: Option<u64>,
    /// Whether it is an event loop waiting for events.
    pub(super) in_event_loop: bool,
}

/// The dominating repeated work: what could overlap.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ItemsV1 {
    /// Items seen.
    pub(super) count: u64,
    /// Whether each item is a child process.
    #[serde(default)]
    pub(super) are_processes: bool,
    /// Where an item is a request of a client: share of their time in which the threads that answer waited for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) free: Option<f64>,
    /// There: how many came a second, and what tells their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<RequestsV1>,
    /// Threads or processes already working on them side by side.
    pub(super) lanes: u64,
    /// Wait per item by kind.
    #[schemars(schema_with = "names::waits")]
    pub(super) wait_s: BTreeMap<String, f64>,
    /// CPU per item while holding the interpreter lock.
    pub(super) cpu_gil_s: f64,
    /// CPU per item outside it.
    pub(super) cpu_native_s: f64,
    /// Coefficient of variation of an item's duration.
    pub(super) cv: Option<f64>,
    /// Mean duration of an item: its waiting and its computing.
    pub(super) mean_s: Option<f64>,
    /// 95th percentile of an item's waiting.
    pub(super) p95_s: Option<f64>,
    /// The longest item.
    pub(super) longest_s: Option<f64>,
    /// Share of the wall time these items cover; null: no wall time.
    pub(super) share: Option<f64>,
    /// Where in the program's own code they are; null: no line has most of them, or none was seen.
    pub(super) region: Option<RegionV1>,
    /// Recorded items in order, run-length coded: `[count, wait_s, cpu_gil_s, cpu_native_s]`, each value per item.
    #[serde(default)]
    pub(super) segments: Vec<(u32, f64, f64, f64)>,
}

/// What clients asked of a server.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RequestsV1 {
    /// A second.
    pub(super) rate_per_s: f64,
    /// `waits`: threads waited for clients as often as for what answering needs; `segments`: segments with data that came
    /// and went over connections that were accepted; `connections`: one came over each that was accepted.
    pub(super) counted_from: String,
    /// Connections whose segments were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) connections: Option<u64>,
}

/// The threads that run an event loop.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct EventLoopV1 {
    /// Time they waited for events.
    pub(super) waiting_s: f64,
    /// Time they were blocked outside the loop's wait.
    pub(super) blocked_s: f64,
    /// CPU time they used.
    pub(super) cpu_s: f64,
    /// Most connections watched at once; null: the loop was never seen waiting.
    pub(super) connections: Option<u64>,
}

/// Processes of one role.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ProcessGroupV1 {
    /// Command name.
    pub(super) name: String,
    /// Command name of the process that started them; null: it is not part of the program.
    #[serde(default)]
    pub(super) parent: Option<String>,
    /// Processes seen, in all.
    pub(super) count: u64,
    /// Most of them alive at once.
    pub(super) concurrent: u64,
    /// Threads of one of them, at most.
    pub(super) threads: u64,
    /// CPU time of all.
    pub(super) cpu_s: f64,
    /// Resident set of one, at most.
    pub(super) rss: Option<u64>,
    /// Bytes read by all, pipes and page cache included.
    pub(super) bytes_read: Option<u64>,
    /// Bytes written by all.
    pub(super) bytes_written: Option<u64>,
    /// Its runtime.
    pub(super) runtime: RuntimeV1,
}

/// CPU quota as felt during the run. All null: no quota, or not readable.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct ThrottlingV1 {
    /// Enforcement periods that elapsed.
    pub(super) periods: Option<u64>,
    /// Periods in which the group was stopped.
    pub(super) throttled_periods: Option<u64>,
    /// Time the group's threads were held back.
    pub(super) throttled_s: Option<f64>,
}

/// How good a measurement is, and what is missing from it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct QualityV1 {
    /// Sources that were used, best first.
    pub(super) sources_used: Vec<String>,
    /// Sources that were refused or absent.
    pub(super) sources_refused: Vec<RefusedV1>,
    /// Sampling rounds taken.
    pub(super) samples: u64,
    /// Rounds that came more than one interval late.
    pub(super) late: u64,
    /// Waits or threads known to have been missed.
    pub(super) lost: u64,
    /// CPU time of the profiler over wall time: its share of one CPU. Null: no wall time.
    pub(super) overhead: Option<f64>,
    /// CPU time of the profiler.
    #[serde(default)]
    pub(super) own_cpu_s: f64,
    /// Mean sampling interval.
    #[serde(default)]
    pub(super) interval_s: f64,
    /// Share of CPU time that was seen thread by thread.
    pub(super) cpu_coverage: Option<f64>,
    /// Why values of this report are null.
    #[serde(default)]
    pub(super) not_measured: Vec<NotMeasuredV1>,
    /// Odd things that were seen.
    #[serde(default)]
    pub(super) remarks: Vec<String>,
}

/// A source that could not be used.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RefusedV1 {
    /// Its name.
    pub(super) source: String,
    /// What the system said.
    pub(super) reason: String,
    /// What is missing because of it, and what to type to enable it.
    pub(super) costs: String,
}

/// Why a value is null.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct NotMeasuredV1 {
    /// Where it would stand, for example `profile.max_rss`.
    pub(super) name: String,
    /// The reason.
    pub(super) reason: String,
}

/// What binds the program.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct VerdictV1 {
    /// The name of it.
    #[schemars(schema_with = "names::bounds")]
    pub(super) bound_by: String,
    /// Its share of the wall time.
    pub(super) share: Option<f64>,
    /// How sure.
    #[schemars(schema_with = "names::confidences")]
    pub(super) confidence: String,
    /// One sentence.
    pub(super) summary: String,
    /// The rule that decided.
    #[serde(default)]
    pub(super) rule: String,
}

/// One thing to do.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RecommendationV1 {
    /// The model the program should have afterwards.
    #[schemars(schema_with = "names::strategies")]
    pub(super) strategy: String,
    /// What to do.
    #[schemars(schema_with = "names::actions")]
    pub(super) action: String,
    /// One sentence.
    #[serde(default)]
    pub(super) headline: String,
    /// How many workers; null where the number does not apply.
    pub(super) workers: Option<u32>,
    /// Smallest number that is about as good.
    pub(super) workers_low: Option<u32>,
    /// Largest number that is about as good.
    pub(super) workers_high: Option<u32>,
    /// The closed form that explains the number, with its numbers put in.
    pub(super) workers_formula: Option<String>,
    /// What limits the number.
    pub(super) workers_limited_by: Option<String>,
    /// What other numbers of workers would give, in order; empty where one number does not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) curve: Vec<CurvePointV1>,
    /// The stages of a hybrid, in order of flow.
    #[serde(default)]
    pub(super) stages: Vec<StageV1>,
    /// Machines; only for distributed.
    pub(super) nodes: Option<u32>,
    /// Engine; only for distributed.
    pub(super) engine: Option<String>,
    /// Tasks to divide the work into; only for distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tasks: Option<u64>,
    /// Length of one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task_s: Option<f64>,
    /// What it gives; null where nothing could be predicted.
    pub(super) predicted: Option<PredictedV1>,
    /// The repeated work it is about, and what becomes of that alone.
    pub(super) region: Option<RegionGainV1>,
    /// How sure.
    #[schemars(schema_with = "names::confidences")]
    pub(super) confidence: String,
    /// The rule that put it here.
    pub(super) rule: String,
    /// The evidence.
    pub(super) because: Vec<EvidenceV1>,
    /// What it assumes and what could spoil it.
    pub(super) caveats: Vec<String>,
    /// When another choice would win.
    pub(super) flip: Option<String>,
    /// The construct of the program's language, on one line.
    pub(super) construct: Option<String>,
    /// A few lines of code.
    pub(super) snippet: Option<String>,
    /// Extra resident memory it costs.
    pub(super) memory: Option<u64>,
}

/// One stage of a hybrid.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct StageV1 {
    /// What it does.
    pub(super) name: String,
    /// Its model.
    #[schemars(schema_with = "names::strategies")]
    pub(super) strategy: String,
    /// Its workers.
    pub(super) workers: u32,
    /// The program's own function that does it; null: not known, or it does other things as well.
    pub(super) function: Option<String>,
    /// Where that is done today.
    pub(super) site: Option<LocationV1>,
}

/// A predicted outcome with its 90 % interval.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PredictedV1 {
    /// Wall time of the program.
    pub(super) wall_s: f64,
    /// Wall time now over wall time then.
    pub(super) speedup: f64,
    /// Lower end of the interval of `speedup`.
    pub(super) low: f64,
    /// Upper end.
    pub(super) high: f64,
}

/// What one number of workers gives.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct CurvePointV1 {
    /// The number.
    pub(super) workers: u32,
    /// What it gives.
    #[serde(flatten)]
    pub(super) predicted: PredictedV1,
}

/// One piece of evidence.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct EvidenceV1 {
    /// Name of the fact.
    pub(super) fact: String,
    /// Its value: a number in the base unit, a truth or a word.
    pub(super) value: ValueV1,
    /// Its unit; null for words and truths.
    #[schemars(schema_with = "names::units")]
    pub(super) unit: Option<String>,
    /// Where it comes from.
    #[schemars(schema_with = "names::origins")]
    pub(super) origin: String,
    /// The comparison it took part in, as it stands in the rule; empty for a plain fact.
    #[serde(default)]
    pub(super) comparison: String,
}

/// A number in its base unit, a truth or a word; null: a number that is not finite.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ValueV1 {
    Bool(bool),
    Number(Option<f64>),
    Text(String),
}

/// A strategy that was considered and not offered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RejectedV1 {
    /// Which.
    #[schemars(schema_with = "names::strategies")]
    pub(super) strategy: String,
    /// Why, one sentence.
    pub(super) why: String,
    /// What it would have given, where predicted.
    pub(super) predicted_speedup: Option<f64>,
}

/// A rule that could not be decided.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct NotDecidedV1 {
    /// Which rule.
    pub(super) rule: String,
    /// Facts it lacked.
    pub(super) missing: Vec<String>,
    /// What would settle it.
    pub(super) how_to_learn: String,
}
