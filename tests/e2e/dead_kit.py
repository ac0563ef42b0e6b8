"""A store with dead letters and waiting messages written by SQL; nobody runs its topology."""

import base64
import json
import os
import subprocess
import uuid

from lib import api, leat, pg, servers, wait

SCHEMAS = {"OrderState": {"n": "long"}, "Place": {"id": "string"}, "Placed": {"id": "string"},
           "Mail": {"id": "string"}, "Mailed": {"id": "string"}}
TOPOLOGY = """
leat: 1
name: %s
partitions: 12
kafka: {bootstrap.servers: "${KAFKA}"}
store: {url: "${STORE_URL}"}
priorities: {hot: {weight: 1}, cold: {weight: 1, default: true}}
topics: {events: {format: json}, commands: {format: json}}
schemas: [schemas]
aggregates: {order: {key: id, state: OrderState}, mail: {key: id, state: OrderState}}
processors:
  orders: {aggregate: order, commands: [Place], emits: [Placed]}
  mails: {aggregate: mail, commands: [Mail], emits: [Mailed], retry: {ordering: none}}
http: {listen: "127.0.0.1:0", max_body: 1MiB}
"""
HEADERS = ("@pack_headers('{ce_id,ce_type,ce_source,x-trace}', array[id::text, type, 'tests', "
           "'t-' || i])")


class Kit:
    """The home, an HTTP door, and what was put into the tables."""

    def __init__(self, name):
        self.name = name
        self.home = leat.Home(TOPOLOGY % name)
        os.mkdir(os.path.join(self.home.dir, "schemas"))
        for record, fields in SCHEMAS.items():
            with open(os.path.join(self.home.dir, "schemas", f"{record}.avsc"), "w",
                      encoding="utf-8") as f:
                json.dump({"type": "record", "name": record, "fields": [
                    {"name": n, "type": t} for n, t in fields.items()]}, f)
        self.home.forget(name)
        self.home.must("apply")
        self.url = f"http://127.0.0.1:{servers.free_port()}"
        self.process = self.home.start("--listen", self.url[7:], "--role", "http")
        wait.until(lambda: self.process.alive() and
                   api.get(self.url + "/healthz").status == 200, 20, self.process.log_path)

    def sql(self, text):
        return pg.execute(text.replace("@", f"{self.name}."))

    def rows(self, text):
        return pg.rows(text.replace("@", f"{self.name}."))

    def value(self, text):
        return pg.value(text.replace("@", f"{self.name}."))

    def clear(self):
        self.sql("truncate @dead_letters, @waiting, @command_log, @outbox")

    def put_dead(self, n, **columns):
        """n dead letters; a column is SQL over i = 1 … n, or one of those below."""
        c = {"processor": "'orders'", "key": "convert_to('k' || i % 50, 'UTF8')", "type": "'Place'",
             "priority": "'cold'", "topic": f"'{self.name}.orders.cold'", "class": "'poison'",
             "code": "'poison'", "message": "'it can never be done ' || i",
             "last_at": "timestamptz '2026-11-20 10:00:00Z' + i * interval '1.000001 s'",
             "value": "convert_to('{\"id\": \"k' || i % 50 || '\"}', 'UTF8')", "state": "'dead'",
             "redrives": "0", "id": "gen_random_uuid()", **columns}
        self.sql(f"""
            insert into @dead_letters (processor, slice, id, key, type, priority, source, topic,
                partition, record_offset, event_seq, class, code, message, attempts, first_at,
                last_at, handler_version, headers, value, value_bytes, value_sha256, state,
                redrives)
            select processor, abs(hashtext(key::text)) % 12, id, key, type, priority, 'tests',
                topic, abs(hashtext(key::text)) % 12, i, 0, class, code, message, 1,
                last_at - interval '1 s', last_at, 1, {HEADERS}, value,
                coalesce(octet_length(value), 0), sha256(coalesce(value, '')), state, redrives
            from (select i, {', '.join(f'{v} as {k}' for k, v in c.items())}
                  from generate_series(1, {n}) i) r""")

    def put_waiting(self, n, **columns):
        c = {"processor": "'orders'", "key": "convert_to('w' || i, 'UTF8')", "type": "'Place'",
             "reason": "1", "parks": "true",
             "due_at": "now() + interval '1 h' + i * interval '1 s'",
             "attempt": "2", "code": "'busy'", "error": "'the service is busy'",
             "id": "gen_random_uuid()", "priority": "'cold'",
             "topic": f"'{self.name}.orders.cold'",
             "value": "convert_to('{\"id\": \"w' || i || '\"}', 'UTF8')", **columns}
        self.sql(f"""
            insert into @waiting (processor, slice, key, ticket, reason, parks, due_at, attempt, id,
                type, priority, topic, partition, record_offset, event_seq, received_at, first_at,
                error_code, error, headers, value)
            select processor, abs(hashtext(key::text)) % 12,
                key, i + (select coalesce(max(ticket), 0) from @waiting), reason, parks, due_at,
                attempt, id, type, priority, topic, 0, i, 0, now(), now(), code, error, {HEADERS},
                value
            from (select i, {', '.join(f'{v} as {k}' for k, v in c.items())}
                  from generate_series(1, {n}) i) r""")

    def digest(self):
        """Changes when anything that an operator could change has changed."""
        tables = ("dead_letters", "waiting", "command_log", "outbox", "owners")
        return list(self.rows("select " + ", ".join(
            f"(select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from @{table} t)"
            f" as {table}" for table in tables))[0].values())

    def both(self, verb, address, names, **given):
        """The answer of HTTP (status, JSON), after the verb has said the same."""
        options = [x for k, v in given.items() for x in (f"--{k}", v)]
        done = self.home.cli(*verb, *options, "--json")
        query = "&".join(f"{k}={api.urllib.parse.quote(str(v))}" for k, v in given.items())
        answer = api.get(f"{self.url}{address}?{query}")
        if answer.status == 200:
            assert done.returncode == 0, done.stderr
            for name in names:
                assert json.loads(done.stdout)[name] == answer.json[name], (name, done.stdout)
        else:
            assert done.returncode == 2, done
            assert answer.json["detail"] in done.stderr, (done.stderr, answer)
        return answer

    def at_once(self, *commands):
        """Runs these calls of leat side by side; their JSON."""
        processes = [subprocess.Popen([servers.BIN, *map(str, c), "--json"], cwd=self.home.dir,
                                      env=self.home.env, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True) for c in commands]
        outputs = [p.communicate(timeout=60) for p in processes]
        for (out, err), p in zip(outputs, processes):
            assert p.returncode in (0, 3), err
        return [json.loads(out) for out, _ in outputs]


def new_id():
    return str(uuid.uuid4())


def encoded(text):
    return base64.b64encode(text.encode()).decode()
