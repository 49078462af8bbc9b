"""Fixtures of the shop's tests."""

import katalys
import pytest
from support import running_receiver


@pytest.fixture(scope="session")
def receiver():
    assert "site-packages" in katalys.__file__, "these tests are of the installed wheel"
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def endpoint(receiver, settings):
    """Starts a new run for the shop's client, and returns its id."""
    run, url = receiver.endpoint()
    settings.KATALYS = {**settings.KATALYS, "endpoint": url}
    return run
