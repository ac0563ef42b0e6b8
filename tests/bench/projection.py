#!/usr/bin/env python3
"""How fast a read model is folded from a filled events topic, beside what its store takes at most
(peers/limits `stores`): puts of rows of the same size, at the batch leat made, in turns.

usage: projection.py [--events n] [--rounds n] [--store lmdb|redis]

Both are models of one topology with 4 partitions: 200-byte rows keyed by the stream, each event a
`set` and an `add`, 100,000 keys. leat's clock runs from a tenth of the events applied to the last
time it was asked before all of them are; reading Kafka, decoding, the rows' former state,
checkpoint and its comparison are in it. The store is not asked for events: its heads are set to
what the topic holds. Redis is a server of the benchmark's own, without persistence, as is LMDB's
durability that of leat (MDB_NOMETASYNC).
The last line is one JSON object. KAFKA, STORE_URL, LEAT_BIN as for ./dev bench.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[0] = os.path.join(HERE, "..", "integration")
sys.path.append(HERE)  # last: names there are not the standard library's
from lib import api, kafka, leat, pg, redis, servers, wait  # noqa: E402
import floor  # noqa: E402

NAME = "leat_bench_projection"
PARTITIONS = 4
KEYS = 100_000
FILLER = "v" * 120
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
redis: {{url: "${{BENCH_REDIS}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{lead: {{key: id, state: LeadState}}}}
processors: {{leads: {{aggregate: lead, commands: [Score], emits: [Scored]}}}}
projections:
  card:
    store: KEPT_IN
    key: $.id
    from: {{Scored: {{set: {{score: $.score, note: $.note}}, add: {{n: 1}}}}}}
http: {{listen: "${{HTTP_LISTEN}}"}}
"""
SCHEMAS = {
    "LeadState": [("n", "long")],
    "Score": [("id", "string"), ("score", "long"), ("note", "string")],
    "Scored": [("id", "string"), ("score", "long"), ("note", "string")],
}


def fill(h, events):
    """The topic holds `events` dense events over the slices; the store's heads say so."""
    pg.drop_schema(NAME)
    kafka.delete(*kafka.topics(f"{NAME}."))
    wait.until(lambda: not kafka.topics(f"{NAME}."), 60, "the old topics to be gone")
    h.must("apply")
    stores = {int(r["slice"]): r["store_id"]
              for r in pg.rows(f"select slice, store_id from {NAME}.slices")}
    seqs = [0] * PARTITIONS
    records = []
    for i in range(events):
        key, k = f"lead-{i * 7919 % KEYS:06d}", i * 7919 % KEYS % PARTITIONS
        seqs[k] += 1
        value = json.dumps({"id": key, "score": i % 100, "note": FILLER})
        records.append((key, value, {"ce_id": str(uuid.UUID(int=i + 1)), "ce_type": "Scored",
                                     "leat-seq": str(seqs[k]), "leat-store": stores[k]}, k))
    kafka.produce(f"{NAME}.events", records)
    for k, seq in enumerate(seqs):
        pg.execute(f"update {NAME}.slices set head_seq = {seq} where slice = {k}")
        pg.execute(f"update {NAME}.published set seq = {seq} where slice = {k}")


def metric(text, name):
    found = re.search(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def fold_once(h, server, events):
    """Events per second, and events per transaction."""
    server.ask("FLUSHALL")
    shutil.rmtree(os.path.join(h.dir, ".leat"), ignore_errors=True)
    address = f"127.0.0.1:{servers.free_port()}"
    p = h.start("--role", "projector,http", name="projector", env={"HTTP_LISTEN": address})
    marks = {}

    def applied():
        text = api.get(f"http://{address}/metrics").body.decode()
        n, now = metric(text, "leat_projected_total"), time.monotonic()
        if n >= events / 10:
            marks.setdefault("start", (n, now))
        if n < events:
            marks["end"] = (n, now)
        marks["text"] = text
        return n >= events

    wait.until(applied, 300, "all events to be applied", every=0.03)
    p.stop()
    (n_0, t_0), (n_1, t_1), text = marks["start"], marks["end"], marks["text"]
    batch = events / max(1.0, metric(text, "leat_projection_commits_total"))
    return (n_1 - n_0) / (t_1 - t_0), batch


def limit(program, store, events, batch, server):
    folder = tempfile.mkdtemp(prefix="limit-")
    where = folder if store == "lmdb" else str(server.port)
    done = subprocess.run([program, store, str(events), str(batch), where], check=True,
                          capture_output=True, text=True)
    shutil.rmtree(folder, ignore_errors=True)
    return json.loads(done.stdout.splitlines()[0])["rate_per_s"]


def compile_limit(folder):
    out = os.path.join(folder, "stores")
    subprocess.run(["cc", "-O2", "-w", "-o", out, os.path.join(floor.sources(), "stores.c"),
                    "-llmdb", "-lhiredis"], check=True)
    return out


def measure(store, options, program, server):
    h = leat.Home(TOPOLOGY.replace("KEPT_IN", store), schemas=SCHEMAS,
                  env={"BENCH_REDIS": server.url, "HTTP_LISTEN": "127.0.0.1:0"})
    fill(h, options.events)
    ratios, rates, limits, batches = [], [], [], []
    for _ in range(options.rounds):
        rate, batch = fold_once(h, server, options.events)
        most = limit(program, store, options.events, max(1, round(batch)), server)
        print(f"{store}: {rate:,.0f} events/s, {most:,.0f} puts/s, batch {batch:.0f}: "
              f"{rate / most:.2f}", file=sys.stderr)
        ratios.append(rate / most)
        rates.append(rate)
        limits.append(most)
        batches.append(batch)
    h.forget(NAME)
    return {"ratio": round(statistics.median(ratios), 3),
            "spread": [round(min(ratios), 3), round(max(ratios), 3)],
            "events_per_s": round(statistics.median(rates)),
            "limit_per_s": round(statistics.median(limits)),
            "batch": round(statistics.median(batches))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", choices=["lmdb", "redis"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = compile_limit(folder)
        server = redis.Server("--appendonly", "no")
        found = {s: measure(s, options, program, server)
                 for s in ([options.store] if options.store else ["lmdb", "redis"])}
        server.kill()
    print(json.dumps({"bench": "projection", "events": options.events, **found}))


if __name__ == "__main__":
    main()
