"""A steady load: every lane of deposits and withdrawals gets commands at the same pace, through one
plain producer per topic that lives as long as the load."""

import base64
import collections
import random
import subprocess
import threading
import time

from lib import kafka, servers

import odd
from cluster import until
from load import Command, PARTITIONS

TICK_S = 0.05
ACCOUNTS_PER_PARTITION = 40
PROCESSORS = ("deposits", "withdrawals")
COPY_SHARE, COPY_AFTER_S = 0.02, 2.0


def murmur2(data):
    """The hash of Kafka's default partitioner, as an unsigned number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def accounts(length=0):
    """Names of accounts, at least so long, by their partition, the same number for each."""
    found, n = [[] for _ in range(PARTITIONS)], 0
    while any(len(names) < ACCOUNTS_PER_PARTITION for names in found):
        name = f"a{n:05d}".ljust(length, "-")
        names = found[partition_of(name)]
        if len(names) < ACCOUNTS_PER_PARTITION:
            names.append(name)
        n += 1
    return found


def _encoded(data):
    if data is None:
        return "-"
    data = data.encode() if isinstance(data, str) else data
    return "=" + base64.b64encode(data).decode()


class Producer:
    def __init__(self, topic, verb="produce"):
        self.popen = subprocess.Popen([servers.tool("kafka_tool"), servers.KAFKA, verb, topic],
                                      stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def send(self, key, value, headers, partition):
        packed = ",".join(f"{name}{_encoded(v)}" for name, v in headers.items())
        number = "-" if partition is None else partition
        self.popen.stdin.write(f"{number}\t{_encoded(key)}\t{_encoded(value)}\t{packed}\n")

    def flush(self):
        try:
            self.popen.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"the load ended: {self.popen.stderr.read()[-300:]}") from None

    def end(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass  # it says why
        if self.popen.wait(60) != 0:
            raise AssertionError(f"the load could not be sent: {self.popen.stderr.read()[-300:]}")


class Held:
    """Stands for a producer whose topic is away."""

    def __init__(self):
        self.records = []

    def send(self, *record):
        self.records.append(record)

    def flush(self):
        pass

    def end(self):
        raise AssertionError(f"{len(self.records)} records were held and never sent")


class Steady:
    """Has .commands and .sent_at (epoch seconds by command number) for the judge; the fields of
    load.Load that a report reads stand as well. While .odd_share is set, so many of all are of one
    of .odd_kinds; those put into .odd_next are sent one each."""

    def __init__(self, name, seed, per_lane, name_length=0):
        self.name, self.per_lane, self.rng = name, per_lane, random.Random(seed)
        self.accounts = accounts(name_length)
        self.odd_share, self.odd_kinds, self.odd_next = 0, (), collections.deque()
        self.commands, self.sent_at, self.copied = [], [], set()
        self.later = []
        self.error, self.thread, self.quit = None, None, threading.Event()

    verb = "produce"  # of kafka_tool

    def start(self):
        self.producers = {(p, c): Producer(f"{self.name}.{p}.{c}", self.verb)
                          for p in PROCESSORS for c in ("hot", "cold")}
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()

    def _main(self):
        try:
            started, ticks = time.monotonic(), 0
            while not self.quit.is_set():
                ticks += 1
                due = started + ticks * TICK_S
                until(due)
                self._tick(ticks)
        except Exception as e:  # noqa: BLE001 - stop() hands it on
            self.error = e

    def _tick(self, ticks):
        n = int(ticks * TICK_S * self.per_lane) - int((ticks - 1) * TICK_S * self.per_lane)
        lanes = [(p, k) for p in PROCESSORS for k in range(PARTITIONS) for _ in range(n)]
        self.rng.shuffle(lanes)
        for processor, k in lanes:
            self._send(processor, k)
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            c = self.later.pop(0)[1]
            self.producers[c.processor, self.rng.choice(("hot", "cold"))].send(*c.record())
        for producer in self.producers.values():
            producer.flush()

    def _send(self, processor, k):
        c = Command(len(self.commands), self.rng)
        c.processor, c.account = processor, self.rng.choice(self.accounts[k])
        self._choose_odd(c)
        self.commands.append(c)
        self.sent_at.append(time.time())
        if c.odd:
            self.producers["deposits", c.priority].send(*odd.record(c), None)
            return
        self.producers[processor, c.priority].send(*c.record())
        if self.rng.random() < COPY_SHARE:  # a client that had no answer
            self.copied.add(c.number)
            self.later.append((time.monotonic() + COPY_AFTER_S, c))

    def _choose_odd(self, c):
        if self.odd_next:
            odd.spoil(c, self.odd_next.popleft())
        elif self.odd_share and self.rng.random() < self.odd_share:
            odd.spoil(c, self.rng.choice(self.odd_kinds))

    def hold(self, processor, priority):
        """Returns when all that was sent to the topic is acknowledged; what comes is kept."""
        old, self.producers[processor, priority] = self.producers[processor, priority], Held()
        until(time.monotonic() + 5 * TICK_S)  # who has the old one at hand is done with it
        old.end()

    def go_on(self, processor, priority):
        topic = f"{self.name}.{processor}.{priority}"
        held, fresh = self.producers[processor, priority], Producer(topic, self.verb)
        for record in held.records:
            fresh.send(*record)
        n = len(held.records)
        self.producers[processor, priority] = fresh
        until(time.monotonic() + 5 * TICK_S)
        for record in held.records[n:]:
            fresh.send(*record)

    def check(self):
        if self.error is not None:
            raise self.error

    def stop(self):
        """Returns when the broker has acknowledged all of them."""
        if self.thread is None:
            return
        self.quit.set()
        self.thread.join(60)
        self.thread = None
        self.check()
        for producer in self.producers.values():
            producer.end()


def in_order(facts):
    """Commands of one account, processor and priority stand in one partition in the order they were
    sent; so must their events, but for those that were sent twice."""
    last, wrong = {}, []
    by_id = {c.id: c for c in facts.load.commands}
    for e in sorted(facts.events, key=lambda e: (e["stream"], e["version"])):
        c = by_id.get(e["command_id"])
        if c is None or c.number in facts.load.copied:
            continue
        key = (c.account, c.processor, c.priority)
        if last.get(key, -1) > c.number:
            wrong.append(f"command {c.number} of {c.account} after {last[key]}")
        last[key] = max(last.get(key, -1), c.number)
    return f"{len(wrong)} out of order: " + ", ".join(wrong[:3]) if wrong else None


def in_topics(facts):
    """Every command the load has sent lies in Kafka; and where those lie that the store lacks."""
    settled, missing = {row["id"] for row in facts.commands}, []
    found = set()
    for processor in PROCESSORS:
        for priority in ("hot", "cold"):
            topic = f"{facts.name}.{processor}.{priority}"
            for r in kafka.consume(topic):
                found.add(r.header("ce_id"))
                if r.headers and r.header("ce_id") not in settled:
                    missing.append(f"{topic}[{r.partition}]@{r.offset} has no row")
    missing += [f"command {c.number} is in no topic" for c in facts.load.commands
                if c.odd != "nameless" and c.id not in found]
    return f"{len(missing)}: " + ", ".join(missing[:5]) if missing else None
