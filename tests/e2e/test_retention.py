#!/usr/bin/env python3
"""What is done with goes when it has been kept long enough, and nothing else does: commands and
what came of their effects, dead letters that nobody has to look at. Rows are made old by SQL.
"""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "retention_e2e"
OLD_ROWS = 6000  # in slice 0: many more pages than one step looks at
DAY_MS = 24 * 3600 * 1000

_home = []


def home():
    if not _home:
        h = leat.Home(
            "tests/e2e/topology/room.yaml",
            modules=os.path.join(servers.BIN_DIR, "modules", "room"),
            replace={"name: room\n": f"name: {NAME}\n",
                     "store:\n": "store:\n  keep_commands: 3d\n  keep_dead_letters: 2d\n"})
        h.env["GATES"] = h.dir
        h.forget(NAME)
        h.must("apply")
        _home.append(h)
    return _home[0]


def sql(text):
    return pg.execute(text.replace("@", f"{NAME}."))


def column(text):
    return {next(iter(row.values())) for row in pg.rows(text.replace("@", f"{NAME}."))}


def start():
    return home().start("--role", "worker", "--processors", "jobs", "--instance", "one")


def send(key, how="", command=None):
    """A job of its own key; gives the id."""
    command = command or str(uuid.uuid4())
    body = json.dumps({"job": key, "number": 1, "how": how})
    kafka.produce(f"{NAME}.jobs.cold", [(key, body, {"ce_type": "Work", "ce_id": command})])
    return command


def await_rows(ids):
    wait.until(lambda: set(ids) <= column("select id from @command_log"), 60, "commands' rows")


def make_old(table, of, days, ids):
    listed = ", ".join(f"'{i}'" for i in ids)
    sql(f"update @{table} set {of} = {of} - interval '{days} days' where id in ({listed})")


def claim(*ids):
    for i in ids:
        sql(f"""insert into @effects (processor, slice, id, service, n, done, result, claimed_by,
                                      key, settled_at)
                select processor, slice, id, 'mail', 1, true, '', id, 'k', now()
                from @command_log where id = '{i}'""")


def pass_again():
    """Makes every pass due; returns when each has been made."""
    sql("update @trims set due_at = now() - interval '1 s'")
    wait.until(lambda: not column("select slice from @trims where due_at < now()"), 60,
               "the passes to be made")


def await_trims():
    wait.until(lambda: column("select slice from @trims"), 60, "a first pass")


@check.test
def only_what_is_old_and_done_with_goes():
    worker = start()
    done = {name: send(name) for name in ("old", "young", "claimed-old", "claimed-young")}
    dead = {name: send(name, "poison") for name in ("open", "dropped", "dropped-young", "settled",
                                                    "cancelled", "quarantined")}
    await_rows([*done.values(), *dead.values()])
    home().must("dlq", "drop", dead["dropped"], dead["dropped-young"], "--reason", "a test")
    sql(f"update @dead_letters set state = 'settled' where id = '{dead['settled']}'")
    sql(f"update @dead_letters set state = 'quarantined' where id = '{dead['quarantined']}'")
    sql(f"update @dead_letters set class = 'cancelled' where id = '{dead['cancelled']}'")
    claim(done["claimed-old"], done["claimed-young"], dead["open"])
    make_old("command_log", "finished_at", 4, [done["old"], done["claimed-old"], *dead.values()])
    make_old("dead_letters", "changed_at", 4, set(dead.values()) - {dead["dropped-young"]})
    await_trims()
    pass_again()
    pass_again()  # a command whose letter went after its own pass had been there
    check.equal(column("select id from @dead_letters"),
                {dead["open"], dead["dropped-young"], dead["quarantined"]}, "dead letters")
    check.equal(column("select id from @command_log"),
                {done["young"], done["claimed-young"], dead["open"], dead["quarantined"]},
                "commands")
    check.equal(column("select id from @effects"), {done["claimed-young"], dead["open"]}, "effects")
    check.equal(worker.stop(), 0)


@check.test
def a_window_has_an_end():
    """Sent again within it a command is known, after it it is done again."""
    worker = start()
    old, young = send("again-old"), send("again-young")
    await_rows([old, young])
    make_old("command_log", "finished_at", 4, [old])
    pass_again()
    assert old not in column("select id from @command_log")
    for key, command in (("again-old", old), ("again-young", young)):
        send(key, command=command)
    await_rows([old])
    await_rows([send("again-young")])  # behind the copy in its partition
    check.equal(pg.rows(f"select stream, count(*) as n from {NAME}.events "
                        "where stream like 'job-again-%' group by stream order by stream"),
                [{"stream": "job-again-old", "n": "2"}, {"stream": "job-again-young", "n": "2"}])
    check.equal(worker.stop(), 0)


@check.test
def many_go_in_small_steps():
    """A step looks at so many pages and no more; the last one of a pass says what all removed."""
    home()
    step = f"select * from {NAME}.trim_step({3 * DAY_MS}, {2 * DAY_MS}, 16, 5000)"
    pg.execute(step)  # the first one writes down which passes there are
    sql(f"""insert into @command_log (first_seq, last_seq, received_at, finished_at, slice, outcome,
                attempts, id, type, stream, processor, priority, source, payload)
            select 0, 0, now() - interval '4 days', now() - interval '4 days', 0, 2, 1,
                gen_random_uuid(), 'Work', 'job-many', 'jobs', 'cold', '', repeat('x', 200)::bytea
            from generate_series(1, {OLD_ROWS})""")
    sql("update @trims set due_at = now() + case slice when 0 then interval '-1 s' else '1 h' end")
    pages = pg.value(f"select pg_relation_size('{NAME}.command_log_0') / 8192")
    steps = []
    while not steps or steps[-1]["passed"] == "":
        steps += pg.rows(step)
        assert len(steps) < pages, steps[-1]
    check.equal({(x["what"], x["slice"]) for x in steps}, {("command_log", "0")})
    check.equal(len(steps), -(-pages // 16), "steps")
    removed = [int(x["removed"]) for x in steps]
    assert max(removed) < OLD_ROWS / 4, removed
    check.equal((sum(removed) >= OLD_ROWS, sum(removed)), (True, int(steps[-1]["passed"])))
    check.equal(column("select count(*) from @command_log where stream = 'job-many'"), {"0"})
    again = pg.rows(step)[0]
    check.equal((again["what"], int(again["wait_ms"]) > 0), ("", True), "nothing is due")


@check.at_end
def forget():
    for h in _home:
        h.forget(NAME)


if __name__ == "__main__":
    check.main()
