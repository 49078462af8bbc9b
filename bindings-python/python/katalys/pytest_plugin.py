"""The pytest plugin: the fixture `katalys_sandbox`. Whoever does not use it pays for no more
than this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .testing import Sandbox

__all__ = ["katalys_sandbox"]


@pytest.fixture(scope="session")
def _katalys_sandbox_of_session() -> Iterator[Sandbox]:
    from .testing import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def katalys_sandbox(
    _katalys_sandbox_of_session: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """A stand-in for Katalys' endpoint, empty at the beginning of each test, that clients made
    without an `endpoint` report to."""
    _katalys_sandbox_of_session.clear()
    monkeypatch.setenv("KATALYS_ENDPOINT", _katalys_sandbox_of_session.endpoint)
    return _katalys_sandbox_of_session
