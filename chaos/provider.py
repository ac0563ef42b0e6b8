#!/usr/bin/env python3
"""The provider of every handler is away for a minute while work comes in: its circuit opens,
nothing is dead-lettered, and the backlog is done in order once it is back.

Usage: provider.py [--seconds S]      default 60

The run and its checks are those of tests/e2e/test_breaker.py, with a longer outage.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", "e2e"), os.path.join(ROOT, "tests", "integration")]
import test_breaker  # noqa: E402

if __name__ == "__main__":
    seconds = 60.0
    if sys.argv[1:2] == ["--seconds"]:
        seconds = float(sys.argv[2])
        del sys.argv[1:3]
    test_breaker.OUTAGE_S = seconds
    test_breaker.NAME = "chaos_provider"
    test_breaker.TOPIC = "chaos_provider.payers.warm"
    test_breaker.check.main()
