#!/usr/bin/env python3
"""Where the processor time of one throughput run goes, by perf (Debian: linux-perf), as root or
with kernel.perf_event_paranoid <= 0: shares per stage, then the functions that cost most in each.

usage: python3 tests/bench/profile.py [--commands N] [--shape one|three] [--top N]
KAFKA, STORE_URL and LEAT_BIN as for ./dev bench (`. build/servers/env`).
"""

import argparse
import collections
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import floor as floors  # noqa: E402
import machine  # noqa: E402
from lib import pg, servers  # noqa: E402
from subject import Subject  # noqa: E402

LINE = re.compile(r"^\s*(.+?)\s+(\d+)\s+[0-9a-f]+ (.+) \((.*)\)$")


class Recording:
    """perf over all processors, from the beginning of `with` to its end."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        orders, send = os.pipe()
        heard, answers = os.pipe()
        self.popen = subprocess.Popen(
            ["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "997", "-o", self.path,
             "-D", "-1", f"--control=fd:{orders},{answers}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(orders, answers))
        os.write(send, b"enable\n")
        os.read(heard, 16)  # it records from here on
        self.pipes = (orders, send, heard, answers)
        return self

    def __exit__(self, *why):
        self.popen.send_signal(signal.SIGINT)
        self.popen.wait()
        for fd in self.pipes:
            os.close(fd)

    def samples(self):
        """(thread name, pid, symbol, file) of every sample."""
        out = subprocess.run(["perf", "script", "-i", self.path, "-F", "comm,pid,ip,sym,dso"],
                             capture_output=True, text=True, errors="replace", check=True).stdout
        for line in out.splitlines():
            found = LINE.match(line)
            if found:
                comm, pid, symbol, dso = found.groups()
                yield comm, int(pid), symbol.split("+0x")[0], os.path.basename(dso)


def backends():
    """Postgres backend -> what it serves."""
    return {int(r["pid"]): r["application_name"] for r in pg.rows(
        "SELECT pid, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'")}


def stage_of(sample, own, served, kafka_pid):
    comm, pid, _, _ = sample
    if comm.startswith("swapper"):
        return "idle"
    if pid in own:
        return f"leat {comm}"
    if pid == kafka_pid:
        return "kafka broker"
    if pid in served:
        return f"postgres for {served[pid]}"
    if comm.startswith("postgres"):
        return "postgres, the rest"
    return "others"


def group_of(stage):
    """Threads of leat one by one, executors together; all of Postgres together."""
    return re.sub(r"-?[0-9]*$", "", stage) if stage.startswith("leat") else stage.split(" ")[0]


def report(samples, own, served, kafka_pid, commands, top):
    by_stage, by_symbol = collections.Counter(), collections.defaultdict(collections.Counter)
    for sample in samples:
        stage = stage_of(sample, own, served, kafka_pid)
        by_stage[stage] += 1
        by_symbol[group_of(stage)][(sample[2], sample[3])] += 1
    total = sum(by_stage.values())
    us = 1e6 / 997 / commands
    print(f"{total} samples on {os.cpu_count()} processors\n\n{'us/command':>10}  share  stage")
    for stage, n in by_stage.most_common():
        print(f"{n * us:10.2f} {100 * n / total:5.1f}%  {stage}")
    for group in sorted(g for g in by_symbol if g.startswith(("leat", "postgres"))):
        if sum(by_symbol[group].values()) * us < 0.2:
            continue
        print(f"\n{group}: functions\n{'us/command':>10}")
        for (symbol, dso), n in by_symbol[group].most_common(top):
            print(f"{n * us:10.2f}  {symbol}  [{dso}]")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--commands", type=int, default=300000)
    p.add_argument("--shape", choices=["one", "three"], default="one")
    p.add_argument("--top", type=int, default=40, help="functions to list")
    o = p.parse_args()
    folder = os.path.join(servers.ROOT, "build", "bench")
    floor, meter = floors.Floor(folder), floors.Meter()
    s = Subject(f"profile{os.getpid()}", o.shape, folder)
    recording = Recording(os.path.join(folder, "perf.data"))
    try:
        s.apply()
        for topic in s.topics():
            floor.topic("produce", topic, o.commands // len(s.processors))
        meter.settle()
        with recording:
            s.start()
            s.await_projected(o.commands // len(s.processors) * len(s.processors), 300,
                              lambda: None)
            own, served = set(machine.descendants(s.popen.pid)), backends()
        report(recording.samples(), own, served, meter.pids["kafka"], o.commands, o.top)
    finally:
        s.remove(keep=False)
        floor.close()


if __name__ == "__main__":
    main()
