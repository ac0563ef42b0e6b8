"""One scenario from an empty store to the count: fleet and load are started, the fault is done, the
load goes on, all is drained and judged."""

import datetime
import json
import os
import shutil
import time

import load as loads
import memory
import odd
import verify
from cluster import until
from fleet import Fleet
from steady import Steady, in_order, in_topics
from timeline import Timeline, spread
from lib import kafka, leat, pg, servers, wait

TOPOLOGY = "tests/e2e/topology/crash.yaml"
WARM_S, AFTER_S, DRAIN_S = 6, 12, 120
TARGET_S = 10


def epoch(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def pause(seconds):
    until(time.monotonic() + seconds)


class Trial:
    """What a scenario gets: .fleet, .load, .own (servers), .pg_proxy, .kafka_proxy; it brackets its
    fault with begin() and over(), adds facts to .report, replaces .checks, adds .more_checks."""

    def __init__(self, scenario, name, seed, own, proxies, base, o):
        self.scenario, self.name, self.seed, self.own = scenario, name, seed, own
        self.pg_proxy, self.kafka_proxy = proxies
        self.warm_s, self.after_s = (2, 4) if o.short else (WARM_S, AFTER_S)
        self.renew = False  # the servers are not what they were
        self.dir = os.path.join(base, scenario.name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        os.environ["LEAT_TEST_DIR"] = self.dir
        env = {"FOREIGN": loads.foreign(name)}
        if "kafka" in scenario.proxied:
            env["KAFKA"] = f"127.0.0.1:{self.kafka_proxy.port}"
        if "pg" in scenario.proxied:
            env["STORE_URL"] = f"postgresql://leat@127.0.0.1:{self.pg_proxy.port}/leat"
        env["TRICKS_TRACE"] = os.path.join(self.dir, "tricks")
        replace = {"name: crash\n": f"name: {name}\n"}
        if scenario.processor:
            replace["  deposits:\n"] = f"  deposits:\n    {scenario.processor}\n"
        if scenario.kafka:
            replace["kafka:\n"] = f"kafka:\n  {scenario.kafka}\n"
        if scenario.topics:
            replace["topics:\n"] = f"topics:\n  defaults: {scenario.topics}\n"
        if scenario.redis:
            replace["store: lmdb"] = "store: redis"
            replace["http: {"] = 'redis: {url: "${OWN_REDIS}", timeout: 1s}\n\nhttp: {'
            env["OWN_REDIS"] = "redis://127.0.0.1/0"  # `before` of the scenario knows better
        self.home = leat.Home(
            TOPOLOGY, modules=os.path.join(servers.BIN_DIR, "modules", "crash"),
            replace=replace, env=env)
        self.fleet = Fleet(self.home)
        self.load = Steady(name, seed, scenario.rate or o.rate, scenario.name_length)
        self.fault_start = self.fault_end = None
        self.checks, self.more_checks, self.report, self.results = {}, {}, {}, []
        self.memory = None
        self.unfinished = lambda: verify.unfinished(self.name)

    # ---- for scenarios ----

    def begin(self):
        self.memory.mark("since")
        self.fault_start = time.time()

    def over(self):
        self.fault_end = time.time()

    # ---- the run ----

    def run(self):
        try:
            self.prepare()
            self.fleet.start_all()
            self.memory = memory.Watch(self.fleet)
            self.load.start()
            wait.until(self.flowing, 60, "the load to flow")
            pause(self.warm_s)
            self.begin()
            self.scenario.fault(self)
            if self.fault_end is None or self.fault_end < self.fault_start:
                self.over()
            pause(self.after_s)
            self.fleet.all_alive()
            self.load.stop()
            self.drain()
            self.memory.end()
            self.measure()
            self.judge()
            bad = self.fleet.stop()
            self.result("stops_on_sigterm", str(bad) if bad else None)
        except AssertionError as e:
            self.result("run", " ".join(str(e).split())[:600])
        finally:
            self.end()
        return self.line()

    def prepare(self):
        self.home.forget(self.name)
        kafka.create(loads.foreign(self.name), loads.FOREIGN_PARTITIONS)
        self.home.must("apply")
        # A busy broker makes leaders late.
        wait.until(lambda: [kafka.offsets(topic) for topic in kafka.topics(f"{self.name}.")], 60,
                   "all partitions to have a leader")
        if self.scenario.before is not None:
            self.scenario.before(self)

    def flowing(self):
        """What was sent until a second ago is settled: all have come into their stride."""
        sent = len(self.load.commands) - 24 * self.load.per_lane
        return 0 < sent < pg.value(f'select count(*) from "{self.name}".commands')

    def drain(self):
        started, left = time.monotonic(), ["?"]

        def drained():
            left[0] = self.unfinished()
            return left[0] is None

        try:
            wait.until(drained, DRAIN_S, "everything to be settled", every=0.3)
        except wait.Timeout as e:
            raise AssertionError(f"{e}; left: {left[0]}") from None
        self.report["drained_s"] = round(time.monotonic() - started, 1)

    def settled(self):
        """Of what the load has sent; what is not published does not count."""
        missing = len(self.load.commands) - pg.value(
            f'select count(*) from "{self.name}".commands where processor <> \'notes\'')
        return f"{missing} commands" if missing else None

    def end(self):
        if self.memory is not None:
            self.memory.end()
        self.pg_proxy.open()
        self.kafka_proxy.open()
        try:
            self.load.stop()
        except Exception as e:  # noqa: BLE001 - told, as the run has its own reason
            self.result("load", str(e)[:300])
        leat.end_all()
        if self.scenario.after is not None:
            self.scenario.after(self)

    # ---- figures ----

    def measure(self):
        line = Timeline(self.name, self.load)
        before = line.rate(self.fault_start - min(self.warm_s, 4), self.fault_start - 0.2)
        acquired = [epoch(e["time"]) for e in self.fleet.events("acquired")]
        moved = max((t for t in acquired if t >= self.fault_start), default=self.fault_end)
        back = line.back_at(self.fault_end, before)
        late = line.caught_up_at(self.fault_start)
        idle = line.idle(self.fault_start, (back or self.fault_end) + 1)
        self.report.update(
            fault_s=round(self.fault_end - self.fault_start, 2),
            rate_before=round(before),
            reassigned_s=round(max(moved - self.fault_end, 0), 2),
            back_s=None if back is None else round(back - self.fault_end, 2),
            recovery_s=None if back is None else round(
                max(back - max(self.fault_end, min(moved, back)), 0), 2),
            caught_up_s=round(max(late - self.fault_end, 0), 2),
            idle_ms=spread(idle.values()),
            memory_mb=self.memory.most("before"), memory_growth_mb=self.memory.growth())

    # ---- the judge ----

    def judge(self):
        facts = verify.Facts(self.name, self.load)
        facts.letters = odd.Letters(self.name, self.load.commands)
        self.report.update(
            commands=len(facts.load.commands), events=len(facts.events),
            accepted=sum(r["outcome"] == "accepted" for r in facts.commands),
            rejected=sum(r["outcome"] == "rejected" for r in facts.commands),
            dead=sum(r["outcome"] == "dead" for r in facts.commands),
            copies_sent=len(self.load.copied), copies_in_topic=verify.copies_in_topic(facts))
        for name, function in [*verify.CHECKS, ("in_order_per_key", in_order),
                               ("sent_are_in_the_topics", in_topics), *odd.CHECKS]:
            self.result(name, self.checks.get(name, function)(facts))
        for name, check in self.more_checks.items():
            self.result(name, check(facts))
        for model, key, fields in (("accounts", "account", ("events", "cents", "last")),
                                   ("kinds", "kind", ("events", "cents"))):
            check = self.checks.get(f"model_{model}_is_the_fold", self.check_model)
            self.result(f"model_{model}_is_the_fold", check(facts, model, key, fields))

    def check_model(self, facts, model, key, fields):
        wrong = [None]

        def same():
            rows = verify.model_rows(self.fleet.url, model)
            wrong[0] = verify.compare_model(facts, rows, key, fields)
            return wrong[0] is None

        try:
            wait.until(same, 30, model, every=0.3)
        except wait.Timeout as e:
            return f"{wrong[0] or ''} {e}".strip()
        return None

    def result(self, name, wrong):
        self.results.append((name, wrong))

    def line(self):
        failed = {name: wrong for name, wrong in self.results if wrong is not None}
        line = {"scenario": self.scenario.name, "seed": self.seed, **self.report,
                "invariants": len(self.results), "failed": failed}
        with open(os.path.join(self.dir, "report.json"), "w", encoding="utf-8") as f:
            json.dump(line, f, indent=1)
        return line
