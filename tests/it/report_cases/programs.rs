//! The programs, one function each.

use std::collections::BTreeMap;
use std::time::Duration;

use boundby::advice::{Action, Advice, Confidence, Stage, Strategy};
use boundby::facts::Origin;
use boundby::machine::Machine;
use boundby::profile::{
    CpuSplit, EventLoop, Exit, Items, Language, Parallelism, ProcessGroup, Region, Runtime, Segment,
    Throttling,
};
use boundby::wait::{Account, WaitKind};

use super::Case;
use super::build::*;

/// The design's example: one query after another.
pub(super) fn network_python() -> Case {
    use Account::{Cpu, Runnable, Unattributed};
    let wall = [(wait(WaitKind::Network), 11_214.0), (Cpu, 905.0), (Runnable, 198.5), (Unattributed, 86.5)];
    let mut profile = run(&["python3", "etl.py"], cpython(), &wall);
    profile.cpu_split = CpuSplit { gil: Some(ms(880.0)), native: Some(ms(25.0)), samples: 91 };
    let mut query = site(WaitKind::Network, "recvfrom", Some("db.local:5432"), 200, ms(11_214.0));
    query.p95 = Some(ms(81.0));
    query.cpu = ms(900.0);
    profile.blocking_points = vec![query];
    let mut fetch = line(WaitKind::Network, ("fetch_row", "/srv/jobs/etl.py", 42), 200, ms(11_214.0));
    fetch.operation = "recvfrom".into();
    fetch.resource = Some("db.local:5432".into());
    fetch.call = Some("psycopg2.extras.execute".into());
    fetch.callers = vec![at(("load", "/srv/jobs/etl.py", 88)), at(("<module>", "/srv/jobs/etl.py", 112))];
    fetch.p95 = Some(ms(81.0));
    fetch.cpu = ms(900.0);
    profile.sites = vec![fetch, hot(("parse", "/srv/jobs/etl.py", 57), ms(850.0), 0.98)];
    profile.items = Some(Items {
        are_processes: false,
        free: None,
        requests: None,
        count: 200,
        lanes: 1,
        wait: BTreeMap::from([(WaitKind::Network, ms(56.07))]),
        cpu_gil: ms(4.4),
        cpu_native: ms(0.1),
        cv: Some(0.21),
        longest: Some(ms(94.2)),
        p95: Some(ms(81.0)),
        share: 0.988,
        region: Some(Region {
            at: at(("fetch_row", "/srv/jobs/etl.py", 42)),
            call: Some("psycopg2.extras.execute".into()),
            callers: vec![at(("load", "/srv/jobs/etl.py", 88)), at(("<module>", "/srv/jobs/etl.py", 112))],
            waits_in: Some("fetch_row".into()),
            computes_at: Some(at(("parse", "/srv/jobs/etl.py", 57))),
            computes_in: Some("parse".into()),
        }),
        segments: vec![
            Segment { count: 150, wait: ms(53.0), cpu_gil: ms(4.4), cpu_native: ms(0.1) },
            Segment { count: 50, wait: ms(65.28), cpu_gil: ms(4.4), cpu_native: ms(0.1) },
        ],
    });
    let mut threads = advise(Strategy::Threads, Action::Adopt, "16 of them overlap before the GIL is full");
    threads.workers =
        Some(workers(16, 12, 24, "1 + 56.1 ms / 4.5 ms = 13.5, rounded up to whole rounds", "knee"));
    threads.predicted = Some(predicted(1.13, 11.0, 9.4, 12.0));
    threads.rule = "io-waits-overlap".into();
    threads.construct = Some("concurrent.futures.ThreadPoolExecutor(max_workers=16)".into());
    threads.snippet = Some(
        "from concurrent.futures import ThreadPoolExecutor\n\nwith ThreadPoolExecutor(max_workers=16) as pool:\n    \
         results = list(pool.map(fetch_row, items))\n"
            .into(),
    );
    threads.because = vec![
        number("wait.share", 0.926, Origin::Measured, "wait.share >= 50%"),
        number("wait.lock", 0.0, Origin::Measured, "wait.lock < 20% * wait.total"),
        number("pred.threads.gain", 11.0, Origin::Predicted, "pred.threads.gain >= 1.2"),
    ];
    threads.caveats = vec![
        "assumes that items do not depend on each other: only you can know".into(),
        "whether the other side stands 16 requests at once is not known".into(),
    ];
    threads.flip = Some("async wins once more than about 200 queries wait at the same time".into());
    let mut tasks = advise(Strategy::Async, Action::Adopt, "");
    tasks.workers = Some(workers(64, 32, 128, "", ""));
    tasks.predicted = Some(predicted(1.1, 11.3, 9.5, 12.4));
    tasks.caveats = vec!["needs an async driver and an async caller".into()];
    let mut advice = Advice {
        verdict: verdict("network", 0.9041, Confidence::High, ""),
        recommendations: vec![threads, tasks],
        ..Advice::default()
    };
    advice.rejected = vec![rejected(
        Strategy::Processes,
        Some(10.4),
        "the same gain as threads, but 16 interpreters cost 310 MiB",
    )];
    advice.not_decided = vec![
        not_decided("downstream-limit", "limit.downstream"),
        not_decided("items-depend", "region.independent"),
    ];
    Case { name: "network-python", profile, machine: machine(), advice }
}

