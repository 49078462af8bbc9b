"""third_party.py CRATE FILE: writes the licences of all libraries in a crate's binary, for the
package that contains the binary.

The list of crates comes from `cargo metadata`, the texts from the sources that cargo has unpacked.
A text that several crates share is written once.
"""

import json
import subprocess
import sys
from pathlib import Path

TARGET = "x86_64-unknown-linux-gnu"
NAMES = ("license", "licence", "copying", "copyright", "notice", "unlicense")
HEAD = """# Third-party licences

`{crate}` contains the libraries below, under the licences that follow, and parts of the Rust
standard library (https://github.com/rust-lang/rust, MIT or Apache-2.0). It also contains SQLite
(https://sqlite.org), which is in the public domain.

"""
# For crates that name their licence but do not include its text.
MIT = Path(__file__).parent.parent / "LICENSE-MIT"


def metadata():
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={TARGET}"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def linked(found, crate):
    """The crates in a binary: normal dependencies, without procedural macros."""
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    pending = [name for name, package in packages.items() if package["name"] == crate]
    seen = set()
    while pending:
        name = pending.pop()
        if name in seen or is_macro(packages[name]):
            continue
        seen.add(name)
        for dependency in nodes[name]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                pending.append(dependency["pkg"])
    crates = [packages[name] for name in seen if packages[name]["source"]]
    return sorted(crates, key=lambda package: (package["name"], package["version"]))


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def texts(package):
    folder = Path(package["manifest_path"]).parent
    found = [path for path in folder.iterdir() if path.name.lower().startswith(NAMES)]
    files = [path for path in found if path.is_file()]
    files += [path for sub in found if sub.is_dir() for path in sub.iterdir() if path.is_file()]
    if files:
        return [clean(path.read_text("utf-8", "replace")) for path in sorted(files)]
    if "MIT" not in (package["license"] or ""):
        sys.exit(f"{label(package)} includes no licence text")
    holders = ", ".join(package["authors"]) or f"the authors of {package['name']}"
    terms = clean(MIT.read_text("utf-8")).split("\n\n", 2)[2]
    return [f"MIT License\n\nCopyright (c) {holders}\n\n{terms}"]


def clean(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def label(package):
    return f"{package['name']} {package['version']}"


def main(crate, target):
    crates = linked(metadata(), crate)
    by_text = {}
    for package in crates:
        for text in texts(package):
            by_text.setdefault(text, []).append(label(package))
    out = HEAD.format(crate=crate)
    for package in crates:
        source = package["repository"] or f"https://crates.io/crates/{package['name']}"
        out += f"- {label(package)}: {package['license'] or 'see its text'} ({source})\n"
    for text, labels in sorted(by_text.items(), key=lambda item: item[1]):
        out += f"\n## {', '.join(labels)}\n\n````text\n{text}\n````\n"
    Path(target).write_text(out, "utf-8")


main(*sys.argv[1:])
