"""`katalys.testing` and the pytest plugin, with the real command."""

import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time

import katalys
import pytest
from katalys.testing import Sandbox, SandboxError
from support import ROOT, run_python

COMMAND = os.environ.get("KATALYS_COMMAND", str(ROOT / "target/debug/katalys"))


@pytest.fixture(autouse=True)
def command(monkeypatch):
    monkeypatch.setenv("KATALYS_COMMAND", COMMAND)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(command=COMMAND) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox):
    sandbox.clear()
    return katalys.Client("abcd.com", endpoint=sandbox.endpoint, timeout=5)


def test_an_order_and_how_it_came_about(sandbox, client):
    client.update_order("a/b ü", order_status="paid", sale_amount="25.670")
    client.update_order("a/b ü", order_status="refunded")
    order = sandbox.order("a/b ü")
    assert order["fields"]["order_status"] == "refunded"
    assert order["fields"]["sale_amount"] == "25.670"
    assert [update["payload"]["order_status"] for update in order["updates"]] == [
        "paid",
        "refunded",
    ]
    with pytest.raises(SandboxError, match="there is no such order") as caught:
        sandbox.order("a")
    assert caught.value.status == 404
    # Its path stays below that of the orders.
    with pytest.raises(SandboxError, match="there is no such order"):
        sandbox.order("../orders")


def test_orders_of_two_sites_are_told_apart(sandbox, client):
    other = katalys.Client("other.com", endpoint=sandbox.endpoint)
    client.update_order(1001, order_status="paid", order_time="2018-01-01T00:00:00Z")
    other.update_order(1001, order_status="cancelled", order_time="2020-01-01T00:00:00Z")
    with pytest.raises(SandboxError, match="select one with site_id") as caught:
        sandbox.order(1001)
    assert caught.value.status == 409
    assert sandbox.order(1001, "other.com")["fields"]["order_status"] == "cancelled"
    assert sandbox.wait_for(1001, site_id="abcd.com")["site_id"] == "abcd.com"
    assert sandbox.orders()["total"] == 2
    [found] = sandbox.orders(from_="2019-01-01", warnings=False, status="cancelled")["orders"]
    assert found["site_id"] == "other.com"
    with pytest.raises(SandboxError, match="colour") as caught:
        sandbox.orders(colour="red")
    assert caught.value.status == 400


def test_waiting_for_what_comes_in_the_background(sandbox, client):
    background = katalys.AsyncClient("abcd.com", endpoint=sandbox.endpoint)
    sandbox.fault(latency=200)

    async def main():
        first = asyncio.ensure_future(background.update_order("1001", order_status="paid"))
        second = asyncio.ensure_future(background.update_order("1001", order_status="refunded"))
        order = await asyncio.to_thread(sandbox.wait_for, "1001", status="refunded", updates=2)
        await asyncio.gather(first, second)
        return order

    assert len(asyncio.run(main())["updates"]) == 2
    began = time.monotonic()
    found = 'the wait timed out: the order\'s status is "refunded"'
    with pytest.raises(SandboxError, match=found) as caught:
        sandbox.wait_for("1001", status="cancelled", timeout=0.2)
    assert caught.value.status == 408
    assert time.monotonic() - began >= 0.2


def test_faults_and_the_stream(sandbox, client):
    start = sandbox.updates()["cursor"]
    rule = sandbox.fault(status=503, next=2)
    assert (rule["status"], rule["hits"]) == (503, 0)
    assert client.update_order("1001", order_status="paid").attempts == 3
    page = sandbox.updates(start)
    assert [each["status"] for each in page["updates"]] == [503, 503, 204]
    assert sandbox.updates(page["cursor"])["updates"] == []
    sandbox.fault(status=400, order_id="1001")
    with pytest.raises(katalys.RejectedError):
        client.update_order("1001", order_status="paid")
    client.update_order("1002", order_status="paid")
    sandbox.clear_faults()
    client.update_order("1001", order_status="paid")
    with pytest.raises(SandboxError, match="latency"):
        sandbox.fault(latenzy=1)
    sandbox.clear()
    assert sandbox.orders()["total"] == 0


def test_the_fixture_in_this_very_session(katalys_sandbox):
    katalys.Client("abcd.com").update_order("1001", order_status="paid")
    assert katalys_sandbox.orders()["total"] == 1


