//! Signals reach the program exactly once, it does with them what it likes, and the report still comes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::kernel::{self, Birth, born, on_terminal, terminal};
use crate::session::{Session, boundby, profiled, run, state, wait_until};

/// Says what it gets, counts the first kind, and ends with the count when it reads `end`.
const COUNTING: &str = "n=0
    count() { n=$((n+1)); echo counted; }
    for signal in HUP INT QUIT TERM ALRM; do trap count $signal; done
    trap 'echo marked' USR1
    trap 'echo marked too' USR2
    echo ready
    until read x && [ \"$x\" = end ]; do :; done
    exit $n";
/// Those it counts.
const COUNTED: [i32; 5] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGALRM];

fn counting() -> Session {
    let mut session = Session::interactive(&mut profiled(COUNTING));
    session.hears("ready");
    session
}

#[test]
fn what_is_sent_to_boundby_reaches_the_program_once() {
    for signal in COUNTED {
        let mut session = counting();
        session.signal(signal);
        session.hears("counted");
        // What comes later has overtaken nothing: a second copy would be heard before.
        session.signal(libc::SIGUSR1);
        session.hears("marked");
        session.signal(libc::SIGUSR2);
        session.hears("marked too");
        session.tell("end");
        session.end().expect(1).reports();
    }
}

#[test]
fn what_is_sent_to_the_whole_group_reaches_the_program_once() {
    for signal in COUNTED {
        let mut session = counting();
        kernel::kill(-session.pid(), signal);
        session.hears("counted");
        session.let_it_sample(10);
        session.signal(libc::SIGUSR1);
        session.hears("marked");
        // And again: what was seen once is not seen for ever.
        session.signal(signal);
        session.hears("counted");
        kernel::kill(-session.pid(), signal);
        session.hears("counted");
        session.let_it_sample(10);
        session.signal(libc::SIGUSR2);
        session.hears("marked too");
        session.tell("end");
        session.end().expect(3).reports();
    }
}

#[test]
fn without_its_witness_boundby_still_passes_on() {
    let mut session = counting();
    let children = format!("/proc/{0}/task/{0}/children", session.pid());
    if std::fs::read_to_string(&children).is_err() {
        return eprintln!("skipped: this kernel keeps no lists of children");
    }
    let named = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "signal-witness")
    };
    let witness = || {
        let listed = std::fs::read_to_string(&children).ok()?;
        listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).find(named)
    };
    wait_until("the witness runs under its name", || witness().is_some());
    let witness = witness().unwrap();
    kernel::kill(witness, libc::SIGKILL);
    wait_until("the witness was reaped", || state(witness).is_none());
    session.signal(libc::SIGTERM);
    session.hears("counted");
    session.tell("end");
    session.end().expect(1).reports();
}

#[test]
fn a_program_that_dies_of_a_signal_is_reported_with_it() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGALRM] {
        let mut session = Session::interactive(&mut profiled("ulimit -c 0; echo ready; read x; exit 0"));
        session.hears("ready");
        session.signal(signal);
        session.wait();
        session.end().expect(128 + signal).reports();
    }
}

#[test]
fn a_program_that_ignores_a_signal_goes_on() {
    let script = "trap '' TERM; trap 'echo marked' USR1; echo ready; until read x; do :; done; exit 4";
    let mut session = Session::interactive(&mut profiled(script));
    session.hears("ready");
    session.signal(libc::SIGTERM);
    session.signal(libc::SIGTERM);
    session.signal(libc::SIGUSR1);
    session.hears("marked");
    session.tell("go on");
    session.end().expect(4).reports();
}

#[test]
fn a_program_may_ignore_the_end_of_its_children() {
    let script = "trap '' CHLD; sh -c 'exit 2'; (exit 3) & wait; echo done; exit 5";
    let ran = run(&mut profiled(script)).expect(5).reports();
    assert_eq!(ran.out(), "done\n");
}

#[test]
fn whoever_is_born_with_signals_blocked_or_ignored_does_not_hang() {
    for birth in [Birth::Blocking, Birth::Ignoring(&[libc::SIGCHLD])] {
        let mut command = profiled("(exit 3); exit 8");
        run(born(&mut command, birth)).expect(8).reports();
    }
}

