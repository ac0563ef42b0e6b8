#!/usr/bin/env python3
"""Why a partition has lag and makes no progress: told in /readyz, /metrics and `leat status`, gone
once it flows again (design 4; docs/runbooks/stalled.md).

# sanitizers: tsan
"""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "stalled_e2e"
PARTITIONS = 6
TOPIC = f"{NAME}.runners.warm"
# partitions, by what stands in the way of each
LOCKED, SLOW, PARKED, PAID, STARVED, ABORTED = range(PARTITIONS)

with open(servers.BIN, "rb") as program:  # a debugger and ThreadSanitizer do not go together
    GDB = shutil.which("gdb") is not None and b"__tsan_init" not in program.read()
BEHIND = 30  # messages that a consumer which was paused by mistake does not give

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


def key_in(partition, n):
    """The n-th key of this partition."""
    found = (f"e{i}" for i in range(10000)
             if (murmur2(f"e{i}".encode()) & 0x7FFFFFFF) % PARTITIONS == partition)
    return [next(found) for _ in range(n + 1)][n]


class Door(threading.Thread):
    """Postgres through a door that can be shut: those inside are thrown out."""

    def __init__(self):
        super().__init__(daemon=True)
        host, port = re.search(r"@([^/:]+):(\d+)/", servers.STORE_URL).groups()
        self.to, self.lock, self.shut, self.inside = (host, int(port)), threading.Lock(), False, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = servers.STORE_URL.replace(
            f"{host}:{port}", f"127.0.0.1:{self.listener.getsockname()[1]}")
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            with self.lock:
                if self.shut:
                    client.close()
                    continue
                server = socket.create_connection(self.to)
                self.inside += [client, server]
            threading.Thread(target=self.carry, args=(client, server), daemon=True).start()

    @staticmethod
    def carry(one, other):
        try:
            while True:
                for s in select.select([one, other], [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        raise OSError
                    (other if s is one else one).sendall(data)
        except (OSError, ValueError):
            for s in (one, other):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def set_shut(self, shut):
        with self.lock:
            self.shut = shut
            for s in self.inside if shut else []:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            if shut:
                self.inside.clear()


def start(name):
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = _system["home"].start("--listen", url[7:], "--instance", "one",
                                    "--session-timeout", "60s", name=name)
    wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
               f"leat to be ready ({process.log_path})")
    _system.update(process=process, url=url)


def system():
    if not _system:
        door = Door()
        h = leat.Home("tests/e2e/topology/stalled.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "stalled"),
            replace={"name: stalled\n": f"name: {NAME}\n"}, env={"STORE_URL": door.url})
        h.env["GATES"] = h.dir
        h.forget(NAME)
        h.must("apply")
        _system.update(home=h, door=door)
        start("leat")
    return _system


def messages(partition, hows):
    """One for each, of keys of their own."""
    at = _system.setdefault("sent", {})
    records = []
    for how in hows:
        at[partition] = at.get(partition, 0) + 1
        key = key_in(partition, at[partition])
        records.append((key, json.dumps({"errand": key, "number": at[partition], "how": how}),
                        {"ce_type": "Run", "ce_id": str(uuid.uuid4())}))
    return records


def send(partition, hows):
    records = messages(partition, hows)
    kafka.produce(TOPIC, records)
    return [r[0] for r in records]


def ran():
    return pg.value(f"select count(*) from {NAME}.events where type = 'Ran'")


def open_gate(name):
    with open(os.path.join(_system["home"].dir, name), "w", encoding="utf-8"):
        pass


def ready():
    return api.get(_system["url"] + "/readyz")


def stalled(partition):
    for row in ready().json.get("stalled", []):
        if row["topic"] == TOPIC and row["partition"] == partition:
            return row
    return None


def stalls(partition, reason, text, lag, seconds=20):
    """Waits until the partition is told to stand still for this reason; gives what is told."""
    def told():
        row = stalled(partition)
        return row and row["reason"] == reason and re.search(text, row["text"]) and row
    try:
        row = wait.until(told, seconds, f"{reason} on partition {partition}")
    except wait.Timeout as e:
        raise AssertionError(f"{e}; told: {ready()!r}") from None
    check.equal((row["processor"], row["lag"]), ("runners", lag))
    assert row["stalled_ms"] >= 5000, row
    return row


def metrics(name):
    """[(labels, value)]"""
    text = api.get(_system["url"] + "/metrics").body.decode()
    return [(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value))
            for labels, value in re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.M)]


