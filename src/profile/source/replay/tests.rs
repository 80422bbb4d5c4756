//! Every line says the same when it is read again, and no text makes a replay panic.

use proptest::prelude::*;

use super::*;
use crate::profile::ledger::Under;
use crate::profile::model::{Language, Runtime};
use crate::profile::observation::{Birth, Census, HostShare, Life};
use crate::profile::replay;
use crate::profile::stack::Frame;
use crate::profile::switching::Overlap;
use crate::profile::thread_clock::{Counters, SiteId, Told};
use crate::profile::traffic::Traffic;
use crate::wait::WaitKind;
use crate::wait::classify::{CALLS, Reason};

fn one_of_each() -> Vec<Observation> {
    let counters = Counters { run: 1, delay: 2, slices: 3 };
    let reading = |seen, under| Reading { tid: 11, counters, seen, under, stack: StackId(1), quiet: Some(4) };
    let reason = Reason {
        kind: WaitKind::Network,
        operation: "recv",
        resource: Some("db:5432".to_owned()),
        external: true,
        event_loop: false,
    };
    let runtime =
        Runtime { language: Language::Python, version: Some("3.13.0".to_owned()), ..Runtime::default() };
    let census = Census { name: "a \"b\"\n".to_owned(), threads: 3, rss: 4096, io: Some((7, 8)) };
    let readings = [Under::Unknown, Under::Lock, Under::Outside, Under::Queued]
        .map(|under| reading(Seen::Active, under))
        .into_iter()
        .chain([reading(Seen::Blocked(SiteId(1)), Under::Unknown)])
        .collect();
    let level = |function: &str| Frame {
        function: function.to_owned(),
        file: Some("etl.py".to_owned()),
        line: Some(42),
        own: true,
    };
    let told = Told { site: SiteId(1), time: 5, ended: 2, quiet: 4, progress: 1, lengths: vec![2, 3] };
    let traffic = Traffic {
        connections: 20,
        once: 1,
        others: 2,
        accepted: Some(23),
        asked: 400,
        answered: 410,
        over_long: 390,
        full: 3,
        crowded: [4, 3, 2, 1],
        came_left: [[9, 0, 0, 0], [5, 4, 0, 0], [3, 3, 3, 0], [3, 2, 2, 2]],
        sent_left: [[9, 0, 0, 0], [9, 0, 0, 0], [3, 3, 3, 0], [9, 0, 0, 0]],
    };
    vec![
        Observation::Process { pid: 10, parent: 0, at: 0 },
        Observation::Thread(Birth { pid: 10, tid: 11, at: 5, counters, newborn: true }),
        Observation::Site { pid: 10, pc: 0x7f00_1234_5678, reason, fan: 2 },
        Observation::Census { pid: 10, at: 6, census },
        Observation::Runtime { pid: 10, runtime },
        Observation::EventLoop { pid: 10 },
        Observation::Host(HostShare { stolen: 20_000_000, used: 70_000_000 }),
        Observation::Traffic { pid: 10, traffic: Box::new(traffic) },
        Observation::Frame { levels: vec![level("load")] },
        Observation::Frame { levels: Vec::new() },
        Observation::FrameNamed { frame: FrameId(1), levels: vec![level("inner"), level("outer")] },
        Observation::Stack { frames: vec![FrameId(1), FrameId(0)] },
        Observation::Round { at: 7, readings },
        Observation::Sampled { tid: 11, stacks: vec![StackId(1), StackId::UNSEEN] },
        Observation::Placed { tid: 11, stack: StackId(1) },
        Observation::Tasks { stack: StackId(1), waiting: 12 },
        Observation::Named { tid: 11, site: SiteId(1) },
        Observation::LastWords { at: 8, reading: reading(Seen::Active, Under::Unknown) },
        Observation::Called { tid: 11, name: "worker \"1\"".to_owned() },
        Observation::Exactly(Overlap { running: vec![3, 4, 1], ready: 2, woken: 1, serialised: Some(2) }),
        Observation::Told { tid: 11, waits: vec![told.clone()] },
        Observation::Lived(Life {
            pid: 10,
            tid: 12,
            name: "true".to_owned(),
            born: 3,
            died: 9,
            counters,
            waits: vec![told],
        }),
        Observation::ThreadGone { tid: 11 },
        Observation::ProcessGone { pid: 10, at: 9 },
    ]
}

