//! Event loops with one call that blocks them (`blocked.py`, `blocked.rs`): what they say of themselves, and what boundby
//! says of them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::programs::{Interpreter, Program, Site, profiled};

/// Part of the truth by which the length of all stalls may be off, and seconds that are too short to matter.
const TOLERANCE: (f64, f64) = (0.25, 0.03);
/// The same of their number.
const MISCOUNTED: (f64, f64) = (0.25, 2.0);

/// What blocks the loop, as the program says.
#[derive(Debug, Deserialize)]
pub(crate) struct Blocking {
    file: String,
    pub(crate) function: String,
    lines: Vec<u32>,
    /// How often; none where it is a loop of short waits.
    visits: Option<f64>,
    seconds: f64,
    computes: bool,
}

/// What boundby says of it.
#[derive(Debug)]
pub(crate) struct Found {
    /// It is what blocked the loop for longest.
    pub(crate) is_named: bool,
    /// How often and for how long is right as well.
    pub(crate) is_measured: bool,
    /// For people.
    pub(crate) said: String,
}

/// The other end of connections: waits as long as it is asked to, then answers. Returns its port.
pub(crate) fn answering() -> u16 {
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
    let mut question = [0; 9];
    loop {
        connection.read_exact(&mut question).ok()?;
        let seconds: f64 = std::str::from_utf8(&question).ok()?.trim().parse().ok()?;
        thread::sleep(Duration::from_secs_f64(seconds));
        connection.write_all(b"x").ok()?;
    }
}

/// The program for tokio, built with the tokio that these tests were built with; an error says what is missing.
pub(crate) fn build(folder: &TempDir) -> Result<PathBuf, String> {
    let libraries = std::env::current_exe().unwrap();
    let libraries = libraries.parent().unwrap();
    let is_tokio = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libtokio-") && name.ends_with(".rlib")
    };
    let built = std::fs::read_dir(libraries).unwrap().flatten().map(|entry| entry.path()).filter(is_tokio);
    // Earlier builds may have left others.
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let tokio = built.max_by_key(modified).ok_or("no tokio beside the tests")?;
    let program = folder.path().join("blocked");
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()))
        .args(["--edition", "2024", "-O", "-Cdebuginfo=line-tables-only", "-Cforce-frame-pointers=no", "-L"])
        .arg(libraries)
        .arg("--extern")
        .arg(format!("tokio={}", tokio.display()))
        .arg("-o")
        .arg(&program)
        .arg("blocked.rs")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lines"))
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}

/// Runs the program with this seed.
pub(crate) fn blocked(program: &Program<'_>, port: u16, seed: u32) -> (Blocking, Found) {
    let scratch = TempDir::new().unwrap();
    let (seed, port) = (seed.to_string(), port.to_string());
    let (truth, report) = profiled(&scratch, program, &[("SEED", &seed), ("PORT", &port)]);
    let truth: Blocking = serde_json::from_str(&truth).unwrap();
    let found = judge(&truth, &report.profile.sites);
    (truth, found)
}

/// The program for asyncio.
pub(crate) fn asyncio(interpreter: &Interpreter) -> Program<'_> {
    Program::Python(interpreter, "blocked.py")
}

fn judge(truth: &Blocking, sites: &[Site]) -> Found {
    let stall = |site: &Site| if site.kind == "cpu" { site.cpu_s } else { site.wait_s };
    let blocking = || sites.iter().filter(|site| site.blocks_event_loop);
    let is_it = |site: &&Site| {
        let file = site.file.as_deref().and_then(|file| Path::new(file).file_name());
        file == Some(truth.file.as_ref()) && site.line.is_some_and(|line| truth.lines.contains(&line))
    };
    let here: Vec<&Site> = blocking().filter(is_it).collect();
    let seconds: f64 = here.iter().map(|site| stall(site)).sum();
    // A site that only waits for its events blocks nothing.
    let longest_other = blocking().filter(|site| !is_it(site)).map(stall).fold(0.0, f64::max);
    let visits = here.iter().map(|site| site.episodes).fold(0.0, f64::max);
    let near = |found: f64, true_value: f64, (share, least): (f64, f64)| {
        (found - true_value).abs() <= (share * true_value).max(least)
    };
    let is_counted = truth.visits.is_none_or(|visited| near(visits, visited, MISCOUNTED));
    // Between many short waits it computes as well, which no clock of its own tells apart.
    let is_long = truth.visits.is_none() && !truth.computes || near(seconds, truth.seconds, TOLERANCE);
    let is_named = !here.is_empty() && seconds > longest_other;
    let true_visits = truth.visits.map_or_else(String::new, |visits| format!("{visits} × "));
    Found {
        is_named,
        is_measured: is_named && is_counted && is_long,
        said: format!(
            "{}: {true_visits}{:.3} s in truth, {visits} × {seconds:.3} s found, {longest_other:.3} s elsewhere",
            truth.function, truth.seconds
        ),
    }
}
