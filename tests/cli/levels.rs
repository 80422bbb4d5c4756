//! How a program is measured: every switch and its reason where the system tells of them (level k), every switch (level s),
//! or counters (level p).

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::kernel::{self, Birth};
use crate::session::{Session, boundby, run, saved};

/// `sh -c SCRIPT`, measured at this level.
fn at(level: &str, output: &Path, script: &str) -> Command {
    let output = output.to_str().unwrap();
    boundby(["profile", "--no-probe", "--level", level, "-o", output, "--", "sh", "-c", script])
}

/// The profile of a script at level s; nothing, where this machine does not tell of switches.
fn exact(script: &str) -> Option<Value> {
    exact_at("s", script)
}

/// The same at this level.
fn exact_at(level: &str, script: &str) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let ran = run(&mut at(level, &place, script));
    if ran.code == 125 && ran.err().contains("--level auto") {
        eprintln!("skipped: {}", ran.err());
        return None;
    }
    ran.expect(0).reports();
    Some(saved(&place)["profile"].clone())
}

fn count(profile: &Value, name: &str) -> u64 {
    profile[name].as_u64().unwrap_or_else(|| panic!("{name} of {profile}"))
}

fn number(profile: &Value, path: &str) -> f64 {
    profile.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} of {profile}"))
}

/// Both books, and the CPU time against the kernel's own total: the gap is switching, starting and ending.
#[track_caller]
fn balances(profile: &Value) {
    let sum = |book: &str| {
        let accounts = profile[book].as_object().unwrap().values();
        accounts.filter_map(Value::as_f64).inspect(|time| assert!(*time >= 0.0)).sum::<f64>()
    };
    let wall = number(profile, "/wall_s");
    assert!((sum("wall") - wall).abs() < 1e-6, "{profile}");
    let cpu = number(profile, "/cpu_user_s") + number(profile, "/cpu_system_s");
    let seen = number(profile, "/threads_total/cpu");
    assert!(seen <= cpu * 1.01 + 0.005, "{seen} of {cpu}");
    assert!(seen >= cpu * 0.6 - 0.005, "{seen} of {cpu}");
    assert_ne!(profile["level"], "p", "{profile}");
}

/// Blocked time by kind at all points of this program, seconds.
fn waited(profile: &Value, program: &str, kind: &str) -> f64 {
    let points = profile["blocking_points"].as_array().unwrap();
    let is_meant = |point: &&Value| point["thread"] == program && point["kind"] == kind;
    points.iter().filter(is_meant).map(|point| number(point, "/wait_s")).sum()
}

#[test]
fn every_child_is_counted_however_short() {
    let Some(profile) = exact("i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done") else { return };
    balances(&profile);
    assert_eq!((count(&profile, "processes"), count(&profile, "threads")), (2001, 2001));
}

#[test]
fn every_process_of_a_tree_of_forks_is_counted() {
    let script = "f() { [ $1 -eq 0 ] && return; f $(($1-1)) & f $(($1-1)) & f $(($1-1)) & wait; }; f 3; wait";
    let Some(profile) = exact(script) else { return };
    balances(&profile);
    // The shell, and 3 + 9 + 27 copies of it.
    assert_eq!(count(&profile, "processes"), 40);
}

#[test]
fn a_chain_of_programs_in_one_process_is_one_process() {
    let script = "exec sh -c 'exec sh -c \"exec sh -c true\"'";
    let Some(profile) = exact(script) else { return };
    balances(&profile);
    assert_eq!((count(&profile, "processes"), count(&profile, "threads")), (1, 1));
}

#[test]
fn both_levels_see_the_same_program() {
    let folder = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.2; sleep 0.2";
    let Some(switches) = exact(script) else { return };
    balances(&switches);
    let place = folder.path().join("profile.json");
    run(&mut at("p", &place, script)).expect(0).reports();
    let counters = &saved(&place)["profile"];
    assert_eq!(counters["level"], "p");
    for profile in [&switches, counters] {
        // However busy the machine is, nobody computes while both sleep; only the end of a sleep may be late.
        assert!(number(profile, "/wall/sleep") > 0.3, "{profile}");
        assert!(number(profile, "/wall/cpu") > 0.0, "{profile}");
        assert_eq!(count(profile, "processes"), 3, "{profile}");
    }
}

