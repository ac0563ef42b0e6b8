#!/usr/bin/env python3
"""A handler that crashes or hangs takes its worker process with it, three times, and is a dead
letter then; all others are done once. kill -9 counts against nobody."""

import json
import os
import resource
import signal
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "unruly_e2e"
HOT, WARM = f"{NAME}.jobs.hot", f"{NAME}.jobs.warm"
TRIES = 3

_system = {}


def system():
    if not _system:
        h = leat.Home("tests/e2e/topology/unruly.yaml", modules=os.path.join(
            os.path.dirname(servers.BIN), "modules", "unruly"),
            replace={"name: unruly\n": f"name: {NAME}\n"})
        h.env["UNRULY_TRACE"] = os.path.join(h.dir, "trace")
        h.env["UNRULY_ENOUGH"] = os.path.join(h.dir, "enough")
        h.forget(NAME)
        h.must("apply")
        _system["home"] = h
        run()
    return _system


def run(*arguments, **env):
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = _system["home"].start("--listen", url[7:], *arguments, env=env)
    wait.until(lambda: api.get(url + "/readyz").status == 200, 30, "leat to be ready")
    _system.update(process=process, url=url)


def worker():
    wait.until(lambda: _system["process"].children("worker"), 10, "a worker process")
    return _system["process"].children("worker")[0]


def send(topic, *jobs):
    """(job, mode) each; gives the ids."""
    ids = [str(uuid.uuid4()) for _ in jobs]
    kafka.produce(topic, [(job, json.dumps({"job": job, "mode": mode}),
                           {"ce_type": "Do", "ce_id": one}) for (job, mode), one in zip(jobs, ids)])
    return ids


def calls(job):
    """How often the handler was called for a job with a mode."""
    path = _system["home"].env["UNRULY_TRACE"]
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as f:
        return sum(line.split()[0] == job for line in f)


def outcomes(ids):
    listed = ",".join(f"'{one}'" for one in ids)
    return {r["id"]: r for r in pg.rows(
        f"select id, outcome, attempts, error from {NAME}.commands where id in ({listed})")}


def all_settled(ids, seconds):
    wait.until(lambda: len(outcomes(ids)) == len(ids), seconds, f"{len(ids)} commands settled")


def each_once(prefix, n):
    got = pg.rows(f"select count(*) as n, count(distinct stream) as streams from {NAME}.events "
                  f"where stream like 'job-{prefix}%'")[0]
    check.equal((int(got["n"]), int(got["streams"])), (n, n), "bystanders done exactly once")


def said(event):
    return _system["process"].said(event)


def is_dead(one, job, code, text):
    row = outcomes([one])[one]
    check.equal((row["outcome"], int(row["attempts"])), ("dead", TRIES - 1), job)
    letter = pg.rows(f"select class, code, message, attempts, value from {NAME}.dead_letters "
                     f"where id = '{one}'")[0]
    check.equal((letter["class"], letter["code"], int(letter["attempts"])), ("crash", code, TRIES))
    check.equal(letter["message"], f"{text} in handler Do of jobs v3, 3 times")
    check.contains(row["error"], letter["message"])
    record = wait.until(lambda: [r for r in kafka.consume(f"{NAME}.jobs.dlq")
                                 if r.header("ce_id") == one], 30, "the letter on its topic")[0]
    check.equal(record.header("__leat.errors.class"), "crash")
    check.equal(record.header("__leat.errors.message"), letter["message"])
    check.equal(json.loads(record.value)["job"], job)


@check.test
def what_ends_its_process_is_dead_after_three_tries_and_bystanders_are_done_once():
    s = system()
    first = send(WARM, *[(f"b{i}", "") for i in range(500)])
    bad = send(WARM, ("x-segv", "segv"), ("x-abort", "abort"), ("x-overflow", "overflow"))
    bad += send(HOT, ("x-exit", "exit"))
    rest = send(WARM, *[(f"b{i}", "") for i in range(500, 900)])
    rest += send(HOT, *[(f"b{i}", "") for i in range(900, 1000)])
    all_settled(first + bad + rest, 60)
    for one, job, text in zip(bad, ("x-segv", "x-abort", "x-overflow", "x-exit"), (
            "signal 11 (SIGSEGV)", "signal 6 (SIGABRT)", "signal 11 (SIGSEGV)", "called exit()")):
        # One more call for each time that the other thread's handler ended the process first.
        check.equal(calls(job) >= TRIES, True, f"{calls(job)} calls for {job}")
        check.equal(len([x for x in said("handler-crashed") if x["id"] == one]), TRIES, job)
        is_dead(one, job, "crashed", text)
    each_once("b", 1000)
    check.equal({o["outcome"] for o in outcomes(first + rest).values()}, {"accepted"})
    check.equal(pg.value(f"select count(*) from {NAME}.crashes"), 0)
    check.equal(len(said("handler-crashed")), TRIES * len(bad))
    check.contains(api.get(s["url"] + "/metrics").body.decode(),
                   f'leat_handler_crashes_total{{topology="{NAME}"}} {TRIES * len(bad)}\n')
    line = next(x for x in said("handler-crashed") if x["key"] == "x-segv")
    check.equal((line["processor"], line["type"], line["id"]), ("jobs", "Do", bad[0]))
    check.contains(line["message"], "SIGSEGV")
    check.equal(s["process"].alive(), True)


