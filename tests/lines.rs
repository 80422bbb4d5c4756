//! Real programs whose lines know what they did (`fixtures/lines`), under `boundby profile`: is the time on the right
//! line?
//!
//! Every CPython that is found runs them: `python3`, and those of a pyenv. `BOUNDBY_SEEDS` says how many programs with a
//! hidden culprit, and how many of each event loop, are tried (12 and 10 without it). What was found is printed; what is not installed is skipped and said.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is not there")]

#[path = "lines/loops.rs"]
mod loops;
#[path = "lines/native.rs"]
mod native;
#[path = "lines/programs.rs"]
mod programs;
#[path = "lines/requests.rs"]
mod requests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use programs::{Line, Program, Server, Truth, interpreters, measured, seeded};

/// Share of the waiting, and of the computing, that must be on the line where it was. Sampling leaves an error of its own
/// where a line computes for a tenth of a second only.
const WAITING: f64 = 0.85;
const COMPUTING: f64 = 0.75;
/// The same of Node.js, whose one thread computes two things in turn: beside load it is seen seldom.
const COMPUTING_NODE: f64 = 0.6;
/// The same of native code.
const NATIVE: f64 = 0.8;
/// Shares of the hidden culprits that must be found first, and among the first three.
const FIRST: f64 = 0.75;
const FIRST_THREE: f64 = 0.9;
/// Shares of the calls that block an event loop that must be named, and be counted and timed as well. Counts are estimated
/// from dispatches, which a host that takes the CPUs away multiplies: 7 of 10 were right in such minutes, 10 in others.
const NAMED: f64 = 0.9;
const MEASURED: f64 = 0.5;

