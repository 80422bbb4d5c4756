//! Whole programs through [`advise`]: evidence as a profile would hold it, the advice a reader would expect.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Advice, Confidence, Strategy, advise};
use crate::machine::Machine;
use crate::profile::{
    BlockingPoint, CpuSplit, EventLoop, Exit, Items, Language, Parallelism, ProcessGroup, Profile, Quality,
    Runtime, Segment,
};
use crate::rules::RuleSet;
use crate::wait::{Account, Book, WaitKind};

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn book(wall: f64, shares: &[(Account, f64)]) -> Book {
    let mut book = Book::default();
    for (account, share) in shares {
        book[*account] = s(wall * share).as_nanos() as u64;
    }
    book
}

pub(super) fn machine(cores: f64) -> Machine {
    Machine {
        cpus_logical: cores as u32,
        cpus_affinity: Some(cores as u32),
        effective: cores,
        capacity: Some(cores),
        memory_available: Some(8 << 30),
        max_open_files: Some(1024),
        ..Machine::default()
    }
}

/// A complete run of a program of one runtime.
pub(super) fn program(language: Language, wall: f64, shares: &[(Account, f64)]) -> Profile {
    let cpu: f64 = shares
        .iter()
        .filter(|(account, _)| matches!(account, Account::Cpu | Account::Wait(WaitKind::Gil)))
        .map(|(_, share)| share * wall)
        .sum();
    let python = language == Language::Python;
    Profile {
        launched: true,
        exit: Some(Exit::Code(0)),
        wall: s(wall),
        cpu_user: s(cpu),
        processes: 1,
        threads: 1,
        max_rss: Some(20 << 20),
        runtime: Runtime { language, gil: Some(python), ..Runtime::default() },
        wall_book: book(wall, shares),
        thread_book: book(wall, shares),
        parallelism: Parallelism { mean: cpu / wall, ..Parallelism::default() },
        cpu_split: CpuSplit {
            gil: python.then(|| s(cpu)),
            native: python.then(Duration::default),
            samples: if python { 200 } else { 0 },
        },
        quality: Quality { samples: (wall * 200.0) as u64, ..Quality::default() },
        ..Profile::default()
    }
}

pub(super) fn items(count: u32, kind: WaitKind, wait: f64, cpu_gil: f64, cpu_native: f64) -> Items {
    let one = Segment { count: 1, wait: s(wait), cpu_gil: s(cpu_gil), cpu_native: s(cpu_native) };
    Items {
        are_processes: false,
        free: None,
        count: u64::from(count),
        lanes: 1,
        wait: BTreeMap::from([(kind, s(wait))]),
        cpu_gil: s(cpu_gil),
        cpu_native: s(cpu_native),
        cv: Some(0.05),
        longest: Some(s(wait + cpu_gil + cpu_native)),
        share: 0.97,
        segments: vec![one; count as usize],
        ..Items::default()
    }
}

fn site(kind: WaitKind, episodes: u64, wait: f64) -> BlockingPoint {
    BlockingPoint {
        kind,
        operation: "recvfrom".to_owned(),
        resource: Some("127.0.0.1:9000".to_owned()),
        thread: "main".to_owned(),
        episodes,
        counted: true,
        wait: s(wait),
        critical: s(wait),
        queued: s(wait),
        p95: None,
        cpu: s(0.01),
        threads: 1,
        in_event_loop: false,
    }
}

pub(super) fn ask(profile: &Profile, machine: &Machine) -> Advice {
    let advice = advise(profile, machine, &RuleSet::builtin().unwrap());
    assert!(!advice.recommendations.is_empty());
    for one in &advice.recommendations {
        assert!(!one.headline.contains("not measured"), "{}", one.headline);
        assert!(!one.rule.is_empty(), "{one:#?}");
        if let Some(predicted) = one.predicted {
            assert!(predicted.low <= predicted.speedup && predicted.speedup <= predicted.high, "{one:#?}");
        }
    }
    advice
}

