//! `simulate` and `decide`: what is not measured is answered or refused like everything else.

use std::fs;
use std::process::Stdio;

use crate::session::{boundby, run};

const WORK: [&str; 6] = ["--wait", "100ms", "--cpu", "1ms", "--cpus", "2"];

#[test]
fn an_answer_is_zero_and_on_standard_output() {
    let ran = run(boundby(["simulate", "--tasks", "1000"]).args(WORK)).expect(0);
    assert!(ran.out().contains("threads") && ran.stderr.is_empty(), "{}", ran.err());
    let ran = run(boundby(["decide", "--items", "1000", "--language", "python"]).args(WORK)).expect(0);
    assert!(ran.out().contains("Do this") && ran.stderr.is_empty(), "{}", ran.err());
    // Nobody is asked where nobody can answer.
    let ran = run(boundby(["decide"]).stdin(Stdio::null())).expect(0);
    assert!(ran.out().contains("not known yet") && ran.stderr.is_empty(), "{}", ran.err());
}

#[test]
fn what_cannot_be_is_two_and_says_what_to_type() {
    run(&mut boundby(["simulate", "--wait", "1s"])).expect(2).says("type --tasks 1000");
    run(&mut boundby(["simulate", "--tasks", "0", "--wait", "1s"])).expect(2).says("type 1 or more");
    run(&mut boundby(["decide", "--wait", "-1s"])).expect(2).says("less than nothing");
    run(&mut boundby(["decide", "--rate", "9/s", "--deadline", "1s"])).expect(2).says("type --latency");
    run(&mut boundby(["report", "--profile", "x.json", "--tasks", "0"])).expect(2).says("type 1 or more");
    let limits = ["--concurrency", "5", "--downstream-limit", "2"];
    run(boundby(["report", "--profile", "x.json"]).args(limits)).expect(2).says("change one of them");
    // What cannot be is found before the program runs.
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let ran =
        run(boundby(["profile"]).args(limits).args(["--", "touch", mark.to_str().unwrap()])).expect(125);
    ran.says("change one of them");
    assert!(!mark.exists());
    let place = ["simulate", "--tasks", "9", "-o", "/no/such/folder/x"];
    run(boundby(place).args(WORK)).expect(2).says("cannot write").says("choose another file with -o");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for command in ["simulate --tasks 1000", "decide --items 1000 --language python"] {
        let mut child = boundby(command.split(' ').chain(WORK)).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{command}");
    }
}

#[test]
fn a_drawing_goes_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("curve.svg");
    let words = ["simulate", "--tasks", "1000", "--format", "svg", "-o", place.to_str().unwrap()];
    let ran = run(boundby(words).args(WORK)).expect(0);
    assert!(ran.stdout.is_empty());
    assert!(fs::read_to_string(place).unwrap().starts_with("<svg "));
}
