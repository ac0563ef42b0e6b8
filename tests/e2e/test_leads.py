#!/usr/bin/env python3
"""The lead pipeline and `leat import` on the real servers, as a user runs them.
"""

import json
import os
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo")]
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402
import expected  # noqa: E402
import generate  # noqa: E402
import leads_rules  # noqa: E402

NAME = "leads_e2e"
ROWS = 2000
RULES = os.path.join(servers.ROOT, "rules", "score.yaml")
GOOD = {"company": "Acme", "email": "a@example.com", "state": "NY", "source": "web"}

_started = {}


def home(name, env=None):
    return leat.Home(
        "topology/leads.yaml", env={"LEADS_RULES": RULES, **(env or {})},
        replace={"name: leads\n": f"name: {name}\n",
                 "[../schemas]": f"[{os.path.join(servers.ROOT, 'schemas')}]"})


class Pipeline:
    """The lead pipeline under a name of its own, set up and clean; start() runs it."""

    def __init__(self, name):
        self.name, self.home, self.process = name, home(name), None
        self.home.forget(name)
        self.home.must("apply")
        self.url = f"http://127.0.0.1:{servers.free_port()}"

    def start(self):
        p = self.process = self.home.start("--listen", self.url[7:])
        wait.until(lambda: p.alive() and api.get(self.url + "/readyz").status == 200, 60,
                   f"leat to be ready ({p.log_path})")
        return self

    def handled(self, processor):
        """Offsets the lanes of a processor stand at, all together."""
        return pg.value(f"select coalesce(sum(next_offset), 0) from {self.name}.lanes "
                        f"where processor = '{processor}'")

    def sent(self, processor):
        return sum(kafka.count(f"{self.name}.{processor}.{p}") for p in ("hot", "warm", "cold"))

    def quiet(self):
        """Every command sent is settled, for each processor in turn, and projected."""
        for processor in ("create", "score", "route"):
            wait.until(lambda p=processor: self.handled(p) == self.sent(p), 60,
                       f"{processor} to be done")
            wait.until(lambda: pg.value(f"select count(*) from {self.name}.outbox") == 0, 60,
                       "the outbox to be empty")
        wait.until(lambda: expected.projected(self.url, self.name), 60, "the read models")


def system():
    """The pipeline most tests share, running."""
    if "system" not in _started:
        _started["system"] = Pipeline(NAME).start()
    return _started["system"]


def csv_of_leads(h, rows=ROWS, seed=11):
    path = os.path.join(h.dir, f"leads-{seed}.csv")
    with open(path, "wb") as out:
        generate.generate(rows, seed, out)
    return path


@check.test
def imported_csv_ends_as_an_independent_count_says():
    s = system()
    h, url = s.home, s.url
    path = csv_of_leads(h)
    want = leads_rules.outcome(path, RULES)
    done = h.must_json("import", path, "-c", "CreateLead", "--priority", "cold")
    check.equal((done["rows"], done["sent"], done["refused"], done["finished"]),
                (want["rows"], want["sent"], len(want["refused_at_import"]), True))
    s.quiet()
    checks = expected.compare(want, path + ".rejects.jsonl", url, NAME)
    assert checks.failed == 0, checks.text()


@check.test
def imported_again_nothing_is_done_twice():
    s = system()
    h = s.home
    path = csv_of_leads(h)
    outcomes = (f"select type, outcome, count(*) from {NAME}.commands group by 1, 2 "
                "order by 1, 2")
    before = pg.rows(outcomes)
    records = s.sent("create")
    again = h.cli("import", path, "-c", "CreateLead", "--priority", "cold")
    check.equal(again.returncode, 0)
    h.must("import", path, "-c", "CreateLead", "--priority", "cold", "--restart")
    assert s.sent("create") > records, "the rows were sent again"
    s.quiet()
    check.equal(pg.rows(outcomes), before)


def create(url, key, wait_s=10, **fields):
    body = {"lead_id": key, **GOOD, **fields}
    return api.post(f"{url}/v1/commands/CreateLead", body, headers={"Prefer": f"wait={wait_s}"},
                    seconds=wait_s + 5)


@check.test
def each_mistake_is_rejected_with_its_code():
    url = system().url
    cases = [("missing-field", {"company": " "}), ("missing-field", {"email": ""}),
             ("missing-field", {"state": ""}), ("too-long", {"company": "x" * 201}),
             ("too-long", {"notes": "é" * 2001}), ("bad-email", {"email": "a@b"}),
             ("bad-phone", {"phone": "555-0100"}), ("bad-domain", {"domain": "localhost"}),
             ("bad-state", {"state": "XX"}), ("bad-source", {"source": "rumour"})]
    for i, (code, fields) in enumerate(cases):
        answer = create(url, f"case-{i}", **fields)
        check.equal(answer.status, 422, f"{fields}: {answer}")
        check.contains(answer.body.decode(), code)


