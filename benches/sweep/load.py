"""Starts gunicorn with so many threads, sends it requests over loopback, so many at a time, and ends it: fails unless
each is answered.

usage: load.py GUNICORN THREADS REQUESTS AT_ONCE
"""
import http.client
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

SOCKET_PATIENCE = 10


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(port, server):
    until = time.monotonic() + SOCKET_PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=SOCKET_PATIENCE).connect()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    sys.exit("gunicorn does not listen")


def requests(port, count):
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOCKET_PATIENCE)
        connection.request("GET", "/")
        if connection.getresponse().read() != b"ok\n":
            raise RuntimeError("not what was asked for")
        connection.close()


def main(gunicorn, threads, count, at_once):
    port = free_port()
    server = subprocess.Popen(
        [gunicorn, "--bind", "127.0.0.1:%d" % port, "--workers", "1", "--threads", threads, "--log-level", "error", "app"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
    )
    try:
        wait_until_it_listens(port, server)
        with ThreadPoolExecutor(at_once) as clients:
            for done in [clients.submit(requests, port, count // at_once) for _ in range(at_once)]:
                done.result()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
