"""The faults. Each scenario is a function that gets a Trial whose load is running, and returns when
its fault is over; its first line of documentation is what --list prints."""

import dataclasses
import random
import signal
from typing import Callable

from cluster import cut_connections
from fleet import SESSION_SECONDS
from lib import kafka, wait
from trial import pause

WORKERS = ("w1", "w2", "w3")


@dataclasses.dataclass
class Scenario:
    name: str
    what: str
    fault: Callable
    before: Callable | None = None  # once the topology is applied, before processes start
    after: Callable | None = None   # always, at the end
    short: bool = False             # of ./dev test
    proxied: tuple = ()             # which of pg, kafka leat reaches through a proxy only
    brokers: int = 1
    topics: str = ""                # their `defaults` in the topology, as YAML on one line
    script: tuple = ()              # of this folder, with arguments, that does all of it itself
    processor: str = ""             # settings of `deposits`, as YAML on one line
    kafka: str = ""                 # the same of `kafka`
    rate: int = 0                   # commands a second for each lane, if not that of the run
    name_length: int = 0            # of accounts: they make records, rows and events larger
    redis: bool = False             # its read models are kept in Redis


SCENARIOS = {name: Scenario(name, what, None, script=script) for name, what, script in (
    ("membership", "1 -> 4 -> 1 workers and a rolling upgrade of all: how long lanes are idle",
     ("membership.py",)),
    ("provider-down", "every handler's provider is away for 60 s: nothing dies, all is in order",
     ("provider.py",)),
)}


def scenario(name, **more):
    def add(function):
        SCENARIOS[name] = Scenario(name, function.__doc__.split("\n")[0], function, **more)
        return function
    return add


# ---- processes ----

@scenario("kill-worker")
def kill_worker(t):
    """kill -9 of a worker process each second, six times; its supervisor starts it again"""
    rng = random.Random(t.seed)
    for _ in range(6):
        t.fleet.kill_child(rng.choice(WORKERS))
        pause(1)


@scenario("lose-worker")
def lose_worker(t):
    """kill -9 of a `leat run` that nobody starts again: its lanes move once its session is over"""
    t.fleet.kill("w1")
    t.over()
    pause(SESSION_SECONDS + 4)
    t.fleet.start("w1")


@scenario("kill-relay")
def kill_relay(t):
    """kill -9 of the relay process, and of the relay beside a worker, three times each"""
    for name in ("r1", "w3") * 3:
        t.fleet.kill_child(name)
        pause(1)


@scenario("kill-projector")
def kill_projector(t):
    """kill -9 of both projectors on one file, three times each"""
    for name in ("p1", "p2") * 3:
        t.fleet.kill_child(name)
        pause(1)


@scenario("kill-supervisor")
def kill_supervisor(t):
    """kill -9 of `leat run` of two workers and the projector; started again at once"""
    for name in ("w1", "w3", "p1"):
        t.fleet.kill(name)
        t.fleet.start(name, ready=False)
        pause(1)


@scenario("stop-worker")
def stop_worker(t):
    """SIGSTOP of a worker until its session is well over, then SIGCONT: a zombie that goes on"""
    t.fleet.signal_all("w1", signal.SIGSTOP)
    pause(SESSION_SECONDS + 4)
    t.fleet.signal_all("w1", signal.SIGCONT)


@scenario("stop-relay-projector")
def stop_relay_projector(t):
    """SIGSTOP of the relay and of the leading projector for 10 s"""
    for name in ("r1", "p1"):
        t.fleet.signal_all(name, signal.SIGSTOP)
    pause(10)
    for name in ("r1", "p1"):
        t.fleet.signal_all(name, signal.SIGCONT)


# ---- Postgres ----

@scenario("cut-connections")
def cut_some(t):
    """three of the store's connections are ended each second, whatever they are doing, for 6 s"""
    for _ in range(6):
        cut_connections(t.name)
        pause(1)


@scenario("postgres-immediate", short=True)
def postgres_immediate(t):
    """Postgres is stopped (immediate) and started after 2 s: it recovers from its log"""
    t.own.pg.stop("immediate")
    pause(2)
    t.own.pg.start()


@scenario("postgres-kill")
def postgres_kill(t):
    """kill -9 of Postgres' postmaster; started as soon as it can be"""
    t.own.pg.stop("kill")
    t.own.pg.start()


@scenario("postgres-cut", proxied=("pg",))
def postgres_cut(t):
    """no connection to Postgres for 5 s: all are reset, new ones refused"""
    t.pg_proxy.cut()
    pause(5)
    t.pg_proxy.open()


@scenario("postgres-hole", proxied=("pg",))
def postgres_hole(t):
    """a black hole between leat and Postgres for 15 s: nothing arrives, nobody is told"""
    t.pg_proxy.black_hole()
    pause(15)
    t.pg_proxy.open()


@scenario("postgres-slow", proxied=("pg",))
def postgres_slow(t):
    """40 ms more each way between leat and Postgres for 10 s"""
    t.pg_proxy.delay(0.04)
    pause(10)
    t.pg_proxy.open()


# ---- Kafka ----

def ends(t):
    """The events topic's end by partition, once the broker tells it."""
    return dict(wait.until(lambda: [(p, high) for p, _, high in kafka.offsets(f"{t.name}.events")],
                           60, "the ends of the events topic"))


def shrunk(before, after):
    """Partitions that end earlier after a restart: what the broker itself lost."""
    return {p: [high, after[p]] for p, high in before.items() if after[p] < high}


AWAY_S = 40  # longer than a producer waits by default, so that what never gives up is seen


@scenario("broker-restart")
def broker_restart(t):
    """the broker is stopped (SIGTERM) and started again after 40 s"""
    before = ends(t)
    t.own.kafka.end(signal.SIGTERM)
    pause(AWAY_S)
    t.own.kafka.start()
    t.report["shrunk_by_the_broker"] = shrunk(before, ends(t))


@scenario("broker-kill")
def broker_kill(t):
    """kill -9 of the broker; started again at once"""
    before = ends(t)
    t.own.kafka.end(signal.SIGKILL)
    t.own.kafka.start()
    t.report["shrunk_by_the_broker"] = shrunk(before, ends(t))


@scenario("kafka-cut", short=True, proxied=("kafka",))
def kafka_cut(t):
    """no connection to Kafka for 5 s: all are reset, new ones refused"""
    t.kafka_proxy.cut()
    pause(5)
    t.kafka_proxy.open()


@scenario("kafka-hole", proxied=("kafka",))
def kafka_hole(t):
    """a black hole between leat and Kafka for 15 s, past every session"""
    t.kafka_proxy.black_hole()
    pause(15)
    t.kafka_proxy.open()


@scenario("kafka-slow", proxied=("kafka",))
def kafka_slow(t):
    """40 ms more each way between leat and Kafka for 10 s"""
    t.kafka_proxy.delay(0.04)
    pause(10)
    t.kafka_proxy.open()


@scenario("all-cut", proxied=("pg", "kafka"))
def all_cut(t):
    """neither Postgres nor Kafka for 5 s"""
    t.pg_proxy.cut()
    t.kafka_proxy.cut()
    pause(5)
    t.kafka_proxy.open()
    t.pg_proxy.open()
