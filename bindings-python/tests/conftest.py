"""Fixtures of all tests."""

import pytest
from support import OWN_SETTINGS, running_receiver


@pytest.fixture(scope="session")
def receiver():
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def without_settings_of_this_machine(monkeypatch):
    # Some tests use host names that do not exist; none is that of a real host.
    for name in (*OWN_SETTINGS, "KATALYS_TEST_DIR"):
        monkeypatch.delenv(name, raising=False)
