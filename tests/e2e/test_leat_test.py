#!/usr/bin/env python3
"""`leat test` on the topologies of this tree and on handlers that misbehave, and
`leat send --dry-run` on the real servers."""

import json
import os
import sys
import tempfile
import uuid
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, kafka, leat, pg, servers, wait  # noqa: E402

NAME, SNAP, CRASH = "dry_e2e", "dry_snap_e2e", "dry_crash_e2e"
LEAD = {"lead_id": "L-1", "company": "Acme", "email": "ann@acme.example", "state": "TX",
        "source": "web"}
ACT = "- it: acts\n  processor: deeds\n  when: {Act: {deed_id: d, how: HOW}}\n  then: THEN\n"

_homes = {}


def own(topology):
    """Topologies of the tree are tested where they lie: nothing is written beside them."""
    if "own" not in _homes:
        _homes["own"] = leat.Home("leat: 1\nname: unused\n")
    home = _homes["own"]
    path = os.path.join(servers.ROOT, "topology", f"{topology}.yaml")
    return home.cli("test", "-t", path, "--json", "--junit", os.path.join(home.dir, "junit.xml"))


def faulty(text, *arguments, name="case_test.yaml"):
    """Runs cases given as YAML against tests/e2e/topology/faulty.yaml."""
    if "faulty" not in _homes:
        _homes["faulty"] = leat.Home("leat: 1\nname: unused\n",
                                     modules=os.path.join(servers.BIN_DIR, "modules", "faulty"))
    home = _homes["faulty"]
    with open(os.path.join(home.dir, name), "w", encoding="utf-8") as f:
        f.write(text)
    topology = os.path.join(servers.ROOT, "tests", "e2e", "topology", "faulty.yaml")
    return home.cli("test", "-t", topology, *arguments, name)


def act(how, then="[Acted: {how: HOW}]"):
    return ACT.replace("THEN", then).replace("HOW", how)


def failure(how, *arguments):
    done = faulty(act(how), *arguments)
    check.equal(done.returncode, 1, f"{how}: {done.stderr}")
    check.contains(done.stdout, "0 passed, 1 failed", how)
    return done.stdout


# ---- the tree's own cases ----

@check.test
def cases_of_the_lead_pipeline_pass():
    done = own("leads")
    check.equal(done.returncode, 0, done.stdout[-800:] + done.stderr)
    told = json.loads(done.stdout)
    check.equal((told["passed"], told["failed"]), (30, 0))
    assert told["faults_walked"] > 150, told["faults_walked"]
    check.equal({c["processor"] for c in told["cases"]}, {"create", "score", "route"})
    suites = ET.parse(os.path.join(_homes["own"].dir, "junit.xml")).getroot()
    check.equal((suites.get("tests"), suites.get("failures")), ("30", "0"))
    check.equal(len(suites.findall("./testsuite/testcase")), 30)


@check.test
def cases_of_the_shop_pass():
    done = own("shop")
    check.equal(done.returncode, 0, done.stdout[-800:] + done.stderr)
    told = json.loads(done.stdout)
    assert told["passed"] >= 15 and told["failed"] == 0, done.stdout[-800:]
    check.contains(done.stderr, "none of its processors is of topology 'shop'")  # the leads'


# ---- what a case can say ----

@check.test
def everything_a_case_can_say_is_compared():
    done = faulty("""
- x-place: &place {town: Calw, zip: 75365}
- it: says everything
  processor: deeds
  at: 2026-03-01T10:00:00+01:00
  priority: hot
  options: {greeting: good day}
  given: [Acted: {deed_id: d, count: 4, at: 2026-01-01T00:00:00Z}]
  when: [Act: {deed_id: d}, Act: {deed_id: d, how: retry}, {Act: {deed_id: d}, priority: cold}]
  then:
    - Acted: {deed_id: d, count: 5, at: 2026-03-01T09:00:00Z, mood: BAD, share: 0.25,
              notes: ["good day, 1", hot], place: *place}
      key: d
    - retry: before noon
    - Acted: {count: 6, at: 1772355600000, day: 1970-01-01, notes: ["good day, 2", cold]}
- it: needs no processor where one alone handles it
  when: {Acted: {deed_id: d}}
  then: {Act: {how: well}, priority: hot, key: d}
""")
    check.equal((done.returncode, done.stderr), (0, ""), done.stdout)
    check.contains(done.stdout, "ok    echo: needs no processor where one alone handles it")
    check.contains(done.stdout, "2 passed, 0 failed, ")


