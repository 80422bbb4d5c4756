//! `boundby report` from the arguments to the file: what it reads, what it refuses, what it writes.

use std::path::PathBuf;

use boundby::advice::advise_for;
use boundby::cli::ReportArgs;
use boundby::commands::report::run;
use boundby::report::Report;
use boundby::report::json::to_json;
use boundby::rules::RuleSet;
use clap::Parser;
use tempfile::TempDir;

use crate::report_cases::{self, Case};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ReportArgs,
}

fn parse(words: &[&str]) -> Result<ReportArgs, String> {
    let line = Line::try_parse_from(std::iter::once(&"report").chain(words));
    line.map(|line| line.args).map_err(|error| error.to_string())
}

fn case(name: &str) -> Case {
    report_cases::all().into_iter().find(|case| case.name == name).unwrap()
}

/// The saved report of a case in a folder, as the text of its path.
fn saved(folder: &TempDir, name: &str) -> String {
    let path = folder.path().join(name).with_extension("json");
    std::fs::write(&path, to_json(&case(name).report())).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs with the advice of a case, whatever is read.
fn run_with_advice_of(name: &str, words: &[&str]) -> Result<(), String> {
    let advice = case(name).advice;
    run(&parse(words)?, |_, _, _| Ok(advice.clone())).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_saved_report_is_rendered_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.txt");
    let profile = saved(&folder, "network-python");
    run_with_advice_of("network-python", &["--profile", &profile, "-o", out.to_str().unwrap()]).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("threads × 16") || text.contains("threads x 16"), "{text}");

    let json = folder.path().join("again.json");
    let words = ["--profile", &profile, "--format", "json", "-o", json.to_str().unwrap()];
    run_with_advice_of("network-python", &words).unwrap();
    assert_eq!(std::fs::read_to_string(&json).unwrap(), std::fs::read_to_string(&profile).unwrap());
}

/// What `boundby report` says of a saved profile, by the rules and for goals.
fn judged(words: &str) -> Result<serde_json::Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let profile = saved(&folder, "network-python");
    let fixed = ["--profile", &profile, "--format", "json", "-o", out.to_str().unwrap()];
    let args = parse(&words.split_whitespace().chain(fixed).collect::<Vec<_>>())?;
    let goals = args.goals.goals(args.tasks)?;
    let rules = RuleSet::builtin().unwrap();
    run(&args, |profile, machine, known| Ok(advise_for(profile, machine, known, &goals, &rules)))
        .map_err(|error| format!("{error:#}"))?;
    Ok(serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap())
}

#[test]
fn a_measured_profile_is_judged_against_goals() {
    let first = |words: &str| judged(words).unwrap()["recommendations"][0].clone();
    let plain = first("");
    assert_eq!((&plain["strategy"], plain["action"].as_str()), (&"threads".into(), Some("adopt")));

    // 200 items of 61 ms were measured; 100,000 of them take 1 h 41 min one after another.
    let many = first("--tasks 100000");
    let (wall, speedup) =
        (many["predicted"]["wall_s"].as_f64().unwrap(), many["predicted"]["speedup"].as_f64().unwrap());
    assert!((wall * speedup / 6100.0 - 1.0).abs() < 0.05, "{many:#}");
    let far = first("--tasks 100000 --deadline 1min");
    assert_eq!((&far["strategy"], &far["engine"]), (&"distributed".into(), &"ray".into()), "{far:#}");
    assert!(far["caveats"].to_string().contains("not spark"), "{far:#}");
    let few = first("--tasks 100000 --deadline 1min --machines 2");
    assert!(few["caveats"].to_string().contains("2 may be used"), "{few:#}");
    let easy = first("--deadline 5s");
    assert!(easy["caveats"].to_string().contains("meets the deadline of 5.00 s"), "{easy:#}");

    assert_eq!(first("--downstream-limit 4")["workers"], 4);
    assert_eq!(first("--connections 10000")["strategy"], "async");
    let server = first("--rate 100/s --latency 500ms");
    assert!(server["construct"].as_str().unwrap().starts_with("gunicorn --workers"), "{server:#}");
    assert!(first("--rate 100/s --downstream-limit 2")["headline"].as_str().unwrap().contains("at most"));
    first("--tasks 1e9 --data-size 1TiB --payload 1MB --work tables --machines 40 --deadline 1h");
}

#[test]
fn goals_that_cannot_be_are_refused_with_what_to_type() {
    for (words, says) in [
        ("--tasks 0", "type 1 or more"),
        ("--tasks -5", "type "),
        ("--deadline -1s", "less than nothing"),
        ("--deadline 0s", "no time at all"),
        ("--latency 1s", "--rate"),
        ("--rate 0/s", "no rate"),
        ("--concurrency 5 --downstream-limit 2", "change one of them"),
        ("--tasks 5 --rate 3/s", "leave one of them out"),
        ("--deadline 5s --rate 3/s", "type --latency instead"),
        ("--machines 0", "type 1 or more"),
        ("--work magic", "possible values"),
        ("--payload -3B", "type "),
    ] {
        let refused = judged(words).err().unwrap_or_else(|| panic!("{words} is answered"));
        assert!(refused.contains(says), "{words}: {refused}");
    }
}

#[test]
fn several_profiles_are_shown_one_after_another_but_are_not_one_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("both.txt");
    let (one, other) = (saved(&folder, "network-python"), saved(&folder, "idle-server"));
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
    let whole = to_json(&case("throttled").report());
    let cases = [
        (folder.path().join("absent.json"), "cannot read"),
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
    let words = ["--profile", &saved(&folder, "throttled"), "-o", out.to_str().unwrap()];
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

#[test]
fn what_bound_a_saved_program_when_is_drawn_for_a_viewer() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/replay/network-pool/recording.jsonl");
    let (profile, machine) = boundby::profile::replay(std::fs::read(recorded).unwrap().as_slice()).unwrap();
    let Case { advice, .. } = case("network-python");
    let report = Report { profile: &profile, machine: &machine, advice: &advice, source: None };
    std::fs::write(place("saved.json"), to_json(&report)).unwrap();
    let draws = |saved: &str| {
        let words = ["--profile", saved, "--format", "trace", "-o", &place("trace.json")];
        run_with_advice_of("network-python", &words)
    };
    draws(&place("saved.json")).unwrap();
    let trace = serde_json::from_slice(&std::fs::read(place("trace.json")).unwrap()).unwrap();
    let read = crate::check::read(&trace).unwrap();
    assert!(read.counters.len() > 2 && read.slices.is_empty(), "{trace}");
    assert!(trace["otherData"]["sampled"].is_null(), "no thread is shown");

    let refused = draws(&saved(&folder, "network-python")).unwrap_err();
    assert!(refused.contains("holds no timeline: profile the program again"), "{refused}");
}
