#!/usr/bin/env python3
"""How fast a read model is rebuilt (target: at least 0.5 of its floor).

Usage: rebuild.py [--events N] [--pairs N] [--connections N] [--batch N]

Interleaved pairs on the Postgres of ./dev up. Floor: a plain binary COPY of the same slices to
/dev/null, one after the other, plus LMDB puts of the rows that come out, in transactions of
--batch rows, without waiting for the disk until the end (bench_rebuild_puts). leat: `leat model
rebuild` by its own clock, from the connection to the synced file. Every third event is a new row.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import leat, pg, servers  # noqa: E402

NAME, PARTITIONS = "rebuild_bench", 8
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
aggregates: {{item: {{key: id, state: ItemState}}}}
processors: {{items: {{aggregate: item, commands: [MakeItem], emits: [ItemMade, ItemMoved]}}}}
projections:
  items:
    key: $.id
    from:
      ItemMade: {{set: {{name: $.name, city: $.city, note: $.note, at: $meta.time}}, add: {{n: 1}}}}
      ItemMoved: {{set: {{city: $.city, at: $meta.time}}, add: {{n: 1}}}}
"""
SCHEMAS = {
    "ItemState": [("n", "long")],
    "MakeItem": [("id", "string")],
    "ItemMade": [("id", "string"), ("name", "string"), ("city", "string"), ("note", "string")],
    "ItemMoved": [("id", "string"), ("city", "string")],
}
FILL = """
set search_path = {s};
create function pg_temp.str(t text) returns bytea language sql immutable as $$
  select case when octet_length(t) < 64 then set_byte('\\x00', 0, octet_length(t) * 2)
    else set_byte(set_byte('\\x0000', 0, ((octet_length(t) * 2) & 127) | 128), 1,
                  (octet_length(t) * 2) >> 7) end || convert_to(t, 'UTF8') $$;
insert into event_log (seq, version, recorded_at, slice, schema_id, event_id, command_id, stream,
                       type, payload)
select i, (i - 1) % 3 + 1, now(), k, case when made then {made} else {moved} end, gen_random_uuid(),
  gen_random_uuid(), 'item-' || id, case when made then 'ItemMade' else 'ItemMoved' end,
  '\\x00'::bytea || int4send(case when made then {made} else {moved} end) || pg_temp.str(id) ||
  case when made then pg_temp.str('name of ' || id) || pg_temp.str('city ' || (i % 1000)) ||
    pg_temp.str(repeat('n', 100)) else pg_temp.str('city ' || (i % 1000)) end
from (select k, i, (i - 1) % 3 = 0 as made,
        'i' || k || '-' || substr(md5(((i - 1) / 3)::text), 1, 12) || ((i - 1) / 3) as id
      from generate_series(0, {last}) k, generate_series(1, {each}) i) x order by k, i;
update slices set head_seq = {each};
update published set seq = {each};
"""


def vacuum():
    subprocess.run(["psql", "-Xqd", servers.STORE_URL, "-c", f"vacuum analyze {NAME}.event_log",
                    "-c", "checkpoint"], check=True)


def fill(home, events):
    """Once: the same events serve all runs."""
    home.forget(NAME)
    home.must("apply")
    ids = {r["subject"]: r["id"] for r in pg.rows(f"select id, subject from {NAME}.schemas")}
    pg.execute(FILL.format(s=NAME, made=ids["ItemMade"], moved=ids["ItemMoved"],
                           last=PARTITIONS - 1, each=events // PARTITIONS))
    vacuum()


def copy_s():
    """Seconds of the COPY of all slices, the start of psql left out."""
    begun = time.monotonic()
    pg.execute("select 1")
    empty = time.monotonic() - begun
    begun = time.monotonic()
    pg.execute("".join(f"copy {NAME}.event_log_{k} to '/dev/null' (format binary);"
                       for k in range(PARTITIONS)))
    return time.monotonic() - begun - empty


def puts_s(version, batch):
    target = tempfile.mkdtemp(prefix="leat-bench-")
    done = subprocess.run([servers.tool("bench_rebuild_puts"), version, target, str(batch)],
                          capture_output=True, text=True, check=True)
    shutil.rmtree(target)
    return json.loads(done.stdout)["seconds"]


class Bench:
    def __init__(self, o):
        self.o, self.home = o, leat.Home(TOPOLOGY, schemas=SCHEMAS)
        self.last = None
        fill(self.home, o.events)

    def leat(self):
        """Seconds; its version stays until the next run, for the floor to take the rows of."""
        built = self.home.must_json("model", "rebuild", "items", "--connections",
                                    self.o.connections, seconds=600)
        assert built["events"] == self.o.events // PARTITIONS * PARTITIONS, built
        found = self.home.must_json("model", "status", "items")["versions"]
        for v in found:
            if v["version"] != built["version"]:
                self.home.must("model", "drop", "items", v["version"])
            else:
                self.last = v["folder"]
                assert v["rows"] == -(-self.o.events // PARTITIONS // 3) * PARTITIONS, v
        return built["took_ms"] / 1000

    def floor(self):
        return copy_s(), puts_s(self.last, self.o.batch)

    def run(self):
        self.leat()  # what is slow the first time
        self.floor()
        pairs = []
        for n in range(self.o.pairs):
            if n % 2 == 0:
                (copy, puts), own = self.floor(), self.leat()
            else:
                own = self.leat()
                copy, puts = self.floor()
            pairs.append((copy, puts, own))
            print(f"pair {n}: COPY {copy:.2f} s + puts {puts:.2f} s; leat {own:.2f} s: "
                  f"{(copy + puts) / own:.2f}", file=sys.stderr, flush=True)
        return pairs


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--events", type=int, default=600000)
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--connections", type=int, default=2)
    p.add_argument("--batch", type=int, default=1000)
    o = p.parse_args()
    pairs = Bench(o).run()
    ratios = [(c + p) / own for c, p, own in pairs]
    print(json.dumps({
        "rebuild_ratio": round(statistics.median(ratios), 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "rebuild_per_s": round(o.events / statistics.median(own for _, _, own in pairs)),
        "floor_per_s": round(o.events / statistics.median(c + p for c, p, _ in pairs))}))


if __name__ == "__main__":
    main()
