#!/usr/bin/env python3
"""Runs the peers of the shared folder one after another on the test servers; one JSON line each.

usage: python3 tests/bench/peers.py [peer...]        default: all of the table below
The floor runs before and after each, and `floor_ratio` is the peer's rate over the mean of both.
Go and Maven fetch what they need on the first run. The sources stay as they are: they are copied to
build/bench/peers and built there. KAFKA, STORE_URL and REDIS_URL as for ./dev bench.
Redis database 9 is flushed by the peers' own scripts.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import floor as floors  # noqa: E402
from lib import pg, servers  # noqa: E402

DATABASE = "leat_bench_peers"
REDIS_DB = "9"
FLOOR_COMMANDS = 150000

# peer -> folder, commands of its run: enough that joining and warming up weigh little.
PEERS = {
    "franz": ("go", 300000),
    "kafka-streams": ("java", 300000),
    "spring-kafka": ("java", 200000),
    "watermill": ("go", 10000),
    "watermill-outbox": ("go", 10000),
    "spring-kafka-record": ("java", 10000),
}


def environment():
    url = urllib.parse.urlsplit(servers.STORE_URL)
    redis = urllib.parse.urlsplit(servers.REDIS_URL)
    host, port = url.hostname, str(url.port or 5432)
    user, password = url.username or "leat", url.password or "unused"
    return {**os.environ, "BROKER": servers.KAFKA, "BOOTSTRAP": servers.KAFKA,
            "PG_URL": f"postgres://{user}:{password}@{host}:{port}/{DATABASE}?sslmode=disable",
            "PGHOST": host, "PGPORT": port, "PGUSER": user, "PGPASSWORD": password,
            "PGDATABASE": DATABASE, "REDIS_DB": REDIS_DB, "REDIS_ADDR": redis.netloc,
            "REDIS_HOST": redis.hostname, "REDIS_PORT": str(redis.port)}


def build(folder, languages, env):
    shutil.copytree(os.path.dirname(floors.sources()), folder, dirs_exist_ok=True)
    if "go" in languages:
        subprocess.run(["go", "build", "-o", "bin/", "./cmd/..."], check=True, env=env,
                       cwd=os.path.join(folder, "go"))
    if "java" in languages:
        subprocess.run(["mvn", "-q", "-B", "package"], check=True, env=env,
                       cwd=os.path.join(folder, "java"), stdout=sys.stderr)


def main():
    wanted = sys.argv[1:] or list(PEERS)
    unknown = set(wanted) - set(PEERS)
    if unknown:
        sys.exit(f"peers: no such peer: {' '.join(sorted(unknown))}; there are {' '.join(PEERS)}")
    env = environment()
    folder = os.path.join(servers.ROOT, "build", "bench", "peers")
    build(folder, {PEERS[p][0] for p in wanted}, env)
    pg.execute(f'DROP DATABASE IF EXISTS "{DATABASE}"; CREATE DATABASE "{DATABASE}"')
    floor, meter = floors.Floor(os.path.join(servers.ROOT, "build", "bench")), floors.Meter()
    failed = False
    for peer in wanted:
        language, commands = PEERS[peer]
        before = floor.run(f"{peer}-before", FLOOR_COMMANDS, 2000, meter)["rate_per_s"]
        meter.settle()
        done = subprocess.run(["./run.sh", peer, str(commands)], check=False, env=env,
                              cwd=os.path.join(folder, language), capture_output=True, text=True)
        after = floor.run(f"{peer}-after", FLOOR_COMMANDS, 2000, meter)["rate_per_s"]
        lines = done.stdout.strip().splitlines()
        found = json.loads(lines[-1]) if lines else {
            "peer": peer, "note": "FAILED: " + done.stderr.strip()[-400:]}
        if found.get("rate_per_s"):
            found["floor_ratio"] = round(2 * found["rate_per_s"] / (before + after), 3)
        print(json.dumps(found), flush=True)
        failed |= done.returncode != 0
    pg.execute(f'DROP DATABASE IF EXISTS "{DATABASE}"')
    floor.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
