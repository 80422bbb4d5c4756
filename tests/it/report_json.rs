//! The JSON contract: what is written is read back, and nothing that is read can do harm.

use std::time::Duration;

use boundby::profile::stack::Frame;
use boundby::profile::{
    BlockingPoint, CallStacks, Counted, EventLoop, Items, Location, Profile, Quality, Refused, Region,
    Requests, Segment, Site, StackTime, Timeline,
};
use boundby::report::json::{JsonError, from_json, to_json};
use boundby::report::{Format, Report, Style, render};
use boundby::wait::{Account, Book, WaitKind};
use proptest::prelude::*;

use crate::report_cases::{self, Case};

fn network() -> Case {
    report_cases::all().swap_remove(0)
}

/// The JSON of the first case with one piece of its text replaced.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(to_json(&network().report())).unwrap();
    assert!(text.contains(from), "{from} is not in the report");
    text.replacen(from, to, 1).into_bytes()
}

fn refusal(bytes: &[u8]) -> String {
    from_json(bytes).unwrap_err().to_string()
}

#[test]
fn every_case_comes_back_as_it_was() {
    for case in report_cases::all() {
        let bytes = to_json(&case.report());
        let saved = from_json(&bytes).unwrap();
        let again = Report {
            profile: &saved.profile,
            machine: &saved.machine,
            advice: &saved.advice_was,
            source: None,
        };
        assert_eq!(
            String::from_utf8(to_json(&again)).unwrap(),
            String::from_utf8(bytes).unwrap(),
            "{}",
            case.name
        );
        assert_eq!(saved.profile.wall_book, case.profile.wall_book, "{}", case.name);
        assert_eq!(saved.profile.thread_book, case.profile.thread_book, "{}", case.name);
        assert_eq!(saved.profile.blocking_points, case.profile.blocking_points, "{}", case.name);
        assert_eq!(saved.profile.items, case.profile.items, "{}", case.name);
        assert_eq!(saved.profile.process_groups, case.profile.process_groups, "{}", case.name);
        assert_eq!(saved.machine, case.machine, "{}", case.name);
        assert_eq!(saved.advice_was, case.advice, "{}", case.name);
    }
}

#[test]
fn what_was_not_measured_is_null_with_a_reason_and_never_zero() {
    let mut case = network();
    case.profile.runtime.gil = None;
    case.profile.cpu_split = boundby::profile::CpuSplit::default();
    case.profile.max_rss = None;
    case.profile.sites[0].at = None;
    case.machine.quota = Some(1.5);
    let json: serde_json::Value = serde_json::from_slice(&to_json(&case.report())).unwrap();
    let profile = &json["profile"];
    for null in [
        &profile["max_rss"],
        &profile["wall"]["gil"],
        &profile["wall"]["throttled"],
        &profile["cpu_split"]["gil_s"],
        &profile["sites"][0]["line"],
    ] {
        assert!(null.is_null(), "{null}");
    }
    assert_eq!(profile["wall"]["disk"], 0.0, "disk was looked for, and there was none");
    let reasons: Vec<&str> = profile["quality"]["not_measured"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["reason"].as_str().unwrap().is_empty())
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    for name in ["profile.max_rss", "profile.wall.gil", "profile.wall.throttled", "profile.cpu_split"] {
        assert!(reasons.contains(&name), "{name} is not among {reasons:?}");
    }
}