SUITE = """
    import os, pathlib, sys, time
    import katalys, pytest

    @pytest.mark.parametrize("round", range(3))
    def test_begins_empty_and_is_alone(katalys_sandbox, round):
        assert katalys_sandbox.orders()["total"] == 0
        client = katalys.Client("abcd.com")
        for number in range(20):
            client.update_order(f"{os.getpid()}-{number}", order_status="paid")
        # Both sessions are here at the same time.
        pathlib.Path(f"at-{round}-{os.getpid()}").touch()
        until = time.monotonic() + 30
        while len(list(pathlib.Path().glob(f"at-{round}-*"))) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert katalys_sandbox.orders(order_id=f"{os.getpid()}-")["total"] == 20
        assert katalys_sandbox.orders()["total"] == 20

    def test_the_endpoint_is_as_before():
        assert "KATALYS_ENDPOINT" not in os.environ
"""


def pytest_run(folder, suite, *options):
    (folder / "test_suite.py").write_text(textwrap.dedent(suite))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-W", "error", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def passed(process, number):
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert f"{number} passed" in output
    return output


def test_two_sessions_do_not_disturb_each_other(tmp_path):
    for process in [pytest_run(tmp_path, SUITE) for _ in range(2)]:
        passed(process, 4)


def test_without_the_fixture_no_sandbox_is_started(tmp_path):
    suite = """
        import sys
        def test_it():
            assert "katalys.pytest_plugin" in sys.modules
            assert "katalys.testing" not in sys.modules
    """
    passed(pytest_run(tmp_path, suite), 1)


def test_the_fixture_is_listed_with_what_it_does(tmp_path):
    process = pytest_run(tmp_path, "def test_it(): pass", "--fixtures")
    assert "A local replacement for Katalys' endpoint" in process.communicate(timeout=60)[0]


RUNNER = """
    import os, time
    from katalys.testing import Sandbox
    def test_it(katalys_sandbox):
        other = Sandbox()
        with open("/proc/self/task/%d/children" % os.getpid()) as children:
            pids = children.read()
        with open("pids.part", "w") as file:
            file.write(pids)
        os.rename("pids.part", "pids")
        time.sleep(60)
"""


def is_running(pid):
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_runner_leaves_no_sandbox_behind(tmp_path):
    runner = pytest_run(tmp_path, RUNNER)
    wait_until((tmp_path / "pids").exists)
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    assert all(map(is_running, pids))
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    wait_until(lambda: not any(map(is_running, pids)))


def test_a_forked_child_neither_ends_it_nor_keeps_it():
    script = """
        import os, time, signal
        from katalys.testing import Sandbox
        with Sandbox() as sandbox:
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            assert sandbox.orders()["total"] == 0
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
        os.kill(child, signal.SIGKILL)
        os.wait()
        sandbox.close()
        print(sandbox._process.returncode)
    """
    assert run_python(script, timeout=30) == "0"


def program(folder, text="exit 3"):
    """Creates a program with the command's name; returns its folder."""
    folder.mkdir()
    file = folder / "katalys"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return folder


def test_where_the_command_is_looked_for(tmp_path, monkeypatch):
    real = f'exec {COMMAND} "$@"'
    scripts = program(tmp_path / "scripts", real)
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(scripts))
    monkeypatch.setenv("PATH", str(program(tmp_path / "path", real)))
    monkeypatch.setenv("KATALYS_COMMAND", "/nowhere/katalys")
    with Sandbox(command=scripts / "katalys"):
        pass
    with pytest.raises(SandboxError, match="/nowhere/katalys"):
        Sandbox()
    monkeypatch.delenv("KATALYS_COMMAND")
    for place in (scripts, tmp_path / "path"):
        with Sandbox() as sandbox:
            assert sandbox._process.args[0] == str(place / "katalys")
        (place / "katalys").unlink()
    with pytest.raises(SandboxError, match="pip install katalys-cli") as caught:
        Sandbox()
    assert caught.value.status is None


@pytest.mark.parametrize("text", ["exit 3", "echo '[]'", "echo hello; exec sleep 60"])
def test_a_program_that_is_no_sandbox(tmp_path, text):
    command = program(tmp_path / "bin", text) / "katalys"
    with pytest.raises(SandboxError, match="did not start a sandbox"):
        Sandbox(command=command)


