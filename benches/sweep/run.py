#!/usr/bin/env python3
"""Does `boundby sweep` find the knee of real commands? Runs each command by search and with every number, and compares.

usage: benches/sweep/run.py BOUNDBY [NAME...]

Needs xz, make, cc, xargs and gzip; pytest with xdist and gunicorn on the PATH (a virtual environment will do). What is
missing is said. Prints a table for benches/README.md; fails where a knee is more than one step off the one that all numbers
show, or where the search takes more than half the runs.
"""
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Numbers for what computes, and for what mostly waits and can use more workers than there are CPUs.
COMPUTES = "1-8"
WAITS = "1,2,3,4,6,8,12,16,24,32"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def words(count, seed):
    pick = random.Random(seed).choice
    vocabulary = ["%x" % random.Random(n).getrandbits(40) for n in range(4000)]
    return " ".join(pick(vocabulary) for _ in range(count))


def xz(where):
    write(where + "/data", words(1_600_000, 1))
    return ["xz", "-T{workers}", "--block-size=512KiB", "-1", "-k", "-f", "-c", where + "/data"]


def make(where):
    for number in range(16):
        body = "\n".join("int f%d(int x) { return x * %d + (x >> %d); }" % (n, n + number, n % 31) for n in range(50))
        write("%s/part%d.c" % (where, number), body)
    parts = " ".join("part%d.o" % number for number in range(16))
    write(where + "/Makefile", "all: %s\n%%.o: %%.c\n\tcc -O1 -c $< -o $@\n" % parts)
    return ["make", "-s", "-B", "-C", where, "-j{workers}"]


def pytest(where):
    write(where + "/test_service.py", """import time
import pytest

@pytest.mark.parametrize("case", range(40))
def test_asks_somebody(case):
    time.sleep(0.1)
""")
    return ["pytest", "-q", "-p", "no:cacheprovider", "-n", "{workers}", where]


def gunicorn(where):
    return [sys.executable, HERE + "/load.py", shutil.which("gunicorn"), "{workers}", "160", "32"]


def xargs(where):
    for number in range(24):
        write("%s/page%d" % (where, number), words(12_000, number))
    fetch = "sleep 0.12; gzip -9 -c %s/page$1 > %s/page$1.gz" % (where, where)
    return ["sh", "-c", "seq 0 23 | xargs -P {workers} -I @ sh -c '%s' sh @" % fetch]


COMMANDS = [
    ("xz -T", xz, COMPUTES, ["xz"]),
    ("make -j", make, COMPUTES, ["make", "cc"]),
    ("pytest -n", pytest, COMPUTES, ["pytest"]),
    # With one thread gunicorn takes another kind of worker.
    ("gunicorn --threads", gunicorn, WAITS.removeprefix("1,"), ["gunicorn"]),
    ("xargs -P", xargs, WAITS, ["xargs", "gzip"]),
]


def sweep(boundby, numbers, command, *options):
    began = time.monotonic()
    done = subprocess.run([boundby, "sweep", "--format", "json", "--workers", numbers, *options, "--", *command],
                          stdout=subprocess.PIPE, check=True)
    answer = json.loads(done.stdout)
    if answer["failed"]:
        sys.exit("%s: %s" % (command, answer["failed"]))
    runs = sum(len(number["times_s"]) for number in answer["numbers"])
    return answer, runs, time.monotonic() - began


def row(boundby, name, prepare, numbers):
    with tempfile.TemporaryDirectory() as where:
        command = prepare(where)
        found, runs, took = sweep(boundby, numbers, command)
        every, all_runs, all_took = sweep(boundby, numbers, command, "--exhaustive")
    grid = [number["workers"] for number in every["numbers"]]
    median = {number["workers"]: number["median_s"] for number in every["numbers"]}
    steps = abs(grid.index(found["workers"]) - grid.index(every["workers"]))
    print("| %s | %d | %d | %d | %d | %d | %.0f s | %.0f s | %.1f × | %.0f %% |" % (
        name, found["workers"], every["workers"], steps, runs, all_runs, took, all_took,
        median[grid[0]] / median[found["workers"]], 100 * min(median.values()) / median[found["workers"]]), flush=True)
    return steps <= 1 and 2 * runs <= all_runs


def main(boundby, only):
    print("%s, %d CPUs, load %.1f before the first run\n" % (
        datetime.date.today(), len(os.sched_getaffinity(0)), os.getloadavg()[0]))
    print("| command | search | all numbers | steps off | runs | of | time | of | speedup there | of the best |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    good = True
    for name, prepare, numbers, needs in COMMANDS:
        if only and not any(part in name for part in only):
            continue
        missing = [program for program in needs if not shutil.which(program)]
        if missing:
            print("| %s | skipped: no %s |" % (name, ", ".join(missing)))
            continue
        good &= row(boundby, name, prepare, numbers)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
