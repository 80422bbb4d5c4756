//! The lines of a recording, version 1. A format of its own: the types that are measured with may change without it.
//! Times are nanoseconds since the recording began, sizes are bytes.

mod machine;
mod sources;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::machine::MachineLine;
use self::sources::{LevelsLine, StackReadsLine};
use crate::profile::ledger::{Ledger, Reading, Under};
use crate::profile::model::{Exit, Language, Runtime, Throttling};
use crate::profile::observation::{Birth, Census, HostShare, Life, Observation};
use crate::profile::record::Recording;
use crate::profile::sampler::Schedule;
use crate::profile::stack::{Frame, FrameId, StackId};
use crate::profile::switching::Overlap;
use crate::profile::thread_clock::{Counters, Seen, SiteId, Told};
use crate::profile::traffic::{CROWD, Remainders, Traffic};
use crate::wait::WaitKind;
use crate::wait::classify::{Reason, operation};

/// The version, as the first line states it.
pub(super) const FORMAT: &str = "boundby/recording/1";

/// Longest time believed: eleven days. Sums of many still fit into 64 bits.
const LONGEST: u64 = 1_000_000_000_000_000;

/// Most threads at once that are believed: there are no larger machines.
const THREADS: usize = 65_536;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    Begin {
        format: String,
        cpus: f64,
    },
    Process {
        pid: i32,
        parent: i32,
        at: u64,
    },
    ProcessGone {
        pid: i32,
        at: u64,
    },
    Thread {
        pid: i32,
        tid: i32,
        at: u64,
        counters: [u64; 3],
        newborn: bool,
    },
    ThreadGone {
        tid: i32,
    },
    Site(SiteLine),
    Census {
        pid: i32,
        at: u64,
        name: String,
        threads: u64,
        rss: u64,
        io: Option<(u64, u64)>,
    },
    Runtime {
        pid: i32,
        language: String,
        implementation: Option<String>,
        version: Option<String>,
        gil: Option<bool>,
    },
    EventLoop {
        pid: i32,
    },
    /// What the host took of the CPUs, and what they computed.
    Host {
        stolen: u64,
        used: u64,
    },
    /// What came over the connections that a process accepted.
    Traffic(TrafficLine),
    /// A thread's wait in progress is one at this site.
    Named {
        tid: i32,
        site: u32,
    },
    /// A thread's name, where somebody wanted a timeline.
    Called {
        tid: i32,
        name: String,
    },
    /// A frame of call stacks: the levels of code it stands for, innermost first. They are numbered from 0.
    Frame(Vec<LevelLine>),
    /// What an earlier frame stands for.
    FrameNamed {
        frame: u32,
        levels: Vec<LevelLine>,
    },
    /// The numbers of a stack's frames, innermost first. Stacks are numbered from 1.
    Stack(Vec<u32>),
    /// A thread was seen running in these stacks.
    Sampled {
        tid: i32,
        stacks: Vec<u32>,
    },
    /// A thread's wait in progress is in this stack.
    Placed {
        tid: i32,
        stack: u32,
    },
    /// So many tasks of an event loop wait in this stack.
    Tasks {
        stack: u32,
        waiting: u32,
    },
    Round {
        at: u64,
        readings: Vec<ReadingLine>,
    },
    LastWords {
        at: u64,
        reading: ReadingLine,
    },
    /// What every switch up to the next round says: time with so many threads running, with somebody ready, and with
    /// somebody woken already.
    Exactly {
        running: Vec<u64>,
        ready: u64,
        woken: u64,
        /// Of the time with one: others waited for an interpreter lock.
        #[serde(default)]
        serialised: Option<u64>,
    },
    /// How quiet time divides among sites, by who woke whom; and what switches say without that, as in `Exactly`.
    Chained {
        waits: Vec<(u32, u64)>,
        inferred: Option<(Vec<u64>, u64, u64, Option<u64>)>,
    },
    /// What a thread waited for, as the kernel told.
    Told {
        tid: i32,
        waits: Vec<ToldLine>,
    },
    /// A thread nobody looked at.
    Lived {
        pid: i32,
        tid: i32,
        name: String,
        born: u64,
        died: u64,
        counters: [u64; 3],
        #[serde(default)]
        waits: Vec<ToldLine>,
    },
    End(EndLine),
    Machine(MachineLine),
}

