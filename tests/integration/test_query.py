# sanitizers: asan
"""Named queries, and the verbs that answer what HTTP answers: list, get, stream. Events are
appended with SQL, so that no processor is needed."""

import json
import os
import re
import urllib.parse

from lib import api, check, leat, servers, store, wait

NAME, OTHER = "leat_query", "leat_query_other"
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
processors: {{orders: {{aggregate: order, commands: [Place], emits: [Placed, Paid]}}}}
projections:
  orders:
    key: $.id
    from:
      Placed: {{set: {{customer: $.customer, total: $.total, status: placed, note: $.note}}}}
      Paid: {{set: {{status: paid}}}}
    indexes: {{by_customer: [customer, -total], by_status: [status, total]}}
  days:
    key: [$.customer, $.note]
    from: {{Placed: {{add: {{orders: 1, cents: $.total}}}}}}
queries:
  GetOrder: {{model: orders}}
  OpenOrders:
    {{model: orders, index: by_customer, params: [customer], where: {{status: placed}}, limit: 3}}
  OrdersOf: {{model: orders, index: by_customer, params: [customer, total]}}
  Unpaid: {{model: orders, where: {{status: placed, note: null}}}}
  Day: {{model: days, params: [customer, note]}}
http: {{listen: "127.0.0.1:0"}}
"""
SCHEMAS = {
    "OrderState": [("total", "long")],
    "Place": [("id", "string")],
    "Paid": [("id", "string")],
    "Placed": [("id", "string"), ("customer", "string"), ("total", "long"),
               ("note", ["null", "string"])],
}
_system = {}


def system():
    if not _system:
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS)
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        process = h.start("--listen", url[7:], "--role", "relay,projector,http")
        for i in range(20):
            placed = {"id": f"o{i:02}", "customer": f"c{i % 2}", "total": i % 7,
                      "note": None if i % 5 == 0 else "a/b"}
            events = [("Placed", placed)] + ([("Paid", {"id": f"o{i:02}"})] if i % 3 == 0 else [])
            store.append(NAME, f"order-o{i:02}", events)
        wait.until(lambda: process.alive() and
                   api.get(url + "/v1/models/orders?limit=100").status == 200 and
                   len(api.get(url + "/v1/models/orders?limit=100").json["rows"]) == 20, 60,
                   f"twenty rows ({process.log_path})")
        _system.update(home=h, url=url)
    return _system["url"], _system["home"]


def keys(rows):
    return [r["key"] for r in rows]


def expected_open(customer):
    rows = [(-(i % 7), f"o{i:02}") for i in range(20) if i % 2 == customer and i % 3 != 0]
    return [key for _, key in sorted(rows)]


def both(query, **given):
    """The answer of HTTP, which must be that of the CLI too."""
    url, h = system()
    answer = api.get(f"{url}/v1/queries/{query}?{urllib.parse.urlencode(given)}")
    done = h.cli("list", "--query", query, "--json", *(f"{k}={v}" for k, v in given.items()))
    if answer.status == 200:
        check.equal((done.returncode, json.loads(done.stdout)), (0, answer.json), done.stderr)
    else:
        check.equal(done.returncode, 3 if "there is no row" in answer.json["detail"] else 2)
        check.contains(done.stderr, answer.json["detail"])
        check.contains(done.stderr, answer.json.get("hint", ""))
    return answer


@check.test
def rows_of_an_index_by_its_leading_columns_and_where():
    seen, cursor, pages = [], {}, 0
    while cursor is not None and pages < 9:
        page = both("OpenOrders", customer="c1", **cursor).json
        seen += keys(page["rows"])
        cursor = {"cursor": page["cursor"]} if page["cursor"] else None
        pages += 1
    check.equal(seen, expected_open(1))
    assert pages >= 3, pages
    check.equal(keys(both("OpenOrders", customer="c0", limit=2).json["rows"]), expected_open(0)[:2])
    check.equal(both("OpenOrders", customer="c").json, {"rows": [], "cursor": None})
    check.equal(keys(both("OrdersOf", customer="c0", total=6).json["rows"]), ["o06"])


@check.test
def one_row_by_its_key_or_the_parts_of_it():
    check.equal(both("GetOrder", key="o07").json["customer"], "c1")
    check.equal(both("GetOrder", key="o99").status, 404)
    row = both("Day", customer="c1", note="a/b").json
    check.equal((row["key"], row["orders"]), ("c1/a%2Fb", 8))
    a = both("Unpaid").json
    check.equal(keys(a["rows"]), [f"o{i:02}" for i in range(20) if i % 3 and i % 5 == 0])


@check.test
def wrong_questions_name_what_is_right():
    for query, given, detail, hint in (
            ("OpenOrder", {"customer": "c"}, "there is no query 'OpenOrder'", "'OpenOrders'"),
            ("OpenOrders", {}, "needs the parameter 'customer'", ""),
            ("OpenOrders", {"custmer": "c"}, "there is no parameter 'custmer'", "'customer'"),
            ("OpenOrders", {"customer": "c", "limit": 4}, "from 1 to 3", ""),
            ("OpenOrders", {"customer": "c", "cursor": "x"}, "not one of this list", ""),
            ("OrdersOf", {"customer": "c0", "total": "nix"},
             "column 'total' of index 'by_customer' is a number, not 'nix'", ""),
            ("Day", {"customer": "c"}, "needs the parameter 'note'", "")):
        a = both(query, **given)
        check.equal(a.status, 404 if "no query" in detail else 400)
        check.contains(a.json["detail"], detail)
        check.contains(a.json.get("hint", ""), hint)


@check.test
def a_text_where_a_column_holds_numbers_is_refused():
    url, h = system()
    for bound, value, text in (("to", "c0,nix", "nix"), ("from", "c0,", ""),
                               ("to", 'c0,"6"', "6")):
        wrong = f"{bound}: column 'total' of index 'by_customer' is a number, not '{text}'"
        a = api.get(f"{url}/v1/models/orders?index=by_customer&"
                    f"{urllib.parse.urlencode({bound: value})}")
        check.equal((a.status, a.json["detail"]), (400, wrong))
        done = h.cli("list", "orders", "--index", "by_customer", f"--{bound}", value)
        check.equal((done.returncode, done.stdout), (2, ""))
        check.contains(done.stderr, wrong)
    for right in ("c0,6", "c0,5.5", "c0", "c1,0"):
        a = api.get(f"{url}/v1/models/orders?index=by_customer&from=c0&to={right}")
        check.equal((a.status, len(a.json["rows"]) > 0), (200, True), right)


@check.test
def a_cursor_is_good_for_its_own_list_only():
    url, _ = system()
    base = f"{url}/v1/models/orders?index=by_status&from=paid&to=paid&limit=2"
    cursor = api.get(base).json["cursor"]
    check.equal(re.fullmatch("[A-Za-z0-9_-]+", cursor) is not None, True, cursor)
    follow = keys(api.get(f"{base}&cursor={cursor}").json["rows"])
    check.equal(keys(api.get(f"{base}&cursor={cursor}").json["rows"]), follow, "asked twice")
    store.append(NAME, "order-o00x", [
        ("Placed", {"id": "o00x", "customer": "c9", "total": 0, "note": ""}),
        ("Paid", {"id": "o00x"})])
    wait.until(lambda: api.get(f"{url}/v1/models/orders/o00x").json.get("status") == "paid", 20,
               "another row before the cursor")
    check.equal(keys(api.get(f"{base}&cursor={cursor}").json["rows"]), follow, "and a row later")
    for changed in (cursor[:-1], cursor + "A", cursor[::-1], "", "A" * len(cursor), cursor[4:],
                    cursor[:9] + ("B" if cursor[9] == "A" else "A") + cursor[10:]):
        a = api.get(f"{base}&cursor={changed}")
        check.equal((changed, a.status), (changed, 400 if changed else 200))
    for other in ("index=by_status&from=paid&to=placed", "index=by_customer", "limit=1",
                  "index=by_status&from=paid&to=paid,3"):
        check.equal(api.get(f"{url}/v1/models/orders?{other}&cursor={cursor}").status, 400)
    a = api.get(f"{url}/v1/models/orders?index=by_status&from=paid&to=paid&limit=1&cursor={cursor}")
    check.equal(keys(a.json["rows"]), follow[:1], "another limit is fine")


@check.test
def verbs_answer_what_http_answers():
    url, h = system()
    check.equal(h.must_json("get", "orders", "o03"), api.get(url + "/v1/models/orders/o03").json)
    for options, params in ((["--limit", 3], "limit=3"),
                            (["--index", "by_customer", "--from", "c0,5", "--to", "c1"],
                             "index=by_customer&from=c0,5&to=c1&limit=20")):
        check.equal(h.must_json("list", "orders", *options),
                    api.get(f"{url}/v1/models/orders?{params}").json)
    lines = [json.loads(x) for x in h.must("stream", "order-o03", "--json").splitlines()]
    check.equal(lines, api.get(url + "/v1/streams/order-o03").json["events"])
    table = h.must("list", "-q", "OpenOrders", "customer=c1").splitlines()
    check.equal(table[0].split(), ["key", "customer", "total", "status", "note"])
    check.equal([x.split()[0] for x in table[1:]], expected_open(1)[:3])
    for wrong, part in ((["list", "order"], "did you mean 'orders'?"),
                        (["list", "orders", "--index", "by_custmer"], "'by_customer'"),
                        (["list", "-q", "OpenOrders", "customer"], "<parameter>=<value>"),
                        (["list", "-q", "OpenOrders", "--index", "x"], "its own index"),
                        (["list"], "Usage:"), (["list", "a", "b"], "more than one model"),
                        (["stream", "oder-o03"], "did you mean 'order-o03'?"),
                        (["get", "order", "x"], "did you mean 'orders'?")):
        done = h.cli(*wrong)
        check.equal((done.returncode, done.stdout), (2, ""), str(wrong))
        check.contains(done.stderr, part)


@check.test
def queries_are_in_the_interface_and_checked():
    url, h = system()
    paths = api.get(url + "/openapi.json").json["paths"]
    given = paths["/v1/queries/OpenOrders"]["get"]["parameters"]
    check.equal([(p["name"], p["required"]) for p in given],
                [("customer", True), ("fields", False), ("order", False), ("limit", False),
                 ("cursor", False), ("at_least", False), ("wait", False),
                 ("Leat-At-Least", False), ("Prefer", False), ("If-None-Match", False)])
    given = paths["/v1/queries/GetOrder"]["get"]["parameters"]
    check.equal([p["name"] for p in given][:4], ["key", "fields", "at_least", "wait"])
    for line, message in (
            ("Bad: {model: orders, index: by_customer, params: [total]}", "'total' is not field 1"),
            ("Bad: {model: days, params: [a, b, c]}", "3 values do not make the key of 'days'"),
            ("Bad: {model: orders, params: [id], where: {status: placed}}", "name an index"),
            ("Bad: {model: orders, where: {status: $.x}}", "there is no event here"),
            ("Bad: {model: orders, where: {status: $row.x}}", "no rule sets the field of $row.x"),
            ("Bad: {model: orders, index: by_customer, params: [limit]}", "'limit' already"),
            ("Bad: {model: order}", "'orders'")):
        path = os.path.join(h.dir, "bad.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(TOPOLOGY.replace("queries:\n", f"queries:\n  {line}\n"))
        done = h.cli("check", "-t", path)
        check.equal(done.returncode, 2, line)
        check.contains(done.stdout + done.stderr, message)
        check.contains(done.stdout + done.stderr, "bad.yaml:")


@check.test
def an_address_where_another_topology_answers_is_not_shared():
    url, _ = system()
    other = leat.Home(TOPOLOGY.replace(NAME, OTHER), schemas=SCHEMAS)
    other.forget(OTHER)
    other.must("apply")
    done = other.cli("run", "--role", "http", "--listen", url[7:])
    other.forget(OTHER)
    check.equal(done.returncode, 2, done.stderr)
    check.contains(done.stderr, f"'{url[7:]}' is where leat answers for topology '{NAME}'")
    check.contains(done.stderr, "Choose another address: --listen")


@check.at_end
def clean():
    leat.end_all()
    if _system:
        _system["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
