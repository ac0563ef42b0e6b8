# sanitizers: asan
"""What can be asked of read models, by HTTP and by the verbs: every answer against a model kept
in Python. Events are appended with SQL, so that no processor is needed."""

import concurrent.futures
import http.client
import itertools
import json
import random
import socket
import threading
import time
import urllib.parse
import uuid

from lib import api, check, leat, pg, servers, store, wait

NAME = "leat_reads"
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
processors: {{orders: {{aggregate: order, commands: [Place], emits: [Placed, Closed]}}}}
projections:
  orders:
    key: $.id
    from:
      Placed:
        set: {{customer: $.customer, total: $.total, price: $.price, note: $.note,
               paid: $.paid}}
        append: {{tags: $.tag}}
      Closed: {{delete: true}}
    indexes: {{by_customer: [customer, -total], by_total: [total], by_note: [note]}}
queries:
  OrdersOf: {{model: orders, index: by_customer, params: [customer]}}
  GetOrder: {{model: orders}}
http: {{listen: "127.0.0.1:0"}}
"""
SCHEMAS = {
    "OrderState": [("total", "long")],
    "Place": [("id", "string")],
    "Closed": [("id", "string")],
    "Placed": [("id", "string"), ("customer", "string"), ("total", "long"), ("price", "double"),
               ("note", ["null", "string"]), ("paid", "boolean"), ("tag", "string")],
}
ROWS = 150
NOTES = ("a,b", 'say "x"', "Ann", "Annabel", "anna", "42", "null", "ü", "a|b")
_system = {}


def order(i):
    return {"id": f"o{i:03}", "customer": f"c{i % 7}", "total": (i * 37) % 50 - 5,
            "price": i / 8, "note": None if i % 11 == 0 else NOTES[i % len(NOTES)],
            "paid": i % 3 == 0, "tag": f"t{i % 4}"}


def row(i):
    o = order(i)
    return {"key": o["id"], **{k: o[k] for k in ("customer", "total", "price", "note", "paid")},
            "tags": [o["tag"]]}


def system():
    """Base URL, home, and the rows as they should be, by key."""
    if not _system:
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS)
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        process = h.start("--listen", url[7:], "--role", "relay,projector,http")
        pg.execute(" ".join(store.appending(NAME, f"order-o{i:03}", [("Placed", order(i))])
                            for i in range(ROWS)))
        wait.until(lambda: process.alive() and count(url) == ROWS, 60,
                   f"{ROWS} rows ({process.log_path})")
        _system.update(url=url, home=h, process=process,
                       rows={f"o{i:03}": row(i) for i in range(ROWS)})
    return _system["url"], _system["home"], _system["rows"]


def count(url):
    a = api.get(url + "/v1/count/orders")
    return a.json["count"] if a.status == 200 else -1


def ask(path, headers=None, seconds=10, **given):
    url = system()[0]
    query = urllib.parse.urlencode(given)
    return api.get(f"{url}/v1/{path}" + (f"?{query}" if query else ""), headers=headers or {},
                   seconds=seconds)


def good(path, **given):
    a = ask(path, **given)
    check.equal(a.status, 200, f"{path} {given} {a.body.decode()}")
    for name in ("Leat-Position", "Leat-Version", "ETag"):
        assert a.headers[name], f"{path}: no {name}"
    assert int(a.headers["Leat-Age-Ms"]) >= 0
    return a.json


def refused(path, status, part, hint="", **given):
    a = ask(path, **given)
    check.equal((a.status, a.headers["Content-Type"]), (status, "application/problem+json"),
                f"{path} {given} {a.body.decode()}")
    check.contains(a.json["detail"], part)
    check.contains(a.json.get("hint", ""), hint)


def at_slice(position):
    """{slice: (store id, seq)}: every slice may be of a store of its own."""
    found = {}
    for group in position.split(";"):
        store_id, parts = group.split(":")
        for part in parts.split(","):
            k, seq = part.split("=")
            found[int(k)] = (store_id, int(seq))
    return found


def keys(rows):
    return [r["key"] for r in rows]


@check.test
def fields_and_several_keys():
    url, h, rows = system()
    check.equal(good("models/orders/o007"), rows["o007"])
    check.equal(good("models/orders/o007", fields="total,key,tags"),
                {"key": "o007", "total": rows["o007"]["total"], "tags": ["t3"]})
    some = ["o003", "nix", "o001", "o003"]
    expected = {"rows": [rows[k] for k in some if k in rows], "missing": ["nix"]}
    check.equal(good("models/orders", keys=",".join(some)), expected)
    a = api.post(url + "/v1/models/orders", {"keys": some, "fields": ["total", "note"]})
    check.equal(a.json["rows"][1], {"key": "o001", "total": rows["o001"]["total"],
                                    "note": rows["o001"]["note"]})
    check.equal(a.json["missing"], ["nix"])
    assert a.headers["Leat-Position"]
    refused("models/orders/o007", 400, "parameter 'fields': model 'orders' has no field 'totl'",
            "'total'", fields="totl")
    refused("models/orders", 400, "there is no parameter 'limit'", keys="o001", limit=1)
    refused("models/orders", 400, "no row has an empty key", keys="o001,,o002")
    for body, part in (({"keys": []}, "'keys' must be a list of 1 to 1000"),
                       ({"keys": "o1"}, "'keys' must be a list"), ([], "a JSON object"),
                       ({"keys": ["a"], "field": 1}, "no member 'field'"), (b"{", "the body"),
                       ({"keys": ["a"] * 1001}, "at most 1000")):
        a = api.post(url + "/v1/models/orders", body)
        check.equal(a.status, 400, str(body)[:100])
        check.contains(a.json["detail"], part)
    done = h.cli("get", "orders", *some, "--fields", "total", "--json")
    check.equal((done.returncode, json.loads(done.stdout)["missing"]), (3, ["nix"]))
    check.contains(done.stderr, "nix")
    check.equal(h.must_json("get", "orders", "o001", "o002"),
                good("models/orders", keys="o001,o002"))


TESTS = (
    ("customer=c3", lambda r: r["customer"] == "c3"),
    ("customer=c3|c4,total>=10", lambda r: r["customer"] in ("c3", "c4") and r["total"] >= 10),
    ("customer!=c3|c4", lambda r: r["customer"] not in ("c3", "c4")),
    ("total<0", lambda r: r["total"] < 0),
    ("price>3.5,price<=10", lambda r: 3.5 < r["price"] <= 10),
    ("total=1e1", lambda r: r["total"] == 10),
    ("note=null", lambda r: r["note"] is None),
    ('note="null"', lambda r: r["note"] == "null"),
    ("note!=null", lambda r: r["note"] is not None),
    ("note=42", lambda r: r["note"] == "42"),
    ("note^=Ann", lambda r: (r["note"] or "").startswith("Ann")),
    ("note*=nn", lambda r: "nn" in (r["note"] or "")),
    ('note="a,b"', lambda r: r["note"] == "a,b"),
    ('note="a|b"|Ann', lambda r: r["note"] in ("a|b", "Ann")),
    ('note="say ""x"""', lambda r: r["note"] == 'say "x"'),
    ("note>b", lambda r: r["note"] is not None and r["note"].encode() > b"b"),
    ("paid=true", lambda r: r["paid"]),
    ("paid!=true,tags*=t1", lambda r: not r["paid"] and "t1" in r["tags"]),
    ("customer=5", lambda r: False),
)