/// Eight threads that compute under one lock.
pub(super) fn gil_threads() -> Case {
    let wall = [(wait(WaitKind::Gil), 7_604.0), (Account::Cpu, 402.0), (Account::Unattributed, 31.0)];
    let mut profile = run(&["python3", "-m", "resize", "--out", "/srv/images/2026 autumn"], cpython(), &wall);
    profile.threads = 9;
    profile.thread_book = book(&[
        (Account::Cpu, 8_006.0),
        (wait(WaitKind::Gil), 52_040.0),
        (wait(WaitKind::Lock), 8_033.0),
        (Account::Unattributed, 210.0),
    ]);
    profile.cpu_split = CpuSplit { gil: Some(ms(7_830.0)), native: Some(ms(176.0)), samples: 801 };
    profile.quality.remarks = vec!["the program opened its images faster than they could be sampled".into()];
    let mut processes = advise(
        Strategy::Processes,
        Action::Adopt,
        "98 % of the CPU time holds the interpreter lock, and each process has its own",
    );
    processes.workers = Some(workers(2, 2, 2, "one per core really to be had: 1.97", "cap-memory-processes"));
    processes.predicted = Some(predicted(4.21, 1.91, 1.7, 1.97));
    processes.confidence = Confidence::Medium;
    processes.rule = "cpu-bound-under-gil".into();
    processes.construct = Some(
        "concurrent.futures.ProcessPoolExecutor(max_workers=2, mp_context=get_context(\"forkserver\"))"
            .into(),
    );
    processes.memory = Some(44 << 20);
    processes.because = vec![
        number("cpu.gil_share", 0.978, Origin::Measured, "cpu.gil_share >= 50%"),
        number("thread.gil", 0.762, Origin::Measured, ""),
        number("data.ser_cost", 0.0011, Origin::Assumed, "cpu.gil > 1.5 * data.ser_cost"),
    ];
    processes.caveats = vec!["arguments are pickled: send file names, not images".into()];
    let advice = Advice {
        verdict: verdict(
            "gil",
            0.946,
            Confidence::High,
            "one thread ran while the others queued for the interpreter lock",
        ),
        recommendations: vec![processes],
        rejected: vec![
            rejected(Strategy::Threads, Some(1.0), "the eight threads it has already share one lock"),
            rejected(Strategy::Async, Some(1.0), "there is no waiting to overlap"),
        ],
        not_decided: Vec::new(),
        stated: Vec::new(),
    };
    Case { name: "gil-threads", profile, machine: machine(), advice }
}

