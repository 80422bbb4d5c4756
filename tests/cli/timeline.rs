//! `profile --timeline`: the file of a real program, and what becomes of it when something else goes wrong.

use serde_json::Value;

use crate::check::{Read, read};
use crate::session::{Session, boundby, run};

/// The timeline of `sh -c SCRIPT`, which says that it is ready, waits for its input to end, and must end with this code.
fn drawn(script: &str, more: &[&str], code: i32) -> (Read, Value) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("timeline.json");
    let mut arguments = vec!["profile", "--no-probe", "--timeline", place.to_str().unwrap()];
    arguments.extend(more);
    arguments.extend(["--", "sh", "-c", script]);
    let mut session = Session::interactive(&mut boundby(arguments));
    session.hears("ready");
    session.let_it_sample(60);
    session.end().expect(code);
    let trace: Value = serde_json::from_slice(&std::fs::read(place).unwrap()).unwrap();
    (read(&trace).unwrap(), trace)
}

#[test]
fn a_real_program_is_drawn_with_its_processes_and_what_they_waited_for() {
    let (read, trace) =
        drawn("echo ready; cat; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 3", &[], 3);
    let name = |pid: i64| read.processes.get(&pid).map(String::as_str);
    let of = |process: &str, category: &str| {
        read.slices
            .iter()
            .filter(|slice| name(slice.pid) == Some(process) && slice.category == category)
            .map(|slice| (slice.to - slice.from) as f64 / 1e9)
            .sum::<f64>()
    };
    let times =
        [("cat", "pipe"), ("sh", "child"), ("sh", "cpu")].map(|(process, category)| of(process, category));
    assert!(times.iter().all(|time| *time > 0.01), "{times:?}");
    let reads = read.slices.iter().find(|slice| name(slice.pid) == Some("cat") && slice.category == "pipe");
    assert_eq!(reads.unwrap().args["operation"], "read");
    // The shell went on because cat had ended.
    assert!(
        read.arrows.iter().any(|[from, to]| name(from.0) == Some("cat") && name(to.0) == Some("sh")),
        "{:?}",
        read.arrows
    );
    assert!(read.threads.values().any(|name| name == "sh"), "{:?}", read.threads);
    assert!(trace["otherData"]["sampled"].is_string() && trace["otherData"]["left out"].is_null());
}

#[test]
fn it_is_written_even_if_the_report_fails() {
    let (read, _) = drawn("echo ready; cat", &["--scan", "/nowhere/at/all"], 125);
    assert!(!read.slices.is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_known_before_the_program_runs() {
    let ran = run(&mut boundby(["profile", "--timeline", "/nowhere/t.json", "--", "echo", "mine"]));
    let ran =
        ran.expect(125).says("boundby: cannot write /nowhere/t.json: choose another file with --timeline");
    assert!(ran.stdout.is_empty());
}

#[test]
fn a_command_that_cannot_run_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("timeline.json");
    let arguments = ["profile", "--timeline", place.to_str().unwrap(), "--", "boundby-no-such-command"];
    run(&mut boundby(arguments)).expect(127);
    assert!(!place.exists());
}
