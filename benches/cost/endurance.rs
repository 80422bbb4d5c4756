//! The fastest switching that all CPUs give, for minutes, under boundby at one level after another: does its memory stay what
//! it is, and its report small; do the books balance; does the report say what was not seen; is the program left as it is?
//! Takes as long as it is told to, and is measured only when it is asked for by its name.
//!
//! ```text
//! cargo bench --bench cost -- endurance --seconds=600 --levels=default,s,k
//! ```

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Depth;
use crate::roles::{STORM_OVER, beats};
use crate::run::{Target, status_of};
use crate::table::{Table, Unit};

/// What says for how long each run is, in seconds.
const SECONDS: &str = "--seconds=";
/// What names the levels, with commas; `default`: none is asked for.
const LEVELS: &str = "--levels=";
/// Looks at the memory in a run.
const LOOKS: u32 = 60;

const MIB: f64 = 1024.0 * 1024.0;
/// Mebibytes a minute by which a run may grow from a sixth of it to its end.
const GROWTH: f64 = 1.0;
/// Mebibytes of a report.
const REPORT: f64 = 4.0;
/// Percent by which a book may be off.
const BALANCE: f64 = 0.5;
/// Percent of the waits that may be missing, or too many, and nothing said of it.
const UNTOLD: f64 = 1.0;

/// A storm at each level.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    let seconds = given(SECONDS).map(|given| given.parse::<u64>()).transpose().map_err(io::Error::other)?;
    let length = Duration::from_secs(seconds.unwrap_or(depth.of(600, 6)));
    let scratch = tempfile::tempdir()?;
    for level in given(LEVELS).unwrap_or_else(|| "default,s,k".to_owned()).split(',') {
        let what = format!("endurance, {} s, level {level}", length.as_secs());
        match weather(level, length, scratch.path()) {
            Ok(storm) => storm.lines(table, &what, length)?,
            Err(why) => table.wrong(&what, &why.to_string())?,
        }
    }
    Ok(())
}

fn given(option: &str) -> Option<String> {
    std::env::args().find_map(|given| given.strip_prefix(option).map(str::to_owned))
}

/// A storm that was measured.
struct Storm {
    /// Resident set of boundby, by the age of the run.
    memory: Vec<(Duration, u64)>,
    said: Said,
    /// Status of the run; `None`: a signal ended it.
    status: Option<i32>,
    /// Bytes.
    size: usize,
    report: Value,
}

/// What the program said, by its own clocks, seconds.
struct Said {
    wall: f64,
    cpu: f64,
    /// How often its threads waited, and left a CPU at all, says the kernel.
    waits: f64,
    switches: f64,
}

/// Runs one under boundby.
fn weather(level: &str, length: Duration, scratch: &Path) -> io::Result<Storm> {
    let (report, stdout) = (scratch.join("report.json"), scratch.join("stdout"));
    let path = report.to_string_lossy().into_owned();
    let mut options = vec!["--no-probe", "-o", &path];
    if level != "default" {
        options.extend(["--level", level]);
    }
    let target = Target::role(&["storm", &length.as_millis().to_string()])?;
    let mut command = target.under_boundby(&options);
    let mut child = command.stdout(File::create(&stdout)?).stderr(Stdio::null()).spawn()?;
    let (begun, proc) = (Instant::now(), format!("/proc/{}", child.id()));
    let mut memory = Vec::new();
    while child.try_wait()?.is_none() {
        let age = begun.elapsed();
        // What boundby needs when the program is over is no growth.
        if age < length
            && let Ok(resident) = status_of(&proc, "VmRSS:")
        {
            memory.push((age, resident));
        }
        thread::sleep((length / LOOKS).max(Duration::from_millis(100)));
    }
    let said = said(&fs::read_to_string(stdout)?, beats(length))?;
    let bytes = fs::read(report)?;
    let status = child.wait()?.code();
    let report = serde_json::from_slice(&bytes)?;
    Ok(Storm { memory, said, status, size: bytes.len(), report })
}