/// Of whom, connections that anybody accepted, then the other sums of [`Traffic`] in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TrafficLine(i32, Option<u64>, [u64; 7], [u64; CROWD], [Remainders; 2]);

impl TrafficLine {
    fn of(pid: i32, of: &Traffic) -> Self {
        let sums = [of.connections, of.once, of.others, of.asked, of.answered, of.over_long, of.full];
        Self(pid, of.accepted, sums, of.crowded, [of.came_left, of.sent_left])
    }

    fn observation(self) -> Result<Observation, String> {
        let Self(pid, accepted, sums, crowded, [came_left, sent_left]) = self;
        // Those of several processes are added up.
        let left = [came_left, sent_left].into_iter().flatten().flatten();
        sums.into_iter()
            .chain(crowded)
            .chain(accepted)
            .chain(left)
            .try_for_each(|sum| believed(sum).map(drop))?;
        let [connections, once, others, asked, answered, over_long, full] = sums;
        let traffic = Traffic {
            connections,
            once,
            others,
            accepted,
            asked,
            answered,
            over_long,
            full,
            crowded,
            came_left,
            sent_left,
        };
        Ok(Observation::Traffic { pid, traffic: Box::new(traffic) })
    }
}

/// A new blocking point, or more that is known of one. They are numbered from 1 in the order of their introduction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteLine {
    pid: i32,
    pc: u64,
    kind: String,
    operation: String,
    resource: Option<String>,
    external: bool,
    event_loop: bool,
    fan: u32,
}

/// Function, file, line, and whether it is the program's own code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LevelLine(String, Option<String>, Option<u32>, bool);

impl From<Frame> for LevelLine {
    fn from(Frame { function, file, line, own }: Frame) -> Self {
        Self(function, file, line, own)
    }
}

impl From<LevelLine> for Frame {
    fn from(LevelLine(function, file, line, own): LevelLine) -> Self {
        Self { function, file, line, own }
    }
}

fn levels<A: Into<B>, B>(levels: Vec<A>) -> Vec<B> {
    levels.into_iter().map(Into::into).collect()
}

/// The number of a site; time, waits that are over, time in which everybody waited, time on a CPU after them; the lengths
/// of single waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ToldLine(u32, u64, u64, u64, u64, Vec<u64>);

impl From<Told> for ToldLine {
    fn from(Told { site, time, ended, quiet, progress, lengths }: Told) -> Self {
        Self(site.0, time, ended, quiet, progress, lengths)
    }
}

fn told(waits: Vec<ToldLine>) -> Result<Vec<Told>, String> {
    let told = |ToldLine(site, time, ended, quiet, progress, lengths)| {
        for number in lengths.iter().chain([&time, &ended, &quiet, &progress]) {
            believed(*number)?;
        }
        Ok(Told { site: SiteId(site), time, ended, quiet, progress, lengths })
    };
    waits.into_iter().map(told).collect()
}

/// Thread, time on a CPU, time runnable, dispatches, where it was, in which stack (0: not seen), and how much of its
/// waiting everybody waited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ReadingLine(
    i32,
    u64,
    u64,
    u64,
    Place,
    #[serde(default)] u32,
    #[serde(default)] Option<u64>,
);

/// The number of a site, or what it does instead of waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Place {
    Site(u32),
    Active(Activity),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Activity {
    Runs,
    HoldsLock,
    OutsideLock,
    QueuesForLock,
}

/// How a run ended and what is known of it as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a line of a file, not a state")]
pub(super) struct EndLine {
    command: Vec<String>,
    root: i32,
    launched: bool,
    exit_code: Option<i32>,
    exit_signal: Option<i32>,
    wall: u64,
    cpu_user: u64,
    cpu_system: u64,
    max_rss: Option<u64>,
    periods: Option<u64>,
    throttled_periods: Option<u64>,
    throttled: Option<u64>,
    rounds: u64,
    late: u64,
    own_cpu: u64,
    /// Whether the kernel listed children; older tapes were made where it did.
    #[serde(default = "listed")]
    lists_children: bool,
    /// Whether the program had ended.
    #[serde(default)]
    ended: bool,
    hidden: u64,
    /// Older tapes have none.
    #[serde(default)]
    stack_reads: StackReadsLine,
    /// Older tapes were made without.
    #[serde(default)]
    levels: LevelsLine,
    left_running: usize,
    interrupted: bool,
}

