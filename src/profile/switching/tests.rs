//! Lives told record by record; and that the laws hold whatever is told.

use proptest::prelude::*;

use super::*;

const IN: What = What::In;
const OUT: What = What::Out { ready: false };
const PUT_OFF: What = What::Out { ready: true };

fn record(time: u64, tid: i32, what: What) -> Record {
    Record { time, cpu: 0, pid: 10, tid, what }
}

/// A program of process 10 that begins at 0, of which this is told.
fn told(records: &[(u64, i32, What)]) -> Switching {
    let mut switching = Switching::default();
    switching.begin(10, 0);
    for (time, tid, what) in records {
        // Threads that overlap run on different CPUs.
        let cpu = (*tid - 10).unsigned_abs() as usize;
        switching.take(&Record { cpu, ..record(*time, *tid, what.clone()) });
    }
    switching
}

/// ```text
/// time    0    10     30        60   70      100
///  10     |held| on   | waiting | on | ready | on
/// ```
#[test]
fn a_life_is_told_by_its_switches() {
    let mut switching = told(&[(10, 10, IN), (30, 10, OUT), (60, 10, IN), (70, 10, PUT_OFF), (100, 10, IN)]);
    let overlap = switching.overlap(110).unwrap();
    assert_eq!((overlap.active(), overlap.ready, overlap.running[0]), (40, 30, 70));
    let exact = switching.of(10).unwrap();
    assert_eq!((exact.run, exact.waits, exact.quiet, exact.since), (40, 1, 30, 0));
    assert!(exact.from_birth);
}

fn off(chain: u32) -> What {
    What::Off(Why { chain, args: [3, 0, 0, 0, 0, 0], sp: 1, pc: 2 })
}

/// ```text
/// time    0    10     28 30     60   70 72   90
///  10     |held| on   | waiting | on | ready | on
/// ```
#[test]
fn why_a_thread_leaves_counts_from_when_it_is_told() {
    let mut switching = told(&[
        (10, 10, IN),
        (28, 10, off(7)),
        (30, 10, OUT),
        (60, 10, IN),
        // Put off: it did not wait, whatever was told of where it was.
        (70, 10, off(8)),
        (72, 10, PUT_OFF),
        (90, 10, IN),
    ]);
    let exact = switching.of(10).unwrap();
    assert_eq!((exact.run, exact.waits, exact.quiet), (28, 1, 32));
    let waits = switching.waits(10);
    let summed: Vec<_> = waits
        .iter()
        .map(|wait| (wait.why.map(|why| why.chain), wait.time, wait.ended, wait.quiet, wait.progress))
        .collect();
    // It ran for 18 before it waited for anything.
    assert_eq!(summed, [(None, 0, 0, 0, 18), (Some(7), 32, 1, 32, 10)]);
    assert_eq!(waits[1].lengths, [32]);
    assert_eq!(switching.waits(10), []);
}

/// ```text
/// time    0          10          30      40         60
///  10     |    on    |         waits for the lock   | on
///  11     | waits for the lock   | on (waits elsewhere from 40)
/// ```
#[test]
fn time_with_one_runner_and_a_queue_for_the_lock_is_told() {
    let queue = |address| What::Off(Why { chain: 1, args: [address, 0, 0, 0, 0, 0], sp: 1, pc: 2 });
    let born = What::Born { parent: 10 };
    let mut switching = told(&[(0, 10, IN), (0, 11, born), (0, 11, IN)]);
    switching.lock(10, Some(0x1000..0x2000));
    for (time, tid, what) in
        [(0, 11, queue(0x1010)), (10, 10, queue(0x1010)), (30, 11, IN), (40, 11, queue(0x9000)), (60, 10, IN)]
    {
        switching.take(&Record { cpu: (tid - 10) as usize, ..record(time, tid, what) });
    }
    // Until 10, and from 30 to 40: then nobody ran, or nobody queued.
    let overlap = switching.overlap(70).unwrap();
    assert_eq!((overlap.active(), overlap.serialised), (30, Some(20)));
}

