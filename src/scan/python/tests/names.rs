//! However a call is spelled, it is the same call.

use super::{analysed, seen, seen_in};

#[test]
fn every_way_to_import_leads_to_the_same_name() {
    for (import, call) in [
        ("import time", "time.sleep(1)"),
        ("import time as t", "t.sleep(1)"),
        ("from time import sleep", "sleep(1)"),
        ("from time import sleep as nap", "nap(1)"),
        ("import time\nnap = time.sleep", "nap(1)"),
        ("try:\n    import time\nexcept ImportError:\n    time = None", "time.sleep(1)"),
        ("", "time.sleep(1)"),
    ] {
        let text = format!("{import}\nasync def f():\n    {call}\n");
        let line = import.lines().count().max(1) + 2;
        assert_eq!(seen_in(&text), [format!("{line} time.sleep")], "{text}");
    }
    assert_eq!(seen_in("async def f():\n    import time\n    time.sleep(1)\n"), ["3 time.sleep"]);
}

#[test]
fn a_name_that_is_something_else_is_silent() {
    for text in [
        "async def f(time):\n    time.sleep(1)\n",
        "import time\nclass time:\n    pass\nasync def f():\n    time.nap()\n",
        "async def f():\n    time = object()\n    time.sleep(1)\n",
        "from mine import *\nasync def f():\n    sleep(1)\n",
        "import time\nasync def f():\n    await time.sleep(1)\n",
    ] {
        assert_eq!(seen_in(text), [""; 0], "{text}");
    }
}

#[test]
fn the_way_leads_through_files_re_exports_and_stars() {
    let files = [
        ("shop/__init__.py", "from .db import *\nfrom .net import fetch as get\n"),
        ("shop/db.py", "import sqlite3\ndef rows():\n    return sqlite3.connect('x').execute('y')\n"),
        ("shop/net.py", "import time\ndef fetch():\n    time.sleep(1)\n"),
        ("main.py", "import shop\nfrom shop import rows\nasync def f():\n    rows()\n    shop.get()\n"),
    ];
    let seen = seen(&files);
    assert!(seen.contains(&"shop/net.py:3 time.sleep".to_owned()), "{seen:?}");
    assert!(seen.contains(&"shop/db.py:3 sqlite3.Connection.execute".to_owned()), "{seen:?}");
}

#[test]
fn a_chain_names_each_call_on_the_way() {
    let files = [
        ("pkg/__init__.py", ""),
        ("pkg/low.py", "import time\ndef low():\n    time.sleep(1)\n"),
        ("pkg/mid.py", "from .low import low\ndef mid():\n    low()\n"),
        ("pkg/top.py", "from pkg import mid\nasync def a():\n    mid.mid()\nasync def b():\n    mid.mid()\n"),
    ];
    let analysis = analysed(&files);
    assert_eq!(analysis.observations.len(), 1);
    let observation = &analysis.observations[0];
    assert_eq!(observation.reached_from, 2);
    assert_eq!(&*observation.symbol, "pkg.low.low");
    let hops: Vec<(&str, &str)> =
        observation.chains[0].iter().map(|hop| (&*hop.function, &*hop.callee)).collect();
    let expected =
        [("pkg.top.a", "pkg.mid.mid"), ("pkg.mid.mid", "pkg.low.low"), ("pkg.low.low", "time.sleep")];
    assert_eq!(hops, expected);
    assert_eq!(observation.chains[0][0].place.line, 3);
}

