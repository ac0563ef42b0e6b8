"""What must hold after a run, counted by SQL and by a plain Kafka consumer. Each function returns
None when all is well, else a sentence with the first things that are not."""

import collections
import csv
import io
import json

from lib import api, kafka, pg

PAGE = 1000
PARTITIONS = 12


def some(wrong, what):
    """None for an empty list; else how many, and the first of them."""
    wrong = list(wrong)
    if not wrong:
        return None
    return f"{len(wrong)} {what}: " + ", ".join(str(w) for w in wrong[:3])


class Facts:
    """What the store and the events topic hold once all is quiet."""

    def __init__(self, name, load):
        self.name, self.load = name, load
        self.commands = self._rows(
            "select id, processor, outcome, slice, stream from {s}.commands")
        self.events = self._rows(
            "select slice, seq, stream, version, type, event_id, command_id, "
            "convert_from(payload, 'UTF8') as body from {s}.events order by slice, seq")
        for e in self.events:
            e["slice"], e["seq"], e["version"] = int(e["slice"]), int(e["seq"]), int(e["version"])
            e["body"] = json.loads(e["body"])
        self.topic = kafka.consume(f"{name}.events")

    def _rows(self, sql):
        text = pg.execute(sql.format(s=f'"{self.name}"'))
        return list(csv.DictReader(io.StringIO(text)))


# ---- commands ----

def settled_once(f):
    """Every command sent has one row, of its processor and with an outcome it may have."""
    rows = collections.defaultdict(list)
    for row in f.commands:
        rows[row["id"]].append(row)
    wrong = []
    for c in f.load.commands:
        found = rows.pop(c.id, [])
        allowed = ("accepted",) if c.processor == "deposits" else ("accepted", "rejected")
        allowed = ("dead",) if c.odd else allowed
        if len(found) != 1:
            wrong.append(f"command {c.number} has {len(found)} rows")
        elif found[0]["processor"] != c.processor or found[0]["outcome"] not in allowed:
            wrong.append(f"command {c.number} is {found[0]['outcome']} by {found[0]['processor']}")
    for key, found in rows.items():
        if len(found) != 1 or found[0]["processor"] != "notes" or found[0]["outcome"] != "accepted":
            wrong.append(f"{key} has {len(found)} rows, of {found[0]['processor']}, "
                         f"{found[0]['outcome']}")
    return some(wrong, "commands are not settled once")


def nothing_dead(f):
    """Nothing that can be done, that is."""
    count = pg.value(f"select count(*) from \"{f.name}\".outbox_refused")
    odd = {c.id for c in f.load.commands if c.odd}
    dead = [row["id"] for row in f.commands
            if row["outcome"] not in ("accepted", "rejected") and row["id"] not in odd]
    if count:
        return f"{count} outbox rows were refused"
    return some(dead, "commands are neither accepted nor rejected")


# ---- events ----

def events_once(f):
    """Each accepted command has its event once, with its own number and amount; a rejected none."""
    outcome = {row["id"]: row["outcome"] for row in f.commands}
    events = collections.defaultdict(list)
    for e in f.events:
        if e["type"] != "Noted":
            events[e["command_id"]].append(e)
    wrong = []
    for c in f.load.commands:
        found = events.pop(c.id, [])
        if len(found) != (outcome.get(c.id) == "accepted"):
            wrong.append(f"command {c.number} ({outcome.get(c.id)}) has {len(found)} events")
            continue
        cents = c.cents if c.processor == "deposits" else -c.cents
        if found and (found[0]["body"]["number"], found[0]["body"]["cents"],
                      found[0]["stream"]) != (c.number, cents, f"account-{c.account}"):
            wrong.append(f"command {c.number} has the event {found[0]['body']}")
    wrong += [f"{len(e)} events of the unknown command {key}" for key, e in events.items()]
    return some(wrong, "commands do not have their event once")


def sent_once(f):
    """Each accepted deposit with a note has led to one Noted, and nothing else has."""
    expected = {c.number: c.note for c in f.load.commands if c.processor == "deposits" and c.note}
    wrong = []
    for e in f.events:
        if e["type"] == "Noted" and expected.pop(e["body"]["number"], None) != e["body"]["note"]:
            wrong.append(f"unexpected or second note of command {e['body']['number']}")
    wrong += [f"no note of command {number}" for number in expected]
    return some(wrong, "sent commands are not handled once")


def ids_unique(f):
    counts = collections.Counter(e["event_id"] for e in f.events)
    return some((key for key, n in counts.items() if n > 1), "event ids are there twice")


def seqs_dense(f):
    heads = {int(r["slice"]): int(r["head_seq"]) for r in f._rows(
        "select slice, head_seq from {s}.slices")}
    last, wrong = collections.Counter(), []
    for e in f.events:
        last[e["slice"]] += 1
        if e["seq"] != last[e["slice"]]:
            wrong.append(f"slice {e['slice']} seq {e['seq']} at place {last[e['slice']]}")
    wrong += [f"slice {k} ends with {last[k]}, its head is {head}"
              for k, head in heads.items() if last[k] != head]
    return some(wrong, "seqs are not dense")


