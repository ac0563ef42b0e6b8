"""leat lag: what waits, against a topic and a store in which it is known."""

import json

from lib import check, kafka, leat, pg, servers, wait

NAME = "leat_lagtest"
COMMANDS = f"{NAME}.count.normal"

TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 4
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{normal: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: ["{servers.ROOT}/topology/minimal"]
aggregates: {{counter: {{key: counter_id, state: CounterState}}}}
processors: {{count: {{aggregate: counter, commands: [AddToCounter], emits: [CounterAdded]}}}}
projections: {{counters: {{key: $.counter_id, from: {{CounterAdded: {{add: {{n: 1}}}}}}}}}}
"""


def fresh():
    home = leat.Home(TOPOLOGY)
    home.forget(NAME)
    wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
    home.must("apply")
    return home


def append(n):
    for i in range(n):
        pg.execute(f"select * from {NAME}.append_events('counter-x{i}', -1, gen_random_uuid(),"
                   " '{CounterAdded}', '{\"\\\\x7b7d\"}', '{1}')")


@check.test
def nothing_waits_in_a_new_system():
    home = fresh()
    answer = json.loads(home.must("lag", "--json"))
    check.equal(answer["rows"], [])
    check.equal(answer["total"], {"messages": 0, "age_ms": 0, "unpublished_events": 0,
                                  "unpublished_commands": 0, "unapplied_events": 0})
    check.equal(len(json.loads(home.must("lag", "--json", "--all"))["rows"]), 12)
    check.contains(home.must("lag"), "0 messages wait")


@check.test
def messages_count_from_the_stores_position_and_have_an_age():
    home = fresh()
    kafka.produce(COMMANDS, [("k", "{}", None, 1)] * 7 + [("k", "{}", None, 3)] * 2)
    pg.execute(f"insert into {NAME}.lanes (processor, topic, k, next_offset)"
               f" values ('count', '{COMMANDS}', 1, 4)")
    def aged():
        rows = json.loads(home.must("lag", "--json"))["rows"]
        return len(rows) == 2 and min(row["age_ms"] for row in rows) > 1000

    wait.until(aged, what="an age of a second")
    answer = json.loads(home.must("lag", "--json"))
    found = {row["partition"]: row for row in answer["rows"]}
    check.equal({k: row["waiting"] for k, row in found.items()}, {1: 3, 3: 2})
    check.equal((found[1]["kind"], found[1]["name"], found[1]["topic"], found[1]["priority"],
                 found[1]["next"], found[1]["end"]), ("lane", "count", COMMANDS, "normal", 4, 7))
    assert 1000 <= found[1]["age_ms"] < 60000, found
    check.equal(answer["total"]["messages"], 5)
    check.contains(home.must("lag"), "5 messages wait, the oldest for ")


@check.test
def events_the_relay_has_not_published_are_told():
    home = fresh()
    append(5)
    total = json.loads(home.must("lag", "--json"))["total"]
    check.equal(total["unpublished_events"], 5)
    relay = home.start("--role", "relay", name="relay")
    wait.until(lambda: json.loads(home.must("lag", "--json"))["rows"] == [])
    relay.stop()


@check.test
def foreign_topics_are_counted_in_all_their_partitions():
    foreign = f"{NAME}_foreign.counts"
    kafka.delete(foreign)
    wait.until(lambda: not kafka.topics(foreign), what="the topic to be gone")
    kafka.create(foreign, 6)
    home = leat.Home(TOPOLOGY + f"""
sources:
  counts: {{topic: {foreign}, format: json, command: AddToCounter, key: $.counter_id}}
""")
    home.forget(NAME)
    wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
    home.must("apply")
    kafka.produce(foreign, [("k", "{}", None, 1)] * 4 + [("k", "{}", None, 5)] * 3)
    pg.execute(f"insert into {NAME}.lanes (processor, topic, k, next_offset)"
               f" values ('count', '{foreign}#1', 1, 2)")
    answer = json.loads(home.must("lag", "--json"))
    check.equal({(r["kind"], r["topic"], r["partition"]): r["waiting"] for r in answer["rows"]},
                {("source", foreign, 1): 4, ("source", foreign, 5): 1})
    check.equal(answer["total"]["messages"], 5)
    kafka.delete(foreign)


@check.test
def a_topic_that_is_gone_is_a_failure_not_an_answer():
    home = fresh()
    kafka.delete(COMMANDS)
    wait.until(lambda: not kafka.topics(COMMANDS), what="the topic to be gone")
    done = home.cli("lag")
    check.equal((done.returncode, done.stdout), (1, ""))
    check.contains(done.stderr, f"topic '{COMMANDS}' does not exist")
    check.contains(done.stderr, "leat apply")


if __name__ == "__main__":
    check.main()