@check.test
def good_lead_is_normalised_scored_and_routed():
    url = system().url
    answer = create(url, "good-1", email=" Info@Example.COM ", phone="(212) 555-0123 x9",
                    domain="https://www.Example.com/a", state="ca", employees=60, budget=12000,
                    category="Dental")
    check.equal(answer.status, 200, repr(answer))
    card = wait.until(lambda: (lambda r: r if r.get("stage") == "routed" else None)(
        api.get(f"{url}/v1/models/leads/good-1").json), 30, "the card to be routed")
    shown = ("email", "phone", "domain", "state", "category", "team", "tier")
    check.equal([card[f] for f in shown],
                ["info@example.com", "+12125550123", "example.com", "CA", "dental", "west", "hot"])
    check.equal(card["score"], 100)
    check.contains(" ".join(card["reasons"]), "a domain without a website")
    streams = api.get(f"{url}/v1/streams/lead-good-1").json["events"]
    check.equal([e["type"] for e in streams], ["LeadCreated", "LeadScored", "LeadRouted"])


@check.test
def second_lead_under_an_id_is_rejected():
    url = system().url
    check.equal(create(url, "twice").status, 200)
    answer = create(url, "twice", company="Other")
    check.equal(answer.status, 422, repr(answer))
    check.contains(answer.body.decode(), "lead-exists")


@check.test
def scoring_an_unknown_lead_is_rejected():
    url = system().url
    for command, fields in (("ScoreLead", {}), ("RouteLead", {"tier": "hot", "score": 1})):
        answer = api.post(f"{url}/v1/commands/{command}", {"lead_id": "nobody", **fields},
                          headers={"Prefer": "wait=10"}, seconds=15)
        check.equal(answer.status, 422, repr(answer))
        check.contains(answer.body.decode(), "no-such-lead")


@check.test
def rules_with_a_mistake_stop_the_start_and_are_named():
    s = system()
    h = s.home
    bad = os.path.join(h.dir, "bad.yaml")
    with open(RULES, encoding="utf-8") as good, open(bad, "w", encoding="utf-8") as out:
        out.write(good.read().replace("website: {given: false}", "web_site: {given: false}"))
    done = h.cli("run", "--role", "worker", "--processors", "score", env={"LEADS_RULES": bad})
    assert done.returncode != 0, "leat run started"
    check.contains(done.stderr, "rule 1: unknown field 'web_site'")


@check.test
def killed_in_the_middle_nothing_is_lost_or_done_twice():
    s = Pipeline("leads_kill")
    path = csv_of_leads(s.home, seed=12)
    want = leads_rules.outcome(path, RULES)
    s.home.must("import", path, "-c", "CreateLead", "--priority", "cold")
    for part in (0.05, 0.5, 1.2):  # of the commands to come
        s.start()
        wait.until(lambda: pg.value(f"select count(*) from {s.name}.commands") > part * ROWS, 60,
                   "some commands to be settled")
        s.process.kill()
    s.start()
    s.quiet()
    checks = expected.compare(want, path + ".rejects.jsonl", s.url, s.name)
    s.process.stop()
    assert checks.failed == 0, checks.text()


@check.test
def verbs_show_a_lead_and_take_a_command():
    s = system()
    h, url = s.home, s.url
    check.equal(create(url, "shown").status, 200)
    h.must("send", "ScoreLead", '{"lead_id": "shown"}', "--wait", "10s")
    s.quiet()
    check.equal(h.must_json("get", "leads", "shown")["stage"], "routed")
    listed = h.must("list", "leads", "--index", "by_state", "--from", "NY", "--to", "NY", "--json",
                    "--limit", "1000")
    check.contains(listed, '"shown"')
    events = [json.loads(line) for line in h.must("stream", "lead-shown", "--json").splitlines()]
    check.equal(sorted(e["type"] for e in events),
                ["LeadCreated", "LeadRouted", "LeadRouted", "LeadScored", "LeadScored"])
    rejected = h.cli("send", "CreateLead", '{"lead_id": "shown"}', "--wait", "10s")
    check.equal(rejected.returncode, 3, rejected.stderr)
    check.contains(rejected.stdout + rejected.stderr, "lead-exists")


# ---- leat import by itself: a store and topics, nobody that handles the commands ----

IMPORT = "leads_import"


def importing():
    if "import" not in _started:
        h = home(IMPORT)
        h.forget(IMPORT)
        h.must("apply")
        _started["import"] = h
    return _started["import"]


def write(h, name, text):
    path = os.path.join(h.dir, name)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path


