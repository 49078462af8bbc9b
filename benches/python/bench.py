"""Compares the package with the libraries that a Python shop would otherwise use. Prints one JSON
object per line.

Usage: bench.py PLAIN_URL TLS_URL CA_FILE [seconds-per-measurement]

The URLs are those of a server that answers every POST with 204. The candidates take turns within
one run, and their medians are compared: rates on a shared machine vary.
"""

import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import time

import aiohttp
import katalys
import pycurl
import requests
from order import ORDER, Order

ROUNDS = 7
IN_FLIGHT = 32


def main(plain, tls, ca_file, seconds):
    async_rates(plain, seconds, tls=None)
    async_rates(tls, seconds, tls=ca_file)
    waiting_rates(plain, seconds)
    cpu_per_update(plain)
    validation()
    import_time()


def report(what, ours, theirs, other, unit, goal, *, smaller_is_better=False):
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    ratio = theirs / ours if smaller_is_better else ours / theirs
    line = {
        "what": what, "ours": round(ours, 3), "theirs": round(theirs, 3), "other": other,
        "unit": unit, "ratio": round(ratio, 2), "goal": goal,
    }  # fmt: skip
    print(json.dumps(line), flush=True)


def in_turns(ours, theirs, rounds=ROUNDS):
    """The results of both candidates, after one warm-up round each."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return [list(results) for results in zip(*pairs, strict=True)]


def async_rates(url, seconds, tls):
    def ours():
        return asyncio.run(rate_of_tasks(lambda: ours_async(url, tls), seconds))

    def theirs():
        return asyncio.run(rate_of_tasks(lambda: theirs_async(url, tls), seconds))

    what = f"AsyncClient.update_order, {IN_FLIGHT} in flight{', TLS' if tls else ''}"
    report(what, *in_turns(ours, theirs), f"aiohttp {IN_FLIGHT}", "updates/s", ">= 3")


async def ours_async(url, ca_file):
    client = katalys.AsyncClient("abcd.com", endpoint=url, ca_file=ca_file)

    async def send(number):
        await client.update_order(number, ORDER)

    async def close():
        pass

    return send, close


async def theirs_async(url, ca_file):
    import ssl

    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=context or False)
    session = aiohttp.ClientSession(connector=connector)

    async def send(number):
        body = {"site_id": "abcd.com", "order_id": str(number), **ORDER}
        async with session.post(url, json=body) as answer:
            assert answer.status == 204

    return send, session.close


async def rate_of_tasks(start, seconds):
    send, close = await start()
    done = 0
    deadline = time.perf_counter() + seconds

    async def keep_sending(number):
        nonlocal done
        while time.perf_counter() < deadline:
            await send(number)
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(keep_sending(number) for number in range(IN_FLIGHT)))
    rate = done / (time.perf_counter() - started)
    await close()
    return rate


def waiting_rates(url, seconds):
    ours = ours_waiting(url)
    session, curl = requests_sender(url), curl_sender(url)
    results = in_turns(lambda: rate(ours, seconds), lambda: rate(session, seconds))
    report("waiting update_order", *results, "requests Session", "updates/s", ">= 5")
    results = in_turns(lambda: rate(ours, seconds), lambda: rate(curl, seconds))
    report("waiting update_order", *results, "pycurl, one handle", "updates/s", ">= 1")


def ours_waiting(url):
    client = katalys.Client("abcd.com", endpoint=url)
    return lambda number: client.update_order(number, ORDER)


def requests_sender(url):
    session = requests.Session()

    def send(number):
        body = {"site_id": "abcd.com", "order_id": str(number), **ORDER}
        assert session.post(url, json=body, timeout=10).status_code == 204

    return send


def curl_sender(url):
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json"])

    def send(number):
        body = {"site_id": "abcd.com", "order_id": str(number), **ORDER}
        curl.setopt(pycurl.POSTFIELDS, json.dumps(body))
        curl.setopt(pycurl.WRITEDATA, io.BytesIO())
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 204

    return send


def rate(send, seconds):
    number = 0
    started = time.perf_counter()
    while time.perf_counter() < started + seconds:
        send(number)
        number += 1
    return number / (time.perf_counter() - started)


def cpu_per_update(url, count=1500):
    def cpu(send):
        before = time.process_time()
        for number in range(count):
            send(number)
        return (time.process_time() - before) / count * 1e6

    ours, theirs = ours_waiting(url), requests_sender(url)
    results = in_turns(lambda: cpu(ours), lambda: cpu(theirs))
    what = "CPU per waiting update"
    report(what, *results, "requests Session", "µs", ">= 10", smaller_is_better=True)


def validation(count=20000):
    client = katalys.Client("abcd.com")
    [problems] = [client.validate_update("1001", ORDER).problems]
    assert problems == [], problems

    def ours():
        return nanoseconds(lambda: client.validate_update("1001", ORDER), count)

    def theirs():
        def build():
            order = Order(site_id="abcd.com", order_id="1001", **ORDER)
            return order.model_dump_json(exclude_none=True)

        return nanoseconds(build, count)

    results = in_turns(ours, theirs)
    what = "validate + encode, 20 fields"
    report(what, *results, "pydantic", "ns", ">= 4", smaller_is_better=True)


def nanoseconds(action, count):
    started = time.perf_counter()
    for _ in range(count):
        action()
    return (time.perf_counter() - started) / count * 1e9


def import_time():
    def of(module):
        script = (
            f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        )
        done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
        return float(done.stdout) * 1000

    ours, theirs = in_turns(lambda: of("katalys"), lambda: of("requests"), rounds=15)
    report("import", ours, theirs, "requests", "ms", ">= 40", smaller_is_better=True)
    report("import, itself", ours, [3.0], "the limit", "ms", "<= 3 ms", smaller_is_better=True)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    for name in ("KATALYS_ENDPOINT", "KATALYS_TIMEOUT", "KATALYS_SITE_ID"):
        os.environ.pop(name, None)
    main(*sys.argv[1:4], float(sys.argv[4]) if len(sys.argv) == 5 else 1.0)
