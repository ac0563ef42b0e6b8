#!/usr/bin/env python3
"""The waiting room: retries in order, dead letters, held keys, commands sent later (design 4).

# sanitizers: asan tsan
"""

import collections
import json
import os
import random
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "room_e2e"
_system = {}


def start(*arguments, name="leat"):
    h = _system["home"]
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--listen", url[7:], "--instance", "one", *arguments, name=name)
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 90,
               f"leat to be ready ({process.log_path})")
    _system.update(process=process, url=url)


def system(concurrency=1):
    if _system.get("concurrency") != concurrency:
        if _system:
            _system["process"].stop()
        gates = {"GATES": ""}
        h = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "room"), env=gates,
            replace={"name: room\n": f"name: {NAME}\n",
                     "concurrency: 1": f"concurrency: {concurrency}"})
        h.env["GATES"] = h.dir
        if not _system:
            h.forget(NAME)
            h.must("apply")
        _system.update(home=h, concurrency=concurrency)
        start()
    return _system["home"]


def open_gate(name):
    with open(os.path.join(_system["home"].dir, name), "w", encoding="utf-8"):
        pass


def send(processor, messages, kind="Work"):
    """(job, number, how, priority) or with an id; gives the ids."""
    ids, by_topic = [], collections.defaultdict(list)
    for job, number, how, priority, *given in messages:
        ids.append(given[0] if given else str(uuid.uuid4()))
        by_topic[f"{NAME}.{processor}.{priority}"].append(
            (job, json.dumps({"job": job, "number": number, "how": how}),
             {"ce_type": kind, "ce_id": ids[-1], "x-trace": f"t-{number}"}))
    for topic, records in by_topic.items():
        kafka.produce(topic, records)
    return ids


def numbers(stream):
    return [json.loads(bytes.fromhex(r["payload"]))["number"] for r in pg.rows(
        f"select encode(payload, 'hex') as payload from {NAME}.events where stream = '{stream}'"
        " order by version")]


def waiting(where="true"):
    return pg.rows(f"select processor, convert_from(key, 'UTF8') as key, ticket, reason, attempt, "
                   f"id, error, priority from {NAME}.waiting where {where} order by key, ticket")


def outcome(command_id):
    rows = pg.rows(f"select outcome, attempts, error_code from {NAME}.commands "
                   f"where id = '{command_id}'")
    assert len(rows) <= 1, rows
    return (rows[0]["outcome"], int(rows[0]["attempts"])) if rows else None


def a_key_waits_alone(job):
    gate = f"gate:{job}"
    first, = send("jobs", [(job, 1, gate, "hot")])
    wait.until(lambda: waiting(f"id = '{first}'"), 20, "the first to wait")
    send("jobs", [(job, 2, "", "cold"), (f"{job}-other", 1, "", "cold")])
    wait.equals(lambda: numbers(f"job-{job}-other"), [1])
    wait.equals(lambda: len(waiting(f"key = '{job}'")), 2)
    send("jobs", [(job, 3, gate, "hot"), (job, 4, "reject", "cold"),
                  (f"{job}-other", 2, "", "hot")])
    wait.equals(lambda: numbers(f"job-{job}-other"), [1, 2])
    wait.equals(lambda: len(waiting(f"key = '{job}'")), 4)
    rows = waiting(f"key = '{job}'")
    check.equal([r["reason"] for r in rows], ["1", "2", "2", "2"])
    check.equal(rows[0]["error"], "the gate is shut")
    check.equal(numbers(f"job-{job}"), [])
    return first


@check.test
def a_retry_parks_its_key_over_all_priorities_and_nobody_else():
    system()
    first = a_key_waits_alone("alone")
    check.equal(outcome(first)[0], "waiting")
    open_gate("alone")
    wait.equals(lambda: numbers("job-alone"), [1, 2, 3], 40)
    wait.equals(lambda: waiting("key = 'alone'"), [])
    check.equal(outcome(first)[0], "accepted")
    assert outcome(first)[1] >= 1, outcome(first)


@check.test
def what_waits_survives_kill_and_restart():
    system()
    a_key_waits_alone("killed")
    _system["process"].end_group()
    send("jobs", [("killed", 5, "", "hot")])
    open_gate("killed")
    start(name="second")
    wait.equals(lambda: numbers("job-killed"), [1, 2, 3, 5], 40)
    wait.equals(lambda: waiting("key = 'killed'"), [])


