//! Runs a program alone and under `boundby profile`, and asks the kernel what it used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::programs::Program;
use crate::waited::wait;

/// Lines of the text that is compressed and sorted.
const LINES: u32 = 60_000;
/// Sources of each kind.
const SOURCES: u32 = 12;
/// Functions in each.
const FUNCTIONS: u32 = 60;

/// A directory with something to work on.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn fill() -> Self {
        let scratch = Self(TempDir::with_prefix("boundby-books-").expect("a directory can be made"));
        let mut text = String::new();
        let mut number = 1u32;
        for _ in 0..LINES {
            // A congruence: neither constant nor random, so that compressing it is work.
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (word, rest) = (number % 97, number >> 12);
            let _ = writeln!(text, "{number:08x} the same words {word} and a number {rest}");
        }
        scratch.write("text", &text);
        fs::create_dir(scratch.path("tree")).expect("a directory can be made");
        let mut objects = String::new();
        for i in 0..SOURCES {
            let (mut python, mut c) = (String::new(), String::new());
            for f in 0..FUNCTIONS {
                let _ =
                    writeln!(python, "def f{f}(x):\n    return [x * {f} + i for i in range(x) if i % 3]\n");
                let _ =
                    writeln!(c, "int f{i}_{f}(int x) {{ int s = 0; while (x--) s += x * {f}; return s; }}");
            }
            scratch.write(&format!("tree/m{i}.py"), &python);
            scratch.write(&format!("tree/m{i}.c"), &c);
            let _ = write!(objects, " m{i}.o");
        }
        scratch.write("tree/Makefile", &format!("all:{objects}\n%.o: %.c\n\tcc -O1 -c $< -o $@\n"));
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file can be written");
    }
}

/// A run without boundby.
pub(crate) struct Alone {
    pub(crate) stdout: Vec<u8>,
    /// As a shell tells it.
    pub(crate) status: i32,
}

/// A run under boundby. Times in seconds.
pub(crate) struct Measured {
    pub(crate) stdout: Vec<u8>,
    pub(crate) status: i32,
    pub(crate) report: Vec<u8>,
    pub(crate) wall: f64,
    pub(crate) level: String,
    pub(crate) wall_book: BTreeMap<String, f64>,
    pub(crate) cpu: f64,
    pub(crate) thread_book: BTreeMap<String, f64>,
    /// What the kernel says all processes used that boundby waited for.
    pub(crate) cpu_of_children: f64,
}

pub(crate) fn direct(scratch: &Scratch, program: &Program) -> Alone {
    let (name, arguments) = program.command.split_first().expect("a command has a first word");
    let (status, stdout, _) = run(scratch, Command::new(name).args(arguments));
    Alone { stdout, status }
}

/// Measures a program. boundby shares its process with nobody but the programs it waits for.
pub(crate) fn measured(scratch: &Scratch, program: &Program, options: &[&str]) -> Measured {
    let path = scratch.path("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    // The probe would start threads of boundby's own.
    command.args(["profile", "--no-probe", "-o", &path]).args(options).arg("--").args(program.command);
    let (status, stdout, cpu_of_children) = run(scratch, &mut command);
    let report = fs::read(&path).unwrap_or_else(|error| panic!("{} left no report: {error}", program.name));
    let json: Value = serde_json::from_slice(&report).expect("the report is JSON");
    let profile = &json["profile"];
    let seconds = |value: &Value| value.as_f64().expect("a time is a number");
    let book = |name: &str| {
        let lines = profile[name].as_object().expect("a book is an object");
        // An account that cannot be told from the others is null.
        lines.iter().filter_map(|(account, time)| Some((account.clone(), time.as_f64()?))).collect()
    };
    Measured {
        stdout,
        status,
        wall: seconds(&profile["wall_s"]),
        wall_book: book("wall"),
        cpu: seconds(&profile["cpu_user_s"]) + seconds(&profile["cpu_system_s"]),
        thread_book: book("threads_total"),
        cpu_of_children,
        level: profile["level"].as_str().unwrap_or_default().to_owned(),
        report,
    }
}

/// The report of a recorded run.
pub(crate) fn replayed(scratch: &Scratch, recording: &str) -> Vec<u8> {
    let path = scratch.path("replayed.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    run(scratch, command.args(["profile", "--replay", recording, "-o", &path]));
    fs::read(&path).expect("a replay leaves a report")
}

/// Runs a command in the scratch directory: its status, what it printed, and the CPU seconds of the processes it
/// waited for.
fn run(scratch: &Scratch, command: &mut Command) -> (i32, Vec<u8>, f64) {
    let path = scratch.path("stdout");
    let stdout = File::create(&path).expect("a file can be written");
    command.current_dir(scratch.path("")).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
    #[expect(clippy::zombie_processes, reason = "it is waited for below, by its number")]
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_child(&child);
    let (status, children) = wait(pid);
    (status, fs::read(&path).expect("what was printed can be read"), children)
}