/// A compiled program that uses every CPU already.
pub(super) fn native_threads() -> Case {
    let wall = [(Account::Cpu, 20_010.0), (Account::Runnable, 40.0), (wait(WaitKind::Disk), 30.0)];
    let mut profile =
        run(&["./target/release/simulate", "--steps", "40000"], compiled(Language::Rust), &wall);
    profile.threads = 3;
    profile.cpu_user = ms(38_700.0);
    profile.cpu_system = ms(210.0);
    profile.thread_book =
        book(&[(Account::Cpu, 38_910.0), (Account::Runnable, 640.0), (wait(WaitKind::Lock), 20_500.0)]);
    profile.parallelism = Parallelism {
        mean: 1.938,
        share_of_wall_by_running_threads: vec![0.003, 0.056, 0.941],
        alternating: 0,
    };
    let mut keep = advise(
        Strategy::Threads,
        Action::Keep,
        "keep threads × 2: the cores are full — on average 1.9 threads ran, and 2 cores are to be had: only less work makes \
         it faster",
    );
    keep.workers = Some(workers(2, 2, 2, "", "cores"));
    keep.rule = "all-cores-used".into();
    keep.because = vec![
        number("parallelism.mean", 1.938, Origin::Measured, "parallelism.mean >= 90% * host.p_eff"),
        number("host.p_eff", 1.97, Origin::Machine, "parallelism.mean >= 90% * host.p_eff"),
    ];
    let mut more =
        advise(Strategy::Distributed, Action::Adopt, "only if 20 s are too long: a second machine");
    more.confidence = Confidence::Low;
    let advice = Advice {
        verdict: verdict("cpu", 0.997, Confidence::High, ""),
        recommendations: vec![keep, more],
        rejected: vec![rejected(
            Strategy::Processes,
            Some(0.97),
            "threads reach every CPU here without copying",
        )],
        not_decided: Vec::new(),
        stated: Vec::new(),
    };
    Case { name: "native-threads", profile, machine: machine(), advice }
}

/// A server nobody asks anything, watched from outside.
pub(super) fn idle_server() -> Case {
    let wall = [(wait(WaitKind::Idle), 9_990.0), (Account::Cpu, 10.0)];
    let mut profile = run(&["/usr/bin/node", "server.js"], compiled(Language::Node), &wall);
    profile.runtime.implementation = Some("Node.js".into());
    profile.runtime.version = Some("22.9.0".into());
    profile.launched = false;
    profile.exit = None;
    profile.threads = 11;
    profile.max_rss = None;
    profile.quality.cpu_coverage = None;
    let mut accept = site(WaitKind::Idle, "epoll_wait", Some("0.0.0.0:8080"), 3, ms(9_990.0));
    accept.thread = "node".into();
    accept.in_event_loop = true;
    profile.event_loop = Some(EventLoop {
        waiting: ms(9_990.0),
        blocked: Duration::ZERO,
        cpu: ms(10.0),
        connections: Some(2),
    });
    profile.blocking_points = vec![accept];
    let mut keep = advise(
        Strategy::Async,
        Action::Keep,
        "leave it as it is: it waits for work — nothing was asked of it; profile it under load",
    );
    keep.rule = "idle-server".into();
    keep.because = vec![number("wall.idle", 0.999, Origin::Measured, "wall.idle >= 90%")];
    let advice = Advice {
        verdict: verdict(
            "idle",
            0.999,
            Confidence::High,
            "nothing to do: the event loop waited for requests",
        ),
        recommendations: vec![keep],
        ..Advice::default()
    };
    Case { name: "idle-server", profile, machine: machine(), advice }
}

/// A container that may use half a CPU.
pub(super) fn throttled() -> Case {
    let wall = [(Account::Throttled, 4_880.0), (Account::Cpu, 5_020.0), (Account::Runnable, 100.0)];
    let mut profile = run(&["ruby", "report.rb"], compiled(Language::Ruby), &wall);
    profile.runtime.gil = Some(true);
    profile.runtime.version = Some("3.3.5".into());
    profile.throttling =
        Throttling { periods: Some(100), throttled_periods: Some(98), throttled: Some(ms(4_880.0)) };
    let machine = Machine { quota: Some(0.5), effective: 0.5, ..machine() };
    let mut raise = advise(
        Strategy::Sequential,
        Action::RaiseQuota,
        "raise the CPU quota of 0.5 cores, or use less CPU — more workers would only be stopped more often",
    );
    raise.predicted = Some(predicted(5.1, 1.96, 1.8, 2.0));
    raise.rule = "cpu-quota-exhausted".into();
    raise.because = vec![
        number("wall.throttled", 0.488, Origin::Measured, "wall.throttled >= 10%"),
        number("host.quota", 0.5, Origin::Machine, ""),
    ];
    raise.construct = Some("resources.limits.cpu: \"1\"  (docker run --cpus 1)".into());
    let advice = Advice {
        verdict: verdict("throttled", 0.488, Confidence::High, "stopped in 98 of 100 quota periods"),
        recommendations: vec![raise],
        rejected: vec![rejected(Strategy::Processes, Some(1.0), "all workers share the same quota")],
        not_decided: Vec::new(),
        stated: Vec::new(),
    };
    Case { name: "throttled", profile, machine, advice }
}

