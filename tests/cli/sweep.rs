//! `boundby sweep` runs commands for real.

use std::process::{Command, Output};

use serde_json::Value;

fn sweep(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boundby")).arg("sweep").args(words).output().unwrap()
}

fn json(words: &[&str]) -> Value {
    let output = sweep(&[&["--format", "json"], words].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A pool of four: its work, divided by as many workers as there are, up to four.
const POOL: &str = "sleep $(awk -v n={workers} 'BEGIN { print 0.4 / (n < 4 ? n : 4) }')";

#[test]
fn the_knee_is_found_and_the_output_of_the_command_goes_nowhere() {
    let swept = json(&["--max", "8", "--", "sh", "-c", &format!("echo out; {POOL}")]);
    let knee = swept["workers"].as_u64().unwrap();
    assert!((3..=5).contains(&knee), "{swept}");
    assert_eq!(swept["makes_a_difference"], true);
    let runs: usize =
        swept["numbers"].as_array().unwrap().iter().map(|one| one["times_s"].as_array().unwrap().len()).sum();
    assert!(runs <= 8 * 4 / 2, "{runs} runs: {swept}");
}

#[test]
fn a_number_in_the_environment_that_nobody_reads_makes_no_difference() {
    let swept = json(&["--env", "NOBODY_READS_THIS", "--max", "4", "--", "sleep", "0.2"]);
    assert_eq!((&swept["makes_a_difference"], &swept["workers"]), (&Value::Bool(false), &Value::from(1)));
    let read = json(&["--env", "N", "--workers", "1,4", "--", "sh", "-c", "sleep 0.$((8 / N))"]);
    assert_eq!(read["workers"], 4);
}

#[test]
fn what_fails_is_told_and_left_out() {
    let swept =
        json(&["--workers", "1,2,4", "--", "sh", "-c", "test {workers} -lt 4 && sleep 0.$((4 / {workers}))"]);
    assert_eq!(swept["workers"], 2);
    assert_eq!(swept["failed"][0]["workers"], 4);
    let none = sweep(&["--workers", "1,2", "--", "false", "{workers}"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stdout).contains("no number of workers works"));
}

#[test]
fn a_command_that_takes_no_number_or_is_not_there_is_an_error() {
    for (words, says) in [
        (&["--", "true"][..], "write {workers} where the number goes"),
        (&["--", "/no/such/program", "{workers}"], "is it installed"),
        (&["--workers", "0", "--", "true", "{workers}"], "no number of workers"),
    ] {
        let output = sweep(words);
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(says), "{error}");
    }
}
