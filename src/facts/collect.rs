//! Every fact a profile and a machine can give. What they cannot give is stated unknown with the reason.

use std::time::Duration;

use super::{Facts, Origin, VOCABULARY, Value};
use crate::machine::Machine;
use crate::profile::{BlockingPoint, CpuSplit, Items, Language, ProcessGroup, Profile, Runtime, Site};
use crate::wait::{Account, WaitKind};

/// Why facts about items are unknown where there are none.
pub const NO_ITEMS: &str = "no repeated work was seen";

/// Kinds of waiting that end by themselves while others work: the delay of the model. Locks and the interpreter
/// lock are queues, idle and terminals are not work.
const OVERLAPPABLE: [WaitKind; 6] =
    [WaitKind::Network, WaitKind::Disk, WaitKind::Pipe, WaitKind::Sleep, WaitKind::Child, WaitKind::Paging];

/// States everything the evidence holds.
#[must_use]
pub fn collect(profile: &Profile, machine: &Machine) -> Facts {
    let mut facts = Facts::default();
    host(&mut facts, machine);
    run(&mut facts, profile);
    shares(&mut facts, profile);
    runtime(&mut facts, profile);
    now(&mut facts, profile);
    region(&mut facts, profile);
    split(&mut facts, profile);
    sites(&mut facts, profile);
    workers(&mut facts, profile);
    for spec in VOCABULARY {
        if facts.get(spec.name).is_none() && facts.reason(spec.name).is_none() {
            facts.unknown(spec.name, absence(spec.name));
        }
    }
    facts
}

/// Why a fact that nothing above stated is unknown.
fn absence(name: &str) -> &'static str {
    match name.split('.').next().unwrap_or_default() {
        "pred" => "not predicted yet",
        "limit" => "nobody stated it",
        "region" | "wait" | "cpu" => NO_ITEMS,
        "site" => "no wait was seen",
        "host" => "the system does not tell",
        _ => "not measured",
    }
}

pub(super) fn host(facts: &mut Facts, machine: &Machine) {
    let mut state = |name: &str, value: Option<f64>, why: &str| match value {
        Some(value) => facts.number(name, value, Origin::Machine),
        None => facts.unknown(name, why),
    };
    let cores = machine.cpus_affinity.unwrap_or(machine.cpus_logical);
    state("host.cores", (cores > 0).then_some(f64::from(cores)), "the number of CPUs could not be read");
    state("host.quota", machine.quota, "there is no CPU quota, or it could not be read");
    state("host.p_eff", (machine.effective > 0.0).then_some(machine.effective), "no capacity is known");
    let memory = [machine.memory_available, machine.memory_limit].into_iter().flatten().min();
    state("host.mem_budget", memory.map(|bytes| bytes as f64), "available memory could not be read");
    state("host.fd_free", machine.max_open_files.map(|n| n as f64), "the limit could not be read");
    state(
        "host.tasks_max",
        machine.max_tasks.map(|n| n as f64),
        "there is no limit, or it could not be read",
    );
    facts.set("host.p_eff_measured", Value::Bool(machine.capacity.is_some()), Origin::Machine);
}

fn run(facts: &mut Facts, profile: &Profile) {
    facts.number("run.wall", profile.wall.as_secs_f64(), Origin::Measured);
    facts.number("run.cpu", (profile.cpu_user + profile.cpu_system).as_secs_f64(), Origin::Measured);
    facts.number("run.samples", profile.quality.samples as f64, Origin::Measured);
    facts.set("run.complete", Value::Bool(profile.launched && profile.exit.is_some()), Origin::Measured);
}

fn shares(facts: &mut Facts, profile: &Profile) {
    match profile.wall_book.share(Account::Unattributed) {
        Some(lost) => facts.number("run.coverage", 1.0 - lost, Origin::Measured),
        None => facts.unknown("run.coverage", "nothing was sampled"),
    }
    for account in Account::ALL {
        if let Some(share) = profile.wall_book.share(account) {
            facts.number(&format!("wall.{}", account.name()), share, Origin::Measured);
        }
    }
    for (name, account) in [
        ("thread.lock", Account::Wait(WaitKind::Lock)),
        ("thread.gil", Account::Wait(WaitKind::Gil)),
        ("thread.pipe", Account::Wait(WaitKind::Pipe)),
        ("thread.runnable", Account::Runnable),
    ] {
        // Parked threads and joins are beside the point: a lock is contended among those that have work.
        let idle = profile.thread_book.get(Account::Wait(WaitKind::Idle));
        let busy = profile.thread_book.total().saturating_sub(idle).as_secs_f64();
        let share = (busy > 0.0).then(|| profile.thread_book.get(account).as_secs_f64() / busy);
        if let Some(share) = share {
            facts.number(name, share, Origin::Measured);
        }
    }
    let wall = profile.wall.as_secs_f64();
    if wall > 0.0 {
        facts.number("parallelism.mean", profile.parallelism.mean, Origin::Measured);
        let ready = [Account::Runnable, Account::Throttled].map(|account| profile.thread_book.get(account));
        let ready = ready.iter().map(Duration::as_secs_f64).sum::<f64>() / wall;
        facts.number("parallelism.wanted", profile.parallelism.mean + ready, Origin::Measured);
    }
}