@check.test
def filters_on_any_field():
    _, h, rows = system()
    for where, holds in TESTS:
        expected = [k for k in sorted(rows) if holds(rows[k])]
        check.equal(keys(good("models/orders", where=where, limit=1000)["rows"]), expected, where)
        check.equal(good("count/orders", where=where)["count"], len(expected), where)
    check.equal(h.must_json("list", "orders", "--where", "note^=Ann", "--count"),
                good("count/orders", where="note^=Ann"))
    check.equal(h.must_json("list", "orders", "-w", "paid=true", "--fields", "total", "-n", 500),
                good("models/orders", where="paid=true", fields="total", limit=500))
    for where, part, hint in (
            ("totl>5", "parameter 'where': model 'orders' has no field 'totl'", "'total'"),
            ("total", "'total' is no test", "= != <"), ("=5", "no test", ""),
            ("paid>true", "only equal or not", ""),
            (",".join(["total>1"] * 17), "more than 16 tests", ""),
            ("total=" + "|".join(["1"] * 65), "more than 64 values", "")):
        refused("models/orders", 400, part, hint, where=where)


@check.test
def orders_ranges_and_prefixes():
    _, h, rows = system()
    by_total = sorted(rows.values(), key=lambda r: (r["total"], r["key"]))
    check.equal(keys(good("models/orders", index="by_total", order="desc", limit=5)["rows"]),
                keys(by_total[::-1][:5]))
    between = keys([r for r in by_total if 3 <= r["total"] <= 20])
    check.equal(keys(good("models/orders", index="by_total", limit=1000, order="desc",
                          **{"from": 3, "to": 20})["rows"]), between[::-1])
    check.equal(keys(good("models/orders", order="desc", to="o003", limit=3)["rows"]),
                ["o003", "o002", "o001"])
    check.equal(keys(good("models/orders", prefix="o14")["rows"]), [f"o14{i}" for i in range(10)])
    check.equal(keys(good("models/orders", prefix="o14", order="desc", limit=2)["rows"]),
                ["o149", "o148"])
    for prefix in ("Ann", "an", "a", "ü", "42"):
        expected = sorted((r["note"].encode(), k) for k, r in rows.items()
                          if (r["note"] or "").startswith(prefix))
        found = good("models/orders", index="by_note", prefix=f'"{prefix}"', limit=1000)["rows"]
        check.equal(keys(found), [k for _, k in expected], prefix)
    c3 = sorted((r for r in rows.values() if r["customer"] == "c3"), key=lambda r: -r["total"])
    check.equal(keys(good("queries/OrdersOf", customer="c3")["rows"]), keys(c3))
    check.equal(keys(good("queries/OrdersOf", customer="c3", order="desc", fields="total")["rows"]),
                keys(c3[::-1]))
    check.equal(h.must_json("list", "orders", "--index", "by_total", "--desc", "-n", 4),
                good("models/orders", index="by_total", order="desc", limit=4))
    check.equal(h.must_json("list", "orders", "--prefix", "o14", "-n", 30),
                good("models/orders", prefix="o14", limit=30))
    refused("models/orders", 400, "parameter 'order' must be asc or desc", order="down")
    refused("models/orders", 400, "prefix stands alone", prefix="o1", to="o2")
    refused("models/orders", 400, "whole number from 1 to 1000", limit=0)
    refused("models/orders", 400, "at most 48 bytes", index="by_note", prefix="x" * 49)