impl From<&Observation> for Line {
    fn from(observation: &Observation) -> Self {
        match observation.clone() {
            Observation::Process { pid, parent, at } => Self::Process { pid, parent, at },
            Observation::ProcessGone { pid, at } => Self::ProcessGone { pid, at },
            Observation::Thread(Birth { pid, tid, at, counters, newborn }) => {
                let counters = [counters.run, counters.delay, counters.slices];
                Self::Thread { pid, tid, at, counters, newborn }
            }
            Observation::ThreadGone { tid } => Self::ThreadGone { tid },
            Observation::Site { pid, pc, reason, fan } => Self::Site(SiteLine {
                pid,
                pc,
                kind: reason.kind.name().to_owned(),
                operation: reason.operation.to_owned(),
                resource: reason.resource,
                external: reason.external,
                event_loop: reason.event_loop,
                fan,
            }),
            Observation::Census { pid, at, census: Census { name, threads, rss, io } } => {
                Self::Census { pid, at, name, threads, rss, io }
            }
            Observation::Runtime { pid, runtime: Runtime { language, implementation, version, gil } } => {
                Self::Runtime { pid, language: language.name().to_owned(), implementation, version, gil }
            }
            Observation::EventLoop { pid } => Self::EventLoop { pid },
            Observation::Host(HostShare { stolen, used }) => Self::Host { stolen, used },
            Observation::Traffic { pid, traffic } => Self::Traffic(TrafficLine::of(pid, &traffic)),
            Observation::Named { tid, site } => Self::Named { tid, site: site.0 },
            Observation::Called { tid, name } => Self::Called { tid, name },
            Observation::Frame { levels: of } => Self::Frame(levels(of)),
            Observation::FrameNamed { frame, levels: of } => {
                Self::FrameNamed { frame: frame.0, levels: levels(of) }
            }
            Observation::Stack { frames } => Self::Stack(frames.iter().map(|frame| frame.0).collect()),
            Observation::Sampled { tid, stacks } => {
                Self::Sampled { tid, stacks: stacks.iter().map(|stack| stack.0).collect() }
            }
            Observation::Placed { tid, stack } => Self::Placed { tid, stack: stack.0 },
            Observation::Tasks { stack, waiting } => Self::Tasks { stack: stack.0, waiting },
            Observation::Round { at, readings } => {
                Self::Round { at, readings: readings.iter().map(ReadingLine::from).collect() }
            }
            Observation::LastWords { at, reading } => Self::LastWords { at, reading: (&reading).into() },
            Observation::Exactly(Overlap { running, ready, woken, serialised }) => {
                Self::Exactly { running, ready, woken, serialised }
            }
            Observation::Chained { waits, inferred } => Self::Chained {
                waits: waits.into_iter().map(|(site, time)| (site.0, time)).collect(),
                inferred: inferred
                    .map(|Overlap { running, ready, woken, serialised }| (running, ready, woken, serialised)),
            },
            Observation::Told { tid, waits } => Self::Told { tid, waits: levels(waits) },
            Observation::Lived(Life { pid, tid, name, born, died, counters, waits }) => {
                let counters = [counters.run, counters.delay, counters.slices];
                Self::Lived { pid, tid, name, born, died, counters, waits: levels(waits) }
            }
        }
    }
}