#[test]
fn a_file_that_is_not_ours_is_named_for_what_it_is() {
    assert!(matches!(from_json(b""), Err(JsonError::Foreign(_))));
    assert!(refusal(b"  \n").contains("the file is empty"));
    assert!(refusal(b"# a profile").contains("it does not begin with `{`"));
    assert!(matches!(from_json(b"{schema: 1}"), Err(JsonError::NotJson(_))));
    assert!(refusal(br#"{"traceEvents": []}"#).contains("it has no `schema`"));
    assert!(refusal(br#"{"schema": {"version": 3}}"#).contains("its `schema` is {\"version\":3}"));
    assert!(refusal(b"[1, 2]").contains("not a boundby report"));
    assert!(refusal(b"42").contains("not a boundby report"));
    let newer = refusal(br#"{"schema": "boundby/report/2"}"#);
    assert!(
        newer.contains("boundby/report/2") && newer.contains("this boundby reads `boundby/report/1`"),
        "{newer}"
    );
    assert!(matches!(from_json(&[0xff, 0xfe, 0x00]), Err(JsonError::Foreign(_))));
}

#[test]
fn a_file_cut_off_anywhere_is_refused_and_says_so() {
    let bytes = to_json(&network().report());
    let end = bytes.len() - 2;
    for cut in (1..end).step_by(97) {
        assert!(matches!(from_json(&bytes[..cut]), Err(JsonError::Truncated { .. })), "cut at {cut}");
    }
    assert!(refusal(&bytes[..500]).contains("cut off at line"));
}

#[test]
fn impossible_values_are_refused_with_their_place() {
    let refused = [
        ("\"wall_s\": 12.404", "\"wall_s\": -1", "`profile.wall_s` is -1"),
        ("\"wall_s\": 12.404", "\"wall_s\": 1e300", "`profile.wall_s` is 1"),
        (
            "\"wall_s\": 12.404",
            "\"wall_s\": 99.0",
            "`profile.wall` is 12.404 s in all, but it must be the 99 s",
        ),
        ("\"p95_wait_s\": 0.081", "\"p95_wait_s\": -0.1", "`profile.sites[0].p95_wait_s` is -0.1"),
        ("[50, 0.06528", "[50, -0.06528", "`profile.items.segments[1]`"),
        ("\"kind\": \"network\"", "\"kind\": \"telepathy\"", "`profile.sites[0].kind` is `telepathy`"),
        (
            "\"share\": 0.988",
            "\"share\": 98.8",
            "`profile.items.share` is 98.8, but it must be a share from 0 to 1",
        ),
        ("\"strategy\": \"threads\"", "\"strategy\": \"magic\"", "`recommendations[0].strategy` is `magic`"),
        ("\"signal\": null", "\"signal\": 9", "`exit` is both"),
        ("\"effective\": 2.0", "\"effective\": -2.0", "`machine.cpus.effective` is -2"),
    ];
    for (from, to, says) in refused {
        let refusal = refusal(&edited(from, to));
        assert!(refusal.contains(says), "{to}: {refusal}");
    }
}

#[test]
fn wrong_types_and_numbers_that_are_none_are_refused() {
    for (from, to) in [
        ("\"wall_s\": 12.404", "\"wall_s\": \"12.404\""),
        ("\"wall_s\": 12.404", "\"wall_s\": null"),
        ("\"episodes\": 200", "\"episodes\": -200"),
        ("\"episodes\": 200", "\"episodes\": 2.5"),
        ("\"sites\": [", "\"sites\": 3, \"ignored\": ["),
    ] {
        assert!(matches!(from_json(&edited(from, to)), Err(JsonError::Shape(_))), "{to}");
    }
    for not_json in ["NaN", "Infinity", "1e999", "0x10"] {
        let bytes = edited("\"wall_s\": 12.404", &format!("\"wall_s\": {not_json}"));
        assert!(matches!(from_json(&bytes), Err(JsonError::NotJson(_) | JsonError::Shape(_))), "{not_json}");
    }
}

#[test]
fn names_of_a_later_boundby_are_tolerated_and_their_time_is_kept() {
    let bytes =
        edited("\"schema\"", &format!("\"new\": {}1{}, \"schema\"", "[".repeat(100), "]".repeat(100)));
    assert!(from_json(&bytes).is_ok());
    let bytes = edited("\"unattributed\": 0.0865", "\"unattributed\": 0.0365, \"gpu\": 0.05");
    let saved = from_json(&bytes).unwrap();
    assert_eq!(saved.profile.wall_book, network().profile.wall_book);
    assert!(saved.profile.quality.remarks[0].contains("`profile.wall.gpu` is unknown to this version"));
}

#[test]
fn depth_is_no_way_to_break_it() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}0{}", open.repeat(200_000), close.repeat(200_000));
        assert!(from_json(deep.as_bytes()).is_err());
        let within = edited("\"command\": [", &format!("\"deep\": {deep}, \"command\": ["));
        // Whether such a thing is ignored or refused is the same to us, as long as it returns.
        let _ = from_json(&within);
    }
}

/// Text as a program can have it in its command line.
fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect())
}

