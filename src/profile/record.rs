//! One recording from start to end: launch or attach, take rounds, pass signals on, reap, and close the books.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use super::following::Following;
use super::inbox::{Inbox, News};
use super::launch::{self, LaunchError, Launching};
use super::ledger::{Closed, Ledger};
use super::levels::{Levels, Switches};
use super::model::{Exit, Level, Throttling};
use super::own_cpu;
use super::sampler::Schedule;
use super::source::perf::Refused;
use super::source::procfs::{command_line, numbered, parse_group, read_small, read_stat, scheduled};
use super::stack_reads::StackReads;
use super::sys::Witness;
use super::tree::{Tree, own_children, threads_below};
use super::watch::{Standing, Watcher};
use crate::machine::{Machine, QuotaReader, QuotaReading, survey};
use rustix::time::{ClockId, clock_gettime};

/// Ages of a run at which it is asked again what the program may use: it may have entered a cgroup of its own.
const SURVEYS: [Duration; 3] =
    [Duration::from_millis(30), Duration::from_millis(300), Duration::from_secs(3)];

/// How long a signal waits to be told from one that was sent to many processes one by one.
const GRACE: Duration = Duration::from_millis(5);

/// How long records of switches may stay unread: there is room for more than that, at the rate that is allowed.
const UNREAD: Duration = Duration::from_millis(20);

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Start this command and follow it to its end.
    Command(Vec<OsString>),
    /// Follow a running process and its tree.
    Pid {
        /// Which.
        pid: i32,
        /// For how long; `None`: until it ends or boundby is interrupted.
        duration: Option<Duration>,
    },
}

impl Target {
    fn launching(&self) -> Launching {
        match self {
            Self::Command(_) => Launching::Yes,
            Self::Pid { .. } => Launching::No,
        }
    }

    fn command_line(&self, root: i32) -> Vec<String> {
        match self {
            Self::Command(command) => {
                command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
            }
            Self::Pid { .. } => command_line(root),
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The command did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// No such process.
    #[error("no process has the pid {0}; list them with: ps -e")]
    NoProcess(i32),
    /// A process of another user, or one that may not be looked at.
    #[error(
        "process {0} may not be measured: it belongs to another user or is protected; run boundby as that user or as \
         root{1}"
    )]
    NotOurs(i32, String),
    /// A thread that is not the first of its process.
    #[error("{0} is a thread of process {1}; measure the process: boundby profile --pid {1}")]
    NotAProcess(i32, i32),
    /// A zombie.
    #[error(
        "process {0} has ended already, only its parent has not asked for it yet; list what runs with: ps -e"
    )]
    Ended(i32),
    /// No program.
    #[error("process {0} is a thread of the kernel and runs no program; list what runs with: ps -e")]
    Kernel(i32),
    /// boundby itself.
    #[error(
        "process {0} is this very boundby; give the pid of another process, or start one: boundby profile -- CMD"
    )]
    Ourselves(i32),
    /// The level that was asked for.
    #[error("level {0} cannot be had here: {1}; ask for the best that can be: --level auto")]
    Level(&'static str, Refused),
    /// Wake-ups that were asked for.
    #[error("cannot tell {0}; go without: leave out --wakeups")]
    Wakeups(Refused),
    /// Signals could not be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

/// A finished recording, before it is summed up.
#[derive(Debug)]
pub struct Recording {
    /// Command line.
    pub command: Vec<String>,
    /// First process.
    pub root: i32,
    /// Whether boundby started it.
    pub launched: bool,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Wall time observed.
    pub wall: Duration,
    /// User and system CPU of the tree; exact if launched, to a clock tick otherwise.
    pub cpu: (Duration, Duration),
    /// Largest resident set of a reaped process, bytes.
    pub max_rss: Option<u64>,
    /// The books.
    pub books: Closed,
    /// Quota as felt.
    pub throttling: Throttling,
    /// Rounds taken and late.
    pub schedule: Schedule,
    /// CPU boundby used.
    pub own_cpu: Duration,
    /// Readings in which the system call was hidden.
    pub hidden: u64,
    /// Call stacks looked at.
    pub stack_reads: StackReads,
    /// How switches were told.
    pub levels: Levels,
    /// Processes of the tree that outlive the command.
    pub left_running: usize,
    /// Whether the kernel lists the children of a process.
    pub lists_children: bool,
    /// Whether boundby was interrupted before the program ended (attached only).
    pub interrupted: bool,
}

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// `None`: as well as it can be done.
    pub level: Option<Level>,
    /// Have who wakes whom told, too. Takes [`Level::Kernel`].
    pub wakeups: bool,
}

