//! What starting and feeding workers costs here, measured.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// What is run for the workers of Python.
const COSTS: &str = include_str!("costs.py");
/// Threads that are started at once, and how often.
const THREADS: usize = 64;
const ROUNDS: usize = 9;

/// Coefficients of workers without an interpreter.
pub(super) fn native() -> BTreeMap<String, f64> {
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| start_threads()).collect();
    rounds.sort_unstable();
    let each = rounds[ROUNDS / 2].as_secs_f64() / THREADS as f64;
    BTreeMap::from([("native_thread_start".to_owned(), each)])
}

/// Starts threads that are all there at once, and joins them.
fn start_threads() -> Duration {
    let all_there = Barrier::new(THREADS);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| all_there.wait());
        }
    });
    began.elapsed()
}

/// Coefficients of workers of this Python, and its version; the error says what it said.
pub(super) fn python(program: &Path) -> Result<(String, BTreeMap<String, f64>), String> {
    let version = run(program, "import platform\nprint(platform.python_version())\n")?;
    let costs = run(program, COSTS)?;
    let costs = serde_json::from_str(&costs).map_err(|error| format!("{}: {error}", program.display()))?;
    Ok((version.trim().to_owned(), costs))
}

/// Runs code from a file: workers that do not start by fork read it again.
fn run(program: &Path, code: &str) -> Result<String, String> {
    let failed = |what: String| format!("{}: {what}", program.display());
    let file = tempfile_of(code).map_err(|error| failed(error.to_string()))?;
    let output = Command::new(program)
        .arg(&file.0)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(said.lines().next_back().unwrap_or("failed").to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A file that is gone when nobody needs it any more.
struct Temporary(std::path::PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tempfile_of(code: &str) -> std::io::Result<Temporary> {
    let path = std::env::temp_dir().join(format!("boundby-calibrate-{}.py", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    let kept = Temporary(path);
    file.write_all(code.as_bytes())?;
    Ok(kept)
}
