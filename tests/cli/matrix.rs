//! Who measures, and what the system shows, in every combination: the best level there is chosen, what is missing is said,
//! nothing crashes, and the verdict of two small programs stays.
//!
//! `tests/cli/matrix.md` is the table of what was found. This writes it, as root on a machine where nothing else depends on
//! `kernel.perf_event_paranoid`, which is put back in the end:
//!
//! ```text
//! BOUNDBY_MATRIX=full BLESS=1 cargo test --test cli matrix -- --nocapture
//! ```
//!
//! Without `BOUNDBY_MATRIX=full` the setting is left alone and the surroundings that matter least are not all crossed.

use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::kernel::{Cover, Surroundings, is_root, may_mount, surrounded};
use crate::session::{Ran, run, saved};

/// A plain user.
const PLAIN: u32 = 65534;
/// The setting for whom `perf_event_open` is open.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// What `/proc` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proc {
    Everything,
    /// Only one's own processes (`hidepid=2`).
    OwnOnly,
    /// It is not there.
    Nothing,
}

/// What stands under `/sys/fs/cgroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cgroups {
    AsHere,
    /// The unified hierarchy.
    Second,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    is_root: bool,
    /// `None`: as it is.
    paranoid: Option<i32>,
    is_filtered: bool,
    proc: Proc,
    has_tracing: bool,
    cgroups: Cgroups,
}

/// What must come of a cell.
struct Expected {
    /// The levels of which one is chosen: which of several depends on the kernel's make.
    levels: &'static [&'static str],
    /// Whether running native code is looked at; `None`: this depends on the kernel's make, and either is said.
    clock: Option<bool>,
    /// The verdicts on a program that computes and on one that sleeps; `None`: it must not be one of a certain cause.
    verdicts: [Option<&'static str>; 2],
}

/// The one place that knows which level is right where.
fn expected(cell: &Cell, now: i32) -> Expected {
    let paranoid = cell.paranoid.unwrap_or(now);
    match cell.proc {
        // Switches are told all the same, but not why; else what the kernel says of children that have ended is all there is.
        Proc::Nothing => {
            let levels: &[_] = match (cell.is_filtered, cell.is_root, paranoid) {
                (true, ..) => &["r"],
                (false, true, _) | (false, false, ..=2) => &["s"],
                (false, false, _) => &["s", "r"],
            };
            Expected { levels, clock: Some(false), verdicts: [Some("cpu"), None] }
        }
        // One's own processes are never hidden.
        Proc::Everything | Proc::OwnOnly => {
            let (levels, clock): (&[_], _) = match (cell.is_filtered, cell.is_root, paranoid) {
                (true, ..) => (&["p"], Some(false)),
                (false, true, _) | (false, false, ..=1) if shows_the_kernel_to(cell) => (&["k"], Some(true)),
                // From 2 on nobody may see the kernel's side of a switch but root.
                (false, true, _) | (false, false, ..=2) => (&["s"], Some(true)),
                // Debian and Android refuse everything from 3 on, the kernel as it is published does not know of it.
                (false, false, _) => (&["s", "p"], None),
            };
            Expected { levels, clock, verdicts: [Some("cpu"), Some("sleep")] }
        }
    }
}

/// Whether somebody is told where the functions of the kernel are.
fn shows_the_kernel_to(cell: &Cell) -> bool {
    let restricted = fs::read_to_string("/proc/sys/kernel/kptr_restrict").unwrap_or_default();
    let most = u8::from(cell.is_root);
    restricted.trim().parse::<u8>().is_ok_and(|restricted| restricted <= most)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.is_root { "root" } else { "plain" };
        let paranoid = self.paranoid.map_or_else(|| "as is".to_owned(), |paranoid| paranoid.to_string());
        let perf = if self.is_filtered { "denied" } else { "open" };
        let proc = match self.proc {
            Proc::Everything => "shown",
            Proc::OwnOnly => "hidepid=2",
            Proc::Nothing => "none",
        };
        let tracing = if self.has_tracing { "as is" } else { "none" };
        let cgroups = match self.cgroups {
            Cgroups::AsHere => "as is",
            Cgroups::Second => "v2",
            Cgroups::Nothing => "none",
        };
        write!(f, "{user} | {paranoid} | {perf} | {proc} | {tracing} | {cgroups}")
    }
}