/// Long enough for the names of the kernel's functions to be there.
const NAMES_ARE_READ: &str = "sleep 0.01; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

#[test]
fn every_wait_has_its_reason_however_short_the_process() {
    let script = format!("{NAMES_ARE_READ}; i=0; while [ $i -lt 200 ]; do sleep 0.002; i=$((i+1)); done");
    let Some(profile) = exact_at("k", &script) else { return };
    balances(&profile);
    assert_eq!(profile["level"], "k", "{profile}");
    // The shell, the sleep in front of the rest, and these.
    assert_eq!(count(&profile, "processes"), 202);
    // Most of them live too short to be looked at; no sleep is shorter than it was asked to be.
    let slept = waited(&profile, "sleep", "sleep");
    assert!(slept > 0.3, "{slept}: {profile}");
    let points = profile["blocking_points"].as_array().unwrap();
    let episodes: f64 = points
        .iter()
        .filter(|point| point["thread"] == "sleep" && point["kind"] == "sleep")
        .map(|point| number(point, "/episodes"))
        .sum();
    assert!((150.0..=201.0).contains(&episodes), "{episodes}: {profile}");
}

#[test]
fn what_was_told_of_pipes_is_what_was_seen_of_them() {
    // Whoever reads waits for a writer that sleeps in between.
    let script = format!("{NAMES_ARE_READ}; for i in 1 2 3 4; do sleep 0.1; echo $i; done | cat >/dev/null");
    let Some(told) = exact_at("k", &script) else { return };
    balances(&told);
    let seen = {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("profile.json");
        run(&mut at("p", &place, &script)).expect(0).reports();
        saved(&place)["profile"].clone()
    };
    for profile in [&told, &seen] {
        assert!(waited(profile, "cat", "pipe") > 0.3, "{profile}");
    }
    // Told of, no sleep is shorter than it was asked to be. Looks miss the ends of those that are short.
    let (exactly, about) = (waited(&told, "sleep", "sleep"), waited(&seen, "sleep", "sleep"));
    assert!(exactly > 0.38 && about > 0.1, "{exactly} {about}");
    assert!(number(&told, "/wall/sleep") > 0.3, "{told}");
}

#[test]
fn all_levels_say_the_same_of_a_fight_for_the_interpreter_lock() {
    if Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("skipped: no python3");
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let fight = "from threading import Thread
work = [Thread(target=lambda: sum(i * i for i in range(3_000_000))) for _ in range(4)]
[thread.start() for thread in work]
[thread.join() for thread in work]";
    let mut queued = Vec::new();
    for level in ["p", "s", "k"] {
        let output = place.to_str().unwrap();
        let mut command =
            boundby(["profile", "--no-probe", "--level", level, "-o", output, "--", "python3", "-c", fight]);
        let ran = run(&mut command);
        if ran.code == 125 && ran.err().contains("--level auto") {
            eprintln!("skipped: {}", ran.err());
            continue;
        }
        ran.expect(0).reports();
        let report = saved(&place);
        let threads = &report["profile"]["threads_total"];
        let (gil, all) = (number(threads, "/gil"), number(threads, "/cpu") + number(threads, "/gil"));
        queued.push((level, gil / all, report["verdict"]["bound_by"].clone()));
    }
    for (level, share, bound_by) in &queued {
        // Three of four queue while one computes, once there are four.
        assert!(*share > 0.5, "{level}: {queued:?}");
        // Who queues while another one runs is told at level k; at the others it must be seen, which takes looks in time.
        let fits = ["gil", "contended"].iter().any(|verdict| bound_by == verdict);
        assert!(fits || *level != "k", "{level}: {queued:?}");
    }
}

#[test]
fn a_program_that_switches_as_fast_as_it_can_is_asked_for_reasons_now_and_then() {
    // Two processes that hand a byte to and fro.
    let script = format!(
        "{NAMES_ARE_READ}; mkfifo $0/a $0/b; (exec 3<$0/a 4>$0/b; dd bs=1 count=60000 <&3 >&4 2>/dev/null) & \
         exec 4>$0/a 3<$0/b; printf x >&4; dd bs=1 count=59999 <&3 >&4 2>/dev/null; wait"
    );
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let mut command = at("auto", &place, &script);
    let ran = run(command.arg(folder.path()));
    ran.expect(0).reports();
    let profile = &saved(&place)["profile"];
    let sum = |book: &str| profile[book].as_object().unwrap().values().filter_map(Value::as_f64).sum::<f64>();
    assert!((sum("wall") - number(profile, "/wall_s")).abs() < 1e-6, "{profile}");
    // Whoever reads the records may be late, and where too many come they are not told: then that is said.
    let (remarks, pipe) = (profile["quality"]["remarks"].to_string(), waited(profile, "dd", "pipe"));
    let is_said = ["not known one by one", "were not told"].iter().any(|said| remarks.contains(said));
    assert!(is_said || pipe > 0.1 * number(profile, "/wall_s"), "{profile}");
}

