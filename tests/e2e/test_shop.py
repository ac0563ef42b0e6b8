#!/usr/bin/env python3
"""The example shop on the real servers: orders by HTTP, command line, Kafka and a file, payments
through the policy, settlements from somebody else's topic, read models against a fold in Python.

# sanitizers: asan
"""

import json
import os
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), HERE]
from lib import api, check, kafka, pg, servers, wait  # noqa: E402
from shop_kit import BASKETS, CUSTOMERS, FAR, LINE, NAME, PSP  # noqa: E402
from shop_kit import place_many, settle_many, settlement, shop  # noqa: E402


@check.test
def what_is_declared_and_not_run_yet_is_said_by_check_and_run_alike():
    s = shop()
    found = s.home.must_json("check")["findings"]
    said = [f["message"] for f in found if "not run" in f["message"]]
    for key in ("payments.scale",):
        check.contains("\n".join(said), key)
    log = s.process.log()
    for message in said:
        check.contains(log, json.dumps(message)[1:-1], "the log of `leat run`")


@check.test
def its_tests_in_words_hold_without_servers():
    s = shop()
    done = s.home.cli("test", os.path.join(servers.ROOT, "shop"), "--json",
                      env={"KAFKA": "127.0.0.1:1", "STORE_URL": "postgresql://127.0.0.1:1/none"})
    check.equal(done.returncode, 0, done.stdout + done.stderr)
    result = json.loads(done.stdout)
    assert result["passed"] > 10 and result["failed"] == 0, done.stdout


@check.test
def an_order_placed_by_http_is_paid_by_a_settlement_of_the_provider():
    s = shop()
    answer = s.place("o1", "http")
    check.equal(answer.status, 200, repr(answer))
    event = answer.json["events"][0]
    check.equal((event["type"], event["version"], event["data"]["total_cents"]),
                ("OrderPlaced", 1, 900))
    check.contains(answer.headers["Leat-Position"], f":{event['slice']}={event['seq']}")
    s.awaits("o1", "placed")
    s.asked_for("o1")
    kafka.produce(PSP, [settlement("o1", reference="R-1")])
    s.awaits("o1", "paid")
    check.equal(s.types("payment-o1"), ["PaymentRequested", "PaymentTaken"])
    taken = api.get(f"{s.url}/v1/streams/payment-o1").json["events"][1]["data"]
    check.equal(taken, {"payment_id": "o1", "order_id": "o1", "currency": "EUR", "cents": 900,
                        "reference": "R-1"})
    check.equal(s.types("order-o1"), ["OrderPlaced", "OrderPaid"])


@check.test
def without_wait_the_answer_says_where_the_outcome_will_be():
    s = shop()
    answer = api.post(f"{s.url}/v1/commands/PlaceOrder",
                      {"order_id": "o2", "customer_id": "http", "currency": "EUR", "lines": [LINE]})
    check.equal(answer.status, 202, repr(answer))
    where = s.url + answer.headers["Location"]
    wait.equals(lambda: api.get(where).json.get("outcome"), "accepted", 20)


@check.test
def an_order_by_the_command_line_keeps_its_priority_and_costs_nothing():
    s = shop()
    order = {"order_id": "free", "customer_id": "cli", "currency": "CHF",
             "lines": [{**LINE, "price_cents": 0}]}
    done = s.home.must_json("send", "PlaceOrder", json.dumps(order), "--wait", "10s", "-p", "hot")
    check.equal(done["outcome"], "accepted")
    s.awaits("free", "paid")
    check.equal(s.home.must_json("get", "orders", "free")["status"], "paid")
    rows = pg.rows(f"select type, priority from {NAME}.commands "
                   f"where correlation_id = '{done['id']}' and type <> 'PaymentTaken'")
    check.equal({(r["type"], r["priority"]) for r in rows},
                {("PlaceOrder", "hot"), ("TakePayment", "hot"), ("MarkPaid", "warm")},
                "events carry no priority: what a policy sends has the default")
    causes = {r["type"]: r["causation_id"] for r in pg.rows(
        f"select type, causation_id from {NAME}.commands where correlation_id = '{done['id']}' "
        "and processor <> 'checkout'")}
    taken = pg.value(f"select event_id from {NAME}.events where stream = 'payment-free' "
                     "and type = 'PaymentTaken'")
    check.equal(causes, {"PlaceOrder": done["id"], "TakePayment": done["id"], "MarkPaid": taken},
                "a command's cause is the command or the event that made it be sent")
    again = s.home.cli("send", "PlaceOrder", json.dumps(order), "--wait", "10s")
    check.equal(again.returncode, 3, again.stderr)
    check.contains(again.stdout, "order-exists")


