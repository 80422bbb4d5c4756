//! Sums a recording up into a [`Profile`]: both books, sites, groups, quality. Pure.

mod blocking_points;
pub(super) mod code;
pub(super) mod event_loops;
mod summed_up;
mod timeline;
mod tracks;
mod wakeups;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::callers::{CPU_CLOCK, NATIVE_STACKS, PYTHON_STACKS};
use super::clients::SOCK_DIAG;
use super::items;
use super::ledger::{Closed, ProcessRecord, SUMMED_UP};
use super::levels::Reasons;
use super::model::{
    CpuSplit, EventLoop, Items, Language, Level, Parallelism, ProcessGroup, Profile, Quality, REASONS,
    Refused, Runtime, SWITCHES,
};
use super::record::Recording;
use super::requests;
use super::sites::SiteRecord;
use super::thread_clock::SiteId;
use crate::wait::{Account, Book, WaitKind};

/// What is missing where requests were not counted.
const NO_REQUESTS: &str = "requests are told by the waits for them alone, which those of event loops are not";
/// What the host took is said from this share of the wall time on.
const STOLEN: f64 = 0.01;
/// A level is that of a recording if it was measured so for this share of the time.
const MOSTLY: f64 = 0.5;
/// Waits that take one part in so many of the run need no reasons.
const HARDLY: u64 = 100;
/// What switching took is said from this share of the CPU time on.
const SWITCHING: f64 = 0.01;
/// A function of the kernel that nobody knows is named from this share of the waiting on.
const OTHERS: f64 = 0.01;

/// Sites reported; the rest has next to no weight.
const SITES_REPORTED: usize = 100;
/// A percentile is given from this many waits seen one by one.
const COUNTED_ENOUGH: u64 = 10;

/// The profile of a recording.
#[must_use]
pub(super) fn summarise(recording: Recording) -> Profile {
    let books = &recording.books;
    let seen: u64 = books.threads.iter().map(|thread| thread.clock.cpu()).sum::<u64>() + books.folded.cpu;
    let exact = nanos(recording.cpu.0 + recording.cpu.1);
    // Attached, the exact total is known to a clock tick per process only.
    let unseen = unseen_cpu(books, exact.saturating_sub(seen));
    // What a host takes is time on a CPU only as far as switches tell.
    let counted = recording.launched && exact_share(books) >= MOSTLY && seen < exact + exact / 4;
    let (cpu_user, cpu_system) = if counted { recording.cpu } else { whole_cpu(recording.cpu, seen) };

    let mut thread_book = thread_book(books, unseen);
    let mut wall_book = wall_book(books, unseen);
    if counted {
        leave_out_of_computing(&mut thread_book, &mut wall_book, exact);
    }
    split_throttled(&mut thread_book, &mut wall_book, recording.throttling.throttled);

    let critical = books.wall.by_site();
    let runtime = deciding_runtime(books, &critical);
    let total_cpu = nanos(cpu_user + cpu_system);
    let blocking_points = blocking_points::blocking_points(books, &critical);
    let (sites, call_stacks) = code::by_code(books, &recording.stack_reads);
    let items = items::find(books, nanos(recording.wall));
    let tracks = tracks::tracks(books);
    let quality = quality(&recording, items.as_ref(), seen, exact);
    Profile {
        launched: recording.launched,
        exit: recording.exit,
        wall: recording.wall,
        cpu_user,
        cpu_system,
        max_rss: recording
            .max_rss
            .or_else(|| books.processes.values().filter_map(|process| process.rss).max()),
        processes: summed_up::processes(books),
        threads: books.threads_seen,
        runtime,
        timeline: timeline::timeline(books, &wall_book),
        tracks,
        wall_book,
        thread_book,
        parallelism: parallelism(books, total_cpu, nanos(recording.wall)),
        cpu_split: cpu_split(books),
        blocking_points,
        sites,
        call_stacks,
        items,
        event_loop: event_loop(books),
        process_groups: groups(books),
        throttling: recording.throttling,
        level: level(&recording),
        wakeups: wakeups::wakeups(&recording.levels, books),
        quality,
        command: recording.command,
    }
}

