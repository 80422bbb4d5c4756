//! How far what boundby says may be from what the program says, and the kernel. Each bound has a mechanism.

use crate::measured::Measured;

/// The part of the truth by which times may be off.
const SHARE: f64 = 0.01;
/// Seconds of a process's life before its program begins to measure itself, and after it has ended, in which it may wait:
/// the start of an interpreter, pages of its files, the hand-over from boundby.
const BEFORE_AND_AFTER: f64 = 0.004;
/// The same of a thread: until its first step, after its last.
const FIRST_AND_LAST: f64 = 0.001;
/// Seconds of CPU that are in what `wait4` says of all of boundby's children and are not the program's: boundby's own steps
/// between fork and exec, and its witness. And for each process what it takes to end it, which comes after its last record.
const LITTLE: f64 = 0.002;
const ENDING: f64 = 0.0001;
/// How far a book may be from the time it is of.
const BALANCE: f64 = 1e-6;

/// What is wrong with a run at this level, in sentences.
pub(crate) fn complaints(level: &str, run: &Measured) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |fine: bool, what: String| {
        if !fine {
            wrong.push(what);
        }
    };
    check(run.is_positive, "a book has a negative line".to_owned());
    let (book, wall) = (run.wall_book, run.wall);
    check((book - wall).abs() <= BALANCE, format!("the wall book sums to {book} s of {wall} s"));
    let (processes, told) = run.told;
    let allowed = SHARE * run.used + LITTLE + ENDING * processes as f64;
    let is_within = (run.used - allowed..=run.used + allowed).contains(&run.cpu);
    // What switching, starting and ending take is no thread's.
    let is_named = run.cpu <= run.used && run.remarks.iter().any(|remark| remark.contains("switching"));
    let (cpu, used) = (run.cpu, run.used);
    check(is_within || is_named, format!("{cpu} s on a CPU, the kernel says {used} s, and no remark why"));
    if level == "p" {
        return wrong;
    }
    // Reasons are not told of what is over before the kernel's functions have names; that does not make times less exact.
    let is_said = run.level == "s" && run.remarks.iter().any(|remark| remark.contains("reasons of"));
    check(run.level == level || is_said, format!("measured at level {}: {:?}", run.level, run.remarks));
    check(run.processes == processes, format!("{} processes, and there were {processes}", run.processes));
    let threads = told.map_or(processes, |sums| sums.threads);
    check(run.threads == threads, format!("{} threads, and there were {threads}", run.threads));
    let Some(sums) = told else { return wrong };
    let around = BEFORE_AND_AFTER * processes as f64 + FIRST_AND_LAST * threads as f64;
    let stolen = run.stolen;
    // What the host takes is neither on a CPU nor in the queue, and no program knows of it: its sums have it as blocked.
    let (found, truth, allowed) = (run.blocked, sums.blocked, SHARE * sums.blocked + around);
    check(
        (truth - allowed - stolen..=truth + allowed + sums.edges).contains(&found),
        format!(
            "{found} s blocked, it says {truth} s ({stolen} s stolen, {} s at the edges, at most)",
            sums.edges
        ),
    );
    let turns = run.turn * processes as f64;
    let (found, truth, allowed) = (run.runnable, sums.queued, SHARE * sums.life() + around + turns);
    check(
        (truth - allowed - sums.early..=truth + allowed + stolen + sums.edges).contains(&found),
        format!(
            "{found} s in the run queue, it says {truth} s ({stolen} s stolen, {} s at the edges, at most)",
            sums.edges
        ),
    );
    wrong
}