/// Every cell; without `full`, those that leave the machine alone.
fn cells(full: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    let paranoids: Vec<Option<i32>> = if full { (-1..=4).map(Some).collect() } else { vec![None] };
    for is_root in [true, false] {
        for paranoid in &paranoids {
            for is_filtered in [false, true] {
                for proc in [Proc::Everything, Proc::OwnOnly, Proc::Nothing] {
                    let plain = Cell {
                        is_root,
                        paranoid: *paranoid,
                        is_filtered,
                        proc,
                        has_tracing: true,
                        cgroups: Cgroups::AsHere,
                    };
                    cells.push(plain);
                    // These two have no say in the levels; they are crossed at one setting.
                    let is_crossed =
                        if full { *paranoid == Some(2) } else { !is_filtered && proc == Proc::Everything };
                    if is_crossed {
                        for (has_tracing, cgroups) in [
                            (false, Cgroups::AsHere),
                            (true, Cgroups::Second),
                            (false, Cgroups::Second),
                            (true, Cgroups::Nothing),
                            (false, Cgroups::Nothing),
                        ] {
                            cells.push(Cell { has_tracing, cgroups, ..plain });
                        }
                    }
                }
            }
        }
    }
    cells
}

/// A folder that a plain user may use, with a boundby and something to compute on.
struct Stage {
    folder: TempDir,
    boundby: PathBuf,
    data: PathBuf,
}

impl Stage {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(PLAIN), Some(PLAIN)).unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let boundby = folder.path().join("boundby");
        fs::copy(env!("CARGO_BIN_EXE_boundby"), &boundby).unwrap();
        let data = folder.path().join("data");
        // Empty as it is, it takes half a second to sum up.
        fs::File::create(&data).unwrap().set_len(300 << 20).unwrap();
        Self { folder, boundby, data }
    }

    /// A program as it is measured in a cell, and its profile.
    fn measure(&self, cell: &Cell, program: &[&str]) -> (Ran, Value) {
        let place = self.folder.path().join("profile.json");
        let _ = fs::remove_file(&place);
        let mut command = Command::new(&self.boundby);
        command
            .args(["profile", "--no-probe", "--level", "auto", "-o", place.to_str().unwrap(), "--"])
            .args(program);
        command.env("NO_COLOR", "1").current_dir(self.folder.path());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut covers = Vec::new();
        match cell.proc {
            Proc::Everything => {}
            Proc::OwnOnly => covers.push(Cover { place: c"/proc", kind: c"proc", options: c"hidepid=2" }),
            Proc::Nothing => covers.push(Cover { place: c"/proc", kind: c"tmpfs", options: c"" }),
        }
        if !cell.has_tracing {
            for (place, folder) in
                [(c"/sys/kernel/tracing", "/sys/kernel/tracing"), (c"/sys/kernel/debug", "/sys/kernel/debug")]
            {
                if Path::new(folder).is_dir() {
                    covers.push(Cover { place, kind: c"tmpfs", options: c"" });
                }
            }
        }
        match cell.cgroups {
            Cgroups::AsHere => {}
            Cgroups::Second => {
                covers.push(Cover { place: c"/sys/fs/cgroup", kind: c"cgroup2", options: c"" });
            }
            Cgroups::Nothing => covers.push(Cover { place: c"/sys/fs/cgroup", kind: c"tmpfs", options: c"" }),
        }
        let user = (!cell.is_root).then_some(PLAIN);
        let surroundings = Surroundings { covers, user, without_perf: cell.is_filtered };
        let ran = run(surrounded(&mut command, surroundings));
        let profile = if place.exists() { saved(&place) } else { Value::Null };
        (ran, profile)
    }
}

/// The level a profile was taken at.
fn level(profile: &Value) -> String {
    profile["profile"]["level"].as_str().unwrap_or("none").to_owned()
}

fn refusal(profile: &Value, source: &str) -> Option<String> {
    let refused = profile["profile"]["quality"]["sources_refused"].as_array()?;
    let found = refused.iter().find(|refused| refused["source"] == source)?;
    Some(format!("{}; {}", found["reason"].as_str()?, found["costs"].as_str()?))
}

fn uses(profile: &Value, source: &str) -> bool {
    profile["profile"]["quality"]["sources_used"]
        .as_array()
        .is_some_and(|used| used.iter().any(|one| one == source))
}