def flows_again(partition, seconds=20):
    wait.until(lambda: stalled(partition) is None, seconds, f"partition {partition} to flow")


def said(event):
    lines = map(json.loads, filter(None, _system["process"].log().splitlines()))
    return [line for line in lines if line["event"] == event]


class Lock:
    """A session that has locked the head of a slice."""

    def __init__(self, slice_):
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-d", servers.STORE_URL],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write(f"begin;\nselect slice from {NAME}.slices where slice = {slice_} "
                              "for update;\nselect pg_backend_pid();\n")
        self.psql.stdin.flush()
        check.equal(int(self.psql.stdout.readline()), slice_)
        self.pid = int(self.psql.stdout.readline())

    def release(self):
        self.psql.communicate("rollback;\n")


PAUSE = """
python
for thread in gdb.selected_inferior().threads():
    if thread.name == "exec-%(k)d":
        thread.switch()
        frame = gdb.newest_frame()
        while frame.name() != "executor_main":
            frame = frame.older()
        group = frame.read_var("e")["group"]
        gdb.execute(f"set $rk = (void *){int(group['rk'])}")
end
set $l = ((void *(*)(int))rd_kafka_topic_partition_list_new)(1)
call ((void *(*)(void *, char *, int))rd_kafka_topic_partition_list_add)($l, "%(topic)s", %(k)d)
printf "PAUSED %%d\\n", ((int (*)(void *, void *))rd_kafka_pause_partitions)($rk, $l)
call ((void (*)(void *))rd_kafka_topic_partition_list_destroy)($l)
"""


def pause_by_mistake(partition):
    """A consumer that gives nothing: somebody in the process has paused the partition."""
    script = os.path.join(_system["home"].dir, "pause.gdb")
    with open(script, "w", encoding="utf-8") as f:
        f.write(PAUSE % {"k": partition, "topic": TOPIC})
    worker, = _system["process"].children("worker")
    done = subprocess.run(["gdb", "-nx", "-batch", "-x", script, "-p", str(worker)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert "PAUSED 0" in done.stdout, (done.stdout[-500:], done.stderr[-1000:])


@check.test
def each_partition_that_stands_still_says_why():
    system()
    send(ABORTED, [""])
    wait.equals(ran, 1)
    kafka.abort(TOPIC, messages(ABORTED, ["", ""]))
    if GDB:
        send(STARVED, ["shut:starved"])
        wait.until(lambda: os.path.exists(os.path.join(_system["home"].dir, "starved.here")), 20,
                   "the handler to run")
        send(STARVED, [""] * BEHIND)
        pause_by_mistake(STARVED)
        open_gate("starved")
    else:
        send(STARVED, [""])
    lock = _system["lock"] = Lock(LOCKED)
    send(LOCKED, ["", ""])
    slow, = send(SLOW, ["shut:slow"])
    send(PARKED, ["gate:parked"])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.waiting"), 1)
    send(PARKED, ["gate:parked", ""])
    send(PAID, ["psp"])
    when = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    if GDB:  # first: it does not stay so
        stalls(STARVED, "starved", "^starved: Kafka gives nothing", BEHIND)
    _system["rows"] = [
        stalls(LOCKED, "store",
               rf"^waiting: Postgres, blocked by pid {lock.pid}, since {when}$", 2),
        stalls(SLOW, "handler", rf"^handler running for \d+s on key {slow} of type Run$", 1),
        stalls(PARKED, "parked", r"^parked: its waiting room is full .*tried again " + when, 2),
        stalls(PAID, "paused", rf"^paused: circuit psp open until {when}$", 1)]


@check.test
def metrics_and_status_tell_the_same():
    """Each is awaited: between two tries of a call that is blocked its lane is not."""
    system()
    expected = {r["partition"]: r["reason"] for r in _system["rows"]}

    def in_metrics():
        seen = {int(l["partition"]): (l["reason"], l["why"], v)
                for l, v in metrics("leat_lane_stalled_seconds") if int(l["partition"]) in expected}
        return seen if {p: reason for p, (reason, _, _) in seen.items()} == expected else None

    seen = wait.until(in_metrics, 60, f"{expected} in metrics")
    check.contains(seen[LOCKED][1], f"blocked by pid {_system['lock'].pid}")
    assert all(5 <= v < 180 for _, _, v in seen.values()), seen
    wait.until(lambda: metrics("leat_lanes_stalled")[0][1] >= len(expected), 60, "their number")
    direct = {"STORE_URL": servers.STORE_URL}

    def status(*options):
        return _system["home"].must("status", "--listen", _system["url"][7:], *options, env=direct)

    wait.equals(lambda: {
        r["partition"]: r["reason"] for r in json.loads(status("--json"))["stalled"]
        if r["partition"] in expected}, expected, 60)
    wait.until(lambda: f"blocked by pid {_system['lock'].pid}" in status(), 60, "who blocks it")
    check.contains(status(), f"{TOPIC}[{SLOW}]  lag 1")


@check.test
def what_waits_and_is_dead_is_counted():
    system()
    wait.equals(lambda: metrics("leat_waiting")[0][1], 1)
    assert metrics("leat_waiting_oldest_seconds")[0][1] >= 4
    check.equal({l["state"]: v for l, v in metrics("leat_dead_letters")}["dead"], 0)


@check.test
def one_parked_key_does_not_make_a_process_unfit():
    system()
    answer = ready()
    check.equal((answer.status, answer.json["status"]), (200, "ready"))


@check.test
def what_is_out_of_the_way_is_no_longer_told():
    system()
    _system["lock"].release()
    for gate in ("slow", "parked", "psp"):
        open_gate(gate)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.events e where type = 'Ran' and "
                                 f"slice <> {STARVED}"), 8)
    for partition in (LOCKED, SLOW, PARKED, PAID):
        flows_again(partition)


