"""Readers of a read model over HTTP, each on one connection that is kept, while something is done
to the model: no answer may fail, and what one has seen may never be unseen."""

import http.client
import json
import random
import threading
import time

MODEL, PAGE = "accounts", 60
EVERY_S = 0.004  # between two requests: five readers must not be the load
WRONG_MAX = 5


def position(text):
    """{slice: seq} of a Leat-Position."""
    found = {}
    for group in text.split(";"):
        for pair in group.partition(":")[2].split(","):
            k, seq = map(int, pair.split("="))
            found[k] = seq
    return found


class Reader(threading.Thread):
    """seen: slice -> seq; rows: key -> its events, neither of which may get less."""

    every_s = EVERY_S

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port, self.rng, self.quit = port, random.Random(seed), threading.Event()
        self.seen, self.rows, self.wrong, self.versions = {}, {}, [], []
        self.answers, self.begun_again, self.slowest_s = 0, 0, 0.0

    def run(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            while not self.quit.wait(self.every_s) and len(self.wrong) < WRONG_MAX:
                self.turn()
        except (OSError, http.client.HTTPException, ValueError) as e:
            if not self.quit.is_set():
                self.wrong.append(f"{type(e).__name__}: {e}")
        self.connection.close()

    def stop(self):
        """What was wrong."""
        self.quit.set()
        self.join(100)
        name = type(self).__name__
        if self.is_alive():
            return [f"{name} hangs"]
        return [f"{name}: {w}" for w in self.wrong] or (
            [] if self.answers > 20 else [f"{name} had {self.answers} answers"])

    def ask(self, path, allowed=(200,)):
        """(status, body) of an answer whose position is not behind any before it."""
        started = time.monotonic()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        self.answers += 1
        if answer.status == 400 and b"declared anew" in body:  # begin again
            self.begun_again += 1
            return answer.status, None
        if answer.status not in allowed:
            self.wrong.append(f"{path}: {answer.status} {body[:200]!r}")
            return answer.status, None
        self.went_on(position(answer.headers["Leat-Position"]), path)
        version = answer.headers["Leat-Version"]
        if not self.versions or self.versions[-1] != version:
            self.versions.append(version)
        return answer.status, json.loads(body)

    def went_on(self, now, what):
        for k, seq in now.items():
            if seq < self.seen.get(k, 0):
                self.wrong.append(f"{what}: slice {k} went from {self.seen[k]} back to {seq}")
            self.seen[k] = seq

    def row(self, row):
        if row["events"] < self.rows.get(row["key"], 0):
            self.wrong.append(f"{row['key']} went from {self.rows[row['key']]} events to {row}")
        self.rows[row["key"]] = row["events"]


class Getter(Reader):
    """Single rows; one that was there does not go."""

    def __init__(self, port, seed, keys):
        super().__init__(port, seed)
        self.keys = keys

    def turn(self):
        key = self.rng.choice(self.keys)
        status, body = self.ask(f"/v1/models/{MODEL}/{key}",
                                (200,) if key in self.rows else (200, 404))
        if status == 200:
            self.row(body)


class Lister(Reader):
    """All rows page by page, with the cursors that it is given, in the order of their keys."""

    def turn(self):
        cursor, last = "", ""
        while cursor is not None and not self.quit.is_set() and not self.wrong:
            query = f"limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
            _, page = self.ask(f"/v1/models/{MODEL}?{query}")
            if page is None:
                return
            for row in page["rows"]:
                if row["key"] <= last:
                    self.wrong.append(f"{row['key']} after {last}")
                last = row["key"]
                self.row(row)
            cursor = page["cursor"]
            self.quit.wait(EVERY_S)


class Busy(Reader):
    """All rows in one answer, again and again: the server reads most of the time."""

    every_s = 0

    def turn(self):
        _, page = self.ask(f"/v1/models/{MODEL}?limit=1000")
        for row in page["rows"] if page is not None else ():
            self.row(row)


class Follower(Reader):
    """The stream of changes, never left: its rows are what the model has in the end."""

    def __init__(self, port, seed):
        super().__init__(port, seed)
        self.latest = {}

    def turn(self):
        self.connection.request("GET", f"/v1/changes/{MODEL}")
        answer = self.connection.getresponse()
        if answer.status != 200:
            self.wrong.append(f"{answer.status} {answer.read()[:200]!r}")
            return
        message = {}
        for line in answer:
            if self.quit.is_set() or len(self.wrong) >= WRONG_MAX:
                return
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                message[name] = value
            elif message:
                self.take(message)
                message = {}
        self.wrong.append("the stream ended")

    def take(self, message):
        self.answers += 1
        kind = message.get("event")
        if kind == "end":
            self.wrong.append(message["data"])
        if kind == "row":
            data = json.loads(message["data"])
            self.latest[data["key"]] = data["row"]
            self.row({"key": data["key"], **data["row"]})
        if "id" in message:
            self.went_on(position(message["id"]), "a message")


def started(*readers):
    for reader in readers:
        reader.start()
    return list(readers)


def start(port, seed, keys):
    """Two that get, two that list, one that follows."""
    return started(Getter(port, seed, keys), Getter(port, seed + 1, keys), Lister(port, seed + 2),
                   Lister(port, seed + 3), Follower(port, seed + 4))