def test_a_proxy_is_not_asked(sandbox, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert sandbox.orders()["orders"] is not None


def test_a_sandbox_that_is_gone_is_an_error_not_a_wait(tmp_path):
    with contextlib.closing(Sandbox()) as sandbox:
        pass
    with pytest.raises(SandboxError, match="was closed") as caught:
        sandbox.orders()
    assert caught.value.status is None
    with contextlib.closing(Sandbox()) as sandbox:
        sandbox._process.kill()
        with pytest.raises(SandboxError, match="does not answer"):
            wait_until(lambda: sandbox.orders() is None)


SHOP = """
    import os, sys, katalys
    own = katalys.Client("abcd.com", timeout=5)
    tray = katalys.Client("abcd.com", outbox=os.environ["SHOP_OUTBOX"], timeout=5)
"""

CONTAINED = """
    import asyncio, os, subprocess, sys
    import katalys, pytest, shop

    def test_no_client_reaches_another_host():
        with pytest.raises(katalys.ConfigError, match="tests must not reach db.revoffers.com") as e:
            shop.own.update_order("1", order_status="paid")
        assert not e.value.retryable
        named = katalys.AsyncClient("abcd.com", endpoint="https://192.0.2.1/", timeout=5)
        with pytest.raises(katalys.ConfigError, match="192.0.2.1"):
            asyncio.run(named.update_order("1"))

    def test_clients_of_the_shops_own_modules_report_to_the_sandbox(katalys_sandbox):
        shop.own.update_order("1", order_status="paid")
        assert katalys_sandbox.orders()["total"] == 1

    def test_the_outbox_of_the_shop_is_another(katalys_sandbox):
        shop.tray.enqueue_update("2", order_status="paid")
        katalys_sandbox.wait_for("2", status="paid")
        assert katalys_sandbox.orders()["total"] == 1
        assert shop.tray.stats().accepted == 1
        program = "import shop; print(shop.tray.stats().accepted)"
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert out.stdout.strip() == "1", "a process of the shop's shares it: " + out.stderr

    def test_a_second_sandbox_is_found_as_well(katalys_sandbox, monkeypatch):
        from katalys.testing import Sandbox
        with Sandbox() as other:
            monkeypatch.setenv("KATALYS_ENDPOINT", other.endpoint)
            shop.own.update_order("3", order_status="paid")
            assert other.orders()["total"] == 1
        assert katalys_sandbox.orders()["total"] == 0

    def test_outboxes_of_tests_are_where_they_should_be(katalys_sandbox, tmp_path):
        with katalys.Client("abcd.com", outbox=tmp_path / "own.db") as client:
            client.enqueue_update("4")
        assert (tmp_path / "own.db").exists()
"""


def test_loading_the_plugin_keeps_production_out_of_reach(tmp_path, monkeypatch, receiver):
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    outbox = tmp_path / "production.db"
    run, endpoint = receiver.endpoint()
    options = {"outbox": outbox, "endpoint": endpoint, "deliver": False}
    with katalys.Client("abcd.com", **options) as production:
        for number in range(3):
            production.enqueue_update(f"real-{number}", order_status="paid")
    before = outbox.read_bytes()
    # An environment as on the shop's own machines.
    monkeypatch.setenv("SHOP_OUTBOX", str(outbox))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KATALYS_ENDPOINT", "https://db.revoffers.com/v2/_tr_offline")
    passed(pytest_run(tmp_path, CONTAINED, "-W", "ignore::ResourceWarning"), 5)
    assert outbox.read_bytes() == before
    with katalys.Client("abcd.com", endpoint=endpoint, outbox=outbox) as production:
        assert production.flush(10) == 0
        assert production.stats().accepted == 3
    assert len(receiver.recorded(run, wait=3)) == 3


def test_without_pytest_as_well():
    script = """
        import katalys
        from katalys.testing import contain
        client = katalys.Client("abcd.com")  # Made, but not used.
        contain()
        try:
            client.update_order("1")
        except katalys.ConfigError as error:
            print(error.code)
    """
    assert run_python(script) == "config_invalid"
