"""The type stubs agree with the package, and catch mistakes."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parent
SAMPLE = TESTS / "typing_sample.py"
MISTAKES = TESTS / "typing_mistakes.py"
# Otherwise pyright uses the active environment, or none.
INTERPRETER = ("--pythonpath", sys.executable)


def output_of(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=TESTS.parent,
        # katalys.django needs a project's settings.
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "django.conf.global_settings"},
    )
    return done.returncode, done.stdout + done.stderr


def mistakes():
    """Line number and expected word of each mistake in the sample of mistakes."""
    for number, line in enumerate(MISTAKES.read_text().splitlines(), start=1):
        if "# expect: " in line:
            yield number, line.split("# expect: ")[1]


@pytest.fixture(scope="module")
def mypy():
    _, text = output_of("mypy", "--strict", "--no-incremental", str(MISTAKES))
    return [line for line in text.splitlines() if ": error: " in line]


@pytest.fixture(scope="module")
def pyright():
    _, text = output_of("pyright", *INTERPRETER, "--outputjson", str(MISTAKES))
    found = json.loads(text[text.index("{") :])["generalDiagnostics"]
    return [f"{each['range']['start']['line'] + 1}: {each['message']}" for each in found]


def test_mypy_is_content_with_a_strict_project():
    status, text = output_of("mypy", "--strict", "--no-incremental", str(SAMPLE))
    assert status == 0, text


def test_what_is_typed_in_place_is_right_too():
    modules = ("katalys.testing", "katalys.pytest_plugin")
    named = [part for module in modules for part in ("-m", module)]
    options = ("--strict", "--no-incremental", "--python-version", "3.10")
    status, text = output_of("mypy", *options, "--follow-imports=silent", *named)
    assert status == 0, text


def test_pyright_is_content_with_a_strict_project():
    status, text = output_of("pyright", *INTERPRETER, str(SAMPLE))
    assert status == 0, text


@pytest.mark.parametrize(("number", "word"), list(mistakes()))
def test_mypy_catches_the_mistake(mypy, number, word):
    assert any(f":{number}: " in line and word in line for line in mypy), mypy


@pytest.mark.parametrize(("number", "word"), list(mistakes()))
def test_pyright_catches_the_mistake(pyright, number, word):
    assert any(line.startswith(f"{number}: ") and word in line for line in pyright), pyright


def test_stubs_say_what_is_there_at_run_time():
    status, text = output_of(
        "mypy.stubtest", "katalys", "--allowlist", str(TESTS / "stubtest-allow.txt")
    )
    assert status == 0, text
