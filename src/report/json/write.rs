//! From the crate's own types to the contract. States a reason for every value that is null.

use std::time::Duration;

use serde::Serialize;

use super::layout::Layout;
use super::names;
use super::v1::{
    BlockingPointV1, BookV1, CpuSplitV1, CpusV1, CurvePointV1, EventLoopV1, EvidenceV1, ExitV1, ItemsV1,
    MachineV1, MemoryV1, NotDecidedV1, NotMeasuredV1, ParallelismV1, PredictedV1, ProcessGroupV1, ProfileV1,
    QualityV1, RecommendationV1, RefusedV1, RejectedV1, ReportV1, RequestsV1, RuntimeV1, SCHEMA, StageV1,
    ThrottlingV1, ValueV1, VerdictV1,
};
use super::{code, findings, region, timeline, wakeups};
use crate::advice::{CurvePoint, Evidence, NotDecided, Predicted, Recommendation, Rejected, Verdict};
use crate::facts::Value;
use crate::machine::Machine;
use crate::profile::{
    BlockingPoint, Counted, EventLoop, Exit, Items, ProcessGroup, Profile, Quality, Runtime,
};
use crate::report::Report;
use crate::report::decision::Decided;
use crate::wait::{Account, Book, WaitKind};

/// The report in schema 1, ending in a newline. Same report in, same bytes out; times are exact to the nanosecond.
///
/// # Panics
///
/// Never: every key is a string and the writer is memory.
#[must_use]
pub fn to_json(report: &Report<'_>) -> Vec<u8> {
    written(&contract(report))
}

/// What was stated instead of measured, in the same schema: without a profile.
pub(in crate::report) fn stated_to_json(decided: &Decided<'_>) -> Vec<u8> {
    let Decided { machine, advice, stated, language, gil, .. } = *decided;
    written(&ReportV1 {
        schema: SCHEMA.to_owned(),
        command: Vec::new(),
        exit: None,
        machine: machine_v1(machine),
        runtime: RuntimeV1 {
            language: language.unwrap_or("unknown").to_owned(),
            implementation: None,
            version: None,
            gil,
        },
        profile: None,
        stated: Some(stated.iter().map(evidence).collect()),
        verdict: verdict(&advice.verdict),
        recommendations: advice.recommendations.iter().map(recommendation).collect(),
        rejected: advice.rejected.iter().map(rejected).collect(),
        findings: Vec::new(),
        not_decided: advice.not_decided.iter().map(not_decided).collect(),
    })
}

fn written(contract: &ReportV1) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Layout::new());
    contract.serialize(&mut serializer).expect("string keys, and writing to memory cannot fail");
    bytes.push(b'\n');
    bytes
}

fn contract(report: &Report<'_>) -> ReportV1 {
    let Report { profile, machine, advice, source } = *report;
    ReportV1 {
        schema: SCHEMA.to_owned(),
        command: profile.command.clone(),
        exit: profile.exit.map(|exit| match exit {
            Exit::Code(code) => ExitV1 { code: Some(code), signal: None },
            Exit::Signal(signal) => ExitV1 { code: None, signal: Some(signal) },
            Exit::Untold => ExitV1 { code: None, signal: None },
        }),
        machine: machine_v1(machine),
        runtime: runtime(&profile.runtime),
        profile: Some(profile_v1(report)),
        stated: (!advice.stated.is_empty()).then(|| advice.stated.iter().map(evidence).collect()),
        verdict: verdict(&advice.verdict),
        recommendations: advice.recommendations.iter().map(recommendation).collect(),
        rejected: advice.rejected.iter().map(rejected).collect(),
        findings: source.iter().flat_map(|source| &source.findings).map(findings::finding).collect(),
        not_decided: advice.not_decided.iter().map(not_decided).collect(),
    }
}

/// Nanoseconds as seconds; the shortest digits that read back as the same nanosecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e9
}

