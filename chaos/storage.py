"""Scenarios that take more than a signal: fail-overs, full disks, clocks. See scenarios.py."""

import csv
import io
import itertools
import os
import subprocess
import time

import steady
import verify
from fleet import SESSION_SECONDS
from lib import pg, servers, wait
from scenarios import scenario
from trial import pause

# ---- a standby is promoted ----


def with_standby(t):
    t.standby = t.own.pg.standby(t.own.dir, f"standby-{t.name}")
    t.own.others.append(t.standby)
    t.renew = True


def take_over(t):
    """The old one is gone for good; leat finds the new one behind the same address."""
    t.standby.promote()
    t.pg_proxy.cut(to=t.standby.port)
    t.old_url, servers.STORE_URL = servers.STORE_URL, t.standby.url


def adopt(t):
    """As an operator does it; nothing is written until then. Keeps what the store had before."""
    t.frozen = events_at(t.name, t.standby.url)
    started = time.monotonic()
    t.told = t.home.must_json("store", "adopt", seconds=120)
    t.report.update(adopt_s=round(time.monotonic() - started, 2), events_lost=len(t.told["lost"]),
                    commands_lost=len(t.told["commands"]),
                    slices_forked=sum("forks at" in row for row in t.told["slices"]))


@scenario("failover", before=with_standby, proxied=("pg",))
def failover(t):
    """Postgres is stopped in order, its standby, which has all of it, promoted and adopted"""
    t.pg_proxy.cut()
    t.own.pg.stop("fast")
    take_over(t)
    adopt(t)
    t.result("nothing_is_lost", str(t.told["lost"][:3]) if t.told["lost"] else None)


@scenario("failover-loss", before=with_standby, proxied=("pg",))
def failover_loss(t):
    """a standby that lacks the last second of commits is promoted and adopted: all lost is named"""
    t.standby.stop_following()
    pause(1)
    t.pg_proxy.cut()
    t.own.pg.stop("immediate")
    take_over(t)
    adopt(t)
    t.over()
    t.own.pg.start()  # for the judge alone: nobody else asks its port
    t.checks["events_topic_is_the_log"] = lambda facts: above_the_forks(t, facts)
    t.more_checks["lost_is_named_exactly"] = lambda facts: named_exactly(t, facts)


def events_at(name, url):
    """(slice, seq) -> what the store at `url` has there."""
    text = pg.execute("select slice, seq, event_id, type, stream, version, command_id "
                      f'from "{name}".events', url)
    return {(int(r["slice"]), int(r["seq"])): (r["event_id"], r["type"], r["stream"],
                                               int(r["version"]), r["command_id"])
            for r in csv.DictReader(io.StringIO(text))}


def lost_and_seen(t, facts):
    """By SQL on both servers and a plain consumer: what the old one had, the new one had not when
    it was promoted, and readers of Kafka have got."""
    old = events_at(t.name, t.old_url)
    ids = {r["store_id"] for r in pg.rows(f'select store_id from "{t.name}".slices', t.old_url)}
    lost = {at: e for at, e in old.items() if t.frozen.get(at) != e}
    seen = {(r.partition, int(r.header("leat-seq")), r.header("ce_id")) for r in facts.topic
            if r.header("leat-store") in ids}
    t.report["commits_lost_on_the_server"] = len({e[4] for e in lost.values()})
    return {at: e for at, e in lost.items() if (*at, e[0]) in seen}


def named_exactly(t, facts):
    want = lost_and_seen(t, facts)
    told = {(e["slice"], e["seq"]): (e["event"], e["type"], e["stream"], e["version"],
                                     e["command"]) for e in t.told["lost"]}
    if not want:
        return "nothing was lost that readers had got: the scenario tried nothing"
    if set(t.told["commands"]) != {e[4] for e in want.values()}:
        return "the commands named are not those of the lost events"
    kept = pg.value(f'select count(*) from "{t.name}".lost_events')
    if kept != len(want):
        return f"{kept} rows of lost_events, {len(want)} events are lost"
    return verify.some((f"{at}: told {told.get(at)}, lost is {want.get(at)}"
                        for at in sorted(set(told) | set(want)) if told.get(at) != want.get(at)),
                       "lost events are not named as they were")


def above_the_forks(t, facts):
    """The events topic is the store's log once what the forks made void is left out."""
    forks = {(int(r["slice"]), r["store_id"]): int(r["seq"])
             for r in pg.rows(f'select slice, store_id, seq from "{t.name}".forks')}
    everything, facts.topic = facts.topic, [
        r for r in facts.topic
        if int(r.header("leat-seq")) <= forks.get((r.partition, r.header("leat-store")),
                                                  float("inf"))]
    t.report["void_in_the_topic"] = len(everything) - len(facts.topic)
    wrong = verify.topic_is_the_log(facts)
    facts.topic = everything
    return wrong


