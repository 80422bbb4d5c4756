//! A scan beside a run of the same source: `scan --profile`, `profile --scan`, `report --scan`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use boundby::cli::ScanArgs;
use boundby::commands::scan::{scan_in, scanned};
use boundby::profile::stack::Frame;
use boundby::profile::{CallStacks, Profile, StackTime};
use boundby::report::scan::ScanFormat;
use boundby::report::{Format, Report, Style, json, render};
use boundby::wait::{Account, WaitKind};
use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use crate::report_cases::{Case, all};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ScanArgs,
}

/// Calls that were made for long, for a moment and never; one that the catalogue knows and no rule is about.
const SOURCE: &str = "\
import time
import requests


async def handler(url):
    time.sleep(0.01)
    return requests.get(url)


async def never():
    time.sleep(9)


def load(url):
    return requests.post(url)
";

/// The golden reports' first program, as if it had run that source.
fn case(root: &Path) -> Case {
    let mut case = all().remove(0);
    let file = root.join("app.py").display().to_string();
    let sites = case.profile.sites.clone();
    let lines = [(7u32, 9000), (6, 40), (15, 2000)];
    case.profile.sites = lines
        .iter()
        .map(|(line, ms)| {
            let mut site = sites[0].clone();
            let at = site.at.as_mut().unwrap();
            (at.file, at.line, at.function) = (Some(file.clone()), Some(*line), "handler".to_owned());
            site.callers.clear();
            site.critical = Duration::from_millis(*ms);
            site
        })
        .collect();
    let frame = |(line, _): &(u32, u64)| Frame {
        function: "handler".to_owned(),
        file: Some(file.clone()),
        line: Some(*line),
        own: true,
    };
    let stack = |(number, (_, ms)): (u32, &(u32, u64))| StackTime {
        process: "python3".to_owned(),
        account: Account::Wait(WaitKind::Network),
        operation: "recvfrom".to_owned(),
        resource: None,
        frames: vec![number],
        time: Duration::from_millis(*ms),
        critical: Duration::from_millis(*ms),
        episodes: 7,
    };
    case.profile.call_stacks = CallStacks {
        frames: lines.iter().map(frame).collect(),
        stacks: (0..).zip(&lines).map(stack).collect(),
        read: 9,
        torn: 0,
    };
    case
}

fn project() -> (TempDir, Case) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("app.py"), SOURCE).unwrap();
    let case = case(root.path());
    fs::write(root.path().join("run.json"), json::to_json(&case.report())).unwrap();
    (root, case)
}

fn scan(root: &Path, format: ScanFormat, words: &[&str]) -> String {
    let line = ["scan", "--format", format.name()].into_iter().chain(words.iter().copied());
    let outcome = scan_in(&Line::try_parse_from(line).unwrap().args, root).unwrap();
    String::from_utf8(outcome.outputs[0].1.clone()).unwrap()
}

#[test]
fn every_format_says_what_a_finding_cost() {
    let (root, _) = project();
    for format in ScanFormat::all() {
        let alone = scan(root.path(), format, &[]);
        let beside = scan(root.path(), format, &["--profile", "run.json"]);
        let says = match format {
            ScanFormat::Json => "\"wall_s\": 9.0",
            _ => "9.00 s of the run's 12.4 s, 7 waits",
        };
        assert!(beside.contains(says) && !alone.contains(says), "{}: {beside}", format.name());
    }
}

#[test]
fn findings_are_ranked_by_what_they_cost_and_those_that_never_ran_come_last() {
    let (root, _) = project();
    let beside = |format| -> Value {
        serde_json::from_str(&scan(root.path(), format, &["--profile", "run.json"])).unwrap()
    };
    let json = beside(ScanFormat::Json);
    let found = json["findings"].as_array().unwrap();
    let told: Vec<(u64, Option<f64>)> = found
        .iter()
        .map(|finding| (finding["place"]["line"].as_u64().unwrap(), finding["measured"]["wall_s"].as_f64()))
        .collect();
    assert_eq!(told, [(7, Some(9.0)), (6, Some(0.04)), (11, None)]);
    assert!(found[2]["measured"].is_null());
    let sarif = beside(ScanFormat::Sarif);
    let ranks: Vec<f64> = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["rank"].as_f64().unwrap())
        .collect();
    assert!((ranks[0] - 72.5).abs() < 0.1 && ranks[0] > ranks[1] && ranks[2] == 0.0, "{ranks:?}");
    assert_eq!(crate::sarif::broken(&sarif), Vec::<String>::new());
}

#[test]
fn what_took_time_is_told_even_below_the_level_that_is_shown() {
    let (root, _) = project();
    let quiet = ["--level", "error", "--confidence", "high", "--profile", "run.json"];
    fs::write(root.path().join("boundby.toml"), "[severity]\nblocking-call-in-async = \"note\"\n").unwrap();
    let shown = scan(root.path(), ScanFormat::Concise, &quiet);
    assert!(shown.contains("app.py:7:12: note") && !shown.contains("app.py:6:"), "{shown}");
}

#[test]
fn a_report_explains_lines_and_shows_hot_ones_that_no_finding_is_about() {
    let (root, case) = project();
    let source = scanned(root.path(), None, &case.profile).unwrap();
    let report = Report { source: Some(&source), ..case.report() };
    let text = String::from_utf8(render(&report, Format::Text, &Style::PLAIN)).unwrap();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "app.py:7 in handler: calls requests.get (async: httpx.AsyncClient.get)",
        "9.00 s app.py:7 blocking-call-in-async",
        "2.00 s app.py:15 no finding (network); calls requests.post",
        "not seen app.py:11 blocking-call-in-async",
    ] {
        assert!(flat.contains(says), "{says}\n{text}");
    }
    let json: Value = serde_json::from_slice(&render(&report, Format::Json, &Style::PLAIN)).unwrap();
    let sites = json["profile"]["sites"].as_array().unwrap();
    assert_eq!(sites[0]["source"]["async_sibling"], "httpx.AsyncClient.get");
    assert_eq!(
        (&sites[0]["source"]["finding"], &sites[2]["source"]["finding"]),
        (&true.into(), &false.into())
    );
    let saved: Profile = json::from_json(&render(&report, Format::Json, &Style::PLAIN)).unwrap().profile;
    assert_eq!(saved.sites, case.profile.sites);
}
