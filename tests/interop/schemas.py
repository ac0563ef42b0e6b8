"""Random Avro schemas with every kind and logical type, values of them, and ways they evolve."""

import copy
import datetime
import decimal
import uuid

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
PRIMITIVES = ["boolean", "int", "long", "float", "double", "string", "bytes"]
LOGICAL = [("int", "date"), ("int", "time-millis"), ("long", "time-micros"),
           ("long", "timestamp-millis"), ("long", "timestamp-micros"), ("string", "uuid")]
PROMOTIONS = {"int": ["long", "float", "double"], "long": ["float", "double"],
              "float": ["double"], "bytes": []}


def kind(schema):
    """'union', or the type's name; logical types by that name."""
    if isinstance(schema, list):
        return "union"
    if isinstance(schema, str):
        return schema
    return schema.get("logicalType", schema["type"])


class Maker:
    """wide: longs of all 64 bits; else such as a double holds."""

    def __init__(self, r, wide):
        self.r, self.wide, self.names = r, wide, 0

    def name(self):
        self.names += 1
        return f"N{self.names}"

    def record(self, depth=0):
        fields = [{"name": f"f{i}", "type": self.type(depth + 1)}
                  for i in range(self.r.randrange(1, 7))]
        return {"type": "record", "name": self.name(), "namespace": "n.s", "fields": fields}

    def type(self, depth):
        choice = self.r.randrange(18 if depth < 3 else 12)
        if choice < 6:
            return self.r.choice(PRIMITIVES)
        if choice < 9:
            base, logical = self.r.choice(LOGICAL)
            return {"type": base, "logicalType": logical}
        if choice == 9:
            return self.decimal()
        if choice == 10:
            return {"type": "enum", "name": self.name(), "symbols": ["A", "B", "C"]}
        if choice == 11:
            return {"type": "fixed", "name": self.name(), "size": self.r.randrange(1, 17)}
        if choice == 12:
            return {"type": "array", "items": self.type(depth + 1)}
        if choice == 13:
            return {"type": "map", "values": self.type(depth + 1)}
        if choice == 14:
            return self.union(depth)
        if choice < 17:
            inner = self.type(depth + 1)
            while kind(inner) == "union":
                inner = self.type(depth + 1)
            return self.r.choice([["null", inner], [inner, "null"]])
        return self.record(depth)

    def decimal(self):
        precision = self.r.randrange(1, 19)
        made = {"logicalType": "decimal", "precision": precision,
                "scale": self.r.randrange(precision + 1)}
        if self.r.random() < 0.5:
            return {"type": "bytes", **made}
        return {"type": "fixed", "name": self.name(), "size": 9, **made}

    def union(self, depth):
        """Branches that a Python value tells apart."""
        branches = ["null", "boolean", "long", "string", {"type": "array", "items": "long"},
                    self.record(depth + 2)]
        self.r.shuffle(branches)
        return branches[:self.r.randrange(3, 6)]

    def long(self, bits):
        bits = bits if self.wide or bits < 50 else 50
        return self.r.choice([0, 1, -1, 63, 64, -64, -65, 2**(bits - 1) - 1, -2**(bits - 1),
                              self.r.getrandbits(bits) - 2**(bits - 1)])

    def text(self):
        return "".join(self.r.choice(["a", "B", " ", '"', "\\", "é", "€", "😀", "lead"])
                       for _ in range(self.r.randrange(30)))

    def value(self, s):
        k = kind(s)
        if k == "union":
            return self.value(self.r.choice(s))
        if k in ("record", "array", "map", "enum", "fixed"):
            return self.composite(s, k)
        if isinstance(s, dict) and "logicalType" in s:
            return self.logical(s, k)
        r = self.r
        return {"null": lambda: None, "boolean": lambda: r.random() < 0.5,
                "int": lambda: self.long(32) if self.wide else r.randrange(-2**24, 2**24),
                "long": lambda: self.long(64),
                "float": lambda: r.randrange(-1000, 1000) / 16,
                "double": lambda: r.uniform(-1e9, 1e9), "string": self.text,
                "bytes": lambda: r.randbytes(r.randrange(9))}[k]()

    def composite(self, s, k):
        if k == "record":
            return {f["name"]: self.value(f["type"]) for f in s["fields"]}
        if k == "array":
            return [self.value(s["items"]) for _ in range(self.r.randrange(4))]
        if k == "map":
            return {f"k{i}": self.value(s["values"]) for i in range(self.r.randrange(4))}
        return self.r.choice(s["symbols"]) if k == "enum" else self.r.randbytes(s["size"])

    def logical(self, s, k):
        r = self.r
        if k == "decimal":
            n = r.choice([0, 1, -1, 10**s["precision"] - 1, 1 - 10**s["precision"],
                          r.randrange(10**s["precision"])])
            return decimal.Decimal(n).scaleb(-s["scale"])
        if k == "uuid":
            return uuid.UUID(int=r.getrandbits(128))
        if k == "date":
            return datetime.date.fromordinal(r.randrange(1, 3652059))
        unit = 1000 if k.endswith("millis") else 1
        if k.startswith("timestamp"):
            return EPOCH + datetime.timedelta(
                microseconds=r.randrange(-6 * 10**13, 2 * 10**14) * unit // unit * unit // 1000)
        micros = r.randrange(86400000000) // unit * unit
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)).time()


