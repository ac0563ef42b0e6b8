"""A client that knows nothing but /openapi.json (schemathesis) asks all that it describes, rightly
and wrongly: no answer is a 5xx, none is other than described."""

import os
import subprocess
import sys

from lib import api, check, leat, pg, servers, store, wait

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "interop"))
import fetch  # noqa: E402 - lies in the folder named above

NAME = "leat_openapi"
TOPOLOGY = f"""
leat: 1
name: {NAME}
partitions: 4
kafka: {{bootstrap.servers: "${{KAFKA}}"}}
store: {{url: "${{STORE_URL}}"}}
priorities: {{all: {{weight: 1, default: true}}}}
topics: {{events: {{format: json}}, commands: {{format: json}}}}
schemas: [schemas]
aggregates: {{order: {{key: id, state: OrderState}}}}
processors: {{orders: {{aggregate: order, commands: [Place], emits: [Placed]}}}}
projections:
  orders:
    key: $.id
    from: {{Placed: {{set: {{customer: $.customer, total: $.total}}, collect: {{seen: $.total}}}}}}
    indexes: {{by_customer: [customer, -total]}}
  customers:
    key: $.customer
    from: {{Placed: {{add: {{orders: 1, cents: $.total}}}}}}
queries:
  GetOrder: {{model: orders}}
  OrdersOf: {{model: orders, index: by_customer, params: [customer], limit: 5}}
http: {{listen: "127.0.0.1:0"}}
"""
SCHEMAS = {"OrderState": [("total", "long")], "Place": [("id", "string")],
           "Placed": [("id", "string"), ("customer", "string"), ("total", "long")]}
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,"
          "response_headers_conformance,response_schema_conformance")
READS = "^/v1/(models|count|aggregate|top|batch|queries)"
# A stream of changes has no end to wait for; /readyz says 503 while there is no worker.
LEFT_OUT = "^(/v1/changes/|/readyz|" + READS[1:] + ")"
_system = {}


def system():
    if not _system:
        h = leat.Home(TOPOLOGY, schemas=SCHEMAS)
        h.forget(NAME)
        h.must("apply")
        url = f"http://127.0.0.1:{servers.free_port()}"
        process = h.start("--listen", url[7:], "--role", "relay,projector,http")
        pg.execute(" ".join(store.appending(NAME, f"order-o{i}", [
            ("Placed", {"id": f"o{i}", "customer": f"c{i % 3}", "total": i})]) for i in range(30)))
        wait.until(lambda: process.alive() and b'"count":30' in
                   api.get(url + "/v1/count/orders").body, 60, f"rows ({process.log_path})")
        _system.update(url=url, home=h, process=process)
    return _system["url"]


# Every boundary of every parameter takes longer than a test of each change may.
PHASES = "examples,coverage,fuzzing" if os.environ.get("LEAT_OPENAPI_ALL") else "examples,fuzzing"


def schemathesis(*options):
    url = system()
    program = os.path.join(os.path.dirname(fetch.python("openapi.txt")), "schemathesis")
    done = subprocess.run(
        [program, "run", url + "/openapi.json", "--checks", CHECKS, "--phases", PHASES,
         "--seed", "17", "--no-color",
         "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", *options],
        capture_output=True, text=True, timeout=300, check=False, cwd=_system["home"].dir)
    text = done.stdout + done.stderr
    at = text.find("= FAILURES =")
    check.equal(done.returncode, 0, " ".join(text[at if at >= 0 else -1500:][:1500].split()))
    assert _system["process"].alive()
    check.equal([x for x in _system["process"].said("request-failed") if x["status"] == 500], [])


@check.test
def what_models_answer_is_as_described():
    schemathesis("--include-path-regex", READS, "-n", "5")


@check.test
def everything_else_too():
    schemathesis("--exclude-path-regex", LEFT_OUT, "-n", "3")


@check.at_end
def clean():
    leat.end_all()
    if _system:
        _system["home"].forget(NAME)


if __name__ == "__main__":
    check.main()
