"""Every shared scenario: what a client does against a real server, waiting and with asyncio."""

import asyncio
import json
import re
import time

import katalys
import pytest
from support import ROOT, typed

SHARED = json.loads((ROOT / "tests/scenarios.json").read_text())
DEFAULTS = SHARED["defaults"]
SCENARIOS = [s for s in SHARED["scenarios"] if "python" in s.get("only", ["python"])]
SCENARIO_KEYS = {
    "name", "steps", "target", "endpoint", "options", "env", "calls", "only", "expect",
}  # fmt: skip
OF_A_CALL = {"receipt", "error", "code", "status", "retryable", "retry_after", "setting"}
OF_A_SCENARIO = {
    "requests", "connections", "via", "headers", "body", "at_least_seconds", "within_seconds",
    "constructed",
}  # fmt: skip


def test_no_scenario_is_passed_over_in_silence():
    assert len(SCENARIOS) > 100
    for scenario in SHARED["scenarios"]:
        assert set(scenario) <= SCENARIO_KEYS
        expectations = [
            scenario["expect"],
            *(c.get("expect", {}) for c in scenario.get("calls", [])),
        ]
        for expect in expectations:
            assert set(expect) <= OF_A_CALL | OF_A_SCENARIO


class Waiting:
    """Calls with `katalys.Client`."""

    def __init__(self, options):
        self.client = katalys.Client(**options)

    def call(self, call, order_id, fields):
        return getattr(self.client, f"{call}_order")(order_id, fields)


class WithAsyncio:
    """Calls with `katalys.AsyncClient`, each in an event loop of its own."""

    def __init__(self, options):
        self.client = katalys.AsyncClient(**options)

    def call(self, call, order_id, fields):
        return asyncio.run(getattr(self.client, f"{call}_order")(order_id, fields))


class Fill:
    """Fills the braces in a scenario's strings."""

    def __init__(self, receiver, run):
        self.receiver = receiver
        self.known = {"id": run, "language": "python", "version": katalys.__version__}

    def __call__(self, value):
        if isinstance(value, str):
            return re.sub(r"\{([a-z_.]+)\}", self._of_match, value)
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return value

    def _of_match(self, match):
        key = match[1]
        value = self.known[key] if key in self.known else self.receiver.lookup(key)
        if value is None:
            pytest.skip(f"this system has no {key}")
        return value


@pytest.mark.parametrize("caller", [Waiting, WithAsyncio])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenario(scenario, caller, receiver, monkeypatch):
    run = receiver.run_id()
    fill = Fill(receiver, run)
    for name, value in fill({**DEFAULTS["env"], **scenario.get("env", {})}).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    endpoint = endpoint_of(scenario, fill, run)
    options = fill({**DEFAULTS["options"], **scenario.get("options", {}), "endpoint": endpoint})
    options = {name: value for name, value in options.items() if value is not None}
    calls = [{**DEFAULTS["call"], **call} for call in scenario.get("calls", DEFAULTS["calls"])]
    expect = fill(scenario["expect"])
    target = scenario.get("target", DEFAULTS["target"])
    connections = connections_of(receiver, target)
    started = time.monotonic()
    if expect.get("error") == "ConfigError":
        check_failure(expect, lambda: caller(options))
    else:
        client = caller(options)
        for call in calls:
            make(client, call, {**expect, **fill(call.get("expect", {}))})
    took = time.monotonic() - started
    check_time(expect, took)
    check_requests(expect, receiver, run, endpoint, len(calls))
    if "connections" in expect:
        assert within(connections_of(receiver, target) - connections, expect["connections"])


def endpoint_of(scenario, fill, run):
    if "endpoint" in scenario:
        return fill(scenario["endpoint"])
    target = "{" + scenario.get("target", DEFAULTS["target"]) + "}"
    return fill(f"{target}/run/{run}/{'/'.join(scenario['steps'])}")


def make(client, call, expect):
    def action():
        fields = {key: typed(value) for key, value in call["fields"].items()}
        return client.call(call["call"], typed(call["order_id"]), fields)

    if "error" in expect:
        check_failure(expect, action)
    else:
        assert within(action().attempts, expect["receipt"]["attempts"])


def check_failure(expect, action):
    with pytest.raises(katalys.Error) as caught:
        action()
    error = caught.value
    assert type(error) is getattr(katalys, expect["error"])
    for name in ("code", "status", "retryable", "retry_after"):
        if name in expect:
            value = getattr(error, name)
            assert within(value, expect[name]), f"{name} is {value}"
    if "setting" in expect:
        assert folded(expect["setting"]) in folded(str(error))


def check_time(expect, took):
    assert took >= expect.get("at_least_seconds", 0)
    assert took <= expect.get("within_seconds", 30)


def check_requests(expect, receiver, run, endpoint, calls):
    if "requests" not in expect:
        return
    expected = expect["requests"]
    least = expected.get("min", 0) if isinstance(expected, dict) else expected
    records = receiver.recorded(run, wait=least)
    assert within(len(records), expected)
    for record in records:
        assert record["method"] == "POST"
        assert endpoint is None or endpoint.endswith(record["path"])
        assert record["headers"]["content-type"] == "application/json"
        assert record["via"] == expect.get("via")
        for name, value in expect.get("headers", {}).items():
            assert record["headers"][name] == value
        if "body" in expect:
            assert record["body"] == expect["body"]
    bodies = {record["body"] for record in records if record["body"] is not None}
    assert len(bodies) <= calls


def connections_of(receiver, target):
    listener = receiver.stats()["listeners"].get(target)
    return listener["connections"] if listener else 0


def within(value, expected):
    if isinstance(expected, dict):
        return expected.get("min", value) <= value <= expected.get("max", value)
    return value == expected


def folded(text):
    return text.lower().replace("_", "")
