#!/usr/bin/env python3
"""How long a worker takes that acquires 12 partitions in which 100,000 keys wait (target: 2 s).

Usage: waiting_load.py [--waiting N] [--runs N]

On the servers of ./dev up, with one executor: from the line `acquired` of its log, written when the
partitions are claimed, until the first record of each partition is settled. A partition handles
nothing before what waits in it is known, so in the last of them all rows have been read. Runs with
and without rows take turns.
"""

import argparse
import datetime
import json
import statistics
import sys

import machine
from room import PARTITIONS, Room


def one_key_each(run):
    """A key of each partition."""
    found, n = {}, 0
    while len(found) < PARTITIONS:
        key = f"r{run}n{n}"
        found.setdefault(machine.partition_of(key, PARTITIONS), key)
        n += 1
    return found.values()


def load_ms(room, run, waiting):
    """Until the first partition and until the last one handled its record."""
    room.sql("truncate @command_log; truncate @waiting")
    if waiting:
        room.put_waiting(waiting)
    room.work((key, 1, "") for key in one_key_each(run))
    room.settle()
    worker = room.start()
    room.await_accepted(PARTITIONS)
    done = room.rows("select floor(extract(epoch from min(finished_at)) * 1000) as first, "
                     "floor(extract(epoch from max(finished_at)) * 1000) as last from @command_log")
    acquired = worker.said("acquired")[-1]["time"]
    worker.stop()
    at_ms = datetime.datetime.fromisoformat(acquired.replace("Z", "+00:00")).timestamp() * 1000
    return tuple(float(done[0][which]) - at_ms for which in ("first", "last"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--waiting", type=int, default=100000)
    p.add_argument("--runs", type=int, default=5)
    o = p.parse_args()
    room = Room("waiting_load")
    found = {0: [], o.waiting: []}
    for run in range(o.runs):
        for waiting in found:
            found[waiting].append(load_ms(room, (run, waiting), waiting))
    room.forget()
    print(json.dumps({"waiting_load": {
        "rows": o.waiting, "runs": o.runs, "target_ms": 2000,
        **{f"{name}_{which}_ms": round(statistics.median(x[i] for x in found[waiting]))
           for name, waiting in (("none", 0), ("with", o.waiting))
           for i, which in enumerate(("first", "last"))},
        "worst_ms": round(max(x[1] for x in found[o.waiting]))}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
