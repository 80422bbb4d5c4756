//! Runs a program under boundby at one level: what both say, and the kernel.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::{Map, Value};

use crate::neighbours::cores;
use crate::programs::{Program, Sums, Truth};
use crate::waited::wait;

/// The status of a program that cannot do here what it is for.
const CANNOT: i32 = 77;
/// The status of boundby where it measured nothing.
const REFUSED: i32 = 125;

/// Seconds in which `/proc/stat` counts, on every Linux.
const TICK: f64 = 0.01;

/// A run. Times in seconds.
pub(crate) struct Measured {
    pub(crate) wall: f64,
    pub(crate) wall_book: f64,
    /// The thread book.
    pub(crate) cpu: f64,
    pub(crate) runnable: f64,
    pub(crate) blocked: f64,
    /// No line of it, nor of the wall book, is negative.
    pub(crate) is_positive: bool,
    pub(crate) level: String,
    pub(crate) processes: u64,
    pub(crate) threads: u64,
    pub(crate) remarks: Vec<String>,
    /// What the kernel says all processes used that boundby waited for.
    pub(crate) used: f64,
    /// What the program says: processes, and their threads' sums; of those who do not tell, their number.
    pub(crate) told: (u64, Option<Sums>),
    /// The host may have taken the machine's CPUs away for so long meanwhile, at most.
    pub(crate) stolen: f64,
    /// Until everybody who wants a CPU has had a turn: after it told, a process may have to wait for so long to end.
    pub(crate) turn: f64,
}

/// Runs a program in this folder; `Err`: why it cannot be measured so here.
pub(crate) fn run(program: &Program, level: &str, folder: &Path, port: u16) -> Result<Measured, String> {
    let [report, truth, said] = ["report.json", "truth", "stderr"].map(|name| folder.join(name));
    let _ = fs::remove_file(&truth);
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    // The probe would start threads of boundby's own.
    command
        .args(["profile", "--no-probe", "--level", level, "-o"])
        .arg(&report)
        .arg("--")
        .args(&program.command);
    command.env("TRUTH", &truth).env("PORT", port.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap());
    let (stolen_before, turn_before) = (stolen(), turn());
    #[expect(clippy::zombie_processes, reason = "it is waited for below, by its number")]
    let child = command.spawn().unwrap();
    let (status, used) = wait(Pid::from_child(&child));
    let stolen = stolen().map_or(0.0, |stolen| stolen - stolen_before.unwrap_or(0.0) + TICK);
    let said = fs::read_to_string(said).unwrap();
    match status {
        0 => {}
        CANNOT => return Err(said.lines().next().unwrap_or_default().to_owned()),
        REFUSED if said.contains("--level auto") => return Err(said),
        _ => panic!("{} at level {level} ended with {status}: {said}", program.name),
    }
    let told = match program.truth {
        Truth::Processes(processes) => (processes, None),
        Truth::Told => {
            let (processes, sums) = Sums::read(&fs::read_to_string(&truth).unwrap());
            (processes, Some(sums))
        }
    };
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let profile = &report["profile"];
    let (threads, wall) = (book(&profile["threads_total"]), book(&profile["wall"]));
    // An account that cannot be told from the others is null.
    let accounts = |of: &[&str], are_meant: bool| {
        let meant = threads.iter().filter(|(name, _)| of.contains(&name.as_str()) == are_meant);
        meant.filter_map(|(_, time)| time.as_f64()).sum()
    };
    Ok(Measured {
        wall: profile["wall_s"].as_f64().unwrap(),
        wall_book: wall.values().filter_map(Value::as_f64).sum(),
        cpu: accounts(&["cpu"], true),
        runnable: accounts(&["runnable", "throttled"], true),
        blocked: accounts(&["cpu", "runnable", "throttled"], false),
        is_positive: threads.values().chain(wall.values()).filter_map(Value::as_f64).all(|time| time >= 0.0),
        level: profile["level"].as_str().unwrap().to_owned(),
        processes: profile["processes"].as_u64().unwrap(),
        threads: profile["threads"].as_u64().unwrap(),
        remarks: serde_json::from_value(profile["quality"]["remarks"].clone()).unwrap(),
        used,
        told,
        stolen,
        turn: turn_before.max(turn()),
    })
}

fn book(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// Seconds until each thread that wants a CPU now has had one for a tick of the scheduler, four milliseconds at most.
fn turn() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    let running = text.split([' ', '/']).nth(3).and_then(|word| word.parse::<f64>().ok()).unwrap();
    0.004 * (running / cores() as f64).ceil()
}

/// Seconds for which the host took CPUs away since the machine started, in full ticks; `None`: it does not, or nobody says.
fn stolen() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.split_ascii_whitespace().nth(8).and_then(|word| word.parse::<f64>().ok())?;
    (ticks > 0.0).then_some(ticks * TICK)
}