#[test]
fn under_nohup_a_hangup_ends_neither() {
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_boundby"), "profile", "--no-probe", "--", "sh", "-c"]);
    command
        .args(["trap 'echo marked' USR1; echo ready; until read x; do :; done; exit 4"])
        .env("NO_COLOR", "1");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut session = Session::interactive(&mut command);
    session.hears("ready");
    kernel::kill(-session.pid(), libc::SIGHUP);
    session.signal(libc::SIGUSR1);
    session.hears("marked");
    session.tell("go on");
    session.end().expect(4).reports();
}

#[test]
fn an_alarm_that_was_set_for_the_command_reaches_it() {
    // A second is the shortest alarm there is.
    let mut command = profiled("echo ready; read x; exit 0");
    let mut session = Session::interactive(born(&mut command, Birth::Alarmed(1)));
    session.hears("ready");
    let code = session.wait();
    assert_eq!(code, 128 + libc::SIGALRM);
    session.end().expect(code).reports();
}

#[test]
fn a_program_that_stops_itself_is_waited_for() {
    let mut session = Session::interactive(&mut profiled("echo $$; kill -STOP $$; echo on; read x; exit 6"));
    let program: i32 = session.line().parse().unwrap();
    wait_until("the program has stopped", || state(program) == Some('T'));
    session.let_it_sample(5);
    assert!(matches!(state(session.pid()), Some('S' | 'R')));
    kernel::kill(program, libc::SIGCONT);
    session.hears("on");
    session.tell("end");
    session.end().expect(6).reports();
}

#[test]
fn a_key_that_interrupts_does_so_once() {
    let (mut keyboard, theirs) = terminal();
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command.args(["profile", "--no-probe", "--", "sh", "-c", COUNTING]).env("NO_COLOR", "1");
    let mut session = Session::start(on_terminal(&mut command, &theirs));
    session.hears("ready");
    keyboard.write_all(b"\x03").unwrap();
    session.hears("counted");
    session.let_it_sample(10);
    session.signal(libc::SIGUSR1);
    session.hears("marked");
    // The quit key, and the impatient second interruption.
    keyboard.write_all(b"\x1c").unwrap();
    session.hears("counted");
    keyboard.write_all(b"\x03").unwrap();
    session.hears("counted");
    session.let_it_sample(10);
    session.signal(libc::SIGUSR2);
    session.hears("marked too");
    keyboard.write_all(b"end\n").unwrap();
    session.end().expect(3).reports();
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_program() {
    let (keyboard, theirs) = terminal();
    // Only the leader of a session is told: boundby, where alone it would be the program.
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command
        .args(["profile", "--no-probe", "--", "sh", "-c", "echo ready; exec sleep 1000"])
        .env("NO_COLOR", "1");
    let mut session = Session::start(on_terminal(&mut command, &theirs));
    session.hears("ready");
    drop((keyboard, theirs));
    session.end().expect(128 + libc::SIGHUP).reports();
}

#[test]
fn a_key_that_stops_the_job_stops_both_and_the_shell_can_go_on_with_it() {
    let (mut keyboard, theirs) = terminal();
    // A shell with job control, so that the group of the job has a parent in the session that can continue it.
    let script = "set -m
        \"$0\" profile --no-probe -- sh -c 'echo ready; read x; echo on; read x; exit 5'
        echo stopped with $?; read go; fg >/dev/null; exit $?";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_boundby")]).env("NO_COLOR", "1").stdin(Stdio::null());
    let mut session = Session::start(on_terminal(&mut command, &theirs));
    session.hears("ready");
    keyboard.write_all(b"\x1a").unwrap();
    session.hears("stopped with 148");
    keyboard.write_all(b"go\n").unwrap();
    keyboard.write_all(b"one\n").unwrap();
    session.hears("on");
    keyboard.write_all(b"two\n").unwrap();
    session.end().expect(5).reports();
    let _ = keyboard.read(&mut [0]);
}

#[test]
fn boundby_that_is_killed_takes_nothing_with_it() {
    let mut session =
        Session::interactive(&mut boundby(["profile", "--", "sh", "-c", "echo $$; read x; echo $x"]));
    session.line();
    session.signal(libc::SIGKILL);
    assert_eq!(session.wait(), 128 + libc::SIGKILL);
    session.tell("alive");
    session.hears("alive");
    let _ = session.end();
}