#[test]
fn a_wait_whose_reason_was_lost_is_a_wait_without_a_reason() {
    let mut switching = told(&[(10, 10, IN), (20, 10, off(7)), (20, 10, OUT)]);
    switching.take(&record(30, 10, What::Lost));
    assert_eq!(switching.of(10), None);
    switching.settle(10, false);
    switching.take(&record(50, 10, IN));
    let waits = switching.waits(10);
    assert!(waits.iter().all(|wait| wait.why.is_none() || wait.ended == 0), "{waits:?}");
    assert_eq!(waits.iter().map(|wait| wait.ended).sum::<u64>(), 1, "{waits:?}");
}

#[test]
fn what_is_told_twice_counts_once() {
    let once = [(10, 10, IN), (30, 10, OUT), (60, 10, IN)];
    let twice: Vec<_> = once.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
    let (mut once, mut twice) = (told(&once), told(&twice));
    assert_eq!(once.of(10), twice.of(10));
    assert_eq!(once.overlap(70), twice.overlap(70));
}

#[test]
fn a_child_that_lived_between_two_looks_is_told_by_its_end() {
    let born = What::Born { parent: 10 };
    let mut switching = told(&[(0, 10, IN)]);
    for (time, what) in [(5, born), (7, IN), (9, OUT), (20, IN), (22, What::Died)] {
        switching.take(&Record { pid: 11, cpu: 1, ..record(time, 11, what) });
    }
    let ended = switching.ended();
    let life = &ended[0];
    assert_eq!((life.pid, life.parent, life.at, life.ready), (11, 10, 22, 2));
    assert_eq!(life.exact.map(|exact| (exact.run, exact.waits, exact.since)), Some((4, 1, 5)));
    assert_eq!(switching.ended(), []);
    assert_eq!(switching.overlap(30).unwrap().running, [0, 26, 4]);
}

#[test]
fn a_woken_thread_that_lacks_a_cpu_explains_the_quiet_time_before_its_return() {
    let mut switching = told(&[(10, 10, IN), (30, 10, OUT), (60, 10, IN)]);
    // Of the 30 it was away it was in the run queue for 12.
    switching.delayed(10, 12);
    assert_eq!(switching.overlap(70).unwrap().woken, 12);
    // Another thread ran meanwhile: the program was not quiet.
    let born = What::Born { parent: 10 };
    let mut switching =
        told(&[(0, 10, IN), (5, 11, born), (5, 11, IN), (30, 10, OUT), (55, 11, OUT), (60, 10, IN)]);
    switching.delayed(10, 12);
    assert_eq!(switching.overlap(70).unwrap().woken, 5);
}

#[test]
fn a_delay_that_is_counted_before_the_record_is_read_waits_for_it() {
    let mut switching = told(&[(10, 10, IN), (30, 10, OUT)]);
    switching.delayed(10, 12);
    assert_eq!(switching.overlap(60).unwrap().woken, 0);
    switching.take(&record(60, 10, IN));
    switching.delayed(10, 12);
    assert_eq!(switching.overlap(70).unwrap().woken, 12);
}

#[test]
fn after_a_gap_nothing_is_known_until_somebody_looks() {
    let mut switching = told(&[(10, 10, IN), (20, 10, OUT), (50, 0, What::Lost)]);
    assert_eq!(switching.of(10), None);
    assert_eq!(switching.overlap(60), None);
    switching.settle(10, true);
    switching.overlap(60);
    assert_eq!(switching.of(10).map(|exact| (exact.run, exact.gap)), Some((10, 1)));
    assert_eq!(switching.overlap(80).unwrap().active(), 20);
    // Who is nowhere to be found any more is not waited for.
    switching.gap(90);
    switching.forget(|_| false);
    assert!(!switching.is_unsettled());
}

