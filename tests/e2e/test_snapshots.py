#!/usr/bin/env python3
"""Snapshots: a long stream is read from its end, and what makes a snapshot void.

# sanitizers: asan
"""

import json
import os
import re
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "snap_e2e"
TOPIC = f"{NAME}.counters.warm"
EVENTS = 5000
SLICE = f"(select slice from {NAME}.events where stream = 'counter-long' limit 1)"

_now = {}


def modules(folder):
    return os.path.join(os.path.dirname(servers.BIN), "modules", folder)


def use(topology="snap", module="counters"):
    """Stops what runs and starts this topology and module on the same store."""
    stop()
    h = leat.Home(f"tests/e2e/topology/{topology}.yaml", modules=modules(topology), replace={
        f"name: {topology}\n": f"name: {NAME}\n",
        "    aggregate: counter": f"    aggregate: counter\n    module: {module}",
        "module: counters,": f"module: {module},"})
    if not _now:
        h.forget(NAME)
    h.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--listen", url[7:], "--instance", "one")
    _now.update(process=process, url=url)
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 20,
               f"leat to be ready ({process.log_path})")


def stop():
    if "process" in _now:
        _now.pop("process").stop()


def metric(name):
    text = api.get(_now["url"] + "/metrics").body.decode()
    return sum(int(v) for v in re.findall(rf"^{name}{{.*}} (\d+)$", text, re.M))


def send(*commands):
    """(type, fields) each; their ids."""
    ids = [str(uuid.uuid4()) for _ in commands]
    kafka.produce(TOPIC, [(fields["counter"], json.dumps(fields), {"ce_type": kind, "ce_id": i})
                          for (kind, fields), i in zip(commands, ids)])
    return ids


def add(counter, amount, times=1):
    return "Add", {"counter": counter, "amount": amount, "times": times}


def settled(command_id):
    return wait.until(lambda: pg.rows(
        f"select outcome, error_code, error_text from {NAME}.commands where id = '{command_id}' "
        "and outcome <> 'waiting'"),
        30, f"the row of {command_id}")[0]


def ask(counter="long"):
    """What the handler sees: total, count, most."""
    got = settled(send(add(counter, 0))[0])
    check.equal(got["error_code"], "asked")
    return tuple(int(n) for n in re.findall(r"-?\d+", got["error_text"]))


def snapshot(what, counter="long"):
    return pg.value(f"select {what} from {NAME}.snapshots where stream = 'counter-{counter}'")


def count(table, where="true"):
    return pg.value(f"select count(*) from {NAME}.{table} where {where}")