/// How long one wait took; `None` without any.
pub(super) fn mean_wait(wait: Duration, episodes: u64) -> Option<f64> {
    derived(seconds(wait) / episodes as f64)
}

/// A derived number with six digits; `None` where it is not finite.
pub(super) fn derived(value: f64) -> Option<f64> {
    if value.is_finite() { format!("{value:.5e}").parse().ok() } else { None }
}

fn machine_v1(machine: &Machine) -> MachineV1 {
    MachineV1 {
        cpus: CpusV1 {
            logical: machine.cpus_logical,
            affinity: machine.cpus_affinity,
            quota: machine.quota.and_then(derived),
            effective: derived(machine.effective).unwrap_or_else(|| f64::from(machine.cpus_logical)),
            capacity: machine.capacity.and_then(derived),
        },
        memory: MemoryV1 {
            total: machine.memory_total,
            available: machine.memory_available,
            limit: machine.memory_limit,
        },
        max_open_files: machine.max_open_files,
        max_tasks: machine.max_tasks,
        kernel: machine.kernel.clone(),
        notes: machine.notes.clone(),
    }
}

fn runtime(runtime: &Runtime) -> RuntimeV1 {
    RuntimeV1 {
        language: runtime.language.name().to_owned(),
        implementation: runtime.implementation.clone(),
        version: runtime.version.clone(),
        gil: runtime.gil,
    }
}

fn profile_v1(report: &Report<'_>) -> ProfileV1 {
    let Report { profile, machine, source, .. } = *report;
    let shares = &profile.parallelism.share_of_wall_by_running_threads;
    ProfileV1 {
        wall_s: seconds(profile.wall),
        cpu_user_s: seconds(profile.cpu_user),
        cpu_system_s: seconds(profile.cpu_system),
        max_rss: profile.max_rss,
        processes: profile.processes,
        threads: profile.threads,
        launched: profile.launched,
        level: Some(profile.level.name().to_owned()),
        wakeups: profile.wakeups.as_ref().map(wakeups::wakeups_v1),
        wall: book(&profile.wall_book, profile, machine),
        threads_total: book(&profile.thread_book, profile, machine),
        parallelism: ParallelismV1 {
            mean: derived(profile.parallelism.mean),
            share_of_wall_by_running_threads: shares.iter().filter_map(|share| derived(*share)).collect(),
            alternating: profile.parallelism.alternating,
        },
        cpu_split: CpuSplitV1 {
            gil_s: profile.cpu_split.gil.map(seconds),
            native_s: profile.cpu_split.native.map(seconds),
            samples: profile.cpu_split.samples,
        },
        sites: code::sites_v1(profile, source),
        blocking_points: profile.blocking_points.iter().map(blocking_point).collect(),
        call_stacks: code::call_stacks_v1(&profile.call_stacks),
        timeline: timeline::timeline_v1(&profile.timeline),
        items: profile.items.as_ref().map(items),
        event_loop: profile.event_loop.as_ref().map(event_loop),
        process_groups: profile.process_groups.iter().map(process_group).collect(),
        throttling: ThrottlingV1 {
            periods: profile.throttling.periods,
            throttled_periods: profile.throttling.throttled_periods,
            throttled_s: profile.throttling.throttled.map(seconds),
        },
        quality: quality(&profile.quality, profile, machine),
    }
}

/// Whether nothing can be said of an account: its source was not there, so that its time is in another account.
fn is_blind(account: Account, profile: &Profile, machine: &Machine) -> bool {
    match account {
        Account::Wait(WaitKind::Gil) => profile.runtime.gil.is_none(),
        Account::Throttled => machine.quota.is_some() && profile.throttling.throttled.is_none(),
        _ => false,
    }
}

fn book(book: &Book, profile: &Profile, machine: &Machine) -> BookV1 {
    let line = |(account, nanos): (Account, u64)| {
        let known = nanos > 0 || !is_blind(account, profile, machine);
        (account.name().to_owned(), known.then(|| seconds(Duration::from_nanos(nanos))))
    };
    book.iter().map(line).collect()
}

