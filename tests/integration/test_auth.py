# sanitizers: asan
"""Who may ask what over HTTP: keys, tokens, roles, rows and fields, limits. Events are appended
with SQL; tokens are made here, by another implementation."""

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import time

from lib import api, check, leat, servers, store, wait

NAME = "leat_auth"
SECRET = "a secret of thirty-two bytes or more"


def sha256(key):
    return hashlib.sha256(key.encode()).hexdigest()


TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 4
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
redis: {{url: "${{LIMITS_URL}}"}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{order: {{key: id, state: OrderState}}}}
processors: {{orders: {{aggregate: order, commands: [Place, Cancel], emits: [Placed]}}}}
projections:
  orders:
    key: $.id
    from: {{Placed: {{set: {{tenant: $.tenant, total: $.total, email: $.email}}}}}}
    indexes: {{by_total: [total], by_email: [email]}}
    audited: true
  totals:
    key: [$.tenant]
    from: {{Placed: {{add: {{orders: 1}}}}}}
queries: {{GetOrder: {{model: orders}}, Largest: {{model: orders, index: by_total}}}}
http:
  listen: "127.0.0.1:0"
  limits: {{requests: 100000/min, shared: true}}
  auth:
    roles:
      tenant:
        commands: [Place]
        models: {{orders: {{where: {{tenant: $claim.tenant}}, mask: [email]}}}}
      boss: {{models: '*', streams: true}}
      ops: {{operate: true, commands: '*'}}
      slow: {{models: [totals], requests: 5/d}}
    keys:
      acme: {{sha256: {sha256("acme-key")}, roles: tenant, claims: {{tenant: acme}}}}
      lost: {{sha256: {sha256("lost-key")}, roles: tenant}}
      boss: {{sha256: {sha256("boss-key")}, roles: [boss]}}
      ops: {{sha256: {sha256("ops-key")}, roles: ops}}
      slow: {{sha256: {sha256("slow-key")}, roles: slow}}
    jwt: {{algorithm: HS256, secret: "{SECRET}", audience: shop, roles_claim: scope}}
