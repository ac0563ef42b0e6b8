#!/usr/bin/env python3
"""What a person does to messages that wait or are dead, while their processors run."""

import json
import os
import re
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "operators_e2e"
KINDS = {"jobs": "Work", "keepers": "Keep", "tossers": "Toss"}
_system = {}


def home():
    """The topology of the waiting room with retries that are far away, running."""
    if not _system:
        with open(os.path.join(servers.ROOT, "tests/e2e/topology/room.yaml"),
                  encoding="utf-8") as f:
            delays = re.search(r"^defaults:\n.*$", f.read(), re.M).group()
        h = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "room"), env={"GATES": ""}, replace={
                "name: room\n": f"name: {NAME}\n", "    flood: {consecutive: 5}\n": "",
                delays: "defaults:\n  processor: {retry: {delays: [10m, 10m]}}"})
        h.env["GATES"] = h.dir
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        process = h.start("--listen", url[7:])
        wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
                   process.log_path)
        _system.update(home=h, url=url, process=process)
    return _system["home"]


def open_gate(name):
    with open(os.path.join(home().dir, name), "w", encoding="utf-8"):
        pass


def send(processor, *messages):
    """(job, number, how) each; their ids."""
    ids = [str(uuid.uuid4()) for _ in messages]
    kafka.produce(f"{NAME}.{processor}.cold", [
        (job, json.dumps({"job": job, "number": number, "how": how}),
         {"ce_type": KINDS[processor], "ce_id": id_, "x-trace": f"t-{number}"})
        for id_, (job, number, how) in zip(ids, messages)])
    return ids


def numbers(stream):
    return [json.loads(bytes.fromhex(r["payload"]))["number"] for r in pg.rows(
        f"select encode(payload, 'hex') as payload from {NAME}.events where stream = '{stream}'"
        " order by version")]


def waits(id_):
    return pg.value(f"select reason from {NAME}.waiting where id = '{id_}'")


def letter(id_):
    """state and number of redrives"""
    row = pg.rows(f"select state, redrives from {NAME}.dead_letters where id = '{id_}'")
    return (row[0]["state"], int(row[0]["redrives"])) if row else None


def command(id_):
    row = pg.rows(f"select outcome, error_code from {NAME}.commands where id = '{id_}'")
    assert len(row) <= 1, row
    return (row[0]["outcome"], row[0]["error_code"]) if row else None


@check.test
def what_is_redriven_is_done_once_and_its_letter_settled():
    h = home()
    ids = send("tossers", *[(f"tired-{i % 5}", i, "gate:rest") for i in range(40)])
    wait.equals(lambda: len(h.must_json("dlq", "list", "-p", "tossers", "-n", "1000")["rows"]), 40)
    check.equal(h.must_json("dlq", "list", "-n", "0")["groups"][0]["code"], "retries-exhausted")
    open_gate("rest")
    check.equal(h.must_json("dlq", "redrive", "--processor", "tossers")["redriven"], 40)
    wait.equals(lambda: {letter(i) for i in ids}, {("settled", 1)}, 20)
    check.equal(sorted(n for i in range(5) for n in numbers(f"toss-tired-{i}")), list(range(40)))
    check.equal({command(i) for i in ids}, {("accepted", "")})
    again = h.cli("dlq", "redrive", ids[0])
    check.equal(again.returncode, 3)
    check.contains(again.stderr, "was done or rejected since it died")
    check.equal(h.must_json("dlq", "list")["total"], 0)


@check.test
def one_that_dies_again_and_again_is_in_quarantine():
    h = home()
    id_, = send("jobs", ("bad", 1, "poison"))
    for redrives in range(4):
        state = "quarantined" if redrives == 3 else "dead"
        wait.equals(lambda: letter(id_), (state, redrives), 20, f"death {redrives + 1}")
        if redrives < 3:
            h.must("dlq", "redrive", id_)
    check.equal(h.cli("dlq", "redrive", id_).returncode, 3)
    check.equal(letter(id_), ("quarantined", 3))
    h.must("dlq", "redrive", id_, "--force")
    wait.equals(lambda: letter(id_), ("quarantined", 4), 20)
    check.equal(len([r for r in kafka.consume(f"{NAME}.jobs.dlq") if r.header("ce_id") == id_]), 5)
    check.equal(command(id_), ("dead", "poison"))


@check.test
def a_held_key_goes_on_when_its_dead_letter_is_dropped():
    h = home()
    first, *_ = send("keepers", ("held", 1, "poison"), ("held", 2, ""), ("held", 3, ""))
    wait.equals(lambda: waits(first), 4)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.waiting where key = 'held'"), 3)
    check.equal(numbers("keep-held"), [])
    h.must("dlq", "drop", first, "--reason", "nobody wants it")
    wait.equals(lambda: numbers("keep-held"), [2, 3], 20)
    check.equal((letter(first), command(first)), (("dropped", 0), ("dead", "poison")))


@check.test
def a_retry_far_away_runs_at_once_when_it_is_hurried():
    h = home()
    first, second = send("jobs", ("slow", 1, "gate:slow"), ("slow", 2, ""))
    wait.equals(lambda: (waits(first), waits(second)), (1, 2))
    open_gate("slow")
    check.equal(h.cli("retries", "now", second).returncode, 3)
    a = api.post(f"{_system['url']}/v1/retries/{first}/now", b"")
    check.equal(a.status, 200, repr(a))
    wait.equals(lambda: numbers("job-slow"), [1, 2], 20)
    check.equal((command(first), command(second)), (("accepted", ""), ("accepted", "")))


