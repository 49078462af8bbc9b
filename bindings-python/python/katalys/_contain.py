"""Contains test runs, so that they cannot reach production: see `contain`."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

__all__ = ["allow", "contain"]

# The core reads it; child processes inherit it.
_VARIABLE = "KATALYS_TEST_DIR"
_contained: list[str] = []


def contain() -> None:
    """From now on, until this process and its children end, no client reaches another host, and no
    outbox of the shop is opened.

    A client whose endpoint is on another host sends to `KATALYS_ENDPOINT` instead while that is on
    this machine, as the fixture `katalys_sandbox` sets it, and fails otherwise. An outbox is
    replaced by a file in a temporary folder. This includes clients that were made earlier and have
    not been used."""
    if _contained:
        return
    folder = tempfile.mkdtemp(prefix="katalys-test-")
    _contained.append(folder)
    os.environ[_VARIABLE] = folder
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)


def allow(folder: str | os.PathLike[str]) -> None:
    """Outboxes in this folder are used as given."""
    os.environ[_VARIABLE] = os.pathsep.join([os.environ[_VARIABLE], os.fspath(folder)])