const CPU: Account = Account::Cpu;
pub(super) const NETWORK: Account = Account::Wait(WaitKind::Network);
const GIL: Account = Account::Wait(WaitKind::Gil);
const LOST: Account = Account::Unattributed;

fn fetches(language: Language) -> Profile {
    let mut profile = program(language, 4.0, &[(NETWORK, 0.9), (CPU, 0.09), (LOST, 0.01)]);
    let gil = if language == Language::Python { 0.0015 } else { 0.0 };
    profile.items = Some(items(180, WaitKind::Network, 0.020, gil, 0.0015 - gil));
    profile.blocking_points = vec![site(WaitKind::Network, 180, 3.6)];
    profile
}

#[test]
fn sequential_fetches_become_threads() {
    let advice = ask(&fetches(Language::Python), &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "network");
    assert_eq!(advice.verdict.confidence, Confidence::High);
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Threads, Action::Adopt), "{advice:#?}");
    let workers = best.workers.as_ref().unwrap();
    // The knee is 21.5 / 1.51 = 14.
    assert!((10..=22).contains(&workers.suggested), "{workers:?}");
    assert!(best.predicted.unwrap().speedup > 7.0, "{best:#?}");
    assert!(best.construct.as_ref().unwrap().contains("ThreadPoolExecutor"));
    assert!(best.confidence >= Confidence::Medium);
    assert!(best.caveats.iter().any(|text| text.contains("do not depend on each other")));
}

#[test]
fn a_stated_limit_of_the_other_side_binds() {
    // Declared facts come with a later command; here the limit is what the rule is given.
    let rules = RuleSet::builtin().unwrap();
    let mut facts = crate::facts::collect(&fetches(Language::Python), &machine(2.0));
    facts.number("limit.downstream", 4.0, crate::facts::Origin::Declared);
    let caps = super::decide::caps(&rules, &facts);
    assert!(
        caps.iter().any(|(_, cap)| cap.name == "cap-downstream" && (cap.workers - 4.0).abs() < 1e-9),
        "{caps:?}"
    );
}

#[test]
fn computing_under_the_lock_becomes_processes_and_outside_it_threads() {
    let mut profile = program(Language::Python, 2.5, &[(CPU, 0.98), (LOST, 0.02)]);
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "cpu");
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Adopt), "{advice:#?}");
    assert_eq!(best.workers.as_ref().unwrap().suggested, 2);
    assert!(best.snippet.as_ref().unwrap().contains("__main__"));
    assert!(advice.rejected.iter().any(|r| r.strategy == Strategy::Threads), "{advice:#?}");

    profile.cpu_split = CpuSplit { gil: Some(s(0.05)), native: Some(s(2.4)), samples: 200 };
    let best = &ask(&profile, &machine(2.0)).recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Threads, Action::Adopt), "{best:#?}");
    assert_eq!(best.workers.as_ref().unwrap().suggested, 2);
}

#[test]
fn without_an_interpreter_lock_computing_becomes_threads() {
    for language in [Language::Rust, Language::Native, Language::Go, Language::Java] {
        let advice = ask(&program(language, 2.0, &[(CPU, 0.99), (LOST, 0.01)]), &machine(2.0));
        let best = &advice.recommendations[0];
        assert_eq!(
            (best.strategy, best.action),
            (Strategy::Threads, Action::Adopt),
            "{language:?} {advice:#?}"
        );
        assert!(advice.recommendations.iter().all(|one| one.strategy != Strategy::Processes));
    }
}

#[test]
fn a_busy_neighbour_changes_neither_verdict_nor_strategy() {
    let profile = program(Language::Python, 5.0, &[(CPU, 0.5), (Account::Runnable, 0.48), (LOST, 0.02)]);
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "cpu");
    assert_eq!(advice.recommendations[0].strategy, Strategy::Processes, "{advice:#?}");
    assert!(advice.recommendations[0].confidence < Confidence::High);
}