@check.test
def counts_groups_and_sums():
    _, h, rows = system()
    check.equal(good("count/orders"), {"count": len(rows)})
    check.equal(good("count/orders", index="by_total", **{"from": 10})["count"],
                sum(r["total"] >= 10 for r in rows.values()))
    check.equal(good("count/orders", prefix="o14")["count"], 10)
    got = good("aggregate/orders", group="customer,paid", where="total>0",
               values="sum(total),avg(price),min(note),max(total),count")
    check.equal((got["rows"], got["more"]), (sum(r["total"] > 0 for r in rows.values()), False))
    by = lambda r: (r["customer"], r["paid"])  # noqa: E731
    chosen = sorted((r for r in rows.values() if r["total"] > 0), key=by)
    groups = [(k, list(g)) for k, g in itertools.groupby(chosen, by)]
    check.equal(len(got["groups"]), len(groups))
    for g, ((customer, paid), members) in zip(got["groups"], groups):
        check.equal((g["key"], g["count"]), ({"customer": customer, "paid": paid}, len(members)))
        check.equal(g["sum"], {"total": sum(r["total"] for r in members)})
        assert abs(g["avg"]["price"] - sum(r["price"] for r in members) / len(members)) < 1e-9
        notes = [r["note"].encode() for r in members if r["note"] is not None]
        check.equal(g["min"], {"note": min(notes).decode() if notes else None})
        check.equal(g["max"], {"total": max(r["total"] for r in members)})
    sizes = {}
    for r in rows.values():
        sizes[r["note"]] = sizes.get(r["note"], 0) + 1
    got = good("aggregate/orders", group="note", order="-count", limit=3)
    check.equal((len(got["groups"]), got["more"]), (3, True))
    check.equal([g["count"] for g in got["groups"]], sorted(sizes.values())[::-1][:3])
    everything = good("aggregate/orders", values="sum(total)")["groups"]
    check.equal(everything, [{"key": {}, "count": len(rows),
                              "sum": {"total": sum(r["total"] for r in rows.values())}}])
    check.equal(h.must_json("list", "orders", "--group", "paid", "--values", "max(total)"),
                good("aggregate/orders", group="paid", values="max(total)", limit=20))
    for given, part, hint in (
            ({"group": "custmer"}, "parameter 'group': model 'orders' has no", "'customer'"),
            ({"values": "summ(total)"}, "parameter 'values': 'summ(total)'", "sum(<field>)"),
            ({"values": "sum(totl)"}, "no field 'totl'", "'total'"),
            ({"group": "paid", "order": "pad"}, "parameter 'order': 'pad'", "'paid'"),
            ({"group": "a,b,c,d,e"}, "model 'orders' has no field 'a'", ""),
            ({"limit": 10001}, "from 1 to 10000", "")):
        refused("aggregate/orders", 400, part, hint, **given)


