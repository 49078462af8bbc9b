"""links.py: checks that every link in the Markdown pages leads to a file, and every anchor to a
heading.

Links to this repository's pages on GitHub are checked as local ones. Other hosts are not contacted.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = "https://github.com/katalys/order-reporting/blob/main/"
CODE_BLOCK = re.compile(r"^(```+|~~~+).*?^\1", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def pages():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = listed.stdout.decode().split("\0")[:-1]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def blank(match):
    """As many lines as the match, without its text."""
    return "\n" * match[0].count("\n")


def anchors(page):
    """The anchors that GitHub gives to the headings of a page."""
    found = set()
    for heading in HEADING.findall(CODE_BLOCK.sub(blank, page.read_text("utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = 0
        while (anchor := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(anchor)
    return found


def error_of(page, link):
    base = page.parent
    if link.startswith(HOME):
        base, link = ROOT, link.removeprefix(HOME)
    elif re.match(r"[a-z]+:", link):
        return None
    path, _, anchor = link.partition("#")
    target = (base / path).resolve() if path else page
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return "no such heading"
    return None


def main():
    broken = count = 0
    for page in pages():
        text = CODE.sub("", CODE_BLOCK.sub(blank, page.read_text("utf-8")))
        for number, line in enumerate(text.splitlines(), 1):
            for link in LINK.findall(line):
                count += 1
                if error := error_of(page, link):
                    print(f"{page.relative_to(ROOT)}:{number}: {link}: {error}")
                    broken += 1
    if broken or not count:
        sys.exit(f"{broken} of {count} links are broken")


main()
