"""Runs the shared vectors and scenarios through the C interface, and tests its own guarantees.

The Makefile in this folder builds the programs; standard library only.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["BUILD"])
DIST = Path(os.environ["DIST"])
TESTS = ROOT / "tests"
LANGUAGE = "c"
MEMCHECK = [
    "valgrind",
    "-q",
    "--error-exitcode=99",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect",
    "--show-leak-kinds=definite,indirect",
]

VECTOR_KEYS = {
    "name",
    "why",
    "call",
    "order_id",
    "options",
    "fields",
    "pairs",
    "payload",
    "problems",
    "only",
}
SCENARIO_KEYS = {
    "name",
    "why",
    "steps",
    "target",
    "endpoint",
    "options",
    "env",
    "calls",
    "only",
    "expect",
}
CALL_EXPECTATIONS = {
    "receipt",
    "error",
    "code",
    "status",
    "retryable",
    "retry_after",
    "setting",
    "constructed",
}
RUN_EXPECTATIONS = {
    "requests", "connections", "via", "headers", "body", "at_least_seconds", "within_seconds",
}  # fmt: skip


# Programs that link the static library, another SQLite and another Rust library.
COEXIST = ("coexist-sqlite-last", "coexist-sqlite-first", "coexist-static")


class Driver:
    """The C program that makes the calls."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            [*command, str(BUILD / "driver")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def say(self, *words):
        self.process.stdin.write((" ".join(words) + "\n").encode())

    def ask(self, *words):
        self.say(*words)
        self.process.stdin.flush()
        accessors = self.process.stdout.readline().decode().rstrip("\n").split("\t")
        result = json.loads(self.process.stdout.readline())
        check_accessors(accessors, result)
        return result

    def end(self):
        self.process.stdin.close()
        return self.process.wait()

    def set(self, key, value):
        name = hexed(key)
        match value:
            case None:
                self.say("null", name)
            case bool():
                self.say("bool", name, "1" if value else "0")
            case int():
                self.say("int", name, str(value))
            case float():
                self.say("float", name, repr(value))
            case str():
                self.say("text", name, hexed(value))
            case bytes():
                self.say("text", name, "x" + value.hex())
            case list():
                self.say("list", name)
                for item in value:
                    self.set(None, item)
                self.say("close")
            case dict():
                self.set_typed(name, value)

    def set_typed(self, name, value):
        match value:
            case {"$decimal": text}:
                self.say("decimal", name, hexed(text))
            case {"$float": text}:
                self.say("float", name, text)
            case {"$int": text}:
                self.say("int", name, text)
            case {"$time": text}:
                self.say("time", name, hexed(text))
            case {"$bytes": digits}:
                self.say("text", name, "x" + digits)
            case {"$repeat": [text, times]}:
                self.say("text", name, hexed(text * times))
            case _:
                assert not any(key.startswith("$") for key in value), (
                    f"unknown kind of value {list(value)}"
                )
                self.say("record", name)
                for key, item in value.items():
                    self.set(key, item)
                self.say("close")

    def client(self, options):
        for name, value in options.items():
            self.set(name, value)
        return self.ask("client")

    def call(self, name, order_id, pairs):
        """An order id that is not text is one of the fields."""
        direct = isinstance(order_id, str)
        if not direct:
            self.set("order_id", order_id)
        for key, value in pairs:
            self.set(key, value)
        return self.ask(name, hexed(order_id) if direct else "-")


def hexed(text):
    return "-" if text is None else "x" + text.encode().hex()


def unhexed(word):
    return bytes.fromhex(word[1:]).decode()


