"""tutorial.py KATALYS: runs the terminal sessions of docs/tutorial.md against a sandbox, and
compares their output with the page. In the page, `…` matches any text.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs/tutorial.md"
SESSION = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
PORT = "8321"  # The page's; a test uses a free one.


def commands(page):
    for block in SESSION.findall(page):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def is_like(printed, shown):
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip()) is not None


def run_all(katalys, endpoint):
    port = re.search(r":(\d+)/", endpoint)[1]
    path = f"{Path(katalys).resolve().parent}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "KATALYS_ENDPOINT": endpoint, "KATALYS_SITE_ID": "abcd.com"}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for command, shown in commands(PAGE.read_text("utf-8")):
            command = f"exec 2>&1; {command.replace(PORT, port)}"
            shell = ["sh", "-c", command]
            done = subprocess.run(
                shell, cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            printed = done.stdout
            if not is_like(printed, shown):
                sys.exit(f"FAILED: {command}\nprints\n{printed}\ninstead of\n{shown}")
            count += 1
    return count


def main(katalys):
    arguments = [katalys, "sandbox", "--port", "0", "--json", "--until-stdin-closes"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sandbox:
        try:
            count = run_all(katalys, json.loads(sandbox.stdout.readline())["endpoint"])
        finally:
            sandbox.stdin.close()
    if count < 5:
        sys.exit(f"FAILED: only {count} commands in {PAGE}")
    print(f"tutorial: {count} commands passed")


main(*sys.argv[1:])
