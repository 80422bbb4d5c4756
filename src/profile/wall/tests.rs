//! The wall book, told by hand.

use super::*;
use crate::profile::stack::StackId;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const NET: Place = at(1);
const SLEEP: Place = at(2);
const LOCK: Place = at(3);

const fn at(site: u32) -> Place {
    Place { site: SiteId(site), stack: StackId::UNSEEN }
}

fn ran(run: u64) -> Mover {
    Mover { over: 10 * MS, run: run * MS, delay: 0, lock: None }
}

fn after(place: Place, progress: u64, external: bool) -> Credit {
    Credit { place, progress, blocked: u64::MAX, external }
}

#[test]
fn a_worker_on_the_network_explains_the_quiet_not_the_thread_that_joins_it() {
    let mut wall = WallClock::new(2.0);
    for _ in 0..100 {
        wall.credit(after(NET, MS, true));
        wall.credit(after(LOCK, MS, false));
        wall.round(10 * MS, &[ran(1)], Contention::Free);
    }
    let totals = wall.finish(&[]);
    assert_eq!(totals.cpu, 100 * MS);
    assert_eq!(totals.waits, BTreeMap::from([(NET, 900 * MS)]));
}

#[test]
fn a_poll_that_only_looks_and_sleeps_again_is_not_what_the_program_waits_for() {
    let mut wall = WallClock::new(2.0);
    for round in 0..200 {
        wall.credit(after(SLEEP, MS / 100, true));
        let mut movers = vec![Mover { run: MS / 100, ..ran(0) }];
        if round % 5 == 4 {
            wall.credit(after(NET, 2 * MS, true));
            movers.push(ran(2));
        }
        wall.round(10 * MS, &movers, Contention::Free);
    }
    let totals = wall.finish(&[]);
    assert!(totals.waits[&NET] > 30 * totals.waits[&SLEEP]);
}

/// A shell that waits for one sleeping child and then for another, the second of which is found gone late.
#[test]
fn what_another_thread_ended_explains_no_quiet_time_that_came_later() {
    let mut wall = WallClock::new(2.0);
    wall.credit(Credit { blocked: 195 * MS, ..after(NET, MS, true) });
    wall.credit(Credit { blocked: 195 * MS, ..after(LOCK, MS, false) });
    wall.round(196 * MS, &[ran(1)], Contention::Free);
    wall.round(150 * MS, &[], Contention::Free);
    wall.round(50 * MS, &[ran(1)], Contention::Free);
    wall.credit(Credit { blocked: 200 * MS, ..after(SLEEP, MS, true) });
    wall.round(MS, &[ran(1)], Contention::Free);
    let totals = wall.finish(&[]);
    // Counters may be late, so what ended a moment before is not ruled out.
    assert_eq!(totals.waits[&NET], 195 * MS);
    assert!(totals.waits[&SLEEP] >= 199 * MS - LAG, "{totals:?}");
}

#[test]
fn threads_that_take_turns_under_one_lock_leave_no_gap() {
    let half = Mover { lock: Some((7, 1.0)), ..ran(5) };
    assert_eq!(active_time(10 * MS, &[half, half], 2.0, None), 10 * MS);
    let free = Mover { lock: None, ..half };
    assert_eq!(active_time(10 * MS, &[free, free], 8.0, None) / MS, 7);
    // Four threads that fill two CPUs leave no gap either.
    assert_eq!(active_time(10 * MS, &[free; 4], 2.0, None), 10 * MS);
}

#[test]
fn threads_that_are_never_seen_active_together_take_turns() {
    let half = ran(5);
    let mut turns = Sightings::default();
    let mut together = Sightings::default();
    for round in 0..50 {
        turns.observe(1);
        together.observe(if round % 2 == 0 { 2 } else { 0 });
    }
    assert_eq!(active_time(10 * MS, &[half, half], 8.0, turns.apart()), 10 * MS);
    assert_eq!(active_time(10 * MS, &[half, half], 8.0, together.apart()), 5 * MS);
}

#[test]
fn cpu_time_booked_late_takes_back_quiet_time() {
    let mut wall = WallClock::new(2.0);
    wall.round(10 * MS, &[ran(6)], Contention::Free);
    wall.round(10 * MS, &[ran(14)], Contention::Free);
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.total()), (20 * MS, 20 * MS));
}

#[test]
fn counters_read_after_the_end_of_their_span_bring_the_next_one_along() {
    let mut wall = WallClock::new(2.0);
    wall.round(10 * MS, &[ran(110)], Contention::Free);
    wall.round(110 * MS, &[ran(10)], Contention::Free);
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.total()), (120 * MS, 120 * MS));
    let mut wall = WallClock::new(2.0);
    wall.round(10 * MS, &[Mover { delay: 70 * MS, ..ran(40) }], Contention::Free);
    wall.round(110 * MS, &[Mover { over: 110 * MS, ..ran(10) }], Contention::Free);
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.runnable, totals.total()), (50 * MS, 70 * MS, 120 * MS));
}

