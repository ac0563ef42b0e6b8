#!/usr/bin/env python3
"""docs/runbooks: commands run in the order of the page, against a system that is in that state."""

import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, store, wait  # noqa: E402
from test_guide import Reader, blocks, missing_line  # noqa: E402

PAGES = os.path.join(servers.ROOT, "docs", "runbooks")
NAME = "runbook"


class Shell(Reader):
    """One shell in the folder of a topology."""

    def __init__(self, home):
        env = {**home.env, "PATH": f"{servers.BIN_DIR}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        self.end = f"runbook-end-{os.getpid()}"
        self.shell = subprocess.Popen(["bash"], cwd=home.dir, env=env, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      bufsize=1, start_new_session=True)

    def close(self):
        self.shell.stdin.close()
        self.shell.wait(20)


def read(page, home, before=""):
    """Runs the page: all that is printed since the last block of text is looked at."""
    shell = Shell(home)
    shell.run(before)
    printed = ""
    for language, _, text, line in blocks(os.path.join(PAGES, page)):
        if language == "sh":
            said, rc = shell.run(text)
            check.equal(rc, 0, f"{page}:{line}: {said[-800:]}")
            printed += said
        elif language == "text":
            lacking = missing_line(text, printed)
            assert lacking is None, f"{page}:{line}: not printed: {lacking!r}; {printed[-1200:]}"
            printed = ""
    shell.close()


def send(processor, kind, messages):
    kafka.produce(f"{NAME}.{processor}.cold", [
        (job, json.dumps({"job": job, "number": i, "how": how}),
         {"ce_type": kind, "ce_id": str(uuid.uuid4())}) for i, (job, how) in enumerate(messages)])


def in_trouble():
    """30 that a service refused, a poisoned one that holds its key, one that waits, followed."""
    with open(os.path.join(servers.ROOT, "tests/e2e/topology/room.yaml"), encoding="utf-8") as f:
        delays = next(line for line in f if "processor: {retry:" in line)
    home = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "room"), env={"GATES": ""}, replace={
            "name: room\n": f"name: {NAME}\n", "    flood: {consecutive: 5}\n": "",
            delays: "  processor: {retry: {delays: [10m, 10m]}}\n"})
    home.env["GATES"] = home.dir
    home.forget(NAME)
    home.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = home.start("--listen", url[7:])
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
               process.log_path)
    send("tossers", "Toss", [(f"tired-{i}", "gate:psp") for i in range(30)])
    send("keepers", "Keep", [("held", "poison"), ("held", "")])
    send("jobs", "Work", [("slow", "gate:psp"), ("slow", "")])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.dead_letters"), 31)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.waiting"), 4)
    with open(os.path.join(home.dir, "psp"), "w", encoding="utf-8"):
        pass
    return home, process


@check.test
def dead_letters():
    home, process = in_trouble()
    read("dead-letters.md", home)
    check.equal(pg.rows(f"select state, count(*) from {NAME}.dead_letters group by 1 order by 1"),
                [{"state": "dropped", "count": "1"}, {"state": "settled", "count": "30"}])
    check.equal(pg.value(f"select count(*) from {NAME}.events where type in ('Tossed', 'Kept',"
                         " 'Done')"), 33)
    process.stop()