@check.test
def one_that_is_cancelled_lets_the_next_go_on_and_can_be_redriven():
    h = home()
    first, _ = send("jobs", ("stopped", 1, "gate:stopped"), ("stopped", 2, ""))
    wait.equals(lambda: waits(first), 1)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.waiting where key = 'stopped'"), 2)
    h.must("retries", "cancel", first)
    wait.equals(lambda: numbers("job-stopped"), [2], 20)
    check.equal(command(first), ("dead", "cancelled"))

    def record():
        return [r for r in kafka.consume(f"{NAME}.jobs.dlq") if r.header("ce_id") == first]
    wait.until(record, 20, "its record on the topic of dead letters")
    got, = record()
    check.equal((got.key, got.header("x-trace"), got.header("__leat.errors.code"),
                 json.loads(got.value)["number"]), (b"stopped", "t-1", "cancelled", 1))
    open_gate("stopped")
    h.must("dlq", "redrive", first)
    wait.equals(lambda: numbers("job-stopped"), [2, 1], 20)
    wait.equals(lambda: letter(first), ("settled", 1))


@check.test
def records_that_nobody_can_read_die_again_with_all_their_bytes():
    """Without a key, without a value, without sense: each comes back as it was."""
    h = home()
    ids = [str(uuid.uuid4()) for _ in range(3)]
    records = [(None, b"\xff nonsense"), (b"odd\xfe", b"{}"), (b"gone", None)]
    kafka.produce(f"{NAME}.jobs.cold", [
        (key, value, {"ce_type": "Work", "ce_id": id_, "raw": b"\x00\xff"})
        for id_, (key, value) in zip(ids, records)])
    wait.equals(lambda: [letter(i) for i in ids], [("dead", 0)] * 3, 20)
    columns = "key, value, headers, topic, partition, record_offset, code"
    before = pg.rows(f"select {columns} from {NAME}.dead_letters where id in "
                     f"('{ids[0]}', '{ids[1]}', '{ids[2]}') order by id")
    check.equal(h.must_json("dlq", "redrive", *ids)["redriven"], 3)
    wait.equals(lambda: [letter(i) for i in ids], [("dead", 1)] * 3, 20)
    check.equal(pg.rows(f"select {columns} from {NAME}.dead_letters where id in "
                        f"('{ids[0]}', '{ids[1]}', '{ids[2]}') order by id"), before)
    for id_, (key, value) in zip(ids, records):
        copies = [r for r in kafka.consume(f"{NAME}.jobs.dlq") if r.header("ce_id") == id_]
        check.equal([(r.value, r.headers["raw"]) for r in copies], [(value, b"\x00\xff")] * 2)


@check.test
def whatever_persons_do_at_once_each_message_is_done_once():
    """They hurry, cancel and redrive side by side while the processor runs."""
    h = home()
    send("jobs", *[(f"storm-{i % 30}", i, "gate:storm") for i in range(120)])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.waiting where key like 'storm-%'"),
                120, 30)
    open_gate("storm")
    calls = [["retries", "now", "-p", "jobs"], ["retries", "cancel", "-p", "jobs", "--max", "40"],
             ["dlq", "redrive", "-p", "jobs"]]
    for _ in range(3):
        running = [subprocess.Popen([servers.BIN, *call], cwd=h.dir, env=h.env,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for call in calls]
        for r in running:
            said = r.communicate(timeout=60)[1]
            assert r.returncode in (0, 3), said

    def all_done():
        h.cli("dlq", "redrive", "-p", "jobs", "--code", "cancelled")
        h.cli("retries", "now", "-p", "jobs")
        return pg.value(f"select count(*) from {NAME}.waiting where processor = 'jobs'") == 0 and \
            not pg.value(f"select count(*) from {NAME}.dead_letters where code = 'cancelled' and "
                         "state <> 'settled'")

    wait.until(all_done, 60, "all to be done", every=0.3)
    done = [n for i in range(30) for n in numbers(f"job-storm-{i}")]
    check.equal(sorted(done), list(range(120)))
    check.equal(pg.rows(f"select outcome, count(*) from {NAME}.commands where stream like "
                        "'job-storm-%' group by 1"), [{"outcome": "accepted", "count": "120"}])


@check.test
def a_command_that_waits_is_no_outcome_yet():
    home()
    body = {"job": "asked", "number": 1, "how": "gate:asked"}
    a = api.post(f"{_system['url']}/v1/commands/Work", body, headers={"Prefer": "wait=2"})
    check.equal((a.status, a.json["outcome"]), (202, "sent"), repr(a))
    b = api.get(_system["url"] + a.headers["Location"])
    check.equal((b.status, b.json["outcome"], b.json["waits"]), (200, "waiting", "retry"))
    open_gate("asked")
    api.post(f"{_system['url']}/v1/retries/{a.json['id']}/now", b"")
    wait.equals(lambda: command(a.json["id"]), ("accepted", ""), 20)


@check.at_end
def stop():
    if _system:
        _system["process"].stop()


if __name__ == "__main__":
    check.main()