/// They measure time, so only one of them may run at any time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many generated programs are tried.
fn seeds(without: u32) -> u32 {
    std::env::var("BOUNDBY_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(without)
}

fn say(text: &str) {
    // Past the capture of the test harness: the figures are what the test is read for.
    let _ = writeln!(std::io::stderr(), "lines: {text}");
}

/// Seconds of the truth that were found where they are, of all.
#[derive(Default)]
struct Score {
    waiting: (f64, f64),
    computing: (f64, f64),
    /// Seconds that the programs were ready to run and had no CPU. To who reads a clock, they were part of the wait
    /// before; the books have another name for them.
    queued: f64,
    /// Seconds that were found on no line.
    nowhere: f64,
    /// Whether the kernel showed threads while they ran.
    is_computing_seen: bool,
}

impl Score {
    fn add(&mut self, truth: &Truth, found: &BTreeMap<Line, (f64, f64)>) {
        for (line, (wait, cpu)) in truth {
            let (found_wait, found_cpu) = found.get(line).copied().unwrap_or_default();
            self.add_line((*wait, *cpu), (found_wait, found_cpu));
        }
    }

    fn add_line(&mut self, (wait, cpu): (f64, f64), (found_wait, found_cpu): (f64, f64)) {
        self.waiting.0 += found_wait.min(wait);
        self.waiting.1 += wait;
        self.computing.0 += found_cpu.min(cpu);
        self.computing.1 += cpu;
    }

    fn shares(&self) -> (f64, f64) {
        let waiting = (self.waiting.1 - self.queued).max(self.waiting.0);
        (self.waiting.0 / waiting, self.computing.0 / self.computing.1)
    }
}

/// Its lines await. What the thread computes meanwhile is the loop's and that of other tasks: no truth of those lines.
const AWAITS: &str = "tasks.py";

#[test]
fn time_is_on_the_lines_that_took_it() {
    let _alone = alone();
    let found = interpreters();
    if found.is_empty() {
        return say("skipped: no python3 was found");
    }
    let port = loops::answering().to_string();
    let mut wrong = Vec::new();
    for interpreter in found {
        let mut score = Score::default();
        let (mut read, mut torn) = (0, 0);
        for program in ["kinds.py", "threads.py", "processes.py", "loop.py", AWAITS] {
            let (mut truth, run) = measured(&interpreter, program, &[("PORT", &port)]);
            if program == AWAITS {
                for (_, computing) in truth.values_mut() {
                    *computing = 0.0;
                }
            }
            score.add(&truth, &run.lines);
            score.queued += run.queued;
            read += run.read;
            torn += run.torn;
        }
        let (waiting, computing) = score.shares();
        let name = &interpreter.version;
        say(&format!(
            "{name:8} {waiting:.3} of the waiting and {computing:.3} of the computing on its line; {read} stacks, {torn} torn"
        ));
        if waiting < WAITING || computing < COMPUTING {
            wrong.push(format!("{name}: {waiting:.3} of the waiting, {computing:.3} of the computing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn so_is_the_time_of_native_code() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for build in native::BUILDS {
        let Some(score) = native::score(build) else {
            say(&format!("{} skipped: {} does not run here", build.0, build.1));
            continue;
        };
        let (waiting, computing) = score.shares();
        say(&format!(
            "{:8} {waiting:.3} of the waiting and {computing:.3} of the computing on its line; {:.3} s on none",
            build.0, score.nowhere
        ));
        if waiting < NATIVE || score.is_computing_seen && computing < NATIVE {
            wrong.push(format!("{}: {waiting:.3} of the waiting, {computing:.3} of the computing", build.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn so_is_that_of_node_where_it_tells_of_its_functions() {
    let _alone = alone();
    let (Some(score), Some(untold)) = (native::node(), native::untold()) else {
        return say("skipped: no node was found");
    };
    let (waiting, computing) = score.shares();
    say(&format!(
        "timed.js {waiting:.3} of the waiting and {computing:.3} of the computing on its line; {:.3} s on none",
        score.nowhere
    ));
    assert!(waiting >= NATIVE && (computing >= COMPUTING_NODE || !score.is_computing_seen));
    assert!(untold.len() == 1 && untold[0].contains("NODE_OPTIONS='--perf-basic-prof"), "{untold:?}");
}

/// Part of the requests by which their number may be off: what came after the last look is not known.
const MISSED: f64 = 0.1;

#[test]
fn the_items_of_an_event_loop_are_its_requests() {
    let _alone = alone();
    let found = interpreters();
    let mut programs: Vec<(&str, Program<'_>)> =
        found.iter().take(1).map(|python| ("asyncio", Program::Python(python, "answers.py"))).collect();
    if std::process::Command::new("node").arg("--version").output().is_ok() {
        programs.push(("Node.js", Program::Node(&[], "answers.js")));
    }
    let kept = requests::Asking { clients: 4, requests: 60, anew: false, twice: false };
    let anew = requests::Asking { anew: true, ..kept };
    for (name, program) in programs {
        for (asking, from, connections) in [(kept, "segments", Some(4)), (anew, "connections", None)] {
            let items = requests::asked(&program, asking).unwrap_or_else(|| panic!("{name}: no items"));
            say(&format!("{name}: {} of {} requests, {:?}", items.count, asking.all(), items.requests));
            let requests = items.requests.expect("they are requests");
            assert_eq!((requests.counted_from.as_str(), requests.connections), (from, connections), "{name}");
            let off = (items.count as f64 - asking.all() as f64).abs();
            assert!(off <= MISSED * asking.all() as f64, "{name}");
        }
    }
    // Two in one go: then segments are no number of requests, and nobody says that they are.
    if let Some(python) = found.first() {
        let twice = requests::Asking { twice: true, ..kept };
        let items = requests::asked(&Program::Python(python, "answers.py"), twice);
        say(&format!("asyncio, two in one go: {items:?}"));
        let requests = items.and_then(|items| items.requests);
        assert!(requests.is_none_or(|requests| requests.counted_from == "waits"));
    }
}

#[test]
fn the_hidden_culprit_is_named_first() {
    let _alone = alone();
    let Some(interpreter) = interpreters().into_iter().next() else {
        return say("skipped: no python3 was found");
    };
    let seeds = seeds(12);
    let server = Server::start(&interpreter);
    let (mut first, mut among_three) = (0, 0);
    for seed in 0..seeds {
        let (culprit, run) = seeded(&interpreter, &server, seed);
        let place = run
            .order
            .iter()
            .position(|line| culprit.lines.contains(&line.number) && line.file == culprit.file);
        first += u32::from(place == Some(0));
        among_three += u32::from(place.is_some_and(|place| place < 3));
        if place != Some(0) {
            say(&format!(
                "seed {seed}: {} is at {place:?} of {:?}",
                culprit.function,
                &run.order[..run.order.len().min(4)]
            ));
        }
    }
    say(&format!("{first} of {seeds} hidden culprits were named first, {among_three} among the first three"));
    let share = |found: u32| f64::from(found) / f64::from(seeds);
    assert!(share(first) >= FIRST && share(among_three) >= FIRST_THREE);
}

/// Runs a program with an event loop that one hidden call blocks, with one seed after another.
fn assert_blocking_calls_are_named(name: &str, program: &Program<'_>) {
    let (port, seeds) = (loops::answering(), seeds(10));
    let (mut named, mut counted) = (0, 0);
    for seed in 0..seeds {
        let (_, found) = loops::blocked(program, port, seed);
        named += u32::from(found.is_named);
        counted += u32::from(found.is_measured);
        if !found.is_measured {
            say(&format!("{name}, seed {seed}: {}", found.said));
        }
    }
    say(&format!(
        "{name}: {named} of {seeds} calls that block the loop were named, {counted} counted and timed as well"
    ));
    let share = |found: u32| f64::from(found) / f64::from(seeds);
    assert!(share(named) >= NAMED && share(counted) >= MEASURED);
}

#[test]
fn what_blocks_asyncio_is_named() {
    let _alone = alone();
    match interpreters().first() {
        Some(interpreter) => assert_blocking_calls_are_named("asyncio", &loops::asyncio(interpreter)),
        None => say("skipped: no python3 was found"),
    }
}

#[test]
fn what_blocks_tokio_is_named() {
    let _alone = alone();
    let folder = tempfile::TempDir::new().unwrap();
    match loops::build(&folder) {
        Ok(program) => assert_blocking_calls_are_named("tokio", &Program::Built(&program)),
        Err(why) => say(&format!("skipped: {why}")),
    }
}
