//! How a program is measured: every switch where the system tells of them (level s), counters where not (level p).

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
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let ran = run(&mut at("s", &place, script));
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
    assert_eq!(profile["level"], "s", "{profile}");
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

#[test]
fn where_switches_are_not_told_it_says_so_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let refusing = |level: &str| {
        let mut command = at(level, &place, "sleep 0.05");
        kernel::born(&mut command, Birth::Refusing(libc::SYS_perf_event_open));
        command
    };
    run(&mut refusing("auto")).expect(0).reports().says("perf-switches: ").says("kernel.perf_event_paranoid");
    assert_eq!(saved(&place)["profile"]["level"], "p");
    // Whoever wants nothing else gets an error, and the command is not run.
    let ran = run(&mut refusing("s")).expect(125).says("--level auto");
    assert_eq!(ran.out(), "");
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