/// The runtime whose code would change: that of the work, but where each item is a child process, that of the
/// program which starts them.
fn changed(profile: &Profile) -> &Runtime {
    let children = profile.items.as_ref().is_some_and(|items| items.are_processes);
    let started = profile.command.first().filter(|_| children);
    let name = started.and_then(|command| command.rsplit('/').next()).unwrap_or_default();
    let root = profile.process_groups.iter().find(|group| !group.name.is_empty() && name == group.name);
    root.map_or(&profile.runtime, |group| &group.runtime)
}

fn runtime(facts: &mut Facts, profile: &Profile) {
    let runtime = changed(profile);
    let word = runtime.language.name().to_owned();
    facts.set("runtime.lang", Value::Text(word), Origin::Measured);
    match runtime.gil {
        Some(gil) => facts.set("runtime.gil", Value::Bool(gil), Origin::Measured),
        None => facts.unknown("runtime.gil", "the runtime could not be told"),
    }
    let event_loop = profile.runtime.language == Language::Node || profile.event_loop.is_some();
    facts.set("runtime.async", Value::Bool(event_loop), Origin::Measured);
}

/// Mean number of running threads from which stages of a pipeline really work side by side.
const SIDE_BY_SIDE: f64 = 1.4;

/// Whether a shell connected these processes with pipes and one of them sets the pace: stages, not workers.
fn is_pipeline(profile: &Profile, stages: &ProcessGroup) -> bool {
    let started_them = |group: &&ProcessGroup| stages.parent.as_ref() == Some(&group.name);
    let by_shell = profile
        .process_groups
        .iter()
        .filter(started_them)
        .any(|group| group.runtime.language == Language::Shell);
    let piped = profile.thread_book.share(Account::Wait(WaitKind::Pipe)).is_some_and(|share| share >= 0.1);
    by_shell && piped && profile.parallelism.mean < SIDE_BY_SIDE
}

/// The group of processes that works side by side: most CPU among those of which several lived at once.
fn crew(profile: &Profile) -> Option<&ProcessGroup> {
    let all: Duration = profile.process_groups.iter().map(|group| group.cpu).sum();
    profile
        .process_groups
        .iter()
        .filter(|group| group.concurrent >= 2 && group.cpu * 4 >= all && !is_pipeline(profile, group))
        .max_by_key(|group| group.cpu)
}

fn now(facts: &mut Facts, profile: &Profile) {
    let crew = crew(profile);
    facts.number("now.processes", crew.map_or(1, |group| group.concurrent) as f64, Origin::Measured);
    let all: f64 = profile.process_groups.iter().map(|group| group.cpu.as_secs_f64()).sum();
    match crew.filter(|_| all > 0.0) {
        Some(group) => {
            facts.number("now.parent_share", 1.0 - group.cpu.as_secs_f64() / all, Origin::Measured);
        }
        None => facts.unknown("now.parent_share", "the program has no worker processes"),
    }
    facts.number("now.children", profile.processes.saturating_sub(1) as f64, Origin::Measured);
    let wall = profile.wall.as_secs_f64();
    let lanes = profile.items.as_ref().map_or(1, |items| items.lanes.max(1));
    let event_loop = facts.get("runtime.async").is_some_and(|fact| fact.value == Value::Bool(true));
    // Threads that ran, were ready or queued for the interpreter lock, on average: a pool that computes.
    let active = [Account::Cpu, Account::Runnable, Account::Throttled, Account::Wait(WaitKind::Gil)]
        .map(|account| profile.thread_book.get(account).as_secs_f64())
        .iter()
        .sum::<f64>();
    let active = if wall > 0.0 { active / wall } else { 0.0 };
    let contenders = contended(profile).map_or(0, |site| site.threads);
    let (strategy, workers) = if let Some(group) = crew {
        ("processes", group.concurrent)
    } else if event_loop {
        ("async", lanes)
    } else if lanes >= 2 {
        ("threads", lanes)
    } else if active >= SIDE_BY_SIDE {
        ("threads", (active.round() as u64).max(2))
    } else if contenders >= 2 {
        ("threads", contenders)
    } else if profile.parallelism.alternating >= 2 {
        ("threads", profile.parallelism.alternating)
    } else {
        ("sequential", 1)
    };
    facts.set("now.strategy", Value::Text(strategy.to_owned()), Origin::Measured);
    facts.number("now.workers", workers as f64, Origin::Measured);
}

