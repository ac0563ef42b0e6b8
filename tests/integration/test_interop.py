"""The events topic read by others: Python and Java see, field for field, what the store holds."""

import json
import os
import random
import subprocess
import sys
import uuid

from lib import api, check, leat, pg, servers, wait

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "interop"))
import fetch  # noqa: E402 - lies in the folder named above

NAME = "leat_interop"
COMMANDS = 40
_system = {}


def long_of(r, bits):
    return r.choice([0, -1, 1, 63, 64, -64, -65, 2**(bits - 1) - 1, -2**(bits - 1),
                     r.getrandbits(bits) - 2**(bits - 1)])


def text_of(r):
    return "".join(r.choice(["a", "Z", " ", '"', "\\", "\n", "é", "€", "😀"])
                   for _ in range(r.randrange(12)))


def bytes_of(r, n):
    return "".join(chr(r.randrange(256)) for _ in range(n))


def decimal_of(r, digits, scale):
    n = r.choice([0, 1, -1, 10**digits - 1, 1 - 10**digits, r.randrange(10**digits), -128, 128])
    return f"{'-' if n < 0 else ''}{abs(n) // 10**scale}.{abs(n) % 10**scale:0{scale}d}"


def inner_of(r):
    return {"x": long_of(r, 32), "y": r.choice([None, 0.5, -1e300])}


def kinds_of(r):
    """One value of Kinds.avsc in leat's JSON; days and times as Python's datetime can hold."""
    choice = r.choice([None, {"string": text_of(r)}, {"long": long_of(r, 64)},
                       {"org.example.kinds.Inner": inner_of(r)}, {"array": [text_of(r), ""]}])
    return {
        "ok": r.random() < 0.5, "small": long_of(r, 32), "big": long_of(r, 64),
        "ratio": r.randrange(-1000, 1000) / 8, "exact": r.uniform(-1e9, 1e9), "text": text_of(r),
        "raw": bytes_of(r, r.randrange(9)), "hash": bytes_of(r, 4),
        "mood": r.choice(["CALM", "GLAD", "CROSS"]), "note": r.choice([None, text_of(r)]),
        "last": r.choice([None, long_of(r, 64)]),
        "tags": [text_of(r) for _ in range(r.randrange(3))],
        "limits": {f"k{i}": long_of(r, 64) for i in range(r.randrange(3))}, "inner": inner_of(r),
        "inners": [inner_of(r) for _ in range(r.randrange(3))],
        "at": r.randrange(-10**12, 4 * 10**12), "at_us": r.randrange(-10**15, 4 * 10**15),
        "day": r.randrange(-20000, 50000), "time": r.randrange(86400000),
        "time_us": r.randrange(86400000000), "price": decimal_of(r, 12, 2),
        "fine": decimal_of(r, 18, 4), "uid": str(uuid.UUID(int=r.getrandbits(128))),
        "choice": choice}


def system():
    """URL of a `leat run` that has published the events of all commands, and those events by the
    store's own schemas."""
    if _system:
        return _system["url"], _system["events"]
    h = leat.Home("tests/e2e/topology/interop.yaml", modules=os.path.join(
        servers.BIN_DIR, "modules", "interop"), replace={"name: interop\n": f"name: {NAME}\n"})
    h.forget(NAME)
    h.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--listen", url.removeprefix("http://"))
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
               "leat to be ready")
    r = random.Random(20261122)
    for i in range(COMMANDS):
        answer = api.post(url + "/v1/commands/MakeKinds",
                          {"id": f"k-{i % 17}", "kinds": kinds_of(r)},
                          headers={"Prefer": "wait=20"}, seconds=30)
        check.equal(answer.status, 200, answer.body.decode())
    _system.update(url=url, process=process, events=stored())
    check.equal(len(_system["events"]), 2 * COMMANDS)
    return url, _system["events"]


def stored():
    schemas = pg.rows(f"select id, text from {NAME}.schemas")
    rows = pg.rows("select slice, seq, stream, type, event_id, encode(payload, 'hex') payload "
                   f"from {NAME}.events order by slice, seq")
    events = [{"partition": int(e["slice"]), "seq": int(e["seq"]), "type": e["type"],
               "key": e["stream"].split("-", 1)[1], "id": e["event_id"], "payload": e["payload"]}
              for e in rows]
    return reader([fetch.python(), "tests/interop/store_reader.py"],
                  json.dumps({"schemas": {s["id"]: s["text"] for s in schemas},
                              "events": events}))


def reader(argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60,
                          check=False, cwd=servers.ROOT)
    if done.returncode != 0:
        raise AssertionError(f"{os.path.basename(argv[1])}: {done.stderr.strip()[-800:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def same_as_store(records):
    """Offsets need not be dense; within a partition the order of offsets is that of seqs."""
    _, events = system()
    records.sort(key=lambda r: (r["partition"], r["offset"]))
    check.equal(len(records), len(events))
    for record, event in zip(records, events):
        for name in ("partition", "key", "type", "id"):
            check.equal(record[name], event[name], f"{name} of seq {event['seq']}")
        check.equal(sorted(record["value"]), sorted(event["value"]))
        for name, value in flat(event["value"]):
            check.equal(dict(flat(record["value"])).get(name, "absent"), value, name)
        check.equal(record["value"], event["value"])


def flat(value, prefix=""):
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


@check.test
def the_store_holds_what_was_sent():
    """The oracle itself: fastavro's reading of the payload against the JSON that went in."""
    _, events = system()
    r = random.Random(20261122)
    made = {}
    for i in range(COMMANDS):
        made.setdefault(f"k-{i % 17}", []).append(kinds_of(r))
    for event in events:
        if event["type"] != "KindsMade":
            continue
        sent = made[event["key"]].pop(0)
        got = event["value"]["kinds"]
        for name in ("ok", "small", "big", "ratio", "exact", "text", "mood", "note", "last", "tags",
                     "limits", "inner", "inners", "price", "fine", "uid", "at_us", "time_us"):
            check.equal(got[name], sent[name], name)
        check.equal(got["raw"], sent["raw"].encode("latin-1").hex())
        check.equal(got["hash"], sent["hash"].encode("latin-1").hex())
        check.equal((got["at"], got["time"]), (sent["at"] * 1000, sent["time"] * 1000))
        check.equal(got["choice"], next(iter(sent["choice"].values())) if sent["choice"] else None)
    check.equal(sum(len(left) for left in made.values()), 0)


@check.test
def python_reads_what_the_store_holds():
    url, _ = system()
    same_as_store(reader([fetch.python(), "tests/interop/topic_reader.py", servers.KAFKA,
                          f"{NAME}.events", url]))


@check.test
def java_reads_what_the_store_holds():
    url, _ = system()
    same_as_store(reader(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                          fetch.java_classpath(), "TopicReader", servers.KAFKA, f"{NAME}.events",
                          url]))


if __name__ == "__main__":
    check.main()