@check.test
def the_first_rows_by_any_field():
    _, h, rows = system()
    for by, key in (("-total,customer", lambda r: (-r["total"], r["customer"], r["key"])),
                    ("price", lambda r: (r["price"], r["key"])),
                    ("note,-total", lambda r: (r["note"] is None, (r["note"] or "").encode(),
                                               -r["total"], r["key"]))):
        expected = sorted(rows.values(), key=key)
        for limit in (1, 7, 1000):
            check.equal(good("top/orders", by=by, limit=limit)["rows"], expected[:limit], by)
    paid = sorted((r for r in rows.values() if r["paid"]), key=lambda r: (-r["total"], r["key"]))
    check.equal(good("top/orders", by="-total", where="paid=true", fields="paid")["rows"],
                [{"key": r["key"], "paid": True} for r in paid[:10]])
    check.equal(h.must_json("list", "orders", "--top", "-total", "-n", 5),
                good("top/orders", by="-total", limit=5))
    refused("top/orders", 400, "parameter 'by': it must name a field")
    refused("top/orders", 400, "no field 'totals'", "'total'", by="-totals")


@check.test
def pages_are_stable_while_others_write():
    """What is there all the time is seen once, whatever is written and deleted meanwhile."""
    url, _, rows = system()
    stop, random_ = threading.Event(), random.Random(5)

    def write():
        for i in itertools.count():
            if stop.is_set():
                return
            key = f"x{random_.randrange(20)}"
            o = {**order(i % 50), "id": key}
            store.append(NAME, f"order-{key}", [("Closed" if i % 3 == 0 else "Placed",
                                                 {"id": key} if i % 3 == 0 else o)])

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for direction in ("asc", "desc"):
                seen, given = [], {}
                while True:
                    page = good("models/orders", index="by_total", order=direction, limit=7,
                                fields="total", **given)
                    seen += page["rows"]
                    if page["cursor"] is None:
                        break
                    given = {"cursor": page["cursor"]}
                stable = [r for r in seen if r["key"] in rows]
                expected = sorted(rows.values(), key=lambda r: (r["total"], r["key"]),
                                  reverse=direction == "desc")
                check.equal(keys(stable), keys(expected), direction)
        finally:
            stop.set()
        writing.result()
    pg.execute(" ".join(store.appending(NAME, f"order-x{i}", [("Closed", {"id": f"x{i}"})])
                        for i in range(20)))
    wait.until(lambda: count(url) == ROWS, 30, "the rows of this test to be gone")
    cursor = good("models/orders", limit=7)["cursor"]
    refused("models/orders", 400, "not one of this list", cursor=cursor, order="desc")
    refused("models/orders", 400, "not one of this list", cursor=cursor, where="paid=true")


