//! The live view on a real terminal: what is shown, what keys do, and that the terminal is left as it was found, however it
//! ends.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::kernel::{self, on_terminal};
use crate::screen::Screen;
use crate::session::{boundby, file, pid, run, saved, state, wait_until};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A terminal that remembers what was written to it.
struct Tty {
    ours: File,
    theirs: OwnedFd,
    written: Arc<Mutex<Vec<u8>>>,
    /// Its modes in the beginning.
    before: String,
}

impl Tty {
    fn open(columns: u16, rows: u16) -> Self {
        let (ours, theirs) = kernel::terminal();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, memory) = (ours.try_clone().unwrap(), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                memory.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let before = modes(&theirs);
        let tty = Self { ours, theirs, written, before };
        tty.resize(columns, rows);
        tty
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.theirs, size).unwrap();
    }

    fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    fn types(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, later than what was shown before.
    #[track_caller]
    fn shows(&self, from: usize, text: &str) -> usize {
        let behind = || self.written().get(from..)?.find(text).map(|at| from + at + text.len());
        wait_until(text, || behind().is_some());
        behind().unwrap()
    }

    /// Fails unless the view was entered and left, its modes are what they were, and the cursor is shown. Returns what was
    /// written after it.
    #[track_caller]
    fn is_as_before(&self) -> String {
        // What is still on its way comes before what we write last.
        (&File::from(self.theirs.try_clone().unwrap())).write_all(b"<end>").unwrap();
        let from = self.written().find(ENTER).expect("the view was never shown");
        let end = self.shows(from, "<end>");
        let written = self.written();
        let (view, after) = written[..end - "<end>".len()].rsplit_once(LEAVE).expect("the view was not left");
        assert_eq!(written.matches(ENTER).count(), written.matches(LEAVE).count());
        for mode in ["?25", "?7"] {
            let [on, off] = ["h", "l"].map(|way| view.rfind(&format!("\x1b[{mode}{way}")));
            assert!(on > off, "{mode} was not switched on again");
        }
        assert_eq!(modes(&self.theirs), self.before);
        after.to_owned()
    }
}

fn modes(terminal: &OwnedFd) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

fn program() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Ends a program, which must have run until now and must not have been signalled.
#[track_caller]
fn end(mut program: Child) {
    assert!(matches!(state(pid(&program)), Some('S' | 'R')));
    drop(program.stdin.take());
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

/// boundby with these arguments, to be started on a terminal.
fn on_screen<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boundby"));
    command.args(arguments).env("NO_COLOR", "1").env("LC_ALL", "C").env("TERM", "xterm");
    command
}

/// `boundby top` of a program, on a terminal.
struct Top {
    tty: Tty,
    program: Child,
    view: Child,
}

impl Top {
    fn start(columns: u16, rows: u16) -> Self {
        let tty = Tty::open(columns, rows);
        let program = program();
        let number = program.id().to_string();
        let mut command = on_screen(["top", "--pid", &number]);
        let command = on_terminal(&mut command, &tty.theirs);
        let (out, err) = (tty.theirs.try_clone().unwrap(), tty.theirs.try_clone().unwrap());
        let view = command.stdout(out).stderr(err).spawn().unwrap();
        Self { tty, program, view }
    }

    /// Waits for its end, which must be a success.
    #[track_caller]
    fn is_over(&mut self) {
        assert_eq!(self.view.wait().unwrap().code(), Some(0), "{}", self.tty.written());
    }
}

#[test]
fn a_program_is_watched_until_somebody_quits_and_lives_on() {
    let mut top = Top::start(80, 24);
    let verdict = top.tty.shows(0, "Bound by");
    for text in ["The program, by wall time", "Its 1 thread", "Where, by wall time", "q quit"] {
        top.tty.shows(verdict, text);
    }
    top.tty.types("s");
    let at = top.tty.shows(verdict, "Where, by waiting");
    top.tty.types("?");
    let at = top.tty.shows(at, "quit; the process goes on");
    top.tty.types("\x1b");
    let at = top.tty.shows(at, "The program, by wall time");
    top.tty.types("p");
    let at = top.tty.shows(at, "paused");
    top.tty.types(" ");
    top.tty.shows(at, "p pause");
    top.tty.types("q");
    top.is_over();
    assert_eq!(top.tty.is_as_before(), "", "nothing is left behind");
    end(top.program);
}

#[test]
fn the_terminal_is_left_as_it_was_whatever_ends_the_view() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let mut top = Top::start(80, 24);
        top.tty.shows(0, "Bound by");
        kernel::kill(pid(&top.view), signal);
        top.is_over();
        top.tty.is_as_before();
        end(top.program);
    }
    let mut top = Top::start(80, 24);
    top.tty.shows(0, "Bound by");
    top.tty.types("\x03");
    top.is_over();
    top.tty.is_as_before();
    end(top.program);
}