def check_accessors(words, result):
    """The accessors say the same as the JSON."""
    assert words[1:4] == [hexed(result[key]) for key in ("code", "class", "message")]
    assert words[4] == str(int(result["retryable"]))
    assert int(words[5]) == (result["status"] or 0)
    assert float(words[6]) == (-1 if result["retry_after"] is None else result["retry_after"])
    assert int(words[7]) == result["attempts"]
    assert float(words[8]) == result["elapsed"]
    assert words[9] == hexed(result["payload"])
    problems = [words[start : start + 5] for start in range(10, len(words), 5)]
    severities = {"error": "1", "warning": "2"}
    assert problems == [
        [
            *(hexed(problem[key]) for key in ("path", "code", "message")),
            severities[problem["severity"]],
            str(int(problem["first"])),
        ]
        for problem in result["problems"]
    ]


class Tally:
    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skipped = []

    def run(self, name, test, *arguments):
        try:
            test(*arguments)
            self.passed += 1
        except AssertionError as failure:
            self.failures.append(name)
            print(f"FAILED {name}: {failure}", flush=True)


def expressible(tally, case):
    if LANGUAGE in case.get("only", [LANGUAGE]):
        return True
    tally.skipped.append(f"{case['name']} (only {', '.join(case['only'])})")
    return False


def run_vectors(tally, *command):
    driver = Driver(*command)
    for vector in json.loads((TESTS / "vectors.json").read_text())["vectors"]:
        if expressible(tally, vector):
            tally.run(f"vector {vector['name']}", run_vector, driver, vector)
    assert driver.end() == 0, "the driver failed, or a memory error was found"


def run_vector(driver, vector):
    assert vector.keys() <= VECTOR_KEYS, f"unknown key in {vector.keys() - VECTOR_KEYS}"
    made = driver.client({"site_id": "abcd.com", **vector.get("options", {})})
    assert made["code"] == "ok", made["message"]
    pairs = vector["pairs"] if "pairs" in vector else vector["fields"].items()
    call = "check-" + vector.get("call", "update")
    result = driver.call(call, vector.get("order_id", "1001"), pairs)
    compare_payload(result["payload"], vector["payload"])
    found = sorted((p["path"], p["code"], p["severity"]) for p in result["problems"])
    wanted = sorted((p["path"], p["code"], p["severity"]) for p in vector.get("problems", []))
    assert found == wanted, f"{found} instead of {wanted}"
    assert result["code"] == ("validation" if vector["payload"] is None else "ok")


def compare_payload(found, wanted):
    if wanted is None or found is None or "{now}" not in wanted:
        assert found == wanted, f"{found} instead of {wanted}"
        return
    pattern = re.escape(wanted).replace(
        re.escape("{now}"), r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d)"
    )
    match = re.fullmatch(pattern, found)
    assert match, f"{found} instead of {wanted}"
    distance = datetime.now(timezone.utc) - datetime.fromisoformat(match[1])
    assert abs(distance.total_seconds()) < 5, f"{match[1]} is not now"