@check.test
def interrupted_import_goes_on_where_the_broker_had_acknowledged():
    h = importing()
    rows = 150_000
    path = write(h, "many.csv", "lead_id,company\n" + "".join(f"k{i},c\n" for i in range(rows)))
    command = [servers.BIN, "import", path, "-c", "CreateLead", "-p", "warm"]
    first = subprocess.Popen(command, cwd=h.dir, env=h.env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    wait.until(lambda: kafka.count(f"{IMPORT}.create.warm") > 0, 30, "the first records")
    first.send_signal(signal.SIGINT)
    _, stderr = first.communicate(timeout=30)
    check.equal(first.returncode, 1, stderr)
    check.contains(stderr, "the same command line goes on there")
    with open(path + ".leat-import.json", encoding="utf-8") as f:
        progress = json.load(f)
    assert 0 < progress["rows"] < rows and not progress["finished"], progress
    check.equal(kafka.count(f"{IMPORT}.create.warm"), progress["sent"])

    second = h.cli("import", path, "-c", "CreateLead", "-p", "warm", "--json")
    check.equal(second.returncode, 0, second.stderr)
    check.contains(second.stderr, f"going on at line {progress['line']}")
    done = json.loads(second.stdout)
    check.equal((done["rows"], done["rows_now"], done["sent"]),
                (rows, rows - progress["rows"], rows))
    records = kafka.consume(f"{IMPORT}.create.warm")
    check.equal(len(records), rows)
    check.equal(len({r.header("ce_id") for r in records}), rows, "ids")


@check.test
def jsonl_and_renamed_columns_and_ids_from_a_field():
    h = importing()
    lines = write(h, "a.jsonl", '{"lead_id":"j1","company":"é"}\n\n{"lead_id":"j2","emial":"x"}\n'
                                '{"lead_id":"j3","employees":"many"}\nnonsense\n{"company":"x"}\n')
    done = h.must_json("import", lines, "-c", "CreateLead", "-p", "hot", "--id-from", "lead_id")
    check.equal((done["rows"], done["sent"], done["refused_by_code"]),
                (5, 1, {"key": 1, "json": 1, "field": 1, "encode": 1}))
    with open(lines + ".rejects.jsonl", encoding="utf-8") as f:
        rejects = [json.loads(line) for line in f]
    check.equal([r["line"] for r in rejects], [3, 4, 5, 6])
    check.contains(rejects[0]["reason"], "did you mean 'email'?")

    table = write(h, "b.csv", "Lead No;Firm;fax\nj1;Other;1\n")
    rejects = os.path.join(h.dir, "no-rejects.csv")
    h.must("import", table, "-c", "CreateLead", "-p", "hot", "--id-from", "lead_id", "--delimiter",
           ";", "--map", "Lead No=lead_id", "--map", "Firm=company", "--ignore-unknown",
           "--rejects", rejects)
    assert not os.path.exists(rejects), "no row was refused"
    records = kafka.consume(f"{IMPORT}.create.hot")
    check.equal([r.key for r in records], [b"j1", b"j1"])
    check.equal(len({r.header("ce_id") for r in records}), 1, "the same lead is the same command")


@check.test
def mistakes_of_the_caller_are_named_with_exit_code_2():
    h = importing()
    table = write(h, "c.csv", "lead_id,compnay\nc1,x\n")
    for arguments, text in (
            ([table], "--command is required"),
            ([table, "-c", "CreateLaed"], "'CreateLead'"),
            ([table, "-c", "CreateLead"], "'company'"),
            ([table, "-c", "CreateLead", "--map", "compnay"], "column=field"),
            ([table, "-c", "CreateLead", "--priority", "tepid"], "tepid"),
            ([table, "-c", "CreateLead", "--ignore-unknown", "--id-from", "email"], "email"),
            ([table, "-c", "CreateLead", "--resume"], "field"),
            (["/nowhere.csv", "-c", "CreateLead"], "No such file"),
            (["/dev/null", "-c", "CreateLead"], "not a regular file")):
        done = h.cli("import", *arguments)
        check.equal(done.returncode, 2, f"{arguments}: {done.stderr}")
        check.contains(done.stderr, text)


@check.test
def dry_run_needs_no_servers_and_leaves_no_progress():
    h = importing()
    path = csv_of_leads(h, 500, 3)
    want = leads_rules.outcome(path, RULES)
    done = h.must_json("import", path, "-c", "CreateLead", "--dry-run",
                       env={"KAFKA": "127.0.0.1:1", "STORE_URL": "postgresql://127.0.0.1:1/none"})
    check.equal((done["sent"], done["refused"]), (want["sent"], len(want["refused_at_import"])))
    assert not os.path.exists(path + ".leat-import.json")


@check.test
def import_waits_for_a_broker_that_is_away():
    h = importing()
    path = write(h, "w.csv", "lead_id\nw1\n")
    process = subprocess.Popen(
        [servers.BIN, "import", path, "-c", "CreateLead"], cwd=h.dir, text=True,
        env={**h.env, "KAFKA": f"127.0.0.1:{servers.free_port()}"}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    seen = []
    wait.until(lambda: seen.append(process.stderr.readline()) or "import-waiting" in seen[-1], 30,
               "word that the broker is waited for")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=40)
    check.equal(process.returncode, 1, stderr)
    check.contains(stderr, "stopped before line 2")


@check.at_end
def stop():
    if "system" in _started:
        _started["system"].process.stop()


if __name__ == "__main__":
    check.main()