@check.test
def what_hangs_is_ended_and_dead_after_three_tries():
    system()
    hung = send(WARM, ("y-hang", "hang"))[0]
    others = send(WARM, *[(f"c{i}", "") for i in range(200)])
    all_settled([hung] + others, 60)
    is_dead(hung, "y-hang", "hung", "ran longer than 600 ms")
    check.equal(calls("y-hang"), TRIES)
    each_once("c", 200)
    line = said("handler-hung")[0]
    check.equal((line["key"], line["id"]), ("y-hang", hung))
    check.equal(600 < line["ran_ms"] < 3000, True, line["ran_ms"])


@check.test
def reads_go_on_while_workers_are_started_again():
    s = system()
    http = s["process"].children("http")
    dead = send(WARM, ("z-segv", "segv"))[0]
    while dead not in outcomes([dead]):
        check.equal(api.get(s["url"] + "/healthz").status, 200)
    check.equal(s["process"].children("http"), http)
    wait.until(lambda: api.get(s["url"] + "/readyz").status == 200, 30, "leat to be ready")


@check.test
def a_second_chance_starts_from_nothing():
    system()
    one = pg.value(f"select id from {NAME}.dead_letters where code = 'crashed' limit 1")
    job = json.loads(wait.until(lambda: [r for r in kafka.consume(f"{NAME}.jobs.dlq")
                                         if r.header("ce_id") == one])[0].value)["job"]
    before = calls(job)
    # The same message under the same id: what is dead does not count as known.
    mode = job.split("-")[1]
    kafka.produce(WARM, [(job, json.dumps({"job": job, "mode": mode}),
                          {"ce_type": "Do", "ce_id": one})])
    wait.equals(lambda: calls(job), before + TRIES, 30)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.crashes"), 0, 30)


@check.test
def a_worker_killed_while_it_runs_counts_against_nobody():
    system()
    *others, slow = send(WARM, *[(f"d{i}", "") for i in range(100)], ("k-slow", "slow"))
    for n in range(1, 5):
        wait.until(lambda: calls("k-slow") == n, 30, f"call {n} of the slow handler")
        os.kill(worker(), signal.SIGKILL)
    all_settled(others + [slow], 30)
    check.equal(outcomes([slow])[slow]["outcome"], "accepted")
    each_once("k-slow", 1)
    each_once("d", 100)
    check.equal(pg.value(f"select count(*) from {NAME}.crashes"), 0)


def memory_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmSize:")) * 1024


@check.test
def want_of_memory_counts_against_nobody():
    s = system()
    enough = os.path.join(s["home"].dir, "enough")
    limit = memory_of(worker()) + (256 << 20)
    # Those that are started from now on inherit it.
    resource.prlimit(s["process"].pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    os.kill(worker(), signal.SIGKILL)
    hog = send(WARM, ("m-hog", "hog"))[0]
    wait.until(lambda: calls("m-hog") >= TRIES + 1, 30, "the hog to have ended its process")
    with open(enough, "w", encoding="utf-8"):
        pass
    all_settled([hog], 30)
    resource.prlimit(s["process"].pid, resource.RLIMIT_AS,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    check.contains(s["process"].log(), "leat: out of memory")
    check.equal(outcomes([hog])[hog]["outcome"], "accepted")
    check.equal(pg.value(f"select count(*) from {NAME}.crashes"), 0)


@check.test
def a_worker_that_stands_still_is_not_hung():
    system()
    before = len(said("handler-hung"))
    slow = send(WARM, ("s-slow", "slow"))[0]
    wait.until(lambda: calls("s-slow") == 1, 30, "the slow handler to be called")
    pid = worker()
    os.kill(pid, signal.SIGSTOP)
    # Longer than its time-out; Postgres counts, as nothing can be awaited of who stands still.
    pg.value("select 1 from pg_sleep(2)")
    os.kill(pid, signal.SIGCONT)
    all_settled([slow], 30)
    check.equal(outcomes([slow])[slow]["outcome"], "accepted")
    check.equal(len(said("handler-hung")), before)


@check.test
def handlers_at_once_and_several_workers_do_not_blame_each_other():
    s = system()
    check.equal(s["process"].stop(), 0)
    run("--workers", 2, CONCURRENCY="4")
    jobs = [(f"e{i}", "") for i in range(300)]
    jobs[100:100] = [("w-segv", "segv")]
    jobs[200:200] = [("w-hang", "hang"), ("w-slow", "slow")]
    ids = send(WARM, *jobs)
    all_settled(ids, 60)
    found = outcomes(ids)
    dead = sorted(job for (job, _), one in zip(jobs, ids) if found[one]["outcome"] == "dead")
    check.equal(dead, ["w-hang", "w-segv"])
    each_once("e", 300)
    each_once("w-slow", 1)
    check.equal(pg.value(f"select count(*) from {NAME}.crashes"), 0)
    check.equal(_system["process"].stop(), 0)


if __name__ == "__main__":
    check.main()
