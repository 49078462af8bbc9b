"""Two applications in one uWSGI process, each in its own interpreter, or both in one."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request

APP = """
    import katalys
    client = katalys.Client("abcd.com", endpoint="http://127.0.0.1:9/")

    def application(environ, start_response):
        try:
            client.update_order("")
        except katalys.Error as error:
            start_response("200 OK", [])
            return [error.code.encode()]
"""
UWSGI = pathlib.Path(sys.executable).with_name("uwsgi")


@contextlib.contextmanager
def uwsgi(folder, *options):
    """A running server: its process, its port and its log."""
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(textwrap.dedent(APP))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        UWSGI, "--http-socket", f"127.0.0.1:{port}", "--master", "--die-on-term",
        "--manage-script-name", "--virtualenv", sys.prefix,
        "--mount", f"/one={folder}/one.py", "--mount", f"/two={folder}/two.py", *options,
    ]  # fmt: skip
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    try:
        yield process, port, log
    finally:
        process.terminate()
        process.wait(20)


def ask(port, path):
    """The application's answer, once the server is up."""
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_two_applications_in_one_interpreter(tmp_path):
    with uwsgi(tmp_path, "--single-interpreter") as (_, port, _):
        assert [ask(port, name) for name in ("one", "two", "one")] == ["validation"] * 3


def test_an_error_in_a_second_interpreter_names_the_setting(tmp_path):
    with uwsgi(tmp_path) as (process, _, log):
        assert process.wait(30) != 0, "the server does not start"
        assert "ImportError: katalys is in use by another interpreter" in log.read_text()
        assert "single-interpreter = true" in log.read_text()