fn texts() -> Vec<String> {
    let begin = Line::Begin { format: FORMAT.to_owned(), cpus: 2.0 };
    let end = r#"{"end":{"command":["x"],"root":10,"launched":true,"exit_code":0,"exit_signal":null,"wall":1000,
        "cpu_user":3,"cpu_system":0,"max_rss":null,"periods":null,"throttled_periods":null,"throttled":null,
        "rounds":1,"late":0,"own_cpu":5,"hidden":0,"left_running":0,"interrupted":false}}"#;
    let machine =
        Machine { cpus_logical: 2, effective: 0.1 + 0.2, kernel: "6.1".to_owned(), ..Machine::default() };
    let line = |line: &Line| serde_json::to_string(line).unwrap();
    [line(&begin)]
        .into_iter()
        .chain(one_of_each().iter().map(|observation| line(&Line::from(observation))))
        .chain([end.replace('\n', ""), line(&Line::from(&machine))])
        .collect()
}

#[test]
fn every_observation_reads_as_it_was_written() {
    for observation in one_of_each() {
        let text = serde_json::to_string(&Line::from(&observation)).unwrap();
        let read: Line = serde_json::from_str(&text).unwrap();
        assert_eq!(read.observation(), Ok(observation), "{text}");
    }
}

#[test]
fn every_name_a_wait_can_have_is_known() {
    for (_, name, _) in CALLS {
        assert_eq!(crate::wait::classify::operation(name), Some(*name));
    }
    for name in ["take the GIL", "page fault", "mutex", "park"] {
        assert_eq!(crate::wait::classify::operation(name), Some(name));
    }
    assert_eq!(crate::wait::classify::operation("dance"), None);
}

#[test]
fn a_recording_is_played_to_its_end() {
    let (profile, machine) = replay(texts().join("\n").as_bytes()).unwrap();
    assert_eq!((profile.wall.as_nanos(), profile.wall_book.total().as_nanos()), (1000, 1000));
    assert_eq!((profile.threads, profile.runtime.language), (2, Language::Python));
    assert!(machine.effective.to_bits() == (0.1f64 + 0.2).to_bits());
}

#[test]
fn what_cannot_be_played_says_where_and_why() {
    let said = |lines: &[String]| replay(lines.join("\n").as_bytes()).unwrap_err().to_string();
    let with = |at: usize, line: &str| {
        let mut lines = texts();
        lines[at] = line.to_owned();
        lines
    };
    assert!(said(&[]).contains("cut off"));
    assert!(said(&texts()[..8]).contains("cut off"));
    assert!(said(&with(0, "\u{7f}ELF")).contains("boundby profile --record"));
    assert!(
        said(&with(0, r#"{"begin":{"format":"boundby/recording/9","cpus":1}}"#)).contains("this version")
    );
    assert!(said(&texts()[1..]).contains("line 1") && said(&texts()[1..]).contains("before `begin`"));
    assert!(said(&with(1, &texts()[0])).contains("a second `begin`"));
    assert!(said(&with(4, r#"{"event-loop":{"pid":1,"at":2}}"#)).contains("line 5"));
    let far = r#"{"round":{"at":7,"readings":[[11,1,2,3,9]]}}"#;
    assert!(said(&with(7, far)).contains("site that was not introduced"));
    let far = r#"{"told":{"tid":11,"waits":[[9,1,1,1,1,[]]]}}"#;
    assert!(said(&with(7, far)).contains("site that was not introduced"));
    let far = r#"{"placed":{"tid":11,"stack":9}}"#;
    assert!(said(&with(12, far)).contains("stack or a frame is named that was not introduced"));
    let long = r#"{"process-gone":{"pid":1,"at":9999999999999999999}}"#;
    assert!(said(&with(1, long)).contains("longer than any recording"));
    let dance = texts()[3].replace("recv", "dance");
    assert!(said(&with(3, &dance)).contains("no operation is called dance"));
}

proptest! {
    /// Lines in any order, repeated or left out, are refused or give a book that balances.
    #[test]
    fn no_shuffled_recording_panics(order in proptest::collection::vec(1..21usize, 0..60)) {
        let all = texts();
        let last = all.len() - 2;
        let lines: Vec<&str> = [&all[0]]
            .into_iter()
            .chain(order.iter().map(|i| &all[*i]))
            .chain(&all[last..])
            .map(String::as_str)
            .collect();
        if let Ok((profile, _)) = replay(lines.join("\n").as_bytes()) {
            prop_assert_eq!(profile.wall_book.total().as_nanos(), 1000);
        }
    }
}
