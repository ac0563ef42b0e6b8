"""Declaring and running the tests of one script.

    from lib import check

    @check.test
    def rejected_command_has_no_events():
        assert ...

    if __name__ == "__main__":
        check.main()

Prints one line per test, 'ok name' or 'FAIL name: why', and exits 1 if any failed. Arguments are
names of the tests to run; none means all, in the order of the file.
"""

import os
import sys
import time
import traceback

_tests = []
_cleanups = []


def test(function):
    _tests.append(function)
    return function


def at_end(function):
    """Runs after the last test (servers of the test stopped, files removed)."""
    _cleanups.append(function)
    return function


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what + ': ' if what else ''}expected {expected!r}, got {got!r}")


def contains(text, part, what=""):
    if part not in text:
        raise AssertionError(f"{what + ': ' if what else ''}{part!r} is not in {text[-600:]!r}")


def _why(error):
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if os.path.dirname(f.filename) != os.path.dirname(__file__)]
    frame = (own or frames)[-1]
    text = " ".join(str(error).split()) or f"{type(error).__name__} in '{frame.line}'"
    return f"{text} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"


def main():
    wanted = sys.argv[1:]
    unknown = set(wanted) - {t.__name__ for t in _tests}
    if unknown:
        sys.exit(f"no such test: {' '.join(sorted(unknown))}")
    failed = 0
    try:
        for function in _tests:
            if wanted and function.__name__ not in wanted:
                continue
            started = time.monotonic()
            try:
                function()
                print(f"ok {function.__name__}", flush=True)
            except Exception as e:  # noqa: BLE001 - any exception fails the test
                failed += 1
                traceback.print_exc()
                print(f"FAIL {function.__name__}: {_why(e)}", flush=True)
            print(f"  {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    finally:
        for function in reversed(_cleanups):
            function()
    sys.exit(1 if failed else 0)
