# sanitizers: asan
"""The projector on real Kafka and Postgres: whatever the events topic holds, the read model is the
fold of the store. The topic is written here, record by record; no relay runs."""

import json
import os
import random
import shutil
import signal
import time
import uuid

from lib import check, kafka, leat, pg, servers, store, wait

NAME = "leat_projection"
PARTITIONS = 4
TOPIC = f"{NAME}.events"

TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{acc: {{key: id, state: AccState}}}}
processors: {{accounts: {{aggregate: acc, commands: [Pay], emits: [Paid, Named]}}}}
projections:
  card:
    store: lmdb
    key: $.id
    from:
      Paid: {{add: {{sum: $.amount, n: 1}}, max: {{most: $.amount}}, append: {{last: $.amount}}}}
      Named: {{set: {{name: $.name, by: $meta.key}}}}
    indexes: {{by_name: [name, -sum]}}
  totals:
    store: lmdb
    key: $.kind
    from:
      Paid: {{add: {{sum: $.amount, n: 1}}}}
"""

SCHEMAS = {
    "AccState": [("sum", "long")],
    "Pay": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Paid": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Named": [("id", "string"), ("name", "string")],
}
_home = []


def home():
    """A store and topics of this script alone, empty at each call."""
    if not _home:
        _home.append(leat.Home(TOPOLOGY, schemas=SCHEMAS))
    h = _home[0]
    leat.end_all()
    h.forget(NAME)
    shutil.rmtree(os.path.join(h.dir, ".leat"), ignore_errors=True)
    h.must("apply")
    return h


def paid(key, amount, kind="x"):
    return "Paid", {"id": key, "amount": amount, "kind": kind}


def append(key, events):
    store.append(NAME, f"acc-{key}", events)


def fold():
    """What the two models must hold, computed by Python from SQL."""
    cards, totals = {}, {}
    for e in store.stored(NAME):
        try:
            p = json.loads(e["payload"])
        except json.JSONDecodeError:
            continue
        if e["type"] == "Named":
            card = cards.setdefault(p["id"], {})
            card.update(name=p["name"], by=e["stream"].removeprefix("acc-"))
        elif e["type"] == "Paid":
            card = cards.setdefault(p["id"], {})
            card["sum"] = card.get("sum", 0) + p["amount"]
            card["n"] = card.get("n", 0) + 1
            card["most"] = max(card.get("most", p["amount"]), p["amount"])
            card["last"] = (card.get("last", []) + [p["amount"]])[-100:]
            total = totals.setdefault(p["kind"], {"sum": 0, "n": 0})
            total["sum"] += p["amount"]
            total["n"] += 1
    return cards, totals


def listed(h, model, **options):
    rows, cursor = [], None
    while True:
        arguments = [f"--{k}={v}" for k, v in {**options, "limit": 1000}.items()]
        if cursor:
            arguments.append(f"--cursor={cursor}")
        page = h.must_json("list", model, *arguments)
        rows += page["rows"]
        cursor = page["cursor"]
        if not cursor:
            return rows


def models(h):
    cards = {r.pop("key"): {k: v for k, v in r.items() if v is not None}
             for r in listed(h, "card")}
    totals = {r.pop("key"): r for r in listed(h, "totals")}
    return cards, totals


def equals_fold(h, seconds=30):
    expected = fold()
    wait.equals(lambda: models(h), expected, seconds, "the models to equal the fold")
    named = [(r["name"], -r["sum"]) for r in listed(h, "card", index="by_name")
             if r["name"] and r["sum"]]
    check.equal(named, sorted(named), "the index is in order")


def projector(h, name="projector"):
    return h.start("--role", "projector", name=name)


def some_events(keys=12, each=6):
    for i in range(keys):
        key = f"k{i}"
        append(key, [("Named", {"id": key, "name": f"n{i % 3}"})] +
               [paid(key, 10 * i + j, "even" if j % 2 == 0 else "odd") for j in range(each)])


@check.test
def copies_in_any_order_are_applied_once():
    h = home()
    some_events()
    events = store.stored(NAME)
    store.publish(NAME, events)
    zombie = events[:]
    random.Random(3).shuffle(zombie)
    store.publish(NAME, zombie + events[5:20])
    p = projector(h)
    equals_fold(h)
    append("k0", [paid("k0", 1000)])
    store.publish(NAME, store.stored(NAME))
    equals_fold(h)
    check.equal(p.stop(), 0)


@check.test
def holes_are_taken_from_the_store():
    h = home()
    some_events()
    events = store.stored(NAME)
    lost = {(s, q) for s in range(PARTITIONS) for q in (1, 2, 7, 9)}
    store.publish(NAME, [e for e in events if (int(e["slice"]), int(e["seq"])) not in lost])
    projector(h)
    equals_fold(h)


@check.test
def a_lost_tail_is_found_when_idle():
    """interleavings 12: seqs 1..5 and 7 are in the topic, the store has more and says so."""
    h = home()
    some_events(keys=30)
    store.publish(NAME, [e for e in store.stored(NAME) if int(e["seq"]) <= 5 or int(e["seq"]) == 7])
    projector(h)
    wait.until(lambda: len(models(h)[0]) > 0, 30, "the first rows")
    store.set_published(NAME)
    equals_fold(h, 20)


@check.test
def an_empty_topic_is_made_up_for():
    h = home()
    some_events()
    store.set_published(NAME)
    projector(h)
    equals_fold(h)


@check.test
def foreign_and_broken_records_stop_nobody():
    h = home()
    some_events()
    append("bad", [("Paid", "{not json"), ("Paid", '{"amount": 1}'), paid("bad", 3)])
    events = store.stored(NAME)
    foreign = str(uuid.uuid4())
    mixed = []
    for e in events:
        mixed.append(store.record(e, store_id=foreign, event_id=str(uuid.uuid4())))
        mixed.append(("x", "no headers", {}, int(e["slice"])))
        mixed.append((None, None, {"leat-seq": "99999999999999999999", "leat-store": "?"},
                      int(e["slice"])))
        mixed.append(store.record(e))
    kafka.produce(TOPIC, mixed)
    store.set_published(NAME)
    p = projector(h)
    equals_fold_but_unkeyed(h)
    check.equal(p.alive(), True)


def equals_fold_but_unkeyed(h):
    """As the fold, but the payment without an id has no row anywhere but in its total."""
    def read():
        cards, totals = models(h)
        return cards.get("bad"), sum(t["n"] for t in totals.values())

    wait.equals(read, ({"sum": 3, "n": 1, "most": 3, "last": [3]}, 12 * 6 + 1), 30,
                "rows behind the broken events")


def cpu_ticks(p):
    with open(f"/proc/{p.pid}/stat", encoding="ascii") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))


def await_idle(p):
    """Until the process has used next to no processor time for a while."""
    seen = [(-100, 0)]

    def quiet():
        ticks, now = cpu_ticks(p), time.monotonic()
        if ticks - seen[0][0] > 2:
            seen[0] = (ticks, now)
        return now - seen[0][1] > 0.6

    wait.until(quiet, 30, f"{p.name} to be idle", every=0.02)


@check.test
def two_projectors_on_one_file_count_once():
    """interleavings 18: one is paused, its successor goes on, the old one wakes up."""
    h = home()
    some_events()
    old, new = projector(h, "old"), projector(h, "new")
    store.publish(NAME, store.stored(NAME))
    equals_fold(h)
    await_idle(old)  # not within a transaction: its lock would hold up the other until it wakes
    old.signal(signal.SIGSTOP)
    for i in range(5):
        append(f"k{i}", [paid(f"k{i}", 7)] * 4)
    store.publish(NAME, store.stored(NAME))
    equals_fold(h)
    old.signal(signal.SIGCONT)
    for i in range(12):
        append(f"k{i % 12}", [paid(f"k{i % 12}", i)])
        store.publish(NAME, store.stored(NAME)[-3:])
    store.set_published(NAME)
    equals_fold(h)
    check.equal((old.stop(), new.stop()), (0, 0))


@check.test
def killed_in_mid_batch_it_loses_and_doubles_nothing():
    h = home()
    for i in range(40):
        append(f"k{i}", [paid(f"k{i}", j % 97, f"kind{j % 5}") for j in range(400)])
    events = store.stored(NAME)
    rng = random.Random(11)
    at = 0
    while at < len(events):
        p = projector(h)
        store.publish(NAME, events[at:at + 2000])
        at += 2000
        wait.until(lambda: rng.random() < 0.05, 5, "the moment to kill", every=0.01)
        p.kill()
    store.set_published(NAME)
    projector(h)
    equals_fold(h, 60)


@check.test
def another_store_means_another_version():
    """The schema is dropped and made anew while topic and files stay: nothing old is counted on."""
    h = home()
    some_events()
    store.publish(NAME, store.stored(NAME))
    p = projector(h)
    equals_fold(h)
    p.stop()
    pg.drop_schema(NAME)
    h.must("apply")
    append("k1", [paid("k1", 5)])
    store.publish(NAME, store.stored(NAME))
    p = projector(h)
    equals_fold(h)
    pg.drop_schema(NAME)  # and once more under its feet
    h.must("apply")
    append("k2", [paid("k2", 6)])
    store.publish(NAME, store.stored(NAME))
    equals_fold(h)
    p.stop()


@check.test
def a_changed_declaration_is_built_beside_the_old_one():
    h = home()
    some_events()
    store.publish(NAME, store.stored(NAME))
    p = projector(h)
    equals_fold(h)
    p.stop()
    before = set(os.listdir(os.path.join(h.dir, ".leat", NAME, "models")))
    with open(h.path, encoding="utf-8") as f:
        text = f.read()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(text.replace("key: $.kind", "key: [$.kind, $.id]"))
    p = projector(h)
    wait.until(lambda: any("/" in r["key"] for r in listed(h, "totals")), 30, "the new version")
    check.equal(sum(r["n"] for r in listed(h, "totals")),
                sum(t["n"] for t in fold()[1].values()))
    after = set(os.listdir(os.path.join(h.dir, ".leat", NAME, "models")))
    check.equal(before <= after and len(after - before), 1, "the old version is left")
    p.stop()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(text)


@check.test
def absent_things_are_a_no_and_wrong_ones_a_usage_error():
    h = home()
    done = h.cli("get", "card", "k0")
    check.equal(done.returncode, 3, done.stderr)
    check.contains(done.stderr, "read model 'card' has no data")
    done = h.cli("get", "cart", "k0")
    check.equal((done.returncode, "did you mean 'card'?" in done.stderr), (2, True), done.stderr)
    some_events(keys=1)
    store.publish(NAME, store.stored(NAME))
    projector(h)
    equals_fold(h)
    done = h.cli("get", "card", "nobody")
    check.equal((done.returncode, done.stdout), (3, ""))
    done = h.cli("list", "card", "--index", "by_nmae")
    check.equal(done.returncode, 2, done.stderr)
    done = h.cli("list", "card", "--limit", "0")
    check.equal(done.returncode, 2, done.stderr)
    check.equal(json.loads(h.must("get", "card", "k0", "--json"))["n"], 6)
    check.contains(h.must("list", "card"), "k0")


@check.test
def one_works_and_the_next_takes_over_at_once():
    h = home()
    some_events(keys=4)
    store.publish(NAME, store.stored(NAME))
    first = projector(h, "first")
    equals_fold(h)
    second = projector(h, "second")
    for _ in range(3):
        append("k0", [paid("k0", 9)])
    store.publish(NAME, store.stored(NAME))
    equals_fold(h)
    check.equal("took-over" in second.log(), False)
    first.kill()
    second.await_log("took-over", 10)
    append("k1", [paid("k1", 9)])
    store.publish(NAME, store.stored(NAME)[-9:])
    store.set_published(NAME)
    equals_fold(h)


@check.at_end
def clean():
    leat.end_all()
    if _home:
        _home[0].forget(NAME)


if __name__ == "__main__":
    servers.tool("kafka_tool")
    check.main()
