"""Read models that are rebuilt, or whose store is lost, under load. See scenarios.py."""

import os
import random
import signal
import subprocess
import time

import readers
import verify
from fleet import ALL
from lib import servers, wait
from scenarios import scenario
from trial import pause

MODEL, RATE = "accounts", 84  # 2,000 a second over all lanes
KILLS, SLOW_KILLS = 12, 8
SLOW = ("--throttle", "8000/s")  # rounds of what came meanwhile, each a transaction
DATA = ("--data", "data")


def rebuild(t, *arguments, model=MODEL):
    """A `leat model rebuild` that runs on, in a process of its own."""
    return subprocess.Popen([servers.BIN, "model", "rebuild", model, *DATA, "--json", *arguments],
                            cwd=t.home.dir, env=t.home.env, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def versions(t, model=MODEL):
    return {v["version"]: v for v in t.home.must_json("model", "list", model, *DATA)}


def current(t, model=MODEL):
    return t.home.must_json("model", "status", model, *DATA)["current"]


def ended(build, what):
    out, err = build.communicate(timeout=120)
    if build.returncode != 0:
        raise AssertionError(f"{what}: exit {build.returncode}: {err[-400:]}")
    return out


# ---- rebuild-under-load ----

def apart(t):
    """HTTP in a process of its own: readers notice nothing of what is done to projectors."""
    t.fleet.roles = {**ALL, "p1": "projector", "h1": "http"}
    t.readers, t.stopped = [], []


def stop_readers(t):
    wrong = [w for reader in t.readers for w in reader.stop()]
    t.stopped, t.readers = t.readers or t.stopped, []
    return wrong


def kill_in_each_phase(t, keep):
    """-9 at moments from before the first event to after the last; what is left each time."""
    rng, left = random.Random(t.seed), {}
    started = time.monotonic()
    ended(rebuild(t), "a rebuild that is let run")
    whole_s = time.monotonic() - started
    drop_others(t, keep)
    for i in range(KILLS + SLOW_KILLS):
        build = rebuild(t, *(SLOW if i >= KILLS else ()))
        try:
            build.wait(rng.uniform(0, 3 if i >= KILLS else 1.2 * whole_s))
        except subprocess.TimeoutExpired:
            build.send_signal(signal.SIGKILL)
        build.communicate()
        state = broken_off(t, keep)
        left[state] = left.get(state, 0) + 1
        if state == "whole":
            drop_others(t, keep)
    t.report.update(rebuild_s=round(whole_s, 2), killed_rebuild_left=left)


def drop_others(t, keep):
    for name in versions(t):
        if name != keep:
            t.home.must("model", "drop", MODEL, name, *DATA)


def broken_off(t, keep):
    """What a killed builder has left."""
    found = [v for name, v in versions(t).items() if name != keep]
    if not found or "build" not in found[-1]:
        return "whole" if found else "nothing"
    if found[-1]["state"] != "broken off" or found[-1]["build"]["alive"]:
        raise AssertionError(f"after kill -9: {found[-1]}")
    return "some events" if found[-1]["events"] > 0 else "no events yet"


def steered(t):
    """One rebuild that is paused, gone on with, refused a second builder and let run; beside it one
    of the other model. Its version."""
    build = rebuild(t, "--throttle", "3000/s")
    mine = wait.until(lambda: next((v for v in versions(t).values() if v["state"] == "building" and
                                    v["build"]["done"] > 0), None), 60, "the build to get on")
    other = rebuild(t, model="kinds")
    second = t.home.cli("model", "rebuild", MODEL, *DATA)
    if second.returncode != 1 or "built by another process" not in second.stderr:
        raise AssertionError(f"a second builder: {second.returncode} {second.stderr[-200:]}")
    t.home.must("model", "pause", MODEL, *DATA)
    wait.until(lambda: versions(t)[mine["version"]]["state"] == "paused", 20, "the pause")
    before = versions(t)[mine["version"]]["build"]["done"]
    pause(2)
    after = versions(t)[mine["version"]]["build"]["done"]
    if after - before > 8192:  # what was read already
        raise AssertionError(f"paused, it went from {before} to {after} events")
    t.home.must("model", "resume", MODEL, *DATA)
    t.home.must("model", "rebuild", MODEL, "--throttle", "1000000/s", *DATA)
    ended(build, "the rebuild")
    ended(other, "the rebuild of the other model")
    return mine["version"]


def switches(t, old, new):
    """There and back, and projectors killed between."""
    for i in range(4):
        t.home.must("model", "switch", MODEL, new if i % 2 == 0 else old, *DATA)
        pause(0.5)
        t.fleet.kill_child(("p1", "p2")[i % 2])
        pause(1)
    t.home.must("model", "switch", MODEL, new, *DATA)
    same = t.home.must_json("model", "diff", MODEL, old, new, *DATA)
    t.result("versions_are_equal_under_load", None if same["equal"] else str(same))


@scenario("rebuild-under-load", before=apart, after=stop_readers, rate=RATE)
def rebuild_under_load(t):
    """2,000 commands/s: a model is rebuilt (killed, paused, twice at once), switched, dropped"""
    old, keys = current(t), [name for lane in t.load.accounts for name in lane]
    t.readers = readers.start(t.fleet.port, t.seed, keys)
    kill_in_each_phase(t, old)
    started = time.monotonic()
    new = steered(t)
    t.report["steered_s"] = round(time.monotonic() - started, 1)
    switches(t, old, new)
    kinds = next(name for name in versions(t, "kinds") if name != current(t, "kinds"))
    t.home.must("model", "switch", "kinds", kinds, *DATA)
    t.over()
    t.more_checks["former_version_is_the_fold"] = lambda facts: former(t, facts, old, new)
    t.more_checks["stream_of_changes_is_the_model"] = lambda facts: followed(t, facts)
    t.more_checks["readers_see_no_error_and_nothing_go_back"] = lambda _: seen(t)
    t.more_checks["dropped_in_one_go"] = lambda _: dropped(t, new)


# ---- declared-anew ----

@scenario("declared-anew", before=apart, after=stop_readers, rate=RATE)
def declared_anew(t):
    """2,000 commands/s: a model is declared anew, its builder (a projector) killed (-9) 8 times"""
    rng, old = random.Random(t.seed), current(t)
    t.readers = readers.start(t.fleet.port, t.seed,
                              [name for lane in t.load.accounts for name in lane])
    with open(t.home.path, encoding="utf-8") as f:
        text = f.read()
    with open(t.home.path, "w", encoding="utf-8") as f:
        f.write(text.replace("Deposited: {set: {last: $.number}",
                             "Deposited: {set: {last: $.number, lately: $.number}"))
    for name in ("p1", "p2"):
        t.fleet.terminate(name)
    for _ in range(8):
        t.fleet.start("p1", ready=False)
        pause(rng.uniform(0.1, 0.7))
        t.fleet.kill("p1")
    t.report["state_after_kills"] = [v["state"] for v in versions(t).values()]
    for name in ("p1", "p2"):
        t.fleet.start(name)
    new = wait.until(lambda: next((v for v in [current(t)] if v != old), None), 60, "the switch")
    t.over()
    t.report["builds"] = len(t.fleet.events("version-building"))
    t.more_checks["former_version_is_the_fold"] = lambda facts: former(t, facts, old, new)
    t.more_checks["stream_of_changes_is_the_model"] = lambda facts: followed(t, facts)
    t.more_checks["readers_see_no_error_and_nothing_go_back"] = lambda _: seen(t)


# ---- stop-reader ----

def readers_of(t):
    return t.home.must_json("model", "status", MODEL, *DATA)["readers"]


def stop_within_a_read(t):
    """SIGSTOP of the HTTP process at a moment when it reads the model."""
    def caught():
        t.fleet.signal_all("h1", signal.SIGSTOP)
        if readers_of(t)["reading"] > 0:
            return True
        t.fleet.signal_all("h1", signal.SIGCONT)
        return False
    wait.until(caught, 90, "a stop within a read", every=0.02)


def busy(t):
    return readers.started(*(readers.Busy(t.fleet.port, t.seed + i) for i in range(3)))


@scenario("stop-reader", before=apart, after=stop_readers, rate=RATE)
def stop_reader(t):
    """the HTTP process is stopped (SIGSTOP) within a read until that is told, later killed (-9)"""
    t.readers = busy(t)
    pause(1)
    stop_within_a_read(t)
    pid = t.fleet.pids("h1")[0]
    before = sizes(t)
    t.report["reader_held_back"] = wait.until(
        lambda: next((e["behind"] for e in t.fleet.events("reader-stands-still")
                      if e["reader_pid"] == pid), None), 60, "the projector to name the reader")
    pause(3)
    t.report["grown_mb"] = round((sizes(t) - before) / 1e6, 1)
    t.fleet.signal_all("h1", signal.SIGCONT)
    pause(2)  # connections that were idle for so long are closed by it
    wrong = [w for w in stop_readers(t) if "RemoteDisconnected" not in w]
    t.readers = busy(t)
    pause(2)
    t.result("readers_go_on", verify.some(wrong + stop_readers(t), "answers are wrong"))
    t.readers = busy(t)
    stop_within_a_read(t)
    stop_readers_of_a_dead(t)
    wait.equals(lambda: readers_of(t)["reading"], 0, 60, "its slot to be free")
    t.fleet.start("h1")


def stop_readers_of_a_dead(t):
    """Their connections end with the process, which is what they are told."""
    for reader in t.readers:
        reader.quit.set()
    t.fleet.kill("h1")
    stop_readers(t)


def sizes(t):
    """Bytes of all models' files."""
    folder = os.path.join(t.home.dir, "data", "models")
    return sum(os.path.getsize(os.path.join(folder, f, "data.mdb")) for f in os.listdir(folder)
               if os.path.isdir(os.path.join(folder, f)))


# ---- the judge ----

def compared(t, facts):
    return t.check_model(facts, MODEL, "account", ("events", "cents", "last"))


def former(t, facts, old, new):
    """Both versions against the fold, readers switched from one to the other."""
    for version in (old, new):
        t.home.must("model", "switch", MODEL, version, *DATA)
        wrong = compared(t, facts)
        if wrong:
            return f"version {version}: {wrong}"
    return None


def followed(t, facts):
    """What the stream told last of each row, against the fold."""
    follower = next(r for r in t.readers if isinstance(r, readers.Follower))

    def wrong():
        rows = [{"key": key, **row} for key, row in list(follower.latest.items())]
        told = verify.folded(facts, "account")
        facts_of_told = {key: told[key] for key in follower.latest}
        return [row["key"] for row in rows if any(
            row[name] != value for name, value in facts_of_told[row["key"]].items())]
    try:
        wait.until(lambda: not wrong(), 30, "the stream to tell the last change")
    except wait.Timeout as e:
        return f"{e}: {wrong()[:5]}"
    t.report["rows_followed"] = len(follower.latest)
    return None


def seen(t):
    wrong = stop_readers(t)
    t.report["answers"] = {f"{type(r).__name__}{i}": r.answers for i, r in enumerate(t.stopped)}
    t.report["slowest_answer_ms"] = round(1000 * max(r.slowest_s for r in t.stopped))
    t.report["lists_begun_again"] = sum(r.begun_again for r in t.stopped)
    t.report["versions_seen"] = max(len(r.versions) for r in t.stopped)
    return verify.some(wrong, "answers are wrong")


def dropped(t, new):
    young = t.home.must_json("model", "drop", "--former", *DATA)
    if any(d["done"] != "kept" for d in young) or len(young) < 2:
        return f"left just now, and not kept: {young}"
    gone = t.home.must_json("model", "drop", "--former", "--older-than", "0s", *DATA)
    left = list(versions(t))
    t.report["data_mb_in_the_end"] = round(sizes(t) / 1e6, 1)
    return None if left == [new] and len(gone) == 2 else f"dropped {gone}, left {left}"
