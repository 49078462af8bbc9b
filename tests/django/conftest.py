"""Fixtures of the shop's tests."""

import katalys
import pytest
from support import running_receiver


@pytest.fixture(scope="session")
def receiver():
    assert "site-packages" in katalys.__file__, "these tests need the installed wheel"
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def endpoint(receiver, settings):
    """A new run of the receiver, which the shop's client sends to; returns its id."""
    run, url = receiver.endpoint()
    settings.KATALYS = {**settings.KATALYS, "endpoint": url}
    return run