@check.test
def each_difference_is_told_with_its_place():
    done = faulty("""- it: differs
  processor: deeds
  when: {Act: {deed_id: d}}
  then:
    - Acted: {count: 2, at: 2026-01-02T00:00:00Z, mood: GOOD, share: 0.5, place: {town: Cal}}
- it: expects too much
  processor: deeds
  when: {Act: {deed_id: d}}
  then: [Acted: {notes: [hello], place: null}, rejected: no]
- it: expects too little
  processor: deeds
  when: {Act: {deed_id: d}}
  then: nothing
- it: expects another priority
  processor: echo
  when: {Acted: {deed_id: d}}
  then: {Act: {}, priority: cold, key: e}
""")
    check.equal(done.returncode, 1)
    for line in [
            "case_test.yaml:5:22: then[0].Acted.count\n        expected  2\n"
            "        actual    1\n",
            "case_test.yaml:5:29: then[0].Acted.at\n        expected  \"2026-01-02T00:00:00Z\"\n"
            "        actual    1767225600000\n",
            "case_test.yaml:5:57: then[0].Acted.mood\n        expected  \"GOOD\"\n"
            "        actual    \"BAD\"\n",
            "then[0].Acted.share\n        expected  0.5\n        actual    0.25\n",
            "then[0].Acted.place.town\n        expected  \"Cal\"\n        actual    \"Calw\"\n",
            "then[0].Acted.notes\n        expected  [\"hello\"]\n"
            "        actual    [\"hello, 0\",\"cold\"]\n",
            "then[0].Acted.place\n        expected  null\n        actual    {\"town\":",
            "case_test.yaml:9:48: then[1]\n        expected  rejected: no\n"
            "        actual    nothing\n",
            "then[0]\n        expected  nothing more\n        actual    Acted: {\"deed_id\":\"d\"",
            "then[0] key\n        expected  e\n        actual    d\n",
            "then[0] priority\n        expected  cold\n        actual    hot\n",
            '      what came of it:\n        - Acted: {"deed_id":"d","how":"well","count":1',
            "0 passed, 4 failed, "]:
        check.contains(done.stdout, line)


# ---- handlers that misbehave ----

@check.test
def a_handler_that_ends_its_process_fails_its_case_alone():
    done = faulty(act("crash") + act("well") + act("abort") + act("exit"))
    check.equal(done.returncode, 1)
    check.contains(done.stdout,
                   "case_test.yaml:1:3: SIGSEGV in handler of Act in processor 'deeds'")
    check.contains(done.stdout, "SIGABRT in handler of Act in processor 'deeds'")
    check.contains(done.stdout, "the process ended with code 0 in handler of Act")
    check.contains(done.stdout, "1 passed, 3 failed, ")


@check.test
def a_handler_that_never_ends_is_ended():
    check.contains(failure("forever", "--timeout", "300ms"),
                   "not done after 300ms in handler of Act")


@check.test
def a_handler_that_is_not_deterministic_is_told():
    check.contains(failure("clock"), "the handler of Act calls time(), which is not the same "
                                     "each time: use leat_now(ctx)")
    check.contains(failure("random"), "calls rand(), which is not the same each time: "
                                      "use leat_random(ctx)")
    check.contains(failure("env"), "calls getenv(), ")
    check.contains(failure("count"), "not deterministic: run a second time, what comes of Act "
                                     "differs in its bytes")
    done = faulty(act("well", "[Acted: {}]").replace(
        "  when:", "  given: [Acted: {deed_id: d, how: clock in the fold}]\n  when:"))
    check.contains(done.stdout, "the fold of Acted calls time(), ")