fn region(facts: &mut Facts, profile: &Profile) {
    let children = profile.items.as_ref().is_some_and(|items| items.are_processes);
    facts.set("region.processes", Value::Bool(children), Origin::Measured);
    for name in ["region.independent", "region.dependence"] {
        facts.unknown(name, "timing cannot show whether items depend on each other");
    }
    let Some(items) = profile.items.as_ref().filter(|items| items.count > 0) else {
        return;
    };
    let set = |facts: &mut Facts, name: &str, value: f64| facts.number(name, value, Origin::Measured);
    set(facts, "region.n", items.count as f64);
    set(facts, "region.share", items.share.clamp(0.0, 1.0));
    set(facts, "region.lanes", items.lanes.max(1) as f64);
    if let Some(free) = items.free {
        set(facts, "region.free", free.clamp(0.0, 1.0));
    }
    facts.set("region.requests", Value::Bool(items.free.is_some()), Origin::Measured);
    let of = |kind| items.wait.get(&kind).copied().unwrap_or_default().as_secs_f64();
    let wait: f64 = OVERLAPPABLE.into_iter().map(of).sum();
    let cpu = (items.cpu_gil + items.cpu_native).as_secs_f64();
    set(facts, "wait.total", wait);
    for (name, kind) in [
        ("wait.net", WaitKind::Network),
        ("wait.disk", WaitKind::Disk),
        ("wait.sleep", WaitKind::Sleep),
        ("wait.child", WaitKind::Child),
        ("wait.pipe", WaitKind::Pipe),
        ("wait.lock", WaitKind::Lock),
    ] {
        set(facts, name, of(kind));
    }
    set(facts, "region.item_wall", wait + cpu);
    if wait + cpu > 0.0 {
        set(facts, "wait.share", wait / (wait + cpu));
        set(facts, "cpu.share", cpu / (wait + cpu));
    }
    cpu_per_item(facts, profile, items);
    match items.cv {
        Some(cv) => set(facts, "region.cv", cv),
        None => facts.unknown("region.cv", "the items were too short to tell apart"),
    }
    match items.longest {
        Some(longest) => set(facts, "region.longest", longest.as_secs_f64()),
        None => facts.unknown("region.longest", "the items were too short to tell apart"),
    }
}

fn cpu_per_item(facts: &mut Facts, profile: &Profile, items: &Items) {
    if let Some(why) = split_unknown(profile) {
        facts.unknown("cpu.gil", &why);
        facts.unknown("cpu.native", &why);
    } else {
        facts.number("cpu.gil", items.cpu_gil.as_secs_f64(), Origin::Measured);
        facts.number("cpu.native", items.cpu_native.as_secs_f64(), Origin::Measured);
    }
}

/// Why CPU cannot be told apart by the interpreter lock; `None` where it can.
fn split_unknown(profile: &Profile) -> Option<String> {
    match (profile.runtime.gil, profile.cpu_split.gil) {
        (None, _) => Some("the runtime could not be told".to_owned()),
        (Some(true), None) => Some("the owner of the interpreter lock could not be read".to_owned()),
        (Some(true), Some(_)) if profile.cpu_split.samples < CpuSplit::FEWEST => {
            Some(format!("only {} samples of running threads", profile.cpu_split.samples))
        }
        (Some(_), _) => None,
    }
}

fn split(facts: &mut Facts, profile: &Profile) {
    if let Some(why) = split_unknown(profile) {
        facts.unknown("cpu.gil_share", &why);
        return;
    }
    if profile.runtime.gil == Some(false) {
        facts.number("cpu.gil_share", 0.0, Origin::Measured);
    } else if let Some(share) = profile.cpu_split.share() {
        facts.number("cpu.gil_share", share, Origin::Measured);
    } else {
        facts.unknown("cpu.gil_share", "no CPU was used while the lock was watched");
    }
}

