"""leat run --dev as one uses it at the desk, and leat status on what it runs.

# sanitizers: asan
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
    """One process of all roles that has set everything up by itself."""
    if not _dev:
        h = home()
        h.forget(NAME)
        wait.until(lambda: not kafka.topics(f"{NAME}."), what="topics to be gone")
        address = f"127.0.0.1:{servers.free_port()}"
        p = h.start("--dev", "--listen", address)
        wait.until(lambda: p.alive() and api.get(f"http://{address}/readyz").status == 200, 60,
                   f"leat to be ready ({p.log_path})")
        _dev.update(home=h, process=p, address=address, url=f"http://{address}")
    return _dev


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
    d = dict(dev())
    check.equal(d["process"].stop(), 0)
    _dev.clear()

    def gone():
        s = status(d)
        return s if all(p["unowned"] == 12 for p in s["processors"]) else None

    s = wait.until(gone, 20, "the groups to be empty")
    check.equal(s["http"]["answers"], False)
    assert any("score: 12 of 12 partitions have no owner: nothing runs it" == p
               for p in s["problems"]), s["problems"]
    assert any("Connection refused" in p for p in s["problems"]), s["problems"]


if __name__ == "__main__":
    check.main()