@check.test
def a_lane_that_nothing_explains_is_acquired_anew_alone():
    """And one that has nothing that may be read is not."""
    system()
    flows_again(STARVED)
    _system["process"].await_log('"lane-quiet"')
    flows_again(ABORTED)
    wait.equals(ran, 9 + (BEHIND if GDB else 0))
    check.equal(metrics("leat_lane_stalled_seconds"), [])
    check.equal(ready().json, {"status": "ready"})
    restarts = said("lane-restarted")
    check.equal([(r["k"], r["topic"]) for r in restarts], [(STARVED, TOPIC)] if GDB else [])
    check.equal([(r["k"], r["position"], r["end"]) for r in said("lane-quiet")], [(ABORTED, 1, 4)])
    check.equal(metrics("leat_lane_restarts_total")[0][1], len(restarts))


@check.test
def a_store_that_is_away_makes_it_unfit_and_lanes_say_so():
    system()
    before = ran()
    _system["door"].set_shut(True)
    send(SLOW, [""])
    answer = wait.until(lambda: (a := ready()).status == 503 and any(
        "the store is away since" in r for r in a.json["reasons"]) and a, 20, "503 and why")
    assert any("could not connect" in r for r in answer.json["reasons"]), answer.json
    wait.until(lambda: (stalled(SLOW) or {}).get("reason") == "store", 15, "its lane to say so")
    check.contains(stalled(SLOW)["text"], "waiting: Postgres: could not connect")
    _system["door"].set_shut(False)
    wait.equals(ran, before + 1, 20)
    wait.until(lambda: ready().status == 200, 15, "it to be ready again")
    flows_again(SLOW)


@check.test
def a_topic_made_anew_stands_until_somebody_looks():
    s = system()
    check.equal(s["process"].stop(), 0)
    kafka.delete(TOPIC)
    wait.until(lambda: TOPIC not in kafka.topics(TOPIC), 30, "the topic to be gone")
    kafka.create(TOPIC, PARTITIONS)
    records = [(key_in(p, i), json.dumps({"errand": "x", "number": i, "how": ""}),
                {"ce_type": "Run", "ce_id": str(uuid.uuid4())})
               for p in range(PARTITIONS) for i in range(50)]
    kafka.produce(TOPIC, records)
    before = ran()
    s["url"] = f"http://127.0.0.1:{servers.free_port()}"
    s["process"] = s["home"].start("--listen", s["url"][7:], "--instance", "one", name="anew")
    row = wait.until(lambda: stalled(SLOW), 30, "its lane to stand")
    check.equal(row["reason"], "stopped")
    check.contains(row["text"], "re-created")
    check.equal(ready().status, 503)
    check.equal(ran(), before)


@check.test
def partitions_without_a_process_are_told_by_status():
    s = system()
    s["process"].stop()
    told = s["home"].must_json("status", "--listen", s["url"][7:])
    rows = [r for r in told["stalled"] if r["topic"] == TOPIC]
    check.equal({r["partition"] for r in rows}, set(range(PARTITIONS)))
    check.equal({r["reason"] for r in rows}, {"not-assigned"})


@check.at_end
def forget():
    if _system:
        _system["process"].stop()
        _system["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