@check.test
def delays_are_kept_and_the_last_one_ends_in_a_dead_letter():
    system()
    dead, late = send("tossers", [("tired", 1, "gate:never", "hot"), ("tired", 2, "", "cold")],
                      "Toss")
    wait.equals(lambda: numbers("toss-tired"), [2], what="it waits for nobody")
    wait.until(lambda: outcome(dead) and outcome(dead)[0] == "dead", 20, "the dead letter")
    row, = pg.rows(f"select * from {NAME}.dead_letters where id = '{dead}'")
    check.equal((row["class"], row["code"], row["message"], row["attempts"], row["state"]),
                ("retry", "retries-exhausted", "the gate is shut", "3", "dead"))
    check.equal(waiting(f"id = '{dead}'"), [])

    def letter():
        return [r for r in kafka.consume(f"{NAME}.tossers.dlq") if r.header("ce_id") == dead]
    wait.until(letter, 20, "the letter on its topic")
    got, = letter()
    check.equal((got.header("x-trace"), got.header("ce_type")), ("t-1", "Toss"))
    check.equal((got.header("__leat.errors.class"), got.header("__leat.errors.attempts")),
                ("retry", "3"))
    check.equal(json.loads(got.value)["number"], 1)
    check.equal(outcome(late)[0], "accepted")


@check.test
def a_dead_letter_holds_its_key_where_that_is_asked_for():
    system()
    good, bad, after = send("keepers", [("held", 1, "", "hot"), ("held", 2, "poison", "hot"),
                                        ("held", 3, "", "hot")], "Keep")
    send("keepers", [("free", 1, "", "hot")], "Keep")
    wait.equals(lambda: numbers("keep-free"), [1])
    wait.equals(lambda: [r["reason"] for r in waiting("key = 'held'")], ["4", "2"])
    check.equal(outcome(good)[0], "accepted")
    check.equal(numbers("keep-held"), [1])
    pg.execute(f"""begin;
        select 1 from {NAME}.owners o join {NAME}.waiting w on o.processor = w.processor
            and o.k = w.slice where w.id = '{bad}' for update of o;
        update {NAME}.owners o set epoch = epoch + 1 from {NAME}.waiting w
            where w.id = '{bad}' and o.processor = w.processor and o.k = w.slice;
        delete from {NAME}.waiting where id = '{bad}';
        commit""")
    wait.equals(lambda: numbers("keep-held"), [1, 3], 20, "somebody let it go")
    check.equal(outcome(after)[0], "accepted")


@check.test
def a_duplicate_of_what_waits_is_done_once():
    system()
    twice = str(uuid.uuid4())
    message = ("twice", 1, "gate:twice", "hot", twice)
    send("jobs", [message, message, ("twice", 2, "", "hot")])
    wait.until(lambda: len(waiting("key = 'twice'")) >= 2, 20, "both to wait")
    send("jobs", [("twice", 1, "gate:twice", "cold", twice)])
    open_gate("twice")
    wait.equals(lambda: numbers("job-twice"), [1, 2], 40)
    wait.equals(lambda: waiting("key = 'twice'"), [])
    check.equal(outcome(twice)[0], "accepted")


@check.test
def a_flood_of_dead_letters_pauses_the_processor_until_somebody_looks():
    h = system()
    # numbers of one key follow each other in one executor
    bad = send("tossers", [(f"flood-{i % 4}", i, "poison", "hot") for i in range(40)], "Toss")
    good = send("tossers", [(f"flood-{i % 4}", i, "", "hot") for i in range(40, 60)], "Toss")

    def count(ids, what):
        listed = ", ".join(f"'{i}'" for i in ids)
        return pg.value(f"select count(*) from {NAME}.commands where outcome = '{what}' "
                        f"and id in ({listed})")
    reason = wait.until(lambda: pg.rows(f"select reason from {NAME}.pauses"), 20, "a pause")
    check.contains(reason[0]["reason"], "flood: 5 dead letters in a row")
    _system["process"].await_log("processor-paused")
    assert 5 <= count(bad, "dead") < 40, count(bad, "dead")
    check.equal(count(good, "accepted"), 0)
    check.equal(h.cli("pause", "tossers").returncode, 3)
    resumed = 0

    def all_done():
        nonlocal resumed
        resumed += h.cli("resume", "tossers").returncode == 0
        return count(bad, "dead") == 40 and count(good, "accepted") == 20
    wait.until(all_done, 60, "the rest, with somebody who looks each time")
    assert resumed >= 2, resumed
    h.cli("resume", "tossers")
    check.equal(h.cli("resume", "tossers").returncode, 3)
    done = h.cli("resume", "tosers")
    check.equal((done.returncode, "did you mean 'tossers'?" in done.stderr), (2, True))


