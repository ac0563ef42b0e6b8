# sanitizers: asan
"""The HTTP side on a running pipeline: answers as contract 7 says, and none that hostile input
could break."""

import concurrent.futures
import http.client
import json
import os
import random
import re
import socket
import threading
import time
import uuid

from lib import api, check, leat, servers, wait

NAME = "leat_http"
GOOD = {"company": "Acme", "email": "a@example.com", "state": "NY", "source": "web"}
_system = {}
_slow = []
_pace = threading.Event()  # never set: a client takes its time


def dawdle(first, more):
    """Seconds until the server gives up on a request that starts so and never ends."""
    started, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", _system["port"]), timeout=0.5) as s:
        s.sendall(first)
        while time.monotonic() - started < 35:
            try:
                chunk = s.recv(1000)
                if not chunk:
                    break
                got += chunk
            except TimeoutError:
                try:
                    s.sendall(more)
                except OSError:
                    break
            except OSError:
                break
    return time.monotonic() - started, got


def read_slowly():
    """The same for a client that asks for much at once and takes it drop by drop."""
    started, got = time.monotonic(), b""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(5)
        s.connect(("127.0.0.1", _system["port"]))
        s.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        try:
            while time.monotonic() - started < 90 and (chunk := s.recv(2048)):
                got += chunk
                _pace.wait(0.5)
        except OSError:
            pass
    return time.monotonic() - started, got