@check.test
def an_order_by_any_producer_with_the_schema():
    s = shop()
    order = {"order_id": "o3", "customer_id": "kafka", "currency": "USD", "lines": [LINE, LINE]}
    kafka.produce(f"{NAME}.orders.cold", [("o3", s.oracle.framed("PlaceOrder", order), {})])
    s.awaits("o3", "placed")
    check.equal(s.row("o3")["total"], 1800)


@check.test
def a_currency_that_is_not_taken_cancels_the_order_through_the_policy():
    s = shop()
    check.equal(s.place("o4", currency="XTS").status, 200)
    s.awaits("o4", "cancelled")
    check.equal(s.row("o4")["reason"], "no payments in XTS")


@check.test
def a_refusal_of_the_provider_cancels_with_its_reason():
    s = shop()
    check.equal(s.place("o5").status, 200)
    s.asked_for("o5")
    kafka.produce(PSP, [settlement("o5", "refused", reason="no funds")])
    s.awaits("o5", "cancelled")
    check.equal(s.row("o5")["reason"], "no funds")


@check.test
def money_for_an_order_cancelled_meanwhile_is_rejected_and_recorded():
    s = shop()
    check.equal(s.place("o6").status, 200)
    s.asked_for("o6")
    done = s.home.must("send", "CancelOrder", '{"order_id": "o6", "reason": "changed my mind"}',
                       "--wait", "10s")
    check.contains(done, "accepted")
    kafka.produce(PSP, [settlement("o6")])
    wait.equals(lambda: s.outcomes("stream = 'order-o6'"),
                [("PlaceOrder", "accepted", ""), ("CancelOrder", "accepted", ""),
                 ("MarkPaid", "rejected", "order-cancelled")], 20)
    check.equal(s.row("o6")["reason"], "changed my mind")


@check.test
def what_the_domain_forbids_is_answered_with_its_code():
    s = shop()
    huge = {"sku": "a", "quantity": 2, "price_cents": 2**63 - 1}
    cases = [
        ("order-exists", s.place("o1")),
        ("no-lines", s.place("n1", lines=())),
        ("bad-line", s.place("n1", lines=[{**LINE, "quantity": 0}])),
        ("poison", s.place("n1", lines=[huge])),
        ("no-such-order", s.post("CancelOrder", {"order_id": "n1"})),
        ("order-paid", s.post("CancelOrder", {"order_id": "o1"})),
        ("order-paid", s.post("MarkPaid", {"order_id": "o1"})),
        ("order-cancelled", s.post("CancelOrder", {"order_id": "o4"})),
        ("payment-exists", s.post("TakePayment", {"payment_id": "o1", "order_id": "o1",
                                                  "currency": "EUR", "cents": 900})),
        ("no-such-payment", s.post("SettlePayment", {"payment_id": "n1", "result": "settled"})),
        ("payment-settled", s.post("SettlePayment", {"payment_id": "o1", "result": "refused"})),
    ]
    for code, answer in cases:
        check.equal((answer.status, answer.json.get("code")), (422, code), repr(answer))
    check.equal(s.types("order-n1"), [])


@check.test
def a_command_sent_again_is_done_once():
    s = shop()
    key = {"Idempotency-Key": "basket-17"}
    order = {"order_id": "o7", "customer_id": "c0", "currency": "EUR", "lines": [LINE]}
    first, again = (s.post("PlaceOrder", order, key) for _ in range(2))
    check.equal((first.status, again.status), (200, 200), repr(again))
    check.equal(again.json["position"], first.json["position"])
    other = s.post("PlaceOrder", {**order, "customer_id": "c1"}, key)
    check.equal(other.status, 422, repr(other))
    check.equal(s.types("order-o7"), ["OrderPlaced"])
    s.asked_for("o7")
    kafka.produce(PSP, [settlement("o7", ce_id="psp-7", partition=p) for p in range(3)])
    kafka.produce(PSP, [settlement("o7", ce_id="psp-7", partition=0)])
    s.awaits("o7", "paid")
    kafka.produce(PSP, [settlement("o7", ce_id="psp-8")])
    wait.equals(lambda: s.outcomes("stream = 'payment-o7'"),
                [("TakePayment", "accepted", ""), ("SettlePayment", "accepted", ""),
                 ("SettlePayment", "rejected", "payment-settled")], 20)


