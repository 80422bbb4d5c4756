//! Finds interpreters, runs the programs and reads what they and boundby say.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

/// A line of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) file: String,
    pub(crate) number: u32,
}

/// Seconds of waiting and of computing by line.
pub(crate) type Truth = BTreeMap<Line, (f64, f64)>;

/// What boundby says.
pub(crate) struct Run {
    /// Seconds of waiting and of computing by line.
    pub(crate) lines: Truth,
    /// Lines in the order of the report.
    pub(crate) order: Vec<Line>,
    /// Seconds that it was ready to run and had no CPU.
    pub(crate) queued: f64,
    pub(crate) read: u64,
    pub(crate) torn: u64,
}

/// Where a seeded program spends its time.
#[derive(Deserialize)]
pub(crate) struct Culprit {
    pub(crate) file: String,
    pub(crate) function: String,
    pub(crate) lines: Vec<u32>,
}

pub(crate) struct Interpreter {
    path: PathBuf,
    pub(crate) version: String,
}

/// What is run.
pub(crate) enum Program<'a> {
    /// A program of `fixtures/lines` in this Python.
    Python(&'a Interpreter, &'a str),
    /// One that was built.
    Built(&'a Path),
    /// A program of `fixtures/lines` in a Node.js with these options.
    Node(&'a [&'a str], &'a str),
}

/// What is used of the report.
#[derive(Deserialize)]
pub(crate) struct Report {
    pub(crate) profile: Profile,
}

#[derive(Deserialize)]
pub(crate) struct Profile {
    pub(crate) sites: Vec<Site>,
    pub(crate) items: Option<Items>,
    wall: Book,
    threads_total: Book,
    call_stacks: Stacks,
    pub(crate) quality: Quality,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Items {
    pub(crate) count: u64,
    pub(crate) requests: Option<Requests>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Requests {
    pub(crate) counted_from: String,
    pub(crate) connections: Option<u64>,
}

/// What of a book is used.
#[derive(Deserialize)]
struct Book {
    runnable: Option<f64>,
}

impl Profile {
    /// Seconds that it was ready to run and had no CPU. What the host takes away is in the wall book alone.
    pub(crate) fn queued(&self) -> f64 {
        self.wall.runnable.unwrap_or(0.0).max(self.threads_total.runnable.unwrap_or(0.0))
    }
}

#[derive(Deserialize)]
pub(crate) struct Quality {
    pub(crate) sources_used: Vec<String>,
    pub(crate) sources_refused: Vec<Refused>,
}

#[derive(Deserialize)]
pub(crate) struct Refused {
    pub(crate) source: String,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
pub(crate) struct Site {
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) kind: String,
    pub(crate) episodes: f64,
    pub(crate) wait_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) blocks_event_loop: bool,
}

#[derive(Deserialize)]
struct Stacks {
    read: u64,
    torn: u64,
}

/// `python3` of the path, then those of a pyenv.
pub(crate) fn interpreters() -> Vec<Interpreter> {
    let pyenv = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv/versions"));
    let listed = pyenv.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.path().join("bin/python3")).collect();
    paths.sort();
    paths.insert(0, PathBuf::from("python3"));
    let mut found: Vec<Interpreter> = paths.into_iter().filter_map(interpreter).collect();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|interpreter| seen.insert(interpreter.version.clone()));
    found
}

fn interpreter(path: PathBuf) -> Option<Interpreter> {
    let asked = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)";
    let output = Command::new(path).args(["-c", asked]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (version, executable) = text.trim().split_once('\n')?;
    // Earlier ones lack the clocks that the programs read themselves with.
    let minor: u32 = version.strip_prefix("3.")?.split('.').next()?.parse().ok()?;
    (output.status.success() && minor >= 7)
        .then(|| Interpreter { path: executable.into(), version: version.to_owned() })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lines")
}

/// Runs a program under boundby and says what both say.
pub(crate) fn measured(
    interpreter: &Interpreter,
    program: &str,
    environment: &[(&str, &str)],
) -> (Truth, Run) {
    let scratch = TempDir::new().unwrap();
    let (text, report) = profiled(&scratch, &Program::Python(interpreter, program), environment);
    let mut truth = Truth::new();
    for line in text.lines() {
        let (file, number, wait, cpu): (String, u32, f64, f64) = serde_json::from_str(line).unwrap();
        let sums = truth.entry(Line { file, number }).or_default();
        *sums = (sums.0 + wait, sums.1 + cpu);
    }
    assert!(!truth.is_empty(), "{program} said nothing of itself");
    (truth, run(report))
}

/// Runs the program with this hidden culprit.
pub(crate) fn seeded(interpreter: &Interpreter, server: &Server, seed: u32) -> (Culprit, Run) {
    let scratch = TempDir::new().unwrap();
    let socket = server.folder.path().join("socket");
    let environment =
        [("SEED", seed.to_string()), ("PORT", server.port.clone()), ("SOCKET", socket.display().to_string())];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (text, report) = profiled(&scratch, &Program::Python(interpreter, "seeded.py"), &environment);
    (serde_json::from_str(&text).unwrap(), run(report))
}

/// How often a Python program is run within one profile: whoever looks longer errs less. Once where nothing is said.
fn times() -> Option<String> {
    std::env::var("BOUNDBY_LINES_TIMES").ok()
}

/// Runs a program under boundby: what it says of itself, and the report.
pub(crate) fn profiled(
    scratch: &TempDir,
    program: &Program<'_>,
    environment: &[(&str, &str)],
) -> (String, Report) {
    let (truth, report) = (scratch.path().join("truth"), scratch.path().join("report.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command.args(["profile", "--no-probe", "-o"]).arg(&report).arg("--");
    let name = match program {
        Program::Python(interpreter, name) => {
            if let Some(times) = times() {
                command.args(["sh", "-c", "for run in $(seq \"$0\"); do \"$@\" || exit; done", &times]);
            }
            command.arg(&interpreter.path).arg(name);
            format!("{name} under {}", interpreter.version)
        }
        Program::Built(path) => {
            command.arg(path);
            path.display().to_string()
        }
        Program::Node(options, name) => {
            command.arg("node").args(*options).arg(name);
            format!("{name} under Node.js")
        }
    };
    let status = command
        .envs(environment.iter().copied())
        .env("TRUTH", &truth)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{name}: {status}");
    let report = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    (std::fs::read_to_string(truth).unwrap(), report)
}

fn run(report: Report) -> Run {
    let mut lines = Truth::new();
    let mut order = Vec::new();
    let queued = report.profile.queued();
    for site in report.profile.sites {
        let (Some(file), Some(number)) = (site.file, site.line) else { continue };
        let file = Path::new(&file).file_name().unwrap().to_string_lossy().into_owned();
        let line = Line { file, number };
        let sums = lines.entry(line.clone()).or_default();
        if site.kind == "cpu" {
            sums.1 += site.cpu_s;
        } else {
            sums.0 += site.wait_s;
        }
        order.push(line);
    }
    Run { lines, order, queued, read: report.profile.call_stacks.read, torn: report.profile.call_stacks.torn }
}

/// The other side of the seeded programs.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    port: String,
}

impl Server {
    pub(crate) fn start(interpreter: &Interpreter) -> Self {
        let folder = TempDir::new().unwrap();
        let mut process = Command::new(&interpreter.path)
            .arg(self::folder().join("servers.py"))
            .arg(folder.path().join("socket"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, folder, port: port.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
