//! Runs a program, bare or under boundby, and hears when it starts and ends; watches boundby meanwhile through `/proc`.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::roles::{FLAG, monotonic};

/// After this long boundby counts as hung.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program to measure: command and arguments.
pub(crate) struct Target(Vec<String>);

impl Target {
    /// This binary in a role.
    pub(crate) fn role(words: &[&str]) -> io::Result<Self> {
        let own = std::env::current_exe()?.to_string_lossy().into_owned();
        let words = words.iter().map(|word| (*word).to_owned());
        Ok(Self([own, FLAG.to_owned()].into_iter().chain(words).collect()))
    }

    /// A Python program that reports as the roles do, if there is a Python. `work` are statements.
    pub(crate) fn python(work: &str) -> Option<Self> {
        let code = format!(
            "import time, threading\nprint('start', time.monotonic_ns(), flush=True)\nbegun = time.monotonic_ns()\n\
             {work}\nend = time.monotonic_ns()\nprint('end', end, end - begun, time.process_time_ns(), flush=True)\n"
        );
        // Not through a launcher script, which would be the program that is measured.
        let path = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
        let path = String::from_utf8(path.stdout).ok().filter(|path| !path.trim().is_empty())?;
        Some(Self(vec![path.trim().to_owned(), "-c".to_owned(), code]))
    }

    /// As it is.
    pub(crate) fn bare(&self) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]);
        command
    }

    /// Under `boundby profile` with these options.
    pub(crate) fn under_boundby(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
        command.arg("profile").args(options).arg("--").args(&self.0);
        command
    }

    /// The words with which it is started.
    pub(crate) fn words(&self) -> &[String] {
        &self.0
    }
}

/// CPU time of all children that ended and were waited for, and of those they waited for.
pub(crate) fn cpu_of_children() -> Duration {
    let usage = usage(libc::RUSAGE_CHILDREN);
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// What this process used, or its children (`RUSAGE_SELF`, `RUSAGE_CHILDREN`).
#[expect(unsafe_code, reason = "no safe crate at hand offers getrusage, and /proc counts in ticks")]
pub(crate) fn usage(who: i32) -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the place lives until the call has returned, and all zeros is a valid rusage.
    unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    }
}

/// One run, by the clocks of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    /// From just before the first exec to the program's own start.
    pub(crate) before: Duration,
    /// The program's wall time.
    pub(crate) wall: Duration,
    /// The program's CPU time.
    pub(crate) cpu: Duration,
    /// From the program's last word to the end of what was started here.
    pub(crate) after: Duration,
}

/// Runs the program alone.
pub(crate) fn bare(target: &Target) -> io::Result<Ran> {
    run(target.bare())
}

/// Runs it under `boundby profile` with these options.
pub(crate) fn profiled(target: &Target, options: &[&str]) -> io::Result<Ran> {
    run(target.under_boundby(options))
}

fn run(mut command: Command) -> io::Result<Ran> {
    let launched = monotonic();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut words = words_of(&mut child)?;
    let [start] = heard(&mut words, "start")?;
    let [end, wall, cpu] = heard(&mut words, "end")?;
    let status = child.wait()?;
    let over = monotonic();
    if !status.success() {
        return Err(io::Error::other(format!("{command:?} ended with {status}")));
    }
    Ok(Ran {
        before: Duration::from_nanos(start.saturating_sub(launched)),
        wall: Duration::from_nanos(wall),
        cpu: Duration::from_nanos(cpu),
        after: Duration::from_nanos(over.saturating_sub(end)),
    })
}

fn words_of(child: &mut Child) -> io::Result<BufReader<ChildStdout>> {
    child.stdout.take().map(BufReader::new).ok_or_else(|| io::Error::other("no standard output"))
}

/// The next line, which must begin with this word, and its numbers.
fn heard<const N: usize>(words: &mut BufReader<ChildStdout>, first: &str) -> io::Result<[u64; N]> {
    let mut line = String::new();
    words.read_line(&mut line)?;
    let mut parts = line.split_ascii_whitespace();
    let numbers: Option<Vec<u64>> =
        (parts.next() == Some(first)).then(|| parts.map(str::parse).collect::<Result<_, _>>().ok()).flatten();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| io::Error::other(format!("expected `{first}` and {N} numbers, heard {line:?}")))
}

/// What boundby used for a run.
#[derive(Debug)]
pub(crate) struct Used {
    /// Its CPU time from the program's start to its end.
    pub(crate) cpu: Duration,
    /// The program's wall time.
    pub(crate) wall: Duration,
    /// Largest resident set until the report was written, bytes.
    pub(crate) peak: u64,
    /// Resident set at each of the ages asked for, bytes.
    pub(crate) at_ages: Vec<u64>,
}

/// Watches boundby measure a program. It is given a standard error that is full, so that it can be looked at when all its
/// work is done: it waits in writing its report.
pub(crate) fn watched(target: &Target, ages: &[Duration]) -> io::Result<Used> {
    let (report, mut full) = io::pipe()?;
    let room = rustix::pipe::fcntl_getpipe_size(&full)?;
    full.write_all(&vec![b' '; room])?;
    let mut child =
        target.under_boundby(&["--no-probe"]).stdout(Stdio::piped()).stderr(Stdio::from(full)).spawn()?;
    let seen = look(&mut child, ages);
    drop(report);
    if seen.is_err() {
        // It may be stuck; what it measures ends by itself.
        child.kill()?;
    }
    child.wait()?;
    seen
}

fn look(child: &mut Child, ages: &[Duration]) -> io::Result<Used> {
    let mut words = words_of(child)?;
    let proc = format!("/proc/{}", child.id());
    let [_start] = heard(&mut words, "start")?;
    let (begun, cpu_before) = (Instant::now(), cpu_of(&proc)?);
    let mut at_ages = Vec::new();
    for age in ages {
        thread::sleep(age.saturating_sub(begun.elapsed()));
        at_ages.push(status_of(&proc, "VmRSS:")?);
    }
    let [_end, wall, _cpu] = heard(&mut words, "end")?;
    let cpu = cpu_of(&proc)?.saturating_sub(cpu_before);
    let patience = Instant::now() + PATIENCE;
    while !writes_its_report(&proc)? {
        if Instant::now() > patience {
            return Err(io::Error::other("boundby does not get to its report"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let peak = status_of(&proc, "VmHWM:")?;
    Ok(Used { cpu, wall: Duration::from_nanos(wall), peak, at_ages })
}

fn writes_its_report(proc: &str) -> io::Result<bool> {
    let call = fs::read_to_string(format!("{proc}/syscall"))?;
    Ok(call.starts_with(&format!("{} 0x2 ", libc::SYS_write)))
}

/// CPU time of all threads alive.
fn cpu_of(proc: &str) -> io::Result<Duration> {
    let mut nanos = 0u64;
    for thread in fs::read_dir(format!("{proc}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split(' ').next().and_then(|run| run.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// A size in `/proc/PID/status`, bytes.
pub(crate) fn status_of(proc: &str, field: &str) -> io::Result<u64> {
    let text = fs::read_to_string(Path::new(proc).join("status"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {field} in {proc}/status")))
}

/// The load averages: what else runs here.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
