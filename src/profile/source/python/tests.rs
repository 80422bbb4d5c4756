//! Stacks of real interpreters, of every version that is installed: each thread of a program must be seen where the
//! program itself says it is.

mod picture;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::profile::runtime::parse_maps;
use crate::profile::source::elf::ElfFiles;

/// Beside `python3` of the search path: a list of interpreters as in `PATH`.
const ASKED: &str = "BOUNDBY_PYTHONS";

/// Interpreters to try: the one of the search path, what was asked for, and what pyenv has installed.
pub(super) fn interpreters() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|directory| directory.join("python3"))
        .find(|python| python.is_file())
        .into_iter()
        .collect();
    found.extend(std::env::split_paths(&std::env::var_os(ASKED).unwrap_or_default()));
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten();
    found.extend(versions.flatten().map(|version| version.path().join("bin/python3")));
    found.retain(|python| python.is_file());
    if found.is_empty() {
        println!("skipped: there is no python3");
    }
    found
}

/// A program that runs, and ends when its standard input does.
pub(super) struct Program {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    pub(super) memory: File,
    pub(super) runtime: u64,
    pub(super) version: (u8, u8),
}

impl Program {
    /// `None`: this interpreter is too old to run it.
    pub(super) fn start(python: &Path, source: &str) -> Option<Self> {
        let asked =
            Command::new(python).args(["-c", "import sys; print(*sys.version_info[:2])"]).output().unwrap();
        let text = String::from_utf8(asked.stdout).unwrap();
        let numbers: Vec<u8> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let &[major, minor] = numbers.as_slice() else { return None };
        if (major, minor) < (3, 6) {
            return None;
        }
        let mut child = Command::new(python)
            .args(["-c", source])
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
        Some(Self { child, output, memory, runtime: 0, version: (major, minor) })
    }

    /// The next line it writes; when it has, Python has started.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        if self.runtime == 0 {
            // What was started first may have been a script that only then became Python.
            self.memory = File::open(format!("/proc/{}/mem", self.child.id())).unwrap();
            self.runtime = self.find_runtime();
        }
        line
    }

    fn find_runtime(&self) -> u64 {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap();
        let mut files = ElfFiles::default();
        let mut symbols = parse_maps(&maps).into_iter().filter_map(|mapping| {
            let facts = files.facts(Path::new(&mapping.path))?;
            let symbol = facts.py_runtime.or(facts.py_interpreters)?;
            Some(mapping.start - facts.base + symbol.address)
        });
        symbols.next().expect("a mapped file defines the runtime")
    }

    pub(super) fn stacks(&self) -> PythonStacks {
        PythonStacks::find(&self.memory, self.runtime, self.version).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// As the program tells: function, file and line, innermost first, by thread.
type Told = BTreeMap<i32, Vec<(String, String, u32)>>;

#[test]
fn every_thread_is_seen_where_the_program_says_it_is() {
    for python in interpreters() {
        let Some(mut program) = Program::start(&python, include_str!("tests/places.py")) else { continue };
        let told: Told = serde_json::from_str(&program.line()).unwrap();
        println!("{}: {:?}, {} threads", python.display(), program.version, told.len());
        let mut reader = program.stacks();
        let mut stacks = Stacks::default();
        // The second time all is known already.
        for _ in 0..2 {
            for (tid, told) in &told {
                // The one that runs may change its stack meanwhile.
                let stack = std::iter::repeat_with(|| reader.read(&program.memory, *tid, false, &mut stacks))
                    .take(1000)
                    .find_map(Result::ok)
                    .unwrap_or_else(|| panic!("{}: {told:?}", python.display()));
                let seen: Vec<_> = stacks
                    .levels(stack)
                    .map(|level| {
                        let file = level.file.clone().unwrap();
                        assert_eq!(level.own, !file.contains("/lib/python3."), "{file}");
                        (level.function.clone(), file, level.line.unwrap())
                    })
                    .collect();
                let mut told = told.clone();
                if told.len() > INNERMOST + OUTERMOST {
                    told.drain(INNERMOST..told.len() - OUTERMOST);
                }
                assert_eq!(seen, told, "{}", python.display());
            }
        }
    }
}

/// A program whose functions call and return all the time.
const RESTLESS: &str = "
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
def count(n):
    if n:
        yield from count(n - 1)
        yield n
print(0, flush=True)
while True:
    fib(12)
    sum(count(6))
";

#[test]
fn a_running_thread_is_seen_inside_of_what_it_runs() {
    for python in interpreters() {
        let Some(mut program) = Program::start(&python, RESTLESS) else { continue };
        program.line();
        let (mut reader, mut stacks) = (program.stacks(), Stacks::default());
        let tid = program.child.id() as i32;
        let seen: Vec<StackId> =
            std::iter::repeat_with(|| reader.read(&program.memory, tid, false, &mut stacks))
                .take(2000)
                .filter_map(Result::ok)
                .collect();
        assert!(!seen.is_empty(), "{}: all were torn", python.display());
        for level in seen.iter().flat_map(|stack| stacks.levels(*stack)) {
            let line = level.line.unwrap();
            let fits = match level.function.as_str() {
                "fib" => (2..=5).contains(&line),
                "count" => (6..=9).contains(&line),
                "<module>" => (10..=13).contains(&line),
                _ => false,
            };
            assert!(fits && level.own, "{}: {level:?}", python.display());
        }
        program.child.kill().ok();
    }
}

/// What is called by nobody but a loop is seen where it waits: the tasks that are waited for from outside take turns, and
/// one that only waits for others or for time does not count beside them.
#[test]
fn tasks_are_seen_where_they_wait() {
    let source = include_str!("tests/tasks.py");
    let line = |mark: &str| 1 + source.lines().position(|line| line.ends_with(mark)).unwrap() as u32;
    let expected: Vec<Vec<u32>> = vec![
        vec![line("# receives"), line("# fetches"), line("# works")],
        vec![line("# generates"), line("# iterates")],
    ];
    for python in interpreters() {
        let Some(mut program) = Program::start(&python, source) else { continue };
        let tid: i32 = program.line().trim().parse().unwrap();
        let mut reader = program.stacks();
        if reader.tasks.is_none() {
            println!("{}: {:?} skipped: its objects are not known", python.display(), program.version);
            continue;
        }
        let mut stacks = Stacks::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut counts = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let stack = reader.read(&program.memory, tid, true, &mut stacks).unwrap();
            let inside = stacks.levels(stack).take_while(|level| level.function != "<module>");
            let own: Vec<u32> = inside.filter(|level| level.own).filter_map(|level| level.line).collect();
            // Whoever looks first may find the loop on its way into its wait.
            if let Some(TasksWaiting { count, for_time }) = reader.tasks_waiting() {
                assert!(!for_time);
                seen.insert(own.clone());
                counts.insert((own, count.round() as u64));
            }
        }
        println!("{}: {:?} {seen:?} {counts:?}", python.display(), program.version);
        assert_eq!(seen, expected.iter().cloned().collect(), "{}", python.display());
        let known: std::collections::BTreeSet<_> =
            [(expected[0].clone(), 3), (expected[1].clone(), 1)].into_iter().collect();
        assert_eq!(counts, known, "{}", python.display());
    }
}
