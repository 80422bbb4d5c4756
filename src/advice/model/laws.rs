//! Laws the model keeps for any program: bounds, monotony, agreement of its two evaluators, determinism.

use proptest::prelude::*;

use super::choose::{self, Cap};
use super::replay::{Recorded, Replay};
use super::{Costs, Curve, Host, Networks, Work};
use crate::advice::types::Strategy as Model;
use crate::rules::RuleSet;

fn costs() -> Costs {
    static COSTS: std::sync::OnceLock<Costs> = std::sync::OnceLock::new();
    *COSTS.get_or_init(|| Costs::read(|name| RuleSet::builtin().unwrap().model(name)).unwrap())
}

fn work() -> impl Strategy<Value = Work> {
    let time = || prop_oneof![Just(0.0), 1e-5..0.3_f64];
    (1_u64..400, time(), time(), time(), 0.0..1.2_f64).prop_map(|(items, wait, cpu_gil, cpu_native, cv)| {
        let wait = if wait + cpu_gil + cpu_native > 0.0 { wait } else { 0.01 };
        Work { items, wait, cpu_gil, cpu_native, cv, longest: wait + cpu_gil + cpu_native, ..Work::default() }
    })
}

fn host() -> impl Strategy<Value = Host> {
    (0.3..16.0_f64, any::<bool>()).prop_map(|(cores, gil)| Host { cores, gil, loops: 1.0 })
}

fn pool() -> impl Strategy<Value = Model> {
    prop_oneof![Just(Model::Threads), Just(Model::Processes), Just(Model::Async)]
}

fn curve(model: Model, work: &Work, host: &Host, workers: usize) -> Curve {
    Curve::closed_form(&Networks::of(model, work, host, &costs(), 1).unwrap(), work, workers)
}

fn recorded(work: &Work) -> Vec<Recorded> {
    vec![Recorded { count: work.items, wait: work.wait, cpu_gil: work.cpu_gil, cpu_native: work.cpu_native }]
}