#[test]
fn a_cpu_runs_one_thread_at_a_time() {
    let mut switching = told(&[(10, 10, IN)]);
    switching.take(&record(30, 12, IN));
    assert_eq!(switching.of(10).unwrap().run, 20);
    assert_eq!(switching.overlap(40).unwrap().running, [10, 30]);
}

#[test]
fn whoever_executes_a_program_is_alone_and_becomes_the_first() {
    let born = What::Born { parent: 10 };
    let exec = What::Named { name: "next".to_owned(), exec: true };
    // Thread 11 executes; the kernel gives it the number of the first.
    let mut switching = told(&[(0, 10, IN), (5, 11, born), (6, 11, IN), (10, 10, OUT), (20, 10, exec)]);
    let ended = switching.ended();
    assert_eq!(ended.iter().map(|life| (life.tid, life.at)).collect::<Vec<_>>(), [(11, 20)]);
    assert_eq!(switching.overlap(30).unwrap().running, [0, 26, 4]);
}

proptest! {
    /// Whatever is told in whatever order: the program's time is the time that passed, and no thread ran, or was ready,
    /// for longer than it lived.
    #[test]
    fn time_is_neither_lost_nor_made(
        records in proptest::collection::vec((0..40u64, 0..3usize, 10..15i32, 0..10u8), 0..200),
    ) {
        let mut switching = Switching::default();
        switching.begin(10, 0);
        let mut time = 0u64;
        for (passed, cpu, tid, what) in records {
            time += passed;
            let what = match what {
                0..=2 => What::In,
                3..=4 => What::Out { ready: what == 3 },
                5 => What::Born { parent: 10 },
                6 => What::Died,
                7..=8 => off(u32::from(cpu == 0)),
                _ => What::Named { name: "x".to_owned(), exec: true },
            };
            switching.take(&Record { time, cpu, pid: 10, tid, what });
            for tid in 10..15 {
                if let Some(exact) = switching.of(tid) {
                    prop_assert!(exact.run + exact.quiet <= time - exact.since);
                }
            }
        }
        for life in switching.ended() {
            let run = life.exact.map_or(0, |exact| exact.run);
            prop_assert!(life.exact.is_none_or(|exact| run + life.ready <= life.at - exact.since));
        }
        for tid in 10..15 {
            let waits = switching.waits(tid);
            let of = |part: fn(&Waits) -> u64| waits.iter().map(part).sum::<u64>();
            prop_assert!(of(|wait| wait.time) <= time && of(|wait| wait.quiet) <= of(|wait| wait.time));
        }
        if let Some(overlap) = switching.overlap(time) {
            prop_assert_eq!(overlap.running.iter().sum::<u64>(), time);
            prop_assert!(overlap.ready <= time - overlap.active());
        }
    }

    /// A single thread's life without gaps adds up to the nanosecond.
    #[test]
    fn running_ready_and_waiting_are_the_life(stints in proptest::collection::vec((1..50u64, 1..50u64, any::<bool>()), 1..50)) {
        let mut switching = Switching::default();
        switching.take(&record(0, 10, What::Born { parent: 9 }));
        let (mut time, mut run, mut ready, mut waits) = (0, 0, 0, 0);
        let mut is_ready = true;
        for (away, on, put_off) in stints {
            time += away;
            if is_ready { ready += away } else { waits += 1 }
            switching.take(&record(time, 10, What::In));
            time += on;
            run += on;
            is_ready = put_off;
            switching.take(&record(time, 10, What::Out { ready: put_off }));
        }
        let exact = switching.of(10).unwrap();
        prop_assert_eq!((exact.run, exact.waits, exact.since), (run, waits, 0));
        let overlap = switching.overlap(time).unwrap();
        prop_assert_eq!((overlap.active(), overlap.ready), (run, ready));
        switching.take(&record(time, 10, What::Died));
        prop_assert_eq!(switching.ended()[0].ready, ready);
    }
}