#[test]
fn a_program_that_never_moves_is_charged_to_what_it_waits_for() {
    let mut wall = WallClock::new(2.0);
    wall.round(500 * MS, &[], Contention::Free);
    let totals = wall.finish(&[after(NET, 0, true), after(LOCK, 0, false)]);
    assert_eq!(totals.waits, BTreeMap::from([(NET, 500 * MS)]));
}

#[test]
fn being_kept_from_the_cpu_by_others_is_runnable_not_waiting() {
    let mut wall = WallClock::new(2.0);
    wall.round(10 * MS, &[Mover { delay: 6 * MS, ..ran(4) }], Contention::Free);
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.runnable), (4 * MS, 6 * MS));
}

#[test]
fn a_wait_explains_no_more_than_it_took() {
    let mut wall = WallClock::new(2.0);
    // A page fault of 1 ms starts a long computation; the child was waited for.
    wall.credit(Credit { blocked: MS, ..after(SLEEP, 50 * MS, true) });
    wall.credit(after(LOCK, MS, false));
    wall.round(250 * MS, &[Mover { over: 250 * MS, ..ran(50) }], Contention::Free);
    let totals = wall.finish(&[]);
    assert_eq!(totals.waits, BTreeMap::from([(SLEEP, MS), (LOCK, 199 * MS)]));
}

/// ```text
/// ms     0     10     20     30     40
/// main   | ran |    in the run queue  |ran
/// other  | .   | 1   | 1   | 1   | 1  |
/// ```
#[test]
fn a_delay_that_is_known_when_it_is_over_was_not_quiet() {
    let mut wall = WallClock::new(2.0);
    wall.credit(after(NET, MS, true));
    wall.round(10 * MS, &[ran(10)], Contention::Free);
    for _ in 0..3 {
        wall.observe(1);
        wall.round(10 * MS, &[ran(1)], Contention::Free);
    }
    wall.round(
        10 * MS,
        &[Mover { over: 40 * MS, run: 5 * MS, delay: 35 * MS, lock: None }],
        Contention::Free,
    );
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.runnable), (18 * MS, 32 * MS));
    assert_eq!(totals.waits, BTreeMap::new());
}

#[test]
fn what_the_host_took_was_not_quiet() {
    let mut wall = WallClock::new(1.0);
    // Computes for 6 of 10 ms; of the rest it waits for 2, and the host takes 2, which no counter tells.
    for _ in 0..10 {
        wall.credit(after(NET, 6_000_000, true));
        wall.round(
            10_000_000,
            &[Mover { over: 10_000_000, run: 6_000_000, delay: 0, lock: None }],
            Contention::Free,
        );
    }
    wall.stolen(HostShare { stolen: 20_000_000, used: 60_000_000 });
    // Nothing was computed since: the host took nothing of this program.
    wall.stolen(HostShare { stolen: 20_000_000, used: 60_000_000 });
    let totals = wall.finish(&[]);
    assert_eq!((totals.cpu, totals.runnable, totals.stolen), (60_000_000, 20_000_000, 20_000_000));
    assert_eq!(totals.waits.values().sum::<u64>(), 20_000_000);
}

proptest! {
    /// The wall book sums to the time that went by, and so does the count of running threads.
    #[test]
    fn the_wall_book_balances(
        rounds in proptest::collection::vec(
            (1..30_000_000u64, proptest::collection::vec((0..40_000_000u64, 0..40_000_000u64, 0..3u32), 0..5)),
            1..50,
        ),
        cpus in 1.0..16.0f64,
    ) {
        let mut wall = WallClock::new(cpus);
        let mut elapsed = 0;
        for (span, movers) in rounds {
            elapsed += span;
            let movers: Vec<Mover> = movers
                .into_iter()
                .map(|(run, delay, lock)| Mover { over: run + delay, run, delay, lock: (lock > 0).then_some((lock, 0.5)) })
                .collect();
            if let Some(mover) = movers.first() {
                wall.credit(after(NET, mover.run, mover.run % 2 == 0));
            }
            wall.round(span, &movers, Contention::Free);
            wall.stolen(HostShare { stolen: span / 3, used: span / 2 });
        }
        let totals = wall.finish(&[]);
        prop_assert_eq!(totals.total(), elapsed);
        let of = |wanted: fn(&Doing) -> bool| -> u64 {
            let stretches = totals.history.stretches.iter().flatten();
            stretches.filter(|(doing, _)| wanted(doing)).map(|(_, time)| time).sum()
        };
        prop_assert_eq!(of(|doing| *doing == Doing::Running), totals.cpu);
        prop_assert_eq!(of(|doing| *doing == Doing::Runnable), totals.runnable);
        prop_assert_eq!(of(|doing| matches!(doing, Doing::Waiting(_))), totals.waits.values().sum::<u64>());
        let running: u64 = totals.running.iter().sum();
        prop_assert!(running.abs_diff(elapsed) <= elapsed / 1000 + 1000, "{} {}", running, elapsed);
    }
}
