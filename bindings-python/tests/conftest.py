"""Fixtures of all tests."""

import pytest
from support import OWN_SETTINGS, running_receiver


@pytest.fixture(scope="session")
def receiver():
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def without_settings_of_this_machine(monkeypatch):
    for name in OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
