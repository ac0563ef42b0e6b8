"""The floor: peers/limits/whole.c, compiled from the shared folder and run as its run.sh does."""

import json
import os
import shutil
import subprocess
import sys

import machine
from lib import pg, servers

DATABASE = f"leat_bench_floor_{os.getpid()}"
WHY_ABSENT = """bench: the floor's sources are not there: {path}
The benchmark compares leat with a program of the project's shared folder. Point LEAT_SHARED at that
folder (the one that holds peers/limits). --only latency does without."""


class Absent(Exception):
    pass


def sources():
    shared = os.environ.get("LEAT_SHARED", os.path.join(servers.ROOT, "..", "shared"))
    path = os.path.normpath(os.path.join(shared, "peers", "limits"))
    if not os.path.exists(os.path.join(path, "whole.c")):
        raise Absent(WHY_ABSENT.format(path=path))
    return path


def _database_url():
    base, _, query = servers.STORE_URL.partition("?")
    return base.rsplit("/", 1)[0] + "/" + DATABASE + ("?" + query if query else "")


class Floor:
    """Builds both programs under `folder`; the filler serves leat as well."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "floor")
        os.makedirs(self.folder, exist_ok=True)
        self.filler = self._build("kafka_io", ["-lrdkafka"])
        self.whole = self._build("whole", ["-lrdkafka", "-lpq", "-llmdb", "-lpthread"])
        self.url = _database_url()
        pg.execute(f'CREATE DATABASE "{DATABASE}"')

    def _build(self, name, libraries):
        out = os.path.join(self.folder, name)
        include = subprocess.run(["pg_config", "--includedir"], capture_output=True, text=True,
                                 check=False).stdout.strip() if shutil.which("pg_config") else ""
        subprocess.run(["cc", "-O2", "-w", "-o", out, os.path.join(sources(), name + ".c"),
                        "-I" + (include or "/usr/include/postgresql"), *libraries], check=True)
        return out

    def topic(self, verb, name, number):
        subprocess.run([self.filler, verb, servers.KAFKA, name, str(number)], check=True,
                       stdout=subprocess.DEVNULL)

    def run(self, name, commands, batch, meter):
        """One run on fresh topics and tables; its own JSON line, with `stages` added."""
        topics = [f"{name}.commands", f"{name}.events"]
        lmdb = os.path.join(self.folder, name)
        try:
            for topic in topics:
                self.topic("create", topic, 4)
            self.topic("produce", topics[0], commands)
            meter.settle()
            before = meter.servers_cpu_s()
            done = subprocess.run(
                [self.whole, servers.KAFKA, self.url, *topics, str(commands), str(batch), lmdb],
                capture_output=True, text=True, timeout=600, check=False)
            after = meter.servers_cpu_s()
        finally:
            for topic in topics:
                self.topic("delete", topic, 0)
            shutil.rmtree(lmdb, ignore_errors=True)
        if done.returncode != 0:
            sys.exit(f"bench: the floor failed: {done.stderr.strip()}")
        found = json.loads(done.stdout.splitlines()[-1])
        self._check(commands)
        found["stages"] = {"own": found["cpu_s"] / commands * 1e6,
                           **{k: (after[k] - before[k]) / commands * 1e6 for k in after}}
        return found

    def _check(self, commands):
        stored = pg.value("SELECT count(*) FROM ev", url=self.url)
        if stored != commands:
            sys.exit(f"bench: the floor stored {stored} of {commands} events")
        pg.execute("DROP TABLE ev, off", url=self.url)

    def close(self):
        pg.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')


class Meter:
    """What both sides share: quiet servers before a run, and their processor time."""

    def __init__(self):
        kafka = int(servers.KAFKA.split(",")[0].rsplit(":", 1)[1])
        self.pids = {"postgres": machine.listener_pid(pg.value("SHOW port")),
                     "kafka": machine.listener_pid(kafka)}

    def settle(self):
        """Neither side pays for what the other left to be written."""
        pg.execute("CHECKPOINT")

    def servers_cpu_s(self):
        return {name: machine.tree_cpu_s(pid) if pid else float("nan")
                for name, pid in self.pids.items()}
