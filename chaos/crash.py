#!/usr/bin/env python3
"""Kills leat processes (-9) under load, pauses two past their session, then counts that nothing is
lost, doubled or out of order. Servers must be up (./dev up; ./dev crash sees to it).

Usage: crash.py [--commands N] [--seconds S] [--seed S] [--short] [--cut] [--keep] [--name NAME]

Six processes run under their instance ids: three workers with all three processors, two of them
with a relay beside, one relay, two projectors on one file, one of them with HTTP. Prints
'ok'/'FAIL' per invariant, a table, and one JSON line; exit code 1 when anything is wrong, with the
evidence (logs, report) left under build/crash/.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "integration")]

import cluster as processes  # noqa: E402
import load as loads  # noqa: E402
import planted  # noqa: E402
import verify  # noqa: E402
from lib import kafka, leat, servers, wait  # noqa: E402

TOPOLOGY = "tests/e2e/topology/crash.yaml"
DRAIN_SECONDS = 240


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--commands", type=int, default=None, help="default 200000, short 20000")
    p.add_argument("--seconds", type=int, default=None, help="of kills; default 60, short 12")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    p.add_argument("--short", action="store_true", help="the form of ./dev test")
    p.add_argument("--cut", action="store_true",
                   help="end some of the store's connections each second as well")
    p.add_argument("--keep", action="store_true", help="leave topics, tables and logs")
    p.add_argument("--name", default="crash", help="of the topology: schema and topics")
    o = p.parse_args(argv)
    o.commands = o.commands or (20000 if o.short else 200000)
    o.seconds = o.seconds or (12 if o.short else 60)
    o.cut = o.cut or o.short
    return o


def commit():
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=servers.ROOT,
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def say(text):
    print(text, flush=True)


class Run:
    def __init__(self, o):
        self.o = o
        base = os.environ.get("LEAT_TEST_DIR") or os.path.join(servers.ROOT, "build", "crash")
        self.dir = os.path.join(base, f"seed-{o.seed}")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        os.environ["LEAT_TEST_DIR"] = self.dir
        modules = os.path.join(servers.BIN_DIR, "modules", "crash")
        self.home = leat.Home(TOPOLOGY, modules=modules,
                              replace={"name: crash\n": f"name: {o.name}\n"},
                              env={"FOREIGN": loads.foreign(o.name)})
        self.load = loads.Load(o.name, o.commands, o.seed)
        self.cluster = processes.Cluster(self.home, o.seed)
        self.times, self.paused, self.results = {}, None, []

    # ---- the run ----

    def prepare(self):
        self.home.forget(self.o.name)
        wait.until(lambda: not kafka.topics(f"{self.o.name}."), 60, "old topics to be gone")
        kafka.create(loads.foreign(self.o.name), loads.FOREIGN_PARTITIONS)
        self.home.must("apply")

    def trouble(self):
        """Most of the load during the kills, the rest while two processes are paused."""
        started = time.monotonic()
        self.load.start(int(self.o.commands * 0.9), self.o.seconds)
        self.cluster.kill_for(self.o.seconds, self.o.name if self.o.cut else None)
        self.times["kills_s"] = round(time.monotonic() - started, 1)
        self.load.join(240)
        self.times["load_s"] = round(time.monotonic() - started, 1)
        self.load.start(self.o.commands, processes.SESSION_SECONDS)
        self.paused = self.cluster.pause()
        self.load.join(120)
        self.cluster.all_alive()

    def drain(self):
        started = time.monotonic()
        left = ["?"]

        def drained():
            self.cluster.all_alive()
            left[0] = verify.unfinished(self.o.name)
            return left[0] is None

        try:
            wait.until(drained, DRAIN_SECONDS, "everything to be settled", every=0.5)
        except wait.Timeout as e:
            raise AssertionError(f"{e}; left: {left[0]}") from None
        self.times["recovery_s"] = round(time.monotonic() - started, 1)

    def check(self):
        facts = verify.Facts(self.o.name, self.load)
        self.copies_in_topic = verify.copies_in_topic(facts)
        self.events = len(facts.events)
        for name, function in verify.CHECKS:
            self.result(name, function(facts))
        for model, key, fields in (("accounts", "account", ("events", "cents", "last")),
                                   ("kinds", "kind", ("events", "cents"))):
            self.result(f"model_{model}_is_the_fold", self.check_model(facts, model, key, fields))

    def check_model(self, facts, model, key, fields):
        """The projector may still be folding what was published last."""
        wrong = [None]

        def same():
            rows = verify.model_rows(self.cluster.url, model)
            wrong[0] = verify.compare_model(facts, rows, key, fields)
            return wrong[0] is None

        try:
            wait.until(same, 60, model, every=0.5)
        except wait.Timeout as e:
            return f"{wrong[0] or ''} {e}".strip()
        return None

    def result(self, name, wrong):
        self.results.append((name, wrong))
        say(f"ok {name}" if wrong is None else f"FAIL {name}: {wrong}")

    # ---- the report ----

    def report(self):
        kills = sum(self.cluster.kills.values())
        failed = [name for name, wrong in self.results if wrong is not None]
        say(f"\n{'invariant':34} holds")
        for name, wrong in self.results:
            if name.startswith("planted_") and wrong is None:
                continue
            say(f"{name:34} {'yes' if wrong is None else 'NO: ' + wrong}")
        line = {"seed": self.o.seed, "commit": commit(), "commands": self.o.commands,
                "events": getattr(self, "events", None), "kills": kills, "paused": self.paused,
                "killed": self.cluster.kills, "copies_sent": self.load.copies,
                "strays_sent": self.load.strays, "foreign_sent": self.load.foreign,
                "copies_in_topic": getattr(self, "copies_in_topic", None), **self.times,
                "invariants": len(self.results), "failed": failed}
        text = json.dumps({"crash": line})
        with open(os.path.join(self.dir, "report.json"), "w", encoding="utf-8") as f:
            f.write(text + "\n")
        say(text)
        return failed

    def clean(self):
        self.home.forget(self.o.name)
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    o = parse(sys.argv[1:])
    run = Run(o)
    say(f"crash test: seed={o.seed} commit={commit()} commands={o.commands} seconds={o.seconds}")
    for name, wrong in planted.results(loads.Load(o.name, 200, 1)):
        run.result(name, wrong)
    try:
        run.prepare()
        run.cluster.start_all()
        run.trouble()
        run.drain()
        run.check()
        codes = run.cluster.stop()
        bad = {name: code for name, code in codes.items() if code != 0}
        run.result("stops_on_sigterm", str(bad) if bad else None)
    except AssertionError as e:
        run.result("run", " ".join(str(e).split()))
    finally:
        leat.end_all()
    failed = run.report()
    if failed:
        say(f"evidence: {os.path.relpath(run.dir, servers.ROOT)}; again with: "
            f"./dev crash --seed {o.seed} --commands {o.commands} --seconds {o.seconds} --keep")
    elif not o.keep:
        run.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
