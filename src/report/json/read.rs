//! From the contract back to the crate's own types: nothing is believed, every refusal says where and what to type.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::code;
use super::v1::{
    BlockingPointV1, BookV1, EventLoopV1, EvidenceV1, ExitV1, ItemsV1, MachineV1, PredictedV1,
    ProcessGroupV1, ProfileV1, QualityV1, RecommendationV1, ReportV1, RequestsV1, RuntimeV1, SCHEMA,
    ThrottlingV1, ValueV1, VerdictV1,
};
use super::{names, region, timeline, wakeups};
use crate::advice::{
    Action, Advice, Cluster, CurvePoint, Evidence, NotDecided, Predicted, Recommendation, Rejected, Stage,
    Strategy, Verdict, Workers,
};
use crate::facts::Value;
use crate::machine::Machine;
use crate::profile::{
    BlockingPoint, Counted, CpuSplit, EventLoop, Exit, Items, Level, Parallelism, ProcessGroup, Profile,
    Quality, Refused, Requests, Runtime, Segment, Throttling,
};
use crate::wait::{Account, Book, WaitKind};

/// What a saved report holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// What was measured then.
    pub profile: Profile,
    /// Where.
    pub machine: Machine,
    /// What was advised then, by the rules of then.
    pub advice_was: Advice,
}

/// Why a file is not a report that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The file ends too early.
    #[error("the report is cut off at line {line}, column {column}: copy it again, or profile again")]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Not JSON at all.
    #[error("not JSON ({0}): give a file written by `boundby profile --format json -o FILE -- CMD`")]
    NotJson(#[source] serde_json::Error),
    /// JSON of somebody else.
    #[error(
        "not a boundby report ({0}): give a file written by `boundby profile --format json -o FILE -- CMD`"
    )]
    Foreign(String),
    /// A report of another version.
    #[error(
        "the report is of schema `{found}`, this boundby reads `{SCHEMA}`: read it with the boundby that wrote it, or profile again"
    )]
    Version {
        /// The schema it states.
        found: String,
    },
    /// The right schema, but a field is missing or of another type.
    #[error("the report does not follow `{SCHEMA}` ({0}): it was edited or damaged; profile again")]
    Shape(#[source] serde_json::Error),
    /// A value that cannot be.
    #[error(
        "the report says `{at}` is {found}, but it must be {must}: it was edited or damaged; profile again"
    )]
    Value {
        /// The field, for example `profile.sites[3].wait_s`.
        at: String,
        /// What is there.
        found: String,
        /// What could be there.
        must: String,
    },
}

/// Longest time believed, seconds: about 31 years of thread-time. Every account of a book at once still fits into
/// 64 bits of nanoseconds.
const SECONDS_MAX: f64 = 1e9;
/// How far the wall book may be from the wall time: a share of it, and a rounding of short runs.
const BALANCE: (f64, f64) = (0.02, 1e-3);

/// Reads a report of schema 1. Names this version does not know are ignored; time in accounts it does not know
/// counts as not attributed, with a remark.
///
/// # Errors
///
/// [`JsonError`] for anything but a complete, plausible report of this schema.
pub fn from_json(bytes: &[u8]) -> Result<Saved, JsonError> {
    identify(bytes)?;
    let report: ReportV1 = serde_json::from_slice(bytes).map_err(JsonError::Shape)?;
    let stated = "a measurement: what was only stated has none, so profile the program";
    let measured = report.profile.as_ref().ok_or_else(|| refuse(format_args!("profile"), "null", stated))?;
    let mut profile = profile(measured)?;
    profile.command = report.command;
    profile.exit = report.exit.as_ref().map(exit).transpose()?;
    profile.runtime = runtime(&report.runtime, format_args!("runtime"))?;
    let recommendations = report.recommendations.iter().enumerate();
    let rejected = report.rejected.iter().enumerate().map(|(i, rejected)| {
        Ok(Rejected {
            strategy: strategy(&rejected.strategy, format_args!("rejected[{i}].strategy"))?,
            why: rejected.why.clone(),
            predicted_speedup: rejected.predicted_speedup,
        })
    });
    let advice_was = Advice {
        verdict: verdict(&report.verdict)?,
        recommendations: recommendations.map(|(i, one)| recommendation(one, i)).collect::<Result<_, _>>()?,
        rejected: rejected.collect::<Result<_, JsonError>>()?,
        not_decided: report.not_decided.into_iter().map(not_decided).collect(),
        stated: report
            .stated
            .iter()
            .flatten()
            .map(|piece| evidence(piece, format_args!("stated")))
            .collect::<Result<_, _>>()?,
    };
    Ok(Saved { profile, machine: machine(&report.machine)?, advice_was })
}

