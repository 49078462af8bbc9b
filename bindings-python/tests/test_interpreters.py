"""Second interpreters of a process, as uWSGI and mod_wsgi create them."""

import sys

import pytest
from support import run_python

SECOND = """
    import katalys
    try:
        import _interpreters as interpreters
        second = interpreters.create("legacy")
    except ImportError:
        import _xxsubinterpreters as interpreters
        second = interpreters.create(isolated=False)
    said = interpreters.run_string(second, '''if True:
        try:
            import katalys
        except ImportError as error:
            assert "single-interpreter = true" in str(error), error
        else:
            raise AssertionError("imported")
    ''')
    assert said is None, said
    try:
        katalys.Client("")
    except katalys.Error as error:
        print(error.code)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="of CPython")
def test_a_second_interpreter_gets_an_import_error():
    assert run_python(SECOND) == "config_invalid"