/// A target that runs.
struct Begun {
    root: i32,
    launched: bool,
    limit: Option<Duration>,
    started: Instant,
    following: Option<Following>,
    /// What is not told that was to be.
    levels: Levels,
}

/// Starts a command or attaches to a process, and has its switches told from the first moment on.
fn begin(target: &Target, asked: Asked) -> Result<Begun, ProfileError> {
    let Asked { level, wakeups } = asked;
    let with = |following: Following| if wakeups { following.with_wakeups() } else { Ok(following) };
    let (mut started, mut began) = (Instant::now(), monotonic());
    let mut switches = Switches::NotAsked;
    let (root, limit) = match target {
        Target::Command(command) => {
            let prepare = |pid| {
                switches = Switches::of(level, |patience, reasons| {
                    Following::launch(pid, patience, reasons).and_then(with)
                });
                // The recording begins with the command: what it took to prepare is no time of its life.
                let before = scheduled(pid).unwrap_or_default();
                (started, began) = (Instant::now(), monotonic());
                switches.begin(pid, began, before);
                level.is_none() || !switches.are_refused()
            };
            (launch::start(command, prepare), None)
        }
        Target::Pid { pid, duration } => {
            may_be_measured(*pid)?;
            // An event for each thread and CPU is a descriptor.
            let _most = launch::raise_open_files();
            switches = Switches::of(level, |patience, reasons| {
                Following::attach(|| threads_below(*pid), began, patience, reasons).and_then(with)
            });
            (Ok(*pid), *duration)
        }
    };
    let asked_for = level.map_or("", Level::name);
    let (following, levels) = switches.open(level).map_err(|why| match why {
        Refused::Wakeups(_) => ProfileError::Wakeups(why),
        _ => ProfileError::Level(asked_for, why),
    })?;
    let launched = target.launching() == Launching::Yes;
    Ok(Begun { root: root?, launched, limit, started, following, levels })
}

