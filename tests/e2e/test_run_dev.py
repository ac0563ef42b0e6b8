"""leat run --dev as one uses it at the desk, and leat status on what it runs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration")]
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "leat_devtest"
GOOD = {"company": "Acme", "email": "a@example.com", "state": "NY", "source": "web"}
_dev = {}


def home():
    return leat.Home(
        "topology/leads.yaml", env={"LEADS_RULES": f"{servers.ROOT}/rules/score.yaml"},
        replace={"name: leads\n": f"name: {NAME}\n",
                 "[../schemas]": f"[{os.path.join(servers.ROOT, 'schemas')}]"})


def dev():
    """One process of all roles that has set everything up by itself; started again if stopped."""
    if not _dev:
        h = home()
        h.forget(NAME)
        wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
        address = f"127.0.0.1:{servers.free_port()}"
        _dev.update(home=h, process=None, address=address, url=f"http://{address}")
    if _dev["process"] is None:
        p = _dev["process"] = _dev["home"].start("--dev", "--listen", _dev["address"])
        wait.until(lambda: p.alive() and api.get(_dev["url"] + "/readyz").status == 200, 60,
                   f"leat to be ready ({p.log_path})")
    return _dev


def stopped():
    """Set up, but nothing runs."""
    d = dev()
    check.equal(d["process"].stop(), 0)
    d["process"] = None
    return d


def create(url, key, seconds=10):
    return api.post(f"{url}/v1/commands/CreateLead", {"lead_id": key, **GOOD},
                    headers={"Prefer": f"wait={seconds}"}, seconds=seconds + 5)


def status(d, *arguments):
    return json.loads(d["home"].must("status", "--listen", d["address"], "--json", *arguments))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return f.read().split()


@check.test
def dev_applies_by_itself_and_is_one_process():
    d = dev()
    check.equal(children(d["process"].pid), [])
    check.equal(create(d["url"], "L-1").status, 200)
    log = d["process"].log()
    check.contains(log, "running")
    assert not any(line.startswith("{") for line in log.splitlines()), "the log is text"
    d["process"].await_log("commands ")


@check.test
def status_shows_members_partitions_and_models():
    d = dev()
    create(d["url"], "L-2")

    def settled():
        s = status(d)
        return s if s["problems"] == [] and all(m["rows"] for m in s["models"]) else None

    s = wait.until(settled, 20, "no problems")
    check.equal([p["name"] for p in s["processors"]], ["create", "score", "route"])
    for p in [*s["processors"], s["relay"]]:
        check.equal((p["state"], p["unowned"], p["waiting"]), ("Stable", 0, 0), str(p))
        check.equal(sorted(k for m in p["members"] for k in m["partitions"]), list(range(12)))
    check.equal(s["processors"][0]["this_process"]["commands"],
                pg.value(f"select count(*) from {NAME}.commands where processor = 'create'"))
    check.equal((s["http"]["ready"], s["http"]["not_ready"]), (True, None))
    assert all(m["here"] and m["complete_age_ms"] < 60000 for m in s["models"]), s["models"]
    text = d["home"].must("status", "--listen", d["address"])
    check.contains(text, "to look at\n  nothing\n")


@check.test
def status_names_dead_letters_and_watch_goes_on():
    d = dev()
    kafka.produce(f"{NAME}.create.warm", [("L-3", b"\x00\x7f\x00\x00\x00junk",
                                           {"ce_type": "CreateLead"})])
    def told():
        return [p for p in status(d)["problems"] if p.startswith("create: 1 dead letters")]

    found = wait.until(told, 20, "the dead letter")
    check.contains(found[0], " ago: ")
    watching = subprocess.Popen(
        [servers.BIN, "status", "--watch", "--every", "100ms", "--json", "--listen", d["address"]],
        cwd=d["home"].dir, env=d["home"].env, stdout=subprocess.PIPE, text=True)
    first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
    watching.terminate()
    watching.wait()
    check.equal((first["topology"], second["topology"]), (NAME, NAME))


@check.test
def status_says_when_nothing_runs_it():
    d = stopped()

    def gone():
        s = status(d)
        return s if all(p["unowned"] == 12 for p in s["processors"]) else None

    s = wait.until(gone, 20, "the groups to be empty")
    check.equal(s["http"]["answers"], False)
    assert any("score: 12 of 12 partitions have no owner: nothing runs it" == p
               for p in s["problems"]), s["problems"]
    assert any("Connection refused" in p for p in s["problems"]), s["problems"]


# ---- one key, for a debugger ----

def waiting(d, keys):
    """Sends one command per key while nothing runs; key -> partition."""
    for key in keys:
        d["home"].must("send", "CreateLead", json.dumps({"lead_id": key, **GOOD}))
    return {r.key.decode(): r.partition for r in kafka.consume(f"{NAME}.create.warm")
            if r.key.decode() in keys}


def created():
    return set(pg.execute(f"select distinct stream from {NAME}.commands where processor = 'create'")
               .split()[1:])


@check.test
def only_key_handles_its_partition_and_leaves_the_rest():
    d = stopped()
    at = waiting(d, [f"only-{i}" for i in range(8)])
    mine = at["only-0"]
    assert len(set(at.values())) > 2, at
    offsets = (f"select k, sum(next_offset) from {NAME}.lanes where processor = 'create' "
               f"and k <> {mine} group by k order by k")
    before = pg.rows(offsets)
    p = d["home"].start("--dev", "--only-key", "only-0", "--listen", d["address"], name="only")
    wait.until(lambda: "lead-only-0" in created(), 30, f"the command ({p.log_path})")
    p.await_log("commands ")
    check.equal({k for k in at if f"lead-{k}" in created()}, {k for k in at if at[k] == mine})
    check.equal(pg.rows(offsets), before)
    check.equal(children(p.pid), [])
    check.equal(p.stop(), 0)
    dev()
    wait.until(lambda: all(f"lead-{k}" in created() for k in at), 30, "the rest")
    check.equal(pg.value(f"select count(*) from {NAME}.commands where processor = 'create' and "
                         "stream like 'lead-only-%'"), len(at))


@check.test
def only_key_is_refused_where_it_would_harm():
    d = dev()
    other = d["home"].cli("run", "--dev", "--only-key", "x", "--listen", "127.0.0.1:0")
    check.equal(other.returncode, 2)
    check.contains(other.stderr, "runs processor 'create' too")
    for arguments, text in [(("--only-key", "x"), "it needs --dev"),
                            (("--dev", "--only-key", "x", "--workers", "2"), "in one process")]:
        done = d["home"].cli("run", *arguments)
        check.equal(done.returncode, 2)
        check.contains(done.stderr, text)


def under_gdb(d, key, commands):
    script = os.path.join(d["home"].dir, "script.gdb")
    with open(script, "w", encoding="utf-8") as f:
        f.write("\n".join(["set pagination off", "set confirm off", "set breakpoint pending on",
                           *commands]))
    # a leak check does not work in a process that is traced
    env = {**d["home"].env, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    log = open(os.path.join(d["home"].dir, "gdb.log"), "w", encoding="utf-8")
    return subprocess.Popen(
        ["gdb", "-nx", "-batch", "-x", script, "--args", servers.BIN, "run", "--dev", "--only-key",
         key, "--listen", d["address"]], cwd=d["home"].dir, env=env, stdout=log,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True), log.name


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def a_debugger_stops_in_a_handler_and_at_ctrl_c():
    d = stopped()
    waiting(d, ["gdb-1"])
    gdb, log = under_gdb(d, "gdb-1", [
        "break create.c:create", "run", "print *c", "bt 3", "delete", "continue",
        "echo STOPPED-BY-SIGINT\\n", "continue", "continue"])
    try:
        wait.until(lambda: "lead-gdb-1" in created(), 60, f"the command ({log})")
        text = read(log)
        check.contains(text, "Breakpoint 1")
        check.contains(text, '"gdb-1')
        pid = int(next(e for e in os.listdir("/proc") if e.isdigit() and is_child(e, gdb.pid)))
        wait.until(lambda: is_open_to(pid, signal.SIGINT), 20, "the main thread to take signals")
        os.kill(pid, signal.SIGINT)
        wait.until(lambda: "STOPPED-BY-SIGINT" in read(log), 20, "gdb to stop it")
        # gdb keeps SIGINT for itself, and hands SIGTERM on with the last 'continue'
        os.kill(pid, signal.SIGTERM)
        check.equal(gdb.wait(timeout=30), 0)
        check.contains(read(log), "exited normally")
    finally:
        if gdb.poll() is None:
            os.killpg(gdb.pid, signal.SIGKILL)
            gdb.wait()


def is_child(pid, parent):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return f"PPid:\t{parent}\n" in f.read()
    except OSError:
        return False


def is_open_to(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        blocked = next(line for line in f if line.startswith("SigBlk:"))
    return not int(blocked.split()[1], 16) >> (number - 1) & 1


@check.test
def what_is_stopped_says_why():
    """A lane that stands behind the end of its topic: somebody made the topic again."""
    create(dev()["url"], "L-9")
    d = stopped()
    pg.execute(f"update {NAME}.lanes set next_offset = next_offset + 100000 "
               "where processor = 'create'")
    p = d["home"].start("--dev", "--listen", d["address"], name="stuck")

    def told():
        return [t for t in status(d)["problems"] if t.startswith("stopped: create: ")]

    found = wait.until(told, 40, f"the reason ({p.log_path})")
    check.contains(found[0], f"{NAME}.create.")
    s = status(d)
    check.equal(s["http"]["ready"], False)
    check.contains(s["http"]["not_ready"], "processor 'create': ")
    check.equal(p.stop(), 0)
    pg.execute(f"update {NAME}.lanes set next_offset = next_offset - 100000 "
               "where processor = 'create' and next_offset >= 100000")


if shutil.which("gdb"):
    check.test(a_debugger_stops_in_a_handler_and_at_ctrl_c)


if __name__ == "__main__":
    check.main()
