//! The measured programs: this very binary, run again with a role. Each says on standard output when it starts, and at
//! its end what it took by its own clocks.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::run::usage;

/// What makes this binary play a role.
pub(crate) const FLAG: &str = "--role";

/// With which a storm ends: a status that nothing else here has.
pub(crate) const STORM_OVER: u8 = 7;
/// After how long a storm says again that it goes on.
const BEAT: Duration = Duration::from_millis(100);

/// Steps of a chunk of work: some 100 us.
const CHUNK: u64 = 40_000;

/// Plays the role that the words name.
pub(crate) fn play(words: &[String]) -> io::Result<ExitCode> {
    let number = |at: usize| {
        let word = words.get(at).and_then(|word| word.parse::<u64>().ok());
        word.ok_or_else(|| io::Error::other(format!("role {words:?} lacks number {at}")))
    };
    let done = match words.first().map(String::as_str) {
        Some("nothing") => Ok(()),
        Some("stamp") => told(|| Ok(())),
        Some("cpu") => told(|| chunks(number(1)?)),
        Some("reads") => told(|| reads(number(1)?)),
        Some("threads") => told(|| threads(number(1)?, number(2)?)),
        Some("switches") => told(|| switches(number(1)?)),
        Some("waiters") => told(|| waiters(number(1)?, Duration::from_millis(number(2)?))),
        Some("children") => told(|| (0..number(1)?).try_for_each(|_| child())),
        Some("service") => told(|| service(Duration::from_millis(number(1)?))),
        Some("storm") => {
            told(|| storm(Duration::from_millis(number(1)?)))?;
            return Ok(ExitCode::from(STORM_OVER));
        }
        _ => Err(io::Error::other(format!("no role {words:?}"))),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Nanoseconds of the clock that all processes share.
pub(crate) fn monotonic() -> u64 {
    nanos(ClockId::Monotonic)
}

fn nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

fn told(role: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let start = monotonic();
    println(&format!("start {start}"))?;
    role()?;
    let (end, cpu) = (monotonic(), nanos(ClockId::ProcessCPUTime));
    println(&format!("end {end} {} {cpu}", end - start))
}

#[expect(clippy::unnecessary_wraps, reason = "it is a role like the others")]
fn chunks(count: u64) -> io::Result<()> {
    for _ in 0..count {
        chunk();
    }
    Ok(())
}

fn chunk() {
    let mut value = black_box(1u64);
    for _ in 0..CHUNK {
        value = (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
    }
    black_box(value);
}

/// Threads that compute and wait in turn, all with the same amount of work.
fn threads(count: u64, rounds: u64) -> io::Result<()> {
    let work = move || {
        for _ in 0..rounds {
            chunk();
            thread::sleep(Duration::from_millis(1));
        }
    };
    all((0..count).map(|_| work))
}

/// System calls that never wait, one after another.
fn reads(count: u64) -> io::Result<()> {
    let (mut zeros, mut byte) = (File::open("/dev/zero")?, [0]);
    (0..count).try_for_each(|_| zeros.read_exact(&mut byte))
}

/// A byte goes to and fro between two threads on one CPU, the last one: each read is a switch. On two CPUs most of the time
/// goes into waking the other one up, which gives fewer.
fn switches(round_trips: u64) -> io::Result<()> {
    to_and_fro(*usable()?.last().unwrap_or(&0), 0..round_trips)
}

/// CPUs that may be used.
fn usable() -> io::Result<Vec<usize>> {
    let usable = rustix::thread::sched_getaffinity(None)?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| usable.is_set(*cpu)).collect())
}

/// The caller and a thread of its own stay on one CPU and pass a byte once for each of `rounds`.
fn to_and_fro(cpu: usize, rounds: impl Iterator<Item = u64>) -> io::Result<()> {
    let mut only = rustix::thread::CpuSet::new();
    only.set(cpu);
    rustix::thread::sched_setaffinity(None, &only)?;
    let ((mut there_out, mut there_in), (mut back_out, mut back_in)) = (io::pipe()?, io::pipe()?);
    let echo = thread::spawn(move || -> io::Result<()> {
        let mut byte = [0];
        while there_out.read(&mut byte)? > 0 {
            back_in.write_all(&byte)?;
        }
        Ok(())
    });
    let mut byte = [0];
    for _ in rounds {
        there_in.write_all(&byte)?;
        back_out.read_exact(&mut byte)?;
    }
    drop(there_in);
    echo.join().unwrap_or_else(|_| Err(io::Error::other("the other thread panicked")))
}

/// On every CPU a byte goes to and fro as fast as it can. Says in between that it goes on, and in the end how often its
/// threads waited, and how often they were put off a CPU: whoever is woken may go first, and then nobody waits.
fn storm(length: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let end = begun + length;
    // Looking at the clock takes time as well.
    let rounds = move || (0u64..).take_while(move |round| round % 256 > 0 || Instant::now() < end);
    let pair = |cpu| thread::spawn(move || to_and_fro(cpu, rounds()));
    let pairs: Vec<_> = usable()?.into_iter().map(pair).collect();
    for beat in 1..=beats(length) {
        thread::sleep((begun + BEAT * beat).saturating_duration_since(Instant::now()));
        println(&format!("beat {beat}"))?;
    }
    for pair in pairs {
        pair.join().map_err(|_| io::Error::other("a thread panicked"))??;
    }
    let usage = usage(libc::RUSAGE_SELF);
    println(&format!("switches {} {}", usage.ru_nvcsw, usage.ru_nivcsw))
}

/// How often a storm of this length says that it goes on.
pub(crate) fn beats(length: Duration) -> u32 {
    (length.as_millis() / BEAT.as_millis()) as u32
}

fn println(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Threads that mostly wait, as those of a server do.
fn waiters(count: u64, length: Duration) -> io::Result<()> {
    let end = Instant::now() + length;
    let wait = |number: u64| {
        move || {
            while Instant::now() < end {
                thread::sleep(Duration::from_millis(20 + number % 80));
            }
        }
    };
    all((0..count).map(wait))
}

/// Waits until all have ended.
fn all<F: FnOnce() + Send + 'static>(work: impl Iterator<Item = F>) -> io::Result<()> {
    let build = |work| thread::Builder::new().stack_size(64 << 10).spawn(work);
    let threads: Vec<_> = work.map(build).collect::<io::Result<_>>()?;
    for thread in threads {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
    }
    Ok(())
}

fn child() -> io::Result<()> {
    Command::new(std::env::current_exe()?).args([FLAG, "nothing"]).stdout(Stdio::null()).status().map(drop)
}

/// What fills a recorder's memory if it is not bounded: threads and children that come and go beside workers that compute
/// and wait for changing lengths of time.
fn service(length: Duration) -> io::Result<()> {
    let end = Instant::now() + length;
    let worker = move |number: u64| {
        move || {
            let mut wait = number;
            while Instant::now() < end {
                chunk();
                wait = (wait * 7 + 3) % 23;
                thread::sleep(Duration::from_millis(wait));
            }
        }
    };
    let workers = thread::spawn(move || all((0..8).map(worker)));
    while Instant::now() < end {
        let short = thread::spawn(|| thread::sleep(Duration::from_millis(15)));
        child()?;
        short.join().map_err(|_| io::Error::other("a short thread panicked"))?;
    }
    workers.join().unwrap_or_else(|_| Err(io::Error::other("the workers panicked")))
}
