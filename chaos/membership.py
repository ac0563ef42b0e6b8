#!/usr/bin/env python3
"""Workers join and leave under a steady load: 1 -> 4 -> 1, then a rolling upgrade of three of them.

Usage: membership.py [--short] [--rate N] [--seed S] [--name NAME] [--keep]

Every lane (processor and partition) gets commands at the same pace; how long each was idle during
a change is read from the store's finished_at. Servers must be up (./dev up). Prints ok/FAIL for
each invariant and one JSON line with the distribution of idle times in ms; times are told, never
asserted.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "integration")]

import load as loads  # noqa: E402
import verify  # noqa: E402
from fleet import Fleet  # noqa: E402
from lib import kafka, leat, pg, servers, wait  # noqa: E402
from steady import Steady, in_order, in_topics  # noqa: E402
from timeline import Timeline, spread  # noqa: E402
from trial import TOPOLOGY, pause  # noqa: E402

ROLES = {"r1": "relay,projector,http", "w1": "worker", "w2": "worker", "w3": "worker",
         "w4": "worker"}


class Membership:
    def __init__(self, name, seed, per_lane, settle_s):
        os.environ.setdefault("LEAT_TEST_DIR", tempfile.mkdtemp(prefix="leat-membership-"))
        self.name, self.settle_s = name, settle_s
        self.home = leat.Home(
            TOPOLOGY, modules=os.path.join(servers.BIN_DIR, "modules", "crash"),
            replace={"name: crash\n": f"name: {name}\n"}, env={"FOREIGN": loads.foreign(name)})
        self.fleet = Fleet(self.home, ROLES)
        self.load = Steady(name, seed, per_lane)
        self.changes, self.left = [], []

    def prepare(self):
        self.home.forget(self.name)
        kafka.create(loads.foreign(self.name), loads.FOREIGN_PARTITIONS)
        self.home.must("apply")
        wait.until(lambda: [kafka.offsets(t) for t in kafka.topics(f"{self.name}.")], 60,
                   "all partitions to have a leader")

    def flowing(self):
        sent = len(self.load.commands) - 24 * self.load.per_lane
        return 0 < sent < pg.value(f'select count(*) from "{self.name}".commands')

    def change(self, kind, what):
        """`what` happens; all that comes of it within settle_s belongs to it."""
        started = time.time()
        what()
        pause(self.settle_s)
        self.changes.append((kind, started, time.time()))

    def leave(self, name):
        code, seconds = self.fleet.terminate(name)
        assert code == 0, f"{name} ended with {code}: {self.fleet.log(name)[-300:]}"
        self.left.append(seconds)

    def upgrade(self, names):
        """One after the other: it is told to stop, ends, is started, and is a member again."""
        for name in names:
            before = self.fleet.log(name).count('"event":"acquired"')
            self.leave(name)
            self.fleet.start(name)
            wait.until(lambda: self.fleet.log(name).count('"event":"acquired"') >= before + 3, 30,
                       f"{name} to own partitions again")

    def run(self):
        self.prepare()
        self.fleet.start("r1")
        self.fleet.start("w1")
        self.load.start()
        wait.until(self.flowing, 60, "the load to flow")
        pause(self.settle_s)
        quiet = (time.time() - self.settle_s, time.time())
        for name in ("w2", "w3", "w4"):
            self.change("join", lambda: self.fleet.start(name))
        self.change("upgrade", lambda: self.upgrade(("w1", "w2", "w3", "w4")))
        for name in ("w4", "w3", "w2"):
            self.change("leave", lambda: self.leave(name))
        self.fleet.all_alive()
        self.load.stop()
        wait.until(lambda: verify.unfinished(self.name) is None, 120, "all to be settled", 0.3)
        return self.report(quiet)

    def report(self, quiet):
        line = Timeline(self.name, self.load)
        idle = {}
        for kind, start, end in [("none", *quiet), *self.changes]:
            idle.setdefault(kind, []).extend(line.idle(start, end).values())
        facts = verify.Facts(self.name, self.load)
        checks = [(name, check(facts)) for name, check in
                  [*verify.CHECKS, ("in_order_per_key", in_order),
                   ("sent_are_in_the_topics", in_topics)]]
        figures = {"commands": len(self.load.commands), "per_lane_a_second": self.load.per_lane,
                   "idle_ms": {kind: spread(values) for kind, values in idle.items()},
                   "stopped_in_ms": spread(self.left)}
        return checks, figures

    def end(self):
        leat.end_all()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--short", action="store_true")
    p.add_argument("--rate", type=int, default=20)
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    p.add_argument("--name", default="membership")
    p.add_argument("--keep", action="store_true")
    o = p.parse_args()
    m = Membership(o.name, o.seed, o.rate, 1 if o.short else 4)
    try:
        checks, figures = m.run()
        bad = m.fleet.stop()
        checks.append(("stops_on_sigterm", str(bad) if bad else None))
    except AssertionError as e:
        checks, figures = [("run", " ".join(str(e).split()))], {}
    finally:
        m.end()
    for name, wrong in checks:
        print(f"ok {name}" if wrong is None else f"FAIL {name}: {wrong}")
    failed = [name for name, wrong in checks if wrong is not None]
    print(json.dumps({"membership": {"seed": o.seed, **figures, "failed": failed}}), flush=True)
    if not o.keep and not failed:
        m.home.forget(o.name)
    elif failed or o.keep:
        print(f"evidence: {m.home.dir}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