def start_slow_clients():
    post = b"POST /v1/commands/CreateLead HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{"
    pool = concurrent.futures.ThreadPoolExecutor(5)
    for name, first, more in (("silent", b"GET /heal", b""), ("slow line", b"GET /", b"a"),
                              ("slow head", b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
                              ("slow body", post, b" ")):
        _slow.append((name, pool.submit(dawdle, first, more)))
    _slow.append(("slow reader", pool.submit(read_slowly)))


def system():
    """Base URL of a running `leat run`, and its home."""
    if not _system:
        h = leat.Home("topology/leads.yaml", env={
            "LEADS_RULES": os.path.join(servers.ROOT, "rules", "score.yaml")}, replace={
            "name: leads\n": f"name: {NAME}\n", "partitions: 12": "partitions: 4",
            "max_body: 1MiB": "max_body: 64KiB",
            "[../schemas]": f"[{os.path.join(servers.ROOT, 'schemas')}]"})
        h.forget(NAME)
        h.must("apply")
        port = servers.free_port()
        url = f"http://127.0.0.1:{port}"
        process = h.start("--listen", f"127.0.0.1:{port}")
        wait.until(lambda: process.alive() and api.get(url + "/readyz").status == 200, 60,
                   "leat to be ready")
        _system.update(home=h, url=url, port=port, process=process)
        start_slow_clients()
    return _system["url"], _system["home"]


def lead(key, **more):
    return {"lead_id": key, **GOOD, **more}


def send(key, headers=None, **more):
    return api.post(system()[0] + "/v1/commands/CreateLead", lead(key, **more),
                    headers={"Prefer": "wait=20", **(headers or {})}, seconds=30)


def problem(answer, status, part):
    check.equal(answer.status, status, answer.body.decode())
    check.equal(answer.headers["Content-Type"], "application/problem+json")
    p = answer.json
    check.equal(p["status"], status)
    uuid.UUID(p["correlation_id"])
    check.contains(json.dumps(p), part)
    return p


@check.test
def waiting_for_the_outcome_gives_events_and_position():
    url, _ = system()
    a = send("w-1")
    check.equal(a.status, 200, a.body.decode())
    check.equal((a.json["outcome"], a.json["stream"]), ("accepted", "lead-w-1"))
    check.equal([e["type"] for e in a.json["events"]], ["LeadCreated"])
    check.equal(a.json["events"][0]["data"]["company"], "Acme")
    position = a.json["position"]
    check.equal(a.headers["Leat-Position"],
                f"{position['store_id']}:{position['slice']}={position['seq']}")
    check.equal(api.get(f"{url}/v1/commands/{a.json['id']}").json["outcome"], "accepted")
    rejected = send("w-1")
    check.equal(problem(rejected, 422, "lead-exists")["code"], "lead-exists")


@check.test
def nobody_reads_less_than_he_wrote():
    """The token of an answered command, and the row of a model that has it."""
    url, _ = system()

    def pair(i):
        a = send(f"rw-{i}", company=f"Company {i}")
        row = api.get(f"{url}/v1/models/leads/rw-{i}?fields=company", seconds=90, headers={
            "Leat-At-Least": a.headers["Leat-Position"], "Prefer": "wait=60"})
        return a.status, row.status, row.json.get("company") == f"Company {i}"

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        found = list(pool.map(pair, range(int(os.environ.get("LEAT_PAIRS", "500")))))
    check.equal([x for x in found if x != (200, 200, True)], [])


@check.test
def not_waiting_gives_202_and_a_location():
    url, _ = system()
    a = api.post(url + "/v1/commands/CreateLead", lead("l-1"))
    check.equal((a.status, a.json["outcome"]), (202, "sent"))
    location = a.headers["Location"]
    wait.until(lambda: api.get(url + location).json["outcome"] == "accepted", 20, "the outcome")
    problem(api.get(f"{url}/v1/commands/{uuid.uuid4()}"), 404, "no such command")
    problem(api.get(url + "/v1/commands/nonsense"), 400, "a command id is a UUID")


@check.test
def an_idempotency_key_is_the_command():
    url, h = system()
    first = send("i-1", {"Idempotency-Key": "order 17"})
    again = send("i-1", {"Idempotency-Key": "order 17"})
    check.equal((first.status, again.status), (200, 200), again.body.decode())
    check.equal(first.json["id"], again.json["id"])
    check.equal(first.json["position"], again.json["position"])
    problem(send("i-1", {"Idempotency-Key": "order 17"}, company="Other"), 422,
            "idempotency-key-reused")
    again = api.post(url + "/v1/commands/CreateLead", lead("i-1"),
                     headers={"Idempotency-Key": "order 17"})
    check.equal((again.status, again.json["id"]), (202, first.json["id"]))
    done = h.must_json("send", "CreateLead", json.dumps(lead("i-9")), "--wait", "20s")
    problem(send("i-10", {"Idempotency-Key": done["id"]}), 422, "idempotency-key-reused")
    problem(api.post(url + "/v1/commands/CreateLead", lead("i-4", company=7),
                     headers={"Idempotency-Key": "mended"}), 400, "company")
    check.equal(send("i-4", {"Idempotency-Key": "mended"}).status, 200)
    own = str(uuid.uuid4())
    check.equal(send("i-2", {"Idempotency-Key": own}).json["id"], own)
    problem(send("i-3", {"Idempotency-Key": " "}), 400, "Idempotency-Key")
    problem(send("i-3", {"Idempotency-Key": "k" * 300}), 400, "1 to 255")
    stream = api.get(url + "/v1/streams/lead-i-1?limit=1").json
    check.equal(stream["events"][0]["type"], "LeadCreated")


@check.test
def bad_commands_name_what_is_wrong():
    url, _ = system()
    to = url + "/v1/commands/"
    problem(api.post(to + "CreateLed", {}), 404, "did you mean 'CreateLead'?")
    problem(api.post(to + "CreateLead", {"company": "x"}), 400, "lead_id")
    problem(api.post(to + "CreateLead", lead("b-1", company=7)), 400, "company")
    problem(api.post(to + "CreateLead", b"{"), 400, "JSON")
    problem(api.post(to + "CreateLead", b"[]"), 400, "JSON object")
    problem(api.post(to + "CreateLead", b""), 400, "")
    problem(api.post(to + "CreateLead?priority=hto", lead("b-1")), 400, "did you mean 'hot'?")
    problem(api.post(to + "CreateLead?prioriti=hot", lead("b-1")), 400, "did you mean 'priority'?")
    problem(api.post(to + "CreateLead", lead("b-1", notes="x" * 70000)), 413, "65536")
    problem(api.get(to + "CreateLead/more"), 404, "no such address")
    problem(api.request("DELETE", to + "CreateLead"), 405, "POST, GET")
    problem(api.post(to + "CreateLead", lead("b-1", company={"a": [1]})), 400, "a string was")
    problem(api.post(to + "CreateLead", lead("b-1", employees="many")), 400, "employees")
    slip = {**lead("b-1"), "compnay": "Acme"}
    check.equal(problem(api.post(to + "CreateLead", slip), 400, "has no field 'compnay'")["hint"],
                "did you mean 'company'?")
    problem(api.post(to + "CreateLead", {**GOOD, "lead": "b-1"}), 400,
            "field 'lead_id' is missing: it is the key; did 'lead' mean it?")
    problem(api.post(to + "CreateLead", b"{} {}"), 400, "")


@check.test
def rows_by_key_and_by_index_in_pages():
    url, h = system()
    for i in range(7):
        check.equal(send(f"p-{i}", state="TX").status, 200)
    base = url + "/v1/models/leads"
    by_state = base + "?index=by_state&from=TX&to=TX"
    wait.until(lambda: len(api.get(by_state).json["rows"]) == 7, 20, "seven rows")
    a = api.get(base + "/p-3")
    check.equal((a.json["key"], a.json["state"]), ("p-3", "TX"))
    assert 0 <= int(a.headers["Leat-Age-Ms"]) < 60000
    assert a.headers["Leat-Position"].count("=") == 4
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{by_state}&limit=3{'&cursor=' + cursor if cursor else ''}").json
        seen += [r["key"] for r in page["rows"]]
        cursor = page["cursor"]
    check.equal(sorted(seen), [f"p-{i}" for i in range(7)])
    check.equal(h.must_json("get", "leads", "p-3")["key"], "p-3")
    problem(api.get(base + "/nobody"), 404, "no row 'nobody'")
    problem(api.get(url + "/v1/models/leds/x"), 404, "did you mean 'leads'?")
    problem(api.get(base + "?index=by_sorce"), 400, "did you mean 'by_source'?")
    for bad in ("limit=0", "limit=1001", "limit=x", "cursor=zz", "limit=1&limit=2", "a=1",
                "index=by_source&from=a,b,c,d,e", "cursor=" + "a" * 5000):
        problem(api.get(f"{base}?{bad}"), 400, "")


@check.test
def streams_as_json():
    url, h = system()
    send("s-1")
    stream = url + "/v1/streams/lead-s-1"
    wait.until(lambda: len(api.get(stream).json["events"]) == 3, 20, "three events")
    events = api.get(stream).json["events"]
    check.equal([e["version"] for e in events], [1, 2, 3])
    check.equal(events[0]["data"]["lead_id"], "s-1")
    position = api.get(stream).headers["Leat-Position"]
    assert int(position.partition("=")[2]) >= events[-1]["seq"], position
    check.equal(api.get(stream).headers["Leat-Age-Ms"], "0")
    page = api.get(stream + "?after=1&limit=1").json
    check.equal(([e["version"] for e in page["events"]], page["next"]), ([2], 2))
    problem(api.get(url + "/v1/streams/lead-none"), 404, "no events")
    problem(api.get(url + "/v1/streams/house-1"), 404, "aggregate")
    problem(api.get(url + "/v1/streams/laed-s-1"), 404, "did you mean 'lead-s-1'?")
    lines = h.must("stream", "lead-s-1", "--json").splitlines()
    check.equal([json.loads(line)["type"] for line in lines],
                ["LeadCreated", "LeadScored", "LeadRouted"])
    check.equal(h.cli("stream", "lead-none").returncode, 3)


@check.test
def schemas_in_the_registrys_form():
    url, _ = system()
    check.equal("LeadCreated" in api.get(url + "/subjects").json, True)
    check.equal(api.get(url + "/subjects/LeadCreated/versions").json, [1])
    latest = api.get(url + "/subjects/LeadCreated/versions/latest").json
    check.equal(api.get(url + "/subjects/LeadCreated/versions/1").json, latest)
    by_id = api.get(f"{url}/schemas/ids/{latest['id']}")
    check.equal(json.loads(by_id.json["schema"])["name"], "LeadCreated")
    check.equal(by_id.headers["Content-Type"], "application/vnd.schemaregistry.v1+json")
    check.equal(api.get(url + "/subjects/No/versions").json["error_code"], 40401)
    check.equal(api.get(url + "/subjects/LeadCreated/versions/9").json["error_code"], 40402)
    check.equal(api.get(url + "/schemas/ids/999999").json["error_code"], 40403)


def parse_metrics(text):
    """Prometheus' text format 0.0.4, strictly: {sample: value}."""
    kinds, samples, family = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            assert re.fullmatch(r"# HELP [a-z_]+ \S.*", line), line
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            assert family not in kinds and kind in ("counter", "gauge", "histogram"), line
            assert kind != "counter" or family.endswith("_total"), line
            kinds[family] = kind
        else:
            found = re.fullmatch(
                r'([a-z_]+)((?:\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})?)'
                r" (-?[0-9.e+]+)", line)
            assert found, line
            assert found[1] == family or kinds[family] == "histogram", f"{line} is in {family}"
            name = found[1] + found[2]
            assert name not in samples, f"twice: {name}"
            samples[name] = float(found[3])
    return samples


def check_openapi(document):
    """What OpenAPI 3.1 asks of the parts that are used (a validator agrees with it)."""
    check.equal(document["openapi"], "3.1.0")
    check.equal(set(document), {"openapi", "info", "paths", "components"})
    shapes = set()
    for path, methods in document["paths"].items():
        shape = re.sub(r"\{[^}]*\}", "{}", path)
        assert path.startswith("/") and shape not in shapes, f"{path} stands twice"
        shapes.add(shape)
        for method, operation in methods.items():
            assert method in ("get", "post", "delete"), method
            check.equal("requestBody" in operation,
                        method == "post" and not path.endswith("/now"))
            assert set(operation["responses"]) >= {"200", "default"}
            named = [(p["in"], p["name"]) for p in operation["parameters"]]
            check.equal(len(named), len(set(named)))
            check.equal({n for where, n in named if where == "path"},
                        set(re.findall(r"\{([^}]*)\}", path)), path)
            for p in operation["parameters"]:
                assert p["required"] or p["in"] != "path"
                assert p["schema"]["type"] in ("string", "integer")
            for answer in operation["responses"].values():
                assert answer["description"]
    assert "Problem" in document["components"]["schemas"]


@check.test
def methods_addresses_and_heads():
    url, _ = system()
    document = api.get(url + "/openapi.json").json
    check_openapi(document)
    with open(os.path.join(servers.ROOT, "docs", "reference", "http.md"), encoding="utf-8") as f:
        described = re.sub(r"\{[^}]*\}", "{}", f.read())
    for path in document["paths"]:
        check.contains(described, re.sub(r"\{[^}]*\}", "{}", path))
    paths = document["paths"]
    check.equal(paths["/v1/commands/{command}"]["post"]["parameters"][0]["schema"]["enum"],
                ["CreateLead", "ScoreLead", "RouteLead"])
    check.equal(paths["/v1/models/{model}"]["get"]["parameters"][0]["schema"]["enum"],
                ["leads", "funnel", "tiers", "states"])
    for path, methods in document["paths"].items():
        address = url + re.sub(r"\{[^}]*\}", "x", path)
        allowed = {m.upper() for m in methods} | {"OPTIONS"}
        allowed |= {"HEAD"} if "get" in methods else set()
        a = api.request("OPTIONS", address)
        check.equal((a.status, set(a.headers["Allow"].split(", ")), a.body), (204, allowed, b""))
        for method in {"PUT", "PATCH", "DELETE", "POST", "GET"} - allowed:
            a = api.request(method, address, body=b"{}" if method != "GET" else None)
            problem(a, 405, "other methods")
            check.equal(set(a.headers["Allow"].split(", ")), allowed)
    send("head-1")
    row = url + "/v1/models/leads/head-1"
    wait.until(lambda: api.get(row).json.get("stage") == "routed", 20, "the row of head-1")
    head, whole = (api.request(m, row) for m in ("HEAD", "GET"))
    check.equal((head.status, head.body), (200, b""))
    check.equal(head.headers["Content-Length"], str(len(whole.body)))
    for bad, status in (("/%zz", 400), ("/%2", 400), ("/v1/models/leads/%ff", 400),
                        ("/v1/models/leads?from=%00", 400), ("/" + "a" * 9000, 414),
                        ("/v1/models/leads/" + "k" * 8000, 404)):
        problem(api.get(url + bad), status, "")
    check.equal(api.get(url + "/healthz", headers={"X": "y" * 40000}).status, 431)
    for bytes_ in range(11000, 15000, 500):  # up to where its memory ends: each has an answer
        a = api.get(url + "/v1/count/leads", headers={"X": "y" * bytes_})
        check.equal(a.status, 200 if bytes_ <= 12000 else 431, bytes_)
        if a.status == 431:
            problem(a, 431, "line and headers have more than 12512 bytes")
    check.equal(api.get(url + "/healthz").status, 200)


@check.test
def the_process_says_how_it_is():
    url, _ = system()
    check.equal(api.get(url + "/healthz").json, {"status": "ok"})
    check.equal(api.get(url + "/readyz").json, {"status": "ready"})
    samples = parse_metrics(api.get(url + "/metrics").body.decode())
    answered = {n: v for n, v in samples.items() if n.startswith("leat_http_requests_total{")}
    check.equal(any('method="GET"' in n and 'route="/healthz"' in n for n in answered), True)
    check.equal(all(f'topology="{NAME}"' in n for n in samples), True)
    again = parse_metrics(api.get(url + "/metrics").body.decode())
    check.equal([n for n, v in answered.items() if again[n] < v], [], "a counter that went back")
    check.equal(api.request("HEAD", url + "/healthz").status, 200)
    problem(api.get(url + "/nowhere"), 404, "/openapi.json")


@check.test
def a_connection_serves_many_requests():
    system()
    c = http.client.HTTPConnection("127.0.0.1", _system["port"], timeout=10)
    c.connect()
    local = c.sock.getsockname()
    for i in range(20):
        c.request("GET", "/v1/models/leads/p-3" if i % 2 else "/nowhere")
        c.getresponse().read()
        check.equal(c.sock.getsockname(), local)
    c.close()


@check.test
def many_wait_at_once_without_holding_up_others():
    """More waiting requests than threads: a model answers at once beside them."""
    url, _ = system()
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(send, f"m-{i}") for i in range(40)]
        check.equal(api.get(url + "/healthz", seconds=3).status, 200)
        check.equal({a.result().status for a in answers}, {200})


