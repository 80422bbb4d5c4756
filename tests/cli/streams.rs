//! What the program is given and what it gives is the same with and without boundby.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::kernel::{Birth, born};
use crate::session::{Ran, Session, boundby, profiled, run};

/// Bytes of every value in an order that repeats late.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn what_goes_in_comes_out_byte_by_byte() {
    let sent = noise(3 << 20);
    let mut session = Session::interactive(&mut boundby(["profile", "--no-probe", "--", "cat"]));
    let mut stdin = session.stdin.take().unwrap();
    let copy = sent.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&copy));
    let ran = session.end().expect(0).reports();
    writer.join().unwrap().unwrap();
    assert!(ran.stdout == sent, "{} bytes of {}", ran.stdout.len(), sent.len());
}

#[test]
fn what_the_program_says_on_standard_error_comes_first_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let said = crate::session::file(folder.path(), "said", noise(1 << 20));
    let ran = run(&mut profiled(&format!("cat {} >&2", said.display()))).expect(0).reports();
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.starts_with(&fs::read(said).unwrap()));
}

/// The output of a program alone and under boundby, both born alike.
fn both(arguments: &[&str], birth: Option<Birth>) -> (Vec<u8>, Vec<u8>) {
    let mut alone = Command::new(arguments[0]);
    alone.args(&arguments[1..]).env("NO_COLOR", "1").env("LC_ALL", "C").stdin(Stdio::null());
    born(&mut alone, Birth::Mortal);
    let mut under = boundby(["profile", "--no-probe", "--"].iter().chain(arguments));
    if let Some(birth) = birth {
        born(&mut alone, birth);
        born(&mut under, birth);
    }
    (alone.output().unwrap().stdout, run(&mut under).expect(0).stdout)
}

#[test]
fn the_program_is_born_into_the_same_world() {
    let lists = "ls /proc/$$/fd; umask; pwd; id; cat /proc/$$/limits";
    for arguments in [&["env"][..], &["sh", "-c", lists]] {
        let (alone, under) = both(arguments, None);
        assert_eq!(String::from_utf8_lossy(&under), String::from_utf8_lossy(&alone));
    }
}

#[test]
fn the_program_is_born_with_the_same_signals() {
    let births = [
        None,
        Some(Birth::Ignoring(&[libc::SIGPIPE])),
        Some(Birth::Ignoring(&[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGCHLD, libc::SIGALRM])),
        Some(Birth::Blocking),
    ];
    for birth in births {
        let (alone, under) = both(&["grep", "^S[hi][dg][A-Z][a-z]", "/proc/self/status"], birth);
        let (alone, under) = (String::from_utf8_lossy(&alone), String::from_utf8_lossy(&under));
        assert!(alone.contains("SigBlk") && alone.contains("SigIgn"), "{alone}");
        assert_eq!(under, alone, "{birth:?}");
    }
}

#[test]
fn the_program_shares_the_group_and_the_session() {
    let mut session = Session::interactive(&mut profiled("cut -d' ' -f5 /proc/$$/stat; read x"));
    let group = session.line();
    assert_eq!(group, session.pid().to_string());
    session.end();
}

/// Runs a line of shell in which `$0` is boundby.
fn by_shell(line: &str) -> Ran {
    let mut command = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    run(command.args(["-c", line, env!("CARGO_BIN_EXE_boundby")]).env("NO_COLOR", "1"))
}

#[test]
fn streams_that_are_closed_or_full_cost_neither_status_nor_program() {
    for redirection in ["2>&-", "<&-", ">&-", "<&- >&- 2>&-", "2>/dev/full"] {
        by_shell(&format!("\"$0\" profile --no-probe -- sh -c 'exit 6' {redirection}")).expect(6);
        by_shell(&format!("\"$0\" profile -- boundby-no-such-command {redirection}")).expect(127);
    }
}

#[test]
fn output_for_which_there_is_no_room_is_an_error_and_a_reader_that_left_is_none() {
    for subcommand in ["rules list", "doctor", "man", "completions bash"] {
        by_shell(&format!("\"$0\" {subcommand} >/dev/full"))
            .expect(2)
            .says("cannot write to standard output");
    }
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.json");
    run(&mut crate::session::saving(&saved, "exit 0")).expect(0);
    let report = format!("report --profile {}", saved.display());
    for subcommand in ["rules list", "doctor", "man", "completions bash", "--help", "rules --help", &report] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = boundby(subcommand.split(' '));
        let status = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&status.stderr);
        assert!(status.status.success() && said.is_empty(), "{subcommand}: {said}");
    }
}