#[test]
fn a_pool_that_fights_for_the_lock_becomes_processes() {
    let mut profile = program(Language::Python, 2.0, &[(GIL, 0.93), (CPU, 0.05), (LOST, 0.02)]);
    profile.thread_book = book(8.0, &[(CPU, 0.25), (GIL, 0.74), (LOST, 0.01)]);
    profile.threads = 5;
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "gil");
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Adopt), "{advice:#?}");
    assert!(best.predicted.unwrap().speedup < 2.05);
}

#[test]
fn what_waits_for_work_is_left_alone() {
    let mut profile = program(Language::Python, 5.0, &[(Account::Wait(WaitKind::Idle), 0.99), (CPU, 0.01)]);
    profile.blocking_points = vec![BlockingPoint { in_event_loop: true, ..site(WaitKind::Idle, 3, 4.9) }];
    profile.event_loop = Some(EventLoop { waiting: s(4.9), ..EventLoop::default() });
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "idle");
    assert_eq!(advice.recommendations.len(), 1, "{advice:#?}");
    assert_eq!(advice.recommendations[0].action, Action::Keep);
}

#[test]
fn a_quota_is_raised_not_divided_among_more_workers() {
    let mut profile = program(Language::Native, 4.0, &[(Account::Throttled, 0.5), (CPU, 0.49), (LOST, 0.01)]);
    profile.throttling.throttled = Some(s(2.0));
    let advice = ask(&profile, &Machine { quota: Some(0.5), effective: 0.5, ..machine(2.0) });
    assert_eq!(advice.verdict.bound_by, "throttled");
    assert_eq!(advice.recommendations[0].action, Action::RaiseQuota, "{advice:#?}");
    assert_eq!(advice.recommendations.len(), 1);
}

#[test]
fn a_short_run_is_left_alone_and_a_dark_one_is_not_judged() {
    let short = ask(&program(Language::Python, 0.05, &[(CPU, 0.95), (LOST, 0.05)]), &machine(2.0));
    assert_eq!(short.recommendations[0].action, Action::Keep, "{short:#?}");
    let dark = ask(&program(Language::Python, 3.0, &[(CPU, 0.3), (LOST, 0.7)]), &machine(2.0));
    assert_eq!(dark.recommendations[0].action, Action::Inconclusive, "{dark:#?}");
    assert_eq!(dark.verdict.confidence, Confidence::Low);
    let few = Profile {
        quality: Quality { samples: 4, ..Quality::default() },
        ..program(Language::Python, 0.5, &[(CPU, 0.95), (LOST, 0.05)])
    };
    assert_eq!(ask(&few, &machine(2.0)).recommendations[0].action, Action::Inconclusive);
}

#[test]
fn threads_that_queue_for_one_lock_need_less_of_it() {
    let mut profile = program(Language::Python, 2.0, &[(Account::Wait(WaitKind::Sleep), 0.9), (CPU, 0.1)]);
    profile.thread_book = book(
        16.0,
        &[(Account::Wait(WaitKind::Lock), 0.86), (Account::Wait(WaitKind::Sleep), 0.12), (CPU, 0.02)],
    );
    profile.blocking_points = vec![BlockingPoint { threads: 8, ..site(WaitKind::Lock, 500, 13.7) }];
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "lock");
    assert_eq!(advice.recommendations[0].action, Action::ReduceContention, "{advice:#?}");
    assert_eq!(advice.recommendations[0].strategy, Strategy::Threads);
}

fn crew(count: u64, cpu: f64) -> ProcessGroup {
    ProcessGroup {
        name: "python3".to_owned(),
        count,
        concurrent: count,
        threads: 1,
        cpu: s(cpu),
        rss: Some(15 << 20),
        bytes_read: Some(8 << 20),
        bytes_written: Some(1 << 20),
        ..ProcessGroup::default()
    }
}