@check.test
def a_batch_is_of_one_snapshot():
    url, _, rows = system()
    reads = [{"read": "row", "model": "orders", "key": "o001", "fields": ["total"]},
             {"read": "rows", "model": "orders", "keys": ["o002", "nix"]},
             {"read": "list", "model": "orders", "index": "by_total", "order": "desc", "limit": 2},
             {"read": "count", "model": "orders", "where": "paid=true"},
             {"read": "aggregate", "model": "orders", "group": ["paid"], "values": ["count"]},
             {"read": "top", "model": "orders", "by": "-price", "limit": 1},
             {"read": "query", "name": "GetOrder", "params": {"key": "o005"}},
             {"read": "row", "model": "orders", "key": "nix"},
             {"read": "list", "model": "order"},
             {"read": "list", "model": "orders", "limt": 3},
             {"read": "query", "name": "GetOder"}]
    a = api.post(url + "/v1/batch", {"reads": reads})
    check.equal(a.status, 200, a.body.decode())
    answers, model = a.json["answers"], a.json["models"]["orders"]
    check.equal([x["status"] for x in answers], [200] * 7 + [404, 404, 400, 404])
    check.equal(answers[0]["body"], {"key": "o001", "total": rows["o001"]["total"]})
    check.equal(answers[2]["body"]["rows"],
                good("models/orders", index="by_total", order="desc", limit=2)["rows"])
    check.equal(answers[3]["body"]["count"], sum(r["paid"] for r in rows.values()))
    check.equal(sum(g["count"] for g in answers[4]["body"]["groups"]), ROWS)
    check.equal(answers[6]["body"], rows["o005"])
    check.contains(answers[8]["hint"], "'orders'")
    check.contains(answers[9]["hint"], "'limit'")
    assert model["position"] and model["version"] and model["age_ms"] >= 0
    for body, part in (({}, "'reads' must be a list of 1 to 50"), ({"read": []}, "no member"),
                       ({"reads": [{}]}, "reads[0]: the body: a read is without 'read'"),
                       ({"reads": [{"read": "ro"}]}, "'read' must be row, rows"),
                       ({"reads": [{"read": "row", "model": "orders"}]}, "without 'key'"),
                       ({"reads": [{"read": "count", "model": "orders"}] * 51}, "1 to 50"),
                       ({"reads": [{"read": "list", "model": {}}]}, "'model' must be a text")):
        a = api.post(url + "/v1/batch", body)
        check.equal(a.status, 400, str(body)[:100])
        check.contains(a.json["detail"], part)


@check.test
def an_unchanged_answer_is_304():
    _, _, rows = system()
    for path, given in (("models/orders/o001", {}), ("models/orders", {"limit": 3}),
                        ("count/orders", {"where": "paid=true"}), ("queries/GetOrder",
                                                                   {"key": "o003"})):
        a = ask(path, **given)
        tag = a.headers["ETag"]
        for known in (tag, f'"x", W/{tag}', "*"):
            again = ask(path, headers={"If-None-Match": known}, **given)
            check.equal((again.status, again.body, again.headers["ETag"]), (304, b"", tag), known)
            assert again.headers["Leat-Position"]
        check.equal(ask(path, headers={"If-None-Match": '"x"'}, **given).status, 200)
    tag = ask("models/orders/o002").headers["ETag"]
    store.append(NAME, "order-o002", [("Placed", {**order(2), "tag": "new"})])
    wait.until(lambda: ask("models/orders/o002", headers={"If-None-Match": tag}).status == 200, 20,
               "another answer")
    rows["o002"]["tags"].append("new")


@check.test
def answers_as_new_as_is_asked_for():
    url, _, _ = system()
    position = ask("models/orders/o001").headers["Leat-Position"]
    store_id, seq = at_slice(position)[2]
    check.equal(ask("models/orders/o001", at_least=position).status, 200)
    check.equal(ask("models/orders/o001", headers={"Leat-At-Least": position}).status, 200)
    ahead = f"{store_id}:2={seq + 1}"
    started = time.monotonic()
    a = ask("models/orders/o001", at_least=ahead, wait=0)
    check.equal((a.status, a.json["code"]), (412, "behind"))
    a = ask("models/orders/o001", at_least=ahead, wait=1)
    check.equal((a.status, a.json["code"], a.headers["Leat-Position"]), (504, "behind", position))
    took = time.monotonic() - started
    assert 0.9 < took < 30, took
    a = ask("models/orders/o001", headers={"Leat-At-Least": ahead, "Prefer": "wait=0"})
    check.equal(a.status, 412)
    for other in (f"{uuid.uuid4()}:0=1", f"{position};{uuid.uuid4()}:0=1", f"{store_id}:9=1",
                  f"{store_id}:1=1"):
        a = ask("models/orders/o001", at_least=other)
        check.equal((a.status, a.json["code"]), (410, "other-store"), other)
    for wrong in ("x", store_id, f"{store_id}:", f"{store_id}:0", f"{store_id}:0=", f"{position};x",
                  f"{store_id}:0=99999999999999999999"):
        refused("models/orders/o001", 400, "parameter 'at_least': not a position", "Leat-Position",
                at_least=wrong)
    refused("models/orders/o001", 400, "parameter 'wait' must be a whole number from 0 to 60",
            wait=61)