fn blocking_point(point: &BlockingPoint) -> BlockingPointV1 {
    BlockingPointV1 {
        kind: point.kind.name().to_owned(),
        operation: point.operation.clone(),
        resource: point.resource.clone(),
        thread: point.thread.clone(),
        episodes: point.episodes,
        counted: point.counted,
        wait_s: seconds(point.wait),
        critical_s: Some(seconds(point.critical)),
        queued_s: Some(seconds(point.queued)),
        mean_wait_s: mean_wait(point.wait, point.episodes),
        p95_wait_s: point.p95.map(seconds),
        cpu_s: seconds(point.cpu),
        threads: Some(point.threads),
        in_event_loop: point.in_event_loop,
    }
}

fn items(items: &Items) -> ItemsV1 {
    let row = |segment: &crate::profile::Segment| {
        (segment.count, seconds(segment.wait), seconds(segment.cpu_gil), seconds(segment.cpu_native))
    };
    ItemsV1 {
        count: items.count,
        are_processes: items.are_processes,
        free: items.free.and_then(derived),
        requests: items.requests.as_ref().map(|requests| RequestsV1 {
            rate_per_s: requests.rate,
            counted_from: requests.counted.name().to_owned(),
            connections: match requests.counted {
                Counted::Segments(connections) => Some(connections),
                Counted::Waits | Counted::Connections => None,
            },
        }),
        lanes: items.lanes,
        wait_s: items.wait.iter().map(|(kind, wait)| (kind.name().to_owned(), seconds(*wait))).collect(),
        cpu_gil_s: seconds(items.cpu_gil),
        cpu_native_s: seconds(items.cpu_native),
        cv: items.cv.and_then(derived),
        mean_s: Some(seconds(items.mean())),
        p95_s: items.p95.map(seconds),
        longest_s: items.longest.map(seconds),
        share: derived(items.share),
        region: items.region.as_ref().map(region::region_v1),
        segments: items.segments.iter().map(row).collect(),
    }
}

fn event_loop(event_loop: &EventLoop) -> EventLoopV1 {
    EventLoopV1 {
        waiting_s: seconds(event_loop.waiting),
        blocked_s: seconds(event_loop.blocked),
        cpu_s: seconds(event_loop.cpu),
        connections: event_loop.connections,
    }
}

fn process_group(group: &ProcessGroup) -> ProcessGroupV1 {
    ProcessGroupV1 {
        name: group.name.clone(),
        parent: group.parent.clone(),
        count: group.count,
        concurrent: group.concurrent,
        threads: group.threads,
        cpu_s: seconds(group.cpu),
        rss: group.rss,
        bytes_read: group.bytes_read,
        bytes_written: group.bytes_written,
        runtime: runtime(&group.runtime),
    }
}

fn quality(quality: &Quality, profile: &Profile, machine: &Machine) -> QualityV1 {
    let refused = |refused: &crate::profile::Refused| RefusedV1 {
        source: refused.source.clone(),
        reason: refused.reason.clone(),
        costs: refused.costs.clone(),
    };
    QualityV1 {
        sources_used: quality.sources_used.clone(),
        sources_refused: quality.refused.iter().map(refused).collect(),
        samples: quality.samples,
        late: quality.late,
        lost: quality.lost,
        overhead: derived(seconds(quality.own_cpu) / seconds(profile.wall)),
        own_cpu_s: seconds(quality.own_cpu),
        interval_s: seconds(quality.interval),
        cpu_coverage: quality.cpu_coverage.and_then(derived),
        not_measured: not_measured(profile, machine),
        remarks: quality.remarks.clone(),
    }
}

