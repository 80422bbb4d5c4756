//! Runs `boundby` and talks to it and to the program it measures, without ever hanging.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::kernel;

/// After this long a run counts as hung.
const DEADLINE: Duration = Duration::from_secs(50);

/// `boundby` with these arguments, in a process group of its own and without colour.
pub(crate) fn boundby<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command.args(arguments).env("NO_COLOR", "1").env("LC_ALL", "C").process_group(0);
    kernel::born(&mut command, kernel::Birth::Mortal);
    command
}

/// `boundby profile -- sh -c SCRIPT`, without the probe.
pub(crate) fn profiled(script: &str) -> Command {
    boundby(["profile", "--no-probe", "--", "sh", "-c", script])
}

/// The same, saving the profile to a file.
pub(crate) fn saving(output: &Path, script: &str) -> Command {
    let output = output.to_str().unwrap();
    boundby(["profile", "--no-probe", "-o", output, "--", "sh", "-c", script])
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    /// As a shell says it: the exit code, or 128 and the signal.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails unless it ended with this code, and shows what was said instead.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out(), self.err());
        self
    }

    /// Fails unless standard error holds this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err().contains(text), "`{text}` is missing: {}", self.err());
        self
    }

    /// Fails unless there is a report on standard error.
    #[track_caller]
    pub(crate) fn reports(self) -> Self {
        self.says(" Bound by ").says(" Do this ")
    }
}

/// Runs to the end with nothing to read.
pub(crate) fn run(command: &mut Command) -> Ran {
    Session::start(command.stdin(Stdio::null())).end()
}

/// A run that is under way.
pub(crate) struct Session {
    pub(crate) child: Child,
    /// Kept apart from the child: waiting for a child closes its standard input.
    pub(crate) stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<Vec<u8>>,
    done: Sender<()>,
    watchdog: JoinHandle<bool>,
}

impl Session {
    /// Starts it with its streams in the test's hands; standard input is a pipe unless it was set.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (done, waiting) = channel();
        let group = -pid(&child);
        let watchdog = std::thread::spawn(move || {
            let hung = waiting.recv_timeout(DEADLINE).is_err();
            if hung {
                kernel::kill(group, libc::SIGKILL);
            }
            hung
        });
        Self { child, stdin, stdout, stderr, done, watchdog }
    }

    /// Starts it with standard input in the test's hands.
    pub(crate) fn interactive(command: &mut Command) -> Self {
        Self::start(command.stdin(Stdio::piped()))
    }

    pub(crate) fn pid(&self) -> i32 {
        pid(&self.child)
    }

    /// The next line the program writes.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program wrote no further line");
        line.trim_end().to_owned()
    }

    /// Fails unless the program writes this line next.
    #[track_caller]
    pub(crate) fn hears(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Writes a line for the program to read.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Sends a signal to boundby alone.
    pub(crate) fn signal(&self, signal: i32) {
        kernel::kill(self.pid(), signal);
    }

    /// Waits until boundby has woken up this often, which it does for every sample.
    pub(crate) fn let_it_sample(&self, times: u64) {
        let before = slices(self.pid());
        wait_until("boundby has sampled", || slices(self.pid()) >= before + times);
    }

    /// Closes standard input and waits for the end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        drop(self.stdin.take());
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        let stderr = self.stderr.join().unwrap();
        let _ = self.done.send(());
        let hung = self.watchdog.join().unwrap();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        let ran = Ran { code, stdout, stderr };
        assert!(!hung, "it hung: {ran:?}");
        ran
    }

    /// Waits for boundby alone, whose streams somebody else may keep open.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }
}

pub(crate) fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// Waits for something another process does.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How often a process was given a CPU.
fn slices(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    text.split_ascii_whitespace().nth(2).and_then(|word| word.parse().ok()).unwrap_or(u64::MAX)
}

/// The state letter of a process; nothing if it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// A saved profile.
#[track_caller]
pub(crate) fn saved(path: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The source, if it was refused, with reason and costs.
pub(crate) fn refused(profile: &serde_json::Value, source: &str) -> Option<String> {
    let refused = profile["profile"]["quality"]["sources_refused"].as_array().unwrap();
    refused.iter().find(|refused| refused["source"] == source).map(ToString::to_string)
}

/// A file in a folder, with this content.
pub(crate) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}
