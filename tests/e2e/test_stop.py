#!/usr/bin/env python3
"""SIGTERM ends a process in time, also when what it reads was deleted under it."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "stop_e2e"
GRACE_S = 6  # --stop-timeout, and what `leat run` adds


@check.test
def it_ends_though_its_topics_and_its_store_are_gone():
    rules = os.path.join(servers.ROOT, "rules", "score.yaml")
    schemas = os.path.join(servers.ROOT, "schemas")
    home = leat.Home("topology/leads.yaml", env={"LEADS_RULES": rules},
                     replace={"name: leads\n": f"name: {NAME}\n", "[../schemas]": f"[{schemas}]"})
    home.forget(NAME)
    home.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = home.start("--listen", url[7:], "--instance", "one", "--stop-timeout", "1s")
    wait.until(lambda: api.get(url + "/readyz").status == 200, 30, "leat to be ready")
    pg.drop_schema(NAME)
    kafka.delete(*kafka.topics(f"{NAME}."))
    process.await_log("topic does not exist", 30)
    began_s = time.monotonic()
    code = process.stop(60)
    took_s = time.monotonic() - began_s
    print(f"  {code} after {took_s:.1f} s", file=sys.stderr)
    # Either it comes to its end by itself, or it is ended and says so; never does it go on.
    assert code == 0 or "did not stop in time" in process.log(), (code, process.tail())
    assert code == 0 or took_s >= GRACE_S - 1, took_s


if __name__ == "__main__":
    check.main()
