"""leat replay: the read models of a real run folded again from the store and compared with the
live ones; digests compared with a fold that Python does from SQL.

# sanitizers: asan
"""

import ctypes
import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo")]
from lib import api, check, kafka, leat, pg, servers, store, wait  # noqa: E402
import expected  # noqa: E402
import generate  # noqa: E402

NAME = "replay_leads"
ROWS = 300
MODELS = ("leads", "funnel", "tiers", "states")

JSON_NAME = "replay_json"
JSON_TOPOLOGY = f"""
leat: 1
name: {JSON_NAME}
partitions: 4
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
      Paid: {{add: {{sum: $.amount, n: 1}}, max: {{most: $.amount}}}}
      Named: {{set: {{name: $.name, at: $meta.seq}}}}
    indexes: {{by_name: [name, -sum]}}
  totals:
    store: lmdb
    key: $.kind
    from:
      Paid: {{add: {{sum: $.amount, n: 1, share: $.share}}}}
"""
JSON_SCHEMAS = {
    "AccState": [("sum", "long")],
    "Pay": [("id", "string"), ("amount", "long"), ("kind", "string"), ("share", "double")],
    "Paid": [("id", "string"), ("amount", "long"), ("kind", "string"), ("share", "double")],
    "Named": [("id", "string"), ("name", "string")],
}
_started = {}


# ---- the lead pipeline ----

def pipeline():
    """After 300 leads, still running."""
    if "leads" in _started:
        return _started["leads"]
    h = leat.Home(
        "topology/leads.yaml", env={"LEADS_RULES": f"{servers.ROOT}/rules/score.yaml"},
        replace={"name: leads\n": f"name: {NAME}\n",
                 "[../schemas]": f"[{os.path.join(servers.ROOT, 'schemas')}]"})
    h.forget(NAME)
    h.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    p = h.start("--listen", url[7:])
    wait.until(lambda: p.alive() and api.get(url + "/readyz").status == 200, 60, "leat to be ready")
    path = os.path.join(h.dir, "leads.csv")
    with open(path, "wb") as out:
        generate.generate(ROWS, 7, out)
    h.must("import", path, "-c", "CreateLead")

    def done():
        return (pg.value(f"select sum(next_offset) from {NAME}.lanes") ==
                sum(kafka.count(t) for t in kafka.topics(f"{NAME}.") if not t.endswith(
                    ("events", "dlq"))) and
                pg.value(f"select count(*) from {NAME}.outbox") == 0)
    wait.until(done, 60, "all commands to be handled")
    wait.until(lambda: expected.projected(url, NAME), 60, "the read models")
    _started["leads"] = h
    return h


def replay(h, *arguments, code=0):
    done = h.cli("replay", *arguments, "--json")
    check.equal(done.returncode, code, done.stderr[-500:])
    return json.loads(done.stdout)


@check.test
def every_model_of_a_real_run_is_equal():
    h = pipeline()
    events = pg.value(f"select count(*) from {NAME}.events")
    for model in MODELS:
        got = replay(h, model)
        check.equal((got["events"], got["skipped"], got["live"]["compared"], got["live"]["equal"]),
                    (events, 0, True, True), model)
        check.equal(got["digest"], got["live"]["digest"], model)
        assert got["rows"] >= 3, got
    check.contains(h.must("replay", "tiers"), "live      equal, row by row")


@check.test
def nothing_is_left_behind():
    with tempfile.TemporaryDirectory() as folder:
        pipeline().must("replay", "tiers", env={"TMPDIR": folder})
        check.equal(os.listdir(folder), [])


