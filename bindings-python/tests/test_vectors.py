"""Every shared vector: the payload and the problems of a call."""

import datetime
import json
import re
import time

import katalys
import pytest
from support import ROOT, typed

KNOWN_KEYS = {
    "name", "why", "call", "order_id", "options", "fields", "pairs", "payload", "problems", "only",
}  # fmt: skip
VECTORS = json.loads((ROOT / "tests/vectors.json").read_text())["vectors"]
RUNNABLE = [v for v in VECTORS if "python" in v.get("only", ["python"]) and "pairs" not in v]


def test_no_vector_is_passed_over_in_silence():
    assert len(RUNNABLE) > 150
    assert set().union(*VECTORS) <= KNOWN_KEYS
    for vector in VECTORS:
        if "pairs" in vector and vector not in RUNNABLE:
            keys = [key for key, _ in vector["pairs"]]
            assert len(set(keys)) < len(keys) or "only" in vector, "a dict could express it"


@pytest.mark.parametrize("vector", RUNNABLE, ids=lambda vector: vector["name"])
def test_vector(vector):
    client = katalys.Client(**{"site_id": "abcd.com", **vector.get("options", {})})
    call = vector.get("call", "update")
    order_id = typed(vector.get("order_id", "1001"))
    fields = {key: typed(value) for key, value in vector.get("fields", {}).items()}
    started = int(time.time())
    result = getattr(client, f"validate_{call}")(order_id, fields)
    check_payload(vector["payload"], result.payload, started)
    found = sorted((p.path, p.code, p.severity) for p in result.problems)
    expected = [(p["path"], p["code"], p["severity"]) for p in vector.get("problems", [])]
    assert found == sorted(expected)
    assert result.ok == (vector["payload"] is not None)


def check_payload(expected, payload, started):
    text = payload and payload.decode()
    if expected is None or "{now}" not in expected:
        assert text == expected
        return
    before, after = expected.split("{now}")
    moment = re.fullmatch(re.escape(before) + "(.{25})" + re.escape(after), text)
    assert moment, text
    stamped = datetime.datetime.strptime(moment[1], "%Y-%m-%d %H:%M:%S%z").timestamp()
    assert started <= stamped <= time.time()
