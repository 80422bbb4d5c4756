"""What workers of Python cost on this computer: coefficients of boundby's model by name, as JSON. Times in seconds,
bandwidths in bytes per second; each the median of a few rounds."""
import asyncio
import json
import resource
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

ROUNDS = 5
MEBIBYTE = 1 << 20


def nothing(item):
    return None


def busy(seconds):
    done = time.thread_time() + seconds
    while time.thread_time() < done:
        pass


def length(data):
    return len(data)


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def thread_start(count=64):
    began = time.perf_counter()
    threads = [threading.Thread(target=nothing, args=(None,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - began) / count


def thread_item(count=3000):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(nothing, range(4)))
        began = time.process_time()
        list(pool.map(nothing, range(count)))
        return (time.process_time() - began) / count


def async_item(count=3000):
    async def main():
        limit = asyncio.Semaphore(100)

        async def one():
            async with limit:
                await asyncio.sleep(0.0005)

        began = time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        return (time.process_time() - began) / count

    return asyncio.run(main())


def pool_start(workers):
    began = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        # boundby: ignore[tiny-tasks-in-process-pool] what sending costs is what is measured
        list(pool.map(nothing, range(workers)))
    return time.perf_counter() - began


def sent(function, items, chunk=1):
    """CPU time of the parent and of the children for sending these, the start of a pool left out."""
    def cpu(items):
        parent, children = time.process_time(), children_cpu()
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(function, items, chunksize=chunk))
        return time.process_time() - parent, children_cpu() - children

    few, many = cpu(items[:2]), cpu(items)
    return [max(more - less, 0.0) for more, less in zip(many, few)]


def main():
    found = {name: [] for name in (
        "thread_start", "thread_item", "async_item", "process_pool_start", "process_start", "process_item_parent",
        "process_item_worker", "process_item_batched", "parent_bandwidth", "worker_bandwidth")}

    def note(name, value):
        if value > 0:
            found[name].append(value)

    for _ in range(ROUNDS):
        note("thread_start", thread_start())
        note("thread_item", thread_item())
        note("async_item", async_item())
        one, five = pool_start(1), pool_start(5)
        each = (five - one) / 4
        note("process_start", each)
        note("process_pool_start", one - each)
        # While the workers are busy, as they are in earnest.
        parent, _ = sent(busy, [0.001] * 200)
        note("process_item_parent", parent / 198)
        _, children = sent(nothing, list(range(400)))
        note("process_item_worker", children / 398)
        batched, _ = sent(nothing, list(range(20000)), chunk=100)
        note("process_item_batched", batched / 20000)
        parent, children = sent(length, [b"x" * (4 * MEBIBYTE)] * 20)
        size = 18 * 4 * MEBIBYTE
        note("parent_bandwidth", size / parent if parent else 0)
        note("worker_bandwidth", size / children if children else 0)
    print(json.dumps({name: statistics.median(values) for name, values in found.items() if len(values) > ROUNDS // 2}))


if __name__ == "__main__":
    main()
