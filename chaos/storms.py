"""Scenarios in which nothing is broken but what comes in, or who reads. See scenarios.py."""

import collections
import os
import signal
import time

import odd
from fleet import ALL
from lib import pg, wait
from scenarios import scenario
from trial import pause

STORM_SHARE, STORM_S = 0.1, 10

# ---- messages that can never be done ----


@scenario("poison-storm")
def poison_storm(t):
    """a tenth of all is undecodable, of no known type, empty, or poison to its handler, for 10 s"""
    t.load.odd_kinds, t.load.odd_share = odd.POISON, STORM_SHARE
    pause(STORM_S)
    t.load.odd_share = 0


def settled(t, processor):
    return pg.value(f"select count(*) from \"{t.name}\".commands where processor = '{processor}'")


def paused(t):
    """Why `deposits` stands still, as `leat status` tells."""
    found = [p for p in t.home.must_json("status")["processors"] if p["name"] == "deposits"]
    return found[0].get("paused")


@scenario("poison-flood", processor="flood: {share: 0.05}")
def poison_flood(t):
    """the same with `flood: {share: 0.05}`: the processor pauses until `leat resume`"""
    t.load.odd_kinds, t.load.odd_share = odd.POISON, STORM_SHARE
    started = time.monotonic()
    wait.until(lambda: t.fleet.events("processor-paused"), 60, "the processor to be paused")
    t.report["paused_after_s"] = round(time.monotonic() - started, 1)
    t.load.odd_share = 0  # who sends them has been told
    t.report["said"] = wait.until(lambda: paused(t), 10, "`leat status` to say that it is paused")
    pause(2)  # by now every executor has heard of it
    before = {p: settled(t, p) for p in ("deposits", "withdrawals")}
    pause(4)
    after = {p: settled(t, p) for p in before}
    t.more_checks["paused_stands_still"] = lambda _: None if (
        after["deposits"] == before["deposits"]) else f"{before}, 4 s later {after}"
    t.more_checks["others_go_on"] = lambda _: None if (
        after["withdrawals"] > before["withdrawals"]) else f"{before}, 4 s later {after}"
    go_on(t)


def go_on(t):
    """What came meanwhile has as many of them: somebody resumes it until it stays so."""
    resumed, left = 0, [True]

    def past_it():
        nonlocal resumed
        resumed += t.home.cli("resume", "deposits").returncode == 0
        left[0] = len([c for c in t.load.commands if c.odd]) - pg.value(
            f"select count(*) from \"{t.name}\".dead_letters")
        return left[0] == 0
    wait.until(past_it, 90, "what came while it was paused to be done", every=0.2)
    t.home.cli("resume", "deposits")
    t.report["resumed"] = resumed


# ---- handlers that end their process ----

def calls(t):
    """number of a command -> how often its handler was called."""
    counts = {}
    path = os.path.join(t.dir, "tricks")
    if os.path.exists(path):
        with open(path, encoding="ascii") as f:
            for line in f:
                number = int(line.split()[0])
                counts[number] = counts.get(number, 0) + 1
    return counts


@scenario("crashing-handler", processor="timeout: 1500ms")
def crashing_handler(t):
    """a handler that ends its process by SIGSEGV, by abort(), or hangs"""
    others = {name: t.fleet.pids(name) for name in ("r1", "p1", "p2")}
    for kind in odd.CRASH:
        t.load.odd_next.append(kind)
        pause(1)
    wait.until(lambda: pg.value(f"select count(*) from \"{t.name}\".dead_letters") ==
               len(odd.CRASH), 90, "all of them to be dead letters")
    t.over()
    t.more_checks["three_tries_each"] = lambda f: three_tries(t, f)
    now = {name: t.fleet.pids(name) for name in others}
    t.more_checks["only_workers_ended"] = lambda _: None if now == others else f"{others}, {now}"


TEXT = {"segv": "signal 11 (SIGSEGV)", "abort": "signal 6 (SIGABRT)", "hang": "ran longer than"}


def three_tries(t, f):
    """Each ended its process three times, and its letter names signal and handler; nothing else
    ended a process. One that hangs may be called more often: when another ends the same process."""
    counts, rows = calls(t), {row["id"]: row for row in f.letters.rows}
    recorded = collections.Counter(e["id"] for e in t.fleet.events("crash-recorded"))
    wrong = []
    for c in f.letters.odd:
        row = rows.get(c.id, {"message": "no letter"})
        if recorded[c.id] != odd.TRIES or counts.get(c.number, 0) < odd.TRIES:
            wrong.append(f"{c.odd} was called {counts.get(c.number)} times, ended {recorded[c.id]}")
        if not (row["message"].startswith(TEXT[c.odd]) and
                row["message"].endswith(" in handler Deposit of deposits v1, 3 times")):
            wrong.append(f"{c.odd}: {row['message']}")
    died = len(t.fleet.events("worker-died"))
    t.report["processes_ended"] = died
    if died > odd.TRIES * len(f.letters.odd):
        wrong.append(f"{died} processes ended")
    return "; ".join(wrong[:4]) or None


# ---- readers that are slow ----

SLOW_S, STOPPED_S = 12, 12
RUN_S, OF_S = 0.05, 1.0
QUEUE_KB = 2048  # of a relay's producer, far less than what comes to wait for it
GROWTH_MB = 16   # of any process; more than that comes to wait for the relays


def relays_apart(t):
    t.fleet.roles = {**ALL, "w3": "worker", "r2": "relay"}
    t.fleet.roles.pop("p2")


def behind(t):
    """Events that the store has and no relay has told."""
    return pg.value(f"select coalesce(sum(s.head_seq - p.seq), 0) from \"{t.name}\".slices s join "
                    f'"{t.name}".published p using (slice)')


def behind_mb(t):
    """The same, by what their records hold at least."""
    return pg.value("select coalesce(sum(octet_length(e.payload) + octet_length(e.stream)), 0) "
                    f'from "{t.name}".events e join "{t.name}".published p using (slice) '
                    "where e.seq > p.seq") >> 20


@scenario("slow-consumer", before=relays_apart, rate=32, name_length=1200,
          kafka=f"producer: {{queue.buffering.max.kbytes: {QUEUE_KB}}}")
def slow_consumer(t):
    """relays and projector run 5 % of the time, then not at all, 12 s each; 768 commands/s"""
    slow = ("r1", "r2", "p1")
    for _ in range(SLOW_S):
        for name in slow:
            t.fleet.signal_all(name, signal.SIGSTOP)
        pause(OF_S - RUN_S)
        for name in slow:
            t.fleet.signal_all(name, signal.SIGCONT)
        pause(RUN_S)
    t.report["behind_when_slow"] = behind(t)
    for name in slow:
        t.fleet.signal_all(name, signal.SIGSTOP)
    pause(STOPPED_S)
    t.report["behind_when_stopped"], t.report["behind_mb"] = behind(t), behind_mb(t)
    for name in slow:
        t.fleet.signal_all(name, signal.SIGCONT)
    t.over()
    wait.until(lambda: behind(t) < 500, 60, "the relays to have caught up", every=0.1)
    t.report["relays_caught_up_s"] = round(time.time() - t.fault_end, 1)
    t.more_checks["memory_is_bounded"] = lambda _: None if (
        max(t.memory.growth().values()) < GROWTH_MB) else str(t.memory.growth())
    t.more_checks["more_waited_than_memory_may_hold"] = lambda _: None if (
        t.report["behind_mb"] >= GROWTH_MB) else f"{t.report['behind_mb']} MB waited"
