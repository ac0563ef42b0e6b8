"""leat store adopt: a store that went back, as after a fail-over that lost commits. Its rows are
taken away by SQL, the timeline it was adopted on is changed; judged by SQL and by reading the
topic."""

import json

from lib import api, check, kafka, leat, pg, servers, wait

NAME = "leat_adopttest"
PARTITIONS = 4
TOPIC = f"{NAME}.events"

TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{normal: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: ["{servers.ROOT}/topology/minimal"]
aggregates: {{counter: {{key: counter_id, state: CounterState}}}}
processors: {{count: {{aggregate: counter, commands: [AddToCounter], emits: [CounterAdded]}}}}
projections: {{counters: {{key: $.counter_id, from: {{CounterAdded: {{add: {{events: 1}}}}}}}}}}
"""


def fresh():
    leat.end_all()
    home = leat.Home(TOPOLOGY)
    home.forget(NAME)
    home.must("apply")
    return home


def start(home, name="run"):
    port = servers.free_port()
    process = home.start("--role", "relay,projector,http", "--session-timeout", "6s", "--data",
                         "data", "--listen", f"127.0.0.1:{port}", name=name)
    process.await_log('"event":"started"', 60)
    process.url = f"http://127.0.0.1:{port}"
    return process


def append(keys):
    for key in keys:
        body = json.dumps({"counter_id": key, "amount": 1}).encode().hex()
        pg.execute(f"select * from {NAME}.append_events('counter-{key}', -1, gen_random_uuid(),"
                   f" '{{CounterAdded}}', array['\\x{body}'::bytea], '{{1}}')")


def stored():
    """(slice, seq) -> event id"""
    return {(int(r["slice"]), int(r["seq"])): r["event_id"]
            for r in pg.rows(f"select slice, seq, event_id from {NAME}.events")}


def all_published():
    return pg.value(f"select count(*) from {NAME}.slices s join {NAME}.published p using (slice)"
                    " where s.head_seq <> p.seq") == 0


def model(process):
    answer = api.get(process.url + "/v1/models/counters?limit=1000")
    return {row["key"]: row["events"] for row in answer.json["rows"]} if answer.json else None


def folded():
    return {r["key"]: int(r["n"]) for r in pg.rows(
        f"select substr(stream, 9) as key, count(*) as n from {NAME}.events group by 1")}


def goes_back(slices, by):
    """The store loses the last `by` events of slices, with the relay's position, and is on a
    timeline that nobody has adopted. Connections are cut, as by a fail-over."""
    pg.execute(f"update {NAME}.topology set timeline = timeline + 7")
    pg.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
               f"pg_backend_pid() and application_name = 'leat' and query like '%{NAME}%'")
    for k in slices:
        pg.execute(f"""
            begin;
            update {NAME}.slices set head_seq = head_seq - {by} where slice = {k};
            delete from {NAME}.event_log e using {NAME}.slices s
            where s.slice = {k} and e.slice = {k} and e.seq > s.head_seq;
            update {NAME}.published p set seq = s.head_seq - 1 from {NAME}.slices s
            where s.slice = {k} and p.slice = {k};
            commit""")


def in_the_topic():
    return [(r.partition, int(r.header("leat-seq")), r.header("ce_id"), r.header("leat-store"))
            for r in kafka.consume(TOPIC)]


def keys(n, start=0):
    return [f"k{i}" for i in range(start, start + n)]


def filled(home):
    """30 events and a process that has published and folded them."""
    process = start(home)
    append(keys(30))
    wait.until(all_published, 60, "30 events to be published")
    wait.until(lambda: model(process) == folded(), 60, "the model to have them")
    return process


def is_it(lost, before, after):
    """`lost` names exactly what was there before and is not now."""
    check.equal(sorted((e["slice"], e["seq"], e["event"]) for e in lost),
                sorted((*at, name) for at, name in before.items() if after.get(at) != name))


@check.test
def lost_commits_are_named_and_their_slices_fork_while_leat_runs():
    home = fresh()
    process = filled(home)
    before = stored()
    sizes = {k: max(seq for s, seq in before if s == k) for k in range(PARTITIONS)}
    losers = sorted(k for k in sizes if sizes[k] > 4)[:2]
    goes_back(losers, 3)
    process.await_log("is on another Postgres than before", 60)

    dry = home.cli("store", "adopt", "--dry-run", "--json")
    check.equal(dry.returncode, 3, dry.stderr)
    told = json.loads(dry.stdout)
    check.equal((told["changed"], told["adopted"]), (True, False))
    is_it(told["lost"], before, stored())
    commands = {r["id"] for r in pg.rows(f"select id from {NAME}.commands")}
    check.equal(len(told["commands"]), 6)
    check.equal(set(told["commands"]) & commands, {e["command"] for e in told["lost"]} & commands)
    check.equal(pg.value(f"select count(*) from {NAME}.forks"), 0)

    told = home.must_json("store", "adopt")
    is_it(told["lost"], before, stored())
    check.equal([s["slice"] for s in told["slices"] if "forks at" in s], losers)
    check.equal({s["forks at"] for s in told["slices"] if "forks at" in s},
                {sizes[k] - 3 for k in losers})
    check.equal(pg.value(f"select count(*) from {NAME}.lost_events"), 6)
    again = home.cli("store", "adopt", "--json")
    check.equal((again.returncode, json.loads(again.stdout)["lost"]), (0, []))

    append(keys(30, start=20))
    wait.until(all_published, 60, "the relay to go on by itself")
    wait.until(lambda: model(process) == folded(), 60, "the model to be built again")
    new = {s["slice"]: s["new store"] for s in told["slices"] if "new store" in s}
    for k in losers:
        above = [(seq, name) for p, seq, name, store in in_the_topic()
                 if p == k and store == new[k]]
        check.equal(above, sorted((seq, name) for (s, seq), name in stored().items()
                                  if s == k and seq > sizes[k] - 3))
    check.equal(process.stop(), 0, process.tail())


@check.test
def nothing_lost_keeps_every_store_id():
    home = fresh()
    process = filled(home)
    ids = pg.rows(f"select slice, store_id from {NAME}.slices order by slice")
    pg.execute(f"update {NAME}.topology set timeline = timeline + 7")
    told = home.must_json("store", "adopt")
    check.equal((told["changed"], told["adopted"], told["lost"]), (True, True, []))
    check.equal(pg.rows(f"select slice, store_id from {NAME}.slices order by slice"), ids)
    append(keys(5))
    wait.until(all_published, 60, "the relay to go on")
    wait.until(lambda: model(process) == folded(), 60, "the model to go on")
    check.equal(process.said("version-refused"), [])
    check.equal(process.stop(), 0, process.tail())


@check.test
def nobody_writes_or_starts_before_it_is_adopted():
    home = fresh()
    append(keys(3))
    pg.execute(f"update {NAME}.topology set timeline = timeline + 7")
    try:
        append(keys(1))
        why = "written"
    except pg.SqlError as e:
        why = str(e)
    check.contains(why, "leat store adopt")
    done = home.cli("run", "--role", "relay")
    check.equal(done.returncode, 1, done.stderr)
    check.contains(done.stderr, "leat store adopt")
    check.contains(home.must("store", "adopt"), "nothing is lost that readers of Kafka have got")
    append(keys(1))
    check.contains(home.must("store", "adopt"), "nothing to adopt")


@check.test
def a_store_that_has_nothing_of_the_topic_is_adopted_by_force_alone():
    home = fresh()
    process = filled(home)
    check.equal(process.stop(), 0, process.tail())
    pg.drop_schema(NAME)
    home.must("apply")
    done = home.cli("store", "adopt")
    check.equal(done.returncode, 1, done.stderr)
    check.contains(done.stderr, "have no event in common")
    told = home.must_json("store", "adopt", "--force")
    check.equal(len(told["lost"]), 30)
    check.equal({s["forks at"] for s in told["slices"] if "forks at" in s}, {0})
    process = start(home)
    append(keys(8))
    wait.until(all_published, 60, "the relay to go on")
    wait.until(lambda: model(process) == folded(), 60, "the model to be built again")
    check.equal(process.stop(), 0, process.tail())


if __name__ == "__main__":
    check.main()