@check.test
def every_single_fault_is_walked():
    done = faulty(act("well") + act("careful"), "--json")
    check.equal(done.returncode, 0, done.stdout)
    told = json.loads(done.stdout)
    # leat_alloc, leat_text twice, encoding and keeping the event; malloc
    check.equal([c["faults_walked"] for c in told["cases"]], [5, 6])
    check.contains(failure("careless"), "SIGSEGV in handler of Act in processor 'deeds', "
                                        "with fault 1 (malloc fails)")
    check.contains(failure("swallow"), "with fault 1 (malloc fails) the handler of Act answers "
                                       "done: effects are missing; it has to answer retry")
    check.contains(failure("blame"), "answers rejected: out of memory; it has to answer retry")
    check.contains(failure("half"), "run again after fault 1 (leat_alloc failed), what comes of "
                                    "Act differs in its bytes")
    done = faulty(act("half"), "--no-faults")
    check.equal(done.returncode, 0, done.stdout)
    check.contains(done.stdout, "1 passed, 0 failed, 0 faults walked")


@check.test
def what_a_handler_prints_does_not_mix_with_results():
    done = faulty(act("chatty"), "--json")
    check.equal(json.loads(done.stdout)["passed"], 1)
    check.contains(done.stderr, "hello from a handler")


# ---- wrong files, wrong calls ----

BROKEN = [
    ("- it: x\n  procesor: deeds\n  when: {Act: {deed_id: d}}\n  then: nothing\n",
     "2:3: error: a case has no key 'procesor' (did you mean 'processor'?)"),
    ("- it: x\n  processor: deed\n  when: {Act: {deed_id: d}}\n  then: nothing\n",
     "2:14: error: topology 'faulty' has no processor 'deed' (did you mean 'deeds'?)"),
    ("- processor: deeds\n  when: {Act: {deed_id: d}}\n  then: nothing\n",
     "1:3: error: a case says in 'it' what it shows"),
    ("- it: x\n  processor: deeds\n  then: nothing\n",
     "1:3: error: the case has nothing in 'when'"),
    ("- it: x\n  when: {Act: {deed_id: d}}\n",
     "1:3: error: the case says nothing of 'then' (`then: nothing` when nothing is to come of it)"),
    (act("well", "[Actd: {}]"),
     "4:10: error: processor 'deeds' neither emits nor sends 'Actd' (did you mean 'Acted'?)"),
    (act("well", "{rejectd: x}"),
     "4:10: error: processor 'deeds' neither emits nor sends 'rejectd' "
     "(did you mean 'rejected'?)"),
    (act("well", "[Acted: {cuont: 1}]"),
     "4:18: error: Acted has no field 'cuont' (did you mean 'count'?)"),
    (act("well", "[Acted: {place: {twon: x}}]"),
     "4:26: error: Place has no field 'twon' (did you mean 'town'?)"),
    (act("well", "[Acted: {mood: GOD}]"),
     "4:24: error: 'GOD' is no symbol of Mood (did you mean 'GOOD'?)"),
    (act("well", "[Acted: {count: many}]"), "4:25: error: 'many' is no number"),
    (act("well", "[Acted: {at: noon}]"), "4:22: error: 'noon' is no time "
     "(as in 2026-03-01T10:00:00Z, or a number of milliseconds since 1970)"),
    (act("well", "[Acted: {day: 2026-02-29}]"), "4:23: error: '2026-02-29' is no date "
     "(as in 2026-03-01, or a number of days since 1970)"),
    (act("well", "[Acted: {notes: one}]"),
     "4:25: error: a single value where a list belongs"),
    (act("well", "[Acted: {deed_id: [d]}]"), "4:27: error: a list where a text belongs"),
    (act("well", "[Acted: {deed_id: null}]"), "4:27: error: nothing where a text belongs"),
    (act("well", "[Acted: {}, {Acted: {}, Act: {}}]"),
     "4:33: error: 'Act' beside 'Acted': one type in each mapping"),
    (act("well", "[{Acted: {}, kye: d}]"),
     "4:22: error: 'kye' beside 'Acted': no such key (did you mean 'key'?)"),
    (act("well", "{txet: late, rejected: late}"),
     "4:10: error: 'txet' beside 'rejected': no such key (did you mean 'text'?)"),
    (act("well", "[Acted: {}, key: d]"),
     "4:24: error: a mapping without the type of an event or command "
     "(its place is beside: {Type: {field: value}, key: …})"),
    (act("well", "{rejected: }"), "'rejected' with the handler's code takes a text"),
    (act("well").replace("Act:", "Atc:"),
     "3:10: error: processor 'deeds' does not handle 'Atc' (did you mean 'Act'?)"),
    (act("well").replace("deed_id: d", "deed: d"),
     "3:16: error: Act has no field 'deed' (did you mean 'deed_id'?)"),
    (act("well").replace("deed_id: d, ", ""),
     "3:10: error: could not encode Act: field 'deed_id' is missing"),
    (act("well").replace("  when", "  at: yesterday\n  when"),
     "3:7: error: 'yesterday' is no time (as in 2026-03-01T10:00:00Z)"),
    (act("well").replace("  when", "  at: 2026-02-30T00:00:00Z\n  when"),
     "3:7: error: '2026-02-30T00:00:00Z' is no time"),
    (act("well").replace("  when", "  priority: hott\n  when"),
     "3:13: error: processor 'deeds' has no priority 'hott' (did you mean 'hot'?)"),
    (act("well").replace("  when", "  given: [Acted: {deed_id: e}]\n  when"),
     "3:11: error: Acted is of key 'e', and nothing in `when` is"),
    (act("well").replace("  when", "  given: [Atced: {deed_id: d}]\n  when"),
     "3:11: error: no processor of aggregate 'deed' emits 'Atced' (did you mean 'Acted'?)"),
    ("- it: x\n  processor: echo\n  given: [Acted: {deed_id: d}]\n"
     "  when: {Acted: {deed_id: d}}\n  then: nothing\n",
     "3:11: error: processor 'echo' has no aggregate, so nothing can be given"),
    ("it: x\n", "1:1: error: a file of tests is a list of cases"),
    ("- x\n", "1:3: error: a case is a mapping: it, processor, when, then"),
    ("- it: x\n  when: [\n", "error:"),
]


