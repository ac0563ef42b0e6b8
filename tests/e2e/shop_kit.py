"""The example shop as its test runs it: set up under a name of its own, and what goes in."""

import datetime
import json
import os
import random
import uuid

from lib import api, check, kafka, leat, pg, servers, wait
from shop_oracle import Oracle

NAME = "shop_e2e"
PSP = f"{NAME}_psp.settlement.v2"
PSP_PARTITIONS = 5  # not ours, and filled without regard to keys
BASKETS = f"{NAME}_baskets"
CUSTOMERS = [f"c{i}" for i in range(6)]
LINE = {"sku": "a", "quantity": 2, "price_cents": 450}
# A zone in which it is another day than in UTC, whatever the hour of the test.
FAR = ("Pacific/Kiritimati" if datetime.datetime.now(datetime.timezone.utc).hour >= 10
       else "Pacific/Pago_Pago")
FAR_MODEL = f"""  revenue_far:
    key: [$.currency, "day($meta.time, '{FAR}')"]
    from: {{OrderPaid: {{add: {{orders: 1, cents: $.total_cents}}}}}}

queries:
"""
# Another team's topic: Avro with schemas of the store, compacted.
BASKETS_SOURCE = f"""  baskets:
    topic: {BASKETS}
    format: avro
    command: PlaceOrder
    key: $.order_id
    priority: cold
    tombstone: CancelOrder

aggregates:
"""

_shop = {}


class Shop:
    """The topology under a name of its own, applied and running."""

    def __init__(self):
        self.home = leat.Home(
            "topology/shop.yaml", modules=os.path.join(servers.BIN_DIR, "modules", "shop"),
            env={"PSP_TOPIC": PSP},
            replace={"name: shop ": f"name: {NAME} ", "\nqueries:\n": "\n" + FAR_MODEL,
                     "\naggregates: ": "\n" + BASKETS_SOURCE.rstrip("\n") + " ",
                     "[../schemas/shop]": f"[{os.path.join(servers.ROOT, 'schemas', 'shop')}]"})
        self.home.forget(NAME)
        kafka.delete(PSP, BASKETS)
        wait.until(lambda: not kafka.topics(f"{NAME}_"), 20, "the old topics to be gone")
        kafka.create(PSP, PSP_PARTITIONS)
        kafka.create(BASKETS, 3, cleanup_policy="compact")
        self.home.must("apply")
        self.oracle = Oracle(NAME)
        self.url = f"http://127.0.0.1:{servers.free_port()}"
        self.start()

    def start(self):
        self.process = self.home.start("--listen", self.url[7:], "--instance", "one")
        wait.until(lambda: self.process.alive() and api.get(self.url + "/readyz").status == 200, 60,
                   f"leat to be ready ({self.process.log_path})")

    def post(self, command, body, headers=None, seconds=10):
        return api.post(f"{self.url}/v1/commands/{command}", body, seconds=seconds + 5,
                        headers={"Prefer": f"wait={seconds}", **(headers or {})})

    def place(self, order, customer="c0", currency="EUR", lines=(LINE,)):
        return self.post("PlaceOrder", {"order_id": order, "customer_id": customer,
                                        "currency": currency, "lines": list(lines)})

    def row(self, order):
        answer = api.get(f"{self.url}/v1/models/orders/{order}")
        return answer.json if answer.status == 200 else {}

    def awaits(self, order, status):
        wait.equals(lambda: self.row(order).get("status"), status, 20, f"order {order}")

    def asked_for(self, payment):
        """The payment is asked for, so that it can be settled."""
        wait.equals(lambda: self.types(f"payment-{payment}"), ["PaymentRequested"], 20)

    def types(self, stream):
        answer = api.get(f"{self.url}/v1/streams/{stream}")
        return [e["type"] for e in answer.json["events"]] if answer.status == 200 else []

    def list(self, model, **query):
        """All rows, page by page."""
        text = "&".join(f"{k.rstrip('_')}={v}" for k, v in query.items())
        return self.pages(f"models/{model}?{text}")

    def pages(self, address):
        rows, cursor = [], ""
        while cursor is not None:
            page = api.get(f"{self.url}/v1/{address}{cursor}")
            check.equal(page.status, 200, repr(page))
            rows += page.json["rows"]
            cursor = page.json["cursor"] and f"&cursor={page.json['cursor']}"
        return rows

    def outcomes(self, where):
        return [(r["type"], r["outcome"], r["error_code"]) for r in pg.rows(
            f"select type, outcome, error_code from {NAME}.commands where {where} "
            f"order by finished_at, id")]

    def policy_without_effect(self):
        """Payments without exactly one command of the policy that belongs to them."""
        return pg.rows(
            f"select e.stream, e.type from {NAME}.events e left join {NAME}.commands c "
            f"on c.stream = 'order-' || substr(e.stream, 9) "
            f"and c.correlation_id = e.correlation_id and c.processor = 'orders' "
            f"and c.type = case e.type when 'PaymentTaken' then 'MarkPaid' else 'CancelOrder' end "
            f"where e.type in ('PaymentTaken', 'PaymentRefused') group by e.stream, e.type "
            f"having count(c.id) <> 1")

    def projected(self):
        heads = {int(r["slice"]): int(r["head_seq"])
                 for r in pg.rows(f"select slice, head_seq from {NAME}.slices")}
        return all(self.position(m) == heads for m in ("orders", "revenue_by_day", "revenue_far"))

    def position(self, model):
        answer = api.get(f"{self.url}/v1/models/{model}?limit=1")
        groups = answer.headers["Leat-Position"].split(";")
        pairs = [pair.split("=") for group in groups for pair in group.split(":")[1].split(",")]
        return {int(slice_): int(seq) for slice_, seq in pairs}


