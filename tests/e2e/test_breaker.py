#!/usr/bin/env python3
"""A provider goes away under load: its circuit opens, nothing is dead-lettered, and what waited is
done in order once the provider is back. Retries allow three tries, the outage is far longer.

# sanitizers: tsan
"""

import http.server
import json
import os
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "breaker_e2e"
TOPIC = f"{NAME}.payers.warm"
ACCOUNTS, EACH = 24, 8
OPEN_FOR_S, OUTAGE_S = 0.4, 4.0
PROCESSES = 2

_system = {}


class Provider(http.server.ThreadingHTTPServer):
    """Takes payments, or answers 503 while it is down; it notes every request."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock, self.down, self.seen = threading.Lock(), False, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, payment, key):
        with self.lock:
            self.seen.append((payment, key, not self.down))
            return 503 if self.down else 200

    def requests(self, good):
        with self.lock:
            return [(payment, key) for payment, key, ok in self.seen if ok == good]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        _, _, account, number = self.path.split("/")
        status = self.server.note((account, int(number)), self.headers["Idempotency-Key"])
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


def home(provider=None):
    return leat.Home("tests/e2e/topology/breaker.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "breaker"),
        replace={"name: breaker\n": f"name: {NAME}\n"},
        env={"PSP_URL": provider.url} if provider else None)


def system():
    if not _system:
        provider = Provider()
        h = home(provider)
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        process = h.start("--listen", url[7:], "--instance", "one",
                          "--workers", PROCESSES)
        wait.until(lambda: api.get(url + "/readyz").status == 200, 30, "leat to be ready")
        _system.update(provider=provider, home=h, url=url, process=process)
    return _system


def send(numbers, mode="", accounts=ACCOUNTS, prefix="a"):
    kafka.produce(TOPIC, [(f"{prefix}{a}", json.dumps({"account": f"{prefix}{a}", "number": n,
                                                      "mode": mode}),
                           {"ce_type": "Pay", "ce_id": str(uuid.uuid4())})
                          for n in numbers for a in range(accounts)])


def settled(outcome=None):
    where = f" and outcome = '{outcome}'" if outcome else ""
    return pg.value(f"select count(*) from {NAME}.commands where processor = 'payers'{where}")


def metric(name):
    """Sum over all labels."""
    text = api.get(_system["url"] + "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(name + "{"))


def payments():
    """account -> [(number, by)] in the order of its stream."""
    found = {}
    for r in pg.rows(f"select stream, convert_from(payload, 'UTF8') as body from {NAME}.events "
                     "order by stream, version"):
        body = json.loads(r["body"])
        found.setdefault(body["account"], []).append((body["number"], body["by"]))
    return found


def nothing_is_dead():
    check.equal(settled("dead"), 0, "dead commands")
    check.equal(kafka.count(f"{NAME}.payers.dlq"), 0, "dead letters")
    check.equal(metric("leat_dead_total"), 0, "leat_dead_total")
    check.equal(settled("rejected"), 0, "rejected: a payment out of order")


@check.test
def a_provider_that_is_there_is_called_once_for_each_payment():
    s = system()
    send(range(1, EACH + 1))
    wait.equals(settled, ACCOUNTS * EACH)
    check.equal(len(s["provider"].requests(True)), ACCOUNTS * EACH)
    check.equal(metric("leat_breaker_state"), 0)
    wait.equals(lambda: metric("leat_breaker_calls_total"), ACCOUNTS * EACH, 5, "calls counted")


@check.test
def who_can_do_without_it_does():
    s = system()
    with s["provider"].lock:
        s["provider"].down = True
    s["down_since"] = time.monotonic()
    send([1], mode="or-book", prefix="b")
    wait.equals(settled, ACCOUNTS * (EACH + 1))
    books = [made for a, made in payments().items() if a.startswith("b")]
    check.equal(books, [[(1, "book")]] * ACCOUNTS)
    wait.until(lambda: metric("leat_breaker_refused_total") > 0, 5, "refusals counted")
    nothing_is_dead()


@check.test
def while_it_is_away_the_circuit_opens_and_nothing_is_dead():
    s = system()
    send(range(EACH + 1, 2 * EACH + 1))
    wait.until(lambda: metric("leat_breaker_state") > 0, 10, "the circuit to be open")
    wait.until(lambda: metric("leat_breaker_opened_total") >= 3, 10, "trials that failed")
    status = s["home"].must_json("status", "--listen", s["url"][7:])
    call = status["processors"][0]["calls"][0]
    check.equal(call["processes"], PROCESSES)
    check.equal(call["name"], "psp")
    assert call["circuit"] in ("open", "half-open") and call["opened"] >= 3, call
    assert any("circuit of 'psp'" in p for p in status["problems"]), status["problems"]
    check.contains(s["process"].log(), "the circuit of 'psp' is open")
    nothing_is_dead()


@check.test
def once_it_is_back_all_is_done_in_order_and_nothing_has_died():
    s = system()
    wait.until(lambda: time.monotonic() - s["down_since"] >= OUTAGE_S, OUTAGE_S + 1, "the outage")
    nothing_is_dead()
    tried = len(s["provider"].requests(False))
    with s["provider"].lock:
        s["provider"].down = False
        away_s = time.monotonic() - s["down_since"]
    # in each process, a trial for each open_for, and those that were under way when it opened
    most = PROCESSES * (away_s / OPEN_FOR_S + 3 + 8)
    assert 3 <= tried <= most, f"{tried} requests in {away_s:.1f} s"
    back = time.monotonic()
    wait.equals(settled, (2 * EACH + 1) * ACCOUNTS, 20)
    print(f"  {ACCOUNTS * EACH} payments in {time.monotonic() - back:.1f} s after "
          f"{away_s:.1f} s without provider, {tried} requests meanwhile", file=sys.stderr)
    nothing_is_dead()
    made = payments()
    for a in range(ACCOUNTS):
        check.equal(made[f"a{a}"], [(n, "psp") for n in range(1, 2 * EACH + 1)])
    wait.equals(lambda: metric("leat_breaker_state"), 0, 5, "the circuits to be closed")
    wait.until(lambda: "the circuit of 'psp' is closed" in s["process"].log(), 5, "its log line")


@check.test
def each_payment_has_one_key_however_often_it_was_tried():
    keys = {}
    with _system["provider"].lock:
        for payment, key, _ in _system["provider"].seen:
            keys.setdefault(payment, set()).add(key)
    check.equal([p for p, k in keys.items() if len(k) != 1], [])
    check.equal(len(set.union(*keys.values())), len(keys))
    assert all(uuid.UUID(key).version == 5 for k in keys.values() for key in k)


@check.test
def a_dry_run_calls_nobody():
    s = system()
    with s["provider"].lock:
        seen = len(s["provider"].seen)
    done = s["home"].cli("send", "Pay", json.dumps({"account": "dry", "number": 1, "mode": ""}),
                         "--dry-run", "--json")
    check.equal(done.returncode, 3)
    check.contains(done.stdout, "the provider is away")
    with s["provider"].lock:
        check.equal(len(s["provider"].seen), seen)


CASES = """
- it: is done by the book when the provider is away
  when: {Pay: {account: a, number: 1, mode: or-book}}
  open: [psp]
  then: [Paid: {account: a, number: 1, by: book}]
- it: waits for the provider otherwise
  when: {Pay: {account: a, number: 1, mode: ""}}
  open: psp
  then: {retry: away}
"""


@check.test
def a_case_of_leat_test_opens_the_circuit():
    h = home()
    path = os.path.join(h.dir, "payers_test.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(CASES)
    h.must("test", path)
    with open(path, "w", encoding="utf-8") as f:
        f.write(CASES.replace("[psp]", "[pps]"))
    done = h.cli("test", path)
    check.equal(done.returncode, 2)
    check.contains(done.stderr + done.stdout, "payers_test.yaml:4:10")
    check.contains(done.stderr + done.stdout, "did you mean 'psp'")


@check.at_end
def forget():
    if _system:
        _system["process"].stop()
        home().forget(NAME)


if __name__ == "__main__":
    check.main()
