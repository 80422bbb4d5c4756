//! How long `boundby scan` takes, beside ruff's rules for async code on the same files: ruff looks at one file at a time,
//! boundby at the whole program. Knows both command lines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Depth;
use crate::pairs::{Estimate, bare_first};
use crate::run::{cpu_of_children, status_of};
use crate::table::{Table, Unit};

/// What names a directory to scan instead of those that are there anyway.
const TREE: &str = "--tree=";
/// So many times ruff's wall time.
const TIMES: f64 = 2.5;
/// Mebibytes at the peak.
const MEMORY: f64 = 600.0;
/// Milliseconds for a tree that an earlier scan has seen as it is.
const WARM: f64 = 400.0;

/// Each tree: time, time beside ruff, time with a cache, memory.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    for tree in trees() {
        let what =
            tree.file_name().map_or_else(|| tree.display().to_string(), |name| name.display().to_string());
        if ran(ruff(&tree)).is_ok() {
            compare(depth, table, &what, &tree)?;
        } else {
            let runs: io::Result<Vec<Ran>> = (0..depth.of(21, 3)).map(|_| ran(boundby(&tree))).collect();
            lines(table, &format!("scan of {what}"), &runs?)?;
            table.skip(&format!("scan of {what}, beside ruff"), "there is no ruff on the PATH")?;
        }
        warm(depth, table, &what, &tree)?;
        let mebibytes = peak(boundby(&tree))? as f64 / f64::from(1 << 20);
        table.once(&format!("scan of {what}, memory"), mebibytes, Unit::Mebibytes, Some(MEMORY))?;
    }
    Ok(())
}

/// A tree that an earlier scan has seen as it is, and one of which all files are known and the whole is not: what a scan
/// after an edit takes, but for the edited files.
fn warm(depth: Depth, table: &mut Table, what: &str, tree: &Path) -> io::Result<()> {
    let cache = tempfile::tempdir()?;
    let cached = || {
        let mut command = boundby(tree);
        command.arg("--cache-dir").arg(cache.path());
        ran(command).map(|ran| ran.wall.as_secs_f64() * 1000.0)
    };
    cached()?;
    let known: io::Result<Vec<f64>> = (0..depth.of(21, 3)).map(|_| cached()).collect();
    line(table, &format!("scan of {what}, unchanged, wall"), known?, (Unit::Milliseconds, Some(WARM)))?;
    let edited = (0..depth.of(11, 3)).map(|_| {
        for entry in fs::read_dir(cache.path())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("scan-") {
                fs::remove_file(entry.path())?;
            }
        }
        cached()
    });
    let edited: io::Result<Vec<f64>> = edited.collect();
    line(table, &format!("scan of {what}, all files known, wall"), edited?, (Unit::Milliseconds, None))
}

/// The trees that were named; else CPython's library, where there is one, and boundby itself.
fn trees() -> Vec<PathBuf> {
    let named: Vec<PathBuf> =
        std::env::args().filter_map(|given| given.strip_prefix(TREE).map(PathBuf::from)).collect();
    if !named.is_empty() {
        return named;
    }
    let code = "import os; print(os.path.dirname(os.__file__))";
    let library = Command::new("python3").args(["-c", code]).output().ok();
    let library = library.and_then(|said| String::from_utf8(said.stdout).ok());
    let library = library.map(|path| PathBuf::from(path.trim())).filter(|path| path.is_dir());
    library.into_iter().chain([Path::new(env!("CARGO_MANIFEST_DIR")).join("src")]).collect()
}

fn boundby(tree: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command.args(["scan", "--quiet", "--exit-zero", "--format", "json"]).arg(tree);
    command
}

fn ruff(tree: &Path) -> Command {
    let mut command = Command::new("ruff");
    command.args(["check", "--isolated", "--no-cache", "--quiet", "--exit-zero"]);
    command.args(["--select", "ASYNC,RUF006"]).arg(tree);
    command
}

/// One run.
#[derive(Debug, Clone, Copy)]
struct Ran {
    wall: Duration,
    cpu: Duration,
}

/// A way to take the time of a run, and how many times ruff's may pass.
struct Clock {
    name: &'static str,
    time: fn(&Ran) -> Duration,
    bar: Option<f64>,
}

const CLOCKS: [Clock; 2] = [
    Clock { name: "wall", time: |ran| ran.wall, bar: Some(TIMES) },
    Clock { name: "CPU", time: |ran| ran.cpu, bar: None },
];

fn compare(depth: Depth, table: &mut Table, what: &str, tree: &Path) -> io::Result<()> {
    let mut pairs: Vec<(Ran, Ran)> = Vec::new();
    for pair in 0..depth.of(21, 3) {
        pairs.push(if bare_first(pair) {
            let theirs = ran(ruff(tree))?;
            (theirs, ran(boundby(tree))?)
        } else {
            let ours = ran(boundby(tree))?;
            (ran(ruff(tree))?, ours)
        });
    }
    let (theirs, ours): (Vec<Ran>, Vec<Ran>) = pairs.iter().copied().unzip();
    lines(table, &format!("scan of {what}"), &ours)?;
    lines(table, &format!("ruff on {what}"), &theirs)?;
    for Clock { name, time, bar } in CLOCKS {
        let ratio = |(theirs, ours): &(Ran, Ran)| time(ours).as_secs_f64() / time(theirs).as_secs_f64();
        let what = format!("scan of {what}, times ruff's {name}");
        line(table, &what, pairs.iter().map(ratio).collect(), (Unit::Times, bar))?;
    }
    Ok(())
}

fn lines(table: &mut Table, what: &str, runs: &[Ran]) -> io::Result<()> {
    for Clock { name, time, .. } in CLOCKS {
        let values = runs.iter().map(|ran| time(ran).as_secs_f64() * 1000.0).collect();
        line(table, &format!("{what}, {name}"), values, (Unit::Milliseconds, None))?;
    }
    Ok(())
}

fn line(table: &mut Table, what: &str, values: Vec<f64>, judged: (Unit, Option<f64>)) -> io::Result<()> {
    Estimate::of(values).map_or(Ok(()), |figure| table.line(what, figure, None, judged))
}

fn ran(mut command: Command) -> io::Result<Ran> {
    let (begun, before) = (Instant::now(), cpu_of_children());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let ran = Ran { wall: begun.elapsed(), cpu: cpu_of_children().saturating_sub(before) };
    if status.success() { Ok(ran) } else { Err(io::Error::other(format!("{command:?} ended with {status}"))) }
}

/// Largest resident set, as long as anybody could look.
fn peak(mut command: Command) -> io::Result<u64> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(resident(&child));
        thread::sleep(Duration::from_millis(1));
    }
    Ok(peak)
}

/// Nothing once it has ended.
fn resident(child: &Child) -> u64 {
    status_of(&format!("/proc/{}", child.id()), "VmHWM:").unwrap_or(0)
}
