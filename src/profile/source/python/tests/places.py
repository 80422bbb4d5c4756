"""Threads that stand still at known places, and say where. Runs on Python 3.6 and later.

Whoever arrives says so and waits on one and the same line, so that what is told of it stays true.
"""
import asyncio
import contextlib
import functools
import json
import os
import sys
import threading

ready = threading.Semaphore(0)
gate = threading.Lock()
gate.acquire()
stop = False
tids = {}


def stand(*_):
    ready.release(); gate.acquire()


def function():
    def nested():
        stand(
            1,
            2,
        )
    return nested()


def generator():
    def numbers():
        yield 1
        yield stand()
    for _ in numbers():
        pass


def delegating_generator():
    def inner():
        yield stand()

    def outer():
        yield from inner()
    list(outer())


def comprehension():
    return [[stand() for _ in range(1)] for _ in range(1)]


def generator_expression():
    return list(
        stand() for _ in range(1)
    )


class Pool:
    def __init__(self):
        self.run()

    def run(self):
        self.static()

    @staticmethod
    def static():
        Pool.of_class()

    @classmethod
    def of_class(cls):
        stand()


def construct():
    return Pool()


class Property:
    @property
    def value(self):
        return stand()


def attribute():
    return Property().value


def decorated_by(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


@decorated_by
def decorated():
    stand()


def callback():
    return sorted([2, 1], key=lambda number: (
        stand()
    ))


def executed():
    exec(compile("def inner():\n\n    stand()\ninner()\n", "<string>", "exec"), {"stand": stand})


def recursion(depth=100):
    if depth == 0:
        stand()
    else:
        recursion(depth - 1)


def deep_recursion(depth=700):
    if depth == 0:
        stand()
    else:
        deep_recursion(depth - 1)


def with_block():
    @contextlib.contextmanager
    def manager():
        try:
            yield
        finally:
            stand()
    with manager():
        pass


def handler():
    try:
        raise ValueError
    except ValueError:
        for _ in range(3):
            stand()


def año():
    stand()


def 数える():
    stand()


def 𐌰𐌱():
    stand()


def named():
    exec(compile("\n" * 70 + "stand()\n", "/srv/año/" + "d" * 300 + "/数.py", "exec"), {"stand": stand})


def long_lines():
    x = 1
    if x:
        y = [
            x,
            stand(
                x,
            ) if x else None,
            x,
        ]
    return y


def coroutine():
    async def innermost():
        stand()

    async def task():
        await asyncio.sleep(0)
        await innermost()

    async def main():
        await asyncio.gather(task(), asyncio.sleep(0))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())


def spin():
    ready.release()
    while not stop: pass


PLACES = [
    function, generator, delegating_generator, comprehension, generator_expression, construct, attribute, decorated,
    callback, executed, recursion, deep_recursion, with_block, handler, año, 数える, 𐌰𐌱, named, long_lines, coroutine,
    spin,
]


def worker(place):
    tids[threading.get_ident()] = int(os.readlink("/proc/thread-self").split("/")[-1])
    place()


def stacks():
    told = {}
    for ident, frame in sys._current_frames().items():
        levels = []
        if ident == threading.get_ident():
            frame = frame.f_back
        while frame:
            code = frame.f_code
            levels.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
            frame = frame.f_back
        told[tids[ident]] = levels
    return json.dumps(told)


def main():
    tids[threading.get_ident()] = os.getpid()
    for place in PLACES:
        threading.Thread(target=worker, args=(place,), daemon=True).start()
    for _ in PLACES:
        ready.acquire()
    while not all(frame.f_code in (stand.__code__, spin.__code__) and (frame.f_code is not spin.__code__ or frame.f_lineno > spin.__code__.co_firstlineno + 1) for ident, frame in sys._current_frames().items() if ident != threading.get_ident()): pass
    print(stacks(), flush=True); sys.stdin.read()


main()
os._exit(0)