class Receiver:
    """The shared test server, which ends with its stdin."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ["RECEIVER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ready = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def get(self, path):
        with urllib.request.urlopen(self.ready["control"] + path) as answer:
            return json.load(answer)

    def address(self, name):
        value = self.ready
        for part in name.split("."):
            value = value[part]
        return value

    def connections(self, listener):
        listeners = self.get("/_stats")["listeners"]
        return listeners[listener]["connections"] if listener in listeners else 0


class UnavailableError(Exception):
    pass


def fill(value, names):
    """Replaces names in braces, at any depth."""
    match value:
        case str():

            def known(match):
                if names(match[1]) is None:
                    raise UnavailableError(match[1])
                return str(names(match[1]))

            return re.sub(r"\{([a-z_.]+)\}", known, value)
        case list():
            return [fill(item, names) for item in value]
        case dict():
            return {key: fill(item, names) for key, item in value.items()}
        case _:
            return value


def laid_over(below, above):
    return {key: value for key, value in {**below, **above}.items() if value is not None}


def run_scenarios(tally, receiver, version):
    shared = json.loads((TESTS / "scenarios.json").read_text())
    for scenario in shared["scenarios"]:
        if expressible(tally, scenario):
            name = f"scenario {scenario['name']}"
            try:
                tally.run(name, run_scenario, receiver, shared["defaults"], scenario, version)
            except UnavailableError as missing:
                tally.skipped.append(f"{scenario['name']} (no {missing} here)")


def run_scenario(receiver, defaults, scenario, version):
    assert scenario.keys() <= SCENARIO_KEYS, f"unknown key in {scenario.keys() - SCENARIO_KEYS}"
    run = uuid.uuid4().hex
    names = {"id": run, "language": LANGUAGE, "version": version}
    scenario = fill(scenario, lambda name: names[name] if name in names else receiver.address(name))
    target = scenario.get("target", defaults["target"])
    options = laid_over(defaults["options"], scenario.get("options", {}))
    if "endpoint" not in scenario:
        if receiver.address(target) is None:
            raise UnavailableError(target)
        options["endpoint"] = "/".join([receiver.address(target), "run", run, *scenario["steps"]])
    elif scenario["endpoint"] is not None:
        options["endpoint"] = scenario["endpoint"]
    expect = scenario["expect"]
    assert expect.keys() <= CALL_EXPECTATIONS | RUN_EXPECTATIONS, "unknown expectation"
    before = receiver.connections(target)
    driver = Driver()
    for name, value in {**defaults["env"], **scenario.get("env", {})}.items():
        driver.say(
            *(("unsetenv", hexed(name)) if value is None else ("setenv", hexed(name), hexed(value)))
        )
    began = time.monotonic()
    make_calls(driver, options, defaults, scenario)
    elapsed = time.monotonic() - began
    assert driver.end() == 0, "the driver failed"
    assert elapsed >= expect.get("at_least_seconds", 0), f"only {elapsed} s"
    assert elapsed <= expect.get("within_seconds", 60), f"{elapsed} s"
    endpoint = options.get("endpoint", scenario.get("env", {}).get("KATALYS_ENDPOINT", ""))
    records = check_records(receiver, run, endpoint, expect)
    if len(scenario.get("calls", defaults["calls"])) == 1:
        bodies = {record["body"] for record in records} - {None}
        assert len(bodies) <= 1, "a retry said something else"
    if "connections" in expect:
        compare("connections", receiver.connections(target) - before, expect["connections"])


def make_calls(driver, options, defaults, scenario):
    made = driver.client(options)
    expect = scenario["expect"]
    if made["code"] != "ok" or expect.get("error") == "ConfigError":
        check_call(made, expect)
        return
    for call in scenario.get("calls", defaults["calls"]):
        call = {**defaults["call"], **call}
        result = driver.call(call["call"], call["order_id"], call["fields"].items())
        check_call(result, call.get("expect", expect))


def check_call(result, expect):
    if "receipt" in expect:
        assert result["code"] == "ok", f"{result['code']}: {result['message']}"
        compare("attempts", result["attempts"], expect["receipt"]["attempts"])
    if "error" in expect:
        assert result["class"] == expect["error"], f"{result['class']}: {result['message']}"
    for key in ("code", "status", "retryable", "retry_after"):
        if key in expect:
            compare(key, result[key], expect[key])
    if "setting" in expect:
        folded = [text.lower().replace("_", "") for text in (expect["setting"], result["message"])]
        assert folded[0] in folded[1], result["message"]


def compare(what, found, wanted):
    if isinstance(wanted, dict):
        low, high = wanted.get("min", found), wanted.get("max", found)
        assert found is not None, f"{what} is missing"
        assert low <= found <= high, f"{what} is {found}, not {wanted}"
    else:
        assert found == wanted, f"{what} is {found}, not {wanted}"


def check_records(receiver, run, endpoint, expect):
    wanted = expect.get("requests", 0)
    least = wanted.get("min", 0) if isinstance(wanted, dict) else wanted
    records = receiver.get(f"/_recorded/{run}?wait={least}")
    if "requests" in expect:
        compare("requests", len(records), wanted)
    for record in records:
        assert record["method"] == "POST"
        assert endpoint.endswith(record["path"]), f"followed to {record['path']}"
        assert record["headers"]["content-type"] == "application/json"
        compare("via", record["via"], expect.get("via"))
        for name, value in expect.get("headers", {}).items():
            compare(name, record["headers"].get(name), value)
        if "body" in expect:
            compare("body", record["body"], expect["body"])
    return records


def run_guarantees(tally, receiver):
    for program in ("guarantees", "guarantees-cxx", "guarantees-static"):
        names = subprocess.check_output([BUILD / program], text=True).split()
        for name in names:
            if program == "guarantees-static" and name == "unloading_is_harmless":
                continue
            tally.run(f"{program}: {name}", run_guarantee, receiver, [BUILD / program], name)
    for name in subprocess.check_output([BUILD / "guarantees"], text=True).split():
        # Tests that fork, load libraries or measure memory do not run under valgrind.
        if name not in (
            "memory_stays_flat",
            "unloading_is_harmless",
            "a_forked_child_has_its_own_connections",
        ):
            tally.run(
                f"valgrind: {name}",
                run_guarantee,
                receiver,
                [*MEMCHECK, BUILD / "guarantees"],
                name,
            )


def run_guarantee(receiver, program, name):
    run = uuid.uuid4().hex
    url = f"{receiver.address('url')}/run/{run}/204"
    argument = DIST / "c/lib/libkatalys.so.0" if name == "unloading_is_harmless" else url
    done = subprocess.run([*program, name, argument], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    connections = [record["connection"] for record in receiver.get(f"/_recorded/{run}")]
    if name == "a_forked_child_has_its_own_connections":
        assert len(connections) == 6, connections
        assert len(set(connections)) == 2, connections
        assert connections[1] == connections[2] != connections[0], connections
    if name == "threads_share_a_client":
        assert len(connections) == 200, len(connections)
        assert len(set(connections)) <= 8, len(set(connections))


# The answers of the endpoint other than 204, and the statuses that it receives.
OUTBOX_STEPS = {
    "dead_letters_can_be_edited_and_replayed": "404/404/404/204",
    "events_reach_the_observer": "503/204",
    "the_exit_finishes_the_requests_in_flight": "slow=700/204",
    "both_sides_of_a_fork_deliver": "slow=200/204",
    "a_call_that_timed_out_has_a_ticket_and_is_not_repeated": "hang/204",
    "a_damaged_outbox_is_logged_and_refuses": "503",
    "a_dead_letter_is_logged": "404",
}
OUTBOX_STATUSES = {
    "updates_are_delivered_in_order": ["pending", "paid", "refunded"],
    "dead_letters_can_be_edited_and_replayed": ["paid", "paid", "paid", "refunded"],
    "events_reach_the_observer": ["paid", "paid"],
    "the_exit_finishes_the_requests_in_flight": ["pending"],
    "the_next_process_delivers_the_rest": ["pending", "paid"],
    "both_sides_of_a_fork_deliver": ["pending", "paid", "refunded"],
}


def run_outbox(tally, receiver):
    programs = [(name, [BUILD / name]) for name in ("outbox", "outbox-static", "outbox-cxx")]
    for label, program in [*programs, ("valgrind: outbox", [*MEMCHECK, BUILD / "outbox"])]:
        # A forked child does not free its parent's memory, which valgrind reports as a leak.
        omitted = "both_sides_of_a_fork_deliver" if "valgrind" in label else None
        with tempfile.TemporaryDirectory() as folder:
            end = f"{uuid.uuid4().hex}/{OUTBOX_STEPS['the_exit_finishes_the_requests_in_flight']}"
            for name in subprocess.check_output([BUILD / "outbox"], text=True).split():
                if name == omitted:
                    continue
                # The second finishes what the first leaves in the file.
                follows = name in (
                    "the_exit_finishes_the_requests_in_flight",
                    "the_next_process_delivers_the_rest",
                )
                run = end if follows else f"{uuid.uuid4().hex}/{OUTBOX_STEPS.get(name, '204')}"
                file = Path(folder, "end.db" if follows else f"{name}.db")
                tally.run(
                    f"{label}: {name}", run_outbox_guarantee, receiver, program, name, run, file
                )


def run_outbox_guarantee(receiver, program, name, run, file):
    url = f"{receiver.address('url')}/run/{run}"
    done = subprocess.run([*program, name, url, file], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600, "others may read it"
    records = receiver.get(f"/_recorded/{run.split('/')[0]}")
    if name in OUTBOX_STATUSES:
        statuses = [json.loads(record["body"])["order_status"] for record in records]
        compare("statuses", statuses, OUTBOX_STATUSES[name])


def run_cmake_project(receiver):
    with tempfile.TemporaryDirectory() as folder:
        example = DIST / "c/examples/update_order.c"
        configure = [
            *("cmake", "-S", ROOT / "bindings-c/tests/cmake", "-B", folder),
            *(f"-DCMAKE_PREFIX_PATH={DIST / 'c'}", f"-DEXAMPLE={example}"),
        ]
        for command in (configure, ["cmake", "--build", folder]):
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        for program in ("shared", "static"):
            run_example(receiver, [Path(folder, program)])


def run_command_of_example(receiver, name, said):
    """The command line in the example's comment works with only PKG_CONFIG_PATH set."""
    text = (DIST / f"c/examples/{name}.c").read_text()
    command = re.search(r"^ \*   (cc (?:.*\\\n)*.*)$", text, re.M)[1].replace("\n * ", "\n")
    run = uuid.uuid4().hex
    environment = {
        **os.environ,
        "KATALYS_ENDPOINT": f"{receiver.address('url')}/run/{run}/204",
        "PKG_CONFIG_PATH": str(DIST / "c/lib/pkgconfig"),
    }
    environment.pop("LD_LIBRARY_PATH", None)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(DIST / f"c/examples/{name}.c", folder)
        command = command.replace("/var/lib/shop", folder)
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert said in done.stdout, done.stdout
    assert len(receiver.get(f"/_recorded/{run}")) == 1


