//! Real programs under `boundby profile`: the books balance, the CPU time is what the kernel says it was, and the
//! program's output and status are its own. What is not installed is skipped and said.

#[path = "books/programs.rs"]
mod programs;
#[path = "books/run.rs"]
mod run;
#[path = "books/waited.rs"]
mod waited;

use std::io::Write as _;

use programs::{Program, all};
use run::{Measured, Scratch, direct, measured};

/// How far the wall book may be from the wall time.
const BALANCE: f64 = 0.005;
/// How far CPU time may be from what `wait4` says of the same run, as a share, or in seconds where that is little.
const CPU_SHARE: f64 = 0.01;
const CPU_SECONDS: f64 = 0.002;
/// Where every switch is known, what switching, starting and ending take is no thread's: up to this share.
const SWITCHING: f64 = 0.2;

fn say(text: &str) {
    // Past the capture of the test harness: who runs the tests should see what was left out.
    let _ = writeln!(std::io::stderr(), "books: {text}");
}

/// What is wrong with a run, in sentences.
fn complaints(program: &Program, found: &Measured) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |fine: bool, what: String| {
        if !fine {
            wrong.push(format!("{}: {what}", program.name));
        }
    };
    let wall: f64 = found.wall_book.values().sum();
    let off = (wall - found.wall).abs();
    check(off <= BALANCE * found.wall, format!("the wall book sums to {wall} s of {} s", found.wall));

    let cpu = found.cpu_of_children;
    let allowed = (CPU_SHARE * cpu).max(CPU_SECONDS);
    let booked = found.thread_book["cpu"];
    let switching = if found.level == "p" { 0.0 } else { SWITCHING * cpu };
    for (what, told, gap) in [("in all", found.cpu, 0.0), ("in the thread book", booked, switching)] {
        let fits = (cpu - allowed - gap..=cpu + allowed).contains(&told);
        check(fits, format!("{told} s of CPU {what}, the kernel says {cpu} s"));
    }
    let computing: f64 = ["cpu", "gil"].iter().filter_map(|account| found.wall_book.get(*account)).sum();
    check(
        computing <= cpu + allowed,
        format!("the wall book has {computing} s of computing, the program computed {cpu} s"),
    );
    let lines = found.wall_book.values().chain(found.thread_book.values());
    check(lines.into_iter().all(|time| *time >= 0.0), "a book has a negative line".to_owned());
    wrong
}

#[test]
fn books_balance_on_real_programs() {
    let scratch = Scratch::fill();
    let mut wrong = Vec::new();
    let mut ran = 0;
    for program in all() {
        if let Some(missing) = program.missing() {
            say(&format!("{} skipped: no {missing}", program.name));
            continue;
        }
        let alone = direct(&scratch, &program);
        let found = measured(&scratch, &program, &[]);
        ran += 1;
        say(&format!(
            "{:14} {:6.3} s, {:6.4} s of CPU, {:6.4} s says the kernel",
            program.name, found.wall, found.cpu, found.cpu_of_children
        ));
        wrong.extend(complaints(&program, &found));
        if (&found.stdout, found.status) != (&alone.stdout, alone.status) {
            wrong.push(format!(
                "{}: alone it printed {} bytes and ended with {}, measured {} bytes and {}",
                program.name,
                alone.stdout.len(),
                alone.status,
                found.stdout.len(),
                found.status
            ));
        }
    }
    assert!(ran > 0, "not one program could be run here");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What is written down of a run replays to the same bytes, whatever the program was.
#[test]
fn a_recorded_run_replays_to_the_same_report() {
    let scratch = Scratch::fill();
    let program = all().into_iter().find(|program| program.missing().is_none()).expect("there is a shell");
    let recording = scratch.path("run.jsonl");
    let found = measured(&scratch, &program, &["--record", &recording]);
    let replayed = run::replayed(&scratch, &recording);
    assert!(
        found.report == replayed,
        "--- live\n{}\n--- replayed\n{}",
        String::from_utf8_lossy(&found.report),
        String::from_utf8_lossy(&replayed)
    );
}
