#!/usr/bin/env python3
"""Effects that are claimed: mails through a server that sends a repeated one again. Killed in the
middle of a call, cut off from the store in the middle of one: no mail goes out twice, and an
unknown outcome is held, given up or repeated, as declared. The server counts.
"""

import collections
import http.server
import json
import os
import signal
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "effects_e2e"
TOPIC = f"{NAME}.mailers.warm"
BOXES = 24

_system = {}


class Server(http.server.ThreadingHTTPServer):
    """Takes every mail it is given; while `gate` is shut it answers nobody."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock, self.gate = threading.Lock(), threading.Event()
        self.gate.set()
        self.mails = collections.defaultdict(list)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, mail):
        with self.lock:
            self.mails[mail].append(str(uuid.uuid4()))
            return self.mails[mail][-1]

    def taken(self, prefix):
        """box -> how often its mail was taken."""
        with self.lock:
            return {box: len(ids) for (box, _), ids in self.mails.items() if box.startswith(prefix)}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        _, _, box, number = self.path.split("/")
        mail_id = self.server.take((box, int(number)))
        self.server.gate.wait()
        try:
            self.send_response(200)
            self.send_header("Mail-Id", mail_id)
            self.end_headers()
        except OSError:
            pass  # who asked is gone

    def log_message(self, *_):
        pass


def home(server=None):
    return leat.Home("tests/e2e/topology/effects.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "effects"),
        replace={"name: effects\n": f"name: {NAME}\n"},
        env={"SMTP_URL": server.url} if server else None)


def start():
    s = _system
    s["process"] = s["home"].start("--listen", s["url"][7:], "--instance", "one")
    wait.until(lambda: api.get(s["url"] + "/readyz").status == 200, 30, "leat to be ready")


def system():
    if not _system:
        server = Server()
        h = home(server)
        h.forget(NAME)
        h.must("apply")
        _system.update(server=server, home=h, url=f"http://127.0.0.1:{servers.free_port()}")
        start()
    return _system


def send(prefix, via, boxes=BOXES):
    kafka.produce(TOPIC, [(f"{prefix}{b}", json.dumps({"box": f"{prefix}{b}", "number": 1,
                                                      "via": via}),
                           {"ce_type": "SendMail", "ce_id": str(uuid.uuid4())})
                          for b in range(boxes)])


def events(prefix):
    """box -> [(type, server's id)]"""
    found = collections.defaultdict(list)
    for r in pg.rows(f"select type, convert_from(payload, 'UTF8') as body from {NAME}.events "
                     f"where stream like 'box-{prefix}%' order by stream, version"):
        body = json.loads(r["body"])
        found[body["box"]].append((r["type"], body.get("server_id")))
    return found


def commands(prefix, outcome):
    return pg.value(f"select count(*) from {NAME}.commands where stream like 'box-{prefix}%' "
                    f"and outcome = '{outcome}'")


def each_sent_once(prefix, boxes=BOXES):
    made = events(prefix)
    check.equal(system()["server"].taken(prefix), {f"{prefix}{b}": 1 for b in range(boxes)})
    with system()["server"].lock:
        for b in range(boxes):
            check.equal(made[f"{prefix}{b}"],
                        [("MailSent", system()["server"].mails[(f"{prefix}{b}", 1)][0])])


def killed_in_mid_call(prefix, via):
    """The server has taken some mails and answered none of them when leat is killed."""
    s = system()
    s["server"].gate.clear()
    send(prefix, via)
    wait.until(lambda: len(s["server"].taken(prefix)) >= 4, 20, "mails under way")
    s["process"].kill()
    s["process"].end_group()
    under_way = set(s["server"].taken(prefix))
    s["server"].gate.set()
    start()
    return under_way


@check.test
def each_mail_goes_out_once_and_what_came_of_it_is_kept():
    system()
    send("a", "hold")
    wait.equals(lambda: commands("a", "accepted"), BOXES)
    each_sent_once("a")
    check.equal(pg.value(f"select count(*) from {NAME}.effects where done and claims = 1"), BOXES)


@check.test
def cut_off_from_the_store_in_mid_call_nothing_is_unknown_or_sent_twice():
    s = system()
    s["server"].gate.clear()
    send("b", "hold")
    wait.until(lambda: len(s["server"].taken("b")) >= 4, 20, "mails under way")
    cut = pg.value("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                   f"where query like '%{NAME}%' and pid <> pg_backend_pid()")
    assert cut > 0, "no connection was cut"
    s["server"].gate.set()
    wait.equals(lambda: commands("b", "accepted"), BOXES)
    each_sent_once("b")
    check.equal(pg.value(f"select count(*) from {NAME}.effects where unknown_at is not null"), 0)


@check.test
def killed_in_mid_call_what_is_unknown_is_held_for_a_person():
    s, under_way = system(), killed_in_mid_call("c", "hold")
    wait.equals(lambda: commands("c", "accepted") + commands("c", "dead"), BOXES)
    check.equal(max(system()["server"].taken("c").values()), 1, "how often a mail was sent")
    rows = pg.rows(f"select stream, error_code, error_text from {NAME}.commands "
                   "where stream like 'box-c%' and outcome = 'dead'")
    dead = {r["stream"][4:] for r in rows}  # with those that were claimed, and not yet on their way
    assert under_way <= dead, under_way - dead
    s["under_way"] = under_way
    check.equal({r["error_code"] for r in rows}, {"effect-unknown"})
    unknown = pg.value(f"select count(*) from {NAME}.effects where unknown_at is not null")
    check.equal(unknown, len(dead))


@check.test
def a_person_settles_it_and_redrives():
    s = system()
    rows = s["home"].must_json("effects", "list", "--call", "hold")
    check.equal({r["state"] for r in rows}, {"unknown"})
    again = next(r for r in rows if r["key"] in s["under_way"])
    known = [r for r in rows if r != again]
    for r in known:
        check.equal(len(s["home"].must_json("effects", "settle", r["id"], "--done", "by-hand")), 1)
    s["home"].must("effects", "settle", again["id"], "--not-done")
    check.equal(s["home"].cli("effects", "settle", again["id"], "--not-done").returncode, 3)
    check.equal(s["home"].cli("effects", "settle", again["id"]).returncode, 2)
    check.equal(s["home"].must_json("effects", "list"), [])
    s["home"].must("dlq", "redrive", "--code", "effect-unknown")
    wait.equals(lambda: commands("c", "accepted"), BOXES)
    taken, made = s["server"].taken("c"), events("c")
    check.equal(taken.pop(again["key"]), 2, "it was said not to have been sent")
    check.equal(set(taken.values()), {1})
    for r in known:
        check.equal(made[r["key"]], [("MailSent", "by-hand")])


@check.test
def given_up_the_handler_says_so():
    under_way = killed_in_mid_call("d", "give_up")
    wait.equals(lambda: commands("d", "accepted"), BOXES)
    check.equal(set(system()["server"].taken("d").values()), {1})
    given_up = {box for box, made in events("d").items() if made == [("MailUnknown", None)]}
    assert under_way <= given_up, under_way - given_up
    check.equal(pg.value(f"select count(*) from {NAME}.effects where unknown_at is not null"), 0)


@check.test
def repeated_it_goes_out_again():
    under_way = killed_in_mid_call("e", "repeat")
    wait.equals(lambda: commands("e", "accepted"), BOXES)
    taken = system()["server"].taken("e")
    check.equal({times for box, times in taken.items() if box in under_way}, {2})
    check.equal(len(taken), BOXES)
    check.equal({made[0][0] for made in events("e").values()}, {"MailSent"})


@check.test
def a_server_that_is_not_there_leaves_nothing_unknown():
    s = system()
    port = s["server"].server_address[1]
    s["server"].shutdown()
    s["server"].server_close()
    send("f", "repeat")
    wait.until(lambda: "the circuit of 'repeat' is open" in s["process"].log(), 20, "the circuit")
    wait.until(lambda: s["process"].log().count("a trial failed") >= 2, 20, "trials")
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.effects where not done and "
                                 "convert_from(key, 'UTF8') like 'f%'"), 0, 5,
                "claims to be taken back")
    s["server"] = Server(port)
    wait.equals(lambda: commands("f", "accepted"), BOXES)
    check.equal(commands("f", "dead"), 0)
    each_sent_once("f")


@check.test
def a_zombie_in_mid_call_and_its_successor_send_no_mail_twice():
    """Stopped with mails under way, taken over from, and let go on: what it comes to know is kept,
    so that nobody has to be asked."""
    s = system()
    s["server"].gate.clear()
    send("g", "hold")
    wait.until(lambda: len(s["server"].taken("g")) >= 4, 20, "mails under way")
    os.killpg(s["process"].pid, signal.SIGSTOP)
    under_way = set(s["server"].taken("g"))
    successor = s["home"].start("--role", "worker,relay", "--instance", "two", name="two")
    wait.until(lambda: successor.log().count("first record taken") > 0, 30, "a successor")
    s["server"].gate.set()
    wait.equals(lambda: commands("g", "accepted") + commands("g", "dead"), BOXES)
    assert commands("g", "dead") >= len(under_way), "what is under way is unknown to others"
    os.killpg(s["process"].pid, signal.SIGCONT)
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.effects where done and unknown_at "
                                 "is null and convert_from(key, 'UTF8') like 'g%'"), BOXES, 20,
                "the zombie to tell what it knows")
    s["home"].must("dlq", "redrive", "--code", "effect-unknown")
    wait.equals(lambda: commands("g", "accepted"), BOXES)
    each_sent_once("g")
    successor.stop()