impl Line {
    /// What it says; the error says what is wrong with it.
    pub(super) fn observation(self) -> Result<Observation, String> {
        Ok(match self {
            Self::Process { pid, parent, at } => Observation::Process { pid, parent, at: believed(at)? },
            Self::ProcessGone { pid, at } => Observation::ProcessGone { pid, at: believed(at)? },
            Self::Thread { pid, tid, at, counters: [run, delay, slices], newborn } => {
                let counters = counters(run, delay, slices)?;
                Observation::Thread(Birth { pid, tid, at: believed(at)?, counters, newborn })
            }
            Self::ThreadGone { tid } => Observation::ThreadGone { tid },
            Self::Site(site) => site.observation()?,
            Self::Census { pid, at, name, threads, rss, io } => {
                let census = Census { name, threads, rss, io };
                Observation::Census { pid, at: believed(at)?, census }
            }
            Self::Runtime { pid, language, implementation, version, gil } => {
                let language = Language::ALL
                    .into_iter()
                    .find(|known| known.name() == language)
                    .ok_or_else(|| format!("no language is called {language}"))?;
                Observation::Runtime { pid, runtime: Runtime { language, implementation, version, gil } }
            }
            Self::EventLoop { pid } => Observation::EventLoop { pid },
            Self::Host { stolen, used } => Observation::Host(HostShare { stolen, used }),
            Self::Traffic(line) => line.observation()?,
            Self::Named { tid, site } => Observation::Named { tid, site: SiteId(site) },
            Self::Called { tid, name } => Observation::Called { tid, name },
            Self::Frame(of) => Observation::Frame { levels: levels(of) },
            Self::FrameNamed { frame, levels: of } => {
                Observation::FrameNamed { frame: FrameId(frame), levels: levels(of) }
            }
            Self::Stack(frames) => Observation::Stack { frames: frames.into_iter().map(FrameId).collect() },
            Self::Sampled { tid, stacks } => {
                Observation::Sampled { tid, stacks: stacks.into_iter().map(StackId).collect() }
            }
            Self::Placed { tid, stack } => Observation::Placed { tid, stack: StackId(stack) },
            Self::Tasks { stack, waiting } => Observation::Tasks { stack: StackId(stack), waiting },
            Self::Round { at, readings } => {
                let readings = readings.into_iter().map(ReadingLine::reading).collect::<Result<_, _>>()?;
                Observation::Round { at: believed(at)?, readings }
            }
            Self::LastWords { at, reading } => {
                Observation::LastWords { at: believed(at)?, reading: reading.reading()? }
            }
            Self::Exactly { running, ready, woken, serialised } => {
                Observation::Exactly(overlap((running, ready, woken, serialised))?)
            }
            Self::Chained { waits, inferred } => {
                let wait = |(site, time)| Ok((SiteId(site), believed(time)?));
                let waits = waits.into_iter().map(wait).collect::<Result<_, String>>()?;
                Observation::Chained { waits, inferred: inferred.map(overlap).transpose()? }
            }
            Self::Told { tid, waits } => Observation::Told { tid, waits: told(waits)? },
            Self::Lived { pid, tid, name, born, died, counters: [run, delay, slices], waits } => {
                if born > believed(died)? {
                    return Err("a thread ends before it begins".to_owned());
                }
                let counters = counters(run, delay, slices)?;
                let waits = told(waits)?;
                Observation::Lived(Life { pid, tid, name, born, died, counters, waits })
            }
            Self::Begin { .. } | Self::End(_) | Self::Machine(_) => {
                return Err("it is no observation".to_owned());
            }
        })
    }
}

/// Time with so many threads running, with somebody ready, with somebody woken; and with a queue for a lock.
fn overlap(
    (running, ready, woken, serialised): (Vec<u64>, u64, u64, Option<u64>),
) -> Result<Overlap, String> {
    let times = running.iter().chain([&ready, &woken]).copied();
    believed(times.fold(0, u64::saturating_add))?;
    if running.len() > THREADS {
        return Err(format!("{} threads cannot run at once", running.len()));
    }
    Ok(Overlap { running, ready, woken, serialised })
}

fn listed() -> bool {
    true
}

fn believed(nanos: u64) -> Result<u64, String> {
    if nanos <= LONGEST { Ok(nanos) } else { Err(format!("{nanos} ns is longer than any recording")) }
}

fn counters(run: u64, delay: u64, slices: u64) -> Result<Counters, String> {
    Ok(Counters { run: believed(run)?, delay: believed(delay)?, slices: believed(slices)? })
}

impl SiteLine {
    fn observation(self) -> Result<Observation, String> {
        let kind =
            WaitKind::from_name(&self.kind).ok_or_else(|| format!("no wait is called {}", self.kind))?;
        let operation =
            operation(&self.operation).ok_or_else(|| format!("no operation is called {}", self.operation))?;
        let Self { resource, external, event_loop, .. } = self;
        let reason = Reason { kind, operation, resource, external, event_loop };
        Ok(Observation::Site { pid: self.pid, pc: self.pc, reason, fan: self.fan })
    }
}