def default_of(r):
    """A new field: its type and default."""
    return r.choice([
        ("int", -7), ("string", "né\""), ("boolean", True), ("double", 0.5),
        (["null", "long"], None), (["long", "null"], 5),
        ({"type": "array", "items": "int"}, [1, 2]),
        ({"type": "map", "values": "string"}, {"k": "v"}), (["string", "null", "long"], "first"),
        ({"type": "enum", "name": "Added", "symbols": ["X", "Y"]}, "Y"),
        ({"type": "record", "name": "AddedRecord", "fields": [
            {"name": "a", "type": "long"}, {"name": "b", "type": "string", "default": "d"}]},
         {"a": 3, "b": "e"})])


def evolve(r, schema):
    """A reader's schema that can read what `schema` wrote."""
    reader = copy.deepcopy(schema)
    change_record(r, reader)
    reader["fields"].append(dict(zip(("type", "default"), default_of(r)), name="added"))
    r.shuffle(reader["fields"])
    return reader


def change_record(r, record):
    kept = []
    for f in record["fields"]:
        if r.random() < 0.15:
            continue
        f["type"] = change(r, f["type"])
        if r.random() < 0.2:
            f["aliases"], f["name"] = ["none", f["name"]], "new_" + f["name"]
        kept.append(f)
    record["fields"] = kept


def change(r, s):
    k = kind(s)
    if k == "union":
        return s
    if k in PROMOTIONS and isinstance(s, str) and PROMOTIONS[k] and r.random() < 0.4:
        return r.choice(PROMOTIONS[k])
    if k == "record":
        change_record(r, s)
    elif k in ("array", "map"):
        inner = "items" if k == "array" else "values"
        s[inner] = change(r, s[inner])
    elif k == "enum" and r.random() < 0.5:
        s["symbols"], s["default"] = ["NEW", "C", "A"], "NEW"
    if r.random() < 0.15:
        return r.choice([["null", s], [s, "null"]])
    if isinstance(s, str) and s == "long" and r.random() < 0.3:
        return ["string", "null", "long"]
    return s


def to_json(s, v):
    """leat's JSON of a value, as src/codec/README.md has it."""
    k = kind(s)
    if k == "union":
        return union_to_json(s, v)
    if k == "record":
        return {f["name"]: to_json(f["type"], v[f["name"]]) for f in s["fields"]}
    if k == "array":
        return [to_json(s["items"], x) for x in v]
    if k == "map":
        return {name: to_json(s["values"], x) for name, x in v.items()}
    if k == "decimal":
        return format(v.quantize(decimal.Decimal(1).scaleb(-s["scale"])), "f").replace("-0", "0") \
            if v == 0 else format(v, "f")
    if isinstance(v, bytes):
        return v.decode("latin-1")
    if k == "uuid":
        return str(v)
    if k == "date":
        return (v - EPOCH.date()).days
    if k in ("time-millis", "time-micros"):
        micros = ((v.hour * 60 + v.minute) * 60 + v.second) * 1000000 + v.microsecond
        return micros // 1000 if k == "time-millis" else micros
    if k in ("timestamp-millis", "timestamp-micros"):
        micros = (v - EPOCH) // datetime.timedelta(microseconds=1)
        return micros // 1000 if k == "timestamp-millis" else micros
    return v


def union_to_json(s, v):
    if len(s) == 2 and "null" in s:
        return None if v is None else to_json(s[1] if s[0] == "null" else s[0], v)
    for branch in s:
        k = kind(branch)
        types = {"null": type(None), "boolean": bool, "long": int, "string": str, "array": list,
                 "record": dict}
        if type(v) is types[k]:
            name = f"{branch.get('namespace', 'n.s')}.{branch['name']}" if k == "record" else k
            return None if v is None else {name: to_json(branch, v)}
    raise AssertionError(f"{v!r} is of no branch of {s}")