def claim(number, epoch, by, unused=False, on_unknown="hold"):
    """What the store answers who claims effect `number` of a message of slice 0."""
    return pg.value(
        f"select state from {NAME}.claim_effect('mailers', 0, {epoch}, "
        f"'00000000-0000-4000-8000-000000000001', 'hold', {number}, 'k', '{by}', {unused}, "
        f"'{on_unknown}', 5000)")


@check.test
def of_all_that_claim_an_effect_at_once_one_is_told_it_is_his():
    system()
    answers, ids = [], [uuid.uuid4() for _ in range(12)]

    def own_epoch():
        return pg.value(f"select epoch from {NAME}.owners where processor = 'mailers' and k = 0")

    def all_at_once():
        """False while somebody acquires k 0: all are fenced, and nothing is claimed."""
        answers.clear()
        epoch = own_epoch()
        threads = [threading.Thread(target=lambda by=by: answers.append(claim(1, epoch, by)))
                   for by in ids]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return set(answers) != {3}
    wait.until(all_at_once, 30, "an epoch that stays")
    epoch = own_epoch()
    check.equal(sorted(answers), [0] + [2] * 11)
    owner = pg.value(f"select claimed_by from {NAME}.effects where key = 'k' and n = 1")
    check.equal(claim(1, epoch, owner), 2, "it may have been made")
    check.equal(claim(1, epoch, owner, unused=True), 0, "he knows that it was not")
    check.equal(claim(1, epoch, ids[0] if str(ids[0]) != owner else ids[1], unused=True), 2)
    check.equal(claim(2, epoch - 1, ids[0]), 3, "fenced")
    check.equal(claim(2, epoch, ids[0]), 0, "who was fenced has claimed nothing")
    check.equal(claim(2, epoch, ids[1], on_unknown="repeat"), 0)
    check.equal(claim(2, epoch, ids[0], unused=True), 2, "it is another's now")


CASES = """
- it: goes on without when nobody knows, as declared
  when: {SendMail: {box: a, number: 1, via: give_up}}
  unknown: [give_up]
  then: [MailUnknown: {box: a, number: 1}]
- it: is held for a person otherwise
  when: {SendMail: {box: a, number: 1, via: hold}}
  unknown: hold
  then: {poison: not known}
- it: is taken back where the server is not even asked
  when: {SendMail: {box: a, number: 1, via: repeat}}
  open: repeat
  then: {retry: away}
"""


@check.test
def cases_of_leat_test_say_what_is_unknown():
    h = home()
    path = os.path.join(h.dir, "mailers_test.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(CASES)
    h.must("test", path)


@check.at_end
def forget():
    if _system:
        _system["server"].gate.set()
        os.killpg(_system["process"].pid, signal.SIGCONT)
        _system["process"].stop()
        home().forget(NAME)


if __name__ == "__main__":
    check.main()
