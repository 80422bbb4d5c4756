//! `boundby calibrate` keeps what it measures, and predictions use it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn boundby(home: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boundby"))
        .args(words)
        .env("XDG_CONFIG_HOME", home)
        .output()
        .expect("boundby was built")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The predicted time of a hundred processes for next to nothing: their start is all there is to it.
fn predicted(home: &Path) -> f64 {
    let words = "simulate --tasks 100 --cpu 10ms --cpus 64 --workers 50 --strategy processes --format json";
    let output = boundby(home, &words.split(' ').collect::<Vec<_>>());
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let points = answer["models"][0]["points"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let fifty = points.iter().find(|point| point["workers"] == 50);
    fifty.and_then(|point| point["wall_s"].as_f64()).unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn what_is_measured_is_kept_used_and_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("boundby/calibration.json");
    assert!(said(&boundby(home.path(), &["doctor"])).contains("to get it: boundby calibrate"));
    let dry = boundby(home.path(), &["calibrate", "--dry-run"]);
    assert!(dry.status.success() && !file.exists(), "{}", said(&dry));
    assert!(said(&dry).contains("native_thread_start"), "{}", said(&dry));

    let measured = boundby(home.path(), &["calibrate"]);
    assert!(measured.status.success(), "{}", said(&measured));
    let doctor = said(&boundby(home.path(), &["doctor"]));
    assert!(doctor.lines().any(|line| line.starts_with("calibration") && line.contains("old")), "{doctor}");

    let mut kept: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut with_start = |seconds: f64| {
        kept["model"]["process_start"] = seconds.into();
        fs::write(&file, kept.to_string()).unwrap();
        predicted(home.path())
    };
    let (quick, slow) = (with_start(0.001), with_start(0.1));
    assert!(slow > 2.0 * quick, "{quick} {slow}");

    kept["host"]["cpu"] = "another".into();
    fs::write(&file, kept.to_string()).unwrap();
    assert!(said(&boundby(home.path(), &["doctor"])).contains("measured on another computer"));
    assert!((predicted(home.path()) - slow).abs() > 0.2 * slow, "it was believed all the same");

    assert!(said(&boundby(home.path(), &["calibrate", "--forget"])).contains("removed"));
    assert!(!file.exists());
    assert!(said(&boundby(home.path(), &["calibrate", "--forget"])).contains("nothing to forget"));
}

#[test]
fn a_python_that_was_named_must_be_there() {
    let home = tempfile::tempdir().unwrap();
    let output = boundby(home.path(), &["calibrate", "--python", "/no/such/python"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("/no/such/python"));
}
