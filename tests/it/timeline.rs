//! Timelines (`profile --timeline`) of recorded runs: they follow the rules of the format, and say what the books say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use boundby::profile::{Profile, replay};
use boundby::report::write_trace;
use boundby::wait::Account;
use serde_json::{Value, json};

use crate::check::{Read, read};

fn recorded(case: &str) -> Profile {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replay").join(case).join("recording.jsonl");
    replay(fs::read(path).unwrap().as_slice()).unwrap().0
}

fn cases() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replay");
    let folders = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut cases: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    cases.sort();
    cases
}

fn trace(profile: &Profile) -> Value {
    let mut bytes = Vec::new();
    write_trace(profile, &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn drawn(case: &str) -> Read {
    read(&trace(&recorded(case))).unwrap_or_else(|wrong| panic!("{case}: {wrong}"))
}

#[test]
fn every_recording_gives_a_timeline_that_follows_the_rules() {
    let cases = cases();
    assert!(cases.len() > 10, "{cases:?}");
    for case in cases {
        let read = drawn(&case);
        assert!(!read.slices.is_empty() && !read.counters.is_empty(), "{case}");
        for slice in &read.slices {
            assert!(read.processes.contains_key(&slice.pid), "{case}: {slice:?} is of no process");
        }
    }
}

/// Time of all slices by category, seconds.
fn by_category(read: &Read) -> BTreeMap<&str, f64> {
    let mut sums = BTreeMap::new();
    for slice in &read.slices {
        *sums.entry(slice.category.as_str()).or_default() += (slice.to - slice.from) as f64 / 1e9;
    }
    sums
}

#[test]
fn slices_add_up_to_the_book_of_threads() {
    for case in cases() {
        let profile = recorded(&case);
        let read = read(&trace(&profile)).unwrap();
        let sums = by_category(&read);
        let book = |account: Account| profile.thread_book.get(account).as_secs_f64();
        let threads =
            read.slices.iter().map(|slice| (slice.pid, slice.tid)).collect::<std::collections::BTreeSet<_>>();
        // The counters may be two ticks of the slowest clock behind; threads that nobody saw are in no slice.
        let late = 0.02 * threads.len() as f64;
        let exact = (profile.cpu_user + profile.cpu_system).as_secs_f64();
        let unseen = exact * (1.0 - profile.quality.cpu_coverage.unwrap_or(1.0));
        let ran = sums.get("cpu").copied().unwrap_or(0.0);
        let booked = book(Account::Cpu) - unseen;
        assert!((ran - booked).abs() <= late + 0.001, "{case}: ran {ran} s, booked {booked} s");
        let lived: f64 = sums.values().sum();
        let all = profile.thread_book.total().as_secs_f64() - unseen;
        assert!((lived - all).abs() <= late + 0.001, "{case}: drawn {lived} s, lived {all} s");
    }
}

#[test]
fn the_wall_book_stands_beside_them_by_when_it_was() {
    let read = drawn("network-pool");
    let (last, stretches) = read.counters.split_last().unwrap();
    assert!(last.values().all(|share| *share == 0.0), "{last:?}");
    for shares in stretches {
        let sum: f64 = shares.values().sum();
        assert!((sum - 1.0).abs() < 0.001 || sum == 0.0, "{shares:?}");
    }
}

#[test]
fn waits_are_named_with_their_resource_and_their_line() {
    let read = drawn("fetch-and-index");
    let waits: Vec<_> = read.slices.iter().filter(|slice| slice.category == "network").collect();
    assert!(waits.iter().any(|slice| slice.name.starts_with("network 127.0.0.1:")), "{waits:?}");
    let at = waits.iter().filter_map(|slice| slice.args["at"].as_str());
    assert!(at.clone().any(|at| at.starts_with("main.py:")), "{:?}", at.collect::<Vec<_>>());
    assert!(waits.iter().all(|slice| slice.args["operation"].is_string()));
}

#[test]
fn whoever_waits_for_a_child_is_led_to_it_by_an_arrow() {
    let read = drawn("children");
    assert!(!read.arrows.is_empty());
    for [(from, ..), (to, ..)] in &read.arrows {
        assert_ne!(from, to, "a process does not wait for itself");
    }
}

#[test]
fn what_was_sampled_is_called_so() {
    let trace = trace(&recorded("sleep"));
    assert!(trace["otherData"]["sampled"].as_str().unwrap().starts_with("sampled every "), "{trace}");
}

#[test]
fn a_saved_profile_still_has_the_wall_book_and_no_thread() {
    let profile = Profile { tracks: None, ..recorded("network-pool") };
    let read = read(&trace(&profile)).unwrap();
    assert!(read.slices.is_empty() && !read.counters.is_empty());
}

#[test]
fn a_file_that_breaks_a_rule_is_refused() {
    let right = json!({"traceEvents": [
        {"ph": "M", "name": "process_name", "ts": 0, "pid": 1, "tid": 0, "args": {"name": "sh"}},
        {"ph": "X", "name": "running", "cat": "cpu", "ts": 0.5, "dur": 2.001, "pid": 1, "tid": 1},
        {"ph": "X", "name": "sleep", "cat": "sleep", "ts": 2.501, "dur": 0, "pid": 1, "tid": 1},
        {"ph": "B", "name": "outer", "ts": 3, "pid": 1, "tid": 1},
        {"ph": "E", "name": "outer", "ts": 4, "pid": 1, "tid": 1},
        {"ph": "C", "name": "wall", "ts": 1, "pid": 0, "tid": 0, "args": {"cpu": 0.5}},
        {"ph": "s", "name": "ended", "id": 7, "ts": 1, "pid": 1, "tid": 1},
        {"ph": "f", "name": "ended", "id": 7, "ts": 2.501, "bp": "e", "pid": 1, "tid": 1},
    ]});
    read(&right).unwrap();
    let wrong: &[(usize, &str, Value, &str)] = &[
        (0, "ph", json!("Q"), "no such phase"),
        (0, "name", json!("process_colour"), "no such metadata"),
        (0, "args", json!({"name": 7}), "it names nothing"),
        (1, "ts", json!("soon"), "`ts` is no time"),
        (1, "ts", json!(-1), "`ts` is no time"),
        (1, "ts", json!(9), "earlier than the one before"),
        (1, "dur", json!(-0.001), "`dur` is no time"),
        (1, "dur", Value::Null, "`dur` is no time"),
        (1, "dur", json!(2.002), "before the slice before it has ended"),
        (1, "pid", Value::Null, "`pid` is no number"),
        (1, "tid", json!("main"), "`tid` is no number"),
        (3, "ph", json!("E"), "nothing has begun"),
        (4, "ph", json!("B"), "does not end"),
        (5, "args", json!({}), "it counts nothing"),
        (5, "args", json!({"cpu": "much"}), "a value is no number"),
        (6, "id", json!(8), "has one end only"),
        (6, "ph", json!("f"), "does not end at the slice"),
        (6, "ts", json!(2.51), "leads back in time"),
        (6, "tid", json!(2), "ends in no slice"),
        (7, "bp", json!(null), "does not end at the slice"),
        (7, "id", Value::Null, "has one end only"),
    ];
    for (at, key, value, says) in wrong {
        let mut trace = right.clone();
        trace["traceEvents"][*at][*key] = value.clone();
        let said = read(&trace).map(|_| ()).unwrap_err();
        assert!(said.contains(says), "{key} of {at}: {said}");
    }
    assert!(read(&json!({})).is_err());
}