# ---- the projector's disk is full ----

DISK_MB = 24


def small_disk(t):
    t.disk = os.path.join(t.home.dir, "data")
    os.makedirs(t.disk, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "leat-chaos", t.disk],
                   check=True)


def no_disk(t):
    if os.path.ismount(getattr(t, "disk", "")):
        subprocess.run(["umount", "-l", t.disk], check=False)


@scenario("disk-full", before=small_disk, after=no_disk)
def disk_full(t):
    """the disk of the read models is full for 8 s (tmpfs), then has room again"""
    path = os.path.join(t.disk, "in-the-way")
    with open(path, "wb", buffering=0) as f:  # nothing is left that a close would write
        try:
            while True:
                f.write(bytes(1 << 12))
        except OSError:
            pass
    usual, lengths = t.load.accounts, itertools.count(20)

    def said():
        """Rows that are only changed need no room: others come."""
        t.load.accounts = steady.accounts(next(lengths))
        return next((e["message"] for e in t.fleet.events("commit-failed")), None)
    t.report["said"] = wait.until(said, 60, "the projector to say what it waits for", every=0.5)
    refused = {word: t.home.cli("model", *word.split(), "--data", "data")
               for word in ("rebuild accounts", "backup accounts data/backup")}
    t.result("says_that_the_disk_is_full", verify.some(
        [t.report["said"]] * ("No space left" not in t.report["said"]) +
        [f"{word}: {done.returncode} {done.stderr}" for word, done in refused.items()
         if done.returncode not in (1, 2) or "No space left" not in done.stderr],
        "do not name the cause"))
    pause(8)
    os.remove(path)
    t.load.accounts = usual
    t.home.must("model", "rebuild", "accounts", "--switch", "--data", "data")


# ---- clocks ----

def faketime():
    found = subprocess.run("ls /usr/lib/*/faketime/libfaketimeMT.so.1", shell=True,
                           capture_output=True, text=True, check=False).stdout.split()
    if not found:
        raise AssertionError("libfaketime is not installed")
    return found[0]


def faked_clock(t):
    t.clock = os.path.join(t.dir, "clock")
    step_clock(t, "+0")
    t.fleet.env = {"LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": t.clock,
                   "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}


def step_clock(t, by):
    with open(t.clock + ".new", "w", encoding="ascii") as f:
        f.write(by + "\n")
    os.replace(t.clock + ".new", t.clock)


@scenario("clock-step", before=faked_clock)
def clock_step(t):
    """leat's wall clock steps an hour ahead, then two back, then to where it was, 3 s each"""
    for by in ("+1h", "-1h", "+0"):
        step_clock(t, by)
        pause(3)


# ---- a pool between leat and Postgres ----

def with_pgbouncer(t):
    folder = os.path.join(t.own.dir, f"bouncer-{t.name}")
    os.makedirs(folder)
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", folder], check=True)
    t.bouncer_port = servers.free_port()
    with open(os.path.join(folder, "ini"), "w", encoding="ascii") as f:
        f.write(f"""[databases]
leat = host=127.0.0.1 port={t.own.pg.port} dbname=leat user=leat
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {t.bouncer_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 24
max_client_conn = 300
ignore_startup_parameters = extra_float_digits,options
""")
    t.bouncer_ini = os.path.join(folder, "ini")
    start_bouncer(t)
    t.pg_proxy.cut(to=t.bouncer_port)


def start_bouncer(t):
    words = ["setpriv", "--pdeathsig", "TERM"]
    if os.geteuid() == 0:
        words += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    with open(t.bouncer_ini + ".log", "ab") as log:
        t.bouncer = subprocess.Popen([*words, "pgbouncer", t.bouncer_ini], cwd="/", stdout=log,
                                     stderr=log, stdin=subprocess.DEVNULL)
    url = f"postgresql://leat@127.0.0.1:{t.bouncer_port}/leat"
    wait.until(lambda: pg.value("select 1", url) == 1, 20, "pgbouncer to answer")


def no_pgbouncer(t):
    if getattr(t, "bouncer", None) is not None:
        t.bouncer.kill()
        t.bouncer.wait()
    t.pg_proxy.cut(to=t.own.pg.port)


@scenario("pgbouncer", before=with_pgbouncer, after=no_pgbouncer, proxied=("pg",))
def pgbouncer(t):
    """through PgBouncer in transaction mode, which is killed (-9) and started again three times"""
    for _ in range(3):
        t.bouncer.kill()
        t.bouncer.wait()
        start_bouncer(t)
        pause(SESSION_SECONDS / 3)
