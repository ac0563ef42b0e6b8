"""Shows that every check of verify.py can fail: a small consistent set of facts, a defect each."""

import copy
import uuid

import odd
import verify
from lib.kafka import Record

NAME = "planted"


class Facts:
    """What verify.Facts reads from the servers, made up: 30 commands on three accounts."""

    def __init__(self, load):
        self.name, self.load = NAME, load
        self.commands, self.events, self.topic = [], [], []
        self.heads, self.versions, self.balance = {}, {}, {}
        for c in load.commands:
            self.handle(c)

    def handle(self, c):
        rejected = c.processor == "withdrawals" and self.balance.get(c.account, 0) < c.cents
        self.commands.append({"id": c.id, "processor": c.processor,
                              "outcome": "rejected" if rejected else "accepted"})
        if rejected:
            return
        cents = c.cents if c.processor == "deposits" else -c.cents
        self.balance[c.account] = self.balance.get(c.account, 0) + cents
        kind = "deposit" if c.processor == "deposits" else "withdrawal"
        self.event(f"account-{c.account}", "Deposited" if cents > 0 else "Withdrawn", c.id,
                   {"account": c.account, "kind": kind, "cents": cents,
                    "balance": self.balance[c.account], "number": c.number})
        if c.processor == "deposits" and c.note:
            note = str(uuid.uuid4())
            self.commands.append({"id": note, "processor": "notes", "outcome": "accepted"})
            self.event(f"note-{c.note}", "Noted", note, {"note": c.note, "number": c.number})

    def event(self, stream, kind, command, body):
        k = sum(stream.encode()) % 3
        seq = self.heads[k] = self.heads.get(k, 0) + 1
        body["count"] = self.versions[stream] = self.versions.get(stream, 0) + 1
        e = {"slice": k, "seq": seq, "stream": stream, "version": body["count"], "type": kind,
             "event_id": str(uuid.uuid4()), "command_id": command, "body": body}
        self.events.append(e)
        self.topic.append(Record(k, seq - 1, 0, b"", b"", {
            "leat-seq": str(seq).encode(), "ce_id": e["event_id"].encode()}))

    def _rows(self, _sql):
        return [{"slice": k, "head_seq": head} for k, head in self.heads.items()]


def _swap(f):
    first = next(i for i, r in enumerate(f.topic) if r.header("leat-seq") == "2")
    second = next(i for i, r in enumerate(f.topic)
                  if r.partition == f.topic[first].partition and r.header("leat-seq") == "3")
    f.topic[first], f.topic[second] = f.topic[second], f.topic[first]


def _twice(f):
    e = dict(f.events[0], seq=f.heads[f.events[0]["slice"]] + 1, event_id=str(uuid.uuid4()))
    f.events.append(e)


def _note_twice(f):
    note = next(e for e in f.events if e["type"] == "Noted")
    f.events.append(dict(note, event_id=str(uuid.uuid4())))


class Letters:
    """What odd.Letters reads, made up: a command of each kind."""

    def __init__(self, load):
        self.elsewhere, self.rows, self.topic, self.sent = 0, [], [], {}
        self.odd = [copy.copy(c) for c in load.commands[:len(odd.KINDS)]]
        for c, kind in zip(self.odd, odd.KINDS):
            odd.spoil(c, kind)
            self.die(c)

    def die(self, c):
        key, value, headers = odd.record(c)
        value = value.encode() if isinstance(value, str) else value
        given = {name: text.encode() for name, text in headers.items()}
        at = {"topic": f"{NAME}.deposits.hot", "partition": "0", "record_offset": str(c.number)}
        self.sent[odd.place(at)] = Record(0, c.number, 0, key.encode(), value, given)
        kind, code = odd.KINDS[c.odd]
        self.rows.append({**at, "id": c.id, "class": kind, "code": code, "state": "dead",
                          "message": "", "no_value": "t" if value is None else "f",
                          "value": "" if value is None else value.hex()})
        errors = {"topic": at["topic"], "partition": "0", "offset": at["record_offset"],
                  "code": code}
        self.topic.append(Record(1, c.number, 0, key.encode(), value, {
            **given, **{f"__leat.errors.{k}": v.encode() for k, v in errors.items()}}))


# defect -> (the check that must see it, what is done to the facts)
DEFECTS = {
    "command_lost": ("commands_settled_once", lambda f: f.commands.pop(0)),
    "command_twice": ("commands_settled_once", lambda f: f.commands.append(dict(f.commands[0]))),
    "event_lost": ("events_exactly_once", lambda f: f.events.pop(0)),
    "event_twice": ("events_exactly_once", _twice),
    "note_twice": ("sent_commands_exactly_once", _note_twice),
    "note_lost": ("sent_commands_exactly_once", lambda f: f.events.remove(
        next(e for e in f.events if e["type"] == "Noted"))),
    "id_twice": ("event_ids_unique",
                 lambda f: f.events[1].update(event_id=f.events[0]["event_id"])),
    "hole_in_seqs": ("seqs_dense", lambda f: f.events.pop(3)),
    "version_again": ("versions_dense", lambda f: f.events[-1].update(version=1 << 20)),
    "imaginary_state": ("decided_on_real_state",
                        lambda f: f.events[0]["body"].update(balance=-1)),
    "topic_out_of_order": ("events_topic_is_the_log", _swap),
    "topic_tail_lost": ("events_topic_is_the_log", lambda f: f.topic.pop()),
    "topic_other_event": ("events_topic_is_the_log",
                          lambda f: f.topic[0].headers.update({"ce_id": b"another"})),
}

LETTER_DEFECTS = {
    "letter_lost": ("letters_once", lambda f: f.letters.rows.pop()),
    "letter_twice": ("letters_once", lambda f: f.letters.rows.append(dict(f.letters.rows[0]))),
    "letter_of_a_good_one": ("letters_once", lambda f: f.letters.odd.pop()),
    "letter_of_other_bytes": ("letters_once", lambda f: f.letters.rows[1].update(value="00")),
    "letter_for_no_reason": ("letters_once", lambda f: f.letters.rows[0].update(code="timeout")),
    "letter_not_in_topic": ("letters_as_they_were_sent", lambda f: f.letters.topic.pop()),
    "letter_without_header": ("letters_as_they_were_sent",
                              lambda f: f.letters.topic[0].headers.pop("x-odd")),
    "letter_with_value": ("letters_as_they_were_sent",
                          lambda f: setattr(f.letters.topic[4], "value", b"")),
}


def results(load):
    """(name, None or why) for each defect, and for the facts without one."""
    clean = Facts(load)
    clean.letters = Letters(load)
    checks = dict(verify.CHECKS + odd.CHECKS)
    for name, (check, spoil) in {**DEFECTS, **LETTER_DEFECTS}.items():
        sound = checks[check](clean)
        spoiled = copy.deepcopy(clean)
        spoil(spoiled)
        why = f"fails without a defect: {sound}" if sound else None
        if why is None and checks[check](spoiled) is None:
            why = f"{check} did not see it"
        yield f"planted_{name}", why
    rows = [{"key": key, **row} for key, row in verify.folded(clean, "account").items()]
    fields = ("events", "cents", "last")
    good = verify.compare_model(clean, rows, "account", fields)
    rows[0]["events"] += 1
    bad = verify.compare_model(clean, rows, "account", fields)
    yield "planted_model_differs", None if good is None and bad else f"{good} / {bad}"
