"""What the shop's read models have to be, folded out of the store by other means than leat's: SQL,
Avro read by the schemas kept in the store, Python's time zones."""

import collections
import datetime
import json
import zoneinfo

from lib import pg


# ---- Avro, as far as the shop needs it ----

def _read_long(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _write_long(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(schema, data):
    """A record of strings, ints and longs."""
    at, record = 0, {}
    for field in schema["fields"]:
        if field["type"] == "string":
            size, at = _read_long(data, at)
            record[field["name"]] = data[at:at + size].decode()
            at += size
        elif field["type"] in ("int", "long"):
            record[field["name"]], at = _read_long(data, at)
        else:
            raise AssertionError(f"{schema['name']}.{field['name']}: {field['type']}")
    assert at == len(data), f"{schema['name']}: {len(data) - at} bytes are left"
    return record


def encode(schema, value):
    """A value of any type the shop's commands have."""
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "string":
        return _write_long(len(value.encode())) + value.encode()
    if kind in ("int", "long"):
        return _write_long(value)
    if kind == "array":
        items = b"".join(encode(schema["items"], v) for v in value)
        return (_write_long(len(value)) + items if value else b"") + b"\0"
    assert kind == "record", kind
    return b"".join(encode(f["type"] if isinstance(f["type"], (dict, str)) else f, value[f["name"]])
                    for f in schema["fields"])


class Oracle:
    """The store of one topology, read with SQL alone."""

    def __init__(self, name):
        self.name = name
        self.schemas = {int(r["id"]): json.loads(r["text"])
                        for r in pg.rows(f"select id, text from {name}.schemas")}
        self.ids = {s["name"]: i for i, s in self.schemas.items()}

    def framed(self, kind, value):
        """A command as any producer with the schema would write it."""
        schema_id = self.ids[kind]
        return b"\0" + schema_id.to_bytes(4, "big") + encode(self.schemas[schema_id], value)

    def events(self, where="true"):
        """(stream, type, time in ms, fields) in the order of each slice."""
        for r in pg.rows(
                f"select stream, type, encode(payload, 'hex') as payload, "
                f"(extract(epoch from date_trunc('milliseconds', recorded_at)) * 1000)::bigint "
                f"as ms from {self.name}.events where {where} order by slice, seq"):
            data = bytes.fromhex(r["payload"])
            assert data[0] == 0, f"{r['type']} in {r['stream']} is not framed Avro"
            schema = self.schemas[int.from_bytes(data[1:5], "big")]
            yield r["stream"], r["type"], int(r["ms"]), decode(schema, data[5:])

    def orders(self):
        """The read model `orders`: key -> row."""
        rows = {}
        for _, kind, ms, e in self.events("stream like 'order-%'"):
            if kind == "OrderPlaced":
                rows[e["order_id"]] = {
                    "key": e["order_id"], "customer": e["customer_id"], "total": e["total_cents"],
                    "status": "placed", "placed_at": ms, "paid_at": None, "reason": None}
            elif kind == "OrderPaid":
                rows[e["order_id"]].update(status="paid", paid_at=ms)
            elif kind == "OrderCancelled":
                rows[e["order_id"]].update(status="cancelled", reason=e["reason"])
        return rows

    def steps(self):
        """The read model `order_steps`, which is written in C: key -> row."""
        names = {"OrderPlaced": "placed", "OrderPaid": "paid", "OrderCancelled": "cancelled"}
        rows, last = {}, {}
        for _, kind, ms, e in self.events("stream like 'order-%'"):
            order = e["order_id"]
            no, before = last.get(order, (0, None))
            last[order] = (no + 1, ms)
            key = f"{order}/{no + 1}"
            rows[key] = {"key": key, "order_id": order, "no": no + 1, "step": names[kind], "at": ms,
                         "waited_ms": None if before is None else ms - before}
        return rows

    def revenue(self, zone):
        """The read model `revenue_by_day` for a time zone: key -> (orders, cents)."""
        days = collections.defaultdict(lambda: [0, 0])
        for _, _, ms, e in self.events("type = 'OrderPaid'"):
            day = datetime.datetime.fromtimestamp(ms / 1000, zoneinfo.ZoneInfo(zone)).date()
            row = days[f"{e['currency']}/{day}"]
            row[0] += 1
            row[1] += e["total_cents"]
        return {key: tuple(row) for key, row in days.items()}
