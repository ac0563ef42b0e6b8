#!/usr/bin/env python3
"""A projection in C on the real servers: its rows against a fold in Python, events at which it
hangs, crashes or is killed, and its next version beside the one in use."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "rows_e2e"
MODULES = [os.path.join(servers.BIN_DIR, "modules", name) for name in ("rows2", "rows")]
ENDS = ("hang", "segv", "exit")
_system = {}


def home():
    if not _system:
        h = leat.Home("tests/e2e/topology/rows.yaml", modules=MODULES[1],
                      replace={"name: rows\n": f"name: {NAME}\n"})
        h.env["LEAT_ROWS_DEADLINE_S"] = "1"
        h.env["ROWS_TRACE"] = os.path.join(h.dir, "trace")
        h.forget(NAME)
        h.must("apply")
        _system["home"] = h
        _system["process"] = h.start()
    return _system["home"]


def send(*steps):
    """(job, mode) each; waits until all are in the store."""
    had = int(pg.value(f"select count(*) from {NAME}.events"))
    kafka.produce(f"{NAME}.jobs.normal", [
        (job, json.dumps({"job": job, "mode": mode}), {"ce_type": "Do"}) for job, mode in steps])
    wait.equals(lambda: int(pg.value(f"select count(*) from {NAME}.events")), had + len(steps), 60)


def stored():
    """(seq, job, number, mode), out of what is shown of the streams."""
    h = home()
    found = pg.rows(f"select distinct stream from {NAME}.events order by stream")
    for stream in (r["stream"] for r in found):
        for line in h.must("stream", stream, "--json").splitlines():
            e = json.loads(line)
            yield int(e["seq"]), e["data"]["job"], e["data"]["number"], e["data"]["mode"]


def fold():
    rows = {}
    for seq, job, number, mode in stored():
        if mode in ENDS:
            continue
        key = f"{job}/{number}"
        before = sorted(k for k in rows if k.startswith(f"{job}/"))
        there = f"{job}/{number - 1}" in rows
        row = {"key": key, "job": job, "no": number, "mode": mode, "since": seq if there else None,
               "all": [rows[k]["mode"] for k in before]}
        if mode == "forget":
            rows.pop(f"{job}/{number - 1}", None)
        rows[key] = row
    return rows


def listed(*options):
    done = home().cli("list", "steps", "--limit", "1000", "--json", *options)
    return json.loads(done.stdout)["rows"] if done.returncode == 0 else done.stderr


def as_rows(rows):
    return {r["key"]: r for r in rows} if isinstance(rows, list) else rows


@check.test
def its_rows_are_those_of_a_fold_in_python():
    h = home()
    send(*[(f"j{i % 7}", "forget" if i % 13 == 12 else f"m{i % 3}") for i in range(80)])
    wait.equals(lambda: as_rows(listed()), fold(), 60)
    check.contains(h.must("replay", "steps"), "live      equal, row by row")
    modes = [(r["mode"], -r["no"]) for r in listed("--index", "by_mode")]
    check.equal(modes, sorted(modes))


@check.test
def an_event_at_which_it_ends_the_process_thrice_is_skipped():
    h = home()
    for mode in ENDS:
        send(("j1", "m1"), ("stuck", mode), ("stuck", "m2"), ("j1", "m2"))
        wait.equals(lambda: as_rows(listed()), fold(), 120)
    check.contains(_system["process"].log(), "projection-hangs")
    skipped = [s for m in h.must_json("status")["models"] for s in m["skipped"]]
    check.equal([s["type"] for s in skipped], ["Done"] * len(ENDS))
    for one in skipped:
        check.contains(one["reason"], "the process ended 3 times")


@check.test
def one_at_which_it_is_killed_from_outside_is_not():
    send(("j1", "killed"), ("j1", "m3"))
    wait.equals(lambda: as_rows(listed()), fold(), 120)
    check.equal(os.path.getsize(home().env["ROWS_TRACE"]), 5)


@check.test
def its_next_version_is_built_from_the_store_and_switched_to():
    h = home()
    before = h.must_json("model", "list", "steps")
    check.equal(_system["process"].stop(), 0)
    h.env["LEAT_MODULES"] = ":".join(MODULES)
    _system["process"] = h.start()
    want = {f"{job}/{number}": f"second {mode}" for _, job, number, mode in stored()}
    wait.equals(lambda: {k: r["mode"] for k, r in as_rows(listed()).items()}, want, 60)
    send(("j2", "last"))
    wait.until(lambda: any(r["mode"] == "second last" for r in listed()), 60, "the next event")
    assert h.must_json("model", "list", "steps") != before
    check.equal(_system["process"].stop(), 0)


@check.at_end
def clean():
    leat.end_all()
    if _system:
        _system["home"].forget(NAME)


if __name__ == "__main__":
    servers.tool("kafka_tool")
    check.main()
