#!/usr/bin/env python3
"""`concurrency: 8`: slow handlers of different keys run at once, those of one key in order.

# sanitizers: tsan
"""

import json
import os
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "slow_e2e"
COLD = f"{NAME}.walkers.warm"
WALKS, STEPS, STEP_S = 48, 5, 0.02

_system = {}


def system():
    if not _system:
        h = leat.Home("tests/e2e/topology/slow.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "slow"),
            replace={"name: slow\n": f"name: {NAME}\n"})
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        _system.update(process=h.start("--listen", url[7:], "--instance", "one"))
        wait.until(lambda: api.get(url + "/readyz").status == 200, 30, "leat to be ready")


def send(*steps):
    """(walk, number, mode) each."""
    kafka.produce(COLD, [(str(w), json.dumps({"walk": str(w), "number": n, "mode": mode}),
                          {"ce_type": "Step", "ce_id": str(uuid.uuid4())}) for w, n, mode in steps])


def settled():
    return pg.value(f"select count(*) from {NAME}.commands where processor = 'walkers' "
                    "and outcome <> 'waiting'")


def events(kind):
    """walk -> its events of a type, in order."""
    found = {}
    for r in pg.rows(f"select stream, convert_from(payload, 'UTF8') as body from {NAME}.events "
                     f"where type = '{kind}' order by stream, version"):
        found.setdefault(r["stream"].split("-")[1], []).append(json.loads(r["body"]))
    return found


@check.test
def slow_handlers_of_different_keys_run_at_once_and_of_one_key_in_order():
    system()
    started = time.monotonic()
    send(*[(w, n, "") for n in range(1, STEPS + 1) for w in range(WALKS)])
    wait.equals(settled, WALKS * STEPS)
    took = time.monotonic() - started
    one_by_one = WALKS * STEPS * STEP_S
    assert took < one_by_one / 2, f"{took:.1f} s, one by one it is {one_by_one:.1f} s at least"
    check.equal(pg.value(f"select count(*) from {NAME}.commands where outcome <> 'accepted'"), 0)
    walks = events("Stepped")
    check.equal(len(walks), WALKS)
    for steps in walks.values():
        check.equal([s["number"] for s in steps], list(range(1, STEPS + 1)))
    running = [s["running"] for steps in walks.values() for s in steps]
    assert min(running) >= 1, "two handlers of one key at once"
    assert 4 <= max(running) <= 8, max(running)


@check.test
def a_policy_keeps_the_order_of_its_keys_as_well():
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.events where type = 'Noted'"),
                WALKS * STEPS)
    notes = events("Noted")
    for steps in notes.values():
        check.equal([s["number"] for s in steps], list(range(1, STEPS + 1)))
    running = [s["running"] for steps in notes.values() for s in steps]
    assert min(running) >= 1, "two handlers of one key at once"
    assert max(running) >= 2, max(running)


@check.test
def a_record_that_waits_lets_no_other_of_its_key_decide_before_it():
    """Every fourth walk answers retry: what stood behind it waits with it, in order."""
    before = settled()
    send(*[(w, STEPS + n, "retry" if w % 4 == 0 and n == 1 else "")
           for n in range(1, 4) for w in range(16)])
    wait.equals(settled, before + 16 * 3)
    check.equal(pg.value(f"select count(*) from {NAME}.commands where outcome <> 'accepted'"), 0)
    for walk, steps in events("Stepped").items():
        check.equal([s["number"] for s in steps],
                    list(range(1, STEPS + (4 if int(walk) < 16 else 1))))


@check.at_end
def forget():
    if _system:
        _system["process"].stop()
        leat.Home("tests/e2e/topology/slow.yaml").forget(NAME)


if __name__ == "__main__":
    check.main()