/// Measures a target on a `machine`, which is surveyed again as the program sees it, and keeps these `books` of it. A
/// `watcher` is told how they stand.
///
/// # Errors
/// If the command does not start, or the process is gone or not ours.
pub fn record(
    target: &Target,
    machine: &mut Machine,
    asked: Asked,
    books: Ledger,
    mut watcher: Option<&mut dyn Watcher>,
) -> Result<Recording, ProfileError> {
    let launching = target.launching();
    let mut inbox = Inbox::open(launching).map_err(ProfileError::Signals)?;
    // Whoever became boundby by exec may have had children; they are not the command's.
    let strangers = own_children().unwrap_or_default();
    let mut witness = if launching == Launching::Yes { Witness::start() } else { None };
    let own_before = own_cpu::all();
    let Begun { root, launched, limit, started, following, levels } = begin(target, asked)?;
    let mut quota = Quota::open(root);
    let program = Program { command: target.command_line(root), root, launched, own_before };
    let descriptors = launch::raise_open_files();
    let mut tree = Tree::new(root, books, launched, strangers, descriptors, following);
    tree.replace_stranger(None, witness.as_ref().map(Witness::pid));
    let mut schedule = Schedule::new(seed());
    let mut ticks_before = Ticks::new();
    let mut reaped = Sum::default();
    let (mut interrupted, mut planned) = (false, Duration::ZERO);
    let mut surveys = SURVEYS.iter().peekable();
    loop {
        let age = started.elapsed();
        // What the kernel told has to be read however seldom threads are looked at.
        tree.catch_up(nanos(age));
        let cost_before = own_cpu::thread();
        tree.round(nanos(age), !launched && schedule.rounds == 0);
        if !launched && schedule.rounds == 0 {
            ticks_before = tree.pids().iter().filter_map(|pid| Some((*pid, ticks(*pid)?))).collect();
        }
        if surveys.next_if(|due| age >= **due).is_some() {
            quota.follow(root, machine);
        }
        schedule.took(own_cpu::thread().saturating_sub(cost_before), age.saturating_sub(planned), age);
        let is_over = limit.is_some_and(|limit| age >= limit) || (!launched && tree.is_empty());
        if is_over {
            break;
        }
        if let Some(watcher) = watcher.as_deref_mut() {
            let known = (&ticks_before, &reaped, &quota, &schedule, &levels);
            if (Ongoing { program: &program, tree: &tree, known }).is_shown(watcher, age, machine) {
                interrupted = true;
                break;
            }
        }
        planned = age + schedule.next(age);
        if let Some(limit) = limit {
            planned = planned.min(limit);
        }
        let news = wait_until(&mut inbox, started, planned, &mut tree);
        if launched {
            for signal in news.to_pass_on {
                launch::pass_on(root, signal);
            }
            pass_on_once(&news.sent, root, &mut witness, &mut tree);
            if news.child_ended {
                reap_all(&mut tree, started, root, &mut reaped, &mut witness);
            }
            if reaped.exit.is_some() {
                break;
            }
        } else if news.interrupted {
            interrupted = true;
            break;
        }
    }
    let wall = started.elapsed();
    look_a_last_time(&mut tree, launched, nanos(wall));
    // Orphans that ended together with the command.
    if launched {
        reap_all(&mut tree, started, root, &mut reaped, &mut witness);
    }
    // Those that have ended since they were last looked at are gone by now.
    let left_running = tree.pids().len();
    let has_ended = !launched && tree.is_empty();
    let cpu = if launched { reaped.cpu } else { ticks_since(&ticks_before, tree.pids()) };
    let (hidden, lists_children) = (tree.lookups.hidden, tree.lists_children());
    tree.name_frames();
    tree.count_requests();
    let mut stack_reads = std::mem::take(&mut tree.lookups.stack_reads);
    stack_reads.close();
    let levels = levels.end(tree.lookups.following.as_ref());
    let tail = nanos(wall).saturating_sub(tree.ledger.last_round());
    Ok(Recording {
        command: program.command,
        root,
        launched,
        exit: reaped.exit.or_else(|| has_ended.then_some(Exit::Untold)),
        wall,
        cpu,
        max_rss: reaped.max_rss,
        books: tree.ledger.close(root, tail),
        throttling: quota.throttling(),
        schedule,
        own_cpu: own_cpu::all().saturating_sub(own_before),
        hidden,
        stack_reads,
        levels,
        left_running: if launched { left_running } else { 0 },
        lists_children,
        interrupted,
    })
}

/// The last round of a recording, with whoever was not found before.
fn look_a_last_time(tree: &mut Tree, launched: bool, now: u64) {
    tree.is_over();
    if launched {
        tree.search(now);
    }
    if !tree.is_empty() || tree.lookups.following.is_some() {
        tree.round(now, false);
    }
    if launched {
        tree.ends_at(now);
    }
}

/// What a recording is of.
struct Program {
    command: Vec<String>,
    root: i32,
    launched: bool,
    /// CPU time boundby had used before.
    own_before: Duration,
}

/// A recording that is not over: ticks before it, what was reaped, quota, schedule and level.
struct Ongoing<'r> {
    program: &'r Program,
    tree: &'r Tree,
    known: (&'r Ticks, &'r Sum, &'r Quota, &'r Schedule, &'r Levels),
}

