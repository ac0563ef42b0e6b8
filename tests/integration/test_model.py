"""Versions of read models on real servers: rebuilt under writes, killed, doubled, switched under
readers, backed up, compacted, checked. Events are appended by SQL; leat relays them."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading

from lib import api, check, leat, pg, servers, store, wait

NAME = "leat_model"
PARTITIONS = 4

TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: {PARTITIONS}
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{acc: {{key: id, state: AccState}}}}
processors: {{accounts: {{aggregate: acc, commands: [Pay], emits: [Paid, Named]}}}}
projections:
  card:
    key: $.id
    from:
      Paid: {{add: {{sum: $.amount, n: 1}}, append: {{last: $.amount}}}}
      Named: {{set: {{name: $.name}}}}
    indexes: {{by_name: [name, -sum]}}
  totals:
    key: $.kind
    from: {{Paid: {{add: {{sum: $.amount, n: 1}}}}}}
"""
SCHEMAS = {
    "AccState": [("sum", "long")],
    "Pay": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Paid": [("id", "string"), ("amount", "long"), ("kind", "string")],
    "Named": [("id", "string"), ("name", "string")],
}
_home = []


def home(events=2000):
    """A store of this script alone, with events in it, and no models yet."""
    if not _home:
        _home.append(leat.Home(TOPOLOGY, schemas=SCHEMAS))
    h = _home[0]
    leat.end_all()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(TOPOLOGY)
    h.forget(NAME)
    shutil.rmtree(os.path.join(h.dir, ".leat"), ignore_errors=True)
    h.must("apply")
    append_many(0, events)
    return h


def append_many(first, count):
    """So many events over 40 keys, in one statement per key."""
    keys = {}
    for i in range(first, first + count):
        key = f"k{i % 40}"
        body = ("Named", {"id": key, "name": f"n{i % 7}"}) if i % 10 == 0 else (
            "Paid", {"id": key, "amount": i % 97, "kind": f"kind{i % 5}"})
        keys.setdefault(key, []).append(body)
    pg.execute("".join(store.appending(NAME, f"acc-{key}", events)
                       for key, events in keys.items()))


def fold():
    """What the two models must hold, computed by Python from SQL."""
    cards, totals = {}, {}
    for e in pg.rows(f"select type, convert_from(payload, 'UTF8') as payload from {NAME}.events "
                     "order by slice, seq"):
        p = json.loads(e["payload"])
        card = cards.setdefault(p["id"], {})
        if e["type"] == "Named":
            card["name"] = p["name"]
            continue
        card["sum"] = card.get("sum", 0) + p["amount"]
        card["n"] = card.get("n", 0) + 1
        card["last"] = (card.get("last", []) + [p["amount"]])[-100:]
        total = totals.setdefault(p["kind"], {"sum": 0, "n": 0})
        total["sum"] += p["amount"]
        total["n"] += 1
    return cards, totals


def rows(h, model, *where):
    return h.must_json("list", model, "--limit", 1000, *where)["rows"]


def models(h, *where):
    cards, totals = ({r.pop("key"): {k: v for k, v in r.items() if v is not None}
                      for r in rows(h, model, *where)} for model in ("card", "totals"))
    return cards, totals


def equals_fold(h, *where, seconds=60):
    wait.equals(lambda: models(h, *where), fold(), seconds, "the models to equal the fold")


def start(h, name="leat"):
    """Relay, projector and HTTP, and its address."""
    url = f"http://127.0.0.1:{servers.free_port()}"
    p = h.start("--role", "relay,projector,http", "--listen", url[7:], name=name)
    return p, url


def versions(h, model="card"):
    return {v["version"]: v for v in h.must_json("model", "list", model)}


def current(h, model="card"):
    return h.must_json("model", "status", model)["current"]


class Writer(threading.Thread):
    """Appends until it is stopped."""

    def __init__(self, first):
        super().__init__(daemon=True)
        self.next, self.stopping, self.failed = first, threading.Event(), None

    def run(self):
        try:
            while not self.stopping.is_set():
                append_many(self.next, 80)
                self.next += 80
        except Exception as e:  # noqa: BLE001 - told by stop()
            self.failed = e

    def stop(self):
        self.stopping.set()
        self.join()
        assert self.failed is None, self.failed


