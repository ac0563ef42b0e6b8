#!/usr/bin/env python3
"""What messages that wait cost the others (target: at least 0.97 of the rate without them).

Usage: waiting.py [--what key|room] [--commands N] [--pairs N] [--seed S] [--waiting N]

Interleaved pairs on the servers of ./dev up: N commands over 10,000 keys, new ones in each run, lie
in the topic when the worker starts. In every second run
  key   those of one key wait: the first is tried again and again, the others stand behind it;
  room  100,000 other keys wait for an hour.
Rate: commands of the other keys, from the first settled to the last, by the clock of the store.
us: processor time of the worker per command, reading what waits included.
"""

import argparse
import json
import random
import statistics
import sys

import machine
from room import Room

KEYS = 10000


class Bench:
    def __init__(self, o):
        self.o, self.rng, self.runs = o, random.Random(o.seed), 0
        self.room = Room(f"waiting_bench_{o.what}")

    def fill(self, gate):
        """Gives how many of them are for other keys than the one that waits."""
        self.runs += 1
        bad = self.rng.randrange(KEYS) if gate else -1
        self.room.work((f"r{self.runs}k{n % KEYS:05d}", n,
                        f"gate:{gate}" if n % KEYS == bad else "")
                       for n in range(self.o.commands))
        return self.o.commands - len(range(bad, self.o.commands, KEYS) if gate else ())

    def run(self, loaded):
        """Commands of other keys a second, and processor time per command in us."""
        room, gate = self.room, f"gate-{self.runs}" if loaded and self.o.what == "key" else None
        room.sql("truncate @command_log; truncate @waiting")  # what is counted is of this run alone
        others = self.fill(gate)
        if loaded and self.o.what == "room":
            room.put_waiting(self.o.waiting)
        room.settle()
        worker = room.start()
        room.await_accepted(others)
        seconds = float(room.value(
            "select extract(epoch from max(finished_at) - min(finished_at)) from @command_log"))
        cpu_us = machine.tree_cpu_s(worker.pid) / others * 1e6
        waiting = room.value("select count(*) from @waiting")
        expected = self.o.waiting if loaded and gate is None else self.o.commands - others
        assert waiting == expected, f"{waiting} wait, not {expected}"
        if gate:
            room.open(gate)
            room.await_accepted(self.o.commands)
        worker.stop()
        return others / seconds, cpu_us

    def pairs(self):
        self.run(False)  # what is slow the first time
        found = []
        for n in range(self.o.pairs):
            order = [False, True] if n % 2 == 0 else [True, False]
            found.append({loaded: self.run(loaded) for loaded in order})
            print(f"pair {n}: " + ", ".join(
                "{:.0f}/s {:.1f} us {}".format(*found[-1][loaded], "with" if loaded else "without")
                for loaded in (False, True)), flush=True, file=sys.stderr)
        self.room.forget()
        return found


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--what", choices=("key", "room"), default="key")
    p.add_argument("--commands", type=int, default=200000)
    p.add_argument("--waiting", type=int, default=100000, help="keys that wait, with --what room")
    p.add_argument("--pairs", type=int, default=7)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    found = Bench(o).pairs()
    shares = sorted(pair[True][0] / pair[False][0] for pair in found)
    sides = {name: [pair[loaded] for pair in found] for name, loaded in (("without", False),
                                                                         ("with", True))}
    print(json.dumps({f"waiting_{o.what}": {
        "commands": o.commands, "pairs": o.pairs, "seed": o.seed,
        **{name: round(statistics.median(x[0] for x in side)) for name, side in sides.items()},
        **{f"{name}_us": round(statistics.median(x[1] for x in side), 2)
           for name, side in sides.items()},
        "share": round(statistics.median(shares), 3), "lowest": round(shares[0], 3),
        "highest": round(shares[-1], 3), "target": 0.97}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
