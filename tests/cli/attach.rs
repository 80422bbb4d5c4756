//! `--pid`: what cannot be attached to is said; what is attached to goes on.

use std::process::{Child, Command, Stdio};

use crate::kernel::{self, Birth, born};
use crate::session::{Session, boundby, pid, run, saved, state, wait_until};

/// A program that waits for its input to end, and the profile of it.
struct Watched {
    target: Child,
    session: Session,
}

impl Watched {
    /// `arguments` go behind `profile --pid PID`; `birth` is boundby's.
    fn start(arguments: &[&str], birth: Option<Birth>) -> Self {
        let target = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let number = pid(&target).to_string();
        let mut command = boundby(["profile", "--pid", &number].iter().chain(arguments));
        if let Some(birth) = birth {
            born(&mut command, birth);
        }
        let session = Session::start(command.stdin(Stdio::null()));
        let watched = Self { target, session };
        watched.wait_for_attachment();
        watched
    }

    /// Attached is who keeps files of the target open.
    fn wait_for_attachment(&self) {
        let (files, target) =
            (format!("/proc/{}/fd", self.session.pid()), format!("/proc/{}/", pid(&self.target)));
        let is_of_target = |entry: std::fs::DirEntry| {
            std::fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with(&target))
        };
        wait_until("boundby is attached", || {
            std::fs::read_dir(&files).is_ok_and(|entries| entries.flatten().any(is_of_target))
        });
    }
}

/// Ends a target, which must have run until now and must not have been signalled.
fn end(mut target: Child) {
    assert!(matches!(state(pid(&target)), Some('S' | 'R')));
    drop(target.stdin.take());
    assert_eq!(target.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interruption_gives_the_report_and_leaves_the_program_running() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let Watched { target, session } = Watched::start(&[], None);
        session.let_it_sample(5);
        session.signal(signal);
        // Whoever is impatient gets the same report.
        session.signal(signal);
        let ran = session.end().expect(0);
        assert!(ran.out().contains("still running") && ran.out().contains("Bound by"), "{}", ran.out());
        assert!(ran.err().is_empty(), "{}", ran.err());
        end(target);
    }
}

#[test]
fn a_hangup_that_was_to_be_ignored_is_ignored() {
    let Watched { mut target, session } = Watched::start(&[], Some(Birth::Ignoring(&[libc::SIGHUP])));
    session.signal(libc::SIGHUP);
    session.let_it_sample(5);
    drop(target.stdin.take());
    target.wait().unwrap();
    let ran = session.end().expect(0);
    assert!(!ran.out().contains("still running"), "{}", ran.out());
}

#[test]
fn a_program_that_ends_while_it_is_watched_ends_the_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let Watched { mut target, session } = Watched::start(&["-o", place.to_str().unwrap()], None);
    session.let_it_sample(5);
    drop(target.stdin.take());
    // Not reaped yet: that it is a zombie must not keep boundby.
    let ran = session.end().expect(0);
    assert!(ran.out().contains("   ended   "), "{}", ran.out());
    let exit = &saved(&place)["exit"];
    assert!(exit.is_object() && exit["code"].is_null() && exit["signal"].is_null(), "{exit}");
    let again = run(&mut boundby(["report", "--profile", place.to_str().unwrap()])).expect(0);
    assert!(again.out().contains("   ended   "), "{}", again.out());
    target.wait().unwrap();
}

#[test]
fn the_time_that_was_given_is_kept() {
    let Watched { target, session } = Watched::start(&["--duration", "300ms"], None);
    let ran = session.end().expect(0);
    assert!(ran.out().contains("still running"), "{}", ran.out());
    end(target);
}

#[test]
fn whoever_watches_its_own_parent_does_not_watch_itself() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let line = "\"$0\" profile --pid $$ --duration 100ms -o \"$1\" & wait $!";
    let mut command = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.args(["-c", line, env!("CARGO_BIN_EXE_boundby"), place.to_str().unwrap()]);
    run(&mut command).expect(0);
    assert_eq!(saved(&place)["profile"]["processes"], 1);
}

#[test]
fn what_is_no_process_is_refused_by_what_it_is() {
    let refused = |number: &str, says: &str| {
        let ran = run(&mut boundby(["profile", &format!("--pid={number}"), "--duration", "1h"]));
        let ran = ran.expect(125).says(says);
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with(b"boundby: "), "{}", ran.err());
    };
    for absent in ["2147483647", "0", "-1"] {
        refused(absent, "no process has the pid");
    }
    let mut ended = Command::new("true").spawn().unwrap();
    kernel::wait_for_zombie(pid(&ended));
    refused(&ended.id().to_string(), "has ended already");
    ended.wait().unwrap();
    refused(&kernel::thread_id().to_string(), &format!("is a thread of process {}", std::process::id()));
}

#[test]
fn boundby_does_not_watch_itself() {
    let mut command = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.args(["-c", "exec \"$0\" profile --pid $$", env!("CARGO_BIN_EXE_boundby")]);
    run(&mut command).expect(125).says("is this very boundby");
}

#[test]
fn a_thread_of_the_kernel_is_no_program() {
    let is_kernel = std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd");
    if !is_kernel || !kernel::is_root() {
        return eprintln!(
            "skipped: only root can tell a thread of the kernel, and only where one is to be seen"
        );
    }
    run(&mut boundby(["profile", "--pid", "2", "--duration", "1h"]))
        .expect(125)
        .says("is a thread of the kernel");
}

#[test]
fn the_first_process_is_measured_or_refused_but_nothing_else() {
    let ran = run(&mut boundby(["profile", "--pid", "1", "--duration", "50ms"]));
    match ran.code {
        0 => assert!(ran.out().contains("Bound by"), "{}", ran.out()),
        _ => drop(ran.expect(125).says("may not be measured")),
    }
}
