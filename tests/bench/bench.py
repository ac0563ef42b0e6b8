#!/usr/bin/env python3
"""Throughput against the hand-written floor, latency at a steady rate, memory.

Pairs of runs are interleaved: the floor, then leat, leat, then the floor … on the same servers,
each on topics, tables and folders of its own, with a checkpoint before each. The clock of leat runs
from the first record an executor took to the moment the read model has the last event, so the
group join is on neither side. Every run is counted by SQL afterwards. The last line on stdout is
one JSON object; everything else goes to stderr. docs/benchmarks.md says how to read it.
"""

import argparse
import fcntl
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import floor as floors  # noqa: E402
import machine  # noqa: E402
from lib import servers  # noqa: E402
from subject import KEYS, Subject  # noqa: E402

BATCH = 2000


def say(text):
    print(text, file=sys.stderr, flush=True)


def options():
    p = argparse.ArgumentParser(description=__doc__, prog="./dev bench",
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=5, help="interleaved pairs (default 5)")
    p.add_argument("--commands", type=int, default=300000, help="per run (default 300000)")
    p.add_argument("--quick", action="store_true", help="1 pair of 60000, 8 s of latency")
    p.add_argument("--shape", choices=["one", "three"], default="one",
                   help="three: three processors writing the same streams")
    p.add_argument("--only", choices=["throughput", "latency"], help="one part alone")
    p.add_argument("--no-floor", action="store_true", help="leat alone: no ratio")
    p.add_argument("--against", metavar="LEAT",
                   help="another build's bin/leat in the place of the floor: is this one slower?")
    p.add_argument("--no-warmup", action="store_true", help="no unmeasured pair before")
    p.add_argument("--rate", type=int, default=1000, help="commands/s of the latency run")
    p.add_argument("--seconds", type=int, default=30, help="of the latency run")
    p.add_argument("--settle", type=int, default=30,
                   help="seconds at that rate before it is measured: a broker's virtual machine "
                   "compiles while it first handles many small requests (default 30)")
    p.add_argument("--keep", action="store_true", help="leave leat's schema, topics and folders")
    o = p.parse_args()
    if o.against and not os.access(o.against, os.X_OK):
        p.error(f"--against {o.against}: no such program")
    if o.quick:
        o.pairs, o.commands, o.seconds, o.settle = 1, min(o.commands, 60000), 8, 10
    return o