/// Reads what the program said: each line that belongs there, and no other.
fn said(stdout: &str, beats: u32) -> io::Result<Said> {
    let wrong = || io::Error::other(format!("the program's output is not what it wrote: {stdout:.200}"));
    let mut lines = stdout.lines();
    let mut next = |word: &str| -> Option<Vec<f64>> {
        let numbers = lines.next()?.strip_prefix(word)?.split_ascii_whitespace();
        numbers.map(|number| number.parse().ok()).collect()
    };
    next("start ").ok_or_else(wrong)?;
    for beat in 1..=beats {
        next("beat ").filter(|said| *said == [f64::from(beat)]).ok_or_else(wrong)?;
    }
    let [waits, put_off] = next("switches ").and_then(|said| said.try_into().ok()).ok_or_else(wrong)?;
    let [_, wall, cpu] = next("end ").and_then(|said| said.try_into().ok()).ok_or_else(wrong)?;
    if lines.next().is_some() {
        return Err(wrong());
    }
    Ok(Said { wall: wall / 1e9, cpu: cpu / 1e9, waits, switches: waits + put_off })
}

impl Storm {
    fn lines(&self, table: &mut Table, what: &str, length: Duration) -> io::Result<()> {
        let profile = &self.report["profile"];
        if self.status != Some(i32::from(STORM_OVER)) {
            table.wrong(&format!("{what}, status"), &format!("{:?} is not the program's", self.status))?;
        }
        let rate = self.said.switches / self.said.wall;
        table.once(&format!("{what}, switches"), rate, Unit::PerSecond, None)?;

        let peak = self.memory.iter().map(|(_, resident)| *resident).max().unwrap_or(0);
        table.once(&format!("{what}, memory"), peak as f64 / MIB, Unit::Mebibytes, None)?;
        // A short run is still warming up.
        let bar = (length >= Duration::from_mins(1)).then_some(GROWTH);
        table.once(
            &format!("{what}, growth a minute"),
            self.growth(length),
            Unit::MebibytesPerMinute,
            bar,
        )?;
        table.once(&format!("{what}, report"), self.size as f64 / MIB, Unit::Mebibytes, Some(REPORT))?;

        let wall = seconds(&profile["wall_s"]);
        let off = |book: f64, truth: f64| (book / truth - 1.0).abs() * 100.0;
        let bar = (Unit::Percent, Some(BALANCE));
        let wall_book = off(sum(&profile["wall"]), wall);
        table.once(&format!("{what}, wall book off by"), wall_book, bar.0, bar.1)?;
        // All threads there are live as long as the program does.
        let lives = off(sum(&profile["threads_total"]), seconds(&profile["threads"]) * self.said.wall);
        table.once(&format!("{what}, thread book off by"), lives, bar.0, bar.1)?;
        let cpu = off(seconds(&profile["cpu_user_s"]) + seconds(&profile["cpu_system_s"]), self.said.cpu);
        table.once(&format!("{what}, CPU time off by"), cpu, bar.0, bar.1)?;
        self.losses(table, what)
    }

    /// Mebibytes a minute from a sixth of the run to its end.
    fn growth(&self, length: Duration) -> f64 {
        let from = self.memory.iter().find(|(age, _)| *age >= length / 6);
        let (Some((then, before)), Some((now, after))) = (from, self.memory.last()) else { return 0.0 };
        let minutes = now.saturating_sub(*then).as_secs_f64() / 60.0;
        (*after as f64 - *before as f64) / MIB / minutes.max(1e-9)
    }

    /// The program knows how often it waited. Where the report does not, it must say that it does not know.
    fn losses(&self, table: &mut Table, what: &str) -> io::Result<()> {
        let profile = &self.report["profile"];
        let points = profile["blocking_points"].as_array().map_or(&[][..], Vec::as_slice);
        let waits: f64 = points.iter().map(|point| seconds(&point["episodes"])).sum();
        let told = waits / self.said.waits * 100.0;
        table.once(&format!("{what}, waits told"), told, Unit::OfAll, None)?;
        let quality = &profile["quality"];
        let remarks: Vec<&str> =
            quality["remarks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let level = profile["level"].as_str().unwrap_or("none");
        Table::said(&format!("{what}, report says"), &format!("level {level}; {}", remarks.join("; ")))?;
        // An estimate is called one: by the level, by each blocking point, or by a remark.
        let is_counted = |point: &Value| point["counted"] == true;
        let names_losses = |remark: &&str| {
            remark.starts_with("switches are not known") || remark.starts_with("the reasons of")
        };
        let is_said = level == "p" || !points.iter().all(is_counted) || remarks.iter().any(names_losses);
        if (told - 100.0).abs() > UNTOLD && !is_said {
            table.wrong(&format!("{what}, losses"), "not all waits are told, and nothing is said of it")?;
        }
        Ok(())
    }
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// All lines of a book; those that cannot be told from others are null.
fn sum(book: &Value) -> f64 {
    book.as_object().map_or(f64::NAN, |lines| lines.values().filter_map(Value::as_f64).sum())
}