/// What is wrong with a cell, and its row of the table.
fn judge(stage: &Stage, cell: &Cell, now: i32) -> (Vec<String>, String) {
    let programs: [&[&str]; 2] = [&["md5sum", stage.data.to_str().unwrap()], &["sleep", "0.4"]];
    let expected = expected(cell, now);
    let (mut wrong, mut row) = (Vec::new(), format!("| {cell} |"));
    for (program, verdict) in programs.into_iter().zip(expected.verdicts) {
        let (ran, profile) = stage.measure(cell, program);
        let mut check = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!("{cell}: {}: {what}\n{}", program[0], ran.err()));
            }
        };
        check(ran.code == 0 && !ran.err().contains("panicked"), format!("ended with {}", ran.code));
        let level = level(&profile);
        let is_right = expected.levels.contains(&level.as_str());
        check(is_right, format!("level {level} instead of {}", expected.levels.join(" or ")));
        if cell.proc == Proc::Nothing {
            let said = refusal(&profile, "procfs").unwrap_or_default();
            check(said.contains("boundby doctor"), format!("what is missing is not said: {said}"));
        }
        let found = profile["verdict"]["bound_by"].as_str().unwrap_or("nothing").to_owned();
        let confidence = profile["verdict"]["confidence"].as_str().unwrap_or_default().to_owned();
        match verdict {
            // Whoever computes beside others may lack a CPU for as long.
            Some("cpu") if found == "contended" => {
                let [wall, runnable] = ["/profile/wall_s", "/profile/wall/runnable"]
                    .map(|path| profile.pointer(path).and_then(Value::as_f64).unwrap_or(0.0));
                check(
                    runnable > 0.3 * wall,
                    format!("contended, but runnable for {runnable} of {wall} s only"),
                );
            }
            // What the kernel says of a child that has ended tells nothing of the run queue.
            Some("cpu") if found == "mixed" && cell.proc == Proc::Nothing => {
                let [wall, user, system] = ["wall_s", "cpu_user_s", "cpu_system_s"]
                    .map(|name| profile["profile"][name].as_f64().unwrap_or(0.0));
                check(user + system < 0.8 * wall, format!("mixed, but computing for {user} s of {wall} s"));
            }
            Some(verdict) => check(found == verdict, format!("bound by {found} instead of {verdict}")),
            None => check(confidence == "low", format!("bound by {found}, with {confidence} confidence")),
        }
        if program[0] == "md5sum" {
            let (used, refused) = (uses(&profile, "perf-cpu-clock"), refusal(&profile, "perf-cpu-clock"));
            // Others of the same user may have locked the memory that there is.
            let is_short = refused.as_ref().is_some_and(|why| why.contains("ulimit -l"));
            let is_right = expected.clock.is_none_or(|clock| clock == used || is_short);
            check(is_right, format!("perf-cpu-clock used: {used}, refused: {refused:?}"));
            let is_said = used || refused.is_some() || cell.proc == Proc::Nothing;
            check(is_said, "perf-cpu-clock is neither used nor said to be missing".to_owned());
            let _ = write!(row, " {level} | {} |", if used { "used" } else { "not used, said" });
        }
        let _ = write!(row, " {found}, {confidence} |");
    }
    (wrong, row)
}

/// Puts the setting back, whatever happens.
struct Restored(String);

impl Drop for Restored {
    fn drop(&mut self) {
        if let Err(error) = fs::write(PARANOID, &self.0) {
            eprintln!("{PARANOID} could not be put back to {}: {error}", self.0.trim());
        }
    }
}

#[test]
fn matrix_of_privileges_and_surroundings() {
    if !is_root() || !may_mount() {
        return eprintln!("skipped: only root can take a plain user's place, and cover /proc and /sys");
    }
    let before = fs::read_to_string(PARANOID).unwrap_or_default();
    let Ok(now) = before.trim().parse() else { return eprintln!("skipped: this kernel has no {PARANOID}") };
    let mut full = std::env::var("BOUNDBY_MATRIX").is_ok_and(|value| value == "full");
    let _restored = Restored(before.clone());
    if full && let Err(error) = fs::write(PARANOID, &before) {
        eprintln!("left out: {PARANOID} cannot be set here: {error}");
        full = false;
    }
    let stage = Stage::build();
    let (mut wrong, mut rows) = (Vec::new(), Vec::new());
    for cell in cells(full) {
        if let Some(paranoid) = cell.paranoid {
            fs::write(PARANOID, paranoid.to_string()).unwrap();
        }
        let (of_cell, row) = judge(&stage, &cell, now);
        eprintln!("{row}");
        wrong.extend(of_cell);
        rows.push(row);
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    if full && std::env::var_os("BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/matrix.md");
        fs::write(path, table(&rows)).unwrap();
    }
}

fn table(rows: &[String]) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let here = if unified { "v2" } else { "v1" };
    format!(
        "# Privileges and surroundings\n\n\
         What `boundby profile` makes of a program that computes (`md5sum`) and one that sleeps, in every combination of who\n\
         measures and what the system shows. Linux {}, control groups {here} (`as is`), load average {} on {cpus} CPUs in the\n\
         end. Made by\n\n\
         ```\n\
         BOUNDBY_MATRIX=full BLESS=1 cargo test --test cli matrix -- --nocapture\n\
         ```\n\n\
         Levels, of which `--level auto` takes the best: k has the kernel tell of every switch and why, s of every switch, p is `/proc` with the scheduler's counters, r what the kernel says of children that have ended. `CPU clock`:\n\
         running native code is looked at through `perf_event_open`. Beside other programs the verdict on `md5sum` may be\n\
         `contended`, and at level r, which knows nothing of the run queue, `mixed`.\n\n\
         | user | perf_event_paranoid | perf_event_open | /proc | tracefs | cgroups | level | CPU clock | md5sum | sleep |\n\
         |---|---|---|---|---|---|---|---|---|---|\n{}\n",
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
        rows.join("\n")
    )
}
