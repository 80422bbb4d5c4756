//! Programs whose processes come and go as they like: daemons, orphans, thousands at once.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use crate::kernel::{self, named_pipe};
use crate::session::{Session, boundby, profiled, run, saved, saving, wait_until};

#[test]
fn a_daemon_is_not_waited_for_and_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let (to, from) = (folder.path().join("to"), folder.path().join("from"));
    let pipe = |path: &std::path::Path| {
        named_pipe(path);
        // Opened for both, nobody waits for the other side to be opened.
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    };
    let (mut to_daemon, from_daemon) = (pipe(&to), pipe(&from));
    let place = folder.path().join("profile.json");
    // Twice forked, in a session of its own, its streams elsewhere: as daemons are.
    let script = format!(
        "(setsid sh -c 'echo up >{from}; read x <{to}; echo $x >{from}' </dev/null >/dev/null 2>&1 &)
         read x <{from}; exit 4",
        from = from.display(),
        to = to.display()
    );
    run(&mut saving(&place, &script)).expect(4).reports().says("still run");
    let profile = saved(&place);
    assert!(profile["profile"]["processes"].as_u64().unwrap() >= 2, "{}", profile["profile"]["processes"]);
    to_daemon.write_all(b"alive\n").unwrap();
    let mut said = String::new();
    BufReader::new(from_daemon).read_line(&mut said).unwrap();
    assert_eq!(said, "alive\n");
}

#[test]
fn children_that_ended_are_not_said_to_run() {
    let script = "for i in 1 2 3 4 5 6; do sh -c 'sh -c \"sleep 0.01\"; true'; done";
    let ran = run(&mut profiled(script)).expect(0).reports();
    assert!(!ran.err().contains("still run"), "{}", ran.err());
}

#[test]
fn who_keeps_the_streams_open_does_not_keep_boundby() {
    let mut session = Session::interactive(&mut profiled("sleep 1000 & echo $!; exit 3"));
    let sleeper: i32 = session.line().parse().unwrap();
    assert_eq!(session.wait(), 3);
    kernel::kill(sleeper, libc::SIGTERM);
    session.end().expect(3).says("still run");
}

#[test]
fn what_an_orphan_used_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    // The orphan says what it has used, and only then may the command end.
    let script =
        "(setsid sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; cat /proc/$$/schedstat' &)
         cat";
    let mut session = Session::interactive(&mut saving(&place, script));
    let used: f64 = session.line().split(' ').next().unwrap().parse().unwrap();
    session.end().expect(0).reports();
    let profile = &saved(&place)["profile"];
    let cpu = profile["cpu_user_s"].as_f64().unwrap() + profile["cpu_system_s"].as_f64().unwrap();
    assert!(cpu >= used / 1e9, "{cpu} s of at least {used} ns");
}

#[test]
fn children_boundby_was_born_with_are_not_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let script = "sleep 1000 & echo $!; exec \"$0\" profile --no-probe -o \"$1\" -- cat";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_boundby"), place.to_str().unwrap()]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut session = Session::interactive(&mut command);
    let stranger: i32 = session.line().parse().unwrap();
    session.let_it_sample(30);
    // Its end is told to boundby, and is nothing to it.
    kernel::kill(stranger, libc::SIGTERM);
    session.let_it_sample(5);
    let ran = session.end().expect(0).reports();
    assert!(!ran.err().contains("still run"), "{}", ran.err());
    assert_eq!(saved(&place)["profile"]["processes"], 1);
}

#[test]
fn thousands_of_processes_at_once_cost_little_memory_and_no_report() {
    const MANY: u64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    // Each waits for the end of input in a process of its own; the last to come says so.
    let script = format!(
        "exec 3<&0; i=0
         while [ $i -lt {MANY} ]; do (read x <&3) & i=$((i+1)); done
         echo all; wait; exit 11"
    );
    let mut session = Session::interactive(&mut saving(&place, &script));
    session.hears("all");
    // It keeps three to five files of each it has found open, as far as it may.
    let most = (3 * MANY).min(open_files(session.pid()) * 7 / 10);
    wait_until("boundby has found them", || {
        let open = fs::read_dir(format!("/proc/{}/fd", session.pid())).unwrap().count() as u64;
        open >= most
    });
    let status = fs::read_to_string(format!("/proc/{}/status", session.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 128 << 10, "{peak} KiB");
    session.end().expect(11).reports();
    let count = saved(&place)["profile"]["processes"].as_u64().unwrap();
    // A few of those files are not of processes.
    assert!(count + 50 >= most / 5, "{count}");
}

#[test]
fn few_files_that_may_be_open_lose_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let script = "exec 3<&0; i=0
        while [ $i -lt 150 ]; do (read x <&3) & i=$((i+1)); done
        echo all; wait; exit 13";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$0\" profile --no-probe -o \"$1\" -- sh -c \"$2\""]);
    command.args([env!("CARGO_BIN_EXE_boundby"), place.to_str().unwrap(), script]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut session = Session::interactive(&mut command);
    session.hears("all");
    session.let_it_sample(50);
    let ran = session.end().expect(13).reports();
    assert!(!ran.err().contains("still run"), "{}", ran.err());
    let profile = &saved(&place)["profile"];
    assert_eq!(profile["processes"], 151);
    // What was lost from sight would have been found again, and counted twice.
    assert_eq!(profile["threads"], 151);
}

/// How many files a process may have open.
fn open_files(pid: i32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap_or(u64::MAX)
}

#[test]
fn lines_of_a_python_in_a_name_space_of_its_own_are_named() {
    let inside = ["--pid", "--fork", "python3"];
    let can = Command::new("unshare").args(inside).args(["-c", ""]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: no python3 can be started with unshare --pid here");
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let script = "import os, threading, time\nassert os.getpid() == 1\n\
                  thread = threading.Thread(target=lambda: [\ntime.sleep(0.02) for _ in range(30)])\n\
                  thread.start()\nthread.join()";
    let mut command = boundby(["profile", "--no-probe", "-o"]);
    run(command.arg(&place).args(["--", "unshare"]).args(inside).args(["-c", script])).expect(0);
    let sites = saved(&place)["profile"]["sites"].clone();
    let sleeps = |site: &&serde_json::Value| site["kind"] == "sleep" && site["line"] == 4;
    let named: f64 =
        sites.as_array().unwrap().iter().filter(sleeps).filter_map(|site| site["wait_s"].as_f64()).sum();
    assert!(named > 0.3, "{sites}");
}
