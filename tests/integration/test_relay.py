# sanitizers: tsan
"""The relay on real Kafka and Postgres: `leat run --role relay` processes publish what SQL appends,
while they are killed, stopped and woken. Judged by SQL and by reading the topic, with the reader's
rule: apply seq == last + 1, drop what is there, never a hole."""

import signal
import threading

from lib import check, kafka, leat, pg, servers, wait

NAME = "leat_relaytest"
PARTITIONS = 4
TOPIC = f"{NAME}.events"
OUT = f"{NAME}.count.normal"

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
"""


def fresh(replace=None):
    leat.end_all()  # what a failed test left behind
    home = leat.Home(TOPOLOGY, replace=replace)
    home.forget(NAME)
    wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
    home.must("apply")
    return home


def relay(home, name, **options):
    return home.start("--role", "relay", "--session-timeout", "6s", name=name, **options)


def append(n, payload_bytes=100):
    """n events on n streams, in one statement per hundred; slices in order, as every writer."""
    for start in range(0, n, 100):
        count = min(100, n - start)
        pg.execute(f"""
            with s as materialized (
                select g, 'counter-' || g || gen_random_uuid() as stream
                from generate_series(1, {count}) g)
            select count(*)
            from (select * from s order by {NAME}.slice_of(stream)) o,
            lateral {NAME}.append_events(o.stream, -1, gen_random_uuid(), '{{CounterAdded}}',
                array[(select string_agg(sha256((random()::text || i)::bytea), ''::bytea)
                       from generate_series(o.g, o.g + {payload_bytes} / 32) i)], '{{1}}')""")


def heads():
    found = pg.rows(f"select slice, head_seq from {NAME}.slices order by slice")
    return [int(row["head_seq"]) for row in found]


def positions():
    found = pg.rows(f"select slice, seq from {NAME}.published order by slice")
    return [int(row["seq"]) for row in found]


def all_published():
    return positions() == heads()


def follow(records, partition):
    """What a reader with the seq rule applies, as (seq, event id); fails at a hole."""
    last, applied, copies = 0, [], 0
    for record in records:
        if record.partition != partition:
            continue
        seq = int(record.header("leat-seq"))
        if seq <= last:
            copies += 1
            continue
        assert seq == last + 1, f"hole in {partition}: {seq} after {last}"
        applied.append((seq, record.header("ce_id")))
        last = seq
    return applied, copies


def judge():
    """The topic, read by the rule, is the store."""
    records = kafka.consume(TOPIC)
    copies = 0
    for k in range(PARTITIONS):
        applied, doubled = follow(records, k)
        stored = pg.rows(
            f"select seq, event_id from {NAME}.events where slice = {k} order by seq")
        check.equal(applied, [(int(r["seq"]), r["event_id"]) for r in stored], f"slice {k}")
        copies += doubled
    print(f"# {len(records)} records, {copies} of them copies", flush=True)
    return records, copies


@check.test
def what_sql_appends_is_published_as_the_store_has_it():
    home = fresh()
    process = relay(home, "one")
    append(300)
    wait.until(all_published)
    records, copies = judge()
    check.equal(copies, 0)
    row = pg.rows(f"select * from {NAME}.events where slice = {records[0].partition}"
                  f" and seq = {records[0].header('leat-seq')}")[0]
    check.equal(records[0].key.decode(), row["stream"].removeprefix("counter-"))
    check.equal(records[0].header("ce_type"), "CounterAdded")
    check.equal(records[0].value.hex(), row["payload"].removeprefix("\\x"))
    check.equal(process.stop(), 0)


@check.test
def relays_come_and_go_and_nothing_is_missing():
    home = fresh()
    done = threading.Event()

    def appender():
        while not done.is_set():
            append(50)

    writers = [threading.Thread(target=appender) for _ in range(2)]
    for w in writers:
        w.start()
    try:
        running = [relay(home, "a", env={"LEAT_INSTANCE": "a"}),
                   relay(home, "b", env={"LEAT_INSTANCE": "b"})]
        for turn in range(6):
            before = sum(positions())
            wait.until(lambda: sum(positions()) > before + 200, what="progress")
            running[turn % 2].kill()
            running[turn % 2] = relay(home, "ab"[turn % 2], env={"LEAT_INSTANCE": "ab"[turn % 2]})
    finally:
        done.set()
        for w in writers:
            w.join()
    wait.until(all_published)
    judge()
    for process in running:
        check.equal(process.stop(), 0)


@check.test
def relay_that_was_stopped_and_wakes_is_harmless():
    home = fresh()
    zombie = relay(home, "zombie")
    append(200)
    wait.until(all_published)
    append(50)
    zombie.signal(signal.SIGSTOP)
    append(100)
    successor = relay(home, "successor")
    wait.until(all_published, seconds=40)
    seen = positions()
    zombie.signal(signal.SIGCONT)
    append(200)
    wait.until(all_published)
    assert all(now >= then for now, then in zip(positions(), seen, strict=True))
    judge()
    append(100)
    wait.until(all_published)
    judge()
    zombie.stop(), successor.stop()


@check.test
def crash_between_publishing_and_recording_gives_copies_only():
    home = fresh()
    process = relay(home, "one")
    append(200)
    wait.until(all_published)
    process.kill()
    pg.execute(f"update {NAME}.published set seq = greatest(seq - 7, 0)")
    process = relay(home, "two")
    append(20)
    wait.until(all_published, seconds=40)
    _, copies = judge()
    check.equal(copies, 7 * PARTITIONS)
    process.stop()


@check.test
def record_the_broker_refuses_stops_nobody():
    home = fresh()
    process = relay(home, "one")
    append(20)
    append(1, payload_bytes=2_500_000)
    append(20)
    wait.until(all_published)
    process.await_log("event-refused")
    records = kafka.consume(TOPIC)
    check.equal(len(records), 40)
    put = f"""
        with s as (update {NAME}.slices set outbox_seq = outbox_seq + 3 where slice = 1
                   returning outbox_seq)
        insert into {NAME}.outbox (seq, slice, partition, topic, key, headers, value)
        select outbox_seq - 3 + i, 1, 2, '{OUT}', 'k', '',
               case when i = 2 then (select string_agg(sha256((random()::text || j)::bytea),
                    ''::bytea) from generate_series(1, 50000) j) else 'small'::bytea end
        from s, generate_series(1, 3) i"""
    pg.execute(put)
    wait.until(lambda: pg.value(f"select count(*) from {NAME}.outbox") == 0)
    check.equal(pg.value(f"select outbox_seq from {NAME}.published where slice = 1"), 3)
    check.equal(pg.rows(f"select slice, seq, topic from {NAME}.outbox_refused"),
                [{"slice": "1", "seq": "2", "topic": OUT}])
    check.contains(pg.value(f"select reason from {NAME}.outbox_refused"), "too large")
    check.equal([(r.partition, r.key, r.value) for r in kafka.consume(OUT)],
                [(2, b"k", b"small")] * 2)
    process.stop()


@check.test
def no_batch_is_larger_than_a_strict_topic_takes():
    home = fresh({"events: {format: json}": "events: {format: json, max.message.bytes: 8KiB}"})
    append(400, payload_bytes=1000)
    process = relay(home, "one")
    wait.until(all_published)
    _, copies = judge()
    check.equal((copies, "refused" in process.log()), (0, False))
    process.stop()


@check.test
def slice_whose_topic_is_ahead_of_the_store_stands_still_and_says_so():
    home = fresh()
    process = relay(home, "one")
    append(100)
    wait.until(all_published)
    check.equal(process.stop(), 0)
    pg.execute(f"delete from {NAME}.event_log e using {NAME}.slices s"
               f" where e.slice = 2 and s.slice = 2 and e.seq = s.head_seq")
    pg.execute(f"update {NAME}.slices set head_seq = head_seq - 1 where slice = 2")
    pg.execute(f"update {NAME}.published set seq = seq - 1 where slice = 2")
    published = len(kafka.consume(TOPIC))
    process = relay(home, "two")
    process.await_log("slice-stopped")
    check.contains(process.log(), "ahead of the store")
    before = positions()
    append(100)
    others = [k for k in range(PARTITIONS) if k != 2]
    wait.until(lambda: all(positions()[k] == heads()[k] for k in others))
    check.equal(positions()[2], before[2])
    records = kafka.consume(TOPIC)[published - 1:]
    assert heads()[2] > before[2] and records, "the appends must have reached slice 2"
    check.equal(len([r for r in kafka.consume(TOPIC) if r.partition == 2]), before[2] + 1)
    process.stop()


def make_anew(home):
    kafka.delete(TOPIC)
    wait.until(lambda: TOPIC not in kafka.topics(NAME), 60, "the topic to be gone")
    home.must("apply")


def all_there():
    return all_published() and kafka.count(TOPIC) >= sum(heads())


@check.test
def topic_that_was_made_anew_gets_all_events_again_in_order():
    home = fresh()
    process = relay(home, "one")
    append(200)
    wait.until(all_published)
    make_anew(home)  # while it runs, and nothing is appended
    wait.until(all_there, seconds=60)
    process.await_log("tail-lost")
    append(50)
    wait.until(all_there)
    judge()
    check.equal(process.stop(), 0)
    make_anew(home)  # while none runs
    process = relay(home, "two")
    wait.until(all_there, seconds=60)
    _, copies = judge()
    check.equal(copies, 0)
    process.stop()


@check.test
def relay_goes_on_when_its_connections_are_cut():
    home = fresh()
    process = relay(home, "one")
    for _ in range(3):
        append(100)
        pg.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <>"
                   f" pg_backend_pid() and application_name like '%{NAME}%'")
        append(100)
        wait.until(all_published)
    judge()
    process.stop()


if __name__ == "__main__":
    check.main()