@check.test
def odd_records_of_the_provider_stop_nobody():
    s = shop()
    check.equal(s.place("o8").status, 200)
    s.asked_for("o8")
    headers = {name: {"ce_id": str(uuid.uuid4())} for name in
               ("no-key", "undecodable", "undecodable ")}
    kafka.produce(PSP, [
        ("o8", None, {}, 3),  # a tombstone: skipped
        (None, '{"result": "settled"}', headers["no-key"], 3),
        (None, '{"payment_id": "o8", "result": "perhaps"}', headers["undecodable"], 3),
        ("o8", '{"payment_id": "o8", "result":', headers["undecodable "], 3),
        settlement("o8", partition=3)])
    s.awaits("o8", "paid")
    for name, h in headers.items():
        wait.equals(lambda h=h: [o[1:] for o in s.outcomes(f"id = '{h['ce_id']}'")],
                    [("dead", name.strip())], 20, name)
    skipped = pg.value(f"select count(*) from {NAME}.commands where outcome = 'dead' "
                       f"and error_code not in ('no-key', 'undecodable', 'poison')")
    check.equal(skipped, 0, "a tombstone is no dead letter")


@check.test
def another_teams_avro_is_taken_and_its_tombstone_means_a_command():
    s = shop()
    order = {"order_id": "o9", "customer_id": "baskets", "currency": "EUR", "lines": [LINE]}
    unknown = b"\0\x7f\xff\xff\xff" + s.oracle.framed("PlaceOrder", order)[5:]
    ids = [str(uuid.uuid4()) for _ in range(2)]
    kafka.produce(BASKETS, [
        ("o9", unknown, {"ce_id": ids[0]}, 0), ("x", b"{", {"ce_id": ids[1]}, 0),
        ("o9", s.oracle.framed("PlaceOrder", order), {}, 0)])
    s.awaits("o9", "placed")
    check.equal(pg.value(f"select priority from {NAME}.commands where stream = 'order-o9'"), "cold")
    kafka.produce(BASKETS, [("o9", None, {}, 0)])
    s.awaits("o9", "cancelled")
    for command_id in ids:
        check.equal(s.outcomes(f"id = '{command_id}'")[0][1:], ("dead", "undecodable"))


# ---- many orders at once, and the read models against the fold in Python ----

def ended(s, prefix, totals, want):
    """Each order came to what its settlement says, once."""
    settled = sum(status != "placed" for status in want.values())
    wait.equals(lambda: pg.value(
        f"select count(*) from {NAME}.events where stream like 'order-{prefix}%' "
        f"and type in ('OrderPaid', 'OrderCancelled')"), settled, 60)
    wait.until(s.projected, 30, "the read models")
    check.equal({r["key"]: (r["status"], r["total"]) for r in s.list("orders", limit=1000)
                 if r["key"] in want}, {key: (want[key], totals[key]) for key in want})
    check.equal(s.policy_without_effect(), [])
    check.equal(pg.rows(f"select stream, type from {NAME}.events group by 1, 2 "
                        f"having count(*) > 1"), [], "what happened twice")


@check.test
def many_orders_end_as_their_settlements_say():
    s = shop()
    totals = place_many(s, "m", 300)
    ended(s, "m", totals, settle_many("m", 300))


@check.test
def killed_between_settlement_and_payment_each_order_is_paid_once():
    s = shop()
    totals = place_many(s, "k", 240)
    want = settle_many("k", 240)
    taken = (f"select count(*) from {NAME}.events where stream like 'payment-k%' "
             f"and type <> 'PaymentRequested'")
    for part in (0, 60):  # of the settlements, when it is killed
        wait.until(lambda p=part: pg.value(taken) > p, 60, "some settlements")
        s.process.kill()
        s.start()
    ended(s, "k", totals, want)


@check.test
def read_models_are_what_the_store_folds_to():
    s = shop()
    wait.until(s.projected, 30, "the read models")
    want = s.oracle.orders()
    check.equal({r["key"]: r for r in s.list("orders", limit=1000)}, want)
    steps = s.oracle.steps()
    assert len(steps) > len(want), "orders have more than one step"
    check.equal({r["key"]: r for r in s.list("order_steps", limit=1000)}, steps)
    paid = [r["waited_ms"] for r in steps.values() if r["step"] == "paid"]
    slowest = api.get(f"{s.url}/v1/queries/SlowestSteps?step=paid&limit=10").json["rows"]
    check.equal([r["waited_ms"] for r in slowest], sorted(paid, reverse=True)[:10])
    for model, zone in (("revenue_by_day", "Europe/Berlin"), ("revenue_far", FAR)):
        rows = s.list(model, limit=1000)
        check.equal({r["key"]: (r["orders"], r["cents"]) for r in rows}, s.oracle.revenue(zone))
    utc = {key[4:] for key in s.oracle.revenue("UTC")}
    assert utc.isdisjoint(key[4:] for key in s.oracle.revenue(FAR)), "the zone makes a difference"
    one = next(iter(s.oracle.revenue("Europe/Berlin")))
    for key in (one, one.replace("/", "%2F")):
        check.equal(api.get(f"{s.url}/v1/models/revenue_by_day/{key}").json["key"], one)


