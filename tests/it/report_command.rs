//! `boundby report` from the arguments to the file: what it reads, what it refuses, what it writes.

use std::path::{Path, PathBuf};

use boundby::advice::Advice;
use boundby::commands::report::{ReportArgs, run};
use boundby::report::json::from_json;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ReportArgs,
}

fn parse(words: &[&str]) -> Result<ReportArgs, String> {
    let line = Line::try_parse_from(std::iter::once(&"report").chain(words));
    line.map(|line| line.args).map_err(|error| error.to_string())
}

fn golden(case: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/reports").join(case).join("report.json").to_str().unwrap().to_owned()
}

/// Runs with the advice that is in the golden file of a case.
fn run_with_advice_of(case: &str, words: &[&str]) -> Result<(), String> {
    let saved = from_json(&std::fs::read(golden(case)).unwrap()).unwrap();
    let advise = |_: &_, _: &_| -> anyhow::Result<Advice> { Ok(saved.advice_was.clone()) };
    run(&parse(words)?, advise).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_saved_report_is_rendered_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.txt");
    let profile = golden("network-python");
    run_with_advice_of("network-python", &["--profile", &profile, "-o", out.to_str().unwrap()]).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("threads × 16") || text.contains("threads x 16"), "{text}");

    let json = folder.path().join("again.json");
    let words = ["--profile", &profile, "--format", "json", "-o", json.to_str().unwrap()];
    run_with_advice_of("network-python", &words).unwrap();
    assert_eq!(std::fs::read(&json).unwrap(), std::fs::read(&profile).unwrap());
}

#[test]
fn several_profiles_are_shown_one_after_another_but_are_not_one_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("both.txt");
    let (one, other) = (golden("network-python"), golden("idle-server"));
    let words = ["--profile", &one, &other, "-o", out.to_str().unwrap()];
    run_with_advice_of("network-python", &words).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("python3 etl.py") && text.contains("\n\n /usr/bin/node server.js"), "{text}");

    let refusal =
        run_with_advice_of("network-python", &["--profile", &one, &other, "--format", "json"]).unwrap_err();
    assert!(refusal.contains("give one --profile"), "{refusal}");
}

#[test]
fn every_refusal_names_the_file_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let whole = std::fs::read(golden("throttled")).unwrap();
    let cases = [
        (folder.path().join("absent.json"), "cannot open"),
        (folder.path().to_owned(), "cannot read"),
        (file("cut.json", &whole[..whole.len() / 2]), "copy it again, or profile again"),
        (file("other.json", b"{\"name\": \"npm\"}"), "give a file written by `boundby profile"),
    ];
    for (path, says) in cases {
        let path = path.to_str().unwrap();
        let refusal = run_with_advice_of("throttled", &["--profile", path]).unwrap_err();
        assert!(refusal.contains(says) && refusal.contains(path), "{refusal}");
    }
    let out = folder.path().join("no/such/folder/report.txt");
    let words = ["--profile", &golden("throttled"), "-o", out.to_str().unwrap()];
    let refusal = run_with_advice_of("throttled", &words).unwrap_err();
    assert!(refusal.contains("choose another file with -o"), "{refusal}");
}

#[test]
fn the_arguments_say_what_is_possible() {
    assert!(parse(&[]).unwrap_err().contains("--profile"));
    let refusal = parse(&["--profile", "x", "--format", "pdf"]).unwrap_err();
    assert!(refusal.contains("text") && refusal.contains("json"), "{refusal}");
    let args = parse(&["--profile", "a", "--profile", "b", "--verbose"]).unwrap();
    assert_eq!(args.profiles, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(args.verbose);
}