#[test]
fn where_switches_are_not_told_it_says_so_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let refusing = |level: &str| {
        let mut command = at(level, &place, "sleep 0.05");
        kernel::born(&mut command, Birth::Refusing(libc::SYS_perf_event_open));
        command
    };
    run(&mut refusing("auto")).expect(0).reports().says("level p (more exactly: boundby doctor)");
    assert_eq!(saved(&place)["profile"]["level"], "p");
    // Whoever wants nothing else gets an error, and the command is not run.
    for level in ["s", "k"] {
        let ran = run(&mut refusing(level)).expect(125).says(&format!("level {level}")).says("--level auto");
        assert_eq!(ran.out(), "");
    }
}

#[test]
fn who_wakes_whom_is_told_with_reasons_alone() {
    let mut command = boundby(["profile", "--wakeups", "--level", "s", "--", "true"]);
    let ran = run(&mut command).expect(125).says("--level k");
    assert_eq!(ran.out(), "");
}

#[test]
fn a_pipe_is_handed_on_and_whoever_waits_for_it_waits_for_the_sleep_behind() {
    // Whoever reads is woken by who writes, which had slept: the program waits for nothing else.
    let script =
        format!("{NAMES_ARE_READ}; for i in 1 2 3 4 5 6; do sleep 0.1; echo $i; done | cat >/dev/null");
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let mut command = boundby(["profile", "--no-probe", "--level", "k", "--wakeups", "-o"]);
    let ran = run(command.arg(&place).args(["--", "sh", "-c", &script]));
    if ran.code == 125 {
        return eprintln!("skipped: {}", ran.err());
    }
    ran.expect(0).says("wake-ups");
    let profile = &saved(&place)["profile"];
    balances(profile);
    let wakeups = &profile["wakeups"];
    let of = |name: &str| wakeups[name].as_f64().unwrap_or_else(|| panic!("{name} of {profile}"));
    // Each sleep is ended by a clock, each line of the six, and the end of each child, by a thread of the program.
    let all_told = of("handed_over") >= 12.0 && of("told") >= of("handed_over") + 6.0;
    assert!(all_told || of("lost") > 0.0, "{profile}");
    assert!((0.0..=1.0).contains(&of("same_account")), "{profile}");
    assert!(of("runnable_s") <= number(profile, "/wall_s"), "{profile}");
    // Nobody is there while the six sleep; no sleep is shorter than it was asked to be. What the first was may not be known
    // yet; and where records were lost, it is inferred.
    assert!(number(profile, "/wall/sleep") > 0.48 || of("lost") > 0.0, "{profile}");
    assert!(number(profile, "/wall/pipe") < 0.1 * number(profile, "/wall_s"), "{profile}");
    let again = run(boundby(["report", "--profile"]).arg(&place));
    again.expect(0);
}

#[test]
fn a_running_program_is_followed_from_the_second_look() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let mut program = Command::new("sh");
    program.args(["-c", "while read x; do /bin/true; /bin/true; echo $x; done"]);
    let mut program = Session::interactive(&mut program);
    let pid = program.pid().to_string();
    let mut command = boundby(["profile", "--pid", &pid, "--level", "s", "-o", place.to_str().unwrap()]);
    let boundby = Session::start(&mut command);
    boundby.let_it_sample(30);
    for _ in 0..50 {
        program.tell("x");
        program.hears("x");
    }
    kernel::kill(boundby.pid(), libc::SIGINT);
    let ran = boundby.end();
    program.end();
    if ran.code == 125 {
        eprintln!("skipped: {}", ran.err());
        return;
    }
    let profile = &saved(&place)["profile"];
    // Each line starts two children.
    assert_eq!(count(profile, "processes"), 101, "{profile}");
}