def raw(data, seconds=0.7):
    """Bytes straight into the socket; what came back before it closed or the time was over."""
    got = b""
    with socket.create_connection(("127.0.0.1", _system["port"]), timeout=seconds) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                got += chunk
        except OSError:
            pass
    return got


@check.test
def hostile_bytes_are_refused_and_harm_nobody():
    url, _ = system()
    targets = ["/%", "/%zz", "/%00", "/\xff", "//", "/..//../etc/passwd", "/v1/models/%2e%2e/x",
               "/v1/models/leads/" + "k" * 7000, "/" + "a/" * 3000, "/?" + "&" * 5000,
               "/?" + "&".join(f"a{i}=1" for i in range(100)), "/v1/models/leads?from=%ff%fe",
               "/v1/models/leads?index=%22&from=%22%22%22,,,", "/v1/streams/" + "-" * 500, "*",
               "http://x/y", "/v1/commands/" + "A" * 300]
    for target in targets:
        got = raw(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        status = got[9:12]
        assert got == b"" or status in (b"400", b"404", b"414", b"431", b"200"), (target, got[:99])
    for data in (b"\0" * 5000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 1000,
                 b"POST /v1/commands/CreateLead HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/commands/CreateLead HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Length: 99999999999999999999\r\n\r\n{",
                 b"POST /v1/commands/CreateLead HTTP/1.1\r\nHost: x\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
                 b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n"):
        raw(data, 0.5)
    rng = random.Random(5)
    for _ in range(30):
        raw(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300))), 0.3)
    body = json.dumps(lead("x" * 5000, notes="[" * 30000)).encode()
    api.post(url + "/v1/commands/CreateLead", body)
    api.post(url + "/v1/commands/CreateLead", b"[" * 60000)
    check.equal(_system["process"].alive(), True)
    check.equal(api.get(url + "/readyz").status, 200)
    check.equal(send("after-all").status, 200)
    wait.until(lambda: " 1\n" in in_flight(url), 90,
               "only this request to be under way: the slow reader's is, until it is cut")