impl Ongoing<'_> {
    /// Shows a watcher how things stand, if that is due. Says whether it has seen enough and the recording may end; a command
    /// is followed to its end.
    fn is_shown(&self, watcher: &mut dyn Watcher, age: Duration, machine: &Machine) -> bool {
        if watcher.is_due(age) {
            let begun = Instant::now();
            let recording = self.so_far(age);
            watcher.see(Standing::new(recording, machine.clone(), begun.elapsed()));
        }
        watcher.has_enough() && !self.program.launched
    }

    /// The recording as if it ended at this age.
    fn so_far(&self, age: Duration) -> Recording {
        let Self { program, tree, known: (ticks_before, reaped, quota, schedule, levels) } = self;
        let alive = ticks_since(ticks_before, tree.pids());
        let tail = nanos(age).saturating_sub(tree.ledger.last_round());
        Recording {
            command: program.command.clone(),
            root: program.root,
            launched: program.launched,
            exit: None,
            wall: age,
            cpu: (reaped.cpu.0 + alive.0, reaped.cpu.1 + alive.1),
            max_rss: reaped.max_rss,
            books: tree.ledger.standing(program.root, tail),
            throttling: quota.throttling(),
            schedule: (*schedule).clone(),
            own_cpu: own_cpu::all().saturating_sub(program.own_before),
            hidden: tree.lookups.hidden,
            stack_reads: tree.lookups.stack_reads.clone(),
            levels: (*levels).clone().end(tree.lookups.following.as_ref()),
            left_running: 0,
            lists_children: tree.lists_children(),
            interrupted: false,
        }
    }
}

/// Passes on what was not sent to the command as well, as a member of the same process group.
fn pass_on_once(sent: &[i32], root: i32, witness: &mut Option<Witness>, tree: &mut Tree) {
    let has_seen = |signal: &i32| witness.as_ref().is_some_and(|witness| witness.has_seen(*signal));
    if !sent.iter().all(has_seen) {
        // Whoever signals many processes one by one, as service managers do, is not done yet.
        std::thread::sleep(GRACE);
    }
    let (shared, alone): (Vec<i32>, Vec<i32>) = sent.iter().copied().partition(has_seen);
    for signal in alone {
        launch::pass_on(root, signal);
    }
    if !shared.is_empty() {
        // What it has seen stays pending for it: the next signal needs another witness.
        let gone = witness.take().map(|witness| witness.pid());
        *witness = Witness::start();
        tree.replace_stranger(gone, witness.as_ref().map(Witness::pid));
    }
}

/// What the children reaped so far add up to: a program may leave any number of orphans.
#[derive(Debug, Default)]
struct Sum {
    /// User and system CPU.
    cpu: (Duration, Duration),
    /// Largest resident set, bytes.
    max_rss: Option<u64>,
    /// How the first process ended, once it has.
    exit: Option<Exit>,
}

fn reap_all(tree: &mut Tree, started: Instant, root: i32, sum: &mut Sum, witness: &mut Option<Witness>) {
    while let Some(pid) = launch::ended_child() {
        if pid == root {
            tree.is_over();
        }
        // Its end is in the past of this moment.
        tree.last_words(pid, nanos(started.elapsed()));
        let Some(child) = launch::reap(pid) else { break };
        if tree.is_stranger(pid) {
            tree.replace_stranger(Some(pid), None);
            if let Some(witness) = witness.take_if(|witness| witness.pid() == pid) {
                witness.was_reaped();
            }
            continue;
        }
        sum.cpu.0 += child.user;
        sum.cpu.1 += child.system;
        sum.max_rss = sum.max_rss.max(Some(child.max_rss));
        if child.pid == root {
            sum.exit = Some(child.exit);
        }
    }
}

/// The quota the program is under, wherever its cgroup is.
struct Quota {
    cgroups: Option<Vec<u8>>,
    reader: Option<QuotaReader>,
    before: Option<QuotaReading>,
}

impl Quota {
    fn open(root: i32) -> Self {
        let reader = QuotaReader::open(root);
        let before = reader.as_ref().and_then(QuotaReader::read);
        Self { cgroups: cgroups(root), reader, before }
    }

    /// The program may have moved: looks again, as long as it lives.
    fn follow(&mut self, root: i32, machine: &mut Machine) {
        let now = survey(Some(root));
        let Some(cgroups) = cgroups(root) else { return };
        *machine = now;
        if self.cgroups.as_ref() != Some(&cgroups) {
            *self = Self::open(root);
        }
    }