fn sites(facts: &mut Facts, profile: &Profile) {
    let wall = profile.wall.as_secs_f64();
    if let Some(top) = profile.blocking_points.iter().max_by_key(|site| site.critical) {
        let word = |text: &str| Value::Text(text.to_owned());
        facts.set("site.kind", word(top.kind.name()), Origin::Measured);
        facts.set("site.operation", word(&top.operation), Origin::Measured);
        match &top.resource {
            Some(resource) => facts.set("site.resource", word(resource), Origin::Measured),
            None => facts.unknown("site.resource", "the resource could not be resolved"),
        }
        if top.episodes > 0 {
            facts.number("site.episodes", top.episodes as f64, Origin::Measured);
            facts.number("site.wait", top.wait.as_secs_f64() / top.episodes as f64, Origin::Measured);
        }
    }
    let handoffs =
        profile.blocking_points.iter().filter(|s| matches!(s.kind, WaitKind::Pipe | WaitKind::Lock));
    let (count, cpu) = handoffs.fold((0, 0.0), |(n, cpu), s| (n + s.episodes, cpu + s.cpu.as_secs_f64()));
    facts.number("handoff.n", count as f64, Origin::Measured);
    if count > 0 {
        facts.number("handoff.cpu", cpu / count as f64, Origin::Measured);
    } else {
        facts.unknown("handoff.cpu", "nothing was handed over");
    }
    let (waiters, episodes, queued) = contended(profile)
        .map_or((0, 0, 0.0), |site| (site.threads, site.episodes, site.queued.as_secs_f64()));
    facts.number("threads.alternating", profile.parallelism.alternating as f64, Origin::Measured);
    facts.number("lock.waiters", waiters as f64, Origin::Measured);
    facts.number("lock.episodes", episodes as f64, Origin::Measured);
    let disk = profile.blocking_points.iter().filter(|s| s.kind == WaitKind::Disk);
    let (all, synced) = disk.fold((0.0, 0.0), |(all, synced), s| {
        let wait = s.wait.as_secs_f64();
        (all + wait, synced + if s.operation.contains("sync") { wait } else { 0.0 })
    });
    if all > 0.0 {
        facts.number("disk.sync", synced / all, Origin::Measured);
    } else {
        facts.unknown("disk.sync", "no wait for a file was seen");
    }
    if wall > 0.0 {
        facts.number("lock.queued", (queued / wall).min(1.0), Origin::Measured);
        facts.number("loop.blocked", loop_blocked(profile) / wall, Origin::Measured);
    }
}

/// The lock that most thread-time is spent queueing for, by several threads.
fn contended(profile: &Profile) -> Option<&BlockingPoint> {
    // Once or twice each is a join or a parked pool.
    let again = |site: &&BlockingPoint| site.threads >= 2 && site.episodes >= 4 * site.threads;
    let locks = profile.blocking_points.iter().filter(|site| site.kind == WaitKind::Lock).filter(again);
    locks.max_by_key(|site| site.wait)
}

/// Seconds an event loop was blocked in something else than its own wait: by the threads that were seen to run one, or,
/// where a runtime has several threads and any of them may hold the loop, by the lines that a loop called.
fn loop_blocked(profile: &Profile) -> f64 {
    let by_thread = profile.event_loop.map_or(0.0, |event_loop| event_loop.blocked.as_secs_f64());
    let waits = |site: &&Site| site.blocks_event_loop && matches!(site.account, Account::Wait(_));
    let by_line: f64 = profile.sites.iter().filter(waits).map(|site| site.critical.as_secs_f64()).sum();
    by_thread.max(by_line)
}

fn workers(facts: &mut Facts, profile: &Profile) {
    let group = crew(profile).or(profile.process_groups.first());
    match group.and_then(|group| group.rss).or(profile.max_rss) {
        Some(bytes) => facts.number("mem.per_process", bytes as f64, Origin::Measured),
        None => facts.unknown("mem.per_process", "resident memory could not be read"),
    }
    let Some(group) = crew(profile) else {
        facts.unknown("data.moved", "the program has no worker processes");
        facts.unknown("data.item_bytes", "the program has no worker processes");
        return;
    };
    let (Some(read), Some(written)) = (group.bytes_read, group.bytes_written) else {
        facts.unknown("data.moved", "the I/O counters of the worker processes could not be read");
        return;
    };
    let moved = (read + written) as f64;
    facts.number("data.moved", moved, Origin::Measured);
    if let Some(n) = facts.get_number("region.n").filter(|n| *n > 0.0) {
        facts.number("data.item_bytes", moved / n, Origin::Measured);
    }
}