@check.test
def many_wait_without_a_thread_each():
    url, _, _ = system()

    position = ask("models/orders/o001").headers["Leat-Position"]
    store.append(NAME, "order-w", [("Placed", {**order(1), "id": "w"})])
    wait.until(lambda: ask("models/orders/w").status == 200, 20, "the row")
    moved = ask("models/orders/o001").headers["Leat-Position"]
    (k, (store_id, seq)), = set(at_slice(moved).items()) - set(at_slice(position).items())
    then = f"{store_id}:{k}={seq + 1}"
    body = {"at_least": then, "reads": [{"read": "row", "model": "orders", "key": "w"}]}
    with concurrent.futures.ThreadPoolExecutor(42) as pool:
        waiting = [pool.submit(ask, path, at_least=f"{then};{position}", wait=60, seconds=90,
                               **given)
                   for path, given in (("models/orders/w", {}), ("count/orders", {}),
                                       ("models/orders", {"limit": 1}),
                                       ("queries/GetOrder", {"key": "w"})) * 10]
        batch = pool.submit(api.post, url + "/v1/batch", body, headers={"Prefer": "wait=60"},
                            seconds=90)
        several = pool.submit(api.post, url + "/v1/models/orders", {"keys": ["w"]}, seconds=90,
                              headers={"Prefer": "wait=60", "Leat-At-Least": then})
        for _ in range(20):
            check.equal(ask("models/orders/o001").status, 200, "others are answered meanwhile")
        check.equal([f.done() for f in waiting], [False] * 40)
        store.append(NAME, "order-w", [("Placed", {**order(1), "id": "w", "total": 777})])
        answers = [f.result() for f in waiting]
    check.equal([a.status for a in answers], [200] * 40, str(answers[0]))
    check.equal([a.json["total"] for a in answers[::4]], [777] * 10)
    check.equal(batch.result().json["answers"][0]["body"]["total"], 777)
    check.equal(several.result().json["rows"][0]["total"], 777)


@check.test
def verbs_read_as_new_as_is_asked_for():
    _, home, _ = system()
    for i in range(10):
        store.append(NAME, "order-v", [("Placed", {**order(1), "id": "v", "total": i})])
        row_now = home.must_json("get", "orders", "v", "--at-least", "now", "--wait", "60s")
        check.equal(row_now["total"], i)
    position = ask("models/orders/v").headers["Leat-Position"]
    store_id, seq = at_slice(position)[2]
    counted = home.must_json("list", "orders", "--at-least", position, "--count")
    check.equal(counted["count"], ROWS + 2)
    for given, code, part in ((f"{store_id}:2={seq + 1}", 1, "in time"), ("x", 2, "not a position"),
                              (f"{uuid.uuid4()}:0=1", 2, "a store this model is not built from")):
        done = home.cli("list", "orders", "--at-least", given, "--wait", "0s")
        check.equal(done.returncode, code, done.stderr)
        check.contains(done.stderr, part)


class Follower:
    """A stream of changes, read on demand."""

    def __init__(self, last_id=None, buffer_bytes=None, **given):
        host, port = system()[0][7:].split(":")
        self.socket = socket.socket()
        if buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.settimeout(60)
        self.socket.connect((host, int(port)))
        head = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /v1/changes/orders?{urllib.parse.urlencode(given)} HTTP/1.1\r\n"
                            f"Host: x\r\n{head}\r\n".encode())
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()
        self.last_id = last_id

    def next(self):
        """(event, data) of the next message; None at the end."""
        event, data = None, None
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data = json.loads(value)
            elif not name and event:
                return event, data

    def rows(self, until):
        """{key: row} of what comes, up to the message for which until(key, row) holds."""
        found = {}
        while True:
            event, data = self.next()
            check.equal(event, "row", str(data))
            found[data["key"]] = data["row"]
            if until(data["key"], data["row"]):
                return found

    def close(self):
        self.socket.close()


