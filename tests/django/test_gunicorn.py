"""The shop under gunicorn: workers forked before and after the client was used, and stopped."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


@contextlib.contextmanager
def gunicorn(endpoint, *options, app="shop.wsgi", **environment):
    """A running server: its process, and a function that sends requests to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [
            sys.executable, "-m", "gunicorn", app, "--workers", "2",
            "--bind", f"fd://{listener.fileno()}", "--graceful-timeout", "10", *options,
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            pass_fds=[listener.fileno()],
            env={**os.environ, "SHOP_ENDPOINT": endpoint, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(path):
        url = f"http://127.0.0.1:{port}/{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)

    try:
        yield process, ask
    finally:
        process.kill()
        process.communicate()


def stop(process):
    """Ends the server as an orchestrator does; returns the duration and the output."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "SIGKILL" not in said, "a worker had to be killed"
    return time.monotonic() - started


WORKERS = [["--worker-class", "sync"], ["--worker-class", "gthread", "--threads", "4"]]


@pytest.mark.parametrize("sends_at_start", ["", "yes"])
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("workers", WORKERS, ids=["sync", "threads"])
def test_every_worker_sends(receiver, workers, preload, sends_at_start):
    run, endpoint = receiver.endpoint()
    with gunicorn(endpoint, *workers, *preload, SHOP_SENDS_AT_START=sends_at_start) as (
        process,
        ask,
    ):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, (f"send/{number}" for number in range(40))))
        assert answers == [{"attempts": 1}] * 40
        at_start = sends_at_start and (1 if preload else 2)
        records = receiver.recorded(run, wait=40 + (at_start or 0))
        orders = [record for record in records if "at-start" not in record["body"]]
        assert len(orders) == 40
        if at_start:
            assert len(records) - len(orders) >= 1
        assert stop(process) < 8


def test_a_call_in_flight_is_finished_when_the_server_is_stopped(receiver):
    run, endpoint = receiver.endpoint("slow=1000")
    pool = concurrent.futures.ThreadPoolExecutor(2)
    with gunicorn(endpoint, "--preload") as (process, ask), pool:
        answer = pool.submit(ask, "send/1")
        receiver.recorded(run, wait=1)
        stop(process)
        assert answer.result() == {"attempts": 1}
    assert len(receiver.recorded(run)) == 1


def test_asynchronous_views_work_in_forked_workers(receiver):
    run, endpoint = receiver.endpoint()
    with gunicorn(endpoint, "--preload", SHOP_SENDS_AT_START="yes") as (process, ask):
        for number in range(4):
            assert ask(f"send-many/{number}") == {"sent": 10}
        assert stop(process) < 8
    assert len(receiver.recorded(run, wait=41)) == 41