"""
SCHEMAS = {
    "OrderState": [("total", "long")],
    "Place": [("id", "string")],
    "Cancel": [("id", "string")],
    "Placed": [("id", "string"), ("tenant", "string"), ("total", "long"), ("email", "string")],
}
_system = {}




def start_redis(port):
    _system["redis"] = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL)

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    wait.until(answers, 30, "redis")


def stop_redis():
    _system["redis"].terminate()
    _system["redis"].wait()


def system():
    if not _system:
        port = servers.free_port()
        start_redis(port)
        _system["port"] = port
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS, env={"LIMITS_URL": f"redis://127.0.0.1:{port}"})
        h.forget(NAME)
        h.must("apply")
        urls = [f"http://127.0.0.1:{servers.free_port()}" for _ in range(2)]
        processes = [h.start("--listen", urls[0][7:], "--role", "relay,projector,http"),
                     h.start("--listen", urls[1][7:], "--role", "http", name="second")]
        for i in range(12):
            tenant = "acme" if i % 3 else "globex"
            store.append(NAME, f"order-o{i:02}", [("Placed", {
                "id": f"o{i:02}", "tenant": tenant, "total": i, "email": f"e{i}@x"})])
        _system.update(home=h, url=urls[0], other=urls[1], processes=processes)
        wait.until(lambda: ask("/v1/models/orders", "boss-key").status == 200 and
                   len(ask("/v1/models/orders", "boss-key").json["rows"]) == 12, 60, "twelve rows")
        wait.until(lambda: ask("/v1/models/orders", "boss-key", url=urls[1]).status == 200, 60,
                   "the second process")
    return _system["url"]


def ask(path, key=None, url=None, method="GET", body=None, **headers):
    url = url or system()
    if key is not None:
        headers["X-API-Key"] = key
    return api.request(method, url + path, body=body, headers=headers)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret=SECRET, alg="HS256", **claims):
    claims = {"exp": int(time.time()) + 600, "aud": "shop", **claims}
    head = b64(json.dumps({"alg": alg, "typ": "JWT"}).encode())
    body = head + b"." + b64(json.dumps(claims).encode())
    return (body + b"." + b64(hmac.new(secret.encode(), body, hashlib.sha256).digest())).decode()


def with_token(path, made):
    return ask(path, Authorization=f"Bearer {made}")


@check.test
def who_shows_nothing_right_is_401_and_health_answers_everybody():
    for path in ("/v1/models/orders", "/v1/queries/GetOrder?key=o01", "/openapi.json", "/metrics",
                 "/v1/dlq", "/subjects", "/v1/streams/order-o01"):
        check.equal(ask(path).status, 401, path)
        check.equal(ask(path, "wrong-key").status, 401, path)
    answer = ask("/v1/models/orders", "acme-kez")
    check.equal((answer.headers["WWW-Authenticate"], answer.json["code"]),
                ("Bearer", "unauthorized"))
    assert "acme-kez" not in answer.body.decode()
    check.equal(ask("/healthz").status, 200)
    check.equal(ask("/nowhere").status, 404)


@check.test
def a_role_may_what_it_names():
    may = {"acme-key": {"/v1/models/orders", "/v1/queries/Largest"},
           "boss-key": {"/v1/models/orders", "/v1/queries/Largest", "/v1/models/totals",
                        "/v1/streams/order-o01", "/v1/count/totals"},
           "ops-key": {"/metrics", "/v1/dlq", "/v1/retries"}}
    for key, paths in may.items():
        for path in set().union(*may.values()):
            check.equal(ask(path, key).status, 200 if path in paths else 403, f"{key} {path}")
        check.equal(ask("/openapi.json", key).status, 200)
    followed = ask("/v1/changes/orders", "acme-key")
    check.equal((followed.status, followed.json["code"]), (403, "forbidden"), "a part of the rows")
    check.equal(ask("/v1/commands/Place", "acme-key", method="POST", body={"id": "x"}).status, 202)
    check.equal(ask("/v1/commands/Cancel", "acme-key", method="POST", body={"id": "x"}).status, 403)
    check.equal(ask("/v1/commands/Place", "boss-key", method="POST", body={"id": "x"}).status, 403)
    batch = {"reads": [{"read": "count", "model": "orders"}, {"read": "count", "model": "totals"}]}
    check.equal(ask("/v1/batch", "acme-key", method="POST", body=batch).status, 403)
    check.equal(ask("/v1/batch", "boss-key", method="POST", body=batch).status, 200)


@check.test
def rows_of_others_are_not_there_whatever_is_asked():
    mine = [f"o{i:02}" for i in range(12) if i % 3]
    read = lambda path: ask(path, "acme-key").json  # noqa: E731
    check.equal([r["key"] for r in read("/v1/models/orders")["rows"]], mine)
    check.equal([r["key"] for r in read("/v1/models/orders?index=by_total&order=desc")["rows"]],
                mine[::-1])
    check.equal([r["key"] for r in read("/v1/queries/Largest")["rows"]], mine)
    check.equal(read("/v1/count/orders"), {"count": len(mine)})
    check.equal(read("/v1/aggregate/orders?group=tenant")["rows"], len(mine))
    check.equal(len(read("/v1/top/orders?by=-total&limit=100")["rows"]), len(mine))
    many = read("/v1/models/orders?keys=o00,o01,o03,o04")
    check.equal(([r["key"] for r in many["rows"]], many["missing"]),
                (["o01", "o04"], ["o00", "o03"]))
    check.equal(ask("/v1/models/orders/o00", "acme-key").status, 404)
    check.equal(ask("/v1/queries/GetOrder?key=o00", "acme-key").status, 404)
    check.equal(ask("/v1/models/orders/o01", "acme-key").json["total"], 1)
    pages, cursor = [], ""
    while cursor is not None:
        page = read(f"/v1/models/orders?limit=3{cursor}")
        pages += [r["key"] for r in page["rows"]]
        cursor = f"&cursor={page['cursor']}" if page["cursor"] else None
    check.equal(pages, mine)
    check.equal(ask("/v1/models/orders", "lost-key").json["rows"], [], "a claim it lacks")
    check.equal(ask("/v1/count/orders", "lost-key").json, {"count": 0})


@check.test
def masked_fields_are_null_and_find_nothing():
    check.equal({r["email"] for r in ask("/v1/models/orders", "acme-key").json["rows"]}, {None})
    check.equal(ask("/v1/models/orders/o01", "acme-key").json["email"], None)
    check.equal(ask("/v1/models/orders/o01", "boss-key").json["email"], "e1@x")
    check.equal(ask("/v1/count/orders?where=email%3De1@x", "acme-key").json, {"count": 0})
    check.equal(ask("/v1/count/orders?where=email%3De1@x", "boss-key").json, {"count": 1})
    answer = ask("/v1/models/orders?index=by_email&from=e1@x&to=e1@x", "acme-key")
    check.equal(answer.status, 400)
    check.contains(answer.json["detail"], "may not see")
    groups = ask("/v1/aggregate/orders?group=email", "acme-key").json["groups"]
    check.equal([g["key"] for g in groups], [{"email": None}])


@check.test
def a_token_is_as_good_as_a_key_when_it_is_right():
    path = "/v1/count/orders"
    globex = token(scope="tenant", tenant="globex", sub="g", email_verified=True, phone=None,
                   address={"city": ["x"]})
    check.equal(with_token(path, globex).json, {"count": 4})
    check.equal(with_token(path, token(scope=["boss"])).json, {"count": 12})
    check.equal(with_token(path, token(scope="nobody")).status, 403)
    for bad in (token(secret="x" * 40, scope="boss"), token(exp=1, scope="boss"),
                token(aud="bank", scope="boss"), token(alg="none", scope="boss"),
                token(scope="boss", nbf=int(time.time()) + 600), token(scope="boss") + "x",
                "a.b.c"):
        check.equal(with_token(path, bad).status, 401, bad)
    check.equal(ask(path, Authorization="Bearer boss-key").json, {"count": 12})


@check.test
def a_command_is_told_of_to_whom_may_send_it_only():
    sent = ask("/v1/commands/Cancel", "ops-key", method="POST", body={"id": "y"},
               **{"Idempotency-Key": "0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10"})
    check.equal(sent.status, 202)
    path = sent.headers["Location"]
    check.equal(ask(path).status, 401)
    check.equal(ask(path, "acme-key").json["detail"], ask(path, "ops-key").json["detail"],
                "not handled yet: the same for both")


@check.test
def limits_are_shared_and_each_process_counts_alone_while_redis_is_away():
    def one(url):
        return ask("/v1/count/totals", "slow-key", url=url)

    system()
    answers = [one(_system[u]) for u in ("url", "other", "url", "other", "url")]
    check.equal([a.status for a in answers], [200] * 5)
    check.equal([a.headers["X-RateLimit-Remaining"] for a in answers], ["4", "3", "2", "1", "0"])
    refused = one(_system["other"])
    check.equal((refused.status, refused.json["code"]), (429, "rate-limit"))
    assert 0 < int(refused.headers["Retry-After"]) <= 2 * 86400, refused.headers
    check.equal(ask("/v1/count/totals", "boss-key").status, 200, "others have their own")
    stop_redis()
    alone = [one(_system["other"]).status for _ in range(6)]
    check.equal(alone, [200] * 5 + [429])
    start_redis(_system["port"])
    wait.until(lambda: one(_system["other"]).headers["X-RateLimit-Remaining"] in "0123", 30,
               "to be counted together again")


@check.test
def reads_of_an_audited_model_are_logged():
    ask("/v1/models/orders/o07", "acme-key")
    logged = []

    def told():
        lines = [x for p in _system["processes"] for x in p.said("model-read")]
        logged[:] = [x for x in lines if x["asked"] == "/v1/models/orders/o07"]
        return len(logged) == 1

    wait.until(told, 30, "a line of the audit")
    check.equal((logged[0]["caller"], logged[0]["model"]), ("acme", "orders"))
    text = "".join(p.log() for p in _system["processes"])
    assert "acme-key" not in text and SECRET not in text


@check.test
def without_auth_only_this_machine_is_answered():
    closed = TOPOLOGY.split("http:\n")[0] + 'http: {listen: "127.0.0.1:0"}\n'
    h = leat.Home(closed, schemas=SCHEMAS, env={"LIMITS_URL": "redis://127.0.0.1:1"})
    done = h.cli("run", "--role", "http", "--listen", f"0.0.0.0:{servers.free_port()}")
    check.equal(done.returncode, 2, done.stderr)
    check.contains(done.stderr, "open to other machines")


@check.test
def status_asks_with_the_key_of_the_environment():
    listen = {"LEAT_LISTEN": system()[7:]}
    without = _system["home"].cli("status", env=listen)
    shown = _system["home"].cli("status", env={**listen, "LEAT_API_KEY": "ops-key"})
    check.equal(shown.returncode, 0, shown.stderr)
    assert without.stdout != shown.stdout or without.returncode != 0


if __name__ == "__main__":
    try:
        check.main()
    finally:
        if "redis" in _system:
            stop_redis()