class Bench:
    def __init__(self, o):
        self.o = o
        self.folder = os.path.join(servers.ROOT, "build", "bench")
        self.prefix = f"bench{os.getpid()}"
        self.runs = 0
        self.floor = None if o.only == "latency" else floors.Floor(self.folder)
        self.meter = floors.Meter()

    def next_name(self):
        self.runs += 1
        return f"{self.prefix}x{self.runs}"

    # ---- one run of each side ----

    def run_floor(self, commands):
        return self.floor.run(self.next_name(), commands, BATCH, self.meter)

    def run_before(self, commands):
        return self.run_leat(commands, self.o.against)

    def run_leat(self, commands, binary=servers.BIN):
        s = Subject(self.next_name(), self.o.shape, self.folder, binary)
        try:
            s.apply()
            each = commands // len(s.processors)
            for topic in s.topics():
                self.floor.topic("produce", topic, each)
            self.meter.settle()
            return self.measure(s, each * len(s.processors))
        finally:
            s.remove(self.o.keep)

    def measure(self, s, commands):
        peak = [0.0]

        def sample():
            peak[0] = max(peak[0], machine.rss_anon_mb(s.popen.pid))

        before = self.meter.servers_cpu_s()
        s.start()
        ended_s = s.await_projected(commands, 300, sample)
        after = self.meter.servers_cpu_s()
        own_s = machine.tree_cpu_s(s.popen.pid)
        threads = machine.thread_cpu_s(s.popen.pid)
        sample()
        first_s = s.first_record_s()
        found = s.metrics.read()
        rows = s.check_rows()
        if rows != min(KEYS, commands):
            sys.exit(f"bench: {rows} rows in the read model, expected {min(KEYS, commands)}")
        rss = machine.rss_anon_mb(s.popen.pid)
        s.stop()
        foreign = s.check_store(commands)
        batches = found.get("leat_batches_total", 0) or float("nan")
        return {
            "rate_per_s": commands / (ended_s - first_s),
            "cpu_us": own_s / commands * 1e6,
            "write_trips_per_batch": found.get("leat_store_write_trips_total", 0) / batches,
            "read_trips_per_batch": found.get("leat_store_read_trips_total", 0) / batches,
            "commands_per_batch": commands / batches,
            "conflicts": found.get("leat_conflicts_total", 0),
            "foreign_partition": foreign + found.get("leat_forwarded_total", 0),
            "rss_mb": rss, "rss_peak_mb": max(peak[0], rss),
            "start_to_first_ms": (first_s - s.started_s) * 1e3,
            "stages": {"own": own_s / commands * 1e6,
                       **{k: (after[k] - before[k]) / commands * 1e6 for k in after}},
            "threads": {k: v / commands * 1e6 for k, v in threads.items()},
        }

    # ---- the two parts ----

    def sides(self):
        if self.o.against:
            return [self.run_before, self.run_leat]
        return [self.run_leat] if self.o.no_floor else [self.run_floor, self.run_leat]

    def throughput(self):
        o = self.o
        if not o.no_warmup:
            say("bench: warming up the servers, not measured")
            for side in self.sides():
                side(min(o.commands, 60000))
        pairs = []
        for i in range(o.pairs):
            sides = self.sides() if i % 2 == 0 else self.sides()[::-1]
            pair = {side.__name__.removeprefix("run_"): side(o.commands) for side in sides}
            pairs.append(pair)
            self.say_pair(i, pair)
        return self.figures(pairs)

    def say_pair(self, i, pair):
        leat, floor = pair["leat"], pair.get("floor") or pair.get("before")
        text = f"pair {i + 1}: leat {leat['rate_per_s']:,.0f}/s {leat['cpu_us']:.1f} us"
        if floor:
            text += (f", {'floor' if 'floor' in pair else 'before'} "
                     f"{floor['rate_per_s']:,.0f}/s, ratio "
                     f"{leat['rate_per_s'] / floor['rate_per_s']:.3f}")
        say(text + f", {leat['commands_per_batch']:.0f} a batch, rss {leat['rss_mb']:.0f} MB, "
            f"load {os.getloadavg()[0]:.1f}")
        for side, run in pair.items():
            say(f"  {side} us of processor per command: "
                + ", ".join(f"{k} {v:.1f}" for k, v in run["stages"].items()))
        names = sorted(leat["threads"].items(), key=lambda kv: -kv[1])
        say("  leat's threads: " + ", ".join(f"{k} {v:.1f}" for k, v in names if v >= 0.1))

    def figures(self, pairs):
        def median(of):
            return statistics.median(of(p["leat"]) for p in pairs)

        def ratios_to(other, figure="rate_per_s"):
            return [p["leat"][figure] / p[other][figure] for p in pairs if other in p]

        ratios, before = ratios_to("floor"), ratios_to("before")
        found = {"pairs": len(pairs), "commands": self.o.commands, "shape": self.o.shape}
        if before:
            found |= {"before_ratio": round(statistics.median(before), 3),
                      "before_lower_quartile": round(
                          sorted(before)[(len(before) - 1) // 4], 3),
                      "spread": [round(min(before), 3), round(max(before), 3)],
                      "before_cpu_ratio": round(statistics.median(
                          ratios_to("before", "cpu_us")), 3)}
        if ratios:
            found |= {"floor_ratio": round(statistics.median(ratios), 3),
                      "spread": [round(min(ratios), 3), round(max(ratios), 3)],
                      "floor_per_s": round(statistics.median(
                          p["floor"]["rate_per_s"] for p in pairs))}
        return found | {
            "commands_per_s": round(median(lambda r: r["rate_per_s"])),
            "cpu_us_per_command": round(median(lambda r: r["cpu_us"]), 2),
            "commands_per_batch": round(median(lambda r: r["commands_per_batch"])),
            "write_trips_per_batch": round(median(lambda r: r["write_trips_per_batch"]), 3),
            "read_trips_per_batch": round(median(lambda r: r["read_trips_per_batch"]), 3),
            "conflicts": round(median(lambda r: r["conflicts"])),
            "foreign_partition": int(max(p["leat"]["foreign_partition"] for p in pairs)),
            "rss_mb": round(max(p["leat"]["rss_mb"] for p in pairs), 1),
            "rss_peak_mb": round(max(p["leat"]["rss_peak_mb"] for p in pairs), 1),
            "start_to_first_ms": round(median(lambda r: r["start_to_first_ms"])),
            "stages_us": {k: round(median(lambda r, k=k: r["stages"].get(k, 0)), 2)
                          for k in pairs[0]["leat"]["stages"]},
        }

    def latency(self):
        o = self.o
        say(f"bench: latency at {o.rate}/s for {o.seconds} s")
        s = Subject(self.next_name(), "one", self.folder)
        try:
            s.apply()
            self.meter.settle()
            s.start()
            before, began = self.meter.servers_cpu_s(), time.monotonic()
            done = subprocess.run(
                [servers.tool("bench_latency"), "--broker", servers.KAFKA, "--topic",
                 s.topics()[0], "--http", f"127.0.0.1:{s.port}", "--rate", str(o.rate),
                 "--seconds", str(o.seconds), "--warmup", str(o.settle)],
                capture_output=True, text=True, timeout=o.seconds + o.settle + 120, check=False)
            sys.stderr.write(done.stderr[-2000:])
            if not done.stdout:
                sys.exit(f"bench: the latency run failed:\n{s.tail()}")
            found = json.loads(done.stdout.splitlines()[-1])
            took_s = time.monotonic() - began
            busy = {"own": machine.tree_cpu_s(s.popen.pid)} | {
                k: v - before[k] for k, v in self.meter.servers_cpu_s().items()}
            say(f"  {found}")
            say("  share of one processor: " + ", ".join(
                f"{k} {100 * v / took_s:.0f} %" for k, v in busy.items()))
            return {k: found[k] for k in ("p50_ms", "p90_ms", "p99_ms", "max_ms", "missed")}
        finally:
            s.remove(o.keep)


def alone():
    """Two benchmarks at once would measure each other. Held until the process ends."""
    folder = os.path.join(servers.ROOT, "build", "bench")
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, "lock"), "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("bench: another benchmark runs in this tree; two would measure each other")
    return lock


def commit():
    done = subprocess.run(["git", "-C", servers.ROOT, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main():
    o = options()
    lock = alone()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended too
    facts = {"bench": "leat", "commit": commit(), **machine.describe()}
    say(f"bench: {facts['cores']} cores of {facts['cpu']}, load {facts['load_1m']}")
    began = time.monotonic()
    try:
        bench = Bench(o)
    except floors.Absent as absent:
        sys.exit(str(absent))
    try:
        if o.only != "latency":
            facts |= bench.throughput()
        if o.only != "throughput":
            facts |= bench.latency()
    finally:
        if bench.floor:
            bench.floor.close()
    lock.close()
    say(f"bench: took {time.monotonic() - began:.0f} s")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
