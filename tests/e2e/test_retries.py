#!/usr/bin/env python3
"""What waits: list, show, now, cancel, by the verb and over HTTP; what is said of its command.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check  # noqa: E402
from dead_kit import Kit, new_id  # noqa: E402

_kit = []


def kit():
    if not _kit:
        _kit.append(Kit("retries_e2e"))
    return _kit[0]


def mixed():
    """100 of all reasons; a parked one stands behind the retry of its key."""
    k = kit()
    k.clear()
    k.put_waiting(40, code="(array['busy', 'conflict'])[1 + i % 2]")
    k.put_waiting(30, reason="2", due_at="now()", attempt="0", code="null", error="null")
    k.put_waiting(20, processor="'mails'", type="'Mail'", reason="3", parks="false",
                  key="'s'::bytea", code="null", error="null")
    k.put_waiting(5, reason="4", key="convert_to('h' || i, 'UTF8')",
                  due_at="timestamptz 'infinity'")
    k.put_waiting(5, reason="5", key="convert_to('r' || i, 'UTF8')", due_at="now()")
    return k


def one(k, where):
    return k.value(f"select id from @waiting where {where} order by ticket limit 1")


@check.test
def every_filter_finds_what_sql_finds():
    k = mixed()
    cases = (
        ({}, "true"), ({"processor": "mails"}, "processor = 'mails'"),
        ({"key": "w7"}, "key = 'w7'"),
        ({"code": "conflict"}, "error_code = 'conflict'"), ({"type": "Mail"}, "type = 'Mail'"),
        ({"reason": "held,redriven"}, "reason in (4, 5)"), ({"reason": "all"}, "true"),
        ({"until": "30m"}, "reason in (2, 5)"), ({"until": "1d"}, "reason <> 4"),
        ({"until": "2026-01-01"}, "false"))
    found = k.rows(" union all ".join(f"select {n} as n, id from @waiting where {where}"
                                      for n, (_, where) in enumerate(cases)))
    for n, (given, _) in enumerate(cases):
        expected = sorted(r["id"] for r in found if r["n"] == str(n))
        a = k.both(["retries", "list"], "/v1/retries", ("total", "groups", "rows"), limit=1000,
                   **given)
        check.equal((a.status, sorted(r["id"] for r in a.json["rows"]), a.json["total"]),
                    (200, expected, len(expected)), f"{given}")
    rows = k.both(["retries", "list"], "/v1/retries", ("rows",), limit=1000).json["rows"]
    due = [r["due_at"] or 1 << 60 for r in rows]
    check.equal(due, sorted(due))
    check.equal({(r["reason"], r["ahead"]) for r in rows},
                {("retry", 0), ("parked", 1), ("scheduled", 0), ("held", 0), ("redriven", 0)})


@check.test
def pages_make_up_the_whole_also_where_nothing_is_due():
    k = mixed()
    seen, cursor, pages = [], {}, 0
    while cursor is not None and pages < 20:
        a = k.both(["retries", "list"], "/v1/retries", ("groups", "rows", "cursor"), limit=9,
                   **cursor).json
        seen += [r["id"] for r in a["rows"]]
        cursor = {"cursor": a["cursor"]} if a["cursor"] else None
        pages += 1
    check.equal((pages, len(seen), len(set(seen))), (12, 100, 100))
    text = k.home.must("retries", "list", "--limit", "2")
    check.equal(text.split()[:4], ["count", "processor", "reason", "type"])
    check.contains(text, "100 wait\n")


@check.test
def wrong_questions_name_what_is_right():
    k = mixed()
    for given, detail, hint in (
            ({"processor": "order"}, "there is no processor 'order'", "'orders'"),
            ({"reason": "park"}, "'park' is no reason to wait", "'parked'"),
            ({"until": "x"}, "until: 'x' is no time", "A time is 15m"),
            ({"cursor": "x"}, "the cursor is not one of this list", "")):
        a = k.both(["retries", "list"], "/v1/retries", (), **given)
        check.equal((a.status, a.headers["Content-Type"]), (400, "application/problem+json"))
        check.contains(a.json["detail"], detail)
        check.contains(a.json.get("hint", ""), hint)
    for arguments, code, said in (
            (["lst"], 2, "Did you mean 'list'?"), (["now"], 2, "which ones is not said"),
            (["cancel", "x"], 2, "'x' is no id"), (["show"], 2, "takes one id"),
            (["list", "--all"], 2, "--all is no option of leat retries list"),
            (["now", new_id(), "--code", "x"], 2, "ids or filters, not both"),
            (["now", new_id()], 3, "nothing waits under the id"),
            (["show", new_id()], 3, "nothing waits under the id")):
        done = k.home.cli("retries", *arguments)
        check.equal((done.returncode, done.stdout), (code, ""), done.stderr)
        check.contains(done.stderr, said)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/now")):
        check.equal(api.request(method, f"{k.url}/v1/retries/x{path}").status, 400)
        check.equal(api.request(method, f"{k.url}/v1/retries/{new_id()}{path}").status, 404)


@check.test
def what_is_hurried_is_due_at_once_and_nothing_else_of_it_changes():
    k = mixed()
    first, parked, held = (one(k, f"reason = {r}") for r in (1, 2, 4))
    before = k.rows(f"select processor, slice, key, ticket, attempt, error, value from @waiting "
                    f"where id = '{first}'")
    epoch = k.value("select sum(epoch) from @owners")
    k.home.must("retries", "now", first)
    check.equal(k.value(f"select due_at between now() - interval '1 min' and now() from @waiting "
                        f"where id = '{first}'"), "t")
    check.equal(k.rows(f"select processor, slice, key, ticket, attempt, error, value from @waiting "
                       f"where id = '{first}'"), before)
    check.equal(k.value("select sum(epoch) from @owners"), epoch + 1)
    k.home.must("retries", "now", first)
    check.equal(k.value("select sum(epoch) from @owners"), epoch + 1, "it was due")
    for id_, code, said in ((parked, "parked", "waits behind another message of its key"),
                            (held, "held", "is dead and holds its key")):
        done = k.home.cli("retries", "now", id_)
        check.equal(done.returncode, 3)
        check.contains(done.stderr, said)
        a = api.post(f"{k.url}/v1/retries/{id_}/now", b"")
        check.equal((a.status, a.json["code"]), (409, code))
        check.contains(a.json["detail"], said)
    other = one(k, "reason = 1 and due_at > now()")
    a = api.post(f"{k.url}/v1/retries/{other}/now", b"")
    check.equal((a.status, a.json), (200, {"id": other, "processor": "orders", "result": "done"}))
    check.equal(k.home.must_json("retries", "now", "--all")["hurried"], 65)
    check.equal(k.value("select count(*) from @waiting where due_at > now() and reason <> 4"), 0)


@check.test
def a_scheduled_command_that_is_cancelled_leaves_nothing():
    k = mixed()
    id_ = one(k, "reason = 3")
    a = api.request("DELETE", f"{k.url}/v1/retries/{id_}")
    check.equal((a.status, a.json), (200, {"id": id_, "processor": "mails", "result": "done"}))
    check.equal(api.request("DELETE", f"{k.url}/v1/retries/{id_}").status, 404)
    check.equal(k.home.must_json("retries", "cancel", "--processor", "mails")["cancelled"], 19)
    check.equal(k.rows("select (select count(*) from @dead_letters) as dead, (select count(*) from"
                       " @command_log) as commands, (select count(*) from @outbox) as outbox,"
                       " (select count(*) from @waiting) as waiting"),
                [{"dead": "0", "commands": "0", "outbox": "0", "waiting": "80"}])


@check.test
def any_other_that_is_cancelled_is_dead_and_can_be_redriven():
    k = mixed()
    id_ = one(k, "reason = 1")
    row = k.rows(f"select slice, key, headers, value, convert_from(key, 'UTF8') as text"
                 f" from @waiting where id = '{id_}'")[0]
    k.home.must("retries", "cancel", id_)
    check.equal(k.value(f"select count(*) from @waiting where id = '{id_}'"), 0)
    check.equal(one(k, f"key = '{row['text']}' and reason = 2") is not None, True, "it goes on")
    dead = k.rows(f"select * from @dead_letters where id = '{id_}'")[0]
    check.equal((dead["state"], dead["code"], dead["class"], dead["attempts"], dead["source"]),
                ("dead", "cancelled", "cancelled", "2", "tests"))
    assert dead["message"].startswith("cancelled while it waited (by "), dead
    check.equal([dead[c] for c in ("slice", "key", "headers", "value")],
                [row[c] for c in ("slice", "key", "headers", "value")])
    command = k.rows(f"select * from @commands where id = '{id_}'")[0]
    check.equal((command["outcome"], command["error_code"], command["stream"], command["payload"]),
                ("dead", "cancelled", f"order-{row['text']}", row["value"]))
    letter = k.rows("select slice, seq, partition, topic, key, @header_text(headers, "
                    "'__leat.errors.code') as code, @header_text(headers, 'x-trace') as trace, "
                    "value from @outbox")
    check.equal(letter, [{"slice": row["slice"], "seq": letter[0]["seq"], "partition": row["slice"],
                          "topic": f"{k.name}.orders.dlq", "key": row["key"], "code": "cancelled",
                          "trace": dead["record_offset"] and f"t-{dead['record_offset']}",
                          "value": row["value"]}])
    check.equal(k.value(f"select outbox_seq from @slices where slice = {row['slice']}"),
                int(letter[0]["seq"]))
    k.home.must("dlq", "redrive", id_)
    check.equal(k.home.must_json("get", id_)["waits"], "redriven")
    again = k.home.must_json("retries", "cancel", id_)
    check.equal((again["cancelled"], again["results"]), (1, {"dead": 1}))
    check.equal(k.value(f"select state || redrives from @dead_letters where id = '{id_}'"), "dead1")


@check.test
def many_are_cancelled_in_one_go_and_held_ones_stay():
    k = mixed()
    started = k.value("select sum(outbox_seq) from @slices")
    r = k.home.must_json("retries", "cancel", "--all")
    check.equal((r["cancelled"], r["results"]), (95, {"done": 20, "dead": 75}))
    check.equal(k.value("select string_agg(distinct reason::text, ',') from @waiting"), 4)
    check.equal(k.value("select count(*) from @dead_letters where code = 'cancelled'"), 75)
    check.equal(k.value("select sum(outbox_seq) from @slices") - started, 75)
    check.equal(k.rows("select slice from @outbox group by slice having count(*) <>"
                       " max(seq) - min(seq) + 1"), [])
    held = k.home.cli("retries", "cancel", one(k, "reason = 4"))
    check.equal(held.returncode, 3)
    check.contains(held.stderr, "redrive or drop it")


@check.test
def a_command_that_waits_is_told_as_waiting():
    k = mixed()
    id_, parked, held = (one(k, f"reason = {r}") for r in (1, 2, 4))
    a = api.get(f"{k.url}/v1/commands/{id_}")
    due = k.value(f"select floor(extract(epoch from due_at) * 1000)::int8 from @waiting "
                  f"where id = '{id_}'")
    check.equal([a.json.get(n) for n in ("outcome", "waits", "attempts", "due_at", "error_code",
                                         "error_text", "position", "finished_at")],
                ["waiting", "retry", 2, due, "conflict", "the service is busy", None, None])
    check.equal((a.status, a.headers["Leat-Position"]), (200, None))
    check.equal(k.home.must_json("get", id_), a.json)
    text = k.home.must("get", id_)
    check.contains(text, "outcome      waiting")
    check.contains(text, "waits        retry")
    check.equal(api.get(f"{k.url}/v1/commands/{parked}").json["waits"], "parked")
    check.equal(api.get(f"{k.url}/v1/commands/{held}").status, 404, "its row of command_log says")
    check.equal(k.value("select count(*) from @commands where outcome = 'waiting'"), 95)
    body = json.loads(bytes.fromhex(k.value(f"select encode(value, 'hex') from @waiting where "
                                            f"id = '{id_}'")))
    started = time.monotonic()
    a = api.post(f"{k.url}/v1/commands/Place", body, headers={"Idempotency-Key": id_})
    check.equal((a.status, a.json["outcome"]), (202, "sent"))
    a = api.post(f"{k.url}/v1/commands/Place", {"id": "x"}, headers={"Idempotency-Key": id_})
    check.equal((a.status, a.json["code"]), (422, "idempotency-key-reused"))
    assert time.monotonic() - started < 8


@check.test
def one_is_shown_with_its_headers_and_its_value():
    k = mixed()
    id_ = one(k, "reason = 2")
    a = k.home.must_json("retries", "show", id_)
    check.equal(a, api.get(f"{k.url}/v1/retries/{id_}").json)
    check.equal((a["reason"], a["ahead"], a["value"]["id"], a["first_at"] > 0),
                ("parked", 1, a["key"], True))
    check.contains(k.home.must("retries", "show", one(k, "reason = 4")), "when somebody says so")
    k.put_waiting(1, id=f"'{id_}'::uuid", processor="'mails'")
    done = k.home.cli("retries", "show", id_)
    check.equal(done.returncode, 2)
    check.contains(done.stderr, f"{id_} waits at 'mails' and at 'orders'")
    check.equal(k.home.must_json("retries", "show", id_, "-p", "mails")["processor"], "mails")
    check.equal(api.get(f"{k.url}/v1/retries/{id_}?processor=orders").json["processor"], "orders")


@check.at_end
def stop():
    for k in _kit:
        k.process.stop()


if __name__ == "__main__":
    check.main()