#[test]
fn a_full_machine_is_left_alone() {
    let mut profile = program(Language::Python, 2.0, &[(CPU, 0.98), (LOST, 0.02)]);
    profile.process_groups = vec![crew(2, 3.8)];
    profile.processes = 3;
    profile.cpu_user = s(3.85);
    profile.parallelism.mean = 1.92;
    let advice = ask(&profile, &machine(2.0));
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Keep), "{advice:#?}");
    assert_eq!(best.workers.as_ref().unwrap().suggested, 2);
}

#[test]
fn tiny_tasks_are_batched_and_large_arguments_shared() {
    let mut profile = program(Language::Python, 2.0, &[(CPU, 0.9), (LOST, 0.1)]);
    profile.process_groups = vec![crew(2, 1.2)];
    profile.blocking_points = vec![BlockingPoint { cpu: s(0.8), ..site(WaitKind::Pipe, 6000, 1.0) }];
    let parent = ProcessGroup { count: 1, concurrent: 1, ..crew(1, 1.0) };
    profile.process_groups.push(parent);
    let tiny = ask(&profile, &machine(2.0));
    assert_eq!(tiny.recommendations[0].action, Action::Batch, "{tiny:#?}");

    profile.blocking_points = vec![BlockingPoint { cpu: s(1.0), ..site(WaitKind::Pipe, 40, 1.0) }];
    profile.process_groups[0].bytes_read = Some(1_200_000_000);
    profile.thread_book = book(6.0, &[(CPU, 0.4), (Account::Wait(WaitKind::Pipe), 0.6)]);
    let large = ask(&profile, &machine(2.0));
    assert_eq!(large.recommendations[0].action, Action::ShareMemory, "{large:#?}");
}

#[test]
fn fetch_then_compute_becomes_two_stages_only_when_it_pays() {
    let mut profile = program(Language::Python, 6.0, &[(NETWORK, 0.78), (CPU, 0.21), (LOST, 0.01)]);
    profile.items = Some(items(116, WaitKind::Network, 0.040, 0.0105, 0.0));
    let advice = ask(&profile, &machine(2.0));
    let best = &advice.recommendations[0];
    assert!(matches!(best.strategy, Strategy::Hybrid | Strategy::Processes), "{advice:#?}");
    assert!(best.predicted.unwrap().speedup > 5.0);
    if best.strategy == Strategy::Hybrid {
        assert_eq!(best.stages.len(), 2);
    }
}

#[test]
fn children_one_after_another_run_side_by_side() {
    let children = |language| {
        let mut profile = program(language, 4.0, &[(CPU, 0.95), (LOST, 0.05)]);
        profile.processes = 9;
        profile.items = Some(Items { are_processes: true, ..items(8, WaitKind::Child, 0.0, 0.0, 0.47) });
        profile
    };
    let advice = ask(&children(Language::Shell), &machine(2.0));
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Adopt), "{advice:#?}");
    assert!(best.construct.as_ref().unwrap().contains("xargs -P 2"));
    assert_eq!(
        ask(&children(Language::Python), &machine(2.0)).recommendations[0].strategy,
        Strategy::Threads
    );
}

#[test]
fn a_pool_too_small_is_resized_and_one_that_fits_is_kept() {
    let pool = |lanes: u64| {
        let item = 0.021;
        let wall = 400.0 * item / lanes as f64 * 1.02;
        let mut profile = program(Language::Python, wall, &[(NETWORK, 0.85), (CPU, 0.14), (LOST, 0.01)]);
        let all = items(400, WaitKind::Network, 0.020, 0.001, 0.0);
        profile.items = Some(Items { lanes, share: 0.98, ..all });
        profile.threads = lanes;
        profile
    };
    let small = ask(&pool(4), &machine(2.0));
    let best = &small.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Threads, Action::Resize), "{small:#?}");
    assert!((12..=40).contains(&best.workers.as_ref().unwrap().suggested));
    let gain = best.predicted.unwrap().speedup;
    assert!((3.0..5.5).contains(&gain), "{gain}");
    let fits = ask(&pool(20), &machine(2.0));
    assert_eq!(fits.recommendations[0].action, Action::Keep, "{fits:#?}");
    assert_eq!(fits.recommendations[0].strategy, Strategy::Threads);
}

