"""leat as the subject: a topology of its own per run, the filled topic, the run, the counting."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import machine
from lib import kafka, pg, servers, wait

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 4
KEYS = 10000

# Shape -> topology, and the share of commands that goes to each processor.
SHAPES = {"one": ("bench", ["scorer"]), "three": ("bench3", ["scorer", "checker", "grader"])}


class Metrics:
    """GET /metrics over one kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def read(self):
        """Sums over labels by metric name."""
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        sums = {}
        for line in text.splitlines():
            if line and line[0] != "#":
                series, value = line.rsplit(" ", 1)
                name = series.split("{", 1)[0]
                sums[name] = sums.get(name, 0) + float(value)
        return sums

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"GET {path}: HTTP {answer.status} {body[:300]!r}")
        return json.loads(body)


class Subject:
    """One topology under a name of its own, from `leat apply` to its removal."""

    def __init__(self, name, shape, folder, binary=servers.BIN):
        source, self.processors = SHAPES[shape]
        self.binary = binary
        self.name, self.folder = name, os.path.join(folder, name)
        self.path = os.path.join(self.folder, "leat.yaml")
        self.port = servers.free_port()
        self.popen = self.metrics = None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        with open(os.path.join(servers.ROOT, "topology", source + ".yaml"), encoding="utf-8") as f:
            text = f.read()
        text = text.replace(f"\nname: {source}\n", f"\nname: {name}\n")
        text = text.replace("../tests/bench/schemas", os.path.join(HERE, "schemas"))
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)
        self.env = {**os.environ, "KAFKA": servers.KAFKA, "STORE_URL": servers.STORE_URL,
                    "LEAT_TOPOLOGY": self.path, "LEAT_LOG_FORMAT": "json",
                    "HTTP_LISTEN": f"127.0.0.1:{self.port}",
                    "LEAT_MODULES": os.path.join(os.path.dirname(binary), "modules", source)}
        self.log_path = os.path.join(self.folder, "leat.log")

    def topics(self):
        return [f"{self.name}.{p}.normal" for p in self.processors]

    def apply(self):
        done = subprocess.run([self.binary, "apply"], env=self.env, cwd=self.folder, check=False,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            sys.exit(f"bench: leat apply: {done.stderr.strip()[-2000:]}")

    def start(self):
        """Starts every role in one process; the HTTP side answers when this returns."""
        with open(self.log_path, "wb") as log:
            self.started_s = time.monotonic()
            self.popen = subprocess.Popen(
                [self.binary, "run", "--data", os.path.join(self.folder, "data")],
                env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.metrics = wait.until(self._connect, 20, f"leat to answer; log in {self.log_path}",
                                  every=0.02)

    def _connect(self):
        if self.popen.poll() is not None:
            sys.exit(f"bench: leat run ended with {self.popen.returncode}:\n{self.tail()}")
        found = Metrics(self.port)
        found.read()
        return found

    def tail(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-12:])

    def events(self):
        """Lines of the log as dictionaries."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            lines = f.readlines()
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def await_projected(self, expected, seconds, on_poll):
        """When the read model had `expected` events, by the monotonic clock. Asks rarely while the
        end is far, for asking costs the subject time, and every few ms when it is near."""
        deadline = time.monotonic() + seconds
        began, pause = time.monotonic(), threading.Event()
        while True:
            count = self._projected()
            now = time.monotonic()
            if count >= expected:
                return now
            if self.popen.poll() is not None or now > deadline:
                sys.exit(f"bench: {count:.0f} of {expected} events projected, then "
                         f"{'nothing' if self.popen.poll() is None else 'leat ended'}:\n"
                         + self.tail())
            on_poll()
            left_s = (expected - count) / max(count / (now - began), 1000)
            pause.wait(min(max(left_s / 3, 0.004), 0.2))

    def _projected(self):
        try:
            return self.metrics.read().get("leat_projected_total", 0)
        except (OSError, http.client.HTTPException) as e:
            self.stop()
            sys.exit(f"bench: leat run ended with {self.popen.returncode} ({e}):\n{self.tail()}")

    def first_record_s(self):
        """Monotonic seconds of the first record any executor took."""
        times = [e["mono_us"] for e in self.events() if e.get("event") == "first-record"]
        if not times:
            sys.exit(f"bench: no event first-record in {self.log_path}")
        return min(times) / 1e6

    def check_rows(self):
        """The rows are there to be read: every key once."""
        rows, path = 0, "/v1/models/leads?limit=1000"
        cursor = ""
        while True:
            page = self.metrics.get(path + cursor)
            rows += len(page["rows"])
            if page.get("cursor") is None:
                return rows
            cursor = "&cursor=" + page["cursor"]

    def check_store(self, commands):
        """Counts by SQL; gives the number of events whose slice is not that of their key."""
        schema = f'"{self.name}"'
        facts = pg.rows(f"""
            SELECT (SELECT count(*) FROM {schema}.commands) AS commands,
                   (SELECT count(DISTINCT (slice, processor, id)) FROM {schema}.commands) AS ids,
                   (SELECT count(*) FROM {schema}.events) AS events,
                   (SELECT count(*) FROM (SELECT slice FROM {schema}.events GROUP BY slice
                     HAVING min(seq) <> 1 OR max(seq) <> count(*)) s) AS broken_slices,
                   (SELECT count(*) FROM (SELECT slice, stream FROM {schema}.events
                     GROUP BY slice, stream
                     HAVING min(version) <> 1 OR max(version) <> count(*)) s) AS broken_streams
            """)[0]
        expected = {"commands": commands, "ids": commands, "events": commands,
                    "broken_slices": 0, "broken_streams": 0}
        wrong = {k: facts[k] for k, v in expected.items() if int(facts[k]) != v}
        if wrong:
            sys.exit(f"bench: the store is wrong: {wrong}, expected {expected}")
        foreign = 0
        for row in pg.rows(f"""SELECT slice, stream, count(*) AS n FROM {schema}.events
                               GROUP BY slice, stream"""):
            key = row["stream"].removeprefix("lead-")
            if machine.partition_of(key, PARTITIONS) != int(row["slice"]):
                foreign += int(row["n"])
        return foreign

    def stop(self):
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def remove(self, keep):
        self.stop()
        if keep:
            print(f"bench: kept {self.folder} and schema {self.name}", file=sys.stderr)
            return
        pg.drop_schema(self.name)
        kafka.delete(*kafka.topics(f"{self.name}."))
        shutil.rmtree(self.folder, ignore_errors=True)
