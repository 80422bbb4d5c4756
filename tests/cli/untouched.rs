//! The measured program is left alone, with stacks of Python and of native code read: it looks for itself whether anybody
//! traces it, stops it or sends it a signal.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::Signals;

use crate::session::{boundby, run};

/// Looks at itself as often as it can: at its tracer, at the states of all of its threads, at what signals came, and how often
/// it was told to stop and go on.
const WATCHER: &str = r#"
import os, signal, sys, threading, time

came = []
for number in range(1, signal.NSIG):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
        try:
            signal.signal(number, lambda number, frame: came.append(number))
        except (OSError, ValueError, RuntimeError):
            pass
# A child that was stopped, or went on, would be told to its parent as well.
signal.signal(signal.SIGCHLD, lambda number, frame: came.append(number))

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

over = threading.Event()
def work():
    while not over.is_set():
        fib(12)
        time.sleep(0.002)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()

looks, traced, states = 0, set(), set()
end = time.monotonic() + 1.5
while time.monotonic() < end:
    for tid in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/status" % tid) as status:
            for line in status:
                if line.startswith("State:"):
                    states.add(line.split()[1])
                elif line.startswith("TracerPid:"):
                    traced.add(line.split()[1])
    looks += 1
over.set()
for thread in threads:
    thread.join()
print(looks, sorted(traced), sorted(states), came)
"#;

fn python() -> bool {
    Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Where the native watcher, which is this test binary again, writes what it saw.
const WATCHED: &str = "BOUNDBY_WATCHED";

/// As [`WATCHER`], in native code; a role and no test.
#[test]
#[ignore = "a role that another test plays"]
fn watches_itself() {
    let Some(place) = std::env::var_os(WATCHED) else { return };
    let caught =
        (1..libc::SIGRTMAX()).filter(|signal| !FORBIDDEN.contains(signal) && !(32..34).contains(signal));
    let mut signals = Signals::new(caught).unwrap();
    let over = AtomicBool::new(false);
    let (mut looks, mut traced, mut states) = (0, BTreeSet::new(), BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::black_box((0..200_000u64).fold(1, |sum: u64, next| sum.rotate_left(3) ^ next));
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1500) {
            for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
                let text = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                let value = |name: &str| {
                    let line = text.lines().find_map(|line| line.strip_prefix(name));
                    line.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
                };
                states.extend(value("State:"));
                traced.extend(value("TracerPid:"));
            }
            looks += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    let came: Vec<i32> = signals.pending().collect();
    // As Python shows lists.
    let list =
        |words: BTreeSet<String>| format!("{words:?}").replace('"', "'").replace('{', "[").replace('}', "]");
    std::fs::write(place, format!("{looks} {} {} {came:?}", list(traced), list(states))).unwrap();
}

/// Fails unless the watcher was left alone while this many stacks were read.
#[track_caller]
fn assert_left_alone(said: &str, report: &Path) {
    let (looks, seen) = said.trim().split_once(' ').unwrap_or_else(|| panic!("{said}"));
    assert!(looks.parse::<u32>().unwrap() >= 20, "{said}");
    let (traced, seen) = seen.split_once("] ").unwrap();
    assert_eq!(traced, "['0'", "somebody traced it");
    let (states, came) = seen.split_once("] ").unwrap();
    assert!(!states.contains(['t', 'T']), "it was stopped: {states}");
    assert_eq!(came, "[]", "signals came");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let read = report["profile"]["call_stacks"]["read"].as_u64().unwrap();
    assert!(read >= 10, "only {read} stacks were read meanwhile");
}

#[test]
fn a_python_is_neither_stopped_nor_signalled_while_its_stacks_are_read() {
    if !python() {
        return eprintln!("skipped: no python3 was found");
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let mut command = boundby(["profile", "--no-probe", "-o"]);
    let ran = run(command.arg(&place).args(["--", "python3", "-c", WATCHER])).expect(0);
    assert_left_alone(&ran.out(), &place);
}

#[test]
fn nor_is_native_code() {
    let folder = tempfile::tempdir().unwrap();
    let (place, watched) = (folder.path().join("profile.json"), folder.path().join("watched"));
    let mut command = boundby(["profile", "--no-probe", "-o"]);
    command.arg(&place).arg("--").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "untouched::watches_itself", "--ignored"]).env(WATCHED, &watched);
    run(&mut command).expect(0);
    assert_left_alone(&std::fs::read_to_string(watched).unwrap(), &place);
}
