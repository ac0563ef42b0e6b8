"""The topology of the waiting room's tests under a name of its own, as something to be measured."""

import json
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
from lib import kafka, leat, pg, servers, wait  # noqa: E402

PARTITIONS = 12


class Room:
    """replace: text -> text in the topology; modules' gates are files in its folder."""

    def __init__(self, name, replace=None):
        os.environ.setdefault("LEAT_TEST_DIR", tempfile.mkdtemp(prefix="leat-bench-"))
        self.name = name
        self.home = leat.Home(
            "tests/e2e/topology/room.yaml",
            modules=os.path.join(servers.BIN_DIR, "modules", "room"),
            replace={"name: room\n": f"name: {name}\n", **(replace or {})})
        self.home.env["GATES"] = self.home.dir
        self.home.forget(name)
        self.home.must("apply")

    def sql(self, text):
        return pg.execute(text.replace("@", f"{self.name}."))

    def rows(self, text):
        return pg.rows(text.replace("@", f"{self.name}."))

    def value(self, text):
        return pg.value(text.replace("@", f"{self.name}."))

    def work(self, works):
        """Sends Work: (key, number, how) each."""
        kafka.produce(f"{self.name}.jobs.cold", [
            (key, json.dumps({"job": key, "number": number, "how": how}), {"ce_type": "Work"})
            for key, number, how in works])

    def open(self, gate):
        with open(os.path.join(self.home.dir, gate), "w", encoding="ascii"):
            pass

    def start(self, *roles):
        """A process with these roles; jobs alone is what it handles unless told otherwise."""
        return self.home.start(*(roles or ("--role", "worker", "--processors", "jobs")),
                               "--instance", "one")

    def await_accepted(self, n, seconds=120):
        wait.equals(lambda: self.value("select count(*) from @command_log where outcome = 1"), n,
                    seconds, f"{n} commands to be settled")

    def put_waiting(self, n):
        """n keys of jobs that wait for an hour and more, over all partitions."""
        self.sql(f"""
            insert into @waiting (processor, slice, key, ticket, reason, parks, due_at, attempt, id,
                type, priority, topic, partition, record_offset, event_seq, received_at, first_at,
                error_code, error, headers, value)
            select 'jobs', i % {PARTITIONS}, convert_to('waiting-' || i, 'UTF8'), i, 1, true,
                now() + interval '1 h' + random() * interval '1 h', 2, gen_random_uuid(), 'Work',
                'cold', '{self.name}.jobs.cold', i % {PARTITIONS}, i, 0, now(), now(), 'busy',
                'the service is busy', @pack_headers('{{ce_type}}', '{{Work}}'),
                convert_to('{{"job": "waiting-' || i || '", "number": 1, "how": ""}}', 'UTF8')
            from generate_series(1, {n}) i""")
        self.sql("vacuum analyze @waiting")

    def settle(self):
        """What earlier runs left to be written is not paid for by the next one."""
        pg.execute("checkpoint")

    def forget(self):
        self.home.forget(self.name)
