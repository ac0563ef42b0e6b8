#!/usr/bin/env python3
"""Faults on real servers under a steady load; then everything is counted by SQL and a plain Kafka
client, and the time until the rate is back is told.

Usage: chaos.py [--list] [--scenario NAME[,NAME...]] [--seed S] [--minutes M] [--rate N] [--short]
                [--keep]

Postgres and the broker are its own, in a new folder under /var/tmp that is removed at the end. A
table per scenario, then one JSON line each; exit code 1 when an invariant does not hold, with the
evidence (logs, report) left under build/chaos/.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "integration")]

from lib import servers  # noqa: E402
import brokers  # noqa: E402,F401 - adds its scenarios
import models  # noqa: E402,F401 - the same
import own  # noqa: E402
import proxy  # noqa: E402
import redis_models  # noqa: E402,F401 - adds its scenarios
import scenarios  # noqa: E402
import storage  # noqa: E402,F401 - adds its scenarios
import storms  # noqa: E402,F401 - the same
import trial  # noqa: E402

NAME = "chaos"


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("scenarios", nargs="*", help="names; default: all")
    p.add_argument("--scenario", default="", help="the same, separated by commas")
    p.add_argument("--list", action="store_true", help="names and what is done")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    p.add_argument("--minutes", type=float, default=0, help="again and again, until then")
    p.add_argument("--rate", type=int, default=10, help="commands a second for each of 24 lanes")
    p.add_argument("--short", action="store_true", help="the scenarios of ./dev test")
    p.add_argument("--keep", action="store_true", help="leave the logs of what went well too")
    o = p.parse_args(argv)
    o.scenarios += [name for name in o.scenario.split(",") if name]
    unknown = [name for name in o.scenarios if name not in scenarios.SCENARIOS]
    if unknown:
        p.error(f"no scenario {unknown[0]!r}; --list names them")
    return o


def chosen(o):
    if o.scenarios:
        return [scenarios.SCENARIOS[name] for name in o.scenarios]
    return [s for s in scenarios.SCENARIOS.values() if s.short or not o.short]


def commit():
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=servers.ROOT,
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def say(text):
    print(text, flush=True)


def fresh(count):
    """Servers and the proxies before them; the judge asks the servers themselves."""
    kafka_proxy, pg_proxy = proxy.Proxy(), proxy.Proxy()
    s = own.Servers(kafka_proxy.port, count)
    try:
        s.create()
    except BaseException:
        s.end()
        raise
    kafka_proxy.target, pg_proxy.target = s.kafka.inner, s.pg.port
    servers.KAFKA, servers.STORE_URL = s.kafka.address, s.pg.url
    return s, (pg_proxy, kafka_proxy)


def run_script(one):
    """On the same servers; it prints its own lines."""
    say(f"== {one.name}: {one.what}")
    env = {**os.environ, "KAFKA": servers.KAFKA, "STORE_URL": servers.STORE_URL}
    return subprocess.run([sys.executable, os.path.join(HERE, one.script[0]), *one.script[1:]],
                          env=env, check=False).returncode


def table(line, t):
    say(f"== {line['scenario']}: {t.scenario.what}")
    for name, wrong in t.results:
        say(f"{'ok' if wrong is None else 'FAIL'} {line['scenario']}_{name}"
            + ("" if wrong is None else f": {wrong}"))
    say(json.dumps({"chaos": line}))


def main():
    o = parse(sys.argv[1:])
    if o.list:
        for s in scenarios.SCENARIOS.values():
            say(f"{s.name:22} {s.what}")
        return 0
    base = os.environ.get("LEAT_TEST_DIR") or os.path.join(servers.ROOT, "build", "chaos")
    say(f"chaos: seed={o.seed} commit={commit()}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended
    until = time.monotonic() + o.minutes * 60
    failed, turn, s = 0, 0, None
    try:
        while turn == 0 or time.monotonic() < until:
            for one in chosen(o):
                if s is not None and one.brokers != s.brokers:
                    s.end()
                    s = None
                if s is None:
                    s, proxies = fresh(one.brokers)
                if one.script:
                    failed += run_script(one) != 0
                    continue
                t = trial.Trial(one, f"{NAME}{turn}", o.seed + turn, s, proxies, base, o)
                line = t.run()
                table(line, t)
                failed += bool(line["failed"])
                if line["failed"] or t.renew:
                    s.end()  # the next one starts with servers nothing has happened to
                    s = None
            turn += 1
    finally:
        if s is not None:
            s.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