#[test]
fn a_thousand_connections_on_a_loop_are_kept() {
    let mut profile = program(Language::Python, 3.0, &[(NETWORK, 0.8), (CPU, 0.19), (LOST, 0.01)]);
    profile.items = Some(Items { lanes: 999, ..items(40, WaitKind::Network, 0.060, 0.015, 0.0) });
    profile.event_loop = Some(EventLoop { waiting: s(2.4), cpu: s(0.5), ..EventLoop::default() });
    let advice = ask(&profile, &machine(2.0));
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Async, Action::Keep), "{advice:#?}");
}

#[test]
fn a_verdict_at_the_edge_of_another_is_not_certain() {
    let disk = |share: f64| {
        let shares = [(Account::Wait(WaitKind::Disk), share), (CPU, 1.0 - share)];
        ask(&program(Language::Python, 3.0, &shares), &machine(2.0)).verdict
    };
    assert_eq!([0.70, 0.61, 0.59, 0.50].map(|share| disk(share).confidence), {
        use Confidence::{High, Medium};
        [High, Medium, Medium, High]
    });
    // Neighbours took 11 % of the time: without them the disk would have had 63 %.
    let shares = [(Account::Wait(WaitKind::Disk), 0.56), (CPU, 0.33), (Account::Runnable, 0.11)];
    let verdict = ask(&program(Language::Python, 3.0, &shares), &machine(2.0)).verdict;
    assert_eq!((verdict.bound_by.as_str(), verdict.confidence), ("mixed", Confidence::Medium));
}

#[test]
fn rare_waits_inside_a_computation_are_no_items() {
    let mut profile =
        program(Language::Native, 2.0, &[(CPU, 0.9), (Account::Wait(WaitKind::Paging), 0.08), (LOST, 0.02)]);
    profile.items = Some(items(3, WaitKind::Paging, 0.05, 0.0, 0.6));
    let printing = Profile {
        items: Some(items(3, WaitKind::Pipe, 0.001, 0.0, 0.6)),
        ..program(Language::Native, 2.0, &[(CPU, 0.98), (LOST, 0.02)])
    };
    for profile in [profile, printing] {
        let advice = ask(&profile, &machine(2.0));
        let best = &advice.recommendations[0];
        // Two workers for two cores, not one for each of the three stretches between waits.
        assert_eq!(
            (best.strategy, best.workers.as_ref().unwrap().suggested),
            (Strategy::Threads, 2),
            "{advice:#?}"
        );
        assert!(best.caveats.iter().any(|text| text.contains("no repeated work")), "{best:#?}");
    }
}

#[test]
fn a_pipeline_paced_by_one_stage_is_no_pool() {
    let mut profile = program(Language::Python, 2.0, &[(CPU, 0.99), (LOST, 0.01)]);
    let shell = Runtime { language: Language::Shell, gil: Some(false), ..Runtime::default() };
    profile.process_groups = vec![
        ProcessGroup { parent: Some("sh".to_owned()), ..crew(2, 1.97) },
        ProcessGroup { name: "sh".to_owned(), runtime: shell, ..crew(1, 0.001) },
    ];
    profile.blocking_points = vec![BlockingPoint { cpu: s(0.02), ..site(WaitKind::Pipe, 1900, 2.0) }];
    profile.thread_book = book(8.0, &[(CPU, 0.25), (Account::Wait(WaitKind::Pipe), 0.75)]);
    let advice = ask(&profile, &machine(2.0));
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Adopt), "{advice:#?}");
}