@check.test
def each_mistake_in_a_file_is_told_with_its_place():
    for text, message in BROKEN:
        done = faulty(text)
        check.equal((done.returncode, done.stdout), (2, ""), f"{message}: {done.stderr}")
        check.contains(done.stderr, message)
        check.contains(done.stderr, "case_test.yaml:")


@check.test
def all_mistakes_are_told_at_once_and_nothing_is_run():
    done = faulty(act("well") + act("well", "[Acted: {cuont: 1}]") + "- it: y\n", "--json")
    check.equal(done.returncode, 2)
    told = json.loads(done.stdout)
    check.equal([(f["line"], f["column"]) for f in told["findings"]], [(8, 18), (9, 3)])


@check.test
def another_project_below_is_left_to_itself():
    with tempfile.TemporaryDirectory() as folder:
        inner = os.path.join(folder, "inner")
        os.mkdir(inner)
        for name in ("own_test.yaml", "inner/theirs_test.yaml"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(act("well"))
        check.contains(faulty(act("well"), folder).stdout, "3 passed, 0 failed")
        with open(os.path.join(inner, "leat.yaml"), "w", encoding="utf-8") as f:
            f.write("leat: 1\nname: theirs\n")
        check.contains(faulty(act("well"), folder).stdout, "2 passed, 0 failed")
        check.contains(faulty(act("well"), inner).stdout, "2 passed, 0 failed")


@check.test
def wrong_calls_are_refused():
    done = faulty(act("well"), "--only", "nowhere")
    check.equal((done.returncode, done.stderr), (2, "leat: no case has 'nowhere' in it\n"))
    done = _homes["faulty"].cli("test", "-t", os.path.join(
        servers.ROOT, "tests/e2e/topology/faulty.yaml"), "nowhere_test.yaml")
    check.equal((done.returncode, done.stderr),
                (2, "leat: there is no file or folder 'nowhere_test.yaml'\n"))
    with tempfile.TemporaryDirectory() as empty:
        done = _homes["faulty"].cli("test", "-t", os.path.join(
            servers.ROOT, "tests/e2e/topology/faulty.yaml"), empty)
        check.equal((done.returncode, done.stderr),
                    (2, f"leat: no *_test.yaml in folder '{empty}'\n"))


# ---- send --dry-run ----

def rows_of(name):
    """Rows of every table of the store, counted by Postgres, and records of every topic."""
    tables = pg.rows(f"SELECT c.relname AS t FROM pg_class c JOIN pg_namespace n ON n.oid = "
                     f"c.relnamespace WHERE n.nspname = '{name}' AND c.relkind = 'r'")
    assert len(tables) > 10, tables
    counted = " UNION ALL ".join(
        f"SELECT '{r['t']}' AS t, count(*) AS n, md5(string_agg(x::text, ',' ORDER BY x::text)) "
        f"AS h FROM {name}.\"{r['t']}\" x" for r in tables)
    topics = wait.until(lambda: {t: kafka.count(t) for t in kafka.topics(f"{name}.")}, 30,
                        "all topics to have leaders")
    return {r["t"]: (r["n"], r["h"]) for r in pg.rows(counted)}, topics


def pipeline():
    if "dry" not in _homes:
        home = leat.Home(
            "topology/leads.yaml",
            env={"LEADS_RULES": os.path.join(servers.ROOT, "rules", "score.yaml")},
            replace={"name: leads\n": f"name: {NAME}\n",
                     "[../schemas]": f"[{os.path.join(servers.ROOT, 'schemas')}]"})
        home.forget(NAME)
        home.must("apply")
        _homes["dry"] = home
    return _homes["dry"]


def dry(home, *arguments):
    done = home.cli("send", *arguments, "--dry-run", "--json")
    assert done.stdout, f"exit {done.returncode}: {done.stderr}"
    return done.returncode, json.loads(done.stdout)


def events(home):
    done = home.cli("stream", "lead-L-1", "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


@check.test
def dry_run_decides_on_live_state_and_writes_nothing():
    home = pipeline()
    body = json.dumps(LEAD)
    command = str(uuid.uuid4())
    before = rows_of(NAME)
    code, told = dry(home, "CreateLead", body, "--id", command)
    check.equal((code, told["outcome"], told["stream"], told["id"]),
                (0, "accepted", "lead-L-1", command))
    check.equal((told["version_before"], told["version_after"]), (0, 1))
    check.equal([(m["kind"], m["type"]) for m in told["made"]],
                [("event", "LeadCreated"), ("command", "ScoreLead")])
    check.equal((told["made"][1]["topic"], told["made"][1]["priority"]),
                (f"{NAME}.score.hot", "hot"))
    check.equal(rows_of(NAME), before, "after a dry run")

    process = home.start("--role", "worker,relay", "--instance", "one")
    home.must("send", "CreateLead", body, "--id", command, "--wait", "30s")
    wait.until(lambda: len(events(home)) == 3, 30, "three events")
    check.equal(process.stop(), 0)

    stored = events(home)[0]
    check.equal((stored["id"], stored["data"]), (told["made"][0]["id"], told["made"][0]["data"]),
                "what was foretold and what came")
    before = rows_of(NAME)
    code, told = dry(home, "CreateLead", body, "--id", command)
    check.equal((code, told["outcome"], told["outcome_before"]), (3, "duplicate", "accepted"))
    code, told = dry(home, "CreateLead", body)
    check.equal((code, told["outcome"], told["error_code"]), (3, "rejected", "lead-exists"))
    check.equal((told["version_before"], told["version_after"], told["made"]), (3, 3, []))
    code, told = dry(home, "RouteLead", '{"lead_id": "L-1", "tier": "warm", "score": 1}')
    check.equal((code, told["version_before"], told["version_after"]), (0, 3, 4))
    check.equal(told["made"][0]["data"]["team"], "south")  # from the state
    done = home.cli("send", "RouteLead", '{"lead_id": "L-1", "tier": "warm", "score": 1}',
                    "--dry-run")
    check.equal(done.returncode, 0)
    check.contains(done.stdout, "RouteLead would be accepted by route\n"
                                "  stream  lead-L-1, version 3 -> 4\n"
                                "  event   LeadRouted {\"lead_id\":\"L-1\"")
    check.contains(done.stdout, "nothing was sent or written\n")
    done = home.cli("send", "CreateLead", body, "--dry-run")
    check.equal((done.returncode, done.stdout),
                (3, "CreateLead would be rejected by create: lead-exists: there is a lead under "
                    "this id\n  stream  lead-L-1, version 3\nnothing was sent or written\n"))
    check.equal(rows_of(NAME), before, "after dry runs")


@check.test
def dry_run_starts_from_a_snapshot_that_can_be_believed():
    home = leat.Home("tests/e2e/topology/snap.yaml",
                     modules=os.path.join(servers.BIN_DIR, "modules", "snap"),
                     replace={"name: snap\n": f"name: {SNAP}\n"})
    _homes["snap"] = home
    home.forget(SNAP)
    home.must("apply")
    process = home.start("--role", "worker", "--instance", "one")
    home.must("send", "Add", '{"counter": "c", "amount": 2, "times": 250}', "--wait", "30s")
    home.must("send", "Add", '{"counter": "c", "amount": 1, "times": 1}', "--wait", "30s")
    check.equal(process.stop(), 0)
    check.equal(pg.rows(f"SELECT stream, version FROM {SNAP}.snapshots"),
                [{"stream": "counter-c", "version": "250"}])
    ask = ("Add", '{"counter": "c", "amount": 0, "times": 1}')

    def asked():
        code, told = dry(home, *ask)
        check.equal((code, told["outcome"], told["version_before"]), (3, "rejected", 251))
        return told["error_text"]

    folded = "total 501 count 251 most -1"
    old = f"UPDATE {SNAP}.event_log SET payload = %s WHERE version <= 250"
    check.equal(asked(), folded)
    pg.execute(f"CREATE TABLE {SNAP}.saved AS SELECT payload FROM {SNAP}.event_log LIMIT 1")
    pg.execute(old % "''")
    check.equal(asked(), folded, "the events before the snapshot are not needed")
    # Damaged bytes are not believed: the events are folded instead, if they can be.
    pg.execute(f"UPDATE {SNAP}.snapshots SET state = set_byte(state, 0, "
               "get_byte(state, 0) # 255)")
    done = home.cli("send", *ask, "--dry-run")
    check.equal((done.returncode, done.stdout), (1, ""), done.stderr)
    check.contains(done.stderr,
                   "could not read stream 'counter-c': version 1: could not fold Added")
    pg.execute(old % f"(SELECT payload FROM {SNAP}.saved)")
    check.equal(asked(), folded)


@check.test
def dry_run_tells_of_a_handler_that_ends_its_process():
    home = leat.Home("tests/e2e/topology/faulty.yaml",
                     modules=os.path.join(servers.BIN_DIR, "modules", "faulty"),
                     replace={"name: faulty\n": f"name: {CRASH}\n"})
    _homes["crash"] = home
    home.forget(CRASH)
    home.must("apply")
    for how, message in [("crash", "SIGSEGV in the handler"), ("abort", "SIGABRT in the handler"),
                         ("exit", "the handler ended the process with code 0")]:
        done = home.cli("send", "Act", json.dumps({"deed_id": "d", "how": how}), "--dry-run")
        check.equal((done.returncode, done.stdout), (1, ""), done.stderr)
        check.contains(done.stderr, f"leat: Act in processor 'deeds': {message}\n")
    done = home.cli("send", "Act", '{"deed_id": "d", "how": "retry"}', "--dry-run")
    check.equal((done.returncode, done.stdout.splitlines()[0]),
                (3, "Act would be tried again by deeds: not before noon"))


@check.test
def dry_run_refuses_what_send_refuses():
    home = pipeline()
    for arguments, message in [
            (("CreateLaed", "{}"), "there is no command 'CreateLaed'"),
            (("CreateLead", "{}"), "field 'lead_id' is missing: it is the key"),
            (("CreateLead", '{"lead_id": "L-1", "budget": "much"}'), "field 'budget'"),
            (("CreateLead", json.dumps(LEAD), "--priority", "hott"),
             "there is no priority 'hott'"),
            (("CreateLead", json.dumps(LEAD), "--wait", "1s"),
             "--wait has nothing to wait for with --dry-run"),
            (("CreateLead", json.dumps(LEAD), "--id", "7"), "--id: '7' is not a UUID")]:
        done = home.cli("send", *arguments, "--dry-run")
        check.equal((done.returncode, done.stdout), (2, ""), done.stderr)
        check.contains(done.stderr, message)


@check.test
def a_command_that_nobody_has_handled_yet_is_told_with_its_id():
    command = str(uuid.uuid4())
    done = pipeline().cli("send", "CreateLead", json.dumps({**LEAD, "lead_id": "L-9"}), "--id",
                          command, "--wait", "1ms")
    check.equal(done.returncode, 1, done.stderr)
    check.contains(done.stderr, f"its outcome is not known yet: leat get {command}\n")


@check.at_end
def clean_up():
    for home, name in (("dry", NAME), ("snap", SNAP), ("crash", CRASH)):
        if home in _homes:
            _homes[home].forget(name)


if __name__ == "__main__":
    check.main()