@check.test
def replayed_from_the_store_the_read_models_are_the_same():
    s = shop()
    for model in ("orders", "revenue_by_day", "revenue_far", "order_steps"):
        done = s.home.cli("replay", model)
        check.equal(done.returncode, 0, done.stdout + done.stderr)


@check.test
def indexes_give_ranges_and_pages_in_their_order():
    s = shop()
    want = s.oracle.orders().values()
    for customer in CUSTOMERS[:2]:
        own = sorted((r for r in want if r["customer"] == customer), key=lambda r: -r["placed_at"])
        assert len(own) > 20, own
        pages = s.list("orders", index="by_customer", from_=customer, to=customer, limit=7)
        whole = s.list("orders", index="by_customer", from_=customer, to=customer, limit=1000)
        check.equal(pages, whole)
        check.equal([r["placed_at"] for r in pages], [r["placed_at"] for r in own])
        check.equal({r["key"] for r in pages}, {r["key"] for r in own})
        # From the eleventh newest on: what was placed at its time or before.
        since = own[10]["placed_at"]
        older = s.list("orders", index="by_customer", from_=f"{customer},{since}", to=customer,
                       limit=9)
        check.equal({r["key"] for r in older}, {r["key"] for r in own if r["placed_at"] <= since})
    open_ = s.list("orders", index="by_status", from_="placed", to="placed", limit=11)
    check.equal({r["key"] for r in open_}, {r["key"] for r in want if r["status"] == "placed"})
    check.equal([r["placed_at"] for r in open_], sorted(r["placed_at"] for r in open_))
    text = s.home.must("list", "orders", "--index", "by_status", "--from", "cancelled", "--to",
                       "cancelled", "--limit", "3", "--json")
    check.equal([r["status"] for r in json.loads(text)["rows"]], ["cancelled"] * 3)


@check.test
def queries_give_a_row_and_pages_of_what_matches():
    s = shop()
    row = api.get(f"{s.url}/v1/queries/GetOrder?key=o1")
    check.equal((row.status, row.json), (200, s.row("o1")))
    check.equal(api.get(f"{s.url}/v1/queries/GetOrder?key=nobody").status, 404)
    for customer in CUSTOMERS[:2]:
        want = [r["key"] for r in s.list("orders", index="by_customer", from_=customer,
                                         to=customer, limit=1000) if r["status"] == "placed"]
        assert len(want) > 3, want
        for limit in (3, 50):
            rows = s.pages(f"queries/OpenOrders?customer={customer}&limit={limit}")
            check.equal([r["key"] for r in rows], want)
        printed = s.home.must_json("list", "--query", "OpenOrders", f"customer={customer}")
        check.equal([r["key"] for r in printed["rows"]], want)
    for query, part in (("OpenOrders", "needs the parameter 'customer'"),
                        ("OpenOrders?custmer=c1", "'customer'"), ("OpenOrder", "'OpenOrders'"),
                        ("OpenOrders?customer=c1&limit=51", "50")):
        answer = api.get(f"{s.url}/v1/queries/{query}")
        assert answer.status in (400, 404), repr(answer)
        check.contains(answer.body.decode(), part)


@check.test
def streams_by_http_and_command_line_agree():
    s = shop()
    shown = api.get(f"{s.url}/v1/streams/order-o1").json["events"]
    printed = [json.loads(x) for x in s.home.must("stream", "order-o1", "--json").splitlines()]
    check.equal([e["data"] for e in printed], [e["data"] for e in shown])
    stored = [(kind, e) for _, kind, _, e in s.oracle.events("stream = 'order-o1'")]
    check.equal([(e["type"], e["data"]) for e in shown], stored)


@check.test
def nothing_waits_at_the_end_and_sigterm_ends_it():
    s = shop()
    wait.equals(lambda: {k: v for k, v in s.home.must_json("lag")["total"].items() if v},
                {}, 20, "the lag to be none")
    check.equal(s.process.stop(), 0)


if __name__ == "__main__":
    check.main()
