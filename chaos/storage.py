"""Scenarios that take more than a signal: fail-overs, full disks, clocks. See scenarios.py."""

import csv
import io
import os
import subprocess

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


@scenario("failover", before=with_standby, proxied=("pg",))
def failover(t):
    """Postgres is stopped in order and its standby, which has all of it, is promoted"""
    t.pg_proxy.cut()
    t.own.pg.stop("fast")
    take_over(t)


@scenario("failover-loss", before=with_standby, proxied=("pg",))
def failover_loss(t):
    """a standby that lacks the last second of commits is promoted: no slice goes on silently"""
    t.standby.stop_following()
    pause(1)
    t.pg_proxy.cut()
    t.own.pg.stop("immediate")
    take_over(t)
    t.over()
    pause(8)
    t.own.pg.start()  # for the judge alone: nobody else asks its port
    t.checks["events_topic_is_the_log"] = lambda facts: what_was_lost(t, facts)
    # Slices whose topic and store differ are published no more until somebody decides: what hangs
    # on what they publish is not there yet, and is no loss.
    for name in ("sent_commands_exactly_once", "model_accounts_is_the_fold",
                 "model_kinds_is_the_fold"):
        t.checks[name] = lambda *_: None
    t.checks["nothing_left_behind"] = lambda *_: None
    t.unfinished = t.settled


def what_was_lost(t, facts):
    """None when leat has stopped every slice of which readers of Kafka have seen events that the
    new store has not at that place."""
    text = pg.execute(f'select slice, seq, event_id from "{t.name}".events', t.old_url)
    old = {(int(r["slice"]), int(r["seq"])): r["event_id"]
           for r in csv.DictReader(io.StringIO(text))}
    new = {(e["slice"], e["seq"]): e["event_id"] for e in facts.events}
    lost = {at: name for at, name in old.items() if new.get(at) != name}
    told = {(r.partition, int(r.header("leat-seq"))): r.header("ce_id")
            for r in reversed(facts.topic)}
    seen = [at for at, name in lost.items() if told.get(at) == name]
    ids = set(new.values())
    said = t.fleet.events("slice-stopped")
    stopped = {e["slice"] for e in said}
    t.report.update(lost_places=len(lost), lost_and_published=len(seen),
                    lost_and_done_again=sum(name in ids for name in lost.values()),
                    slices_stopped=sorted(stopped), said=said[0]["message"] if said else None)
    silent = sorted({at[0] for at in seen} - stopped)
    if silent:
        return (f"{len(seen)} events that readers of Kafka have seen are not in the store at that "
                f"place, first {min(seen)}; leat said nothing of slices {silent}")
    return None


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
    with open(path, "wb") as f:
        try:
            while True:
                f.write(bytes(1 << 16))
                f.flush()
        except OSError:
            pass
    pause(8)
    os.remove(path)


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
