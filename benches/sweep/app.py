"""A service under gunicorn: asks somebody else for a while, then computes for a moment."""
import time

ASKS = 0.03
COMPUTES = 0.003


def application(environ, start_response):
    time.sleep(ASKS)
    done = time.thread_time() + COMPUTES
    while time.thread_time() < done:
        pass
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
