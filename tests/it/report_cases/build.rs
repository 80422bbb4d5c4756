//! The bricks of the cases: machines, runtimes, books, sites and advice with everything usual filled in.

use std::time::Duration;

use boundby::advice::{
    Action, Confidence, Evidence, NotDecided, Predicted, Recommendation, Rejected, Strategy, Verdict, Workers,
};
use boundby::facts::{Origin, Type, Value, spec};
use boundby::machine::Machine;
use boundby::profile::{
    BlockingPoint, Exit, Language, Location, Parallelism, Profile, Quality, Refused, Runtime, Site,
};
use boundby::wait::{Account, Book, WaitKind};

pub(super) fn ms(value: f64) -> Duration {
    Duration::from_nanos((value * 1e6) as u64)
}

/// A book in milliseconds.
pub(super) fn book(lines: &[(Account, f64)]) -> Book {
    let mut book = Book::default();
    for (account, time) in lines {
        book[*account] += ms(*time).as_nanos() as u64;
    }
    book
}

pub(super) fn wait(kind: WaitKind) -> Account {
    Account::Wait(kind)
}

pub(super) fn machine() -> Machine {
    Machine {
        cpus_logical: 2,
        cpus_affinity: Some(2),
        effective: 2.0,
        capacity: Some(1.97),
        memory_total: Some(8 << 30),
        memory_available: Some(6 << 30),
        max_open_files: Some(1024),
        max_tasks: Some(32_768),
        kernel: "6.8.0-45-generic".into(),
        ..Machine::default()
    }
}

pub(super) fn cpython() -> Runtime {
    Runtime {
        language: Language::Python,
        implementation: Some("CPython".into()),
        version: Some("3.11.7".into()),
        gil: Some(true),
    }
}

pub(super) fn compiled(language: Language) -> Runtime {
    Runtime { language, gil: Some(false), ..Runtime::default() }
}

/// A single-threaded run seen whole: the thread book is the wall book.
pub(super) fn run(command: &[&str], runtime: Runtime, wall: &[(Account, f64)]) -> Profile {
    let wall_book = book(wall);
    let cpu = wall_book.get(Account::Cpu) + wall_book.get(wait(WaitKind::Gil));
    let samples = (wall_book.total().as_millis() / 10) as u64;
    let busy = cpu.as_secs_f64() / wall_book.total().as_secs_f64();
    Profile {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        launched: true,
        exit: Some(Exit::Code(0)),
        wall: wall_book.total(),
        cpu_user: cpu / 10 * 9,
        cpu_system: cpu / 10,
        max_rss: Some(24 << 20),
        processes: 1,
        threads: 1,
        runtime,
        wall_book,
        thread_book: wall_book,
        parallelism: Parallelism {
            mean: busy,
            share_of_wall_by_running_threads: vec![1.0 - busy, busy],
            alternating: 0,
        },
        quality: Quality {
            sources_used: vec!["procfs".into(), "rusage".into()],
            refused: vec![Refused {
                source: "perf".into(),
                reason: "perf_event_paranoid is 4".into(),
                costs:
                    "waits shorter than 10 ms are estimated; `sysctl kernel.perf_event_paranoid=1` as root \
                        enables it"
                        .into(),
            }],
            samples,
            late: samples / 100,
            interval: ms(10.1),
            own_cpu: wall_book.total().mul_f64(0.009),
            cpu_coverage: Some(1.0),
            ..Quality::default()
        },
        ..Profile::default()
    }
}

pub(super) fn site(
    kind: WaitKind,
    operation: &str,
    resource: Option<&str>,
    episodes: u64,
    wait: Duration,
) -> BlockingPoint {
    BlockingPoint {
        kind,
        operation: operation.into(),
        resource: resource.map(str::to_owned),
        thread: "python3".into(),
        episodes,
        counted: true,
        wait,
        critical: wait,
        queued: wait,
        p95: None,
        cpu: Duration::ZERO,
        threads: 1,
        in_event_loop: false,
    }
}

/// A line of the program's own source, `wait` on it.
pub(super) fn line(kind: WaitKind, place: (&str, &str, u32), episodes: u64, wait: Duration) -> Site {
    Site {
        account: Account::Wait(kind),
        at: Some(at(place)),
        call: None,
        callers: Vec::new(),
        operation: String::new(),
        resource: None,
        process: "python3".into(),
        episodes,
        counted: true,
        wait,
        critical: wait,
        p95: None,
        cpu: Duration::ZERO,
        under_lock: None,
        threads: 1,
        in_event_loop: false,
        tasks: None,
        blocks_event_loop: false,
    }
}

/// A line of the program's own source that computes.
pub(super) fn hot(place: (&str, &str, u32), cpu: Duration, under_lock: f64) -> Site {
    Site {
        account: Account::Cpu,
        critical: cpu,
        cpu,
        under_lock: Some(under_lock),
        ..line(WaitKind::Idle, place, 0, Duration::ZERO)
    }
}

/// Function, file and line.
pub(super) fn at((function, file, line): (&str, &str, u32)) -> Location {
    Location { function: function.into(), file: Some(file.into()), line: Some(line) }
}

pub(super) fn verdict(bound_by: &str, share: f64, confidence: Confidence, summary: &str) -> Verdict {
    Verdict {
        bound_by: bound_by.into(),
        share,
        confidence,
        summary: summary.into(),
        rule: format!("{bound_by}-dominates-wall"),
    }
}

pub(super) fn advise(strategy: Strategy, action: Action, headline: &str) -> Recommendation {
    Recommendation {
        strategy,
        action,
        headline: headline.into(),
        workers: None,
        stages: Vec::new(),
        cluster: None,
        predicted: None,
        curve: Vec::new(),
        region: None,
        confidence: Confidence::High,
        rule: String::new(),
        because: Vec::new(),
        caveats: Vec::new(),
        flip: None,
        construct: None,
        snippet: None,
        memory: None,
    }
}

pub(super) fn workers(suggested: u32, low: u32, high: u32, formula: &str, binding_cap: &str) -> Workers {
    Workers { suggested, low, high, formula: formula.into(), binding_cap: binding_cap.into() }
}

pub(super) fn predicted(wall_s: f64, speedup: f64, low: f64, high: f64) -> Predicted {
    Predicted { wall_s, speedup, low, high }
}

/// Evidence with the unit the vocabulary gives the fact.
pub(super) fn number(fact: &str, value: f64, origin: Origin, comparison: &str) -> Evidence {
    let Some(Type::Number(unit)) = spec(fact).map(|spec| spec.ty) else { panic!("{fact} is no number") };
    Evidence {
        fact: fact.into(),
        value: Value::Number(value),
        unit: Some(unit),
        origin,
        comparison: comparison.into(),
    }
}

pub(super) fn rejected(strategy: Strategy, predicted_speedup: Option<f64>, why: &str) -> Rejected {
    Rejected { strategy, why: why.into(), predicted_speedup }
}

pub(super) fn not_decided(rule: &str, missing: &str) -> NotDecided {
    let how_to_learn = spec(missing).map_or("", |spec| spec.how_to_learn);
    NotDecided { rule: rule.into(), missing: vec![missing.into()], how_to_learn: how_to_learn.into() }
}
