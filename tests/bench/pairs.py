#!/usr/bin/env python3
"""Command, then read with its position as token, over and over: nobody may read less than he wrote.

Usage: pairs.py [--pairs N] [--clients N] [--kill SECONDS] [--stores lmdb,redis]

On the servers of ./dev up, with a Redis of its own: a worker and relay, a process that answers
HTTP, two projectors on one file. Each client writes to keys of its own, over and over, so that an
old row is told from a new one by its value. One of the projectors in turn, and what it supervises,
is killed (-9) every so many seconds and started again. 504 and 503 are asked again and counted:
late is not stale.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from lib import api, leat, redis, servers, wait  # noqa: E402 - found by the line above

NAME = "bench_pairs"
KEYS = 20  # of a client
PROCESSES = 2
MODELS = """projections:
  redis_leads: {store: redis, key: $.lead_id, from: {LeadScored: {set: {ts: $.ts}}}}
"""


def log(text):
    print(text, file=sys.stderr, flush=True)


class Connection:
    """Keep-alive HTTP/1.1 with as little as it takes. Requests can be repeated: commands have a key
    of their own."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, head, body=b""):
        """Status, headers by their small names, body."""
        try:
            return await self.ask_once(head, body)
        except (OSError, asyncio.IncompleteReadError):  # an idle connection is cut
            self.writer = None
            return await self.ask_once(head, body)

    async def ask_once(self, head, body):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(f"{head}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() +
                          body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return (int(lines[0].split()[1]), headers,
                await self.reader.readexactly(int(headers["content-length"])))


class Client:
    def __init__(self, number, port, models, found):
        self.number, self.models, self.found = number, models, found
        self.connection = Connection(port)

    async def command(self, key, n):
        """The position of what it did."""
        body = json.dumps({"lead_id": key, "budget": 50000, "employees": 7, "ts": n}).encode()
        status, headers, text = await self.connection.ask(
            "POST /v1/commands/ScoreLead HTTP/1.1\r\nPrefer: wait=60\r\n"
            f"Idempotency-Key: {self.number}-{n}", body)
        if status != 200:
            raise AssertionError(f"a command was answered {status}: {text[:300]}")
        return headers["leat-position"]

    async def read(self, model, key, position):
        """The row, however often one has to ask for it."""
        while True:
            status, _, text = await self.connection.ask(
                f"GET /v1/models/{model}/{key}?fields=ts HTTP/1.1\r\nPrefer: wait=60\r\n"
                f"Leat-At-Least: {position}")
            if status not in (503, 504):
                return json.loads(text).get("ts") if status == 200 else f"status {status}"
            self.found["late"] += 1

    async def pair(self, n):
        key = f"c{self.number}k{n % KEYS}"
        position = await self.command(key, n)
        model = self.models[n % len(self.models)]
        before = time.monotonic()
        seen = await self.read(model, key, position)
        self.found["waits_ms"].append((time.monotonic() - before) * 1000)
        self.found["pairs"] += 1
        if seen != n:
            self.found["stale"].append(f"{model}/{key}: wrote {n}, read {seen}")

    async def run(self, pairs):
        for n in range(1, pairs + 1):
            await self.pair(n)


def clients(first, count, options, results):
    """One process of clients. What it finds goes to `results`."""
    port, models, pairs = options
    found = {"pairs": 0, "late": 0, "stale": [], "waits_ms": [], "error": None}

    async def all_of_them():
        await asyncio.gather(*(Client(first + i, port, models, found).run(pairs)
                               for i in range(count)))
    try:
        asyncio.run(all_of_them())
    except (AssertionError, OSError, asyncio.IncompleteReadError) as e:
        found["error"] = repr(e)
    results.put(found)


class Pairs:
    def __init__(self, o):
        self.o = o
        os.environ.setdefault("LEAT_TEST_DIR", tempfile.mkdtemp(prefix="leat-bench-"))
        self.models = [{"lmdb": "leads", "redis": "redis_leads"}[s] for s in o.stores.split(",")]
        self.redis = redis.Server()  # rows of an earlier store would be in a shared one
        more = {"projections:\n": MODELS} if "redis_leads" in self.models else {}
        name = f'name: {NAME}\nredis: {{url: "${{REDIS_URL}}"}}\n'
        self.home = leat.Home("topology/bench.yaml", replace={
            "name: bench\n": name, "[../tests/bench/schemas]": f"[{ROOT}/tests/bench/schemas]",
            **more}, env={"REDIS_URL": self.redis.url},
            modules=os.path.join(servers.BIN_DIR, "modules", "bench"))
        self.home.forget(NAME)
        self.home.must("apply")
        self.port = servers.free_port()
        self.worker = self.home.start("--role", "worker,relay", name="worker")
        self.http = self.home.start("--role", "http", "--listen", f"127.0.0.1:{self.port}",
                                    name="http")
        self.projectors = [self.start_projector(i) for i in range(2)]
        for model in self.models:
            wait.until(lambda m=model: api.get(
                f"http://127.0.0.1:{self.port}/v1/count/{m}").status == 200, 120, model)
        self.kills = 0

    def start_projector(self, i):
        return self.home.start("--role", "projector", name=f"projector-{i}")

    def kill_one(self):
        i = self.kills % 2
        self.projectors[i].kill()
        self.projectors[i] = self.start_projector(i)
        self.kills += 1

    def run(self):
        """What all clients found."""
        each, count = self.o.pairs // self.o.clients, self.o.clients // PROCESSES
        results = multiprocessing.Queue()
        started = [multiprocessing.Process(target=clients, args=(
            i * count, count, (self.port, self.models, each), results)) for i in range(PROCESSES)]
        for p in started:
            p.start()
        found = []
        while len(found) < PROCESSES:
            try:
                found.append(results.get(timeout=self.o.kill))
            except queue.Empty:
                self.kill_one()
        for p in started:
            p.join()
        return found

    def close(self):
        assert all(p.stop() == 0 for p in [self.worker, self.http, *self.projectors])
        self.home.forget(NAME)


def figures(found, o, kills, seconds):
    waits = sorted(w for f in found for w in f["waits_ms"])
    pairs = sum(f["pairs"] for f in found)
    return {"bench": "pairs", "stores": o.stores, "pairs": pairs,
            "stale": sum(len(f["stale"]) for f in found), "late": sum(f["late"] for f in found),
            "kills": kills, "pairs_per_s": round(pairs / seconds),
            "read_p50_ms": round(waits[len(waits) // 2], 1),
            "read_p99_ms": round(waits[len(waits) * 99 // 100], 1),
            "read_max_ms": round(waits[-1])}


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=100000)
    p.add_argument("--clients", type=int, default=128)
    p.add_argument("--kill", type=float, default=5, help="seconds between two kills (5)")
    p.add_argument("--stores", default="lmdb,redis", help="models to read: lmdb, redis or both")
    o = p.parse_args()
    bench = Pairs(o)
    before = time.monotonic()
    found = bench.run()
    seconds = time.monotonic() - before
    bench.close()
    for f in found:
        for text in [*f["stale"][:5], f["error"]]:
            if text is not None:
                log(text)
    print(json.dumps(figures(found, o, bench.kills, seconds)))
    return 1 if any(f["stale"] or f["error"] for f in found) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
