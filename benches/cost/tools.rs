//! Tools that watch a program, and what a run under one of them takes: wall time by the program's own clock, and CPU time of
//! everything that ran for it. Knows the command lines of the tools; must not know on which programs they are compared.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::run::{Target, cpu_of_children};

/// After this long a tool beside the program counts as hung.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where a tool's words have the file it writes.
const OUT: &str = "{out}";

/// A tool: what it is called in the table, its program, and its words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Under these names, the first that is there; none: it is boundby.
    programs: &'static [&'static str],
    words: &'static [&'static str],
    place: Place,
}

/// Where a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In front of the program's own command.
    Before,
    /// In the place of its interpreter.
    Interpreter,
    /// Beside it: it watches the whole machine until it is interrupted.
    Beside,
}

/// boundby, as it is and at each level.
pub(crate) const BOUNDBY: [Tool; 4] = [
    boundby("boundby", &["profile", "--"]),
    boundby("boundby --level p", &["profile", "--level", "p", "--"]),
    boundby("boundby --level s", &["profile", "--level", "s", "--"]),
    boundby("boundby --level k", &["profile", "--level", "k", "--"]),
];

/// Others that watch any program.
pub(crate) const OTHERS: [Tool; 5] = [
    before("perf stat", &["perf"], &["stat", "-o", OUT, "--"]),
    before("perf sched record", &["perf"], &["sched", "record", "-q", "-o", OUT, "--"]),
    before("perf trace -s", &["perf"], &["trace", "-s", "-o", OUT, "--"]),
    before("strace -c -f", &["strace"], &["-c", "-f", "-o", OUT, "--"]),
    Tool {
        name: "offcputime",
        programs: &["offcputime", "offcputime-bpfcc"],
        words: &["86400"],
        place: Place::Beside,
    },
];

/// Others that watch a Python.
pub(crate) const OF_PYTHON: [Tool; 3] = [
    before("py-spy record --nonblocking", &["py-spy"], &["record", "--nonblocking", "-o", OUT, "--"]),
    before("py-spy record", &["py-spy"], &["record", "-o", OUT, "--"]),
    Tool {
        name: "pyinstrument",
        programs: &["pyinstrument"],
        words: &["-o", OUT],
        place: Place::Interpreter,
    },
];

const fn boundby(name: &'static str, words: &'static [&'static str]) -> Tool {
    before(name, &[], words)
}

const fn before(
    name: &'static str,
    programs: &'static [&'static str],
    words: &'static [&'static str],
) -> Tool {
    Tool { name, programs, words, place: Place::Before }
}

/// What a run took, seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Wall time of the program, by its own clock.
    pub(crate) wall: f64,
    /// CPU time of everything that ran: the program, its children, the tool.
    pub(crate) cpu: f64,
}

/// Whatever is started here and loses its parent is waited for here, so that its CPU time counts.
pub(crate) fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// What the program takes alone.
pub(crate) fn alone(target: &Target) -> io::Result<Cost> {
    cost(|| wall(&mut target.bare()))
}

impl Tool {
    /// Whether it is boundby.
    pub(crate) fn is_boundby(&self) -> bool {
        self.programs.is_empty()
    }

    /// Its program, if it is there.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn find(&self) -> io::Result<PathBuf> {
        if self.is_boundby() {
            return Ok(PathBuf::from(env!("CARGO_BIN_EXE_boundby")));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let find =
            |name: &&str| env::split_paths(&path).map(|place| place.join(name)).find(|file| file.is_file());
        let missing = || io::Error::other(format!("there is no {}", self.programs.join(" or ")));
        self.programs.iter().find_map(find).ok_or_else(missing)
    }

    /// What a program takes under it. What it writes goes to `scratch` and is removed when the time is taken.
    ///
    /// # Errors
    /// If it is missing, or the program did not run to its end.
    pub(crate) fn cost(&self, target: &Target, scratch: &Path) -> io::Result<Cost> {
        let out = scratch.join("out");
        let mut tool = Command::new(self.find()?);
        tool.args(self.words.iter().map(|word| word.replace(OUT, &out.to_string_lossy())));
        let cost = cost(|| match self.place {
            Place::Before => wall(tool.args(target.words())),
            Place::Interpreter => wall(tool.args(&target.words()[1..])),
            Place::Beside => wall_beside(target, &mut tool),
        });
        for written in fs::read_dir(scratch)? {
            fs::remove_file(written?.path())?;
        }
        cost
    }
}

/// Takes the CPU time of everything that runs meanwhile.
fn cost(run: impl FnOnce() -> io::Result<f64>) -> io::Result<Cost> {
    let before = cpu_of_children();
    let wall = run();
    wait_for_orphans()?;
    let cpu = cpu_of_children().saturating_sub(before).as_secs_f64();
    wall.map(|wall| Cost { wall, cpu })
}

fn wait_for_orphans() -> io::Result<()> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Runs a program, bare or by the command of a tool: the seconds that it says it took. Tools may say something as well.
fn wall(command: &mut Command) -> io::Result<f64> {
    let ran = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let words = said.lines().find_map(|line| line.strip_prefix("end "));
    let nanos = words.and_then(|words| words.split(' ').nth(1)?.parse::<u64>().ok());
    let missing = || io::Error::other(format!("the program did not run to its end: {}", ran.status));
    nanos.map(|nanos| nanos as f64 / 1e9).ok_or_else(missing)
}

/// The same, while a tool watches that was there before.
fn wall_beside(target: &Target, tool: &mut Command) -> io::Result<f64> {
    let mut tool = tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let wall = until_it_sleeps(&mut tool).and_then(|()| wall(&mut target.bare()));
    if let Some(ended) = tool.try_wait()? {
        return Err(io::Error::other(format!("it ended with {ended}")));
    }
    let over = if wall.is_ok() { Signal::INT } else { Signal::KILL };
    rustix::process::kill_process(Pid::from_child(&tool), over)?;
    tool.wait()?;
    wall
}

/// A tool that has told the kernel what it wants waits for the end of its time.
fn until_it_sleeps(tool: &mut Child) -> io::Result<()> {
    let patience = Instant::now() + PATIENCE;
    let sleeps = [libc::SYS_clock_nanosleep, libc::SYS_nanosleep].map(|call| format!("{call} "));
    while Instant::now() < patience && tool.try_wait()?.is_none() {
        let call = fs::read_to_string(format!("/proc/{}/syscall", tool.id())).unwrap_or_default();
        if sleeps.iter().any(|sleep| call.starts_with(sleep)) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(io::Error::other("it does not get to wait for the program"))
}
