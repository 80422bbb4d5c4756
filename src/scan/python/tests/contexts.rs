//! Circumstances: what takes weight, and what takes everything.

use super::{analysed, seen_in};
use crate::finding::Mitigation;

/// The mitigations of the only observation.
fn mitigations(body: &str) -> Vec<Mitigation> {
    let text = format!("import asyncio, os, threading, time\nfrom functools import cache\n{body}");
    let analysis = analysed(&[("a.py", &text)]);
    assert_eq!(analysis.observations.len(), 1, "{text}\n{:?}", analysis.observations);
    analysis.observations[0].mitigations.clone()
}

#[test]
fn circumstances_are_told() {
    for (expected, body) in [
        (&[][..], "async def f():\n    time.sleep(1)\n"),
        (
            &[Mitigation::ErrorPath],
            "async def f():\n    try:\n        await g()\n    except OSError:\n        time.sleep(1)\n",
        ),
        (&[Mitigation::FirstCallOnly], "@cache\ndef g():\n    time.sleep(1)\nasync def f():\n    g()\n"),
        (
            &[Mitigation::FirstCallOnly],
            "X = None\ndef g():\n    global X\n    if X is None:\n        time.sleep(1)\n        X = 1\nasync def f():\n    g()\n",
        ),
        (
            &[Mitigation::FirstCallOnly],
            "class C:\n    x = None\n    async def f(self):\n        if self.x is not None:\n            return self.x\n        time.sleep(1)\n        self.x = 1\n",
        ),
        (
            &[Mitigation::FirstCallOnly],
            "import importlib, sys\nasync def f(name):\n    if name in sys.modules:\n        return importlib.import_module(name)\n",
        ),
        (
            &[Mitigation::StartUp],
            "async def begin(app):\n    time.sleep(1)\n    yield\napp = App(lifespan=begin)\n",
        ),
        (&[Mitigation::StartUp], "@app.on_event('startup')\nasync def begin():\n    time.sleep(1)\n"),
        (
            &[Mitigation::OneShot],
            "async def main():\n    time.sleep(1)\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        ),
        (
            &[],
            "async def main():\n    asyncio.create_task(g())\n    time.sleep(1)\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        ),
        (
            &[],
            "async def g():\n    time.sleep(1)\nasync def main():\n    await asyncio.gather(g(), g())\nasyncio.run(main())\n",
        ),
        (&[], "async def f(x):\n    if x is None:\n        x = 1\n        time.sleep(1)\n"),
        (
            &[Mitigation::OneShot],
            "import cyclopts\napp = cyclopts.App()\n@app.command(name='x')\nasync def f():\n    g()\ndef g():\n    time.sleep(1)\n",
        ),
        // The commands of a bot answer people while it serves others.
        (
            &[],
            "from discord.ext import commands\nbot = commands.Bot()\n@bot.command()\nasync def f(ctx):\n    time.sleep(1)\n",
        ),
        (
            &[Mitigation::OneShot],
            "class W:\n    def run(self):\n        self.task = self.loop.create_task(self.main())\n        self.loop.run_until_complete(self.task)\n    async def main(self):\n        time.sleep(1)\n    def __init__(self):\n        self.loop = asyncio.new_event_loop()\n",
        ),
        (
            &[Mitigation::FirstCallOnly],
            "X = None\ndef g():\n    global X\n    if X is not None:\n        return X\n    time.sleep(1)\n    X = 1\nasync def f():\n    g()\n",
        ),
        (
            &[Mitigation::FirstCallOnly],
            "import importlib\nasync def f(name):\n    importlib.import_module(name)\n",
        ),
    ] {
        assert_eq!(mitigations(body), expected, "{body}");
    }
}

#[test]
fn tests_are_told_apart() {
    let analysis = analysed(&[("tests/test_a.py", "import time\nasync def test_a():\n    time.sleep(1)\n")]);
    assert_eq!(analysis.observations[0].mitigations, [Mitigation::Test]);
}

#[test]
fn guarded_code_is_silent() {
    for body in [
        "def g(self, future):\n    if threading.get_ident() != self.loop_thread:\n        time.sleep(1)\nasync def f(x):\n    g(x, 1)\n",
        "def g():\n    try:\n        asyncio.get_running_loop()\n    except RuntimeError:\n        asyncio.run(h())\nasync def f():\n    g()\nasync def h(): ...\n",
        "def g(loop):\n    if loop.is_running():\n        raise RuntimeError\n    time.sleep(1)\nasync def f():\n    g(1)\n",
        "def g(client):\n    if client.asynchronous:\n        return client._close()\n    time.sleep(1)\nasync def f(c):\n    g(c)\n",
        "def g():\n    if asyncio.get_running_loop() is not None:\n        return None\n    time.sleep(1)\nasync def f():\n    g()\n",
        "from typing import TYPE_CHECKING\nasync def f():\n    if TYPE_CHECKING:\n        time.sleep(1)\n",
    ] {
        let text = format!("import asyncio, threading, time\n{body}");
        assert_eq!(seen_in(&text), [""; 0], "{text}");
    }
}

#[test]
fn arguments_decide() {
    for call in [
        "lock.acquire(blocking=False)",
        "lock.acquire(False)",
        "thread.join(timeout=0)",
        "thread.join(0)",
        "os.waitpid(1, os.WNOHANG)",
        "os.waitpid(1, WNOHANG)",
    ] {
        let text = format!(
            "import os, threading\nfrom os import WNOHANG\nasync def f(lock: threading.Lock, thread: threading.Thread):\n    {call}\n"
        );
        assert_eq!(seen_in(&text), [""; 0], "{text}");
    }
    let text = "import threading\nasync def f(thread: threading.Thread):\n    thread.join(5)\n    thread.join(timeout=5)\n";
    assert_eq!(seen_in(text).len(), 2);
}

#[test]
fn what_never_waits_is_silent() {
    let text = "import socket\nasync def f():\n    s = socket.socket()\n    s.setblocking(False)\n    s.connect(('a', 1))\n";
    assert_eq!(seen_in(text), [""; 0]);
    assert_eq!(seen_in(&text.replace("False", "True")).len(), 1);
}

#[test]
fn an_async_twin_is_named() {
    let text = "class C:\n    def get(self):\n        return self.x\n    async def aget(self):\n        return self.get()\nasync def f(c: C):\n    c.get()\n";
    let analysis = analysed(&[("a.py", text)]);
    assert_eq!(seen_in(text), ["7 a.C.get async-sibling-exists"]);
    assert_eq!(analysis.observations[0].facts, [("sibling", "a.C.aget".to_owned())]);
}

#[test]
fn of_a_plain_and_an_async_one_the_async_one_is_awaited() {
    let text = "import time\nclass A:\n    def get(self):\n        time.sleep(1)\nclass B:\n    async def get(self): ...\nasync def f(c: A | B):\n    await c.get()\n";
    assert_eq!(seen_in(text), [""; 0]);
}

#[test]
fn what_is_gathered_is_awaited() {
    let text = "import asyncio, time\nclass A:\n    def get(self):\n        time.sleep(1)\nclass B:\n    async def get(self): ...\nasync def f(c: A | B):\n    await asyncio.gather(c.get(), c.get())\n";
    assert_eq!(seen_in(text), [""; 0]);
}

#[test]
fn what_may_be_awaited_afterwards_is_not_the_plain_one() {
    let text = "import inspect, time\nclass A:\n    def get(self):\n        time.sleep(1)\nclass B:\n    async def get(self): ...\nasync def f(c: A | B):\n    got = c.get()\n    if inspect.isawaitable(got):\n        got = await got\n";
    assert_eq!(seen_in(text), [""; 0]);
}

#[test]
fn a_pool_is_waited_for_where_it_may_have_work_left() {
    let text = "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\nasync def f(loop, g):\n    with ThreadPoolExecutor() as pool:\n        await loop.run_in_executor(pool, g)\n";
    assert_eq!(seen_in(text), [""; 0]);
    let submits =
        text.replace("await loop.run_in_executor(pool, g)", "pool.submit(g).add_done_callback(print)");
    assert_eq!(seen_in(&submits), ["4 concurrent.futures.ThreadPoolExecutor.__exit__"]);
}

#[test]
fn what_async_with_enters_is_not_the_plain_one() {
    let text = "from sqlalchemy import Engine\nasync def f(engine: Engine):\n    async with engine.begin() as connection:\n        await connection.run()\n";
    assert_eq!(seen_in(text), [""; 0]);
    assert_eq!(seen_in(&text.replace("async with", "with")).len(), 1);
}

#[test]
fn final_names_have_the_type_of_their_value() {
    let text = "import threading\nfrom typing import Final\nasync def f():\n    lock: Final = threading.Lock()\n    lock.acquire()\n";
    assert_eq!(seen_in(text), ["5 threading.Lock.acquire"]);
}

#[test]
fn the_outermost_function_on_all_ways_is_the_cause() {
    let text = "import time\ndef low():\n    time.sleep(1)\ndef high():\n    low()\n";
    let cause = |more: &str| {
        let analysis = analysed(&[("a.py", &format!("{text}{more}"))]);
        analysis.observations[0].cause.clone().unwrap().to_string()
    };
    assert_eq!(cause("async def f():\n    high()\nasync def g():\n    high()\n"), "a.high");
    assert_eq!(cause("async def f():\n    high()\nasync def g():\n    low()\n"), "a.low");
}

#[test]
fn callers_give_parameters_their_types() {
    let text =
        "import threading\ndef g(lock):\n    lock.acquire()\nasync def f():\n    g(threading.Lock())\n";
    assert_eq!(seen_in(text).len(), 1);
    let text = format!("{text}def h(x):\n    g(x)\n");
    assert_eq!(seen_in(&text), [""; 0]);
}

#[test]
fn loops_in_loops_computing_and_callbacks_have_rules_of_their_own() {
    let text = "import asyncio\nasync def g(): ...\nasync def f():\n    asyncio.run(g())\n";
    assert_eq!(seen_in(text), ["4 asyncio.run run-loop-in-async"]);
    let text = "import hashlib\nasync def f():\n    hashlib.pbkdf2_hmac('sha256', b'', b'', 600_000)\n";
    assert_eq!(seen_in(text), ["3 hashlib.pbkdf2_hmac cpu-heavy-in-async"]);
    let text = "import asyncio, time\ndef late():\n    time.sleep(1)\ndef f():\n    asyncio.get_event_loop().call_soon(late)\n";
    assert_eq!(seen_in(text), ["3 time.sleep blocking-in-loop-callback"]);
}

#[test]
fn sleeping_is_mended_where_that_is_safe() {
    let fix = |text: &str| {
        let analysis = analysed(&[("a.py", text)]);
        let observation = analysis.observations.first()?;
        let edit = observation.fix.as_ref()?.edits[0].clone();
        let (start, end) = edit.bytes;
        Some(format!("{}{}{}", &text[..start as usize], edit.text, &text[end as usize..]))
    };
    assert_eq!(
        fix("import asyncio\nimport time\nasync def f():\n    time.sleep(1)\n").as_deref(),
        Some("import asyncio\nimport time\nasync def f():\n    await asyncio.sleep(1)\n")
    );
    assert_eq!(fix("import time\nasync def f():\n    time.sleep(1)\n"), None);
    assert_eq!(fix("import asyncio, time\nasync def f():\n    x = time.sleep(1)\n"), None);
    assert_eq!(fix("import asyncio, time\nasync def f():\n    g()\ndef g():\n    time.sleep(1)\n"), None);
}
