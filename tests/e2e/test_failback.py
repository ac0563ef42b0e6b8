#!/usr/bin/env python3
"""A store that is put back from a backup, on the same server, while the events topic has what came
after: it is adopted, and everybody who reads events goes on with those of the store alone."""

import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "leat_failback"
WORK = f"{NAME}.jobs.cold"


def make():
    home = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "room"), replace={
            "name: room\n": f"name: {NAME}\n"})
    home.forget(NAME)
    home.must("apply")
    return home


def send(keys):
    kafka.produce(WORK, [(key, json.dumps({"job": key, "number": 1, "how": ""}),
                          {"ce_type": "Work", "ce_id": str(uuid.uuid4())}) for key in keys])


def done():
    """Ids of the events the policy reads, and of those it has handled."""
    events = pg.rows(f"select event_id as id from {NAME}.events where type = 'Done'")
    handled = pg.rows(f"select id from {NAME}.commands where processor = 'watchers'")
    return sorted(r["id"] for r in events), sorted(r["id"] for r in handled)


def settled(n):
    events, handled = done()
    published = pg.value(f"select sum(seq) from {NAME}.published")
    return len(events) == n and handled == events and published == n


def filled(home, keys, n, name):
    process = home.start(name=name)
    send(keys)
    wait.until(lambda: settled(n), 90, f"{n} events to be published and handled; {process.tail()}")
    check.equal(process.stop(), 0, process.tail())


def put_back(home, backup):
    pg.drop_schema(NAME)
    subprocess.run(["pg_restore", "-d", servers.STORE_URL, backup], check=True, cwd=home.dir)


@check.test
def policies_pass_over_what_a_backup_has_not():
    home = make()
    filled(home, [f"old-{i}" for i in range(20)], 20, "first")
    subprocess.run(["pg_dump", "-n", NAME, "-Fc", "-f", "backup", "-d", servers.STORE_URL],
                   check=True, cwd=home.dir)
    kept = set(done()[0])
    filled(home, [f"new-{i}" for i in range(40)], 60, "second")
    lost = set(done()[0]) - kept
    put_back(home, "backup")

    told = home.must_json("store", "adopt")
    check.equal((told["changed"], told["adopted"]), (False, True))
    check.equal({e["event"] for e in told["lost"]}, lost)
    check.equal(len(told["commands"]), 40)

    # Other events take the places of those that were lost, so that one that is void shows.
    body = json.dumps({"job": "x", "number": 1, "note": ""}).encode().hex()
    for i in range(40):
        pg.execute(f"select * from {NAME}.append_events('job-x{i}', 0, gen_random_uuid(),"
                   f" '{{Done}}', array['\\x{body}'::bytea], '{{1}}')")
    process = home.start(name="third")
    wait.until(lambda: settled(100), 90, "all that was lost to be done anew, and all handled once")
    check.equal(lost - set(done()[0]), set())
    check.equal(process.said("slice-stopped"), [])
    check.equal(process.stop(), 0, process.tail())


if __name__ == "__main__":
    check.main()
