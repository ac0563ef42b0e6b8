# sanitizers: asan
"""Tokens signed with the keys of a key set at an address: a provider of this test's own, with TLS.
Tokens and keys are made with openssl."""

import base64
import http.server
import json
import ssl
import subprocess
import tempfile
import threading
import time

from lib import api, check, leat, servers, wait

NAME = "leat_jwks"
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 2
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
schemas: [schemas]
topics: {{events: {{format: json}}, commands: {{format: json}}}}
aggregates: {{order: {{key: id}}}}
processors: {{orders: {{aggregate: order, commands: [Place], emits: [Placed]}}}}
http:
  listen: "127.0.0.1:0"
  auth:
    roles: {{ops: {{operate: true}}}}
    jwt: {{jwks: "${{JWKS}}", ca: "${{CA}}", audience: shop}}
"""
SCHEMAS = {"Place": [("id", "string")], "Placed": [("id", "string")]}
FOLDER = tempfile.TemporaryDirectory(prefix="leat-jwks-")


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, cwd=FOLDER.name, check=True,
                          capture_output=True).stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_key(kid):
    openssl("genrsa", "-out", f"{kid}.key", "2048")
    modulus = openssl("rsa", "-in", f"{kid}.key", "-noout", "-modulus").decode()
    n = bytes.fromhex(modulus.strip().partition("=")[2])
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": b64(n), "e": "AQAB"}


def token(kid):
    head = b64(json.dumps({"alg": "RS256", "kid": kid}).encode())
    body = b64(json.dumps({"sub": "ann", "aud": "shop", "roles": ["ops"],
                           "exp": int(time.time()) + 600}).encode())
    signed = f"{head}.{body}"
    made = openssl("dgst", "-sha256", "-sign", f"{kid}.key", stdin=signed.encode())
    return f"{signed}.{b64(made)}"


class Provider(http.server.BaseHTTPRequestHandler):
    """/keys: the set as it is now; the other addresses answer as nobody should."""

    keys, asked = [], {}
    hold = threading.Event()

    def do_GET(self):
        self.path = self.path.partition("?")[0]
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        status, headers, body = 200, {}, json.dumps({"keys": self.keys}).encode()
        if self.path == "/keys":
            headers["Cache-Control"] = "public, max-age=3"
        elif self.path == "/silent":
            self.hold.wait(60)
            return
        elif self.path == "/moved":
            status, headers = 302, {"Location": f"https://localhost:{self.server.server_port}/keys"}
        elif self.path == "/downgrade":
            status, headers = 302, {"Location": f"http://localhost:{self.server.server_port}/keys"}
        elif self.path == "/huge":
            body = body + b" " * (1 << 20)
        elif self.path == "/endless":
            headers["Transfer-Encoding"], body = "chunked", b""
        elif self.path == "/nonsense":
            body = b"<html>not found</html>"
        elif self.path == "/error":
            status = 500
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
            while self.path == "/endless":
                self.wfile.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
        except OSError:
            pass

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # who does not trust us hangs up


def serve(port=0):
    server = Server(("127.0.0.1", port), Provider)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{FOLDER.name}/tls.pem", f"{FOLDER.name}/tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def start(address, ca="tls.pem", name="leat"):
    """A process that answers HTTP; its address."""
    h = leat.Home(TOPOLOGY, schemas=SCHEMAS, env={
        "JWKS": address, "CA": f"{FOLDER.name}/{ca}", "NO_PROXY": "*", "no_proxy": "*"})
    port = servers.free_port()
    process = h.start("--listen", f"127.0.0.1:{port}", "--role", "http", name=name)
    process.url = f"http://127.0.0.1:{port}/metrics"
    return process


def ask(process, shown):
    return api.get(process.url, headers={"Authorization": f"Bearer {shown}"}, seconds=5)


def await_status(process, shown, status, seconds=60):
    wait.until(lambda: ask(process, shown).status == status, seconds, f"{status}")


_system = {}


def provider():
    if not _system:
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "tls.key",
                "-out", "tls.pem", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "x.key",
                "-out", "other.pem", "-subj", "/CN=localhost")
        for kid in ("first", "second", "third"):
            _system[kid] = make_key(kid)
        weak = {**_system["first"], "kid": "weak", "n": b64(b"\x80" * 127 + b"\x01")}
        Provider.keys = [{"kty": "EC", "kid": "e"}, weak, _system["first"]]
        _system["server"] = serve()
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS, env={"JWKS": "https://localhost", "CA": "x"})
        h.forget(NAME)
        h.must("apply")
    return f"https://localhost:{_system['server'].server_port}"


@check.test
def keys_are_read_again_when_a_new_one_signs_and_kept_while_the_provider_is_away():
    url = provider()
    p = start(f"{url}/keys")
    await_status(p, token("first"), 200)
    Provider.keys = [_system["first"], _system["second"]]
    await_status(p, token("second"), 200)
    check.equal(ask(p, token("first")).status, 200)
    for _ in range(20):  # a key nobody has is looked for once in a while, not each time
        assert ask(p, token("third")).status in (401, 503)
    assert Provider.asked["/keys"] <= 4, Provider.asked
    port = _system["server"].server_port
    _system["server"].shutdown()
    _system["server"].server_close()
    p.await_log("key-set", 60)
    check.equal(len(p.said("key-set")), 1)
    check.contains(p.said("key-set")[0]["message"], f"https://localhost:{port}/keys")
    check.equal([ask(p, token(kid)).status for kid in ("first", "second")], [200, 200])
    Provider.keys = [_system["third"]]
    _system["server"] = serve(port)
    await_status(p, token("third"), 200)
    check.equal(ask(p, token("first")).status, 401, "withdrawn by who signs")
    check.equal(p.stop(), 0)


@check.test
def what_is_no_key_set_is_refused_and_says_why():
    url = provider()
    said = {"/downgrade": "http", "/huge": "262144 bytes", "/endless": "262144 bytes",
            "/nonsense": "JSON", "/error": "it answers 500", "/keys": "certificate"}
    started = {path: start(url + path + "?secret=hush", "other.pem" if path == "/keys" else
                           "tls.pem", path.strip("/")) for path in said}
    moved = start(url + "/moved", name="moved")
    for path, p in started.items():
        p.await_log("key-set", 60)
        text = p.said("key-set")[0]["message"]
        assert said[path] in text and "hush" not in p.log(), f"{path}: {text}"
        answer = ask(p, token("third"))
        check.equal((answer.status, "Retry-After" in answer.headers), (503, True), path)
        check.equal(ask(p, "no-token").status, 401)
    Provider.keys = [_system["third"]]
    await_status(moved, token("third"), 200)


@check.test
def a_provider_that_is_silent_holds_nobody():
    p = start(provider() + "/silent")
    wait.until(lambda: Provider.asked.get("/silent"), 60, "to be asked")
    made, before = token("first"), time.monotonic()
    for _ in range(20):
        check.equal(ask(p, made).status, 503)
    assert time.monotonic() - before < 5
    check.equal(p.stop(), 0)
    Provider.hold.set()


if __name__ == "__main__":
    check.main()