def shop():
    if "it" not in _shop:
        _shop["it"] = Shop()
    return _shop["it"]


def settlement(payment, result="settled", ce_id=None, partition=None, **more):
    """What the provider writes: JSON without key, fields we do not know, ids that are no UUIDs."""
    body = {"payment_id": payment, "result": result, "merchant": {"no": 7}, **more}
    return (None, json.dumps(body), {"ce_id": ce_id or f"psp-{uuid.uuid4().hex}",
                                     "ce_type": "com.psp.settlement", "psp-node": "n1"},
            random.randrange(PSP_PARTITIONS) if partition is None else partition)


def basket(order, rng):
    return {"order_id": order, "customer_id": rng.choice(CUSTOMERS),
            "currency": rng.choice(["EUR", "EUR", "CHF", "USD"]),
            "lines": [{"sku": f"s{n}", "quantity": rng.randint(1, 5),
                       "price_cents": rng.randint(1, 90000)} for n in range(rng.randint(1, 4))]}


def place_many(s, prefix, n):
    """Orders through a file and two topics: order -> cents, when all payments are asked for."""
    rng = random.Random(prefix)
    orders = [basket(f"{prefix}{i}", rng) for i in range(n)]
    path = os.path.join(s.home.dir, f"orders-{prefix}.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(o) + "\n" for o in orders[::3])
    s.home.must("import", path, "-c", "PlaceOrder", "-p", "cold")
    for topic, part in (("hot", orders[1::3]), ("warm", orders[2::3])):
        kafka.produce(f"{NAME}.orders.{topic}", [
            (o["order_id"], s.oracle.framed("PlaceOrder", o), {"ce_id": str(uuid.uuid4())})
            for o in part])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.events where type = "
                                 f"'PaymentRequested' and stream like 'payment-{prefix}%'"), n, 60)
    return {o["order_id"]: sum(x["quantity"] * x["price_cents"] for x in o["lines"])
            for o in orders}


def settle_many(prefix, n):
    """A third of them comes twice; order -> what becomes of it."""
    rng = random.Random(prefix)
    want, records = {}, []
    for order in (f"{prefix}{i}" for i in range(n)):
        want[order] = rng.choice(["paid", "paid", "paid", "cancelled", "placed"])
        if want[order] != "placed":
            result = "settled" if want[order] == "paid" else "refused"
            records += [settlement(order, result, ce_id=f"bulk-{order}")] * rng.choice([1, 1, 2])
    rng.shuffle(records)
    kafka.produce(PSP, records)
    return want
