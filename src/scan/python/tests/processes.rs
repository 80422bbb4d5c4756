//! What is seen of processes and executors, and above all what is not.

use crate::catalog::Catalog;
use crate::finding::Observation;
use crate::scan::Thresholds;
use crate::scan::python::extract;
use crate::scan::source::SourceFile;

const HEAD: &str = "import asyncio, atexit, multiprocessing, subprocess, threading\n\
                    from concurrent.futures import *\n\
                    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed\n\
                    from functools import partial\n";

fn observed(body: &str) -> Vec<Observation> {
    let file = SourceFile::new("a.py", format!("{HEAD}{body}").into_bytes()).unwrap();
    let extracted = extract(&file, Catalog::builtin(), &Thresholds::default());
    assert_eq!(extracted.errors, [], "{body}");
    extracted.observations
}

/// The observations of one rule: their subjects.
fn subjects(rule: &str, body: &str) -> Vec<String> {
    let seen = observed(body).into_iter().filter(|seen| seen.rule == rule);
    seen.map(|seen| seen.subject.to_string()).collect()
}

#[test]
fn a_pool_of_either_kind_is_none_of_processes() {
    let either = "def f(x):\n    pool = ThreadPoolExecutor() if x else ProcessPoolExecutor()\n    with pool:\n        return list(pool.map(lambda y: y, x))\n";
    assert_eq!(subjects("unpicklable-to-process-pool", either), [""; 0]);
    let unknown = "def f(pool=None):\n    pool = pool or ProcessPoolExecutor()\n    return list(pool.map(lambda y: y, [1]))\n";
    assert_eq!(subjects("unpicklable-to-process-pool", unknown), [""; 0]);
    let sure =
        "def f(x):\n    with ProcessPoolExecutor() as pool:\n        return list(pool.map(lambda y: y, x))\n";
    assert_eq!(subjects("unpicklable-to-process-pool", sure), ["lambda y: y"]);
}

#[test]
fn what_holds_a_lock_is_not_pickled_unless_it_says_how() {
    let class = "class C:\n    def __init__(self):\n        self.lock = threading.Lock()\n    def work(self, x):\n        return x\n    def run(self, xs):\n        with ProcessPoolExecutor() as pool:\n            return list(pool.map(self.work, xs, chunksize=9))\n";
    assert_eq!(subjects("unpicklable-to-process-pool", class), ["self.work"]);
    let says = format!("{class}    def __getstate__(self):\n        return {{}}\n");
    assert_eq!(subjects("unpicklable-to-process-pool", &says), [""; 0]);
    let inherits = class.replace("class C:", "class C(Base):");
    assert_eq!(subjects("unpicklable-to-process-pool", &inherits), [""; 0]);
    let handed = "lock = threading.Lock()\ndef f(x): return x\ndef g():\n    with ProcessPoolExecutor() as pool:\n        return pool.submit(f, lock).result()\n";
    assert_eq!(subjects("unpicklable-to-process-pool", handed), ["lock"]);
}

#[test]
fn pools_that_are_handed_on_are_the_business_of_who_gets_them() {
    for body in [
        "def f():\n    pool = ThreadPoolExecutor(2)\n    return pool\n",
        "def f(self):\n    pool = ThreadPoolExecutor(2)\n    self.pool = pool\n",
        "def f():\n    pool = ThreadPoolExecutor(2)\n    atexit.register(pool.shutdown)\n    pool.submit(print).result()\n",
        "def f(stack):\n    pool = ThreadPoolExecutor(2)\n    stack.enter_context(pool)\n    pool.submit(print).result()\n",
        "def f():\n    global pool\n    pool = ThreadPoolExecutor(2)\n    pool.submit(print).result()\n",
        "def f():\n    pool = ThreadPoolExecutor(2)\n    try:\n        yield pool.submit(print)\n    finally:\n        pool.shutdown()\n",
    ] {
        assert_eq!(subjects("executor-never-shut-down", body), [""; 0], "{body}");
    }
    let kept =
        "async def f(loop):\n    pool = ThreadPoolExecutor(2)\n    return pool.submit(print).result()\n";
    assert_eq!(subjects("executor-never-shut-down", kept).len(), 1);
}

