"""leat doctor: with everything in order, and with one thing at a time that is not.

# sanitizers: asan
"""

import json
import os
import re
import socket
import time

from lib import check, kafka, leat, pg, servers, wait

NAME = "leat_doctortest"
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 4
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{normal: {{weight: 1, default: true}}}}
topics:
  commands: {{format: json, retention.ms: 7d}}
  events: {{format: json}}
schemas: ["{servers.ROOT}/topology/minimal"]
aggregates: {{counter: {{key: counter_id, state: CounterState}}}}
processors: {{count: {{aggregate: counter, commands: [AddToCounter], emits: [CounterAdded]}}}}
projections: {{counters: {{key: $.counter_id, from: {{CounterAdded: {{add: {{n: 1}}}}}}}}}}
http: {{listen: "127.0.0.1:{servers.free_port()}"}}
"""
_home = []


def home():
    """Applied once for all tests; each puts back what it breaks."""
    if not _home:
        h = leat.Home(TOPOLOGY)
        h.forget(NAME)
        wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
        h.must("apply")
        _home.append(h)
    return _home[0]


def doctor(h, env=None, arguments=()):
    done = h.cli("doctor", *arguments, "--json", env=env)
    answer = json.loads(done.stdout)
    check.equal(done.returncode, 1 if answer["fail"] else 0, done.stderr[-300:])
    return {(c["area"], c["check"]): c for c in answer["checks"]}


def level(checks, area, name):
    return checks[area, name]["level"]


def failing(checks):
    return sorted(name for (_, name), c in checks.items() if c["level"] == "fail")


@check.test
def in_order_everything_but_the_module_is_ok():
    found = doctor(home())
    check.equal(failing(found), ["module count"])  # it is not built in this test
    for area, name in [("files", "schemas"), ("machine", "data folder"), ("machine", "HTTP"),
                       ("Postgres", "reachable"), ("Postgres", "version"), ("Postgres", "clock"),
                       ("Postgres", "permissions"), ("Postgres", "store"),
                       ("Postgres", "registered schemas"), ("Postgres", "owners"),
                       ("Kafka", "librdkafka"), ("Kafka", "reachable"), ("Kafka", "version"),
                       ("Kafka", f"topic {NAME}.count.normal"), ("Kafka", f"topic {NAME}.events"),
                       ("Kafka", f"group {NAME}.count")]:
        check.equal(level(found, area, name), "ok", f"{area} {name}: {found[area, name]}")
    text = home().cli("doctor").stdout
    check.contains(text, "1 failed")
    assert re.search(r"=> .*LEAT_MODULES", text), text


@check.test
def servers_that_are_down_are_said_to_be():
    started = time.monotonic()
    found = doctor(home(), env={"KAFKA": "127.0.0.1:1",
                                "STORE_URL": "postgresql://leat@127.0.0.1:1/leat"})
    assert time.monotonic() - started < 10
    postgres, broker = found["Postgres", "reachable"], found["Kafka", "reachable"]
    check.equal((postgres["level"], broker["level"]), ("fail", "fail"))
    check.contains(postgres["found"], 'at "127.0.0.1", port 1 failed: Connection refused')
    check.contains(postgres["todo"], "is Postgres up")
    check.contains(broker["found"], "127.0.0.1:1: Connection refused")
    check.equal(level(found, "Postgres", "store"), "skip")
    check.equal(level(found, "Kafka", "topics"), "skip")
    check.equal(level(found, "machine", "disk"), "ok")


@check.test
def a_port_that_is_not_kafka_does_not_hang_it():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        started = time.monotonic()
        env = {"KAFKA": address, "STORE_URL": f"postgresql://leat@{address}/x"}
        found = doctor(home(), env=env, arguments=["--timeout", "700ms"])
    assert time.monotonic() - started < 12, time.monotonic() - started
    check.equal(level(found, "Kafka", "reachable"), "fail")
    check.contains(found["Kafka", "reachable"]["why"], "the port is open")
    check.contains(found["Postgres", "reachable"]["found"], "no answer in time")


@check.test
def a_store_that_was_never_applied_is_told_from_one_that_is():
    h = leat.Home(TOPOLOGY, replace={f"name: {NAME}": f"name: {NAME}_never"})
    found = doctor(h)
    check.equal(level(found, "Postgres", "permissions"), "ok")
    check.equal(level(found, "Postgres", "store"), "fail")
    check.contains(found["Postgres", "store"]["todo"], "leat apply")
    missing = found["Kafka", f"topic {NAME}_never.events"]
    check.equal((missing["level"], missing["found"]), ("fail", "it does not exist"))
    check.contains(missing["todo"], "leat apply")


@check.test
def a_user_without_rights_is_named():
    pg.execute("do $$ begin create role leat_doctor_nobody login; "
               "exception when duplicate_object then null; end $$")
    url = servers.STORE_URL.replace("//leat@", "//leat_doctor_nobody@")
    found = doctor(home(), env={"STORE_URL": url})
    check.equal(level(found, "Postgres", "permissions"), "fail")
    check.contains(found["Postgres", "permissions"]["found"],
                   f"user 'leat_doctor_nobody' may not use schema '{NAME}'")


@check.test
def a_schema_that_is_not_registered_is_named():
    h = leat.Home(TOPOLOGY.replace("CounterAdded", "CounterRaised").replace(
        f'"{servers.ROOT}/topology/minimal"', f'"{servers.ROOT}/topology/minimal", more'))
    os.mkdir(os.path.join(h.dir, "more"))
    with open(os.path.join(h.dir, "more", "CounterRaised.avsc"), "w", encoding="utf-8") as f:
        json.dump({"type": "record", "name": "CounterRaised",
                   "fields": [{"name": "counter_id", "type": "string"}]}, f)
    found = doctor(h)["Postgres", "registered schemas"]
    check.equal(found["level"], "fail")
    check.contains(found["found"], "'CounterRaised'")


@check.test
def topics_that_are_not_as_they_must_be():
    h = leat.Home(TOPOLOGY, replace={f"name: {NAME}": f"name: {NAME}_topics"})
    h.forget(f"{NAME}_topics")
    wait.until(lambda: not kafka.topics(f"{NAME}_topics."), what="topics to be gone")
    kafka.create(f"{NAME}_topics.events", 3)
    kafka.create(f"{NAME}_topics.count.normal", 4, retention_ms=60000, cleanup_policy="compact")
    kafka.create(f"{NAME}_topics.count.dlq", 4, min_insync_replicas=2, max_message_bytes=1000)
    wait.until(lambda: len(kafka.topics(f"{NAME}_topics.")) == 3, what="topics")
    done = h.cli("doctor", "--json")
    told = {}
    for c in json.loads(done.stdout)["checks"]:
        if c["check"].startswith("topic "):
            told.setdefault(c["check"].rsplit(".", 1)[1], []).append((c["level"], c["found"]))
    check.equal(told["events"], [("fail", "3 partitions, the topology says 4")])
    check.equal(told["normal"], [
        ("fail", "cleanup.policy is compact"), ("warn", "retention.ms is 1m"),
        ("warn", "retention.ms is 60000, the topology says 604800000")])
    check.equal(told["dlq"], [
        ("fail", "min.insync.replicas is 2, in sync 1 of 1"),
        ("warn", "max.message.bytes is 1000, limits.message 1048576")])
    h.forget(f"{NAME}_topics")


@check.test
def the_clock_is_held_against_the_newest_event():
    h = home()
    check.equal(level(doctor(h), "Kafka", "clock"), "skip")
    kafka.produce(f"{NAME}.events", [("k", "{}", None, 1)])
    check.equal(level(doctor(h), "Kafka", "clock"), "ok")


@check.test
def events_of_another_store_are_told():
    h = home()
    store = pg.value(f"select store_id from {NAME}.slices where slice = 2")
    name = ("Kafka", "events topic")
    ours = [("k", "{}", {"leat-store": str(r["store_id"])}, int(r["slice"]))
            for r in pg.rows(f"select slice, store_id from {NAME}.slices order by 1")]
    kafka.produce(f"{NAME}.events", ours)
    found = doctor(h)[name]
    check.equal(found["level"], "ok", str(found))
    kafka.produce(f"{NAME}.events",
                  [("k", "{}", {"leat-store": "8f6e0a52-3c1d-4f57-9a60-0d3f6c1b2a10"}, 2)])
    found = doctor(h)[name]
    check.equal(found["level"], "fail", str(found))
    check.contains(found["found"], f"{NAME}.events[2] is of store 8f6e0a52-")
    check.contains(found["found"], str(store))
    for remedy in ("delete the topics", "read models' folder", "leat apply", "restore"):
        check.contains(found["todo"], remedy)
    kafka.produce(f"{NAME}.events", [ours[2]])
    check.equal(doctor(h)[name]["level"], "ok")


@check.test
def a_port_in_use_is_told_from_a_leat_that_runs():
    h = home()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(8)
        found = doctor(h, arguments=["--listen", f"127.0.0.1:{other.getsockname()[1]}",
                                     "--timeout", "500ms"])
    check.equal(level(found, "machine", "HTTP"), "fail")
    check.contains(found["machine", "HTTP"]["found"], "something else listens")
    address = f"127.0.0.1:{servers.free_port()}"
    p = h.start("--role", "http", "--listen", address)
    wait.until(lambda: level(doctor(h, arguments=["--listen", address]), "machine", "HTTP") == "ok"
               and "a leat answers" in doctor(h, arguments=["--listen", address])[
                   "machine", "HTTP"]["found"], 20, "leat to answer")
    p.stop()


@check.test
def a_data_folder_that_cannot_be_written_is_told():
    h = home()
    plain = os.path.join(h.dir, "plain-file")
    with open(plain, "w", encoding="utf-8"):
        pass
    found = doctor(h, arguments=["--data", os.path.join(plain, "data")])
    check.equal(level(found, "machine", "data folder"), "fail")


if __name__ == "__main__":
    check.main()