def in_flight(url):
    lines = api.get(url + "/metrics").body.decode().splitlines(keepends=True)
    return next(x for x in lines if x.startswith("leat_http_requests_in_flight{"))


@check.test
def a_client_that_never_gets_to_the_point_is_cut():
    """Silence and a byte now and then, in the head and in the body: begun by the first test."""
    for name, ended in _slow[:4]:
        seconds, got = ended.result(40)
        assert 15 <= seconds <= 26, f"{name}: {seconds:.1f} s"
        check.equal(got, b"", name)
    check.equal(len(_slow), 5)
    _system["process"].await_log("slow-clients")


@check.test
def a_client_that_takes_its_answer_drop_by_drop_is_cut():
    seconds, got = _slow[4][1].result(100)
    assert 15 <= seconds < 90, f"{seconds:.1f} s"
    check.contains(got.decode(), "HTTP/1.1 200 OK")


@check.test
def stopping_answers_what_is_under_way():
    url, _ = system()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(send, f"z-{i}") for i in range(8)]
        wait.until(lambda: any(a.done() for a in answers), 20, "the first answer")
        check.equal(_system["process"].stop(), 0)
        for a in answers:
            if a.exception() is None:
                assert a.result().status in (200, 202, 503), a.result()


@check.at_end
def clean():
    leat.end_all()
    if _system:
        _system["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
