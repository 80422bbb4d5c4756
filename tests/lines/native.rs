//! Native programs that time their own lines (`timed.rs`, `timed.c`, `timed.go`), built as they are released but with lines
//! and without frame pointers.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Score;
use crate::programs::{Program, Report, Site, profiled};

/// Source, compiler, the variable that names another one, and its flags.
pub(crate) const BUILDS: [(&str, &str, &str, &[&str]); 3] = [
    (
        "timed.rs",
        "rustc",
        "RUSTC",
        &["--edition", "2024", "-O", "-Cdebuginfo=line-tables-only", "-Cforce-frame-pointers=no"],
    ),
    ("timed.c", "cc", "CC", &["-O2", "-g", "-pthread", "-fomit-frame-pointer"]),
    ("timed.go", "go", "GO", &["build"]),
];

/// What lines did by their own clocks: the first, the last, seconds of waiting and of computing.
type Told = (u32, u32, f64, f64);

/// How Node.js tells where its functions are.
const TELLING: &[&str] = &["--perf-basic-prof", "--interpreted-frames-native-stack"];

/// Runs the program for Node.js; `None`: there is none.
pub(crate) fn node() -> Option<Score> {
    Command::new("node").arg("--version").output().ok()?;
    let scratch = TempDir::new().unwrap();
    let (truth, report) = profiled(&scratch, &Program::Node(TELLING, "timed.js"), &[]);
    Some(compared("timed.js", &truth, &report))
}

/// What is said where Node.js does not tell; `None`: there is no Node.js.
pub(crate) fn untold() -> Option<Vec<String>> {
    Command::new("node").arg("--version").output().ok()?;
    let scratch = TempDir::new().unwrap();
    let (_, report) = profiled(&scratch, &Program::Node(&[], "timed.js"), &[]);
    assert!(report.profile.sites.iter().all(|site| site.line.is_none()));
    let refused = report.profile.quality.sources_refused.into_iter();
    Some(refused.filter(|refused| refused.source == "stacks").map(|refused| refused.reason).collect())
}

/// Builds and runs a program under boundby; `None`: there is no compiler.
pub(crate) fn score((source, compiler, variable, flags): (&str, &str, &str, &[&str])) -> Option<Score> {
    let scratch = TempDir::new().unwrap();
    let program = build(&scratch, source, &std::env::var(variable).unwrap_or(compiler.to_owned()), flags)?;
    let (truth, report) = profiled(&scratch, &Program::Built(&program), &[]);
    Some(compared(source, &truth, &report))
}

/// What lines of this source did, by what they say and by what boundby says.
fn compared(source: &str, truth: &str, report: &Report) -> Score {
    let mut lines: Vec<Told> = Vec::new();
    for told in truth.lines() {
        let (first, last, wait, cpu): Told = serde_json::from_str(told).unwrap();
        match lines.iter_mut().find(|line| (line.0, line.1) == (first, last)) {
            Some(line) => (line.2, line.3) = (line.2 + wait, line.3 + cpu),
            None => lines.push((first, last, wait, cpu)),
        }
    }
    assert!(!lines.is_empty(), "{source} said nothing of itself");
    let mut score = Score::default();
    for (first, last, wait, cpu) in lines {
        let is_here = |site: &&Site| {
            let file = site.file.as_deref().and_then(|file| Path::new(file).file_name());
            file == Some(source.as_ref()) && site.line.is_some_and(|line| (first..=last).contains(&line))
        };
        let here = || report.profile.sites.iter().filter(is_here);
        let found_wait: f64 = here().filter(|site| site.kind != "cpu").map(|site| site.wait_s).sum();
        let found_cpu: f64 = here().filter(|site| site.kind == "cpu").map(|site| site.cpu_s).sum();
        score.add_line((wait, cpu), (found_wait, found_cpu));
    }
    let nowhere = report.profile.sites.iter().filter(|site| site.line.is_none());
    score.queued = report.profile.queued();
    score.nowhere = nowhere.map(|site| if site.kind == "cpu" { site.cpu_s } else { site.wait_s }).sum();
    score.is_computing_seen =
        report.profile.quality.sources_used.iter().any(|source| source == "perf-cpu-clock");
    score
}

fn build(scratch: &TempDir, source: &str, compiler: &str, flags: &[&str]) -> Option<PathBuf> {
    let program = scratch.path().join("timed");
    let output = Command::new(compiler)
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(source)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lines"))
        .output()
        .ok()?;
    assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}