/// A poll: the advice is a question first, and every plan beside it conditional.
pub(super) fn sleep_poll() -> Case {
    let wall = [(wait(WaitKind::Sleep), 1_976.0), (Account::Cpu, 54.0)];
    let mut profile = run(&["python3", "poll.py"], cpython(), &wall);
    profile.cpu_split = CpuSplit { gil: Some(ms(53.0)), native: Some(ms(1.0)), samples: 12 };
    profile.blocking_points = vec![site(WaitKind::Sleep, "sleep", None, 41, ms(1_976.0))];
    let mut event = advise(
        Strategy::Sequential,
        Action::WaitForEvent,
        "wait for the event instead of sleeping — 97 % of the time is sleep that the program asks for: polling, \
         pacing or a rate limit, and only you can know which",
    );
    event.rule = "sleep-bound".into();
    let mut threads = advise(Strategy::Threads, Action::Adopt, "");
    threads.workers = Some(workers(40, 34, 40, "", "items"));
    threads.predicted = Some(predicted(0.08, 26.0, 24.0, 31.0));
    threads.confidence = Confidence::Low;
    let mut tasks = advise(Strategy::Async, Action::Adopt, "");
    tasks.workers = Some(workers(40, 34, 40, "", "items"));
    tasks.predicted = Some(predicted(0.08, 25.0, 23.0, 30.0));
    let advice = Advice {
        verdict: verdict("sleep", 0.973, Confidence::High, "97 % of the wall time is sleep"),
        recommendations: vec![event, threads, tasks],
        rejected: vec![rejected(Strategy::Hybrid, Some(20.0), "one pool takes less")],
        not_decided: Vec::new(),
        stated: Vec::new(),
    };
    Case { name: "sleep-poll", profile, machine: machine(), advice }
}

/// Threads that wait for each other.
pub(super) fn lock_bound() -> Case {
    let wall = [
        (wait(WaitKind::Lock), 6_100.0),
        (Account::Cpu, 3_600.0),
        (wait(WaitKind::Disk), 280.0),
        (wait(WaitKind::Sleep), 12.0),
        (Account::Runnable, 8.0),
    ];
    let mut profile = run(&["./ledger", "--import", "/data/2026-11.csv"], compiled(Language::Native), &wall);
    profile.threads = 16;
    profile.exit = Some(Exit::Code(3));
    profile.thread_book =
        book(&[(Account::Cpu, 3_600.0), (wait(WaitKind::Lock), 152_000.0), (wait(WaitKind::Disk), 4_000.0)]);
    let mut lock = site(WaitKind::Lock, "futex", Some("0x55d0c41e80"), 410_000, ms(150_800.0));
    lock.counted = false;
    lock.critical = ms(6_000.0);
    lock.threads = 16;
    lock.thread = "ledger".into();
    let mut other = site(WaitKind::Lock, "futex", Some("0x55d0c41f00"), 800, ms(1_200.0));
    other.critical = ms(100.0);
    let mut journal =
        site(WaitKind::Disk, "fsync", Some("/var/lib/ledger/books/2026/november/journal.wal"), 31, ms(280.0));
    journal.p95 = Some(ms(14.0));
    profile.blocking_points = vec![lock, other, journal];
    let mut hold = advise(
        Strategy::Threads,
        Action::ReduceContention,
        "hold the lock for less time: swap a pointer inside it, no more — 16 threads take turns at what it guards",
    );
    hold.rule = "lock-serialises-threads".into();
    hold.confidence = Confidence::Medium;
    hold.because = vec![
        number("wall.lock", 0.61, Origin::Measured, "wall.lock >= 30%"),
        number("parallelism.mean", 0.36, Origin::Measured, "parallelism.mean < 50% * host.p_eff"),
    ];
    let advice = Advice {
        verdict: verdict("lock", 0.92, Confidence::Medium, "16 threads queue for a lock 92 % of the time"),
        recommendations: vec![hold],
        ..Advice::default()
    };
    Case { name: "lock-bound", profile, machine: machine(), advice }
}