/// Whether this is a whole JSON text, of ours, and of this version.
fn identify(bytes: &[u8]) -> Result<(), JsonError> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<serde_json::Value>,
    }
    match bytes.trim_ascii_start().first() {
        None => return Err(JsonError::Foreign("the file is empty".to_owned())),
        Some(b'{') => {}
        Some(_) => return Err(JsonError::Foreign("it does not begin with `{`".to_owned())),
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| {
        if error.is_eof() || at_end(&error, bytes) {
            JsonError::Truncated { line: error.line(), column: error.column() }
        } else {
            JsonError::NotJson(error)
        }
    })?;
    match head.schema {
        Some(serde_json::Value::String(schema)) if schema == SCHEMA => Ok(()),
        Some(serde_json::Value::String(schema)) if schema.starts_with("boundby/report/") => {
            Err(JsonError::Version { found: schema })
        }
        Some(other) => Err(JsonError::Foreign(format!("its `schema` is {}", shortened(&other.to_string())))),
        None => Err(JsonError::Foreign("it has no `schema`".to_owned())),
    }
}

/// Whether the mistake is the end of the text: a number cut off after its point is no end of file to the parser.
fn at_end(error: &serde_json::Error, bytes: &[u8]) -> bool {
    let lines = || bytes.split(|byte| *byte == b'\n');
    error.line() == lines().count() && lines().next_back().is_some_and(|last| error.column() >= last.len())
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

pub(super) fn refuse(at: fmt::Arguments<'_>, found: impl fmt::Display, must: impl Into<String>) -> JsonError {
    JsonError::Value { at: at.to_string(), found: shortened(&found.to_string()), must: must.into() }
}

pub(super) fn seconds(value: f64, at: fmt::Arguments<'_>) -> Result<Duration, JsonError> {
    if (0.0..=SECONDS_MAX).contains(&value) {
        Ok(Duration::from_nanos((value * 1e9).round() as u64))
    } else {
        Err(refuse(at, value, format!("a time from 0 to {SECONDS_MAX} seconds")))
    }
}

pub(super) fn optional(value: Option<f64>, at: fmt::Arguments<'_>) -> Result<Option<Duration>, JsonError> {
    value.map(|value| seconds(value, at)).transpose()
}

pub(super) fn at_least_zero(value: f64, at: fmt::Arguments<'_>) -> Result<f64, JsonError> {
    if value >= 0.0 { Ok(value) } else { Err(refuse(at, value, "0 or more")) }
}

pub(super) fn share(value: f64, at: fmt::Arguments<'_>) -> Result<f64, JsonError> {
    // A share is a quotient of two clocks: a hair over 1 is rounding, not damage.
    if (0.0..=1.02).contains(&value) { Ok(value) } else { Err(refuse(at, value, "a share from 0 to 1")) }
}

pub(super) fn named<T>(found: Option<T>, name: &str, at: fmt::Arguments<'_>) -> Result<T, JsonError> {
    found.ok_or_else(|| refuse(at, format_args!("`{name}`"), "a name this version of boundby knows"))
}

fn strategy(name: &str, at: fmt::Arguments<'_>) -> Result<Strategy, JsonError> {
    named(Strategy::from_name(name), name, at)
}

fn exit(exit: &ExitV1) -> Result<Exit, JsonError> {
    match (exit.code, exit.signal) {
        (Some(code), None) => Ok(Exit::Code(code)),
        (None, Some(signal)) => Ok(Exit::Signal(signal)),
        (None, None) => Ok(Exit::Untold),
        _ => Err(refuse(format_args!("exit"), "both", "either a code or a signal")),
    }
}

fn machine(machine: &MachineV1) -> Result<Machine, JsonError> {
    let cores = |value: Option<f64>, at| value.map(|value| at_least_zero(value, at)).transpose();
    Ok(Machine {
        cpus_logical: machine.cpus.logical,
        cpus_affinity: machine.cpus.affinity,
        quota: cores(machine.cpus.quota, format_args!("machine.cpus.quota"))?,
        effective: at_least_zero(machine.cpus.effective, format_args!("machine.cpus.effective"))?,
        capacity: cores(machine.cpus.capacity, format_args!("machine.cpus.capacity"))?,
        memory_total: machine.memory.total,
        memory_available: machine.memory.available,
        memory_limit: machine.memory.limit,
        max_open_files: machine.max_open_files,
        max_tasks: machine.max_tasks,
        kernel: machine.kernel.clone(),
        notes: machine.notes.clone(),
    })
}

fn runtime(runtime: &RuntimeV1, at: fmt::Arguments<'_>) -> Result<Runtime, JsonError> {
    Ok(Runtime {
        language: named(
            names::language(&runtime.language),
            &runtime.language,
            format_args!("{at}.language"),
        )?,
        implementation: runtime.implementation.clone(),
        version: runtime.version.clone(),
        gil: runtime.gil,
    })
}

/// Everything of the profile that stands under `profile`.
fn profile(profile: &ProfileV1) -> Result<Profile, JsonError> {
    let wall = seconds(profile.wall_s, format_args!("profile.wall_s"))?;
    let mut quality = quality(&profile.quality)?;
    let wall_book = book(&profile.wall, "profile.wall", &mut quality.remarks)?;
    balanced(&wall_book, wall)?;
    let shares = &profile.parallelism.share_of_wall_by_running_threads;
    for (i, value) in shares.iter().enumerate() {
        share(*value, format_args!("profile.parallelism.share_of_wall_by_running_threads[{i}]"))?;
    }
    let mean = profile.parallelism.mean.unwrap_or_default();
    let sites = profile.sites.iter().enumerate();
    let points = profile.blocking_points.iter().enumerate();
    let groups = profile.process_groups.iter().enumerate();
    Ok(Profile {
        launched: profile.launched,
        wall,
        cpu_user: seconds(profile.cpu_user_s, format_args!("profile.cpu_user_s"))?,
        cpu_system: seconds(profile.cpu_system_s, format_args!("profile.cpu_system_s"))?,
        max_rss: profile.max_rss,
        processes: profile.processes,
        threads: profile.threads,
        wall_book,
        thread_book: book(&profile.threads_total, "profile.threads_total", &mut quality.remarks)?,
        parallelism: Parallelism {
            mean: at_least_zero(mean, format_args!("profile.parallelism.mean"))?,
            share_of_wall_by_running_threads: shares.clone(),
            alternating: profile.parallelism.alternating,
        },
        cpu_split: CpuSplit {
            gil: optional(profile.cpu_split.gil_s, format_args!("profile.cpu_split.gil_s"))?,
            native: optional(profile.cpu_split.native_s, format_args!("profile.cpu_split.native_s"))?,
            samples: profile.cpu_split.samples,
        },
        event_loop: profile.event_loop.as_ref().map(event_loop).transpose()?,
        sites: sites.map(|(i, one)| code::site(one, i)).collect::<Result<_, _>>()?,
        blocking_points: points.map(|(i, one)| blocking_point(one, i)).collect::<Result<_, _>>()?,
        call_stacks: code::call_stacks(&profile.call_stacks)?,
        timeline: profile.timeline.as_ref().map(timeline::timeline).transpose()?.unwrap_or_default(),
        // Not kept: the file of a timeline is one of its own.
        tracks: None,
        items: profile.items.as_ref().map(items).transpose()?,
        process_groups: groups.map(|(i, one)| process_group(one, i)).collect::<Result<_, _>>()?,
        throttling: throttling(&profile.throttling)?,
        level: level(profile.level.as_deref())?,
        wakeups: profile.wakeups.as_ref().map(wakeups::wakeups).transpose()?,
        quality,
        // These three stand beside the profile in the contract, and are filled in by the caller.
        command: Vec::new(),
        exit: None,
        runtime: Runtime::default(),
    })
}

/// Older reports do not say it: there was one level.
fn level(name: Option<&str>) -> Result<Level, JsonError> {
    let name = name.unwrap_or(Level::Proc.name());
    named(Level::ALL.into_iter().find(|level| level.name() == name), name, format_args!("profile.level"))
}

fn book(book: &BookV1, at: &str, remarks: &mut Vec<String>) -> Result<Book, JsonError> {
    let mut result = Book::default();
    let mut strange = 0.0;
    for (name, value) in book {
        let Some(value) = *value else { continue };
        let time = seconds(value, format_args!("{at}.{name}"))?;
        if let Some(account) = names::account(name) {
            result[account] += time.as_nanos() as u64;
        } else {
            strange += value;
            let name = shortened(name);
            remarks.push(format!("`{at}.{name}` is unknown to this version and counts as not attributed"));
        }
    }
    let unattributed = result.get(Account::Unattributed).as_secs_f64() + strange;
    let time = seconds(unattributed, format_args!("{at}.unattributed with the unknown accounts"))?;
    if strange > 0.0 {
        result[Account::Unattributed] = time.as_nanos() as u64;
    }
    Ok(result)
}

fn balanced(book: &Book, wall: Duration) -> Result<(), JsonError> {
    let (sum, wall) = (book.total().as_secs_f64(), wall.as_secs_f64());
    if (sum - wall).abs() <= wall * BALANCE.0 + BALANCE.1 {
        return Ok(());
    }
    Err(refuse(
        format_args!("profile.wall"),
        format_args!("{sum} s in all"),
        format!("the {wall} s of `wall_s`"),
    ))
}

fn blocking_point(point: &BlockingPointV1, i: usize) -> Result<BlockingPoint, JsonError> {
    let at = |name: &'static str| format!("profile.blocking_points[{i}].{name}");
    let wait = seconds(point.wait_s, format_args!("{}", at("wait_s")))?;
    let critical = optional(point.critical_s, format_args!("{}", at("critical_s")))?;
    Ok(BlockingPoint {
        kind: named(WaitKind::from_name(&point.kind), &point.kind, format_args!("{}", at("kind")))?,
        operation: point.operation.clone(),
        resource: point.resource.clone(),
        thread: point.thread.clone(),
        episodes: point.episodes,
        counted: point.counted,
        wait,
        critical: critical.unwrap_or(wait),
        queued: optional(point.queued_s, format_args!("{}", at("queued_s")))?.unwrap_or_default(),
        p95: optional(point.p95_wait_s, format_args!("{}", at("p95_wait_s")))?,
        cpu: seconds(point.cpu_s, format_args!("{}", at("cpu_s")))?,
        threads: point.threads.unwrap_or(1),
        in_event_loop: point.in_event_loop,
    })
}

fn items(items: &ItemsV1) -> Result<Items, JsonError> {
    let waits = items.wait_s.iter().map(|(name, value)| {
        let kind = named(WaitKind::from_name(name), name, format_args!("profile.items.wait_s"))?;
        Ok((kind, seconds(*value, format_args!("profile.items.wait_s.{name}"))?))
    });
    let segments = items.segments.iter().enumerate().map(|(i, &(count, wait, cpu_gil, cpu_native))| {
        let time = |value| seconds(value, format_args!("profile.items.segments[{i}]"));
        Ok(Segment { count, wait: time(wait)?, cpu_gil: time(cpu_gil)?, cpu_native: time(cpu_native)? })
    });
    let cv = items.cv.map(|cv| at_least_zero(cv, format_args!("profile.items.cv")));
    Ok(Items {
        count: items.count,
        are_processes: items.are_processes,
        free: items.free,
        requests: items.requests.as_ref().map(requests).transpose()?,
        lanes: items.lanes,
        wait: waits.collect::<Result<_, JsonError>>()?,
        cpu_gil: seconds(items.cpu_gil_s, format_args!("profile.items.cpu_gil_s"))?,
        cpu_native: seconds(items.cpu_native_s, format_args!("profile.items.cpu_native_s"))?,
        cv: cv.transpose()?,
        longest: optional(items.longest_s, format_args!("profile.items.longest_s"))?,
        p95: optional(items.p95_s, format_args!("profile.items.p95_s"))?,
        share: share(items.share.unwrap_or_default(), format_args!("profile.items.share"))?,
        region: items.region.as_ref().map(region::region),
        segments: segments.collect::<Result<_, JsonError>>()?,
    })
}

fn requests(requests: &RequestsV1) -> Result<Requests, JsonError> {
    let from = requests.counted_from.as_str();
    let counted =
        [Counted::Waits, Counted::Segments(requests.connections.unwrap_or_default()), Counted::Connections]
            .into_iter()
            .find(|counted| counted.name() == from);
    Ok(Requests {
        rate: at_least_zero(requests.rate_per_s, format_args!("profile.items.requests.rate_per_s"))?,
        counted: named(counted, from, format_args!("profile.items.requests.counted_from"))?,
    })
}

fn event_loop(event_loop: &EventLoopV1) -> Result<EventLoop, JsonError> {
    Ok(EventLoop {
        waiting: seconds(event_loop.waiting_s, format_args!("profile.event_loop.waiting_s"))?,
        blocked: seconds(event_loop.blocked_s, format_args!("profile.event_loop.blocked_s"))?,
        cpu: seconds(event_loop.cpu_s, format_args!("profile.event_loop.cpu_s"))?,
        connections: event_loop.connections,
    })
}

fn process_group(group: &ProcessGroupV1, i: usize) -> Result<ProcessGroup, JsonError> {
    Ok(ProcessGroup {
        name: group.name.clone(),
        parent: group.parent.clone(),
        count: group.count,
        concurrent: group.concurrent,
        threads: group.threads,
        cpu: seconds(group.cpu_s, format_args!("profile.process_groups[{i}].cpu_s"))?,
        rss: group.rss,
        bytes_read: group.bytes_read,
        bytes_written: group.bytes_written,
        runtime: runtime(&group.runtime, format_args!("profile.process_groups[{i}].runtime"))?,
    })
}

fn throttling(throttling: &ThrottlingV1) -> Result<Throttling, JsonError> {
    Ok(Throttling {
        periods: throttling.periods,
        throttled_periods: throttling.throttled_periods,
        throttled: optional(throttling.throttled_s, format_args!("profile.throttling.throttled_s"))?,
    })
}

fn quality(quality: &QualityV1) -> Result<Quality, JsonError> {
    let refused = quality.sources_refused.iter().map(|refused| Refused {
        source: refused.source.clone(),
        reason: refused.reason.clone(),
        costs: refused.costs.clone(),
    });
    let coverage =
        quality.cpu_coverage.map(|value| at_least_zero(value, format_args!("profile.quality.cpu_coverage")));
    Ok(Quality {
        sources_used: quality.sources_used.clone(),
        refused: refused.collect(),
        samples: quality.samples,
        late: quality.late,
        lost: quality.lost,
        interval: seconds(quality.interval_s, format_args!("profile.quality.interval_s"))?,
        own_cpu: seconds(quality.own_cpu_s, format_args!("profile.quality.own_cpu_s"))?,
        cpu_coverage: coverage.transpose()?,
        remarks: quality.remarks.clone(),
    })
}

fn verdict(verdict: &VerdictV1) -> Result<Verdict, JsonError> {
    Ok(Verdict {
        bound_by: verdict.bound_by.clone(),
        share: share(verdict.share.unwrap_or_default(), format_args!("verdict.share"))?,
        confidence: named(
            names::confidence(&verdict.confidence),
            &verdict.confidence,
            format_args!("verdict.confidence"),
        )?,
        summary: verdict.summary.clone(),
        rule: verdict.rule.clone(),
    })
}

fn recommendation(one: &RecommendationV1, i: usize) -> Result<Recommendation, JsonError> {
    let workers = one.workers.map(|suggested| Workers {
        suggested,
        low: one.workers_low.unwrap_or(suggested),
        high: one.workers_high.unwrap_or(suggested),
        formula: one.workers_formula.clone().unwrap_or_default(),
        binding_cap: one.workers_limited_by.clone().unwrap_or_default(),
    });
    let predicted = |predicted: &PredictedV1| {
        let checked =
            |value, name: &str| at_least_zero(value, format_args!("recommendations[{i}].predicted.{name}"));
        Ok(Predicted {
            wall_s: checked(predicted.wall_s, "wall_s")?,
            speedup: checked(predicted.speedup, "speedup")?,
            low: checked(predicted.low, "low")?,
            high: checked(predicted.high, "high")?,
        })
    };
    let curve = one
        .curve
        .iter()
        .map(|point| Ok(CurvePoint { workers: point.workers, predicted: predicted(&point.predicted)? }));
    let stages = one.stages.iter().map(|stage| {
        Ok(Stage {
            name: stage.name.clone(),
            strategy: strategy(&stage.strategy, format_args!("recommendations[{i}].stages[].strategy"))?,
            workers: stage.workers,
            function: stage.function.clone(),
            at: stage.site.as_ref().map(code::location),
        })
    });
    Ok(Recommendation {
        strategy: strategy(&one.strategy, format_args!("recommendations[{i}].strategy"))?,
        action: named(
            Action::from_name(&one.action),
            &one.action,
            format_args!("recommendations[{i}].action"),
        )?,
        headline: one.headline.clone(),
        workers,
        stages: stages.collect::<Result<_, JsonError>>()?,
        cluster: one.engine.clone().zip(one.nodes).map(|(engine, nodes)| Cluster {
            engine,
            nodes,
            task_s: one.task_s.unwrap_or_default(),
            tasks: one.tasks.unwrap_or_default(),
        }),
        predicted: one.predicted.as_ref().map(predicted).transpose()?,
        curve: curve.collect::<Result<_, JsonError>>()?,
        region: one.region.as_ref().map(|found| region::gain(found, i)).transpose()?,
        confidence: named(
            names::confidence(&one.confidence),
            &one.confidence,
            format_args!("recommendations[{i}].confidence"),
        )?,
        rule: one.rule.clone(),
        because: one
            .because
            .iter()
            .map(|piece| evidence(piece, format_args!("recommendations[{i}].because")))
            .collect::<Result<_, _>>()?,
        caveats: one.caveats.clone(),
        flip: one.flip.clone(),
        construct: one.construct.clone(),
        snippet: one.snippet.clone(),
        memory: one.memory,
    })
}

fn evidence(piece: &EvidenceV1, at: fmt::Arguments<'_>) -> Result<Evidence, JsonError> {
    let unit = piece.unit.as_deref().map(|name| named(names::unit(name), name, at)).transpose()?;
    Ok(Evidence {
        fact: piece.fact.clone(),
        value: match &piece.value {
            ValueV1::Number(number) => Value::Number(number.unwrap_or(f64::NAN)),
            ValueV1::Bool(truth) => Value::Bool(*truth),
            ValueV1::Text(word) => Value::Text(word.clone()),
        },
        unit,
        origin: named(names::origin(&piece.origin), &piece.origin, at)?,
        comparison: piece.comparison.clone(),
    })
}

fn not_decided(one: super::v1::NotDecidedV1) -> NotDecided {
    NotDecided { rule: one.rule, missing: one.missing, how_to_learn: one.how_to_learn }
}