#[test]
fn hundreds_of_waits_are_tasks_under_a_lock_and_threads_elsewhere() {
    let waits = |language| {
        let mut profile = program(language, 25.0, &[(NETWORK, 0.98), (CPU, 0.01), (LOST, 0.01)]);
        profile.items = Some(items(240, WaitKind::Network, 0.100, 0.0, 0.0001));
        ask(&profile, &machine(2.0)).recommendations[0].clone()
    };
    assert_eq!(waits(Language::Python).strategy, Strategy::Async);
    assert_eq!(waits(Language::Rust).strategy, Strategy::Threads);
}

#[test]
fn a_loop_that_blocks_is_unblocked() {
    let mut profile = program(Language::Python, 3.0, &[(Account::Wait(WaitKind::Sleep), 0.9), (CPU, 0.1)]);
    let event_loop = BlockingPoint { in_event_loop: true, ..site(WaitKind::Network, 50, 0.1) };
    profile.blocking_points = vec![site(WaitKind::Sleep, 60, 2.7), event_loop];
    profile.event_loop = Some(EventLoop { waiting: s(0.1), blocked: s(2.7), ..EventLoop::default() });
    let advice = ask(&profile, &machine(2.0));
    let best = &advice.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Async, Action::Unblock), "{advice:#?}");
}

#[test]
fn a_loop_that_computes_gives_it_away() {
    let mut profile = program(Language::Python, 3.0, &[(CPU, 0.95), (LOST, 0.05)]);
    profile.blocking_points = vec![BlockingPoint { in_event_loop: true, ..site(WaitKind::Network, 50, 0.1) }];
    profile.event_loop = Some(EventLoop { cpu: s(2.8), ..EventLoop::default() });
    let best = &ask(&profile, &machine(2.0)).recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Processes, Action::Unblock), "{best:#?}");
    let node = ask(&program(Language::Node, 3.0, &[(CPU, 0.97), (LOST, 0.03)]), &machine(2.0));
    let best = &node.recommendations[0];
    assert_eq!((best.strategy, best.action), (Strategy::Threads, Action::Unblock), "{node:#?}");
}

#[test]
fn a_sleep_is_questioned_not_sped_up() {
    let mut profile = program(Language::Python, 3.0, &[(Account::Wait(WaitKind::Sleep), 0.97), (CPU, 0.03)]);
    profile.items = Some(items(290, WaitKind::Sleep, 0.010, 0.0002, 0.0));
    let advice = ask(&profile, &machine(2.0));
    assert_eq!(advice.verdict.bound_by, "sleep");
    assert_eq!(advice.recommendations[0].action, Action::WaitForEvent, "{advice:#?}");
    assert!(advice.recommendations[1..].iter().all(|one| one.confidence == Confidence::Low));
}

#[test]
fn one_core_leaves_computing_alone() {
    for language in [Language::Python, Language::Rust] {
        let advice = ask(&program(language, 2.0, &[(CPU, 0.98), (LOST, 0.02)]), &machine(1.0));
        assert_eq!(advice.recommendations[0].action, Action::Keep, "{advice:#?}");
        assert_eq!(advice.recommendations[0].strategy, Strategy::Sequential);
    }
}

#[test]
fn waits_without_items_are_not_judged() {
    let profile = program(Language::Python, 3.0, &[(NETWORK, 0.95), (CPU, 0.05)]);
    assert_eq!(ask(&profile, &machine(2.0)).recommendations[0].action, Action::Inconclusive);
}

#[test]
fn the_same_evidence_gives_the_same_advice() {
    let (profile, machine) = (fetches(Language::Python), machine(2.0));
    assert_eq!(ask(&profile, &machine), ask(&profile, &machine));
}

#[test]
fn no_evidence_at_all_is_no_panic() {
    let advice = advise(&Profile::default(), &Machine::default(), &RuleSet::builtin().unwrap());
    assert_eq!(advice.recommendations[0].action, Action::Inconclusive);
    assert_eq!(advice.verdict.confidence, Confidence::Low);
}