fn any_time() -> impl Strategy<Value = Duration> {
    (0u64..100_000_000_000_000).prop_map(Duration::from_nanos)
}

fn any_book() -> impl Strategy<Value = Book> {
    prop::collection::vec(0u64..1_000_000_000_000, Account::COUNT).prop_map(|times| {
        let mut book = Book::default();
        for (account, nanos) in Account::ALL.into_iter().zip(times) {
            book[account] = nanos;
        }
        book
    })
}

fn any_kind() -> impl Strategy<Value = WaitKind> {
    prop::sample::select(WaitKind::ALL.to_vec())
}

prop_compose! {
    fn any_point()(
        kind in any_kind(), operation in any_text(), resource in prop::option::of(any_text()), thread in any_text(),
        (episodes, threads) in any::<(u64, u64)>(), (counted, in_event_loop) in any::<(bool, bool)>(),
        (wait, critical, queued, cpu) in (any_time(), any_time(), any_time(), any_time()), p95 in prop::option::of(any_time()),
    ) -> BlockingPoint {
        BlockingPoint { kind, operation, resource, thread, episodes, counted, wait, critical, queued, p95, cpu, threads, in_event_loop }
    }
}

prop_compose! {
    fn any_location()(
        function in any_text(), file in any_text(), line in prop::option::of(any::<u32>()),
    ) -> Location {
        Location { function, file: Some(file), line }
    }
}

prop_compose! {
    fn any_site()(
        account in prop::sample::select(Account::ALL.to_vec()), at in prop::option::of(any_location()),
        call in prop::option::of(any_text()), callers in prop::collection::vec(any_location(), 0..3),
        (operation, process) in (any_text(), any_text()), resource in prop::option::of(any_text()),
        (episodes, threads) in any::<(u64, u64)>(),
        (counted, in_event_loop, blocks_event_loop) in any::<(bool, bool, bool)>(),
        (wait, critical, cpu) in (any_time(), any_time(), any_time()), p95 in prop::option::of(any_time()),
        under_lock in prop::sample::select(vec![None, Some(0.0), Some(0.25), Some(1.0)]),
        tasks in prop::sample::select(vec![None, Some(1.0), Some(12.5)]),
    ) -> Site {
        Site {
            account, at, call, callers, operation, resource, process, episodes, counted, wait, critical, p95, cpu,
            under_lock, threads, in_event_loop, tasks, blocks_event_loop,
        }
    }
}

prop_compose! {
    fn any_stacks()(
        frames in prop::collection::vec((any_location(), any::<bool>()), 1..5),
        stacks in prop::collection::vec((any_kind(), any_text(), any_time(), any_time(), any::<u64>(), any::<u32>()), 0..4),
        (read, torn) in any::<(u64, u64)>(),
    ) -> CallStacks {
        let stack = |(kind, process, time, critical, episodes, frame): (WaitKind, String, _, _, _, u32)| StackTime {
            process, account: Account::Wait(kind), operation: "recv".into(), resource: None,
            frames: vec![frame % frames.len() as u32], time, critical, episodes,
        };
        let stacks = stacks.into_iter().map(stack).collect();
        let frame = |(Location { function, file, line }, own)| Frame { function, file, line, own };
        CallStacks { frames: frames.into_iter().map(frame).collect(), stacks, read, torn }
    }
}

prop_compose! {
    fn any_region()(
        (at, computes_at) in (any_location(), prop::option::of(any_location())), call in prop::option::of(any_text()),
        callers in prop::collection::vec(any_location(), 0..3),
        (waits_in, computes_in) in (prop::option::of(any_text()), prop::option::of(any_text())),
    ) -> Region {
        Region { at, call, callers, waits_in, computes_at, computes_in }
    }
}