/// A number that has nothing to do with its neighbours' (the finaliser of splitmix64).
fn scramble(i: u64) -> u64 {
    let mixed = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_plan_beats_the_work_it_has_to_do(work in work(), host in host(), model in pool(), n in 1_usize..64) {
        let point = curve(model, &work, &host, n).at(n).unwrap();
        let items = work.items as f64;
        let cores = items * work.cpu() / host.cores;
        let one_by_one = items * (work.wait + work.cpu()) / (n as f64).min(items);
        let least = cores.max(one_by_one).max(work.longest) * (1.0 - 1e-6);
        prop_assert!(point.time >= least, "{point:?} {least}");
        prop_assert!(point.fast <= point.time && point.time <= point.slow, "{point:?}");
    }

    #[test]
    fn under_one_lock_threads_never_beat_the_lock(work in work(), cores in 1.0..16.0_f64, n in 1_usize..64) {
        let host = Host { cores, gil: true, loops: 1.0 };
        let least = work.items as f64 * work.cpu_gil * (1.0 - 1e-6);
        prop_assert!(curve(Model::Threads, &work, &host, n).at(n).unwrap().time >= least);
    }

    #[test]
    fn more_cores_never_slow_a_prediction(work in work(), host in host(), model in pool(), more in 1.0..4.0_f64) {
        let larger = Host { cores: host.cores * more, ..host };
        let (less, more) = (curve(model, &work, &host, 32), curve(model, &work, &larger, 32));
        for n in 1..=32 {
            let (less, more) = (less.at(n).unwrap().time, more.at(n).unwrap().time);
            prop_assert!(more <= less * 1.001, "{n} {less} {more}");
        }
    }

    #[test]
    fn more_waiting_never_lowers_the_useful_number(work in work(), host in host(), more in 0.001..0.5_f64) {
        let longer = Work { wait: work.wait + more, ..work };
        let knee = |work: &Work| Networks::of(Model::Threads, work, &host, &costs(), 1).unwrap().saturation();
        prop_assert!(knee(&longer) >= knee(&work));
    }

    #[test]
    fn a_tighter_cap_never_asks_for_more_workers_or_less_time(
        work in work(), host in host(), model in pool(), a in 1.0..100.0_f64, b in 1.0..100.0_f64,
    ) {
        let curve = curve(model, &work, &host, 128.min(work.items as usize));
        let under = |bound: f64| {
            let caps = [Cap { name: "cap".to_owned(), workers: bound }];
            choose::choose(&curve, &caps, work.items, &costs()).unwrap()
        };
        let (tight, loose) = (under(a.min(b)), under(a.max(b)));
        prop_assert!(tight.workers as f64 <= a.min(b).max(1.0));
        prop_assert!(tight.low <= tight.workers && tight.workers <= tight.high, "{tight:?}");
        prop_assert!(tight.high as f64 <= a.min(b).max(1.0), "{tight:?}");
        let time = |n: usize| curve.at(n).unwrap().time;
        // Both settle for 95 % of what they could reach.
        prop_assert!(time(loose.workers) <= time(tight.workers) / 0.95 * (1.0 + 1e-9));
        prop_assert_eq!(tight.uncapped, loose.uncapped);
    }

    #[test]
    fn the_replay_of_equal_items_lies_within_the_band(work in work(), host in host(), n in 1_usize..40) {
        let work = Work { cv: 0.0, ..work };
        for model in [Model::Threads, Model::Processes, Model::Async] {
            let networks = Networks::of(model, &work, &host, &costs(), 1).unwrap();
            let point = Curve::closed_form(&networks, &work, n).at(n).unwrap();
            let replay = Replay::of(model, &recorded(&work), &work, &host, &costs(), 1, n).unwrap();
            let time = replay.time(n) + point.start;
            // A round more than the closed form counts: items in a queue do not fill the last round evenly.
            let round = work.wait + (work.cpu() + 0.001) * (n as f64 / host.cores).max(1.0) * 1.5;
            // Whoever holds the lock shares the cores with those outside it, which the closed form leaves out: at worst
            // lock and cores are used in turn.
            let in_turn = work.items as f64 * (work.cpu_gil + work.cpu() / host.cores);
            prop_assert!(time <= point.slow.max(in_turn) * 1.1 + round, "{model:?} {time} {point:?}");
            prop_assert!(time >= point.fast * 0.9 - round, "{model:?} {time} {point:?}");
        }
    }

    #[test]
    fn a_replay_of_pure_waits_is_exact(items in 1_u64..900, n in 1_usize..64) {
        let work = Work { items, wait: 0.05, longest: 0.05, ..Work::default() };
        let host = Host { cores: 2.0, gil: false, loops: 1.0 };
        let replay = Replay::of(Model::Threads, &recorded(&work), &work, &host, &costs(), 1, n).unwrap();
        let rounds = items.div_ceil(n as u64) as f64 * 0.05;
        prop_assert!((replay.time(n) - rounds).abs() < 0.01 * rounds + 0.002, "{} {rounds}", replay.time(n));
    }

    #[test]
    fn a_thinned_replay_agrees_with_a_whole_one(wait in 0.001..0.05_f64, cpu in 0.0..0.01_f64, n in 1_usize..32) {
        // 1000 items are replayed one by one, 10 000 by a sample of them.
        let of = |items: u64| {
            let work = Work { items, wait, cpu_gil: cpu, longest: wait + cpu, ..Work::default() };
            let host = Host { cores: 2.0, gil: true, loops: 1.0 };
            // Scrambled: a pattern that repeats could fall into step with the workers, in truth as in the replay.
            let varied = |i: u64| wait * (0.5 + (scramble(i) >> 40) as f64 / f64::from(1 << 24));
            let recorded: Vec<_> = (0..items)
                .map(|i| Recorded { count: 1, wait: varied(i), cpu_gil: cpu, cpu_native: 0.0 })
                .collect();
            Replay::of(Model::Threads, &recorded, &work, &host, &costs(), 1, n).unwrap().time(n)
        };
        let (whole, thinned) = (of(1000), of(10_000));
        prop_assert!((thinned / whole - 10.0).abs() < 1.5, "{whole} {thinned}");
    }

    #[test]
    fn a_replay_is_deterministic(work in work(), host in host(), model in pool(), n in 1_usize..40) {
        let once = || Replay::of(model, &recorded(&work), &work, &host, &costs(), 1, n).unwrap().time(n);
        prop_assert_eq!(once().to_bits(), once().to_bits());
    }
}

#[test]
fn a_computing_thread_makes_a_waiting_one_queue_for_the_lock() {
    // The convoy: two threads, one computes in Python all the time, the other waits 1 ms and needs the lock for
    // 0.1 ms. Each of its operations takes a switch interval more.
    let item = |wait: f64, cpu_gil: f64| Recorded { count: 1, wait, cpu_gil, cpu_native: 0.0 };
    let mut items = vec![item(0.0, 0.5)];
    items.extend(std::iter::repeat_n(item(0.001, 0.0001), 60));
    let total: f64 = items.iter().map(|one| one.wait + one.cpu_gil).sum();
    let n = items.len() as f64;
    let work = Work {
        items: items.len() as u64,
        wait: items.iter().map(|one| one.wait).sum::<f64>() / n,
        cpu_gil: items.iter().map(|one| one.cpu_gil).sum::<f64>() / n,
        longest: 0.5,
        ..Work::default()
    };
    let host = Host { cores: 2.0, gil: true, loops: 1.0 };
    let replay = Replay::of(Model::Threads, &items, &work, &host, &costs(), 1, 2).unwrap();
    // Without the convoy all 60 would be done within 66 ms, beside the 500 ms; with it each costs about 6 ms.
    let time = replay.time(2);
    assert!(time > 0.5 && time < total + 0.05, "{time}");
    let quick = Replay::of(Model::Processes, &items, &work, &host, &costs(), 1, 2).unwrap().time(2);
    assert!(quick < time, "{quick} {time}");
}
