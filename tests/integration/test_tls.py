"""leat behind nginx as docs/reference/access.md has it: TLS outside, plain HTTP inside."""

import os
import re
import socket
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request

from lib import check, leat, servers, wait

NAME = "leat_tls"
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
  limits: {{requests: 3/d, forwarded: true}}
  auth: {{roles: {{all: {{operate: true}}}}, anonymous: all}}
"""
SCHEMAS = {"Place": [("id", "string")], "Placed": [("id", "string")]}


def config(folder, outside, inside):
    """The page's server, with this test's addresses and files."""
    page = os.path.join(servers.ROOT, "docs", "reference", "access.md")
    with open(page, encoding="utf-8") as f:
        server = re.search(r"```nginx\n(.*?)```", f.read(), re.S).group(1)
    for old, new in (("listen 443 ssl", f"listen 127.0.0.1:{outside} ssl"),
                     ("127.0.0.1:8080", inside), ("/etc/ssl/shop", f"{folder}/shop"),
                     ("shop.example.com", "localhost")):
        assert old in server, old
        server = server.replace(old, new)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as f:
        f.write(f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
                f"events {{}}\nhttp {{ access_log off; {paths}\n{server}\n}}\n")


def nginx(folder, outside, inside):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", f"{folder}/shop.key", "-out", f"{folder}/shop.pem"],
                   check=True, capture_output=True)
    config(folder, outside, inside)
    program = "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else "nginx"
    process = subprocess.Popen([program, "-p", folder, "-c", f"{folder}/nginx.conf"],
                               stderr=subprocess.DEVNULL)

    def answers():
        assert process.poll() is None, open(f"{folder}/error.log", encoding="utf-8").read()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", outside)) == 0

    wait.until(answers, 30, "nginx")
    return process


@check.test
def commands_and_limits_through_tls():
    h = leat.Home(TOPOLOGY, schemas=SCHEMAS)
    h.forget(NAME)
    h.must("apply")
    inside, outside = f"127.0.0.1:{servers.free_port()}", servers.free_port()
    h.start("--listen", inside, "--role", "http")
    with tempfile.TemporaryDirectory(prefix="leat-tls-") as folder:
        os.chmod(folder, 0o755)
        proxy = nginx(folder, outside, inside)
        try:
            trusted = ssl.create_default_context(cafile=f"{folder}/shop.pem")

            def get(path, forged=None):
                sent = urllib.request.Request(f"https://localhost:{outside}{path}",
                                              headers={"X-Forwarded-For": forged} if forged else {})
                try:
                    with urllib.request.urlopen(sent, context=trusted, timeout=10) as answer:
                        return answer.status, answer.headers
                except urllib.error.HTTPError as e:
                    return e.code, e.headers

            wait.until(lambda: get("/healthz")[0] == 200, 60, "leat behind nginx")
            told = [get("/openapi.json", forged=f"10.0.0.{i}") for i in range(4)]
            check.equal([status for status, _ in told], [200, 200, 200, 429],
                        "an address that the caller claims itself is not believed")
            check.equal(told[0][1]["X-RateLimit-Remaining"], "2")
        finally:
            proxy.terminate()
            proxy.wait()


if __name__ == "__main__":
    check.main()
