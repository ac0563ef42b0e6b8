"""The commands of a run: made from a seed, sent at a steady pace, remembered for the check."""

import json
import random
import threading
import time
import uuid

from lib import kafka

from cluster import until

ACCOUNTS = 4000
NOTES = 500
PARTITIONS = 12
FOREIGN_PARTITIONS = 15


def foreign(name):
    """The topic of somebody else that brings deposits."""
    return f"{name}.payments.v2"


class Command:
    """odd: of a kind that can never be done (odd.py), else empty."""

    __slots__ = ("number", "processor", "account", "cents", "note", "priority", "id", "odd")

    def __init__(self, number, rng):
        self.number = number
        self.processor = "deposits" if rng.random() < 0.55 else "withdrawals"
        # One in ten meets on one of twenty accounts: both processors write those at once.
        hot = rng.random() < 0.1
        self.account = f"a{rng.randrange(20 if hot else ACCOUNTS):05d}"
        self.cents = rng.randrange(1, 5000)
        self.note = f"n{rng.randrange(NOTES)}" if number % 2 == 0 else ""
        self.priority = rng.choice(("hot", "cold"))
        self.id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self.odd = ""

    def foreign_record(self):
        """The same for the foreign topic: no key, no type; any partition."""
        _, body, headers, _ = self.record()
        return None, body, {"ce_id": headers["ce_id"]}, self.number % FOREIGN_PARTITIONS

    def record(self, partition=None):
        """(key, value, headers, partition) as lib.kafka.produce takes it."""
        body = {"account": self.account, "cents": self.cents, "number": self.number}
        kind = "Withdraw"
        if self.processor == "deposits":
            kind = "Deposit"
            body["note"] = self.note
        headers = {"ce_id": self.id, "ce_type": kind}
        return self.account, json.dumps(body), headers, partition


class Load:
    """All commands of a run; `copies` of them are sent twice, `strays` to a
    partition of chance, `foreign` through a topic of somebody else."""

    def __init__(self, name, count, seed):
        self.name, self.rng = name, random.Random(seed)
        self.commands = [Command(n, self.rng) for n in range(count)]
        self.sent, self.copies, self.strays, self.foreign = 0, 0, 0, 0
        self.error = None
        self.thread = None

    def send(self, commands):
        """Returns when the brokers have acknowledged all of them."""
        by_topic = {}
        for c in commands:
            partition = None
            if c.processor == "deposits" and self.rng.random() < 0.03:
                self.foreign += 1
                by_topic.setdefault(foreign(self.name), []).append(c.foreign_record())
                continue
            if self.rng.random() < 0.005:
                partition = self.rng.randrange(PARTITIONS)
                self.strays += 1
            topic = f"{self.name}.{c.processor}.{c.priority}"
            by_topic.setdefault(topic, []).append(c.record(partition))
            if self.rng.random() < 0.02:  # a client that had no answer: any priority
                self.copies += 1
                again = f"{self.name}.{c.processor}.{self.rng.choice(('hot', 'cold'))}"
                by_topic.setdefault(again, []).append(c.record())
        for topic, records in by_topic.items():
            kafka.produce(topic, records)
        self.sent += len(commands)

    def start(self, upto, seconds):
        """Sends commands [sent, upto) in a thread, evenly over `seconds`."""
        self.thread = threading.Thread(target=self._pace, args=(upto, seconds), daemon=True)
        self.thread.start()

    def _pace(self, upto, seconds):
        try:
            started, first = time.monotonic(), self.sent
            while self.sent < upto:
                share = min(1.0, (time.monotonic() - started) / seconds)
                due = first + int((upto - first) * share)
                if share >= 1.0:
                    due = upto
                if due > self.sent:
                    self.send(self.commands[self.sent:min(due, self.sent + 4000)])
                until(time.monotonic() + 0.2)
        except Exception as e:  # noqa: BLE001 - join() hands it on
            self.error = e

    def join(self, seconds):
        self.thread.join(seconds)
        if self.error is not None:
            raise self.error
        if self.thread.is_alive():
            raise AssertionError(f"the load was not sent in {seconds} s")
