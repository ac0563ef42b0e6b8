#!/usr/bin/env python3
"""leat plan and apply against real servers: each kind of difference is shown, done or refused, and
what was done is looked at through Kafka and SQL, not through leat."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import check, kafka, leat, pg, store, wait  # noqa: E402

NAME = "leat_plantest"
EVENTS = f"{NAME}.events"
HOT = f"{NAME}.count.hot"
DAY_MS = 86_400_000

TOPOLOGY = f"""leat: 1
name: {NAME}
partitions: 3
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{hot: {{weight: 2, default: true}}, cold: {{weight: 1}}}}
topics: {{events: {{retention.ms: 5d, format: json}}, commands: {{retention.ms: 4d}}}}
aggregates: {{counter: {{key: counter_id, state: CounterState}}}}
processors: {{count: {{aggregate: counter, commands: [Add], emits: [Added]}}}}
projections: {{counters: {{key: $.counter_id, from: {{Added: {{add: {{n: $.n}}}}}}}}}}
"""
SCHEMAS = {
    "Add": [("counter_id", "string"), ("n", "long")],
    "Added": [("counter_id", "string"), ("n", "long")],
    "CounterState": [("n", "long", 0)],
}


def change(home, old, new):
    with open(home.path, encoding="utf-8") as f:
        text = f.read()
    check.contains(text, old)
    with open(home.path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def empty():
    home = leat.Home(TOPOLOGY, schemas=SCHEMAS)
    home.forget(NAME)
    return home


def applied():
    home = empty()
    home.must("apply")
    return home


def plan(home):
    """(section, mark, what) -> detail."""
    answer = home.must_json("plan")
    counted = [c["mark"] for c in answer["changes"] if c["section"] != "models"]
    check.equal(answer["to_do"], sum(mark in "+~" for mark in counted))
    check.equal(answer["refused"] + answer["missing"], counted.count("!"))
    return {(c["section"], c["mark"], c["what"]): c["detail"] for c in answer["changes"]}


def live():
    """Everything apply could change, as others see it."""
    topics = kafka.topics(f"{NAME}.")
    tables = pg.value(f"select count(*) from pg_tables where schemaname = '{NAME}'")
    schemas = pg.rows(f"select id, subject from {NAME}.schemas order by id") if tables else []
    configs = {t: kafka.configs(t) for t in (HOT, EVENTS) if t in topics}
    return topics, configs, tables, schemas


def refuses(home, what, *parts):
    """Neither plan nor apply changes anything, and both say why."""
    before = live()
    found = plan(home)
    reasons = [d for (_, mark, name), d in found.items() if mark == "!" and name == what]
    check.equal(len(reasons) >= 1, True, f"{what} in {found}")
    for part in parts:
        check.contains(" ".join(reasons), part)
    done = home.cli("apply")
    check.equal(done.returncode, 1, done.stderr)
    check.contains(done.stderr, f"refused: {what}: ")
    check.contains(done.stderr, "nothing was done")
    check.equal(live(), before)
    check.equal(home.cli("plan", "--exit-code").returncode, 3)


@check.test
def what_is_planned_for_an_empty_place_is_done_and_then_there_is_nothing_to_do():
    home = empty()
    before = live()
    found = plan(home)
    for topic in (HOT, f"{NAME}.count.cold", f"{NAME}.count.dlq", EVENTS):
        check.contains(found["topics", "+", topic], "3 partitions")
    check.contains(found["topics", "+", EVENTS], f"retention.ms {5 * DAY_MS}")
    check.equal(("store", "+", f"schema {NAME}") in found, True)
    check.equal(("store", "+", "processor count") in found, True)
    check.equal({w for s, m, w in found if (s, m) == ("schemas", "+")}, set(SCHEMAS))
    check.equal(("models", "+", "counters") in found, True)
    check.equal(home.cli("plan", "--exit-code").returncode, 3)
    check.equal(home.cli("apply", "--dry-run").returncode, 3)
    check.equal(live(), before, "plan and --dry-run change nothing")
    done = home.must_json("apply")
    check.equal((done["topics_created"], done["schemas_registered"], done["applied"]), (4, 3, True))
    topics, configs, _, schemas = live()
    check.equal(topics, {t: 3 for t in (HOT, f"{NAME}.count.cold", f"{NAME}.count.dlq", EVENTS)})
    check.equal(configs[EVENTS], {"retention.ms": str(5 * DAY_MS)})
    check.equal({row["subject"] for row in schemas}, set(SCHEMAS))
    again = home.cli("plan", "--exit-code")
    check.equal(again.returncode, 0, again.stdout)
    check.contains(again.stdout, "nothing to do")


@check.test
def sql_shows_what_would_run_and_only_then():
    home = empty()
    plain, full = home.must("plan"), home.must("plan", "--sql")
    check.equal("create table" in plain, False)
    check.contains(full, f'create table "{NAME}".slices')
    check.equal("@schema@" in full, False)
    shown = [c["sql"] for c in home.must_json("plan", "--sql")["changes"] if "sql" in c]
    pg.execute("begin; create schema " + NAME + ";" + ";".join(shown) + "; rollback")


@check.test
def a_pending_migration_is_planned_alone():
    home = applied()
    last = pg.rows(f"select number, name from {NAME}.migrations order by number desc limit 1")[0]
    pg.execute(f"delete from {NAME}.migrations where number = {last['number']}")
    found = {k for k in plan(home) if k[0] == "store"}
    check.equal(found, {("store", "+", f"migration {last['name']}")})


def configured(topic, expected):
    """A broker tells its configs out of what it has read of the log of metadata: a moment later."""
    wait.equals(lambda: kafka.configs(topic), expected, 60)


@check.test
def safe_configs_are_altered_and_the_others_of_the_topic_stay():
    home = applied()
    change(home, "retention.ms: 5d", "retention.ms: 9d, segment.bytes: 64MiB")
    found = plan(home)
    check.equal(("topics", "~", EVENTS) in found, True)
    text = home.must("plan")
    check.contains(text, f"retention.ms: {5 * DAY_MS} -> {9 * DAY_MS}")
    check.contains(text, "segment.bytes: ")
    home.must("apply")
    configured(EVENTS, {"retention.ms": str(9 * DAY_MS), "segment.bytes": str(64 << 20)})
    change(home, "retention.ms: 9d, ", "retention.ms: 2d, ")
    home.must("apply")
    configured(EVENTS, {"retention.ms": str(2 * DAY_MS), "segment.bytes": str(64 << 20)})
    check.equal(home.cli("plan", "--exit-code").returncode, 0)


@check.test
def a_retention_that_would_delete_commands_is_refused():
    home = applied()
    kafka.produce(HOT, [("k", "{}", None, 1)] * 3)
    change(home, "commands: {retention.ms: 4d}", "commands: {retention.ms: 1d}")
    refuses(home, HOT, f"retention.ms: {4 * DAY_MS} -> {DAY_MS}", "3 records")
    check.equal(plan(home)["topics", "~", f"{NAME}.count.cold"],
                f"retention.ms: {4 * DAY_MS} -> {DAY_MS}")
    change(home, "commands: {retention.ms: 1d}", "commands: {retention.ms: 8d}")
    home.must("apply")
    configured(HOT, {"retention.ms": str(8 * DAY_MS)})


@check.test
def another_number_of_partitions_is_refused():
    home = applied()
    for wanted in (2, 5):
        change(home, re.search(r"partitions: \d", open(home.path, encoding="utf-8").read())[0],
               f"partitions: {wanted}")
        refuses(home, f"schema {NAME}", "3 partitions", f"says {wanted}")
        refuses(home, EVENTS, "3 partitions", f"says {wanted}")


@check.test
def a_topic_that_somebody_made_with_other_partitions_is_refused():
    home = empty()
    kafka.create(HOT, 7)
    refuses(home, HOT, "7 partitions", "says 3")


@check.test
def what_is_not_declared_any_more_is_named_and_left():
    home = applied()
    kafka.produce(f"{NAME}.count.cold", [("k", "{}", None, 0)] * 2)
    change(home, ", cold: {weight: 1}", "")
    change(home, "{count: {aggregate", "{tally: {aggregate")
    found = plan(home)
    check.contains(found["topics", "-", f"{NAME}.count.cold"], "2 records")
    check.equal(("store", "-", "processor count") in found, True)
    check.equal(("store", "+", "processor tally") in found, True)
    home.must("apply")
    check.equal(kafka.count(f"{NAME}.count.cold"), 2)
    check.equal(home.cli("plan", "--exit-code").returncode, 0, "what is left is nothing to do")


@check.test
def a_processor_that_no_longer_reads_the_topic_its_group_is_assigned_by_is_refused():
    home = applied()
    anchor = f"insert into {NAME}.anchors values ('count', '{{}}')"
    pg.execute(anchor.format(HOT))
    check.contains(home.must("plan"), "nothing to do")
    change(home, "hot: {weight: 2, default: true}, cold: {weight: 1}",
           "hot: {weight: 2}, cold: {weight: 1, default: true}")
    check.contains(home.must("plan"), "nothing to do", "it is read still")
    change(home, "hot: {weight: 2}, cold: {weight: 1, default: true}", "cold: {weight: 1}")
    refuses(home, "processor count", f"assigned by topic {HOT}, which it would no longer read",
            "stop all workers of 'count'", f"table anchors of schema {NAME}")
    pg.execute(f"delete from {NAME}.anchors")
    home.must("apply")
    pg.execute(anchor.format(EVENTS))
    refuses(home, "processor count", f"assigned by topic {EVENTS}")


@check.test
def compatible_schemas_are_registered():
    home = applied()
    home.schema("Added", SCHEMAS["Added"] + [("why", "string", "")])
    home.schema("Add", [("counter_id", "string"), ("n", "double")])
    home.schema("CounterState", [("total", "double", 0)])
    found = {k: v for k, v in plan(home).items() if k[0] == "schemas"}
    check.equal(set(found), {("schemas", "~", t) for t in SCHEMAS})
    check.equal(home.must_json("apply")["schemas_registered"], 3)
    count = pg.value(f"select count(*) from {NAME}.schemas where subject = 'Added'")
    check.equal(count, 2)
    check.equal(home.cli("plan", "--exit-code").returncode, 0)


@check.test
def a_schema_that_cannot_read_what_was_written_is_refused():
    home = applied()
    home.schema("Added", SCHEMAS["Added"] + [("why", "string")])
    refuses(home, "Added", "'why'", "no default")
    change(home, "add: {n: $.n}", "set: {n: $.n}")
    home.schema("Added", [("counter_id", "string"), ("n", "string")])
    refuses(home, "Added", "field 'n'", "long can't be read as string")
    home.schema("Added", SCHEMAS["Added"])
    home.schema("Add", SCHEMAS["Add"] + [("why", "string")])
    refuses(home, "Add", "'why'", "no default")


@check.test
def a_removed_field_without_default_is_refused_until_it_has_had_one():
    home = applied()
    change(home, "add: {n: $.n}", "add: {n: 1}")
    home.schema("Added", [("counter_id", "string")])
    refuses(home, "Added", "'n'", "in one version")
    home.schema("Added", [("counter_id", "string"), ("n", "long", 0)])
    home.must("apply")
    home.schema("Added", [("counter_id", "string")])
    home.must("apply")


@check.test
def a_new_symbol_of_an_enum_is_refused_until_the_enum_has_had_a_default():
    home = empty()

    def currencies(*symbols, **more):
        enum = {"type": "enum", "name": "Currency", "symbols": symbols, **more}
        home.schema("Added", SCHEMAS["Added"] + [("currency", enum)])

    currencies("EUR", "USD")
    home.must("apply")
    currencies("EUR", "USD", "CHF")
    refuses(home, "Added", "field 'currency': readers with id ", " do not know symbol 'CHF': give "
            "the enum a default and apply, add the symbol in a later version; they then see it as")
    currencies("EUR", "USD", default="EUR")
    home.must("apply")
    currencies("EUR", "USD", "CHF", default="EUR")
    check.equal([mark for (_, mark, what) in plan(home) if what == "Added"], ["~"])


@check.test
def a_topic_of_somebody_else_that_is_missing_is_named_and_the_rest_is_done():
    home = empty()
    foreign = "leat_plantest-psp"
    kafka.delete(foreign)
    wait.until(lambda: not kafka.topics(foreign), what="the topic to be gone")
    change(home, "projections:", f"sources: {{psp: {{topic: {foreign}, format: json, command: Add,"
           " key: $.counter_id}}\nprojections:")
    found = plan(home)
    check.contains(found["topics", "!", foreign], "is missing: it belongs to somebody else"
                   " (source 'psp'); ask its owner, or create it")
    shown = home.cli("plan", "--exit-code")
    check.equal(shown.returncode, 3)
    check.contains(shown.stdout, f"! {foreign} ")
    check.contains(shown.stdout, " to do, 1 that apply cannot do")
    done = home.cli("apply")
    check.equal(done.returncode, 1)
    check.contains(done.stderr, f"leat: not done: topic {foreign} is missing")
    check.contains(done.stdout, "store ready")
    check.contains(kafka.topics(f"{NAME}."), EVENTS)
    check.equal(kafka.topics(foreign), {})
    check.equal(home.must_json("plan")["to_do"], 0)
    kafka.create(foreign, 2)
    try:
        check.contains(home.must("plan"), "nothing to do")
        home.must("apply")
    finally:
        kafka.delete(foreign)


@check.test
def a_changed_key_of_an_aggregate_is_refused_once_there_are_events():
    home = empty()
    for name in ("Add", "Added"):
        home.schema(name, SCHEMAS[name] + [("owner", "string", "")])
    home.must("apply")
    change(home, "{key: counter_id,", "{key: owner,")
    check.equal(home.cli("plan", "--exit-code").returncode, 0, "nothing was keyed yet")
    store.append(NAME, "counter-c1", [("Added", {"counter_id": "c1", "n": 1, "owner": "anna"})])
    refuses(home, "aggregate counter", "'owner'", "anna", "counter-c1")
    change(home, "{key: owner,", "{key: counter_id,")
    check.equal(home.cli("plan", "--exit-code").returncode, 0)


@check.test
def a_changed_projection_is_built_anew_by_run():
    home = applied()
    process = home.start("--role", "projector")
    wait.until(lambda: ("models", "+", "counters") not in plan(home), what="the model to be there")
    check.equal([k for k in plan(home) if k[0] == "models"], [])
    process.stop()
    change(home, "add: {n: $.n}", "add: {n: $.n, times: 1}")
    check.contains(plan(home)["models", "~", "counters"], "declaration changed")
    change(home, "add: {n: $.n, times: 1}", "add: {n: $.n}")
    check.equal([k for k in plan(home) if k[0] == "models"], [])
    # older events are read with the schema's default: another default, other rows
    home.schema("Added", [("counter_id", "string"), ("n", "long", 7)])
    check.contains(plan(home)["models", "~", "counters"], "declaration changed")
    home.schema("Added", SCHEMAS["Added"] + [("other", "long", 7)])
    check.equal([k for k in plan(home) if k[0] == "models"], [], "it does not read that one")
    home.schema("Added", SCHEMAS["Added"])
    change(home, "projections: {counters:", "projections: {others:")
    found = plan(home)
    check.equal(("models", "-", "counters") in found and ("models", "+", "others") in found, True)


@check.test
def a_store_of_a_newer_leat_is_refused():
    home = applied()
    pg.execute(f"insert into {NAME}.migrations (number, name, hash) values (999, 'later', 'x')")
    refuses(home, f"schema {NAME}", "newer leat")


@check.test
def what_check_calls_a_mistake_is_neither_planned_nor_applied_nor_run():
    home = applied()
    change(home, "key: $.counter_id", "key: $.conter_id")
    told = home.cli("check").stdout.splitlines()[0]
    check.contains(told, "'Added' has no field 'conter_id' (did you mean 'counter_id'?)")
    before = live()
    for verb in (("plan",), ("apply",), ("run",), ("run", "--dev")):
        done = home.cli(*verb)
        check.equal(done.returncode, 2, " ".join(verb))
        check.contains(done.stderr, told)
    check.equal(live(), before)


@check.test
def servers_that_are_away_are_named():
    home = applied()
    done = home.cli("plan", env={"STORE_URL": "postgresql://leat@127.0.0.1:1/leat"})
    check.equal((done.returncode, done.stdout), (1, ""))
    check.contains(done.stderr, "127.0.0.1")


@check.at_end
def remove():
    leat.Home(TOPOLOGY).forget(NAME)


if __name__ == "__main__":
    check.main()