/// Time of which every switch is known, as a share of all.
fn exact_share(books: &Closed) -> f64 {
    books.wall.exact as f64 / books.wall.total().max(1) as f64
}

fn level(recording: &Recording) -> Level {
    if exact_share(&recording.books) < MOSTLY {
        return if has_seen_no_thread(recording) { Level::Rusage } else { Level::Proc };
    }
    let Reasons { followed, told, missed, .. } = recording.levels.reasons;
    let knows_why = followed && (missed <= told || is_hardly_any(missed, recording));
    if knows_why { Level::Kernel } else { Level::Switch }
}

/// Whether no thread could be looked at, though there was time to.
fn has_seen_no_thread(recording: &Recording) -> bool {
    recording.books.threads_seen == recording.books.lives && recording.wall > Duration::from_millis(50)
}

/// Whether waits of so many nanoseconds in all need no reasons.
fn is_hardly_any(waits: u64, recording: &Recording) -> bool {
    waits <= nanos(recording.wall) / HARDLY
}

/// What the kernel counted beyond what was seen of threads. Where every switch is known, nobody was missed: it is what
/// switching, starting and ending took.
fn unseen_cpu(books: &Closed, beyond: u64) -> u64 {
    (beyond as f64 * (1.0 - exact_share(books)).max(0.0)) as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// User and system time; where only ticks are known and the scheduler saw more, the scheduler is right.
fn whole_cpu((user, system): (Duration, Duration), seen: u64) -> (Duration, Duration) {
    let known = nanos(user + system);
    if known >= seen {
        return (user, system);
    }
    let share = if known == 0 { 1.0 } else { user.as_secs_f64() / (user + system).as_secs_f64() };
    let whole = Duration::from_nanos(seen);
    let user = whole.mul_f64(share.clamp(0.0, 1.0)).min(whole);
    (user, whole.saturating_sub(user))
}

fn account(site: &SiteRecord, id: SiteId) -> Account {
    if id == SiteId::UNKNOWN { Account::Unattributed } else { Account::Wait(site.kind()) }
}

/// `unseen` CPU was used by threads and processes too short-lived to be sampled; it is their whole known life.
fn thread_book(books: &Closed, unseen: u64) -> Book {
    let mut book = Book::default();
    for thread in &books.threads {
        book[Account::Cpu] += thread.clock.cpu();
        book[Account::Runnable] += thread.clock.delay();
        book[Account::Unattributed] += thread.unexplained;
        for (id, (blocked, _)) in &thread.sites {
            book[account(books.sites.get(*id), *id)] += blocked;
        }
    }
    book[Account::Cpu] += books.folded.cpu + unseen;
    book[Account::Runnable] += books.folded.delay;
    book[Account::Unattributed] += books.folded.unexplained;
    for (id, blocked) in &books.folded.blocked {
        book[account(books.sites.get(*id), *id)] += blocked;
    }
    book
}

/// Quiet time that was really the work of processes too short-lived to be seen is theirs: what waited for them waited
/// for their CPU.
fn wall_book(books: &Closed, unseen: u64) -> Book {
    let mut book = Book::default();
    book[Account::Cpu] += books.wall.cpu;
    book[Account::Wait(WaitKind::Gil)] += books.wall.gil;
    book[Account::Runnable] += books.wall.runnable;
    for (id, quiet) in &books.wall.by_site() {
        book[account(books.sites.get(*id), *id)] += quiet;
    }
    let mut left = unseen;
    for from in [Account::Wait(WaitKind::Child), Account::Unattributed, Account::Wait(WaitKind::Pipe)] {
        left -= book.transfer(from, Account::Cpu, left);
    }
    book
}

/// Records of switches hold what the host and interrupts took of a CPU, and those of threads that nobody looked at are all
/// there is of them. Whoever waited for them knows what they used; beyond that, they had no CPU.
fn leave_out_of_computing(threads: &mut Book, wall: &mut Book, used: u64) {
    let excess = |computing: u64| computing.saturating_sub(used);
    threads.transfer(Account::Cpu, Account::Runnable, excess(threads[Account::Cpu]));
    let beyond = excess(wall[Account::Cpu] + wall[Account::Wait(WaitKind::Gil)]);
    wall.transfer(Account::Cpu, Account::Runnable, beyond);
}

/// Throttling is part of the run-queue delay the scheduler counts (measured on 6.18): taken out, not added.
fn split_throttled(threads: &mut Book, wall: &mut Book, throttled: Option<Duration>) {
    let throttled = throttled.map_or(0, nanos);
    threads.transfer(Account::Runnable, Account::Throttled, throttled);
    wall.transfer(Account::Runnable, Account::Throttled, throttled);
}

fn parallelism(books: &Closed, cpu: u64, wall: u64) -> Parallelism {
    let sum: u64 = books.wall.running.iter().sum();
    let mut shares: Vec<f64> =
        books.wall.running.iter().map(|time| *time as f64 / sum.max(1) as f64).collect();
    while shares.last().is_some_and(|share| *share < 1e-4) {
        shares.pop();
    }
    let rest = 1.0 - shares.iter().sum::<f64>();
    if let Some(first) = shares.first_mut() {
        *first += rest;
    }
    Parallelism {
        mean: cpu as f64 / wall.max(1) as f64,
        share_of_wall_by_running_threads: shares,
        alternating: alternating(books, cpu),
    }
}

/// Parkings from which a thread waits for others again and again; a join or two are fewer.
const AGAIN_AND_AGAIN: u64 = 10;

/// See [`Parallelism::alternating`].
fn alternating(books: &Closed, cpu: u64) -> u64 {
    let parks = |thread: &&super::ledger::ThreadRecord| {
        let ended = |(id, (_, ended)): (&SiteId, &(u64, u64))| {
            let site = books.sites.get(*id);
            (!site.external && matches!(site.kind(), WaitKind::Idle | WaitKind::Lock)).then_some(*ended)
        };
        thread.clock.cpu() * 10 >= cpu
            && thread.sites.iter().filter_map(ended).sum::<u64>() >= AGAIN_AND_AGAIN
    };
    let mut by_process: BTreeMap<i32, u64> = BTreeMap::new();
    for thread in books.threads.iter().filter(parks) {
        *by_process.entry(thread.pid).or_default() += 1;
    }
    by_process.into_values().max().filter(|threads| *threads >= 2).unwrap_or(0)
}

/// CPU under and outside the lock; what no sample classed is divided like the rest of its process.
fn cpu_split(books: &Closed) -> CpuSplit {
    let mut split = CpuSplit::default();
    let (mut under, mut outside) = (0.0, 0.0);
    for (pid, process) in books.processes.iter().filter(|(_, process)| process.runtime.gil == Some(true)) {
        let (held, free) = process.lock_samples;
        split.samples += held + free;
        let (mut process_under, mut process_outside) = (0u64, 0u64);
        for thread in books.threads.iter().filter(|thread| thread.pid == *pid) {
            process_under += thread.cpu_under;
            process_outside += thread.cpu_outside;
        }
        let classed = process_under + process_outside;
        if classed > 0 {
            let scale = process.cpu.max(classed) as f64 / classed as f64;
            under += process_under as f64 * scale;
            outside += process_outside as f64 * scale;
        }
    }
    if split.samples > 0 {
        split.gil = Some(Duration::from_nanos(under as u64));
        split.native = Some(Duration::from_nanos(outside as u64));
    }
    split
}

/// The runtime of the process that did, and was waited for, the most. A shell that only starts others never decides.
fn deciding_runtime(books: &Closed, waits: &BTreeMap<SiteId, u64>) -> Runtime {
    let mut weight: BTreeMap<i32, u64> =
        books.processes.iter().map(|(pid, process)| (*pid, process.cpu)).collect();
    for (id, quiet) in waits {
        *weight.entry(books.sites.get(*id).key.pid).or_default() += quiet;
    }
    let mut by_runtime: Vec<(&Runtime, u64)> = Vec::new();
    for (pid, process) in &books.processes {
        let own = weight.get(pid).copied().unwrap_or(0);
        match by_runtime.iter_mut().find(|(runtime, _)| **runtime == process.runtime) {
            Some((_, sum)) => *sum += own,
            None => by_runtime.push((&process.runtime, own)),
        }
    }
    let decides = |runtime: &Runtime| !matches!(runtime.language, Language::Shell | Language::Unknown);
    by_runtime
        .iter()
        .max_by_key(|(runtime, weight)| (decides(runtime) && *weight > 0, *weight))
        .map(|(runtime, _)| (*runtime).clone())
        .unwrap_or_default()
}

fn event_loop(books: &Closed) -> Option<EventLoop> {
    let with_loop: BTreeSet<i32> =
        books.processes.iter().filter(|(_, process)| process.event_loop).map(|(pid, _)| *pid).collect();
    if with_loop.is_empty() {
        return None;
    }
    let mut found = EventLoop::default();
    for pid in with_loop {
        let waits_in_loop = |thread: &&super::ledger::ThreadRecord| {
            thread.sites.keys().any(|id| books.sites.get(*id).event_loop)
        };
        let of_process = || books.threads.iter().filter(move |thread| thread.pid == pid);
        let mut loops: Vec<_> = of_process().filter(waits_in_loop).collect();
        if loops.is_empty() {
            // Never seen waiting: the loop is always busy, and runs on the main thread unless told otherwise.
            loops.extend(of_process().find(|thread| thread.tid == pid));
        }
        for thread in loops {
            found.cpu += Duration::from_nanos(thread.clock.cpu());
            for (id, (blocked, _)) in &thread.sites {
                let site = books.sites.get(*id);
                if site.event_loop {
                    found.waiting += Duration::from_nanos(*blocked);
                    found.connections = found.connections.max(Some(u64::from(site.fan)));
                } else if site.external {
                    found.blocked += Duration::from_nanos(*blocked);
                }
            }
        }
    }
    Some(found)
}

fn groups(books: &Closed) -> Vec<ProcessGroup> {
    type Role = (String, Option<String>);
    let mut groups: BTreeMap<Role, (ProcessGroup, Vec<(u64, u64)>)> = BTreeMap::new();
    for (pid, process) in &books.processes {
        let parent = books.processes.get(&process.parent).filter(|_| process.parent != SUMMED_UP);
        let parent = parent.map(|parent| parent.name.clone());
        let entry = groups.entry((process.name.clone(), parent)).or_default();
        add_to_group(&mut entry.0, process);
        entry.0.count += if *pid == SUMMED_UP { books.processes_summed } else { 1 };
        entry.1.push(process.seen);
    }
    let mut groups: Vec<ProcessGroup> = groups
        .into_iter()
        .map(|((_, parent), (mut group, lives))| {
            group.concurrent = items::most_at_once(&lives);
            group.parent = parent;
            group
        })
        .collect();
    groups.sort_by(|a, b| b.cpu.cmp(&a.cpu).then_with(|| a.name.cmp(&b.name)));
    summed_up::groups(groups)
}

fn add_to_group(group: &mut ProcessGroup, process: &ProcessRecord) {
    if group.count == 0 || process.cpu > nanos(group.cpu) {
        group.runtime = process.runtime.clone();
    }
    group.name.clone_from(&process.name);
    group.threads = group.threads.max(process.threads);
    group.cpu += Duration::from_nanos(process.cpu);
    group.rss = group.rss.max(process.rss);
    if let Some((read, written)) = process.io {
        *group.bytes_read.get_or_insert(0) += read;
        *group.bytes_written.get_or_insert(0) += written;
    }
}

/// Levels that were to be had and are not.
fn levels_refused(recording: &Recording) -> impl Iterator<Item = Refused> + use<> {
    let refused = |source: &str, reason: Option<&String>, costs: &str| {
        reason.map(|reason| Refused {
            source: source.to_owned(),
            reason: reason.clone(),
            costs: costs.to_owned(),
        })
    };
    [
        refused(
            SWITCHES,
            recording.levels.refused.as_ref(),
            "times are those of the scheduler's counters, looked at again and again, and what lives for a few \
             milliseconds is known by its sum (sudo sysctl kernel.perf_event_paranoid=2; in a container: docker run \
             --cap-add PERFMON)",
        ),
        refused(
            REASONS,
            recording.levels.reasons.refused.as_ref(),
            "what threads wait for is seen at random moments, not told of every wait (sudo sysctl \
             kernel.perf_event_paranoid=1; in a container: docker run --cap-add PERFMON)",
        ),
    ]
    .into_iter()
    .flatten()
}

fn quality(recording: &Recording, items: Option<&Items>, seen: u64, exact: u64) -> Quality {
    let rounds = recording.schedule.rounds;
    let mut quality = Quality {
        sources_used: vec!["procfs".to_owned()],
        samples: rounds,
        late: recording.schedule.late,
        lost: recording.hidden,
        interval: recording.wall / u32::try_from(rounds.max(1)).unwrap_or(u32::MAX),
        own_cpu: recording.own_cpu,
        cpu_coverage: (exact > 0 && recording.launched).then(|| (seen as f64 / exact as f64).min(1.0)),
        ..Quality::default()
    };
    let books = &recording.books;
    if recording.launched {
        quality.sources_used.push("rusage".to_owned());
    }
    let level = level(recording);
    for (least, source) in [(Level::Switch, SWITCHES), (Level::Kernel, REASONS)] {
        if level >= least {
            quality.sources_used.insert(0, source.to_owned());
        }
    }
    quality.refused.extend(levels_refused(recording));
    let locked: Vec<_> =
        books.processes.values().filter(|process| process.runtime.gil == Some(true)).collect();
    if locked.iter().any(|process| process.lock_samples != (0, 0)) {
        quality.sources_used.push("gil-owner".to_owned());
    } else if locked.iter().any(|process| process.cpu > 50_000_000) {
        quality.refused.push(Refused {
            source: "gil-owner".to_owned(),
            reason: "the interpreter lock was not found, or its memory may not be read".to_owned(),
            costs: "CPU time under it and outside cannot be told apart".to_owned(),
        });
    }
    let reads = &recording.stack_reads;
    let python = reads.read > 0 && locked.iter().any(|process| process.runtime.language == Language::Python);
    for (source, used) in
        [(PYTHON_STACKS, python), (NATIVE_STACKS, reads.native), (CPU_CLOCK, reads.cpu_clock)]
    {
        if used {
            quality.sources_used.push(source.to_owned());
        }
    }
    quality.refused.extend(reads.refused.iter().map(|(source, reason)| {
        Refused {
            source: source.clone(),
            reason: reason.clone(),
            costs: match source.as_str() {
                CPU_CLOCK => "lines that compute are not named in native code; those that wait are",
                SOCK_DIAG => NO_REQUESTS,
                _ => "the lines of the source that wait and compute are not named",
            }
            .to_owned(),
        }
    }));
    if !books.traffic.is_empty() {
        quality.sources_used.push(SOCK_DIAG.to_owned());
    }
    if items.is_none_or(|items| items.requests.is_none())
        && let Some(reason) = requests::doubt(books)
    {
        let (source, costs) = (SOCK_DIAG.to_owned(), NO_REQUESTS.to_owned());
        quality.refused.push(Refused { source, reason: reason.to_owned(), costs });
    }
    let is_tokio = |site: &SiteRecord, stack| site.event_loop && event_loops::in_tokio(&books.stacks, stack);
    if books.places.waits().any(|(place, _)| is_tokio(books.sites.get(place.site), place.stack)) {
        quality.refused.push(Refused {
            source: "tokio-tasks".to_owned(),
            reason: "how tokio's tasks lie in memory is written down nowhere".to_owned(),
            costs:
                "what they await is told as the loop's own wait for events; what blocks the loop has its line"
                    .to_owned(),
        });
    }
    if recording.hidden > 0 {
        quality.refused.push(Refused {
            source: "syscall".to_owned(),
            reason: format!("/proc/PID/syscall was refused {} times", recording.hidden),
            costs: "some waits are told by their kernel function alone".to_owned(),
        });
    }
    if !recording.lists_children {
        quality.refused.push(Refused {
            source: "children".to_owned(),
            reason: "this kernel keeps no lists of the children of a process (CONFIG_PROC_CHILDREN)"
                .to_owned(),
            costs: "children were looked for among all processes, less often: those that lived a few \
                    milliseconds were missed, and are counted from their exit"
                .to_owned(),
        });
    }
    if has_seen_no_thread(recording) {
        quality.refused.push(Refused {
            source: "procfs".to_owned(),
            reason: "no thread of the program could be read under /proc".to_owned(),
            costs: "only its CPU time is known, not what it waited for; ask: boundby doctor".to_owned(),
        });
    }
    quality.remarks = remarks(recording, seen, exact);
    quality
}

fn remarks(recording: &Recording, seen: u64, exact: u64) -> Vec<String> {
    let mut remarks = Vec::new();
    if recording.left_running > 0 {
        remarks.push(format!(
            "{} it started not seen to end; follow what still runs with --pid",
            crate::units::count(recording.left_running as u64, "process")
        ));
    }
    let beyond = exact.saturating_sub(seen);
    let missed = unseen_cpu(&recording.books, beyond);
    let switching = (beyond - missed) as f64 / exact.max(1) as f64;
    if recording.launched && exact > 20_000_000 && switching >= SWITCHING {
        remarks.push(format!(
            "{} of the CPU time went into switching between threads, and starting and ending them",
            crate::units::percent(switching)
        ));
    }
    let told = exact_share(&recording.books);
    if recording.levels.followed && (told < 0.99 || recording.levels.lost > 0) {
        let why = match (recording.levels.pauses, recording.levels.lost) {
            (0, 0) => "some threads could not be followed".to_owned(),
            (_, 0) => {
                "they came too fast to have each written down (--level s does so all the same)".to_owned()
            }
            (_, lost) => format!("{} of them were lost", crate::units::count(lost, "record")),
        };
        remarks.push(format!(
            "switches are not known one by one for {} of the time: {why}",
            crate::units::percent(1.0 - told)
        ));
    }
    let reasons = &recording.levels.reasons;
    if let Some(told) =
        reasons.share().filter(|told| *told < 0.99 && !is_hardly_any(reasons.missed, recording))
    {
        let why = match reasons.pauses {
            0 => "they were the first, or threads could not be followed",
            _ => "they came too fast to have the kernel asked about each",
        };
        remarks.push(format!(
            "the reasons of {} of the waiting were not told, but are taken for those of the rest: {why}",
            crate::units::percent(1.0 - told)
        ));
    }
    if let Some((function, time)) = reasons.others.first()
        && *time as f64 >= OTHERS * reasons.told.max(1) as f64
    {
        remarks.push(format!(
            "nobody here knows what threads wait for in {function} of the kernel ({} of the waiting)",
            crate::units::percent(*time as f64 / reasons.told.max(1) as f64)
        ));
    }
    if recording.launched && exact > 20_000_000 && missed as f64 > 0.1 * exact as f64 {
        remarks.push(format!(
            "processes too short-lived to be sampled used {} of the CPU time",
            crate::units::percent(missed as f64 / exact as f64)
        ));
    }
    if recording.schedule.late * 5 > recording.schedule.rounds {
        remarks.push(format!(
            "{} of {} samples came late: the machine was busy",
            recording.schedule.late, recording.schedule.rounds
        ));
    }
    let stolen = recording.books.wall.stolen as f64 / nanos(recording.wall).max(1) as f64;
    if stolen >= STOLEN {
        remarks.push(format!(
            "the host of this virtual machine held its CPUs back for {} of the time (steal), booked as waiting for a CPU",
            crate::units::percent(stolen)
        ));
    }
    remarks.extend(summed_up::remarks(&recording.books));
    remarks.extend(tracks::left_out(&recording.books, recording.wall));
    if recording.interrupted {
        remarks.push("interrupted before the program ended".to_owned());
    }
    remarks
}
