#!/usr/bin/env python3
"""One key in 10,000 waits for its retry: what that costs the others (target: at least 0.97 of the
rate without it).

Usage: waiting.py [--commands N] [--pairs N] [--seed S]

Interleaved pairs on the servers of ./dev up: N commands over 10,000 keys lie in the topic when the
worker starts; in every second run those of one key wait, the first for its next try and the others
behind it. Rate: commands of the other keys, from the first settled to the last, by the clock of
the store.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from lib import kafka, leat, pg, servers, wait  # noqa: E402

NAME = "waiting_bench"
KEYS = 10000


class Bench:
    def __init__(self, o):
        os.environ.setdefault("LEAT_TEST_DIR", tempfile.mkdtemp(prefix="leat-waiting-"))
        self.o, self.rng = o, random.Random(o.seed)
        self.home = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
            servers.BIN_DIR, "modules", "room"), replace={"name: room\n": f"name: {NAME}\n"})
        self.home.env["GATES"] = self.home.dir

    def settled(self):
        return pg.value(f"select count(*) from {NAME}.commands where outcome = 'accepted'")

    def fill(self, gate):
        """Gives how many of them are for other keys than the one that waits."""
        bad, others, records = self.rng.randrange(KEYS), 0, []
        for n in range(self.o.commands):
            key = n % KEYS
            wait_here = gate is not None and key == bad
            others += not wait_here
            body = {"job": f"k{key:05d}", "number": n, "how": f"gate:{gate}" if wait_here else ""}
            records.append((body["job"], json.dumps(body), {"ce_type": "Work"}))
        kafka.produce(f"{NAME}.jobs.cold", records)
        return others

    def run(self, gate):
        """Commands of other keys a second."""
        pg.execute(f"truncate {NAME}.command_log")  # what is counted is of this run alone
        others = self.fill(gate)
        worker = self.home.start("--role", "worker", "--processors", "jobs", "--instance", "one")
        wait.until(lambda: self.settled() >= others, 120, f"{others} to be settled", every=0.3)
        seconds = float(pg.value("select extract(epoch from max(finished_at) - min(finished_at)) "
                                 f"from {NAME}.commands where outcome = 'accepted'"))
        if gate is not None:
            waiting = pg.value(f"select count(*) from {NAME}.waiting")
            assert waiting == self.o.commands - others, f"{waiting} wait"
            with open(os.path.join(self.home.dir, gate), "w", encoding="ascii"):
                pass
        wait.until(lambda: self.settled() == self.o.commands, 60, "the key to be done")
        worker.stop()
        return others / seconds

    def pairs(self):
        self.home.forget(NAME)
        self.home.must("apply")
        self.run(None)  # what is slow the first time
        found = []
        for n in range(self.o.pairs):
            gates = [None, f"gate-{n}"]
            if n % 2:
                gates.reverse()
            rates = {gate: self.run(gate) for gate in gates}
            found.append((rates[None], rates[f"gate-{n}"]))
            print(f"pair {n}: {found[-1][0]:.0f}/s without, {found[-1][1]:.0f}/s with", flush=True)
        self.home.forget(NAME)
        return found


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--commands", type=int, default=30000)
    p.add_argument("--pairs", type=int, default=7)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    found = Bench(o).pairs()
    shares = sorted(with_it / without for without, with_it in found)
    print(json.dumps({"waiting": {
        "commands": o.commands, "pairs": o.pairs, "seed": o.seed,
        "without": round(statistics.median(a for a, _ in found)),
        "with": round(statistics.median(b for _, b in found)),
        "share": round(statistics.median(shares), 3), "lowest": round(shares[0], 3),
        "highest": round(shares[-1], 3), "target": 0.97}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