def versions_dense(f):
    last, wrong = collections.Counter(), []
    for e in f.events:
        last[e["stream"]] += 1
        if e["version"] != last[e["stream"]]:
            wrong.append(f"{e['stream']} version {e['version']} at place {last[e['stream']]}")
    return some(wrong, "versions are not dense")


def decided_on_real_state(f):
    """Every event says which balance and count it was decided on; they must have been there."""
    balance, count, wrong = collections.Counter(), collections.Counter(), []
    for e in f.events:
        stream, body = e["stream"], e["body"]
        count[stream] += 1
        balance[stream] += body.get("cents", 0)
        if body["count"] != count[stream] or body.get("balance", 0) != balance[stream]:
            wrong.append(f"{stream} version {e['version']} says {body}")
        if balance[stream] < 0:
            wrong.append(f"{stream} is below zero at version {e['version']}")
    return some(wrong, "events were decided on a state that never was")


# ---- Kafka ----

def topic_is_the_log(f):
    """The events topic in seq order once copies by leat-seq are dropped, with the store's ids."""
    store = {(e["slice"], e["seq"]): e["event_id"] for e in f.events}
    last, wrong = collections.Counter(), []
    for r in f.topic:
        seq = int(r.header("leat-seq"))
        if store.get((r.partition, seq)) != r.header("ce_id"):
            wrong.append(f"partition {r.partition} offset {r.offset}: seq {seq} is another event")
        if seq > last[r.partition] + 1:
            wrong.append(f"partition {r.partition} offset {r.offset}: seq {seq} follows "
                         f"{last[r.partition]}")
        last[r.partition] = max(last[r.partition], seq)
    heads = collections.Counter(e["slice"] for e in f.events)
    wrong += [f"partition {k} ends with seq {last[k]}, slice {k} with {heads[k]}"
              for k in heads if last[k] != heads[k]]
    return some(wrong, "records of the events topic are out of order, wrong or missing")


def copies_in_topic(f):
    return len(f.topic) - len({(r.partition, r.header("leat-seq")) for r in f.topic})


def nothing_left(f):
    """Every lane stands at its topic's end; everything is published; the outbox is empty."""
    text = unfinished(f.name)
    return None if text is None else text


def unfinished(name):
    """What is still to be done, or None."""
    row = pg.rows(f"""select
        (select count(*) from "{name}".outbox) as outbox,
        (select count(*) from "{name}".slices s join "{name}".published p using (slice)
         where p.seq <> s.head_seq or p.outbox_seq <> s.outbox_seq) as behind""")[0]
    at = {(r["topic"], int(r["k"])): int(r["next_offset"]) for r in pg.rows(
        f'select topic, k, next_offset from "{name}".lanes')}
    for topic in kafka.topics(f"{name}."):
        if topic.endswith(".events") or topic.endswith(".dlq"):
            continue
        for partition, _, high in kafka.offsets(topic):
            # Partition 13 of a topic is lane 1 of "topic#1": lanes belong to our 12.
            extra = f"#{partition // PARTITIONS}" if partition >= PARTITIONS else ""
            lane = (topic + extra, partition % PARTITIONS)
            if at.get(lane, 0) != high:
                return f"{topic} {partition} stands at {at.get(lane)} of {high}"
    if int(row["outbox"]) or int(row["behind"]):
        return f"{row['outbox']} outbox rows, {row['behind']} slices not published"
    return None


# ---- read model ----

def model_rows(url, model):
    rows, cursor = [], None
    while True:
        query = f"/v1/models/{model}?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        answer = api.get(url(query))
        if answer.status != 200:
            raise AssertionError(f"{query}: {answer!r}")
        rows += answer.json["rows"]
        cursor = answer.json["cursor"]
        if cursor is None:
            return rows


def folded(f, key):
    """The model as a fold over the store: the same sums, made here."""
    rows = {}
    for e in f.events:
        if e["type"] == "Noted":
            continue
        row = rows.setdefault(e["body"][key], {"events": 0, "cents": 0})
        row["events"] += 1
        row["cents"] += e["body"]["cents"]
        row["last"] = e["body"]["number"]
    return rows


def compare_model(f, rows, key, fields):
    """`rows` as the HTTP API gives them against the fold."""
    have = {row["key"]: {name: row.get(name) for name in fields} for row in rows}
    want = {k: {name: row[name] for name in fields} for k, row in folded(f, key).items()}
    wrong = [f"{k}: {have.get(k)} instead of {want.get(k)}"
             for k in sorted(set(have) | set(want)) if have.get(k) != want.get(k)]
    return some(wrong, "rows of the read model are not the fold of the store")


CHECKS = [
    ("commands_settled_once", settled_once),
    ("nothing_dead_or_refused", nothing_dead),
    ("events_exactly_once", events_once),
    ("sent_commands_exactly_once", sent_once),
    ("event_ids_unique", ids_unique),
    ("seqs_dense", seqs_dense),
    ("versions_dense", versions_dense),
    ("decided_on_real_state", decided_on_real_state),
    ("events_topic_is_the_log", topic_is_the_log),
    ("nothing_left_behind", nothing_left),
]
