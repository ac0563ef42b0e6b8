"""Rows with a `ttl`, in LMDB and in Redis, against a fold in Python at the same vector of seqs.
Times are written into the store: hours pass in no time."""

import datetime
import hashlib
import json
import os
import random
import shutil

from lib import check, leat, pg, redis, servers, store, wait

NAME = "leat_expiry"
PARTITIONS = 4
HOUR = 3_600_000
BEGIN = 1_918_684_800_000  # 2030-10-20T00:00Z: later than what is not set yet
MODELS = """
  {0}seen:
    store: {1}
    key: $.id
    from:
      Paid: {{add: {{n: 1, sum: $.amount}}}}
      Gone: {{delete: true}}
    indexes: {{by_sum: [-sum]}}
    ttl: 5h
  {0}hours:
    store: {1}
    key: [$.kind, "hour($meta.time)"]
    from: {{Paid: {{add: {{n: 1, sum: $.amount}}}}}}
    ttl: 3h
"""
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
redis: {{url: "${{OWN_REDIS}}", timeout: 1s}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{acc: {{key: id, state: AccState}}}}
processors: {{accounts: {{aggregate: acc, commands: [Pay], emits: [Paid, Other, Gone]}}}}
projections:{MODELS.format("", "redis")}{MODELS.format("lmdb_", "lmdb")}
"""
SCHEMAS = {
    "AccState": [("sum", "long")],
    "Pay": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Paid": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Other": [("id", "string")],
    "Gone": [("id", "string")],
}
_home = []


def home():
    if not _home:
        own = redis.Server()
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS)
        h.env["OWN_REDIS"] = own.url
        h.forget(NAME)
        shutil.rmtree(os.path.join(h.dir, ".leat"), ignore_errors=True)
        h.must("apply")
        _home.extend((h, own))
    return _home[0], _home[1]


def append(rounds, seed):
    """Events of 20 streams, and when each was recorded: hours apart, sometimes a little back."""
    rng = random.Random(seed)
    statements = []
    for _ in range(rounds):
        key = f"a{rng.randrange(20)}"
        kind = rng.choice(["Paid"] * 8 + ["Other", "Gone"])
        body = {"id": key}
        if kind == "Paid":
            body.update(amount=rng.randrange(100), kind=rng.choice("xyz"))
        statements.append(store.appending(NAME, f"acc-{key}", [(kind, body)]))
    begin = f"to_timestamp({BEGIN} / 1000)"
    pg.execute("\n".join(statements) + f"""
        with o as (select slice, seq, row_number() over (order by recorded_at, slice, seq) +
                   (select count(*) from {NAME}.events where recorded_at >= {begin}) as n
                   from {NAME}.events where recorded_at < {begin})
        update {NAME}.events e set recorded_at = {begin}
            + (60 + o.n * 17 - case when o.n % 7 = 0 then 40 else 0 end) * interval '1 minute'
        from o where o.slice = e.slice and o.seq = e.seq""")
    store.set_published(NAME)


def fold():
    """Row by row as docs/decisions/0008 has it."""
    seen, hours, clocks, home_of = {}, {}, {}, {}
    times = {(e["slice"], e["seq"]): int(e["ms"]) for e in pg.rows(
        f"select slice, seq, (extract(epoch from recorded_at) * 1000)::bigint as ms "
        f"from {NAME}.events")}
    for e in store.stored(NAME):
        body, k, ms = json.loads(e["payload"]), e["slice"], times[(e["slice"], e["seq"])]
        now = clocks[k] = max(clocks.get(k, 0), ms)
        if e["type"] == "Other":
            continue
        key = body["id"]
        home_of[key] = k
        if key in seen and seen[key]["until"] <= now:
            del seen[key]
        if e["type"] == "Gone":
            seen.pop(key, None)
            continue
        row = seen.setdefault(key, {"n": 0, "sum": 0})
        row.update(n=row["n"] + 1, sum=row["sum"] + body["amount"], until=now + 5 * HOUR)
        hour = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
        row = hours.setdefault(f"{body['kind']}/{hour:%Y-%m-%dT%H}", {"n": 0, "sum": 0})
        row.update(n=row["n"] + 1, sum=row["sum"] + body["amount"],
                   until=(ms // HOUR + 1) * HOUR + 3 * HOUR)
    last = max(clocks.values())
    return ({key: {"n": r["n"], "sum": r["sum"]} for key, r in seen.items()
             if r["until"] > clocks[home_of[key]]},
            {key: {"n": r["n"], "sum": r["sum"]} for key, r in hours.items() if r["until"] > last})


def listed(h, model, *options):
    return h.must_json("list", model, "--limit", "1000", *options)["rows"]


def models(h, prefix):
    return tuple({r.pop("key"): r for r in listed(h, prefix + model)}
                 for model in ("seen", "hours"))


def digest_of(rows):
    """As docs/reference/replay.md defines it."""
    d = bytes(32)
    for key in sorted(rows):
        line = json.dumps({"key": key, **rows[key]}, separators=(",", ":")).encode()
        d = hashlib.sha256(d + hashlib.sha256(line).digest()).digest()
    return d.hex()


def both_equal_the_fold(h):
    want = fold()
    for prefix in ("", "lmdb_"):
        wait.equals(lambda p=prefix: models(h, p), want, 60, f"{prefix or 'Redis'}: the fold")
        sums = [r["sum"] for r in listed(h, f"{prefix}seen", "--index", "by_sum")]
        check.equal(sums, sorted((r["sum"] for r in want[0].values()), reverse=True))
    return want


@check.test
def rows_go_by_the_clock_of_the_store_in_lmdb_and_in_redis():
    h, _ = home()
    append(60, 1)
    process = h.start("--role", "projector", name="projector")
    both_equal_the_fold(h)
    append(60, 2)
    seen, hours = both_equal_the_fold(h)
    assert 3 <= len(seen) < 20 and 3 <= len(hours) < 20, (seen, hours)
    check.equal(process.alive(), True)


@check.test
def the_digest_is_that_of_a_fold_in_python_at_the_same_vector():
    h, _ = home()
    seen, hours = fold()
    for model, rows in (("seen", seen), ("hours", hours)):
        for prefix in ("", "lmdb_"):
            got = h.must_json("replay", prefix + model)
            check.equal((got["digest"], got["live"]["equal"]), (digest_of(rows), True),
                        prefix + model)


@check.test
def counted_and_read_one_by_one_they_are_the_same_rows():
    h, _ = home()
    seen, hours = fold()
    for model, rows in (("seen", seen), ("hours", hours)):
        check.equal(h.must_json("list", model, "--count")["count"], len(rows), model)
        for key, row in list(rows.items())[:2]:
            check.equal(h.must_json("get", model, key), {"key": key, **row})
    check.equal(h.cli("get", "hours", "x/2030-10-20T00").returncode, 3)


@check.test
def flushed_and_rebuilt_they_are_the_same():
    h, own = home()
    own.ask("FLUSHALL")
    h.must("model", "rebuild", "lmdb_seen")
    h.must("model", "rebuild", "lmdb_hours")
    append(30, 3)
    both_equal_the_fold(h)


@check.at_end
def clean():
    leat.end_all()
    if _home:
        _home[0].forget(NAME)


if __name__ == "__main__":
    servers.tool("kafka_tool")
    check.main()
