#!/usr/bin/env python3
"""`leat run` as the one that watches over others: how it starts, stops, and keeps what it found."""

import json
import os
import signal
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "watch_e2e"
WARM = f"{NAME}.jobs.warm"

_homes = []


def home():
    if not _homes:
        h = leat.Home("tests/e2e/topology/unruly.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "unruly"),
            replace={"name: unruly\n": f"name: {NAME}\n"})
        h.forget(NAME)
        _homes.append(h)
    return _homes[0]


def run(name, *arguments):
    url = f"http://127.0.0.1:{servers.free_port()}"
    return home().start("--listen", url[7:], *arguments, name=name), url


def ready(url):
    wait.until(lambda: api.get(url + "/readyz").status == 200, 30, "leat to be ready")


def send(job, mode):
    one = str(uuid.uuid4())
    kafka.produce(WARM, [(job, json.dumps({"job": job, "mode": mode}),
                          {"ce_type": "Do", "ce_id": one})])
    return one


def outcome(one):
    return pg.value(f"select max(outcome) from {NAME}.commands where id = '{one}'")


def gone(pids):
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


@check.test
def what_can_not_start_says_so_once_and_ends():
    process, _ = run("unready", "--workers", 2)
    wait.until(lambda: not process.alive(), 20, "leat to end")
    check.equal(process.popen.returncode != 0, True)
    check.equal(process.log().count("leat apply"), 1, process.log())
    done = home().cli("run", "--workers", "many")
    check.equal(done.returncode, 2)
    check.contains(done.stderr, "'many' is no number from 1 to 64, nor auto")
    home().must("apply")


@check.test
def the_supervisor_is_small_and_alone_in_its_process():
    process, url = run("small")
    ready(url)
    check.equal(len(os.listdir(f"/proc/{process.pid}/task")), 1)
    check.equal(len(process.children("worker,relay")), 1)
    check.equal(len(process.children("projector,http")), 1)
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        rss_kb = next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))
    print(f"  supervisor: {rss_kb} KB of its own", file=sys.stderr)
    check.equal(rss_kb < 4096, True, rss_kb)
    text = api.get(url + "/metrics").body.decode()
    for metric in ("leat_commands_total", "leat_relay_events_total", "leat_projection_lag"):
        check.contains(text, metric)
    send("first", "")
    figure = f'leat_accepted_total{{topology="{NAME}",processor="jobs"}} 1'
    wait.until(lambda: figure in api.get(url + "/metrics").body.decode(), 20,
               "the worker's figures at the other process's door")
    check.equal(process.stop(), 0)


@check.test
def killed_it_takes_all_with_it():
    process, url = run("killed")
    ready(url)
    children = process.children()
    os.kill(process.pid, signal.SIGKILL)
    wait.until(lambda: gone(children), 5, "the children to be gone")


@check.test
def a_second_signal_ends_at_once():
    process, url = run("twice", "--stop-timeout", "60s")
    ready(url)
    children = process.children()
    send("t-hang", "slow")
    process.signal(signal.SIGINT)
    process.await_log("stopping")
    process.signal(signal.SIGINT)
    began_s = time.monotonic()
    process.popen.wait(timeout=20)
    check.equal(time.monotonic() - began_s < 10, True)
    check.equal(gone(children), True)


@check.test
def a_file_that_is_wrong_by_then_ends_it():
    process, url = run("wrong")
    ready(url)
    with open(home().path, encoding="utf-8") as f:
        text = f.read()
    with open(home().path, "a", encoding="utf-8") as f:
        f.write("nonsense: 1\n")
    os.kill(process.children("worker")[0], signal.SIGKILL)
    wait.until(lambda: not process.alive(), 20, "leat to end")
    check.equal(process.popen.returncode, 2)
    with open(home().path, "w", encoding="utf-8") as f:
        f.write(text)


@check.test
def evidence_is_kept_while_the_store_is_away():
    process, url = run("kept")
    ready(url)
    # Nobody may write it, which is as if the store were away for the one who wants to.
    pg.execute(f"alter table {NAME}.crashes rename to crashes_away")
    bad = send("s-segv", "segv")
    process.await_log("evidence-kept", 20)
    pg.execute(f"alter table {NAME}.crashes_away rename to crashes")
    wait.equals(lambda: outcome(bad), "dead", 60)
    check.equal([line["tries"] for line in process.said("crash-recorded")], [1, 2, 3])
    check.equal(process.stop(), 0)


if __name__ == "__main__":
    check.main()
