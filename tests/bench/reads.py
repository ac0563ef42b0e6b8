#!/usr/bin/env python3
"""Rows of a read model by HTTP beside nginx with a constant body of the same size (target: at least
0.6 of its rate, p99 within twice its p99), and many keys in one request beside one by one (target:
at least 10 times the rows a second).

Usage: reads.py [--rows N] [--pairs N] [--seconds N] [--connections N] [--keys N]

On the servers of ./dev up, with nginx and wrk from Debian. N rows are appended by SQL and folded
into LMDB; then runs of wrk with keep-alive and random keys, leat and nginx in turns. Nothing writes
meanwhile. nginx has two workers, no logs; leat is as it runs for everybody. The load generator has
the same processors: where others use them too, processor time per request says more than rates.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import machine  # noqa: E402 - found by the lines above
from lib import api, leat, pg, servers, wait  # noqa: E402

NAME = "bench_http"
PER_STREAM = 5000
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 4
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{order: {{key: id, state: OrderState}}}}
processors: {{orders: {{aggregate: order, commands: [Place], emits: [Placed]}}}}
projections:
  orders:
    key: $.row
    from:
      Placed: {{max: {{customer: $.customer, total: $.total, price: $.price, note: $.note}}}}
http: {{listen: "127.0.0.1:0"}}
"""
SCHEMAS = {"OrderState": [("total", "long")], "Place": [("id", "string")],
           "Placed": [("row", "string"), ("customer", "string"), ("total", "long"),
                      ("price", "double"), ("note", "string")]}
FILL = """select count(*) from generate_series({first}, {last} - 1) s, lateral {name}.append_events(
  'order-' || s, -1, gen_random_uuid(), array_fill('Placed'::text, array[{per}]),
  (select array_agg(convert_to(json_build_object('row', 'r' || (s * {per} + i), 'customer',
     'customer ' || (i % 97), 'total', i * 7, 'price', i / 8.0, 'note',
     'a note of order ' || i)::text, 'UTF8')) from generate_series(0, {per} - 1) i),
  array_fill(0, array[{per}])) a"""
LUA = """math.randomseed(os.time())
request = function()
  local keys = {{}}
  for i = 1, {n} do keys[i] = "r" .. math.random(0, {rows} - 1) end
  return wrk.format("GET", "{path}" .. table.concat(keys, ","))
end
"""
NGINX = """worker_processes 2; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }} }}
"""


def log(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, o):
        self.o, self.dir = o, tempfile.mkdtemp(prefix="leat-bench-http-")
        self.home = leat.Home(TOPOLOGY, schemas=SCHEMAS)
        self.home.forget(NAME)
        self.home.must("apply")
        streams = max(1, o.rows // PER_STREAM)
        self.rows = streams * PER_STREAM
        for first in range(0, streams, 20):
            pg.execute(FILL.format(name=NAME, first=first, last=min(first + 20, streams),
                                   per=PER_STREAM))
        log(f"{self.rows} events are stored")
        self.url = f"http://127.0.0.1:{servers.free_port()}"
        self.process = self.home.start("--listen", self.url[7:], "--role", "relay,projector,http")
        wait.until(lambda: self.process.alive() and self.count() == self.rows, 900,
                   f"{self.rows} rows ({self.process.log_path})")
        body = api.get(f"{self.url}/v1/models/orders/r12345").body.decode()
        log(f"{self.rows} rows are there; one is {body}")
        self.nginx_url = f"http://127.0.0.1:{servers.free_port()}"
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=self.dir, port=self.nginx_url.rsplit(":", 1)[1], body=body))
        self.nginx = subprocess.Popen(["nginx", "-c", conf, "-p", self.dir],
                                      stderr=subprocess.DEVNULL)
        wait.until(lambda: api.get(self.nginx_url).body.decode() == body, 20, "nginx")

    def count(self):
        try:
            a = api.get(self.url + "/v1/count/orders")
            return a.json["count"] if a.status == 200 else -1
        except OSError:
            return -1

    def wrk(self, pid, url, path, n=1):
        """Requests a second, the 99th percentile in ms, and us of the server's processor time
        for each request."""
        script = os.path.join(self.dir, "ask.lua")
        with open(script, "w", encoding="utf-8") as f:
            f.write(LUA.format(n=n, rows=self.rows, path=path))
        before_s = machine.tree_cpu_s(pid)
        text = subprocess.run(
            ["wrk", "-t1", f"-c{self.o.connections}", f"-d{self.o.seconds}s", "--latency", "-s",
             script, url], capture_output=True, text=True, check=True).stdout
        cpu_s = machine.tree_cpu_s(pid) - before_s
        assert "Non-2xx" not in text and "Socket errors" not in text, text
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text).groups()
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
        requests = int(re.search(r"(\d+) requests in", text).group(1))
        return (rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
                cpu_s * 1e6 / requests)

    def pair(self, leat_first):
        """Of leat and nginx, and rows a second of many keys in a request by those one by one."""
        rows = "/v1/models/orders/"
        if leat_first:
            own = self.wrk(self.process.pid, self.url, rows)
        base = self.wrk(self.nginx.pid, self.nginx_url, rows)
        if not leat_first:
            own = self.wrk(self.process.pid, self.url, rows)
        many = self.wrk(self.process.pid, self.url, "/v1/models/orders?keys=", self.o.keys)
        return own, base, many[0] * self.o.keys / own[0]

    def run(self):
        found = {"ratio": [], "p99_ratio": [], "cpu_ratio": [], "keys_ratio": [], "cpu_us": [],
                 "nginx_cpu_us": []}
        for i in range(self.o.pairs):
            own, base, keys = self.pair(i % 2 == 0)
            values = [a / b for a, b in zip(own, base)] + [keys, own[2], base[2]]
            for kept, value in zip(found.values(), values):
                kept.append(value)
            log(f"pair {i + 1}: leat {own[0]:.0f}/s p99 {own[1]:.2f} ms {own[2]:.1f} us, nginx "
                f"{base[0]:.0f}/s p99 {base[1]:.2f} ms {base[2]:.1f} us: rate {values[0]:.2f}, "
                f"p99 {values[1]:.2f}, processor {values[2]:.2f}; {self.o.keys} keys at once "
                f"{keys:.1f}")
        figures = {name: [round(q, 2) for q in statistics.quantiles(v, n=4, method="inclusive")]
                   for name, v in found.items()}
        return {"bench": "reads", "rows": self.rows, "connections": self.o.connections,
                "pairs": self.o.pairs, "p25_p50_p75": figures}

    def close(self):
        self.nginx.terminate()
        self.nginx.wait()
        self.process.stop()
        self.home.forget(NAME)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--pairs", type=int, default=7)
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--keys", type=int, default=50)
    o = p.parse_args()
    if o.pairs < 2:
        p.error("--pairs must be at least 2")
    bench = Bench(o)
    try:
        print(json.dumps(bench.run()))
    finally:
        bench.close()


if __name__ == "__main__":
    main()
