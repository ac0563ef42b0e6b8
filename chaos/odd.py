"""Commands that can never be done, among those that can: how they are sent, and the judge of what
became of them: dead letters with the bytes and headers they were sent with, the others done."""

import csv
import io
import json

from lib import kafka, pg

from verify import some

# kind -> (class, code) of its dead letter
KINDS = {
    "poison": ("poison", "poison"),          # the handler says so
    "garbage": ("poison", "undecodable"),    # bytes that are no Deposit
    "nameless": ("poison", "undecodable"),   # the same, without any header
    "stranger": ("poison", "unknown-type"),  # a type nobody handles
    "empty": ("poison", "null-value"),       # no value at all
    "segv": ("crash", "crashed"),
    "abort": ("crash", "crashed"),
    "hang": ("crash", "hung"),
}
POISON = ("poison", "garbage", "nameless", "stranger", "empty")
CRASH = ("segv", "abort", "hang")
TRIES = 3


def spoil(command, kind):
    """Makes a deposit one of a kind; `expected` is the judge's."""
    command.processor, command.odd, command.note = "deposits", kind, ""


def record(command):
    """(key, value, headers) as it is sent."""
    body = {"account": command.account, "cents": command.cents, "number": command.number,
            "note": f"!{command.odd}"}
    headers = {"ce_id": command.id, "ce_type": "Deposit", "x-odd": str(command.number)}
    value = json.dumps(body)
    if command.odd in ("garbage", "nameless"):
        value = b"\xff\x00{\"number\": %d\xfe" % command.number
    if command.odd == "nameless":
        headers = {}
    if command.odd == "stranger":
        headers["ce_type"] = "Depozit"
    if command.odd == "empty":
        value = None
    return command.account, value, headers


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


class Letters:
    """The dead letters of the store and of the topic, and where the odd commands lie in Kafka."""

    def __init__(self, name, commands):
        self.odd = [c for c in commands if c.odd]
        self.rows = list(csv.DictReader(io.StringIO(pg.execute(
            "select id, topic, partition, record_offset, class, code, message, attempts, state, "
            "handler_version, key, value is null as no_value, encode(value, 'hex') as value "
            f'from "{name}".dead_letters where processor = \'deposits\''))))
        self.elsewhere = pg.value(f"select count(*) from \"{name}\".dead_letters "
                                  "where processor <> 'deposits'")
        self.topic = kafka.consume(f"{name}.deposits.dlq")
        self.sent = {}
        for priority in ("hot", "cold"):
            topic = f"{name}.deposits.{priority}"
            for r in kafka.consume(topic):
                self.sent[topic, r.partition, r.offset] = r
        self.name_the_nameless()

    def name_the_nameless(self):
        """Those sent without an id are known by the place where their bytes lie."""
        by_value = {_bytes(record(c)[1]): c for c in self.odd if c.odd == "nameless"}
        ids = {place(row): row["id"] for row in self.rows}
        for at, r in self.sent.items():
            if r.value in by_value and not r.headers:
                by_value[r.value].id = ids.get(at)


def place(row):
    return row["topic"], int(row["partition"]), int(row["record_offset"])


# ---- checks: f.letters is a Letters; None when all is well ----

def letters_once(f):
    """One dead letter in the store for each odd command and no other, for the right reason, with
    the place and the value it has in Kafka."""
    rows, wrong = {}, []
    for row in f.letters.rows:
        if rows.setdefault(row["id"], row) is not row:
            wrong.append(f"{row['id']} has two letters")
    for c in f.letters.odd:
        row = rows.pop(c.id, None)
        if row is None:
            wrong.append(f"command {c.number} ({c.odd}) has no letter")
            continue
        value = None if row["no_value"] == "t" else bytes.fromhex(row["value"])
        sent = f.letters.sent.get(place(row))
        if (row["class"], row["code"]) != KINDS[c.odd] or row["state"] != "dead":
            wrong.append(f"command {c.number} ({c.odd}) is {row['state']}: {row['class']} "
                         f"{row['code']} {row['message']}")
        elif sent is None or value != sent.value or value != _bytes(record(c)[1]):
            wrong.append(f"command {c.number} ({c.odd}) has other bytes at {place(row)}")
    wrong += [f"{key} is nothing odd, and dead: {row['code']} {row['message']}"
              for key, row in rows.items()]
    if f.letters.elsewhere:
        wrong.append(f"{f.letters.elsewhere} letters of other processors")
    return some(wrong, "commands do not have their letter once")


def letters_in_topic(f):
    """Each has its record in the dead letter topic: key, value and headers as they were sent, and
    headers of leat's beside. A relay may have sent it twice."""
    found, wrong = {}, []
    for r in f.letters.topic:
        at = (r.header("__leat.errors.topic"), int(r.header("__leat.errors.partition")),
              int(r.header("__leat.errors.offset")))
        found.setdefault(at, []).append(r)
    for row in f.letters.rows:
        at = place(row)
        sent = f.letters.sent.get(at)
        records = found.pop(at, [])
        if not records or sent is None:
            wrong.append(f"{at} is not in the topic")
        for r in records:
            given = {k: v for k, v in r.headers.items() if not k.startswith("__leat.")}
            if (r.key, r.value, given) != (sent.key, sent.value, sent.headers):
                wrong.append(f"{at} reads otherwise in the topic: {r}")
            elif r.header("__leat.errors.code") != row["code"]:
                wrong.append(f"{at} is said to be {r.header('__leat.errors.code')}")
    wrong += [f"{at} is in the topic and not in the store" for at in found]
    return some(wrong, "letters are not in the topic as they were sent")


CHECKS = [("letters_once", letters_once), ("letters_as_they_were_sent", letters_in_topic)]
