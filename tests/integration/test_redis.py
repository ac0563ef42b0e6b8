"""Models in Redis, on a redis-server of the test's own that loses what it holds in every way there
is: afterwards each model is the fold of the store, by itself. The events topic is written here."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess

from lib import check, leat, pg, redis, servers, store, wait

NAME = "leat_redis"
PARTITIONS = 4
MODELS = """
  {0}card:
    store: {1}
    key: $.id
    from:
      Paid: {{add: {{sum: $.amount, n: 1}}, max: {{most: $.amount}}, append: {{last: $.amount}}}}
      Named: {{set: {{name: $.name, by: $meta.key}}}}
      Gone: {{delete: true}}
    indexes: {{by_name: [name, -sum]}}
  {0}totals:
    store: {1}
    key: $.kind
    from:
      Paid: {{add: {{sum: $.amount, n: 1}}, min: {{least: $.amount}}, collect: {{who: $.id}}}}
    indexes: {{by_sum: [-sum]}}
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
processors: {{accounts: {{aggregate: acc, commands: [Pay], emits: [Paid, Named, Gone]}}}}
projections:{MODELS.format("", "redis")}{MODELS.format("lmdb_", "lmdb")}
"""
SCHEMAS = {
    "AccState": [("sum", "long")],
    "Pay": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Paid": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Named": [("id", "string"), ("name", "string")],
    "Gone": [("id", "string")],
}
CARD, TOTALS = ("sum", "n", "most", "last", "name", "by"), ("sum", "n", "least", "who")
_home, _server, _running = [], [], []


def server():
    if not _server:
        _server.append(redis.Server())
    return _server[0]


def home(url=None):
    """A store, topics and an empty Redis of this script alone."""
    if not _home:
        _home.append(leat.Home(TOPOLOGY, schemas=SCHEMAS))
    h = _home[0]
    leat.end_all()
    server().ask("FLUSHALL")
    server().ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    h.env["OWN_REDIS"] = url or server().url
    h.forget(NAME)
    shutil.rmtree(os.path.join(h.dir, ".leat"), ignore_errors=True)
    h.must("apply")
    return h


def paid(key, amount, kind="x"):
    return "Paid", {"id": key, "amount": amount, "kind": kind}


def append(key, events):
    store.append(NAME, f"acc-{key}", events)


def stored():
    return store.stored(NAME)


def publish(events):
    store.publish(NAME, events)
    store.set_published(NAME)


def some_events(keys=12, each=6, name="n"):
    for i in range(keys):
        key = f"k{i}"
        append(key, [("Named", {"id": key, "name": f"{name}{i % 3}"})] +
               [paid(key, 10 * i + j, "even" if j % 2 == 0 else "odd") for j in range(each)] +
               ([("Gone", {"id": key})] if i % 5 == 4 else []))


def fold(upto=None):
    """What the models must hold, computed by Python from SQL; up to these seqs of the slices."""
    cards, totals = {}, {}
    for e in stored():
        if upto is not None and int(e["seq"]) > upto[int(e["slice"])]:
            continue
        p = json.loads(e["payload"])
        card = cards.setdefault(p["id"], {})
        if e["type"] == "Named":
            card.update(name=p["name"], by=e["stream"].removeprefix("acc-"))
        elif e["type"] == "Gone":
            del cards[p["id"]]
        else:
            card["sum"] = card.get("sum", 0) + p["amount"]
            card["n"] = card.get("n", 0) + 1
            card["most"] = max(card.get("most", p["amount"]), p["amount"])
            card["last"] = (card.get("last", []) + [p["amount"]])[-100:]
            total = totals.setdefault(p["kind"], {"sum": 0, "n": 0, "least": p["amount"],
                                                  "who": []})
            total["sum"] += p["amount"]
            total["n"] += 1
            total["least"] = min(total["least"], p["amount"])
            total["who"] = sorted(set(total["who"]) | {p["id"]})
    return cards, totals


def listed(h, model, **options):
    rows, cursor = [], None
    while True:
        arguments = [f"--{k}={v}" for k, v in {"limit": 1000, **options}.items()]
        if cursor:
            arguments.append(f"--cursor={cursor}")
        page = h.must_json("list", model, *arguments)
        rows += page["rows"]
        cursor = page["cursor"]
        if not cursor:
            return rows


def models(h, prefix=""):
    cards = {r.pop("key"): {k: v for k, v in r.items() if v is not None}
             for r in listed(h, f"{prefix}card")}
    return cards, {r.pop("key"): r for r in listed(h, f"{prefix}totals")}


def by_index(h):
    return [r["key"] for r in listed(h, "card", index="by_name")]


def equals_fold(h, seconds=90):
    """The models are the fold, and the index of one has its rows in order."""
    cards, totals = fold()
    order = sorted(cards, key=lambda k: (cards[k].get("name") or "", -cards[k].get("sum", 0), k))
    wait.equals(lambda: (*models(h), by_index(h)), (cards, totals, order), seconds,
                "the models to equal the fold")


def projector(h, name="projector"):
    """One that is killed and started again under its name has its share back at once."""
    return h.start("--role", "projector", "--instance", name, "--session-timeout", "2s", name=name)


def running():
    """The home and the projector that the test before has left, or new ones with some events."""
    usable = _running and _running[0][1].alive()
    if not usable or _running[0][0].env["OWN_REDIS"] != server().url:
        h = home()
        some_events()
        publish(stored())
        _running[:] = [(h, projector(h))]
        equals_fold(h)
    return _running[0]


def digest_of(rows, fields):
    """As docs/reference/replay.md defines it."""
    d = bytes(32)
    for key in sorted(rows):
        row = {"key": key, **{f: rows[key].get(f) for f in fields}}
        line = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()
        d = hashlib.sha256(d + hashlib.sha256(line).digest()).digest()
    return d.hex()


def vector(position):
    """slice -> seq of a position as text."""
    pairs = (pair.split("=") for group in position.split(";")
             for pair in group.partition(":")[2].split(","))
    return {int(k): int(seq) for k, seq in pairs}


@check.test
def on_its_way_a_model_is_the_fold_up_to_its_vector_in_both_stores():
    h = home()
    some_events()
    heads = {int(e["slice"]): int(e["seq"]) for e in stored()}
    upto = {k: heads.get(k, 0) * (k + 2) // (PARTITIONS + 2) for k in range(PARTITIONS)}
    store.publish(NAME, [e for e in stored() if int(e["seq"]) <= upto[int(e["slice"])]])
    for k, seq in upto.items():
        pg.execute(f"update {NAME}.published set seq = {seq} where slice = {k}")
    _running[:] = [(h, projector(h))]
    wait.equals(lambda: (models(h), models(h, "lmdb_")), (fold(upto), fold(upto)), 90,
                "both stores to hold a part")
    cards, totals = fold(upto)
    assert cards and len(cards) < len(fold()[0]), "a part"
    for prefix in ("", "lmdb_"):
        for model, rows, fields in (("card", cards, CARD), ("totals", totals, TOTALS)):
            got = h.must_json("replay", prefix + model)
            check.equal((vector(got["position"]), got["live"]["digest"], got["digest"]),
                        (upto, *[digest_of(rows, fields)] * 2), prefix + model)
    publish([e for e in stored() if int(e["seq"]) > upto[int(e["slice"])]])
    equals_fold(h)


def slice_keys(kind):
    return server().keys(f"{{{NAME}.card.*}}:{kind}")


@check.test
def both_stores_hold_the_same_and_any_client_reads_it():
    h, p = running()
    publish(stored()[5:20])
    wait.equals(lambda: models(h, "lmdb_"), fold(), 60, "LMDB to hold the same")
    for model in ("card", "totals"):
        check.equal(listed(h, model), listed(h, f"lmdb_{model}"), f"{model} is listed alike")
    for model, index in (("card", "by_name"), ("totals", "by_sum")):
        check.equal(listed(h, model, index=index, limit=4),
                    listed(h, f"lmdb_{model}", index=index, limit=4))
    found = [server().ask("HGET", key, "k1") for key in slice_keys("rows")]
    row = next(json.loads(text) for text in found if text)
    expected = h.must_json("get", "card", "k1")
    del expected["key"]
    check.equal(row, expected, "a row is the JSON that leat get prints")
    check.equal(h.cli("get", "card", "nobody").returncode, 3)
    append("k1", [("Gone", {"id": "k1"})])
    append("new", [paid("new", 5, "other")])
    publish(stored())
    equals_fold(h)
    check.equal(p.alive(), True)


@check.test
def a_replay_has_the_digest_of_a_fold_in_python():
    h, _ = running()
    cards, totals = fold()
    for model, rows, fields in (("card", cards, CARD), ("totals", totals, TOTALS)):
        got = h.must_json("replay", model)
        check.equal((got["digest"], got["live"]["equal"]), (digest_of(rows, fields), True), model)
        check.equal(got["live"]["digest"], h.must_json("replay", f"lmdb_{model}")["digest"])
    key = slice_keys("rows")[0]
    field = next(f for f in server().ask("HKEYS", key) if f)
    server().ask("HSET", key, field, server().ask("HGET", key, field).replace(b'"n":', b'"n":9'))
    done = h.cli("replay", "card", "--json")
    check.equal((done.returncode, json.loads(done.stdout)["live"]["equal"]), (3, False))
    server().ask("FLUSHALL")
    equals_fold(h)


@check.test
def flushed_and_restored_it_becomes_the_fold_again():
    h, p = running()
    old = server().save()
    some_events(keys=5, each=3, name="m")
    publish(stored())
    equals_fold(h)
    server().restore(old)  # behind, while nothing comes from Kafka
    equals_fold(h)
    append("k0", [paid("k0", 1000)])
    server().restore(old)  # and while something does
    publish(stored()[-4:])
    equals_fold(h)
    server().restore(None)
    equals_fold(h)
    check.equal(p.alive(), True)


@check.test
def what_is_evicted_is_folded_again():
    h, p = running()
    for busy in (True, False):
        for kind, key in (("rows", 0), ("order", 1), ("index:by_name", 2), ("fresh", 3)):
            server().ask("DEL", slice_keys(kind)[key])
        for key in server().keys(f"{{{NAME}.card}}:*"):  # the version in use, its form
            server().ask("DEL", key)
        if busy:
            append("k2", [paid("k2", 3)])
            publish(stored()[-4:])
        equals_fold(h)
    check.equal(p.alive(), True)


@check.test
def redis_away_is_waited_for():
    h, p = running()
    kept = server().save()
    server().kill()
    some_events(keys=6, name="away")
    publish(stored())
    p.await_log("redis-away", 60)
    done = h.cli("get", "card", "k1")
    check.equal(done.returncode, 1)
    check.contains(done.stderr, f"Redis 127.0.0.1:{server().port}: Connection refused")
    with open(os.path.join(server().dir, "dump.rdb"), "wb") as f:
        f.write(kept)
    server().start()
    equals_fold(h)


@check.test
def another_store_is_folded_from_its_first_event():
    h, p = running()
    pg.drop_schema(NAME)
    h.must("apply")
    append("k1", [paid("k1", 5)])
    publish(stored())
    equals_fold(h)
    check.equal(p.stop(), 0)


@check.test
def a_server_that_evicts_is_refused():
    h = home()
    some_events(keys=3)
    publish(stored())
    server().ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    p = projector(h)
    p.await_log("maxmemory-policy allkeys-lru: it would remove rows of read models", 60)
    check.equal(server().keys(f"{{{NAME}.*:rows"), [])
    check.equal(h.cli("doctor").returncode, 1)
    server().ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    equals_fold(h)
    _running[:] = [(h, p)]


@check.test
def a_changed_declaration_is_a_version_beside_the_old_one():
    h, p = running()
    p.stop()
    with open(h.path, encoding="utf-8") as f:
        text = f.read()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(text.replace("key: $.kind", "key: [$.kind, $.id]"))
    p = projector(h)
    wait.until(lambda: any("/" in r["key"] for r in listed(h, "totals")), 60, "the new version")
    check.equal(sum(r["n"] for r in listed(h, "totals")),
                sum(t["n"] for t in fold()[1].values()))
    check.equal(server().ask("SCARD", f"{{{NAME}.totals}}:versions"), 2)
    p.stop()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(text)


def versions(h, model="card"):
    return {v["version"]: v for v in h.must_json("model", "list", model)}


def current(h, model="card"):
    return h.must_json("model", "status", model)["current"]


@check.test
def a_version_is_rebuilt_beside_the_one_in_use_switched_compared_dropped():
    h, p = running()
    old = current(h)
    events = len(stored())
    built = h.must_json("model", "rebuild", "card", "--switch")
    new = built["version"]
    check.equal((built["switched"], built["events"], current(h)), (True, events, new))
    append("k1", [paid("k1", 9)])
    publish(stored()[-4:])
    equals_fold(h)
    same = h.must_json("model", "diff", "card", old, new)
    check.equal((same["equal"], same["same_position"]), (True, True), "both are fed")
    row = next(key for key in server().keys(f"{{{NAME}.card.{old}.*}}:rows")
               if server().ask("HEXISTS", key, "k1"))
    server().ask("HSET", row, "k1", server().ask("HGET", row, "k1").replace(b'"n":', b'"n":9'))
    other = h.cli("model", "diff", "card", old, "--json")
    check.equal((other.returncode, [d["key"] for d in json.loads(other.stdout)["differences"]]),
                (3, ["k1"]))
    h.must("model", "switch", "card", old)
    check.equal(current(h), old)
    h.must("model", "switch", "card")
    check.equal({n: v["state"] for n, v in versions(h).items()}, {old: "former", new: "current"})
    check.equal({v["rows"] for v in versions(h).values()}, {len(fold()[0])})
    for call, code, text in ((("drop", "card", new), 2, "readers use"),
                             (("drop", "card", "ffff"), 2, "no version 'ffff'"),
                             (("compact", "card"), 2, "kept in Redis")):
        done = h.cli("model", *call)
        check.equal((done.returncode, text in done.stderr), (code, True), done.stderr)
    h.must("model", "drop", "card", old)
    check.equal(list(versions(h)), [new])
    p.await_log("this version was dropped", 60)
    check.equal(server().keys(f"{{{NAME}.card.{old}.*"), [])
    append("k1", [paid("k1", 10)])
    publish(stored()[-4:])
    equals_fold(h)
    server().ask("FLUSHALL")
    equals_fold(h)
    check.equal((current(h), list(versions(h))), (new, [new]))


@check.test
def a_rebuild_that_was_killed_is_gone_on_with():
    h, _ = running()
    events = len(stored())
    build = subprocess.Popen(
        [servers.BIN, "model", "rebuild", "totals", "--throttle", "20/s"], cwd=h.dir, env=h.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def state():
        return [v["state"] for v in versions(h, "totals").values() if v["state"] != "current"]

    wait.equals(state, ["building"], 60)
    second = h.cli("model", "rebuild", "totals")
    check.equal((second.returncode, "built by another process" in second.stderr), (1, True),
                second.stderr)
    h.must("model", "pause", "totals")
    wait.equals(state, ["paused"], 60)
    build.kill()
    build.wait()
    wait.equals(state, ["broken off"], 60)
    h.must("model", "resume", "totals")
    built = h.must_json("model", "rebuild", "totals", "--throttle", "1000000/s", "--switch")
    check.equal((built["events"] + built["resumed"], current(h, "totals")),
                (events, built["version"]))
    equals_fold(h)


@check.test
def a_user_of_its_own_with_what_the_reference_lists_is_enough():
    page = os.path.join(servers.ROOT, "docs", "reference", "redis.md")
    with open(page, encoding="utf-8") as f:
        rules = re.search(r"ACL SETUSER leat (.*)", f.read()).group(1)
    own = redis.Server("--requirepass", "other")
    user = rules.replace("PASSWORD", "se:cret").replace("shop", NAME).split()
    redis.ask(own.port, "ACL", "SETUSER", "leat", *user, login="other")
    at = f"127.0.0.1:{own.port}/0"
    h = home(f"redis://leat:wrong@{at}")
    some_events(keys=3)
    publish(stored())
    p = projector(h)
    p.await_log("WRONGPASS", 60)
    check.equal("wrong@" in p.log() or "se:cret" in p.log(), False, "no password is told")
    check.contains(h.cli("get", "card", "k1").stderr, "are not the server's")
    p.stop()
    h.env["OWN_REDIS"] = f"redis://leat:se%3Acret@{at}"
    p = projector(h)
    equals_fold(h)
    old = current(h)
    h.must("model", "rebuild", "card", "--switch")
    h.must("model", "diff", "card", old)
    h.must("model", "drop", "card", old)
    redis.ask(own.port, "ACL", "SETUSER", "leat", "-zadd", login="other")
    append("k1", [paid("k1", 4)])
    publish(stored()[-4:])
    p.await_log("lists the commands and keys a user needs", 60)
    redis.ask(own.port, "ACL", "SETUSER", "leat", "+zadd", login="other")
    equals_fold(h)
    check.equal(p.stop(), 0)
    own.kill()


@check.test
def a_cluster_of_one_node_works_and_one_of_several_is_told():
    first, second = (redis.Server("--cluster-enabled", "yes", "--cluster-port",
                                  str(servers.free_port())) for _ in range(2))
    h = home(first.url)
    some_events(keys=3)
    publish(stored())
    first.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait.until(lambda: b"cluster_state:ok" in first.ask("CLUSTER", "INFO"), 60, "the cluster")
    p = projector(h)
    equals_fold(h)
    check.equal(p.stop(), 0)
    first.ask("FLUSHALL")
    first.ask("CLUSTER", "DELSLOTSRANGE", 0, 16383)
    p = projector(h)
    p.await_log("needs a master that holds all slots", 60)
    check.equal(h.cli("get", "card", "k1").returncode, 1)
    first.ask("CLUSTER", "MEET", "127.0.0.1", second.port, int(second.options[-1]))
    second.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait.until(lambda: b"cluster_state:ok" in first.ask("CLUSTER", "INFO"), 60, "both nodes")
    p.await_log("MOVED", 60)
    check.equal(p.stop(), 0)
    first.kill()
    second.kill()


@check.test
def a_replica_that_lags_is_promoted():
    replica = redis.Server()
    h = home(f"redis://127.0.0.1:{server().port},127.0.0.1:{replica.port}/0")
    replica.follow(server())
    some_events()
    publish(stored())
    p = projector(h)
    equals_fold(h)
    replica.ask("REPLICAOF", "NO", "ONE")  # from here on it lags
    some_events(keys=7, each=4, name="late")
    publish(stored()[-30:])
    equals_fold(h)
    server().kill()
    append("k3", [paid("k3", 77)])
    publish(stored()[-4:])
    equals_fold(h)
    check.equal(p.stop(), 0)
    server().start()
    replica.kill()


@check.test
def killed_and_doubled_projectors_count_once():
    """kill -9 in any phase, two at once, one paused and back: nothing is lost or counted twice."""
    h = home()
    for i in range(12):
        append(f"k{i}", [paid(f"k{i}", j % 97, f"kind{j % 5}") for j in range(150)])
    events = stored()
    rng = random.Random(7)
    for at in range(0, len(events), 600):
        p = projector(h)
        publish(events[at:at + 600])
        p.await_log("folds its share", 60)
        wait.until(lambda: rng.random() < 0.1, 5, "the moment to kill", every=0.02)
        p.kill()
    old, new = projector(h, "old"), projector(h, "new")
    equals_fold(h)
    old.signal(signal.SIGSTOP)
    for i in range(6):
        append(f"k{i}", [paid(f"k{i}", 7)] * 4)
    publish(stored()[-100:])
    equals_fold(h)
    old.signal(signal.SIGCONT)
    for i in range(6):
        append(f"k{i}", [paid(f"k{i}", i)])
    publish(stored()[-50:])
    equals_fold(h)
    check.equal((old.stop(), new.stop()), (0, 0))


@check.at_end
def clean():
    leat.end_all()
    if _home:
        _home[0].forget(NAME)


if __name__ == "__main__":
    servers.tool("kafka_tool")
    check.main()