/// The reason for every null: the name of the value, whether it is absent, and why.
fn not_measured(profile: &Profile, machine: &Machine) -> Vec<NotMeasuredV1> {
    let blind = |account| is_blind(account, profile, machine) && profile.wall_book[account] == 0;
    let split = profile.cpu_split.gil.is_none() || profile.cpu_split.native.is_none();
    let locked = profile.runtime.gil == Some(true);
    let groups = &profile.process_groups;
    let unreadable = "the system does not show it to this user";
    let no_site = "the stack was not seen: the runtime keeps none that can be read, or it changed meanwhile";
    let short = "too few waits, or waits shorter than the sampling interval";
    let rows = [
        ("exit", profile.exit.is_none(), "the program was still running"),
        ("runtime.gil", profile.runtime.gil.is_none(), "the runtime was not recognised or not readable"),
        ("machine.cpus.affinity", machine.cpus_affinity.is_none(), unreadable),
        ("machine.cpus.capacity", machine.capacity.is_none(), "the spin probe was not run"),
        ("machine.cpus.quota", machine.quota.is_none(), "no quota, or not readable: see machine.notes"),
        ("machine.memory.total", machine.memory_total.is_none(), unreadable),
        ("machine.memory.available", machine.memory_available.is_none(), unreadable),
        ("machine.memory.limit", machine.memory_limit.is_none(), "no limit, or not readable"),
        ("machine.max_open_files", machine.max_open_files.is_none(), "no limit, or not readable"),
        ("machine.max_tasks", machine.max_tasks.is_none(), "no limit, or not readable"),
        ("profile.max_rss", profile.max_rss.is_none(), unreadable),
        ("profile.wall.gil", blind(Account::Wait(WaitKind::Gil)), "whether there is such a lock is unknown"),
        (
            "profile.wall.throttled",
            blind(Account::Throttled),
            "there is a quota, its counters are not readable",
        ),
        ("profile.cpu_split", split && locked, "too few samples of running threads"),
        ("profile.cpu_split", split && !locked, "no interpreter lock known in this runtime"),
        (
            "profile.parallelism.share_of_wall_by_running_threads",
            profile.parallelism.share_of_wall_by_running_threads.is_empty(),
            "only totals were seen",
        ),
        ("profile.sites[].file, line, function", profile.sites.iter().any(|site| site.at.is_none()), no_site),
        (
            "profile.sites[].gil_share",
            profile.sites.iter().any(|site| site.under_lock.is_none()),
            "told of lines that compute and were seen computing",
        ),
        ("profile.sites[].p95_wait_s", profile.sites.iter().any(|site| site.p95.is_none()), short),
        (
            "profile.blocking_points[].p95_wait_s",
            profile.blocking_points.iter().any(|point| point.p95.is_none()),
            short,
        ),
        ("profile.items", profile.items.is_none(), "no repeated work was recognised"),
        ("profile.items.cv", profile.items.as_ref().is_some_and(|items| items.cv.is_none()), short),
        (
            "profile.items.longest_s",
            profile.items.as_ref().is_some_and(|items| items.longest.is_none()),
            short,
        ),
        ("profile.items.p95_s", profile.items.as_ref().is_some_and(|items| items.p95.is_none()), short),
        (
            "profile.items.region",
            profile.items.as_ref().is_some_and(|items| items.region.is_none()),
            "no function of the program has most of them, or its stacks were not seen",
        ),
        ("profile.event_loop", profile.event_loop.is_none(), "none was recognised"),
        (
            "profile.event_loop.connections",
            profile.event_loop.is_some_and(|event_loop| event_loop.connections.is_none()),
            "the loop was never seen waiting",
        ),
        ("profile.process_groups[].rss", groups.iter().any(|group| group.rss.is_none()), unreadable),
        (
            "profile.process_groups[].bytes_read, bytes_written",
            groups.iter().any(|group| group.bytes_read.is_none() || group.bytes_written.is_none()),
            unreadable,
        ),
        (
            "profile.throttling",
            profile.throttling.periods.is_none(),
            "no quota, or its counters not readable",
        ),
        (
            "profile.quality.cpu_coverage",
            profile.quality.cpu_coverage.is_none(),
            "no exact total of CPU time",
        ),
    ];
    let absent = rows.into_iter().filter(|(_, absent, _)| *absent);
    absent
        .map(|(name, _, reason)| NotMeasuredV1 { name: name.to_owned(), reason: reason.to_owned() })
        .collect()
}

