"""Read models in Redis, which loses what it holds in every way there is. See scenarios.py."""

import signal
import time

import readers
from lib import api, pg, redis, wait
from scenarios import scenario
from trial import pause

AWAY_S, LAG_S = 5, 5
RATE = 40


def one_server(t):
    t.redis = redis.Server()
    t.others = []
    t.home.env["OWN_REDIS"] = t.redis.url


def with_replica(t):
    one_server(t)
    t.others = [redis.Server()]
    t.home.env["OWN_REDIS"] = (f"redis://127.0.0.1:{t.redis.port},"
                               f"127.0.0.1:{t.others[0].port}/0")
    t.others[0].follow(t.redis)


def no_server(t):
    for server in [getattr(t, "redis", None), *getattr(t, "others", [])]:
        if server is not None and server.process.poll() is None:
            server.kill()


def positions(t):
    """Of both models, {slice: seq}; raises when they cannot be read."""
    found = []
    for model in ("accounts", "kinds"):
        answer = api.get(t.fleet.url(f"/v1/models/{model}?limit=1"))
        if answer.status != 200:
            raise AssertionError(repr(answer))
        found.append(readers.position(answer.headers["Leat-Position"]))
    return found


def back(t):
    """How long until the models have all that was published when the fault was over."""
    t.over()
    want = {int(r["slice"]): int(r["seq"])
            for r in pg.rows(f'select slice, seq from "{t.name}".published')}

    def there():
        return all(at.get(k, 0) >= seq for at in positions(t) for k, seq in want.items())
    wait.until(there, 90, "the models to be back")
    t.report.update(models_back_s=round(time.time() - t.fault_end, 2),
                    events_published=sum(want.values()))


@scenario("redis-kill", before=one_server, after=no_server, redis=True, rate=RATE)
def redis_kill(t):
    """models in Redis, which is killed (-9) and started empty after 5 s"""
    t.redis.kill()
    pause(AWAY_S)
    t.redis.restore(None)
    back(t)


@scenario("redis-flush", before=one_server, after=no_server, redis=True, rate=RATE)
def redis_flush(t):
    """models in Redis: FLUSHALL, three times"""
    for _ in range(3):
        t.redis.ask("FLUSHALL")
        pause(2)
    back(t)


@scenario("redis-failover", before=with_replica, after=no_server, redis=True, rate=RATE)
def redis_failover(t):
    """models in Redis: its replica lags by 5 s, is promoted, and the master killed"""
    t.others[0].ask("REPLICAOF", "NO", "ONE")
    pause(LAG_S)
    t.redis.kill()
    back(t)


@scenario("redis-old-file", before=one_server, after=no_server, redis=True, rate=RATE)
def redis_old_file(t):
    """models in Redis, which is killed and started with an RDB file 5 s old"""
    file = t.redis.save()
    pause(LAG_S)
    t.redis.restore(file)
    back(t)


@scenario("redis-projectors", before=one_server, after=no_server, redis=True, rate=RATE)
def redis_projectors(t):
    """models in Redis: -9 of both projectors, three times each, and SIGSTOP of one for 10 s"""
    for name in ("p1", "p2") * 3:
        t.fleet.kill_child(name)
        pause(1)
    t.fleet.signal_all("p2", signal.SIGSTOP)
    pause(10)
    t.fleet.signal_all("p2", signal.SIGCONT)
    back(t)
