"""The examples of the README run as written."""

import os
import pathlib
import re
import subprocess
import sys

from support import ROOT, run_python

README = pathlib.Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
TESTS = [block for block in BLOCKS if "def test_" in block]


def test_every_example_runs(receiver, tmp_path):
    run, endpoint = receiver.endpoint()
    assert len(BLOCKS) >= 4
    for block in set(BLOCKS) - set(TESTS):
        settings = {"KATALYS_ENDPOINT": endpoint, "PYTHONDEVMODE": ""}
        run_python(block.replace("/var/lib/shop", str(tmp_path)), env=settings, cwd=tmp_path)
    statuses = [record["step"] for record in receiver.recorded(run, wait=5)]
    assert len(statuses) >= 5


def test_the_tests_are_what_they_seem(tmp_path):
    """With the installed plugin."""
    [block] = TESTS
    (tmp_path / "test_shop.py").write_text(block)
    command = os.environ.get("KATALYS_COMMAND", str(ROOT / "target/debug/katalys"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:django", "-W", "error", "test_shop.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "KATALYS_COMMAND": command},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