impl From<&Reading> for ReadingLine {
    fn from(reading: &Reading) -> Self {
        let place = match (reading.seen, reading.under) {
            // A blocked thread has no CPU that could be under the lock.
            (Seen::Blocked(site), _) => Place::Site(site.0),
            (Seen::Active, Under::Unknown) => Place::Active(Activity::Runs),
            (Seen::Active, Under::Lock) => Place::Active(Activity::HoldsLock),
            (Seen::Active, Under::Outside) => Place::Active(Activity::OutsideLock),
            (Seen::Active, Under::Queued) => Place::Active(Activity::QueuesForLock),
        };
        let Counters { run, delay, slices } = reading.counters;
        Self(reading.tid, run, delay, slices, place, reading.stack.0, reading.quiet)
    }
}

impl ReadingLine {
    fn reading(self) -> Result<Reading, String> {
        let Self(tid, run, delay, slices, place, stack, quiet) = self;
        let (seen, under) = match place {
            Place::Site(site) => (Seen::Blocked(SiteId(site)), Under::Unknown),
            Place::Active(Activity::Runs) => (Seen::Active, Under::Unknown),
            Place::Active(Activity::HoldsLock) => (Seen::Active, Under::Lock),
            Place::Active(Activity::OutsideLock) => (Seen::Active, Under::Outside),
            Place::Active(Activity::QueuesForLock) => (Seen::Active, Under::Queued),
        };
        let stack = StackId(stack);
        let quiet = quiet.map(believed).transpose()?;
        Ok(Reading { tid, counters: counters(run, delay, slices)?, seen, under, stack, quiet })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&Recording> for Line {
    fn from(recording: &Recording) -> Self {
        let (exit_code, exit_signal) = match recording.exit {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            Some(Exit::Untold) | None => (None, None),
        };
        Self::End(EndLine {
            command: recording.command.clone(),
            root: recording.root,
            launched: recording.launched,
            exit_code,
            exit_signal,
            ended: recording.exit.is_some(),
            wall: nanos(recording.wall),
            cpu_user: nanos(recording.cpu.0),
            cpu_system: nanos(recording.cpu.1),
            max_rss: recording.max_rss,
            periods: recording.throttling.periods,
            throttled_periods: recording.throttling.throttled_periods,
            throttled: recording.throttling.throttled.map(nanos),
            rounds: recording.schedule.rounds,
            late: recording.schedule.late,
            own_cpu: nanos(recording.own_cpu),
            hidden: recording.hidden,
            stack_reads: recording.stack_reads.clone().into(),
            levels: recording.levels.clone().into(),
            lists_children: recording.lists_children,
            left_running: recording.left_running,
            interrupted: recording.interrupted,
        })
    }
}

impl EndLine {
    /// The recording whose books these are; `None`: its times cannot be.
    pub(super) fn recording(self, books: Ledger) -> Option<Recording> {
        let exit = self.exit_code.map(Exit::Code).or(self.exit_signal.map(Exit::Signal));
        let exit = exit.or_else(|| self.ended.then_some(Exit::Untold));
        let times = [self.wall, self.cpu_user, self.cpu_system, self.own_cpu];
        if times.into_iter().any(|time| believed(time).is_err()) {
            return None;
        }
        let mut schedule = Schedule::new(0);
        (schedule.rounds, schedule.late) = (self.rounds, self.late);
        let tail = self.wall.saturating_sub(books.last_round());
        Some(Recording {
            command: self.command,
            root: self.root,
            launched: self.launched,
            exit,
            wall: Duration::from_nanos(self.wall),
            cpu: (Duration::from_nanos(self.cpu_user), Duration::from_nanos(self.cpu_system)),
            max_rss: self.max_rss,
            books: books.close(self.root, tail),
            throttling: Throttling {
                periods: self.periods,
                throttled_periods: self.throttled_periods,
                throttled: self.throttled.map(Duration::from_nanos),
            },
            schedule,
            own_cpu: Duration::from_nanos(self.own_cpu),
            hidden: self.hidden,
            stack_reads: self.stack_reads.into(),
            levels: self.levels.into(),
            lists_children: self.lists_children,
            left_running: self.left_running,
            interrupted: self.interrupted,
        })
    }
}
