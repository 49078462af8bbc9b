"""The pytest plugin: the fixture `katalys_sandbox`, and no access to production while tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ._contain import allow, contain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .testing import Sandbox

__all__ = ["katalys_sandbox", "pytest_configure", "pytest_load_initial_conftests"]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Comes before the import of the project's code."""
    contain()


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """For a plugin that is named in a `conftest.py`."""
    contain()


@pytest.fixture(scope="session", autouse=True)
def _katalys_outboxes_of_tests(request: pytest.FixtureRequest) -> None:
    """Outboxes in the tests' own temporary folders are used as given."""
    if request.config.pluginmanager.has_plugin("tmpdir"):
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        allow(factory.getbasetemp())


@pytest.fixture(scope="session")
def _katalys_sandbox_of_session() -> Iterator[Sandbox]:
    from .testing import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def katalys_sandbox(
    _katalys_sandbox_of_session: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """A local replacement for Katalys' endpoint, empty at the start of each test. Every client
    whose endpoint is on another host sends to it, no matter when the client was created."""
    _katalys_sandbox_of_session.clear()
    monkeypatch.setenv("KATALYS_ENDPOINT", _katalys_sandbox_of_session.endpoint)
    return _katalys_sandbox_of_session