/// Over before anything could be seen.
pub(super) fn too_short() -> Case {
    let wall = [(Account::Cpu, 18.0), (Account::Unattributed, 3.2)];
    let mut profile = run(&["python3", "-c", "print(sum(range(1000)))\n"], cpython(), &wall);
    profile.quality.samples = 2;
    profile.quality.cpu_coverage = Some(0.31);
    profile.quality.remarks = vec!["69.0 % of the CPU time is known only from totals".into()];
    profile.quality.own_cpu = ms(0.4);
    let mut keep = advise(
        Strategy::Sequential,
        Action::Keep,
        "leave it as it is: the whole run takes 21.2 ms — it ends before workers would have started and paid off",
    );
    keep.rule = "total-work-tiny".into();
    keep.because = vec![number("run.wall", 0.0212, Origin::Measured, "run.wall < worth_total")];
    let advice = Advice {
        verdict: verdict("cpu", 0.849, Confidence::Low, "too short to be sampled: from totals alone"),
        recommendations: vec![keep],
        ..Advice::default()
    };
    Case { name: "too-short", profile, machine: machine(), advice }
}

/// Evidence that contradicts itself; the interpreter is not one that is known, and it is killed.
pub(super) fn inconclusive() -> Case {
    let wall = [
        (Account::Runnable, 1_900.0),
        (Account::Cpu, 1_450.0),
        (Account::Unattributed, 1_300.0),
        (wait(WaitKind::Network), 350.0),
    ];
    let mut profile = run(&["./crawl"], Runtime::default(), &wall);
    profile.exit = Some(Exit::Signal(9));
    profile.quality.lost = 12;
    profile.quality.late = 140;
    let machine = Machine {
        capacity: None,
        notes: vec!["the spin probe was not run: the machine was busy".into()],
        ..machine()
    };
    let mut open = advise(
        Strategy::Sequential,
        Action::Inconclusive,
        "not known yet: profile it again on a quiet machine — other programs held the CPUs for 38 % of the time; it ran for \
         29 %, and more workers would only queue as well",
    );
    open.confidence = Confidence::Low;
    open.rule = "contended-by-others".into();
    open.because = vec![
        number("wall.runnable", 0.38, Origin::Measured, "wall.runnable >= 20%"),
        number("wall.unattributed", 0.26, Origin::Measured, "wall.unattributed >= 20%"),
    ];
    let mut advice = Advice {
        verdict: verdict("contended", 0.38, Confidence::Low, "other programs held the CPUs"),
        recommendations: vec![open],
        ..Advice::default()
    };
    advice.not_decided =
        ["region.n", "wait.share", "cpu.gil_share", "host.p_eff", "region.independent", "mem.per_process"]
            .iter()
            .map(|fact| not_decided(&format!("needs-{}", fact.replace(['.', '_'], "-")), fact))
            .collect();
    Case { name: "inconclusive", profile, machine, advice }
}