@check.test
def a_killed_process_leaves_snapshots_that_are_right():
    use()
    sent = send(*[add("long", 3, 50) for _ in range(EVENTS // 100)])
    wait.until(lambda: count("snapshots") > 0, 30, "a snapshot")
    _now.pop("process").kill()
    check.equal(snapshot("version % 50"), 0)
    sent += send(*[add("long", 3, 50) for _ in range(EVENTS // 100)])
    use()
    wait.equals(lambda: count("commands", "outcome = 'accepted'"), len(sent))
    check.equal(count("events"), EVENTS)
    check.equal(ask(), (3 * EVENTS, EVENTS, -1))
    check.equal(snapshot("aggregate_version"), 1)
    check.equal(snapshot("version"), EVENTS)


@check.test
def a_stream_is_loaded_from_its_snapshot_without_the_events_before():
    """Which nobody could fold meanwhile."""
    stop()
    pg.execute(f"create table {NAME}.saved as select version, payload from {NAME}.event_log where "
               f"stream = 'counter-long' and version <= {snapshot('version')}; "
               f"update {NAME}.event_log set payload = '' where stream = 'counter-long' and "
               f"version in (select version from {NAME}.saved)")
    check.equal(count("events", "payload = ''"), EVENTS)
    use()
    check.equal(ask(), (3 * EVENTS, EVENTS, -1))
    wait.equals(lambda: metric("leat_folded_total"), 0)
    settled(send(add("long", 3))[0])
    check.equal(pg.value(f"select max(version) from {NAME}.events"), EVENTS + 1)
    stop()
    pg.execute(f"update {NAME}.event_log e set payload = s.payload from {NAME}.saved s where "
               f"e.stream = 'counter-long' and e.version = s.version; drop table {NAME}.saved")


@check.test
def few_events_leave_no_snapshot():
    use()
    settled(send(add("short", 1, 99))[0])
    check.equal(count("snapshots", "stream = 'counter-short'"), 0)
    settled(send(add("short", 1, 1))[0])
    check.equal(snapshot("version", "short"), 100)
    wait.equals(lambda: metric("leat_snapshots_total"), 1)


@check.test
def a_damaged_snapshot_is_said_ignored_and_written_anew():
    stop()
    pg.execute(f"update {NAME}.snapshots set state = set_byte(state, 0, get_byte(state, 0) # 255) "
               "where stream = 'counter-long'")
    use()
    check.equal(ask(), (3 * EVENTS + 3, EVENTS + 1, -1))
    wait.equals(lambda: metric("leat_snapshots_damaged_total"), 1)
    wait.equals(lambda: metric("leat_folded_total"), EVENTS + 1)
    said = [json.loads(line) for line in _now["process"].log().splitlines()
            if "snapshot-damaged" in line]
    check.equal([(s["level"], s["stream"]) for s in said], [("warn", "counter-long")])
    check.equal(snapshot("version"), EVENTS + 1)
    use()
    check.equal(ask(), (3 * EVENTS + 3, EVENTS + 1, -1))
    wait.equals(lambda: metric("leat_snapshots_damaged_total"), 0)
    assert metric("leat_folded_total") <= 100


@check.test
def another_version_of_the_aggregate_folds_anew_and_cleans_up():
    pg.execute(f"insert into {NAME}.snapshots (slice, stream, version, aggregate_version, "
               f"state_schema, checksum, state) select {SLICE}, 'counter-x' || i, 100, 1, 7, 7, '' "
               "from generate_series(1, 1200) i")
    use(module="counters_v2")
    check.equal(ask(), (6 * EVENTS + 6, EVENTS + 1, -1))
    wait.equals(lambda: metric("leat_folded_total"), EVENTS + 1)
    check.equal(snapshot("aggregate_version"), 2)
    wait.equals(lambda: count("snapshots", "aggregate_version = 1"), 0)
    check.contains(_now["process"].log(), "snapshots-cleaned")
    use(module="counters_v2")
    check.equal(ask(), (6 * EVENTS + 6, EVENTS + 1, -1))
    assert metric("leat_folded_total") <= 100


@check.test
def another_state_schema_folds_anew():
    before = snapshot("state_schema")
    use("snapwide", "counters_wide")
    check.equal(ask(), (6 * EVENTS + 6, EVENTS + 1, 3))
    wait.equals(lambda: metric("leat_folded_total"), EVENTS + 1)
    wait.equals(lambda: metric("leat_snapshots_damaged_total"), 0)
    assert snapshot("state_schema") != before
    check.equal(snapshot("version"), EVENTS + 1)


@check.test
def time_and_chance_of_a_command_are_the_same_in_every_try():
    """The first try answers retry and says what it was given; the second one's event keeps it."""
    use()
    command, = send(("Draw", {"counter": "drawn"}))
    check.equal(settled(command)["outcome"], "accepted")
    event = json.loads(pg.value(
        f"select convert_from(payload, 'UTF8') from {NAME}.events where type = 'Drawn'"))
    said = re.search(r"drawn now (\d+) first (\w+) second (\w+)", _now["process"].log())
    check.equal((event["now"], event["first"], event["second"]),
                (int(said[1]), said[2], said[3]))
    check.equal(pg.value("select (extract(epoch from received_at) * 1000)::bigint "
                         f"from {NAME}.commands where id = '{command}'"), event["now"])
    check.equal([r.time_ms for r in kafka.consume(TOPIC) if r.header("ce_id") == command],
                [event["now"]])
    assert event["first"] != event["second"]


@check.at_end
def forget():
    if _now:
        stop()
        leat.Home("tests/e2e/topology/snap.yaml").forget(NAME)


if __name__ == "__main__":
    check.main()