#[test]
fn receivers_have_the_type_of_what_made_them() {
    for body in [
        "async def f():\n    lock = threading.Lock()\n    lock.acquire()\n",
        "async def f(lock: threading.Lock):\n    lock.acquire()\n",
        "async def f(lock: 'threading.Lock | None' = None):\n    lock.acquire()\n",
        "async def f(lock: Optional[threading.Lock]):\n    lock.acquire()\n",
        "LOCK = threading.Lock()\nasync def f():\n    LOCK.acquire()\n",
        "def make():\n    return threading.Lock()\nasync def f():\n    make().acquire()\n",
        "def make() -> threading.Lock: ...\nasync def f():\n    make().acquire()\n",
        "async def make():\n    return threading.Lock()\nasync def f():\n    (await make()).acquire()\n",
        "class C:\n    def __init__(self):\n        self.lock = threading.Lock()\n    async def f(self):\n        self.lock.acquire()\n",
        "class C:\n    lock: threading.Lock\n    async def f(self):\n        self.lock.acquire()\n",
        "class B:\n    def __init__(self):\n        self.lock = threading.Lock()\nclass C(B):\n    async def f(self):\n        self.lock.acquire()\n",
        "class B:\n    @property\n    def lock(self):\n        return threading.Lock()\nasync def f(b: B):\n    b.lock.acquire()\n",
        "async def f():\n    for lock in [threading.Lock()]:\n        lock.acquire()\n",
        "async def f(locks: list[threading.Lock]):\n    for i, lock in enumerate(locks):\n        lock.acquire()\n",
        "async def f(locks: dict[str, threading.Lock]):\n    for key, lock in locks.items():\n        lock.acquire()\n",
        "async def f(locks: dict[str, threading.Lock]):\n    locks['a'].acquire()\n",
        "class L(threading.Lock):\n    pass\nasync def f():\n    L().acquire()\n",
        "async def f():\n    lock, other = threading.Lock(), 1\n    lock.acquire()\n",
        "async def f(x=None):\n    lock = x or threading.Lock()\n    lock.acquire()\n",
        "async def f():\n    if (lock := threading.Lock()):\n        lock.acquire()\n",
    ] {
        let text = format!("import threading\nfrom typing import Optional\n{body}");
        let seen = seen_in(&text);
        assert!(seen.iter().any(|told| told.contains("Lock.acquire")), "{text}\n{seen:?}");
    }
}

#[test]
fn python_runs_code_unseen() {
    for body in [
        "class C:\n    def __init__(self):\n        time.sleep(1)\nasync def f():\n    C()\n",
        "class C:\n    def __enter__(self):\n        time.sleep(1)\n    def __exit__(self, *a): pass\nasync def f():\n    with C() as c:\n        pass\n",
        "class C:\n    @property\n    def x(self):\n        time.sleep(1)\nasync def f(c: C):\n    return c.x\n",
        "class C:\n    def __call__(self):\n        time.sleep(1)\nasync def f():\n    c = C()\n    c()\n",
        "from contextlib import contextmanager\n@contextmanager\ndef held():\n    time.sleep(1)\n    yield\nasync def f():\n    with held():\n        pass\n",
        "def each():\n    time.sleep(1)\n    yield 1\nasync def f():\n    for x in each():\n        pass\n",
        "def each():\n    time.sleep(1)\n    yield 1\nasync def f():\n    return list(each())\n",
        "def retried(function):\n    def wrapper():\n        time.sleep(1)\n        return function()\n    return wrapper\n@retried\ndef g(): return 1\nasync def f():\n    g()\n",
        "class B:\n    def g(self):\n        raise NotImplementedError\nclass C(B):\n    def g(self):\n        time.sleep(1)\nasync def f(b: B):\n    b.g()\n",
        "class B:\n    def g(self):\n        time.sleep(1)\nclass C(B):\n    async def f(self):\n        super().g()\n",
    ] {
        let text = format!("import time\n{body}");
        let seen = seen_in(&text);
        assert!(seen.len() == 1 && seen[0].ends_with(" time.sleep"), "{text}\n{seen:?}");
    }
}

#[test]
fn what_is_not_run_is_silent() {
    for body in [
        "def each():\n    time.sleep(1)\n    yield 1\nasync def f():\n    return each()\n",
        "def g():\n    time.sleep(1)\nasync def f():\n    await asyncio.to_thread(g)\n",
        "def g():\n    time.sleep(1)\nasync def f(loop):\n    await loop.run_in_executor(None, g)\n",
        "async def f():\n    await asyncio.to_thread(lambda: time.sleep(1))\n",
        "def off(function):\n    async def wrapper(*a):\n        return await asyncio.to_thread(function, *a)\n    return wrapper\n@off\ndef g():\n    time.sleep(1)\nasync def f():\n    await g()\n",
        "from asgiref.sync import sync_to_async\n@sync_to_async\ndef g():\n    time.sleep(1)\nasync def f():\n    await g()\n",
        "def g():\n    time.sleep(1)\n",
    ] {
        let text = format!("import asyncio, time\n{body}");
        assert_eq!(seen_in(&text), [""; 0], "{text}");
    }
}
