"""words.py [FILE…]: finds the words of tools/words.txt in all tracked text files, or in given ones.

Prints file, line, word and suggestion of each, then a count per folder.
Exits with 1 if it finds one.
"""

import collections
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = "tools/words.txt"
OPT_OUT = "words: ok"
CAMEL_CASE = re.compile("(?<=[a-z])(?=[A-Z])")
EXCLUDED = (
    LIST,
    # Texts of others
    "LICENSE-*",
    "*/LICENSE-*",
    "Cargo.lock",
    "*/package-lock.json",
    # Test data
    "tests/vectors.json",
    "tests/scenarios.json",
    # Generated from files that are checked, without the notice below
    "bindings-php/include/katalys-php.h",
    "docs/order-update.schema.json",
    "include/katalys.h",
)
# The notice of tools/generate: the tables and the generator are checked instead of its files.
GENERATED = re.compile(
    r"(#|//|//!| \*|<!--) (Made|Generated) from the core's tables by `make generate`"
)
NOTICE_WITHIN = 10


def rules():
    for line in (ROOT / LIST).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, _, suggestion = line.partition("\t")
            if not suggestion:
                sys.exit(f"{LIST}: no suggestion for {pattern}")
            yield re.compile(pattern, re.IGNORECASE), suggestion


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    names = listed.stdout.decode().split("\0")[:-1]
    return [name for name in names if (ROOT / name).is_file()]


def is_excluded(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in EXCLUDED)


def lines(name):
    try:
        return (ROOT / name).read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # Not text: an image.


def is_generated(text):
    return any(GENERATED.match(line) for line in text[:NOTICE_WITHIN])


def words_of(line):
    """The line with every identifier split into its words."""
    return CAMEL_CASE.sub(" ", line).replace("_", " ")


def findings(name, checks):
    text = lines(name)
    if is_generated(text):
        return
    for number, line in enumerate(text, 1):
        if OPT_OUT in line:
            continue
        for pattern, suggestion in checks:
            for match in pattern.finditer(words_of(line)):
                yield f'{name}:{number}: "{match[0]}": {suggestion}'


def main(names):
    checks = list(rules())
    counts = collections.Counter()
    for name in names or tracked():
        if is_excluded(name):
            continue
        for finding in findings(name, checks):
            print(finding)
            counts[name.split("/")[0]] += 1
    for folder, count in sorted(counts.items()):
        print(f"{folder}: {count}", file=sys.stderr)
    if counts:
        sys.exit(f"{sum(counts.values())} words to replace; {LIST} explains how")


main(sys.argv[1:])