#[test]
fn a_pool_made_again_for_a_reason_is_left_alone() {
    for body in [
        "def f(ns):\n    for n in ns:\n        with ProcessPoolExecutor(n) as pool:\n            list(pool.map(print, ns))\n",
        "def f(ns):\n    while True:\n        try:\n            with ProcessPoolExecutor() as pool:\n                list(pool.map(print, ns))\n        except OSError:\n            pass\n",
        "def f(ns):\n    while True:\n        with ProcessPoolExecutor() as pool:\n            return list(pool.map(print, ns))\n",
        "def f(ns):\n    return [ThreadPoolExecutor(1) for n in ns]\n",
    ] {
        assert_eq!(subjects("pool-per-call", body), [""; 0], "{body}");
    }
}

#[test]
fn a_task_that_keeps_its_errors_may_be_dropped() {
    let body = "def quiet(x):\n    try:\n        work(x)\n    except Exception:\n        log(x)\ndef f():\n    with ThreadPoolExecutor() as pool:\n        pool.submit(quiet, 1)\n";
    assert_eq!(subjects("submit-result-dropped", body), [""; 0]);
    let loud = body.replace("log(x)", "raise");
    assert_eq!(subjects("submit-result-dropped", &loud), ["quiet"]);
}

#[test]
fn what_every_worker_keeps_for_itself_is_no_lost_change() {
    let cache = "CACHE = {}\ndef work(x):\n    CACHE[x] = 1\ndef main(xs):\n    with multiprocessing.Pool() as pool:\n        pool.map(work, xs)\n";
    assert_eq!(subjects("global-mutated-in-worker", cache), [""; 0]);
    let read = format!("{cache}    print(CACHE)\n");
    assert_eq!(subjects("global-mutated-in-worker", &read), ["CACHE"]);
    let threads = read.replace("multiprocessing.Pool()", "ThreadPoolExecutor()");
    assert_eq!(subjects("global-mutated-in-worker", &threads), [""; 0]);
}

#[test]
fn a_queue_that_has_all_it_will_get_may_be_asked() {
    for body in [
        "def f():\n    q = multiprocessing.Manager().Queue()\n    while not q.empty():\n        q.get()\n",
        "def f(w):\n    q = multiprocessing.Queue()\n    p = multiprocessing.Process(target=w, args=(q,))\n    p.start()\n    p.join()\n    while not q.empty():\n        q.get()\n",
        "def f(w):\n    q = multiprocessing.Queue()\n    p = multiprocessing.Process(target=w, args=(q,))\n    p.start()\n    while p.is_alive() or not q.empty():\n        q.get()\n",
        "def f():\n    q = multiprocessing.Queue()\n    q.put(1)\n    while not q.empty():\n        q.get()\n",
    ] {
        assert_eq!(subjects("queue-empty-polled", body), [""; 0], "{body}");
    }
}

#[test]
fn what_is_read_by_the_worker_needs_no_draining() {
    let body = "def w(q):\n    q.get()\ndef f():\n    q = multiprocessing.Queue()\n    p = multiprocessing.Process(target=w, args=(q,))\n    p.start()\n    q.put(1)\n    p.join()\n    return q.get()\n";
    assert_eq!(subjects("join-before-drain", body), [""; 0]);
    let fills = body.replace("    q.get()\ndef", "    q.put(2)\ndef");
    assert_eq!(subjects("join-before-drain", &fills), ["p"]);
}

#[test]
fn children_somebody_asks_for_are_no_zombies() {
    for body in [
        "def f():\n    p = subprocess.Popen(['x'])\n    return p.pid\n",
        "def f(self):\n    self.p = subprocess.Popen(['x'])\n",
        "def f(kept):\n    p = subprocess.Popen(['x'])\n    kept.append(p)\n",
        "def f():\n    subprocess.Popen(['x']).communicate()\n",
        "def f():\n    with subprocess.Popen(['x']) as p:\n        print(p.stdout)\n",
        "subprocess.Popen(['x'])\n",
    ] {
        assert_eq!(subjects("zombie-process", body), [""; 0], "{body}");
    }
}

#[test]
fn importing_may_make_an_executor_but_not_start_it() {
    assert_eq!(subjects("missing-main-guard", "pool = ProcessPoolExecutor()\n"), [""; 0]);
    assert_eq!(
        subjects("missing-main-guard", "with ThreadPoolExecutor() as pool:\n    pool.submit(print)\n"),
        [""; 0]
    );
    assert_eq!(subjects("missing-main-guard", "pool = multiprocessing.Pool(4)\n").len(), 1);
    assert_eq!(subjects("missing-main-guard", "def f():\n    pool = multiprocessing.Pool(4)\n"), [""; 0]);
}