    fn throttling(&self) -> Throttling {
        let after = self.reader.as_ref().and_then(QuotaReader::read);
        let Some((before, after)) = self.before.zip(after) else { return Throttling::default() };
        Throttling {
            periods: Some(after.periods.saturating_sub(before.periods)),
            throttled_periods: Some(after.throttled_periods.saturating_sub(before.throttled_periods)),
            throttled: Some(after.throttled.saturating_sub(before.throttled)),
        }
    }
}

/// The cgroups of a process; `None`: it has ended.
fn cgroups(pid: i32) -> Option<Vec<u8>> {
    read_small(format!("/proc/{pid}/cgroup").as_ref()).ok().filter(|text| !text.is_empty())
}

fn may_be_measured(pid: i32) -> Result<(), ProfileError> {
    let path = |name: &str| format!("/proc/{pid}/{name}");
    if pid <= 0 || std::fs::symlink_metadata(path("")).is_err() {
        return Err(ProfileError::NoProcess(pid));
    }
    if u32::try_from(pid) == Ok(std::process::id()) {
        return Err(ProfileError::Ourselves(pid));
    }
    let group = read_small(path("status").as_ref()).ok().and_then(|text| parse_group(&text));
    if let Some(process) = group.filter(|group| *group != pid) {
        return Err(ProfileError::NotAProcess(pid, process));
    }
    let state = |tid: i32| Some(read_stat(path(&format!("task/{tid}/stat")).as_ref())?.state);
    // Its first thread may have ended before the others; where threads are hidden, nothing says that it has.
    let threads = numbered(path("task").as_ref()).unwrap_or_default();
    if !threads.is_empty() && threads.iter().all(|tid| matches!(state(*tid), Some('Z' | 'X' | 'x'))) {
        return Err(ProfileError::Ended(pid));
    }
    // A kernel thread has no executable; that of a program can be read, or is refused.
    let executable = std::fs::read_link(path("exe"));
    if executable.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) && command_line(pid).is_empty()
    {
        return Err(ProfileError::Kernel(pid));
    }
    match std::fs::read(path("syscall")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
            let hint = match yama.trim() {
                "" | "0" => String::new(),
                scope => format!(
                    " (kernel.yama.ptrace_scope is {scope}, which lets a user look only at processes started by the \
                     looker: start it with boundby profile -- CMD)"
                ),
            };
            Err(ProfileError::NotOurs(pid, hint))
        }
        // Gone in the meantime, or a kernel without this file: the recording will say what it missed.
        Err(_) if std::fs::symlink_metadata(path("")).is_err() => Err(ProfileError::NoProcess(pid)),
        _ => Ok(()),
    }
}

/// Waits for the time that was `planned`. What the kernel tells is read meanwhile, if that is long.
fn wait_until(inbox: &mut Inbox, started: Instant, planned: Duration, tree: &mut Tree) -> News {
    loop {
        let left = planned.saturating_sub(started.elapsed());
        let news = inbox.wait(left.min(UNREAD));
        if left <= UNREAD || news.has_any() {
            return news;
        }
        tree.catch_up(nanos(started.elapsed()));
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `CLOCK_MONOTONIC`, by which the kernel dates its records, nanoseconds.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn seed() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_nsec as u64) << 20 ^ u64::from(std::process::id())
}

/// Processes with their ticks.
type Ticks = Vec<(i32, [u64; 4])>;

/// User and system ticks of a process and the children it has waited for.
fn ticks(pid: i32) -> Option<[u64; 4]> {
    Some(read_stat(format!("/proc/{pid}/stat").as_ref())?.ticks)
}

fn ticks_since(before: &Ticks, pids: &[i32]) -> (Duration, Duration) {
    let mut sum = [0u64; 2];
    for pid in pids {
        let Some(now) = ticks(*pid) else { continue };
        let then = before.iter().find(|(known, _)| known == pid).map_or([0; 4], |(_, ticks)| *ticks);
        for (i, (now, then)) in now.into_iter().zip(then).enumerate() {
            sum[i % 2] += now.saturating_sub(then);
        }
    }
    let per_second = rustix::param::clock_ticks_per_second().max(1) as f64;
    let time = |ticks: u64| Duration::from_secs_f64(ticks as f64 / per_second);
    (time(sum[0]), time(sum[1]))
}