def run_example(receiver, program):
    run = uuid.uuid4().hex
    environment = {**os.environ, "KATALYS_ENDPOINT": f"{receiver.address('url')}/run/{run}/204"}
    done = subprocess.run(
        [*program, "abcd.com", "1001"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "received after 1 attempt(s)\n"
    [record] = receiver.get(f"/_recorded/{run}")
    assert json.loads(record["body"])["line_item_1_sku"] == "WLNS_BUNDLE_4"


def run_outbox_example(receiver, program):
    run = uuid.uuid4().hex
    environment = {**os.environ, "KATALYS_ENDPOINT": f"{receiver.address('url')}/run/{run}/204"}
    with tempfile.TemporaryDirectory() as folder:
        command = [*program, "abcd.com", "1001", Path(folder, "katalys.db")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = ["ticket 1", "update 1 was accepted", "update 1 was delivered, attempt 1"]
    assert sorted(done.stdout.splitlines()) == said, done.stdout
    [record] = receiver.get(f"/_recorded/{run}")
    assert json.loads(record["body"])["order_status"] == "paid"


def only_our_symbols_are_exported():
    listing = subprocess.check_output(
        ["nm", "-D", "--defined-only", DIST / "c/lib/libkatalys.so.0"], text=True
    )
    names = [line.split()[-1] for line in listing.splitlines()]
    assert names, "nothing is exported"
    assert all(name.startswith("katalys_") for name in names), names
    declared = set(re.findall(r"\b(katalys_\w+)\(", (DIST / "c/include/katalys.h").read_text()))
    assert declared >= {name for name in names if not name.startswith("katalys_php_")}, declared


def the_static_library_exports_the_same():
    """Symbols of a host's SQLite, or of another Rust library, do not conflict."""
    listing = subprocess.check_output(
        ["nm", "-g", "--defined-only", DIST / "c/lib/libkatalys.a"], text=True
    )
    names = {line.split()[-1] for line in listing.splitlines() if len(line.split()) == 3}
    shared = subprocess.check_output(
        ["nm", "-D", "--defined-only", DIST / "c/lib/libkatalys.so.0"], text=True
    )
    assert names == {line.split()[-1] for line in shared.splitlines()}, names


def every_build_has_an_id():
    notes = subprocess.check_output(["readelf", "-n", DIST / "c/lib/libkatalys.so.0"], text=True)
    assert re.search(r"Build ID: [0-9a-f]{40}$", notes, re.M), notes


def run_coexisting(receiver, program):
    """The host's SQLite and the other Rust library work as without this one."""
    run = uuid.uuid4().hex
    url = f"{receiver.address('url')}/run/{run}/204"
    with tempfile.TemporaryDirectory() as folder:
        command = [BUILD / program, "all", url, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert len(receiver.get(f"/_recorded/{run}?wait=20")) == 20


def run_copies(receiver):
    """Two copies of the library in one process lose and repeat nothing."""
    run = uuid.uuid4().hex
    url = f"{receiver.address('url')}/run/{run}/204"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("1.so", "2.so"):
            shutil.copy(DIST / "c/lib/libkatalys.so.0", Path(folder, name))
        command = [BUILD / "copies", "all", url, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert len(receiver.get(f"/_recorded/{run}?wait=2000")) == 2000


def the_library_runs_on_old_systems_and_stays_loaded():
    library = DIST / "c/lib/libkatalys.so.0"
    versions = re.findall(
        r"GLIBC_2\.(\d+)", subprocess.check_output(["objdump", "-T", library], text=True)
    )
    assert versions, "no version of glibc is named"
    assert max(map(int, versions)) <= 17, sorted(set(versions))
    assert "NODELETE" in subprocess.check_output(["readelf", "-d", library], text=True)


def main():
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    tally = Tally()
    tally.run("only our symbols are exported", only_our_symbols_are_exported)
    tally.run("the static library exports the same", the_static_library_exports_the_same)
    tally.run("every build has an id", every_build_has_an_id)
    tally.run(
        "the library runs on old systems and stays loaded",
        the_library_runs_on_old_systems_and_stays_loaded,
    )
    run_vectors(tally)
    with Receiver() as receiver:
        run_scenarios(tally, receiver, version)
        run_guarantees(tally, receiver)
        run_outbox(tally, receiver)
        tally.run("two copies share an outbox", run_copies, receiver)
        for program in COEXIST:
            tally.run(f"{program}: libraries share a program", run_coexisting, receiver, program)
        for program in ("example", "example-cxx"):
            tally.run(f"{program} reports an order", run_example, receiver, [BUILD / program])
        tally.run("a CMake project finds the package", run_cmake_project, receiver)
        for name, said in (
            ("update_order", "received after 1 attempt(s)"),
            ("enqueue_update", "update 1 was delivered, attempt 1"),
        ):
            label = f"the command line of {name}.c works"
            tally.run(label, run_command_of_example, receiver, name, said)
        for program in ("outbox-example", "outbox-example-cxx"):
            tally.run(
                f"{program} delivers an update", run_outbox_example, receiver, [BUILD / program]
            )
        tally.run(
            "the example is clean under valgrind",
            run_example,
            receiver,
            [*MEMCHECK, BUILD / "example"],
        )
    for skipped in sorted(set(tally.skipped)):
        print(f"skipped {skipped}")
    print(f"C: {tally.passed} passed, {len(tally.failures)} failed, {len(tally.skipped)} skipped")
    return 1 if tally.failures or tally.passed < 500 else 0


if __name__ == "__main__":
    assert shutil.which("valgrind"), "valgrind is not installed (apt-get install valgrind)"
    sys.exit(main())