def edited_schemas_stop_no_reader(h, stream, states):
    """An edit of a schema's file that is not applied: events are read as the store has them."""
    folder, own = os.path.join(servers.ROOT, "schemas"), os.path.join(h.dir, "edited")
    shutil.copytree(folder, own)
    with open(os.path.join(own, "LeadState.avsc"), encoding="utf-8") as f:
        schema = json.load(f)
    schema["fields"].append({"name": "more", "type": "string", "default": ""})
    with open(os.path.join(own, "LeadState.avsc"), "w", encoding="utf-8") as f:
        json.dump(schema, f)
    with open(os.path.join(h.dir, "leat.yaml"), encoding="utf-8") as f:
        text = f.read()
    with open(os.path.join(h.dir, "edited.yaml"), "w", encoding="utf-8") as f:
        f.write(text.replace(folder, own))
    check.contains(h.cli("lag", "-t", "edited.yaml").stderr, "leat apply")  # the edit is seen
    check.contains(h.must("stream", stream, "-t", "edited.yaml"), "LeadRouted")
    lines = h.must("replay", "--stream", stream, "--json", "-t", "edited.yaml").splitlines()
    check.equal([json.loads(line) for line in lines], states)
    keyless = h.cli("stream", "lead", "-t", "edited.yaml").stderr
    check.contains(keyless, "a stream is <aggregate>-<key>, like lead-17")


@check.test
def a_stream_shows_its_state_after_each_event():
    h = pipeline()
    stream = pg.value(f"select stream from {NAME}.events where type = 'LeadRouted' limit 1")
    states = [json.loads(line) for line in
              h.must("replay", "--stream", stream, "--json").splitlines()]
    check.equal([(s["version"], s["type"]) for s in states],
                [(1, "LeadCreated"), (2, "LeadScored"), (3, "LeadRouted")])
    assert states[0]["state"] != states[1]["state"] != states[2]["state"], states
    second = h.must("replay", "--stream", stream, "--at-version", 2, "--json")
    check.equal(json.loads(second), states[1])
    check.contains(h.must("replay", "--stream", stream), "LeadScored")
    edited_schemas_stop_no_reader(h, stream, states)
    late = h.cli("replay", "--stream", stream, "--at-version", 9)
    check.equal((late.returncode, late.stderr.strip()[-15:]), (3, "is at version 3"))


# ---- a topology with JSON events that this script appends itself ----

def accounts():
    """Its store filled, its models built by a projector, which runs on."""
    if "json" in _started:
        return _started["json"]
    h = leat.Home(JSON_TOPOLOGY, schemas=JSON_SCHEMAS)
    h.forget(JSON_NAME)
    h.must("apply")
    append(*((f"k{i}é", i) for i in range(40)), ("x" * 120, 41))
    h.start("--role", "projector")
    h.publish = lambda: pg.execute(
        f"update {JSON_NAME}.published p set seq = s.head_seq from {JSON_NAME}.slices s "
        "where s.slice = p.slice")
    h.publish()
    wait.until(lambda: live_is_complete(h), 30, "the live models")
    _started["json"] = h
    return h


def append(*streams):
    """Six events to each (key, number)."""
    for_all = []
    for key, i in streams:
        events = [("Named", {"id": key, "name": f"n{i % 3}"})] + [
            ("Paid", {"id": key, "amount": 10 * i + j, "kind": "even" if j % 2 == 0 else "odd",
                      "share": 0.1 * (i + j)}) for j in range(5)]
        for_all.append(store.appending(JSON_NAME, f"acc-{key}", events))
    pg.execute("\n".join(for_all))


def live_is_complete(h):
    """A model that is not built yet lacks nothing, so events are counted too."""
    total = json.loads(h.must("lag", "--json"))["total"]
    card = replay(h, "card")
    return (total["unapplied_events"] == 0 and card["live"]["compared"]
            and card["events"] == int(pg.value(f"select count(*) from {JSON_NAME}.events")))


def python_cards(upto=None):
    """The rows of `card` from SQL, in the declared order of fields."""
    rows = {}
    for e in pg.rows(f"select slice, seq, type, convert_from(payload, 'UTF8') as payload from "
                     f"{JSON_NAME}.events order by slice, seq"):
        if upto is not None and int(e["seq"]) > upto:
            continue
        p = json.loads(e["payload"])
        row = rows.setdefault(p["id"], dict.fromkeys(("key", "sum", "n", "most", "name", "at")))
        row["key"] = p["id"]
        if e["type"] == "Named":
            row.update(name=p["name"], at=int(e["seq"]))
        else:
            row["sum"] = (row["sum"] or 0) + p["amount"]
            row["n"] = (row["n"] or 0) + 1
            row["most"] = max(p["amount"], row["most"] or 0)
    return rows