@check.test
def a_processor_is_paused_and_resumed_by_hand():
    h = system()
    check.equal(h.must_json("pause", "jobs", "--reason", "a look"),
                {"processor": "jobs", "state": "paused"})
    try:
        _system["process"].await_log("a look")
        send("jobs", [("paused", 1, "", "hot")])
        send("tossers", [("paused", 1, "", "hot")], "Toss")
        wait.equals(lambda: numbers("toss-paused"), [1])
        check.equal(numbers("job-paused"), [])
        shown = h.cli("status", env={"LEAT_LISTEN": _system["url"][7:]}).stdout
        check.contains(shown, "a look (leat resume)")
    finally:
        h.must("resume", "jobs")
    wait.equals(lambda: numbers("job-paused"), [1])


def reminded(job):
    return numbers(f"reminder-{job}")


@check.test
def a_command_is_sent_later_or_not_at_all():
    system()
    send("jobs", [("soon", 1, "later:1500", "hot"), ("taken", 1, "later:3000", "hot"),
                  ("years", 1, "later:3000000", "hot")])
    wait.equals(lambda: len(waiting("reason = 3 and key in ('soon', 'taken', 'years')")), 3)
    row, = waiting("reason = 3 and key = 'taken'")
    send("jobs", [("taken", 2, f"cancel:{row['id']}", "hot"), ("soon", 2, "", "hot")])
    wait.equals(lambda: numbers("job-soon"), [1, 2], what="a scheduled command parks nobody")
    wait.equals(lambda: waiting(f"id = '{row['id']}'"), [])
    _system["process"].stop()
    start(name="third")
    wait.equals(lambda: reminded("soon"), [1], 20)
    wait.equals(lambda: waiting("key = 'soon'"), [])
    check.equal(len(waiting("key = 'years'")), 1)
    send("jobs", [("fence", 1, "later:100", "hot")])
    wait.equals(lambda: reminded("fence"), [1], 20)
    check.equal(reminded("taken"), [])


@check.test
def a_policy_waits_key_by_key():
    system()
    send("jobs", [("events", 1, "gate:both-events", "hot"), ("events", 2, "tell", "hot")])
    open_gate("both-events")
    wait.equals(lambda: [(r["processor"], r["reason"]) for r in waiting("key = 'events'")],
                [("watchers", "1"), ("watchers", "2")], 40)
    send("jobs", [("events-other", 1, "tell", "hot")])
    wait.equals(lambda: reminded("events-other"), [1])
    check.equal(reminded("events"), [])
    open_gate("watch-events")
    wait.equals(lambda: reminded("events"), [1, 2], 40)


def soak(seed, jobs, each):
    rng = random.Random(seed)
    sent = [(f"soak-{seed}-{j}", n, rng.choice(["", "flaky", "flaky", "reject"]))
            for n in range(1, each + 1) for j in range(jobs)]
    lanes = {job: rng.choice(["hot", "cold"]) for job, _, _ in sent}
    rng.shuffle(sent)
    sent.sort(key=lambda m: m[1])  # by number, jobs mixed
    for at in range(0, len(sent), 60):
        send("jobs", [(*m, lanes[m[0]]) for m in sent[at:at + 60]])
        if at in (120, 300):
            _system["process"].end_group()
            start(name=f"soak-{seed}-{at}")
    want = collections.defaultdict(list)
    for job, number, how in sent:
        if how != "reject":
            want[job].append(number)
    for job, expected in want.items():
        wait.equals(lambda job=job: numbers(f"job-{job}"), expected, 60, f"the events of {job}")
    wait.equals(lambda: waiting(f"key::text like 'soak-{seed}%'"), [])


@check.test
def order_holds_through_retries_and_crashes():
    system()
    soak(1, 12, 40)


@check.test
def order_holds_with_handlers_at_once():
    system(concurrency=8)
    soak(2, 12, 40)
    a_key_waits_alone("at-once")
    open_gate("at-once")
    wait.equals(lambda: numbers("job-at-once"), [1, 2, 3], 40)


@check.test
def nothing_is_odd_at_the_end():
    rows = pg.rows(f"select stream, count(*) as n, max(version) as v from {NAME}.events group by 1")
    assert all(r["n"] == r["v"] for r in rows), rows
    rows = pg.rows(f"select slice, count(*) as n, max(seq) as s from {NAME}.events group by 1")
    assert all(r["n"] == r["s"] for r in rows), rows
    check.equal(_system["process"].stop(), 0)


if __name__ == "__main__":
    check.main()