@check.test
def changes_as_they_come_and_again_from_where_one_was():
    _, _, rows = system()
    before = ask("models/orders/o001").headers["Leat-Position"]
    live, chosen = Follower(), Follower(fields="total")
    check.equal((live.answer.status, live.answer.headers["Content-Type"]),
                (200, "text/event-stream"))
    check.equal(live.next()[0], "position")
    check.equal(chosen.next()[0], "position")
    first = live.last_id
    store.append(NAME, "order-n1", [("Placed", {**order(3), "id": "n1"})])
    store.append(NAME, "order-o004", [("Placed", {**order(4), "total": 4000})])
    got = live.rows(lambda key, _: key == "o004")
    check.equal(got["n1"], {**row(3), "key": "n1"})
    check.equal(got["o004"]["total"], 4000)
    check.equal(chosen.rows(lambda key, _: key == "o004"),
                {"n1": {"key": "n1", "total": row(3)["total"]},
                 "o004": {"key": "o004", "total": 4000}})
    middle = live.last_id
    live.close()
    store.append(NAME, "order-n1", [("Closed", {"id": "n1"})])
    store.append(NAME, "order-o004", [("Placed", order(4))])
    final = lambda key, now: key == "o004" and now["total"] == order(4)["total"]  # noqa: E731
    rows["o004"] = chosen_row = ask("models/orders/o004", at_least=middle).json
    wait.until(lambda: ask("models/orders/n1").status == 404, 30, "the row to be gone")
    for start, given in ((middle, {}), (None, {"after": middle}), (first, {}), (before, {})):
        again = Follower(start, **given)
        check.equal(again.next()[0], "position")
        got = again.rows(final)
        if "n1" not in got:
            got.update(again.rows(lambda key, _: key == "n1"))
        check.equal(got["n1"], None)
        again.close()
    chosen.rows(final)
    chosen.close()
    rows["o004"] = ask("models/orders/o004").json
    assert chosen_row["key"] == "o004"
    check.equal(ask("changes/orders", after="x").status, 400)
    check.equal(ask("changes/orders", fields="totl").status, 400)
    check.equal(ask("changes/orders", after=f"{uuid.uuid4()}:0=1").status, 410)
    check.equal(ask("changes/order").status, 404)


@check.test
def who_reads_too_slowly_is_cut_and_told():
    slow, fast = Follower(buffer_bytes=4096), Follower(fields="total")
    statements = [store.appending(NAME, f"order-b{i}", [("Placed", {
        **order(1), "id": f"b{i}", "note": "x" * 200000})]) for i in range(40)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: [fast.next() for _ in range(41)])
        for i in range(0, 40, 8):
            pg.execute(" ".join(statements[i:i + 8]))
        check.equal([e for e, _ in reading.result()], ["position"] + ["row"] * 40)
    messages = []
    while (message := slow.next()) is not None:
        messages.append(message)
    check.equal((messages[-1][0], messages[-1][1]["code"]), ("end", "too-slow"))
    assert 1 < len(messages) < 41, len(messages)
    resumed = Follower(slow.last_id, fields="total")
    rest = {data["key"] for _, data in (resumed.next() for _ in range(42 - len(messages)))
            if "key" in data}
    assert "b39" in rest | {m[1].get("key") for m in messages}, rest
    for f in (slow, fast, resumed):
        f.close()


@check.test
def a_stop_ends_streams_and_says_so():
    _, home, _ = system()
    streams = [Follower() for _ in range(3)]
    check.equal([f.next()[0] for f in streams], ["position"] * 3)
    check.equal(_system["process"].stop(), 0)
    for f in streams:
        event, data = f.next()
        check.equal((event, data["code"]), ("end", "stopping"))
        check.equal(f.next(), None)
    check.equal(home.must_json("list", "orders", "--prefix", "o", "--count"), {"count": ROWS})


@check.at_end
def clean():
    leat.end_all()
    if _system:
        _system["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
