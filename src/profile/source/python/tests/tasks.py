import asyncio
import os
import sys
import threading


async def receive(event):
    await event  # receives


async def fetch(event):
    await receive(event)  # fetches


async def work(event):
    await fetch(event)  # works


async def numbers(event):
    yield 1
    await event  # generates
    yield 2


async def iterate(event):
    async for _ in numbers(event):  # iterates
        pass


async def beat():
    while True:
        await asyncio.sleep(3600)


async def consume(queue):
    await queue.get()


async def gather(tasks):
    await asyncio.gather(*tasks)


async def main():
    loop = asyncio.get_running_loop()
    events = [loop.create_future() for _ in range(4)]
    ended = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: ended.done() or ended.set_result(None))
    tasks = [loop.create_task(work(event)) for event in events[:3]]
    tasks.append(loop.create_task(iterate(events[3])))
    others = [loop.create_task(beat()), loop.create_task(consume(asyncio.Queue()))]
    others.append(loop.create_task(gather(tasks)))
    loop.call_later(0.05, tell)
    lock = asyncio.Lock()
    await lock.acquire()
    ended.add_done_callback(lambda _: lock.release())
    await lock.acquire()
    for task in tasks + others:
        task.cancel()


def tell():
    print(threading.get_native_id() if hasattr(threading, "get_native_id") else os.getpid(), flush=True)


if hasattr(asyncio, "run"):
    asyncio.run(main())
else:
    print(os.getpid(), flush=True)
    sys.stdin.read()