#[test]
fn a_program_that_ends_leaves_its_report() {
    let mut top = Top::start(80, 24);
    top.tty.shows(0, "Bound by");
    drop(top.program.stdin.take());
    top.program.wait().unwrap();
    top.is_over();
    let report = top.tty.is_as_before();
    assert!(report.contains("   ended   ") && report.contains("Bound by"), "{report}");
}

#[test]
fn every_window_will_do_and_may_change() {
    let mut top = Top::start(20, 5);
    let mut at = top.tty.shows(0, "q quit");
    for (columns, rows) in [(1, 1), (300, 100), (20, 2), (80, 24)] {
        top.tty.resize(columns, rows);
        // Each change is drawn at once, from the first line on.
        at = top.tty.shows(at, "\x1b[H");
    }
    top.tty.shows(at, "The program, by wall time");
    top.tty.types("jjkG\x1b[5~\x1b[6~gq");
    top.is_over();
    top.tty.is_as_before();
    end(top.program);
}

#[test]
fn what_cannot_be_shown_says_what_to_type_instead() {
    let program = program();
    let number = program.id().to_string();
    let instead = format!("boundby profile --pid {number}");
    run(boundby(["top", "--pid", &number]).env("TERM", "xterm")).expect(125).says(&instead);
    let ran = run(boundby(["profile", "--live", "--", "echo", "mine"]).env("TERM", "dumb")).expect(125);
    assert!(ran.out().is_empty());
    ran.says("boundby profile -- CMD");
    end(program);
}

#[test]
fn a_command_may_not_write_across_its_view() {
    let tty = Tty::open(80, 24);
    let mut command = on_screen(["profile", "--live", "--", "echo", "mine"]);
    let command = on_terminal(&mut command, &tty.theirs);
    let out = tty.theirs.try_clone().unwrap();
    let status = command.stdout(out).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(125));
    (&File::from(tty.theirs.try_clone().unwrap())).write_all(b"<end>").unwrap();
    tty.shows(0, "<end>");
    assert_eq!(tty.written(), "<end>", "neither command nor view");
}

/// `profile --live` of a command that writes a line, and then reads from a pipe until it is closed.
fn watched(tty: &Tty, place: &std::path::Path) -> Child {
    let arguments = ["--no-probe", "-o", place.to_str().unwrap(), "--", "sh", "-c", "echo mine; cat; exit 7"];
    let mut command = on_screen(["profile", "--live"].into_iter().chain(arguments));
    let command = on_terminal(&mut command, &tty.theirs);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_command_is_watched_and_reported_and_its_streams_are_its_own() {
    for quits in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("profile.json");
        let mut tty = Tty::open(80, 24);
        let mut command = watched(&tty, &place);
        tty.shows(0, "Bound by");
        if quits {
            tty.types("q");
            tty.shows(0, LEAVE);
        }
        let mut input = command.stdin.take().unwrap();
        input.write_all(b"through\n").unwrap();
        drop(input);
        let output = command.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), &b"mine\nthrough\n"[..]));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let report = tty.is_as_before();
        assert!(report.contains("exit 7") && report.contains("Bound by"), "{report}");
        assert_eq!(saved(&place)["exit"]["code"], 7);
    }
}

#[test]
fn a_signal_reaches_the_command_and_its_end_ends_the_view() {
    let folder = tempfile::tempdir().unwrap();
    let tty = Tty::open(80, 24);
    let mut command = watched(&tty, &folder.path().join("profile.json"));
    tty.shows(0, "Bound by");
    // Its end would be that of the command.
    let input = command.stdin.take();
    kernel::kill(pid(&command), libc::SIGTERM);
    assert_eq!(command.wait().unwrap().code(), Some(128 + libc::SIGTERM));
    drop(input);
    let report = tty.is_as_before();
    assert!(report.contains("killed by SIGTERM"), "{report}");
}

#[test]
fn what_is_over_at_once_is_shown_by_its_report_alone() {
    let tty = Tty::open(80, 24);
    let mut command = on_screen(["profile", "--live", "--no-probe", "--", "true"]);
    let command = on_terminal(&mut command, &tty.theirs);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    tty.shows(0, "Do this");
    assert!(!tty.written().contains(ENTER));
}

#[test]
fn a_panic_in_any_thread_gives_the_terminal_back_before_it_is_told() {
    let tty = Tty::open(80, 24);
    let mut screen = Screen::open(tty.theirs.try_clone().unwrap().into()).unwrap();
    screen.show(&["shown".to_owned()]);
    tty.shows(0, "shown");
    assert_ne!(modes(&tty.theirs), tty.before);
    std::thread::spawn(|| panic!("this panic is part of a test")).join().unwrap_err();
    assert_eq!(tty.is_as_before(), "");
    // Whoever still draws draws nothing, and whoever leaves leaves nothing twice.
    screen.show(&["late".to_owned()]);
    drop(screen);
    assert!(!tty.is_as_before().contains("late"));
    let notes = tempfile::tempdir().unwrap();
    let no_terminal = File::open(file(notes.path(), "notes", "")).unwrap();
    assert!(Screen::open(no_terminal).is_err());
}
