#!/usr/bin/env python3
"""Workers join and leave, and are upgraded one by one, under a steady load: each command is settled
once, in order. How long lanes were idle is told, not asserted."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "integration"), os.path.join(ROOT, "chaos")]
from lib import check, leat  # noqa: E402
import membership  # noqa: E402

NAME = "membership_e2e"
_run = {}


@check.test
def workers_come_and_go_and_each_command_is_settled_once_in_order():
    m = membership.Membership(NAME, 5, 10, 1)
    _run["home"] = m.home
    checks, figures = m.run()
    print("  " + json.dumps(figures), file=sys.stderr)
    check.equal([(name, wrong) for name, wrong in checks if wrong is not None], [])
    check.equal(m.fleet.stop(), {})


@check.at_end
def forget():
    leat.end_all()
    if _run:
        _run["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
