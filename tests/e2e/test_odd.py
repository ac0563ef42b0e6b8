#!/usr/bin/env python3
"""Odd records, policies, foreign topics, retries, draining, re-created topics (contract 4).

# sanitizers: asan
"""

import hashlib
import json
import os
import signal
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "odd_e2e"
PARTITIONS = 12
FOREIGN_PARTITIONS = 17  # more than ours: some have no owner of their own number
COLD, HOT = f"{NAME}.things.cold", f"{NAME}.things.hot"
LEGACY = f"{NAME}.legacy"
BY_HEADER, BY_FIELD, FRAMED = (f"{NAME}.{name}" for name in ("by_header", "by_field", "framed"))
MESSAGE_MAX = 4096  # limits.message of the topology

_system = {}


def murmur2(data):
    """Kafka's, restated."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = ((k ^ (k >> 24)) * m) & mask
        h = ((h * m) & mask) ^ k
    rest = data[whole:]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * m) & mask
    h = ((h ^ (h >> 13)) * m) & mask
    return h ^ (h >> 15)


def partition_of(key):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def command(thing, value, mode=""):
    return json.dumps({"thing_id": thing, "value": value, "mode": mode})


def headers(kind="SetThing", **more):
    return {"ce_type": kind, "ce_id": str(uuid.uuid4()), **more}


def start(h, name="leat", *arguments):
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--listen", url[7:], "--instance", "one", *arguments, name=name)
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 90,
               f"leat to be ready ({process.log_path})")
    return process, url


def system():
    if not _system:
        h = leat.Home("tests/e2e/topology/odd.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "odd"),
            replace={"name: odd\n": f"name: {NAME}\n", "topic: odd.": f"topic: {NAME}."})
        h.forget(NAME)
        for topic in (LEGACY, BY_HEADER, BY_FIELD, FRAMED):
            kafka.create(topic, FOREIGN_PARTITIONS)
        wait.until(lambda: len(kafka.topics(f"{NAME}.")) == 4, 20, "the sources' topics")
        h.must("apply")
        process, url = start(h)
        _system.update(home=h, process=process, url=url)
    return _system["home"], _system["url"]


def value_of(thing):
    _, url = system()
    answer = api.get(f"{url}/v1/models/things/{thing}")
    return answer.json.get("value") if answer.status == 200 else None


def row(where):
    rows = pg.rows(f"select slice, outcome, error_code, encode(payload, 'escape') as payload, "
                   f"stream from {NAME}.commands where {where}")
    return rows[0] if len(rows) == 1 else rows or None


def settled_row(command_id):
    return wait.until(lambda: row(f"id = '{command_id}'"), 30, f"the row of {command_id}")


@check.test
def a_record_in_the_wrong_partition_is_forwarded_and_handled_once():
    system()
    h, key = headers(), "stray-1"
    wrong = (partition_of(key) + 5) % PARTITIONS
    kafka.produce(COLD, [(key, command(key, 7), h, wrong)])
    wait.equals(lambda: value_of(key), 7)
    got = settled_row(h["ce_id"])
    check.equal(int(got["slice"]), partition_of(key))
    copies = [r for r in kafka.consume(COLD) if r.header("ce_id") == h["ce_id"]]
    check.equal(sorted(r.partition for r in copies), sorted([wrong, partition_of(key)]))


@check.test
def a_null_key_is_taken_from_the_payload():
    system()
    h = headers()
    kafka.produce(COLD, [(None, command("keyless", 8), h, 3)])
    wait.equals(lambda: value_of("keyless"), 8)
    check.equal(int(settled_row(h["ce_id"])["slice"]), partition_of("keyless"))


@check.test
def what_can_never_be_handled_is_dead_with_its_bytes_and_stops_nobody():
    system()
    key = "dead"
    p = partition_of(key)
    cases = {
        "no-key": (None, command("", 1), headers()),
        "undecodable": (key, '{"thing_id": "dead", "value": "many"}', headers()),
        "undecodable ": (key, b"\x00\x00\x00\x00\x63avro?", headers()),
        "unknown-type": (key, command(key, 1), headers("NoSuchThing")),
        "null-value": (key, None, headers()),
        "no-type": (key, command(key, 1), {"ce_id": str(uuid.uuid4())}),
        "poison": (key, command(key, 1, "poison"), headers()),
    }
    kafka.produce(COLD, [(*c, p) for c in cases.values()] + [(key, command(key, 9), headers(), p)])
    wait.equals(lambda: value_of(key), 9)
    for code, (_, value, h) in cases.items():
        got = settled_row(h["ce_id"])
        check.equal((got["outcome"], got["error_code"]), ("dead", code.strip()))
        kept = pg.value(f"select 'x' || coalesce(encode(payload, 'hex'), '') "
                        f"from {NAME}.commands where id = '{h['ce_id']}'")
        expected = (value.encode() if isinstance(value, str) else value or b"").hex()
        check.equal(kept, "x" + expected, code)
    wait.equals(lambda: sum(r.header("ce_id") in {c[2]["ce_id"] for c in cases.values()}
                            for r in kafka.consume(f"{NAME}.things.dlq")), len(cases))
    for r in kafka.consume(f"{NAME}.things.dlq"):
        if r.header("ce_id") == cases["undecodable "][2]["ce_id"]:
            check.equal(r.value, cases["undecodable "][1])
            check.equal(r.header("__leat.errors.topic"), COLD)
            check.equal(r.header("__leat.errors.code"), "undecodable")
            check.equal(r.header("ce_type"), "SetThing")


@check.test
def a_time_that_no_store_can_keep_stops_nobody():
    system()
    key = "timeless"
    p = partition_of(key)
    kafka.produce(COLD, [(key, command(key, 1), headers(), p, -10**15)])
    kafka.produce(COLD, [(key, command(key, 2), headers(), p)])
    wait.equals(lambda: value_of(key), 2)
    check.equal(events(f"stream = 'thing-{key}'"), 2)


@check.test
def a_command_sent_again_in_any_priority_takes_effect_once():
    system()
    h = headers()
    kafka.produce(COLD, [("twice", command("twice", 1), h), ("twice", command("twice", 1), h)])
    kafka.produce(HOT, [("twice", command("twice", 1), h)])
    after = headers()
    kafka.produce(HOT, [("twice", command("twice", 2), after)])
    kafka.produce(COLD, [("twice", command("twice", 2), after)])
    wait.equals(lambda: value_of("twice"), 2)
    wait.equals(lambda: behind("things"), 0)
    check.equal(pg.value(f"select count(*) from {NAME}.events where stream = 'thing-twice'"), 2)


def behind(processor):
    at = {(r["topic"], int(r["k"])): int(r["next_offset"]) for r in pg.rows(
        f"select topic, k, next_offset from {NAME}.lanes where processor = '{processor}'")}
    return sum(high - at.get((topic, p), 0) for topic in (COLD, HOT)
               for p, _, high in kafka.offsets(topic))


@check.test
def a_rejection_is_recorded_with_its_code_and_is_no_event():
    system()
    h = headers("DropThing")
    kafka.produce(COLD, [("stray-1", json.dumps({"thing_id": "stray-1"}), h)])
    got = settled_row(h["ce_id"])
    check.equal((got["outcome"], got["error_code"]), ("rejected", "stays"))


@check.test
def records_of_a_foreign_topic_reach_the_partition_of_their_key():
    system()
    sent = []
    for p in range(FOREIGN_PARTITIONS):
        sent.append((None, command(f"foreign-{p}", 100 + p), {"message_id": f"m-{p}"}, p))
    kafka.produce(LEGACY, sent + [("x", None, {}, 1)])
    kafka.produce(LEGACY, sent[:3])  # sent again: the same ids
    for p in range(FOREIGN_PARTITIONS):
        wait.equals(lambda: value_of(f"foreign-{p}"), 100 + p)
    wait.equals(lambda: behind("things"), 0)
    counts = pg.rows(f"select stream, slice, count(*) as n from {NAME}.events "
                     f"where stream like 'thing-foreign-%' group by stream, slice")
    check.equal(len(counts), FOREIGN_PARTITIONS)
    for r in counts:
        check.equal((int(r["n"]), int(r["slice"])), (1, partition_of(r["stream"][6:])), r["stream"])


def dead_letter(command_id):
    return wait.until(lambda: next((r for r in kafka.consume(f"{NAME}.things.dlq")
                                    if r.header("ce_id") == command_id), None), 30,
                      f"the dead letter of {command_id}")


@check.test
def a_record_over_the_limit_is_dead_by_position_and_hash():
    """On a topic of ours and on a foreign one; the door refuses it (413)."""
    h, url = system()
    body = command("large", 1, "x" * MESSAGE_MAX)
    edge = command("edge", 1, "x" * (MESSAGE_MAX - len(command("edge", 1, ""))))
    check.equal(len(edge), MESSAGE_MAX)
    for topic, p in ((COLD, partition_of("large")), (LEGACY, 3), (LEGACY, FOREIGN_PARTITIONS - 1)):
        name = headers()
        kafka.produce(topic, [("large", body, name, p)])
        at = next(r for r in kafka.consume(topic) if r.header("ce_id") == name["ce_id"])
        got = settled_row(name["ce_id"])
        check.equal((got["outcome"], got["error_code"]), ("dead", "too-large"), topic)
        check.equal(got["payload"], f"{topic}/{at.partition}/{at.offset} {len(body)} bytes sha256 "
                                    f"{hashlib.sha256(body.encode()).hexdigest()}")
        letter = dead_letter(name["ce_id"])
        check.equal(letter.value.decode(), got["payload"])
        check.equal([letter.header(f"__leat.errors.{x}") for x in ("topic", "partition", "offset")],
                    [topic, str(p), str(at.offset)])
    check.equal(value_of("large"), None)
    kafka.produce(COLD, [("edge", edge, headers())])
    wait.equals(lambda: value_of("edge"), 1)
    a = api.post(f"{url}/v1/commands/SetThing", json.loads(body))
    check.equal(a.status, 413, a.body.decode())
    sent = h.cli("send", "SetThing", body)
    check.equal(sent.returncode, 2)
    check.contains(sent.stderr, str(MESSAGE_MAX))


@check.test
def a_source_routes_by_header():
    system()
    good, drop, none, other, null, keyless = (headers() for _ in range(6))
    for h in (good, drop, none, other, null, keyless):
        del h["ce_type"]
    good["kind"], drop["kind"], other["kind"], keyless["kind"] = "set", "drop", "sett", "set"
    kafka.produce(BY_HEADER, [("h1", command("h1", 3), good), ("h1", command("h1", 0), drop),
                              ("h1", command("h1", 4), none), ("h1", command("h1", 5), other),
                              ("h1", None, null), (None, command("h1", 6), keyless)])
    wait.equals(lambda: value_of("h1"), 3)
    for h, outcome, code in ((drop, "rejected", "stays"), (none, "dead", "no-route"),
                             (other, "dead", "no-route"), (null, "dead", "null-value"),
                             (keyless, "dead", "no-key")):
        got = settled_row(h["ce_id"])
        check.equal((got["outcome"], got["error_code"]), (outcome, code), str(h))
        if outcome == "dead":
            check.equal(dead_letter(h["ce_id"]).header("__leat.errors.topic"), BY_HEADER)


def routed(thing, value, op, key):
    return json.dumps({"thing_id": thing, "value": value, "op": {"name": op, "id": key}})


@check.test
def a_source_routes_by_field_and_a_tombstone_is_its_command():
    system()
    ids = [str(uuid.uuid4()) for _ in range(4)]
    kafka.produce(BY_FIELD, [(None, routed("f1", 3, "set", ids[0]), {}, 2),
                             (None, routed("f1", 4, "set", ids[0]), {}, 2),  # the same id again
                             (None, routed("f1", 0, "drop", ids[1]), {}, 2),
                             (None, routed("f1", 9, "fly", ids[2]), {"ce_id": ids[2]}, 2),
                             (None, '{"thing_id": "f1", "op"', {"ce_id": ids[3]}, 2)])
    check.equal(settled_row(ids[0])["outcome"], "accepted")
    check.equal(int(settled_row(ids[0])["slice"]), partition_of("f1"))
    check.equal(settled_row(ids[1])["error_code"], "stays")
    check.equal(settled_row(ids[2])["error_code"], "no-route")
    check.equal(settled_row(ids[3])["error_code"], "undecodable")
    wait.equals(lambda: behind("things"), 0)
    wait.equals(lambda: value_of("f1"), 3)
    check.equal(any(r.header("ce_id") == ids[0] for r in kafka.consume(HOT)), True)
    kafka.produce(BY_FIELD, [("f1", None, {"ce_id": str(uuid.uuid4())}, 2)])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.commands where type = 'DropThing' "
                                 f"and stream = 'thing-f1' and outcome = 'rejected'"), 2)


def avro_text(text):
    return zigzag(len(text)) + text.encode()


def zigzag(n):
    n, out = n << 1 if n >= 0 else (-n << 1) - 1, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


@check.test
def avro_of_a_source_is_read_by_the_id_in_its_bytes():
    _, url = system()
    number = api.get(url + "/subjects/SetThing/versions/latest").json["id"]

    def framed(thing, value, schema=number):
        return (b"\0" + schema.to_bytes(4, "big") + avro_text(thing) + zigzag(value) +
                avro_text(""))

    good, unknown, cut, plain = (headers() for _ in range(4))
    kafka.produce(FRAMED, [(None, framed("a1", -1), headers(), 16), (None, framed("a1", 70), good),
                           ("a1", framed("a1", 1, 999999), unknown),
                           ("a1", framed("a1", 1)[:7], cut), ("a1", None, headers()),
                           ("a1", b"\x01\x02", plain)])
    wait.equals(lambda: value_of("a1"), 70)
    check.equal(int(settled_row(good["ce_id"])["slice"]), partition_of("a1"))
    for h in (unknown, cut, plain):
        got = settled_row(h["ce_id"])
        check.equal((got["outcome"], got["error_code"]), ("dead", "undecodable"), str(h))
    wait.equals(lambda: behind("things"), 0)
    check.equal(events("stream = 'thing-a1'"), 1, "-1 is rejected, the tombstone is skipped")


@check.test
def a_retry_lets_its_lane_go_on_and_ends_well():
    system()
    key, late = "later", headers()
    p = partition_of(key)
    beside = next(f"beside-{i}" for i in range(1000) if partition_of(f"beside-{i}") == p)
    kafka.produce(COLD, [(key, command(key, 1, "retry"), late, p),
                         (key, command(key, 2), headers(), p),
                         (beside, command(beside, 3), headers(), p)])
    wait.equals(lambda: value_of(beside), 3)
    wait.equals(lambda: value_of(key), 2)
    check.equal(settled_row(late["ce_id"])["outcome"], "accepted")
    versions = pg.rows(f"select version from {NAME}.events where stream = 'thing-{key}' order by 1")
    check.equal([r["version"] for r in versions], ["1", "2"])


def events(where):
    return pg.value(f"select count(*) from {NAME}.events where {where}")


def echoes_missing():
    return pg.value(
        f"select (select count(*) from {NAME}.events where type = 'ThingSet') - "
        f"(select count(*) from {NAME}.events where type = 'Echoed')")


@check.test
def a_policy_answers_each_event_once_through_kill_and_restart():
    h, _ = system()
    kafka.produce(COLD, [(f"p{i % 40}", command(f"p{i % 40}", i), headers()) for i in range(400)])
    wait.until(lambda: events("type = 'Echoed'") > 20, 60, "some echoes")
    _system["process"].kill()
    kafka.produce(COLD, [(f"p{i % 40}", command(f"p{i % 40}", i), headers()) for i in range(400)])
    _system["process"], _system["url"] = start(h, "again")
    wait.equals(lambda: events("stream like 'thing-p%'"), 800, 90)
    wait.equals(echoes_missing, 0, 90)
    check.equal(pg.value(f"select count(*) - count(distinct payload || stream::bytea) "
                         f"from {NAME}.events where type = 'Echoed'"), 0)


@check.test
def what_the_events_topic_lost_reaches_the_policy_from_the_store():
    h, _ = system()
    wait.equals(echoes_missing, 0, 60)
    _system["process"].stop()
    # Appended by another program while nobody relays: found by the published seq, or as a hole.
    payload = json.dumps({"thing_id": "sql", "value": 5, "times": 1})
    pg.execute(f"select * from {NAME}.append_events('thing-sql', 0, '{uuid.uuid4()}', "
               f"array['ThingSet'], array['{payload}'::bytea], array[0])")
    slice_of = partition_of("sql")
    pg.execute(f"update {NAME}.published p set seq = s.head_seq from {NAME}.slices s "
               f"where s.slice = p.slice and p.slice = {slice_of}")
    _system["process"], _system["url"] = start(h, "tail")
    wait.equals(lambda: events("stream = 'echo-sql'"), 1)
    wait.equals(lambda: value_of("sql"), 5)


@check.test
def sigterm_finishes_the_batch_and_ends_with_zero():
    h, _ = system()
    kafka.produce(COLD, [(f"t{i}", command(f"t{i}", i), headers()) for i in range(3000)])
    process = _system["process"]
    wait.until(lambda: events("stream like 'thing-t%'") > 0, 30, "a first event")
    check.equal(process.stop(), 0)
    behind_now = pg.value(f"select sum(s.head_seq - p.seq) from {NAME}.slices s "
                          f"join {NAME}.published p on p.slice = s.slice")
    check.equal(behind_now, 0, "events that were committed and not published")
    _system["process"], _system["url"] = start(h, "after-term")
    wait.equals(lambda: value_of("t2999"), 2999, 60)


@check.test
def several_processes_share_the_partitions_and_are_started_again():
    h, _ = system()
    check.equal(_system["process"].stop(), 0)
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--workers", 3, "--listen", url[7:], "--instance", "shared", name="shared")
    wait.until(lambda: api.get(url + "/readyz").status == 200, 90, "leat to be ready")
    pids = process.children("worker")
    check.equal((len(pids), len(process.children())), (3, 4))
    kafka.produce(COLD, [(f"w{i}", command(f"w{i}", i), headers()) for i in range(2000)])
    os.kill(pids[-1], signal.SIGKILL)
    _system["url"] = url
    wait.equals(lambda: events("stream like 'thing-w%'"), 2000, 90)
    wait.until(lambda: len(process.children()) == 4, 30, "the killed worker to be started again")
    check.equal(process.stop(40), 0)


@check.test
def a_recreated_topic_stops_its_lanes_and_says_so():
    h, _ = system()
    kafka.delete(COLD)
    wait.until(lambda: COLD not in kafka.topics(COLD), 30, "the topic to be gone")
    kafka.create(COLD, PARTITIONS)
    kafka.produce(COLD, [(f"r{i}", command(f"r{i}", 1), headers()) for i in range(6000)])
    process = h.start("--listen", "127.0.0.1:0", "--instance", "one", name="recreated")
    process.await_log("lane-stopped", 60)
    check.equal(events("stream like 'thing-r%'"), 0)
    check.equal(process.stop(), 0)


if __name__ == "__main__":
    check.main()
