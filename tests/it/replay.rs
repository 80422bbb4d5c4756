//! Recorded runs (`fixtures/replay`) played again: the books balance, and say what they said. `BLESS=1 cargo test`
//! rewrites what they said (`expected.json`); what was built into a program is not up for blessing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use boundby::advice::{Action, Advice, advise};
use boundby::machine::Machine;
use boundby::profile::{Location, Profile, Region, replay};
use boundby::report::{Report, json};
use boundby::rules::RuleSet;
use boundby::wait::Book;
use serde_json::{Value, json};

/// What each recorded program is bound by, because it was built so (`truth.yaml` of the workload of which
/// `fixtures/replay/record` makes it). A second name has its argument there.
const TRUTHS: &[(&str, &[&str])] = &[
    ("asyncio", &["network"]),
    ("asyncio-tasks", &["mixed", "network"]),
    ("busy-neighbours", &["contended"]),
    ("children", &["cpu"]),
    ("fetch-and-index", &["mixed"]),
    ("fsync", &["disk", "mixed"]),
    ("gil-fight", &["gil"]),
    ("go-requests", &["network"]),
    ("idle-server", &["idle"]),
    ("lock-fight", &["lock"]),
    ("network-pool", &["network"]),
    ("network-waits", &["network"]),
    ("pipeline", &["cpu"]),
    ("process-pool", &["cpu", "gil"]),
    ("quota", &["throttled"]),
    ("server-requests", &["network", "mixed"]),
    ("sleep", &["sleep"]),
    ("thread-churn", &["sleep"]),
    ("tokio-future", &["mixed", "network"]),
    ("two-loops", &["sleep"]),
    ("zombie", &["cpu"]),
];

/// A repository is no place for long recordings.
const LARGEST: u64 = 100_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replay")
}

fn recording(case: &str) -> PathBuf {
    folder().join(case).join("recording.jsonl")
}

fn play(case: &str) -> (Profile, Machine, Advice) {
    let bytes = fs::read(recording(case)).unwrap();
    let (profile, machine) = replay(bytes.as_slice()).unwrap_or_else(|error| panic!("{case}: {error}"));
    let rules = RuleSet::builtin().expect("the shipped rules load");
    let advice = advise(&profile, &machine, &rules);
    (profile, machine, advice)
}

/// Seconds to a tenth of a millisecond: what a person compares.
fn seconds(nanos: u128) -> Value {
    json!((nanos as f64 / 1e5).round() / 1e4)
}

fn book(book: &Book) -> Value {
    let lines = book.iter().filter(|(_, nanos)| *nanos >= 50_000);
    lines.map(|(account, nanos)| (account.name().to_owned(), seconds(nanos.into()))).collect()
}

/// Where the items are.
fn region(region: &Region) -> Value {
    let named = |at: &Location| format!("{} in {}", at.short().unwrap_or_default(), at.function);
    json!({
        "at": named(&region.at),
        "called_from": region.callers.first().map(named),
        "computes_at": region.computes_at.as_ref().map(named),
        "functions": [&region.waits_in, &region.computes_in],
    })
}

/// The essential numbers of a run.
fn essence(profile: &Profile, advice: &Advice) -> String {
    let verdict = &advice.verdict;
    let split = [profile.cpu_split.gil, profile.cpu_split.native];
    let [under, outside] = split.map(|cpu| cpu.map(|cpu| seconds(cpu.as_nanos())));
    let essence = json!({
        "command": profile.command.join(" "),
        "verdict": { "bound_by": verdict.bound_by, "share": (verdict.share * 1e4).round() / 1e4 },
        "wall_s": seconds(profile.wall.as_nanos()),
        "wall": book(&profile.wall_book),
        "cpu_s": seconds((profile.cpu_user + profile.cpu_system).as_nanos()),
        "cpu_under_lock_s": under,
        "cpu_outside_lock_s": outside,
        "threads_total": book(&profile.thread_book),
        "processes": profile.processes,
        "threads": profile.threads,
        "items": profile.items.as_ref().map(|items| {
            let mut told = json!({ "count": items.count, "lanes": items.lanes });
            if let Some(free) = items.free {
                told["free"] = json!((free * 1e4).round() / 1e4);
            }
            told
        }),
        "region": profile.items.as_ref().and_then(|items| items.region.as_ref()).map(region),
    });
    format!("{essence:#}\n")
}

#[test]
fn every_recording_says_what_it_said() {
    for (case, _) in TRUTHS {
        let (profile, _, advice) = play(case);
        let fresh = essence(&profile, &advice);
        let path = folder().join(case).join("expected.json");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &fresh).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            golden == fresh,
            "{case} differs (BLESS=1 rewrites it)\n--- golden\n{golden}\n--- fresh\n{fresh}"
        );
    }
}

#[test]
fn every_verdict_is_what_was_built_in() {
    let wrong: Vec<String> = TRUTHS
        .iter()
        .filter_map(|(case, truth)| {
            let found = play(case).2.verdict.bound_by;
            let is_right = truth.iter().any(|name| *name == found);
            (!is_right).then(|| format!("{case} is bound by {truth:?}, not by {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_that_blocks_the_loop_comes_before_more_at_a_time() {
    let (profile, _, advice) = play("tokio-future");
    let blocks = profile.sites.iter().filter(|site| site.blocks_event_loop);
    let lines: Vec<String> = blocks.filter_map(|site| site.at.as_ref()?.short()).collect();
    assert_eq!(lines, ["future.rs:10"]);
    assert_eq!(advice.recommendations[0].action, Action::Unblock);
}

#[test]
fn the_books_of_every_recording_balance() {
    for (case, _) in TRUTHS {
        let (profile, ..) = play(case);
        assert_eq!(profile.wall_book.total(), profile.wall, "{case}");
        // Whatever ran, ran in some thread.
        let cpu = (profile.cpu_user + profile.cpu_system).as_secs_f64();
        let booked = profile.thread_book.get(boundby::wait::Account::Cpu).as_secs_f64();
        assert!((booked - cpu).abs() <= 0.01 * cpu + 0.002, "{case}: {booked} s in threads, {cpu} s in all");
    }
}

#[test]
fn a_replay_gives_the_same_bytes_every_time() {
    for (case, _) in TRUTHS {
        let bytes = || {
            let (profile, machine, advice) = play(case);
            json::to_json(&Report { profile: &profile, machine: &machine, advice: &advice, source: None })
        };
        assert!(bytes() == bytes(), "{case}");
    }
}

#[test]
fn every_recording_has_its_truth_and_is_short() {
    let mut cases: BTreeMap<String, u64> = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let size = fs::metadata(recording(&name)).unwrap().len();
            cases.insert(name, size);
        }
    }
    let known: Vec<&str> = TRUTHS.iter().map(|(case, _)| *case).collect();
    assert_eq!(cases.keys().map(String::as_str).collect::<Vec<_>>(), known);
    for (case, size) in cases {
        assert!(size <= LARGEST, "{case} has {size} bytes: record a shorter program");
    }
}