def digest_of(rows):
    """As docs/reference/replay.md defines it."""
    def place(key):
        raw = key.encode()
        return raw if len(raw) < 96 else raw[:64] + hashlib.sha256(raw).digest()

    d = bytes(32)
    for key in sorted(rows, key=place):
        line = json.dumps(rows[key], separators=(",", ":"), ensure_ascii=False).encode()
        d = hashlib.sha256(d + hashlib.sha256(line).digest()).digest()
    return d.hex()


@check.test
def the_digest_is_that_of_a_fold_in_python():
    h = accounts()
    got = replay(h, "card")
    want = python_cards()
    check.equal((got["rows"], got["digest"]), (len(want), digest_of(want)))
    check.equal(got["live"]["equal"], True)


@check.test
def it_stops_where_it_is_told():
    h = accounts()
    got = replay(h, "card", "--at-seq", 20)
    check.equal((got["digest"], got["live"]["compared"]), (digest_of(python_cards(20)), False))
    again = replay(h, "card", "--at-seq", got["position"])
    check.equal((again["digest"], again["position"]), (got["digest"], got["position"]))
    middle = pg.value(f"select recorded_at + interval '1 microsecond' from {JSON_NAME}.events "
                      "order by recorded_at offset 60 limit 1")
    utc = pg.value(f"select to_char('{middle}'::timestamptz at time zone 'UTC', "
                   "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    then = replay(h, "card", "--at-time", utc)
    check.equal(then["events"], pg.value(f"select count(*) from {JSON_NAME}.events where "
                                         f"recorded_at <= '{middle}'"))
    check.equal(replay(h, "card", "--at-time", "1h")["events"], 0)


@check.test
def a_kept_copy_is_a_data_folder():
    h = accounts()
    kept = os.path.join(h.dir, "kept")
    replay(h, "card", "--at-seq", 12, "--keep", kept)
    rows = json.loads(h.must("list", "card", "--data", kept, "--json", "--limit", 1000))["rows"]
    check.equal({r["key"]: r for r in rows}, python_cards(12))
    twice = h.cli("replay", "card", "--keep", kept)
    check.equal(twice.returncode, 2)
    check.contains(twice.stderr, "already holds a read model")
    live = h.cli("replay", "card", "--keep", os.path.join(h.dir, ".leat", JSON_NAME))
    check.equal(live.returncode, 2)
    check.contains(live.stderr, "holds the live read models")


@check.test
def it_meets_a_live_model_that_moves():
    h = accounts()
    for i in range(5):
        append((f"moving{i}", i))
        h.publish()
        got = replay(h, "card")
        check.equal((got["live"]["compared"], got["live"]["equal"]), (True, True), str(got))
    wait.until(lambda: live_is_complete(h), 30, "the live model")
    check.equal(replay(h, "card")["digest"], digest_of(python_cards()))


# ---- damage, done to the live LMDB behind leat's back ----

class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


def val(data):
    return Val(len(data), ctypes.cast(ctypes.create_string_buffer(data, len(data)),
                                      ctypes.c_void_p))


def change_row(h, name, model, key, change):
    """Row `key` becomes change(its bytes); None removes it."""
    folder = [d for d in glob.glob(f"{h.dir}/.leat/{name}/models/{model}.*") if os.path.isdir(d)][0]
    lmdb = ctypes.CDLL("liblmdb.so.0")
    env, txn, dbi, got = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint(), Val()

    def must(rc):
        assert rc == 0, f"LMDB error {rc}"

    must(lmdb.mdb_env_create(ctypes.byref(env)))
    must(lmdb.mdb_env_set_maxdbs(env, 8))
    must(lmdb.mdb_env_set_mapsize(env, ctypes.c_size_t(16 << 30)))
    must(lmdb.mdb_env_open(env, folder.encode(), 0x200000, 0o640))
    must(lmdb.mdb_txn_begin(env, None, 0, ctypes.byref(txn)))
    must(lmdb.mdb_dbi_open(txn, b"rows", 0, ctypes.byref(dbi)))
    where = val(key.encode())
    found = lmdb.mdb_get(txn, dbi, ctypes.byref(where), ctypes.byref(got))
    old = ctypes.string_at(got.data, got.size) if found == 0 else b""
    new = change(old)
    if new is None:
        must(lmdb.mdb_del(txn, dbi, ctypes.byref(where), None))
    else:
        must(lmdb.mdb_put(txn, dbi, ctypes.byref(where), ctypes.byref(val(new)), 0))
    must(lmdb.mdb_txn_commit(txn))
    lmdb.mdb_env_close(env)
    return old


@check.test
def a_damaged_field_is_found_and_named():
    h = pipeline()
    key = pg.value(f"select substr(stream, 6) from {NAME}.events where type = 'LeadRouted' limit 1")
    old = change_row(h, NAME, "leads", key, lambda row: row.replace(b"routed", b"scored"))
    try:
        got = replay(h, "leads", code=3)["live"]
        check.equal((got["equal"], got["different"]), (False, 1))
        check.equal(got["differences"],
                    [{"key": key, "kind": "fields",
                      "fields": [{"name": "stage", "live": "scored", "replay": "routed"}]}])
        shown = h.cli("replay", "leads")
        check.equal(shown.returncode, 3)
        check.contains(shown.stdout, f"row '{key}'\n    stage                 live \"scored\"  "
                       "replay \"routed\"\n")
        check.equal(replay(h, "funnel")["live"]["equal"], True)
    finally:
        change_row(h, NAME, "leads", key, lambda _: old)
    check.equal(replay(h, "leads")["live"]["equal"], True)


@check.test
def rows_missing_too_many_or_unreadable_are_found():
    h = accounts()
    kept = {"k1é": change_row(h, JSON_NAME, "card", "k1é", lambda _: None),
            "k2é": change_row(h, JSON_NAME, "card", "k2é", lambda row: b"\xff\xff\xff")}
    change_row(h, JSON_NAME, "card", "stranger", lambda _: kept["k1é"])
    try:
        got = replay(h, "card", code=3)["live"]
        check.equal({d["key"]: d["kind"] for d in got["differences"]},
                    {"k1é": "only_replay", "k2é": "damaged", "stranger": "only_live"})
        text = h.cli("replay", "card", "-n", "1").stdout
        check.contains(text, "DIFFERENT: 3 of ")
        check.contains(text, "and 2 more rows (--limit)")
    finally:
        for key, row in kept.items():
            change_row(h, JSON_NAME, "card", key, lambda _, row=row: row)
        change_row(h, JSON_NAME, "card", "stranger", lambda _: None)
    check.equal(replay(h, "card")["live"]["equal"], True)


@check.test
def sums_over_slices_may_round_but_not_more():
    h = accounts()
    got = replay(h, "totals")["live"]
    check.equal(got["equal"], True)


@check.test
def a_name_that_is_not_there_is_told_with_those_that_are():
    h = pipeline()
    run = h.cli("run", "--processors", "scor")
    check.equal(run.returncode, 2)
    check.contains(run.stderr, "did you mean 'score'?")
    rows = h.cli("list", "leads", "--index", "elsewhere")
    check.equal(rows.returncode, 2)
    check.contains(rows.stderr, "its indexes are by_")


@check.test
def wrong_calls_say_what_is_right():
    h = accounts()
    for arguments, text in [
            ((), "name a read model, or a stream with --stream"),
            (("crad",), "there is no read model 'crad'\n      did you mean 'card'?"),
            (("card", "--stream", "acc-k1"), "a read model or --stream, not both"),
            (("card", "--at-seq", "x=1"), "--at-seq: 'x=1' is no position"),
            (("card", "--at-seq", "9=1"), "--at-seq: slice 9: there are 0 to 3"),
            (("card", "--at-time", "noon"), "--at-time: 'noon' is no time"),
            (("--stream", "nobody-1"), "'nobody-1' is not a stream's id"),
            (("card", "--at-version", "2"), "--at-version goes with --stream")]:
        done = h.cli("replay", *arguments)
        check.equal(done.returncode, 2, str(arguments))
        check.contains(done.stderr, text)


if __name__ == "__main__":
    check.main()
