//! How much longer a Python takes while its call stacks are read, beside what other profilers that read them take.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Depth;
use crate::pairs::Estimate;
use crate::table::{Table, Unit};

/// Percent that a computing Python may take longer with its stacks read.
const BAR: f64 = 2.0;

/// Functions that call one another, and the time they took by their own clock to the file that TOLD names.
const PROGRAM: &str = "import os, time
def leaf(n):
    return n * n % 7
def branch(n):
    return sum([leaf(i) for i in range(n)])
def work(rounds):
    for _ in range(rounds):
        branch(60)
begun = time.monotonic_ns()
work(int(os.environ['ROUNDS']))
with open(os.environ['TOLD'], 'w') as told:
    told.write(str(time.monotonic_ns() - begun))
";

/// A profiler: its name in the table, the program that must be there, and what stands before the measured program.
const PROFILERS: [(&str, &str, &[&str]); 4] = [
    ("boundby", "", &["profile", "--no-probe", "--", "{python}"]),
    ("py-spy record --nonblocking", "py-spy", &["record", "--nonblocking", "-o", "{out}", "--", "{python}"]),
    ("py-spy record", "py-spy", &["record", "-o", "{out}", "--", "{python}"]),
    ("pyinstrument", "pyinstrument", &["-o", "{out}"]),
];

/// One line for each profiler that is installed.
pub(crate) fn measure(depth: Depth, table: &mut Table) -> io::Result<()> {
    let Some(python) = python() else { return table.skip("stacks", "there is no python3") };
    let place = std::env::temp_dir().join(format!("boundby-bench-{}", std::process::id()));
    fs::create_dir_all(&place)?;
    let done = compare(depth, table, &Bench { python, place: place.clone() });
    fs::remove_dir_all(&place)?;
    done
}

struct Bench {
    python: String,
    place: PathBuf,
}

fn compare(depth: Depth, table: &mut Table, bench: &Bench) -> io::Result<()> {
    fs::write(bench.place.join("program.py"), PROGRAM)?;
    let start = 20_000;
    let rounds = (f64::from(start) * depth.of(1.0, 0.3) / bench.run(None, start)?.max(1e-3)) as u32;
    let mut profilers = Vec::new();
    for (name, program, words) in PROFILERS {
        let runs = program.is_empty() || Command::new(program).arg("--version").output().is_ok();
        match bench.run(Some((program, words)), rounds.min(start)) {
            Ok(_) if runs => profilers.push((name, program, words, Vec::new())),
            Err(error) if runs => table.skip(&format!("stacks, {name}"), &error.to_string())?,
            _ => table.skip(&format!("stacks, {name}"), &format!("there is no {program}"))?,
        }
    }
    let mut alone = Vec::new();
    for round in 0..depth.of(20, 2) {
        // A B C … C B A, so that a drift of the machine hits all alike.
        let mut order: Vec<usize> = (0..=profilers.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            match at.checked_sub(1).and_then(|at| profilers.get_mut(at)) {
                None => alone.push(bench.run(None, rounds)?),
                Some((_, program, words, times)) => times.push(bench.run(Some((*program, *words)), rounds)?),
            }
        }
    }
    let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    for (name, program, _, times) in &profilers {
        let percent = |ratio: f64| (ratio - 1.0) * 100.0;
        let ratios = times.iter().zip(&alone).map(|(under, alone)| under / alone).collect();
        if let Some(ratio) = Estimate::of(ratios) {
            let bests = percent(best(times) / best(&alone));
            let bar = program.is_empty().then_some(BAR);
            let what = format!("slowdown with stacks, CPython, {name}");
            table.line(&what, ratio.map(percent), Some(bests), (Unit::Percent, bar))?;
        }
    }
    Ok(())
}

impl Bench {
    /// Seconds that the program took by its own clock, alone or under a profiler.
    fn run(&self, profiler: Option<(&str, &[&str])>, rounds: u32) -> io::Result<f64> {
        let (told, out) = (self.place.join("told"), self.place.join("out"));
        let filled =
            |word: &str| word.replace("{python}", &self.python).replace("{out}", &out.to_string_lossy());
        let mut command = match profiler {
            None => Command::new(&self.python),
            Some(("", words)) => with(Path::new(env!("CARGO_BIN_EXE_boundby")), words, filled),
            Some((program, words)) => with(Path::new(program), words, filled),
        };
        let _ = fs::remove_file(&told);
        let status = command
            .arg(self.place.join("program.py"))
            .env("ROUNDS", rounds.to_string())
            .env("TOLD", &told)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let said =
            fs::read_to_string(&told).map_err(|_| io::Error::other(format!("it ended with {status}")))?;
        let nanos: f64 = said.parse().map_err(io::Error::other)?;
        Ok(nanos / 1e9)
    }
}

fn with(program: &Path, words: &[&str], filled: impl Fn(&str) -> String) -> Command {
    let mut command = Command::new(program);
    command.args(words.iter().map(|word| filled(word)));
    command
}

/// Not a launcher script, which would be the program that is measured.
fn python() -> Option<String> {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    String::from_utf8(asked.stdout).ok().map(|path| path.trim().to_owned()).filter(|path| !path.is_empty())
}