/// Waits and computes in turn: worth two stages.
pub(super) fn fetch_then_parse() -> Case {
    let wall = [
        (wait(WaitKind::Network), 4_400.0),
        (Account::Cpu, 3_500.0),
        (wait(WaitKind::Disk), 60.0),
        (Account::Unattributed, 40.0),
    ];
    let mut profile = run(&["/opt/venv/bin/python", "-u", "pages.py"], cpython(), &wall);
    profile.cpu_split = CpuSplit { gil: Some(ms(2_170.0)), native: Some(ms(1_330.0)), samples: 350 };
    let mut fetch = site(WaitKind::Network, "recv", Some("[2001:db8::17]:443"), 70, ms(4_100.0));
    fetch.p95 = Some(ms(120.0));
    let lookup = site(WaitKind::Network, "poll", Some("10.0.0.2:53"), 70, ms(300.0));
    let write = site(WaitKind::Disk, "write", Some("/home/日本語/出力/pages.jsonl"), 70, ms(60.0));
    profile.blocking_points = vec![fetch, lookup, write];
    profile.items = Some(Items {
        are_processes: false,
        free: None,
        requests: None,
        count: 70,
        lanes: 1,
        wait: BTreeMap::from([(WaitKind::Network, ms(62.8)), (WaitKind::Disk, ms(0.86))]),
        cpu_gil: ms(31.0),
        cpu_native: ms(19.0),
        cv: None,
        longest: None,
        share: 0.99,
        segments: Vec::new(),
        ..Items::default()
    });
    let mut hybrid = advise(
        Strategy::Hybrid,
        Action::Adopt,
        "one stage waits while the other computes: 1.86 s, where one pool takes 2.6 s",
    );
    hybrid.stages = vec![
        Stage {
            name: "wait".into(),
            strategy: Strategy::Async,
            workers: 8,
            function: Some("fetch".into()),
            at: Some(at(("fetch", "/srv/pages.py", 21))),
        },
        Stage {
            name: "compute".into(),
            strategy: Strategy::Processes,
            workers: 2,
            function: Some("parse".into()),
            at: Some(at(("parse", "/srv/pages.py", 34))),
        },
    ];
    hybrid.workers = Some(workers(10, 8, 12, "", "knee"));
    hybrid.predicted = Some(predicted(1.86, 4.3, 2.9, 4.6));
    hybrid.confidence = Confidence::Medium;
    hybrid.rule = "fetch-then-compute".into();
    hybrid.memory = Some(46 << 20);
    hybrid.because = vec![number("pred.hybrid.gain", 4.3, Origin::Predicted, "pred.hybrid.gain >= 1.2")];
    let mut threads = advise(Strategy::Threads, Action::Adopt, "half the gain for a tenth of the change");
    threads.workers = Some(workers(4, 3, 6, "", ""));
    threads.predicted = Some(predicted(2.6, 3.1, 0.9, 3.3));
    let advice = Advice {
        verdict: verdict("mixed", 0.55, Confidence::Medium, "no single cause takes 60 % of the wall time"),
        recommendations: vec![hybrid, threads],
        ..Advice::default()
    };
    Case { name: "fetch-then-parse", profile, machine: machine(), advice }
}

/// A shell script whose children do the work.
pub(super) fn child_tree() -> Case {
    let wall = [
        (Account::Cpu, 28_700.0),
        (wait(WaitKind::Pipe), 900.0),
        (wait(WaitKind::Child), 300.0),
        (wait(WaitKind::Disk), 55.0),
        (wait(WaitKind::Sleep), 45.0),
    ];
    let mut profile = run(&["bash", "thumbnails.sh"], compiled(Language::Shell), &wall);
    profile.processes = 241;
    profile.threads = 241;
    profile.quality.cpu_coverage = Some(0.83);
    profile.process_groups = vec![ProcessGroup {
        name: "convert".into(),
        parent: Some("bash".into()),
        count: 240,
        concurrent: 1,
        threads: 1,
        cpu: ms(28_000.0),
        rss: Some(61 << 20),
        bytes_read: Some(480 << 20),
        bytes_written: None,
        runtime: compiled(Language::Native),
    }];
    profile.blocking_points = vec![site(WaitKind::Pipe, "read", Some("pipe to identify"), 240, ms(900.0))];
    profile.items = Some(Items {
        are_processes: true,
        count: 240,
        lanes: 1,
        wait: BTreeMap::from([(WaitKind::Pipe, ms(3.75))]),
        cpu_gil: Duration::ZERO,
        cpu_native: ms(116.7),
        cv: Some(0.4),
        longest: Some(ms(340.0)),
        share: 0.965,
        segments: Vec::new(),
        ..Items::default()
    });
    let mut pool = advise(
        Strategy::Processes,
        Action::Adopt,
        "2 processes side by side are predicted to be 1.9× as fast",
    );
    pool.workers = Some(workers(2, 2, 3, "one per core really to be had: 1.97", "knee"));
    pool.predicted = Some(predicted(15.6, 1.92, 1.8, 1.97));
    pool.rule = "children-one-by-one".into();
    pool.construct = Some("xargs -P 2".into());
    pool.because = vec![number("now.processes", 1.0, Origin::Measured, "now.processes < host.p_eff")];
    let advice = Advice {
        verdict: verdict("cpu", 0.957, Confidence::High, "its children compute, one after another"),
        recommendations: vec![pool],
        ..Advice::default()
    };
    Case { name: "child-tree", profile, machine: machine(), advice }
}
