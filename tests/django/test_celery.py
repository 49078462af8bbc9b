"""Celery tasks with a file-based broker: workers that are replaced after a few tasks, time limits,
and tasks that are retried."""

import contextlib
import os
import subprocess
import sys
import textwrap
import time

import katalys
from support import balanced

APP = """
    import katalys
    from celery import Celery
    from celery.exceptions import SoftTimeLimitExceeded

    app = Celery("shop", broker="filesystem://")
    app.conf.update(
        broker_transport_options={{
            "data_folder_in": "{folder}/queue", "data_folder_out": "{folder}/queue",
            "control_folder": "{folder}/control", "store_processed": False,
        }},
        worker_hijack_root_logger=False, broker_connection_retry_on_startup=True,
    )
    options = {{"endpoint": "{endpoint}", "outbox": "{folder}/katalys.db", "timeout": {timeout}}}
    client = katalys.Client("abcd.com", **options)

    @app.task
    def enqueue(number):
        client.enqueue_update(number, order_status="paid")

    @app.task(soft_time_limit=1)
    def limited():
        try:
            katalys.Client("abcd.com", endpoint="{endpoint}", timeout=20).update_order("limited")
        except SoftTimeLimitExceeded:
            open("{folder}/limited", "w").close()

    @app.task(bind=True, max_retries=3)
    def until_received(self):
        try:
            client.update_order("1001", order_status="refunded")
        except katalys.Error as error:
            if error.retryable:
                raise self.retry(exc=error, countdown=0)
        open("{folder}/done", "w").close()
"""


def wait_until(condition, timeout=30):
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextlib.contextmanager
def celery(folder, endpoint, *options, timeout=10):
    """A running worker: its process, and a function that calls a task."""
    for name in ("queue", "control"):
        (folder / name).mkdir()
    app = APP.format(folder=folder, endpoint=endpoint, timeout=timeout)
    (folder / "shop_tasks.py").write_text(textwrap.dedent(app))
    program = [sys.executable, "-m", "celery", "-A", "shop_tasks", "worker", "--pool", "prefork"]
    plain = ["--without-gossip", "--without-mingle", "--without-heartbeat", *options]
    # Without the settings of these tests: Celery would look for a Django project.
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [*program, *plain], cwd=folder, env=environment, stdout=log, stderr=log
    )

    def call(calls):
        script = f"from shop_tasks import *\n{calls}"
        command = [sys.executable, "-c", script]
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=60)

    try:
        yield process, call
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            log.close()


def test_a_worker_that_is_replaced_settles_what_it_sent(receiver, tmp_path):
    run, endpoint = receiver.endpoint("slow=100")
    options = ("--concurrency", "2", "--max-tasks-per-child", "3")
    with celery(tmp_path, endpoint, *options) as (_, call):
        call("for n in range(30): enqueue.delay(n)")
        records = receiver.recorded(run, wait=30, timeout=40)
        assert len(records) == 30
    with katalys.Client("abcd.com", outbox=tmp_path / "katalys.db", deliver=False) as client:
        stats = balanced(client.stats())
    assert (stats.accepted, stats.delivered) == (30, 30), "what was received is settled"
    assert len(receiver.recorded(run)) == 30, "and nothing was sent twice"


def test_a_soft_time_limit_ends_a_call(receiver, tmp_path):
    _, endpoint = receiver.endpoint("hang")
    with celery(tmp_path, endpoint, "--concurrency", "1") as (_, call):
        call("limited.delay()")
        began = time.monotonic()
        wait_until((tmp_path / "limited").exists, 8)
        assert time.monotonic() - began < 5


def test_a_task_that_is_tried_again_reports_once(receiver, tmp_path):
    run, endpoint = receiver.endpoint("503", "503", "503", "204")
    with celery(tmp_path, endpoint, "--concurrency", "1", timeout=0.2) as (_, call):
        call("until_received.delay()")
        wait_until((tmp_path / "done").exists)
        statuses = [record["step"] for record in receiver.recorded(run, wait=4, timeout=20)]
    assert statuses == ["503", "503", "503", "204"]
    assert len(receiver.recorded(run)) == 4
