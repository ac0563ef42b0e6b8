#!/usr/bin/env python3
"""10,000 dead letters: listed with a histogram (target: 1 s), redriven (target: 5,000/s).

Usage: dead.py [--letters N] [--runs N]

On the servers of ./dev up: N commands of as many keys are answered retry until they are dead; then
what they lack is there, they are listed, and redriven while the worker runs that handles them. The
rate of redriving is that of the verb, its start not counted; `settled` is when all had been done.
"""

import argparse
import json
import statistics
import sys
import time

from room import Room

from lib import wait  # noqa: E402 - room.py has added the path


def run(room, number, letters):
    gate = f"gate{number}"
    room.sql("truncate @command_log; truncate @dead_letters; truncate @waiting")
    room.work((f"r{number}k{i}", i, f"gate:{gate}") for i in range(letters))
    wait.until(lambda: room.value("select count(*) from @dead_letters") == letters, 120,
               "all to be dead")
    room.open(gate)
    room.settle()
    started = time.monotonic()
    found = room.home.must_json("dlq", "list", "--limit", "10000")
    listed = time.monotonic() - started
    assert found["total"] == letters and len(found["rows"]) == min(letters, 10000), found["total"]
    started = time.monotonic()
    told = room.home.must_json("dlq", "redrive", "--all")
    room.await_accepted(letters)
    assert told["redriven"] == letters, told
    return {"list_s": listed, "redrive_per_s": letters / told["took_ms"] * 1000,
            "settled_s": time.monotonic() - started}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--letters", type=int, default=10000)
    p.add_argument("--runs", type=int, default=5)
    o = p.parse_args()
    room = Room("dead_bench", replace={
        "    concurrency: 1\n": "    concurrency: 1\n    retry: {delays: [1ms]}\n"})
    worker = room.start()
    runs = [run(room, n, o.letters) for n in range(o.runs)]
    worker.stop()
    room.forget()
    print(json.dumps({"dead": {
        "letters": o.letters, "runs": o.runs, "target": {"list_s": 1, "redrive_per_s": 5000},
        **{name: [round(f(r[name] for r in runs), 2) for f in (min, statistics.median, max)]
           for name in runs[0]}}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
