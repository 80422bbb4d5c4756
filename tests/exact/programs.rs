//! The programs, each for about a second, and what they tell of themselves.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

/// How long the service takes for an answer.
const ANSWER: Duration = Duration::from_millis(5);

/// How what a program did is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Each of its processes tells.
    Told,
    /// It starts so many processes; what they used, whoever waits for them knows.
    Processes(u64),
}

pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<String>,
    pub(crate) truth: Truth,
}

/// What the threads of a process did, or of several, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub(crate) struct Sums {
    pub(crate) threads: u64,
    pub(crate) run: f64,
    pub(crate) queued: f64,
    pub(crate) blocked: f64,
    /// Beyond that they can have been blocked, or in the queue, for so long.
    #[serde(default)]
    pub(crate) edges: f64,
    /// What first threads were in the queue before they began to measure themselves; some of it, before boundby let it go.
    #[serde(default)]
    pub(crate) early: f64,
}

impl Sums {
    /// What processes told, a line each: how many, and their sums.
    pub(crate) fn read(text: &str) -> (u64, Self) {
        text.lines().fold((0, Self::default()), |(processes, all), line| {
            let own: Self = serde_json::from_str(line).unwrap();
            let sums = Self {
                threads: all.threads + own.threads,
                run: all.run + own.run,
                queued: all.queued + own.queued,
                blocked: all.blocked + own.blocked,
                edges: all.edges + own.edges,
                early: all.early + own.early,
            };
            (processes + 1, sums)
        })
    }

    pub(crate) fn life(&self) -> f64 {
        self.run + self.queued + self.blocked
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exact").join(name)
}

/// Those that can be run here, and what the others lack.
pub(crate) fn all(folder: &Path) -> (Vec<Program>, Vec<String>) {
    let mut programs = Vec::new();
    let mut missing = Vec::new();
    let python =
        ["cpu", "sleep", "network", "direct", "fsync", "pipe", "lock", "gil", "threads", "processes"];
    match interpreter() {
        Some(interpreter) => programs.extend(python.map(|name| Program {
            name,
            command: vec![interpreter.clone(), source(&format!("{name}.py")).to_string_lossy().into_owned()],
            truth: Truth::Told,
        })),
        None => missing.push(format!("{}: no python3 of at least 3.7", python.join(", "))),
    }
    match build("threads.rs", folder) {
        Ok(path) => programs.push(Program { name: "rust", command: vec![path], truth: Truth::Told }),
        Err(why) => missing.push(format!("rust: {why}")),
    }
    let shell = |name, processes, script: &str| Program {
        name,
        command: ["sh", "-c", script].map(str::to_owned).into(),
        truth: Truth::Processes(processes),
    };
    programs.push(shell("children", 2001, "i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done"));
    // The shell, and 3 + 9 + 27 copies of it.
    let forks = "f() { [ $1 -eq 0 ] && return; f $(($1-1)) & f $(($1-1)) & f $(($1-1)) & wait; }; f 3; wait";
    programs.push(shell("forks", 40, forks));
    (programs, missing)
}

/// The interpreter itself: a version manager's shim is a shell script, whose start would be measured as well.
fn interpreter() -> Option<String> {
    let asked = "import sys; print(sys.executable); sys.exit(sys.version_info < (3, 7))";
    let output = Command::new("python3").args(["-c", asked]).stderr(Stdio::null()).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| path.trim().to_owned())
}

fn build(name: &str, folder: &Path) -> Result<String, String> {
    let program = folder.join("built");
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition", "2024", "-O", "-o"]).arg(&program).arg(source(name));
    let output = compiler.output().map_err(|error| format!("rustc: {error}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(program.to_string_lossy().into_owned())
}

/// A service outside of what is measured: answers each byte after a fixed time. Returns its port.
pub(crate) fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || answer(connection));
        }
    });
    port
}

/// Until the connection is closed.
fn answer(mut connection: TcpStream) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut question = [0];
    loop {
        connection.read_exact(&mut question).ok()?;
        thread::sleep(ANSWER);
        connection.write_all(&question).ok()?;
    }
}