def behind_a_lock():
    """Two messages of a partition whose slice somebody has locked and forgotten."""
    home = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "room"), replace={
            "name: room\n": f"name: {NAME}\n"})
    home.forget(NAME)
    home.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    home.env["LEAT_LISTEN"] = url[7:]
    process = home.start()
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
               process.log_path)
    forgotten = subprocess.Popen(["psql", "-Xqd", servers.STORE_URL], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    forgotten.stdin.write(f"begin;\nselect slice from {NAME}.slices for update;\n")
    forgotten.stdin.flush()
    assert "slice" in forgotten.stdout.readline()
    send("jobs", "Work", [("one", ""), ("one", "")])
    wait.until(lambda: "blocked by pid" in str(api.get(url + "/readyz").body), 20, "its reason")
    return home, process, forgotten


@check.test
def stalled():
    home, process, forgotten = behind_a_lock()
    read("stalled.md", home)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.events where type = 'Done'"), 2)
    forgotten.kill()
    forgotten.communicate()
    process.stop()


def counters():
    """A store with events of 50 counters, put in by SQL, and a declared read model of them."""
    home = leat.Home("topology/minimal.yaml", replace={
        "name: minimal\n": f"name: {NAME}\n", "schemas: minimal": "schemas: schemas",
        "partitions: 12": "partitions: 4"}, schemas={
            "CounterState": [("total", "long", 0)],
            "AddToCounter": [("counter_id", "string"), ("amount", "long")],
            "CounterAdded": [("counter_id", "string"), ("amount", "long")]})
    with open(home.path, "a", encoding="utf-8") as f:
        f.write("topics: {events: {format: json}, commands: {format: json}}\n")
    home.forget(NAME)
    home.must("apply")
    pg.execute("".join(store.appending(NAME, f"counter-c{i}", [
        ("CounterAdded", {"counter_id": f"c{i}", "amount": j}) for j in range(20)])
        for i in range(50)))
    return home


@check.test
def rebuild():
    home = counters()
    process = home.start("--role", "relay,projector", "--dev")
    wait.until(lambda: len(home.must_json("list", "counters", "--limit", 100)["rows"]) == 50, 60,
               "the rows")
    read("rebuild.md", home)
    versions = home.must_json("model", "list", "counters")
    check.equal([(v["state"], v["rows"], v["events"]) for v in versions], [("current", 50, 1000)])
    process.stop()


@check.test
def change_model():
    home = counters()
    read("change-model.md", home, "leat run --role relay,projector > before.log 2>&1 &\n"
         "until leat list counters --count --json 2> /dev/null | grep -q 50; do sleep 0.2; done")
    rows = home.must_json("list", "counters", "--limit", 100)["rows"]
    check.equal({(r["total"], r["changes"]) for r in rows}, {(190, 20)})


GOES_BACK = """
    begin;
    update {s}.slices set head_seq = head_seq - 2 where slice = {k};
    delete from {s}.event_log e using {s}.slices s
    where s.slice = {k} and e.slice = {k} and e.seq > s.head_seq;
    delete from {s}.command_log c using {s}.slices s
    where s.slice = {k} and c.slice = {k} and c.first_seq > s.head_seq;
    update {s}.lanes set next_offset = next_offset - 2, fingerprint = 0
    where processor = 'tossers' and topic = '{s}.tossers.cold' and k = {k};
    update {s}.published p set seq = s.head_seq from {s}.slices s
    where s.slice = {k} and p.slice = {k};
    commit;"""


def gone_back():
    """40 events are published; then the store lacks the last two of some slices, and is on a
    timeline that nobody has adopted."""
    home = leat.Home("tests/e2e/topology/room.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "room"), replace={
            "name: room\n": f"name: {NAME}\n"})
    home.forget(NAME)
    home.must("apply")
    process = home.start()
    send("tossers", "Toss", [(f"toss-{i}", "") for i in range(40)])
    wait.equals(lambda: pg.value(f"select sum(p.seq) from {NAME}.published p"), 40, 60)
    pg.execute(f"update {NAME}.topology set timeline = timeline + 7")
    pg.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
               f"pg_backend_pid() and application_name = 'leat' and query like '%{NAME}%'")
    for row in pg.rows(f"select slice from {NAME}.slices where head_seq > 2 limit 4"):
        pg.execute(GOES_BACK.format(s=NAME, k=row["slice"]))
    return home, process


@check.test
def failover():
    home, process = gone_back()
    lost = 40 - pg.value(f"select count(*) from {NAME}.events")
    read("failover.md", home)
    check.equal(pg.value(f"select count(*) from {NAME}.lost_events"), lost)
    check.equal(process.stop(), 0, process.tail())


@check.test
def every_page_is_read():
    check.equal(sorted(os.listdir(PAGES)), ["README.md", "change-model.md", "dead-letters.md",
                                            "failover.md", "rebuild.md", "stalled.md"])


if __name__ == "__main__":
    check.main()
