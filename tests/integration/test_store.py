# sanitizers: asan
"""The store on a real Postgres: the C programs store_*.c, and append_events as others call it."""

import os
import subprocess

from lib import check, pg, servers

NAME = "leat_store_sql"
URL = servers.STORE_URL.rsplit("/", 1)[0] + "/" + NAME
BUILD = os.path.dirname(servers.BIN_DIR)

# Kafka's own vectors of murmur2 (seed 0x9747b28c), as signed 32-bit numbers.
MURMUR2 = {
    "21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
}


def build():
    subprocess.run(["cmake", "--build", BUILD, "--target", "integration_programs"], check=True,
                   stdout=subprocess.DEVNULL)


def program(name):
    """Runs a program with a database of its own; its tests are counted one by one."""
    done = subprocess.run([os.path.join(servers.BIN_DIR, f"integration_{name}")],
                          env={**os.environ, "STORE_URL": servers.STORE_URL},
                          stdout=subprocess.PIPE, text=True, check=False, timeout=280)
    lines = done.stdout.splitlines()
    for line in lines:
        if line.startswith("ok "):
            print(line, flush=True)
    failed = [line for line in lines if line.startswith("FAIL ")]
    assert not failed, "; ".join(failed)
    check.equal(done.returncode, 0, f"exit code of {name}")


@check.test
def store_append():
    program("store_append")


@check.test
def store_races():
    program("store_races")


@check.test
def store_rest():
    program("store_rest")


@check.test
def store_snapshots():
    program("store_snapshots")


@check.test
def store_random():
    program("store_random")


def make_store():
    """A store with 12 slices: with 4 a missing mask in murmur2 goes unnoticed."""
    pg.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    pg.execute(f"CREATE DATABASE {NAME}")
    subprocess.run([os.path.join(servers.BIN_DIR, "integration_store_make"), URL, "shop", "12"],
                   check=True)


@check.at_end
def forget_store():
    pg.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def append(stream, expected, command, count=1, headers="null"):
    """The call as a program in another language makes it; its rows."""
    return pg.rows(
        f"select * from shop.append_events('{stream}', {expected}, '{command:032x}'::uuid, "
        f"array_fill('Done'::text, array[{count}]), array_fill('\\x01'::bytea, array[{count}]), "
        f"array_fill(3, array[{count}]), {headers})", URL)


def refused(state, call, *args, **kwargs):
    """The message of a call that must fail with this SQLSTATE."""
    try:
        call(*args, **kwargs)
    except pg.SqlError as e:
        text = str(e)
    else:
        raise AssertionError(f"expected SQLSTATE {state}, but the call went through")
    check.contains(text, state)
    return text


@check.test
def murmur2_is_kafkas():
    make_store()
    for key, expected in MURMUR2.items():
        got = pg.value(f"select shop.murmur2(convert_to('{key}', 'UTF8'))", URL)
        check.equal(got, expected & 0xffffffff, key)
        slice_ = pg.value(f"select shop.slice_of('order-' || '{key}')", URL)
        check.equal(slice_, (expected & 0x7fffffff) % 12, key)
    text = refused("22023", pg.execute, verbose("select shop.slice_of('nodash')"), URL)
    check.contains(text, 'stream "nodash" is not of the form <aggregate>-<key>')


def verbose(sql):
    return "\\set VERBOSITY verbose\n" + sql


@check.test
def append_events_gives_versions_and_positions():
    rows = append("order-21", 0, 1, count=2, headers="""'{"by": "sql"}'""")
    slice_ = str((MURMUR2["21"] & 0x7fffffff) % 12)
    check.equal([list(r.values()) for r in rows], [["1", slice_, "1"], ["2", slice_, "2"]])
    rows = append("order-21", 2, 2)
    check.equal([list(r.values()) for r in rows], [["3", slice_, "3"]])
    rows = append("order-21", -1, 3)
    check.equal(rows[0]["version"], "4")
    check.equal(pg.value("select count(*) from shop.events where stream = 'order-21'", URL), 4)
    check.equal(pg.value("select headers ->> 'by' from shop.events where version = 2", URL), "sql")
    check.equal(pg.value("select outcome from shop.commands limit 1", URL), "accepted")
    check.equal(pg.value("select version || '/' || last_seq from shop.streams", URL), "4/4")


@check.test
def append_events_refuses_with_its_own_states():
    def call(*args, **kwargs):
        return pg.execute(verbose(sql_of(*args, **kwargs)), URL)

    def sql_of(stream, expected, command):
        return (f"select * from shop.append_events('{stream}', {expected}, '{command:032x}'::uuid,"
                " '{Done}', array['\\x01'::bytea], '{3}')")

    text = refused("LE002", call, "order-21", 1, 10)
    check.contains(text, "stream order-21, expected 1, actual 4")
    text = refused("LE002", call, "order-21", 0, 10)
    check.contains(text, "stream order-21, expected 0, actual 4")
    refused("LE002", call, "order-new", 3, 10)
    refused("LE003", call, "order-21", 4, 1)
    refused("22023", call, "order-21", -2, 11)
    pg.execute("delete from shop.slices where slice = shop.slice_of('order-abc')", URL)
    refused("LE001", call, "order-abc", 0, 12)
    check.equal(pg.value("select count(*) from shop.events", URL), 4)


@check.test
def durability_is_never_below_on():
    for below in ("off", "local", "remote_write"):
        sql = f"""begin; set local synchronous_commit = {below}; select shop.begin_write(100);
                  show synchronous_commit; rollback"""
        check.contains(pg.execute(sql, URL), "\non\n")
    sql = "begin; set local synchronous_commit = remote_apply; select shop.begin_write(100); " \
          "show synchronous_commit; rollback"
    check.contains(pg.execute(sql, URL), "\nremote_apply\n")
    sql = verbose("begin isolation level serializable; select shop.begin_write(100); rollback")
    refused("LE011", pg.execute, sql, URL)


if __name__ == "__main__":
    build()
    check.main()
