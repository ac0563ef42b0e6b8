"""Counting and showing results. The last line of a run is 'N passed, N failed'."""

import os
import sys
import threading
import time

TAIL_LINES = 25


class Report:
    def __init__(self, log_dir):
        self.log_dir = log_dir
        self.passed = 0
        self.failures = []  # (stage, name, why)
        self.times = []  # (stage, seconds)
        self._lock = threading.Lock()

    def say(self, text):
        with self._lock:
            print(text, flush=True)

    def ok(self, count=1):
        with self._lock:
            self.passed += count

    def fail(self, stage, name, why, log=None):
        with self._lock:
            self.failures.append((stage, name, why))
            print(f"FAIL {stage}/{name}: {why}", flush=True)
            if log and os.path.exists(log):
                print(f"  log: {os.path.relpath(log)}", flush=True)
                for line in tail(log):
                    print(f"  | {line}", flush=True)

    def stage(self, name):
        return _Stage(self, name)

    def finish(self):
        print()
        for name, seconds in self.times:
            print(f"  {name:<12} {seconds:7.1f} s")
        if self.failures:
            print("failed:")
            for stage, name, why in self.failures:
                print(f"  {stage}/{name}: {why[:160]}")
        print(f"{self.passed} passed, {len(self.failures)} failed")
        sys.stdout.flush()
        return 1 if self.failures or not self.passed else 0


class _Stage:
    """Prints what a stage did and how long it took."""

    def __init__(self, report, name):
        self.report, self.name = report, name

    def __enter__(self):
        self.started = time.monotonic()
        self.before = (self.report.passed, len(self.report.failures))
        self.report.say(f"== {self.name}")

    def __exit__(self, kind, error, _trace):
        seconds = time.monotonic() - self.started
        if kind is not None and issubclass(kind, StageFailed):
            self.report.fail(self.name, "stage", str(error), error.log)
            error = None
        self.report.times.append((self.name, seconds))
        passed = self.report.passed - self.before[0]
        failed = len(self.report.failures) - self.before[1]
        self.report.say(f"   {passed} passed, {failed} failed, {seconds:.1f} s")
        return kind is not None and issubclass(kind, StageFailed)


class StageFailed(Exception):
    """The stage as a whole could not run (build broken, servers down)."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


def tail(path, lines=TAIL_LINES):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()[-lines:]
