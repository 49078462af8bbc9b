"""The examples of the README run as they stand there."""

import pathlib
import re

from support import run_python

README = pathlib.Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def test_every_example_runs(receiver, tmp_path):
    run, endpoint = receiver.endpoint()
    assert len(BLOCKS) >= 4
    for block in BLOCKS:
        settings = {"KATALYS_ENDPOINT": endpoint, "PYTHONDEVMODE": ""}
        run_python(block, env=settings, cwd=tmp_path)
    statuses = [record["step"] for record in receiver.recorded(run, wait=5)]
    assert len(statuses) >= 5