class Reader(threading.Thread):
    """Reads over HTTP until it is stopped: no answer may fail, no position may go back."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.stopping = f"{url}/v1/models/card?limit=1", threading.Event()
        self.reads, self.last, self.wrong = 0, {}, []

    def run(self):
        while not self.stopping.is_set() and len(self.wrong) < 5:
            answer = api.get(self.url)
            if answer.status != 200:
                self.wrong.append(repr(answer))
                continue
            for group in answer.headers["Leat-Position"].split(";"):
                for pair in group.partition(":")[2].split(","):
                    k, seq = map(int, pair.split("="))
                    if seq < self.last.get(k, 0):
                        self.wrong.append(f"slice {k} went back from {self.last[k]} to {seq}")
                    self.last[k] = seq
            self.reads += 1

    def stop(self):
        self.stopping.set()
        self.join()
        check.equal(self.wrong, [])
        assert self.reads > 5, f"only {self.reads} reads"


@check.test
def a_rebuild_under_writes_joins_exactly_and_readers_notice_nothing():
    h = home()
    _, url = start(h)
    equals_fold(h)
    old = current(h)
    writer, reader = Writer(2000), Reader(url)
    writer.start()
    reader.start()
    page = api.get(f"{url}/v1/models/card?limit=1").json
    built = h.must_json("model", "rebuild", "card", "--switch")
    new = built["version"]
    following = api.get(f"{url}/v1/models/card?limit=1&cursor={page['cursor']}")
    check.equal((following.headers["Leat-Version"], following.json["rows"][0]["key"]),
                (new, "k1"), "a list goes on in the version switched to")
    check.equal((built["switched"], current(h), built["events"] >= 2000), (True, new, True))
    h.must("model", "switch", "card", old)  # and back, and forth
    check.equal(current(h), old)
    h.must("model", "switch", "card")
    check.equal(current(h), new)
    writer.stop()
    equals_fold(h)
    reader.stop()
    check.equal(h.must_json("model", "diff", "card", old, new)["equal"], True, "both are fed")
    refused = h.cli("model", "drop", "card", new)
    check.equal((refused.returncode, "readers use" in refused.stderr), (2, True), refused.stderr)
    check.equal({v["version"]: v["state"] for v in versions(h).values()},
                {old: "former", new: "current"})
    young = h.must_json("model", "drop", "--former")
    check.equal([(d["version"], d["done"]) for d in young], [(old, "kept")], "left just now")
    would = h.must("model", "drop", "--former", "card", "--older-than", "0s", "--dry-run")
    check.contains(would, f"would be dropped {old}")
    gone = h.must_json("model", "drop", "--former", "--older-than", "0s")
    check.equal([(d["version"], d["done"]) for d in gone], [(old, "dropped")])
    check.equal(list(versions(h)), [new])
    check.contains(h.must("model", "drop", "--former"), "no version that readers have left")
    append_many(writer.next, 100)
    equals_fold(h)


@check.test
def a_killed_rebuild_is_gone_on_with():
    h = home(6000)
    store.set_published(NAME)
    killed, resumed = 0, 0
    for after in (0, 1, 2):
        build = subprocess.Popen(
            [servers.BIN, "model", "rebuild", "card", "--throttle", "3000/s"], cwd=h.dir,
            env=h.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def far_enough(after=after):
            v = list(versions(h).values())
            return v and v[0].get("build", {}).get("done", 0) >= after * 500

        wait.until(far_enough, 60, "the build to get on")
        build.send_signal(signal.SIGKILL)
        build.wait()
        killed += 1
        broken = list(versions(h).values())
        check.equal([v["state"] for v in broken], ["broken off"])
    name = list(versions(h))[0]
    check.equal(h.cli("model", "switch", "card", name).returncode, 2, "not built yet")
    built = h.must_json("model", "rebuild", "card", "--throttle", "1000000/s", "--switch")
    resumed = built["resumed"]
    check.equal((built["version"], built["events"] + resumed), (name, 6000))
    check.equal({r["key"]: r["sum"] for r in rows(h, "card")},
                {k: v.get("sum") for k, v in fold()[0].items()})
    check.equal(h.must_json("model", "check", "card")["good"], True)
    replayed = h.must_json("replay", "card")
    check.equal(replayed["live"]["equal"], True)


@check.test
def one_builds_at_a_time_and_it_can_be_paused_and_throttled():
    h = home(6000)
    store.set_published(NAME)
    build = subprocess.Popen(
        [servers.BIN, "model", "rebuild", "totals", "--throttle", "200/s"], cwd=h.dir, env=h.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def state():
        v = list(versions(h, "totals").values())
        return v[0]["state"] if v else None

    wait.equals(state, "building", 60)
    second = h.cli("model", "rebuild", "totals")
    check.equal((second.returncode, "built by another process" in second.stderr), (1, True),
                second.stderr)
    check.equal(h.cli("model", "drop", "totals", list(versions(h, "totals"))[0]).returncode, 2)
    h.must("model", "pause", "totals")
    wait.equals(state, "paused", 10)
    h.must("model", "resume", "totals")
    wait.equals(state, "building", 10)
    h.must("model", "rebuild", "totals", "--throttle", "1000000/s")
    out, err = build.communicate(timeout=60)
    check.equal((build.returncode, "6000 events" in out), (0, True), out + err)


@check.test
def two_projectors_on_one_folder_and_a_rebuild_count_once():
    h = home(1000)
    first, _ = start(h, "first")
    second, _ = start(h, "second")
    equals_fold(h)
    writer = Writer(1000)
    writer.start()
    new = h.must_json("model", "rebuild", "totals", "--switch")["version"]
    first.kill()
    h.must("model", "rebuild", "card", "--switch")
    writer.stop()
    equals_fold(h)
    check.equal(current(h, "totals"), new)
    check.equal(second.stop(), 0)


@check.test
def a_changed_declaration_is_built_from_the_store_and_the_old_one_stays_fed():
    h = home()
    p, url = start(h)
    equals_fold(h)
    old = current(h)
    check.equal(p.stop(), 0)
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(TOPOLOGY.replace("set: {name: $.name}", "set: {name: $.name, called: $.name}"))
    check.contains(h.must("plan"), "built from the store beside the one in use")
    p, url = start(h)
    reader = Reader(url)
    wait.until(lambda: api.get(reader.url).status == 200, 60, "an answer")
    reader.start()
    pages = api.get(f"{url}/v1/models/card?limit=1").json["cursor"]
    wait.until(lambda: current(h) != old, 60, "the switch")
    page = f"/v1/models/card?limit=1&cursor={pages}"
    went_on = api.get(url + page)
    check.equal((went_on.status, went_on.headers["Leat-Version"]), (200, old), went_on.body)
    assert "called" not in went_on.json["rows"][0], "the list goes on in the version it began in"
    check.equal(h.must_json("list", "card", "--limit", "1", "--cursor", pages)["rows"],
                went_on.json["rows"])
    batch = api.post(url + "/v1/batch", {"reads": [
        {"read": "list", "model": "card", "limit": 1, "cursor": pages}]})
    check.equal((batch.status, batch.json["answers"][0]["status"]), (200, 400), batch.body)
    check.contains(batch.json["answers"][0]["detail"], "former declaration")
    new = current(h)
    append_many(2000, 500)
    wait.until(lambda: sum(r["n"] or 0 for r in rows(h, "card")) == 2500 * 9 // 10, 60, "all rows")
    reader.stop()
    same = h.must_json("model", "diff", "card", old, new)
    check.equal((same["equal"], same["same_declaration"], same["fields_compared"]),
                (True, False, 4), "the old one is fed")
    h.must("model", "switch", "card", old)
    check.equal(h.must_json("model", "drop", "--former", "--older-than", "0s"), [],
                "what the topology declares is none, though readers have left it")
    check.equal(p.stop(), 0)
    p, url = start(h)  # what a person chose stands
    append_many(2500, 40)
    wait.until(lambda: sum(v["events"] for v in versions(h).values()) == 2 * 2540, 60,
               "both to be fed")
    check.equal(current(h), old)
    check.equal(h.must_json("model", "status", "card")["held"], True)
    h.must("model", "switch", "card", new)
    check.equal(current(h), new)
    wait.until(lambda: api.get(url + page).status == 200, 60, "the page, in the old version")
    h.must("model", "drop", "card", old)
    gone = api.get(url + page)
    check.equal((gone.status, gone.json["code"]), (410, "version-gone"), gone.body)
    check.contains(gone.json["hint"], "start again without")
    check.contains(h.cli("list", "card", "--cursor", pages).stderr, "whose rows are gone")
    p.stop()


@check.test
def a_backup_is_a_data_folder_and_is_gone_on_from():
    h = home()
    p, _ = start(h)
    equals_fold(h)
    writer = Writer(2000)
    writer.start()
    backup = os.path.join(h.dir, "backup")
    shutil.rmtree(backup, ignore_errors=True)
    for model in ("card", "totals"):
        h.must("model", "backup", model, backup)
    writer.stop()
    check.equal(h.must_json("model", "check", "card", "--data", backup)["good"], True)
    check.equal(h.must_json("replay", "card", "--data", backup)["live"]["equal"], True)
    again = h.cli("model", "backup", "card", backup)
    check.equal(again.returncode, 2, again.stderr)
    p.stop()
    data = os.path.join(h.dir, ".leat", NAME)
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    start(h)
    equals_fold(h)


@check.test
def a_damaged_file_is_told_from_a_whole_one():
    h = home()
    start(h)
    equals_fold(h)
    good = h.must_json("model", "check", "card")
    check.equal((good["good"], good["rows"], good["index_entries"]), (True, 40, 40))
    backup = os.path.join(h.dir, "backup")
    for damage in ("index", "pages", "cut"):
        shutil.rmtree(backup, ignore_errors=True)
        h.must("model", "backup", "card", backup)
        path = os.path.join(backup, "models", f"card.{current(h)}", "data.mdb")
        with open(path, "r+b") as f:
            data = f.read()
            if damage == "index":  # a name in the index alone: there it has an end
                f.seek(0)
                f.write(data.replace(b"n3\0\1", b"n9\0\1"))
            elif damage == "pages":
                for at in range(3 * 4096, len(data), 4096):
                    f.seek(at)
                    f.write(b"\xa5" * 512)
            else:
                f.truncate(len(data) // 4)
        done = h.cli("model", "check", "card", "--data", backup, "--json")
        check.equal(done.returncode, 3, f"{damage}: {done.stdout[-500:]}{done.stderr[-300:]}")
        check.equal(json.loads(done.stdout)["good"], False)
        check.contains(h.cli("model", "check", "card", "--data", backup).stdout, "DAMAGED")


def checked(h, model, folder, whole, seed):
    """What is wrong with how a check of a copy of `whole` ends that has some bytes changed, or a
    page where another belongs; None."""
    rng, data = random.Random(seed), bytearray(whole)
    if seed % 3 == 0:
        to, of = (4096 * rng.randrange(2, len(data) // 4096) for _ in range(2))
        data[to:to + 4096] = data[of:of + 4096]
    for _ in range(seed % 3):
        at = rng.randrange(len(data))
        for i in range(at, min(at + rng.choice((1, 1, 8, 4096)), len(data))):
            data[i] ^= rng.randrange(1, 256)
    path = os.path.join(folder, "models", f"{model}.{current(h, model)}", "data.mdb")
    with open(path, "wb") as f:
        f.write(data)
    done = h.cli("model", "check", model, "--data", folder, "--json")
    said = json.loads(done.stdout) if done.stdout else {}
    fits = (done.returncode, said.get("good")) in ((0, True), (3, False))
    return None if fits else f"seed {seed}: {done.returncode} {done.stdout} {done.stderr}"


@check.test
def a_check_ends_well_whichever_bytes_are_damaged():
    h = home()
    start(h)
    equals_fold(h)
    backup, seeds = os.path.join(h.dir, "backup"), range(int(os.environ.get("SEEDS", "30")))
    shutil.rmtree(backup, ignore_errors=True)
    h.must("model", "backup", "card", backup)
    with open(os.path.join(backup, "models", f"card.{current(h)}", "data.mdb"), "rb") as f:
        whole = f.read()
    wrong = [checked(h, "card", backup, whole, seed) for seed in seeds]
    check.equal([w for w in wrong if w], [])


@check.test
def compacting_frees_pages_and_loses_nothing():
    h = home(6000)
    start(h)
    equals_fold(h)
    old = current(h)
    check.contains(h.must("model", "compact", "card", "--dry-run"), "would be compacted")
    h.must("model", "compact", "card")
    check.equal((current(h) != old, list(versions(h))), (True, [current(h)]))
    append_many(6000, 200)
    equals_fold(h)
    check.equal(h.must_json("model", "check", "card")["good"], True)


@check.test
def wrong_calls_say_what_is_right():
    h = home(10)
    for call, code, text in (
            (("rebiuld", "card"), 2, "rebuild"), (("rebuild", "crad"), 2, "card"),
            (("drop", "card"), 2, "takes a model and a version"),
            (("drop", "--former", "card", "ffff"), 2, "--former takes no version"),
            (("drop", "--former", "--older-than", "soon"), 2, "is no duration"),
            (("list", "--former"), 2, "no option of leat model list"),
            (("switch", "card"), 3, "no other version"), (("check", "card"), 3, "no data"),
            (("list", "--switch"), 2, "no option of leat model list"),
            (("drop", "card", "ffff"), 2, "no version 'ffff'")):
        done = h.cli("model", *call)
        check.equal((done.returncode, text in done.stderr), (code, True), done.stderr)
    check.contains(h.must("model", "rebuild", "card", "--dry-run"), "nothing done")
    check.equal(h.must_json("model", "list"), [])


@check.at_end
def clean():
    leat.end_all()
    if _home:
        _home[0].forget(NAME)


if __name__ == "__main__":
    check.main()