fn verdict(verdict: &Verdict) -> VerdictV1 {
    VerdictV1 {
        bound_by: verdict.bound_by.clone(),
        share: derived(verdict.share),
        confidence: verdict.confidence.name().to_owned(),
        summary: verdict.summary.clone(),
        rule: verdict.rule.clone(),
    }
}

fn recommendation(recommendation: &Recommendation) -> RecommendationV1 {
    let workers = recommendation.workers.as_ref();
    let cluster = recommendation.cluster.as_ref();
    let stage = |stage: &crate::advice::Stage| StageV1 {
        name: stage.name.clone(),
        strategy: stage.strategy.name().to_owned(),
        workers: stage.workers,
        function: stage.function.clone(),
        site: stage.at.as_ref().map(code::location_v1),
    };
    RecommendationV1 {
        strategy: recommendation.strategy.name().to_owned(),
        action: recommendation.action.name().to_owned(),
        headline: recommendation.headline.clone(),
        workers: workers.map(|workers| workers.suggested),
        workers_low: workers.map(|workers| workers.low),
        workers_high: workers.map(|workers| workers.high),
        workers_formula: workers.map(|workers| workers.formula.clone()),
        workers_limited_by: workers.map(|workers| workers.binding_cap.clone()),
        curve: recommendation.curve.iter().filter_map(curve_point).collect(),
        stages: recommendation.stages.iter().map(stage).collect(),
        nodes: cluster.map(|cluster| cluster.nodes),
        engine: cluster.map(|cluster| cluster.engine.clone()),
        tasks: cluster.map(|cluster| cluster.tasks),
        task_s: cluster.and_then(|cluster| derived(cluster.task_s)),
        predicted: recommendation.predicted.and_then(predicted),
        region: recommendation.region.as_ref().map(region::gain_v1),
        confidence: recommendation.confidence.name().to_owned(),
        rule: recommendation.rule.clone(),
        because: recommendation.because.iter().map(evidence).collect(),
        caveats: recommendation.caveats.clone(),
        flip: recommendation.flip.clone(),
        construct: recommendation.construct.clone(),
        snippet: recommendation.snippet.clone(),
        memory: recommendation.memory,
    }
}

fn curve_point(point: &CurvePoint) -> Option<CurvePointV1> {
    Some(CurvePointV1 { workers: point.workers, predicted: predicted(point.predicted)? })
}

fn predicted(predicted: Predicted) -> Option<PredictedV1> {
    Some(PredictedV1 {
        wall_s: derived(predicted.wall_s)?,
        speedup: derived(predicted.speedup)?,
        low: derived(predicted.low)?,
        high: derived(predicted.high)?,
    })
}

fn evidence(evidence: &Evidence) -> EvidenceV1 {
    EvidenceV1 {
        fact: evidence.fact.clone(),
        value: match &evidence.value {
            Value::Number(number) => ValueV1::Number(derived(*number)),
            Value::Bool(truth) => ValueV1::Bool(*truth),
            Value::Text(word) => ValueV1::Text(word.clone()),
        },
        unit: evidence.unit.and_then(names::unit_name).map(str::to_owned),
        origin: evidence.origin.name().to_owned(),
        comparison: evidence.comparison.clone(),
    }
}

fn rejected(rejected: &Rejected) -> RejectedV1 {
    RejectedV1 {
        strategy: rejected.strategy.name().to_owned(),
        why: rejected.why.clone(),
        predicted_speedup: rejected.predicted_speedup.and_then(derived),
    }
}

fn not_decided(not_decided: &NotDecided) -> NotDecidedV1 {
    NotDecidedV1 {
        rule: not_decided.rule.clone(),
        missing: not_decided.missing.clone(),
        how_to_learn: not_decided.how_to_learn.clone(),
    }
}