prop_compose! {
    fn any_items()(
        (count, lanes) in any::<(u64, u64)>(), wait in prop::collection::btree_map(any_kind(), any_time(), 0..4),
        (cpu_gil, cpu_native) in (any_time(), any_time()), longest in prop::option::of(any_time()),
        segments in prop::collection::vec((any::<u32>(), any_time(), any_time(), any_time()), 0..20),
        p95 in prop::option::of(any_time()), region in prop::option::of(any_region()),
        requests in prop::option::of((0u32..1_000_000, prop_oneof![
            Just(Counted::Waits), Just(Counted::Connections), any::<u64>().prop_map(Counted::Segments),
        ])),
    ) -> Items {
        let requests = requests.map(|(rate, counted)| Requests { rate: f64::from(rate) / 8.0, counted });
        let segments = segments
            .into_iter()
            .map(|(count, wait, cpu_gil, cpu_native)| Segment { count, wait, cpu_gil, cpu_native })
            .collect();
        Items { are_processes: false, free: Some(0.25), requests, count, lanes, wait, cpu_gil, cpu_native, longest, p95, share: 0.5, region, segments, ..Items::default() }
    }
}

prop_compose! {
    fn any_loop()(
        (waiting, blocked, cpu) in (any_time(), any_time(), any_time()), connections in prop::option::of(any::<u64>()),
    ) -> EventLoop {
        EventLoop { waiting, blocked, cpu, connections }
    }
}

prop_compose! {
    fn any_profile()(
        command in prop::collection::vec(any_text(), 0..4), launched in any::<bool>(),
        (wall_book, thread_book) in (any_book(), any_book()), (cpu_user, cpu_system) in (any_time(), any_time()),
        (stretch, books) in (any_time(), prop::collection::vec(any_book(), 0..3)),
        max_rss in prop::option::of(any::<u64>()), (processes, threads) in any::<(u64, u64)>(),
        blocking_points in prop::collection::vec(any_point(), 0..4),
        (sites, call_stacks) in (prop::collection::vec(any_site(), 0..4), any_stacks()), items in prop::option::of(any_items()),
        remarks in prop::collection::vec(any_text(), 0..3), (reason, costs) in (any_text(), any_text()),
        event_loop in prop::option::of(any_loop()), (samples, late, lost) in any::<(u64, u64, u64)>(), own_cpu in any_time(),
    ) -> Profile {
        let refused = vec![Refused { source: "perf".into(), reason, costs }];
        let quality = Quality { samples, late, lost, own_cpu, remarks, refused, ..Quality::default() };
        let wall = wall_book.total();
        // Stretches in which nothing was is as good as none.
        let is_empty = books.iter().all(|book| book.total().is_zero());
        let timeline = if is_empty { Timeline::default() } else { Timeline { stretch, books } };
        Profile {
            timeline, command, launched, wall, cpu_user, cpu_system, max_rss, processes, threads, wall_book, thread_book,
            blocking_points, sites, call_stacks, items, event_loop, quality, ..Profile::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_profile_comes_back_to_the_nanosecond(profile in any_profile()) {
        let case = network();
        let report = Report { profile: &profile, ..case.report() };
        let saved = from_json(&to_json(&report)).unwrap();
        prop_assert_eq!(saved.profile, profile);
    }

    #[test]
    fn any_profile_can_be_shown(profile in any_profile(), width in 0usize..200, unicode: bool, verbose: bool) {
        let case = network();
        let style = Style { width, unicode, verbose, color: false };
        let text = render(&Report { profile: &profile, ..case.report() }, Format::Text, &style);
        let text = String::from_utf8(text).unwrap();
        prop_assert!(!text.chars().any(|char| char.is_control() && char != '\n'));
    }

    #[test]
    fn damaged_bytes_are_read_or_refused_but_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..3), 1..8),
    ) {
        let mut bytes = to_json(&network().report());
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"0123456789-e.\"[]{},:"[byte as usize % 20],
                _ => drop(bytes.drain(at..(at + byte as usize).min(bytes.len() - 1).max(at))),
            }
        }
        if let Ok(saved) = from_json(&bytes) {
            let report = Report { profile: &saved.profile, machine: &saved.machine, advice: &saved.advice_was, source: None };
            let _ = render(&report, Format::Text, &Style::PLAIN);
            let again = from_json(&to_json(&report));
            prop_assert!(again.is_ok(), "{:?}", again.err());
        }
    }
}
