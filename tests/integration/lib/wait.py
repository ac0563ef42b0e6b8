"""Waiting for a condition with a deadline: the only place of the tests that sleeps."""

import time


class Timeout(AssertionError):
    pass


def until(condition, seconds=30, what=None, every=0.05):
    """Calls condition() until it returns something true, and returns that.

    An exception counts as 'not yet'; the last one is named when the time is over.
    """
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            found = condition()
            last = None
            if found:
                return found
        except Exception as e:  # noqa: BLE001 - whatever it is, it may pass
            last = e
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "the condition")
            cause = f" (last error: {last})" if last else ""
            raise Timeout(f"gave up after {seconds} s waiting for {name}{cause}")
        time.sleep(every)


def equals(read, expected, seconds=30, what=None):
    """Waits until read() == expected; the failure names the value last seen."""
    seen = []

    def same():
        seen[:] = [read()]
        return seen[0] == expected

    try:
        until(same, seconds, what)
    except Timeout as e:
        got = repr(seen[0]) if seen else "nothing"
        raise Timeout(f"{e}: expected {expected!r}, saw {got}") from None
