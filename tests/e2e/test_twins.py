#!/usr/bin/env python3
"""Two processes started with one instance id: Kafka ends the members of the first."""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import api, check, kafka, leat, pg, servers, wait  # noqa: E402

NAME = "twins_e2e"
PARTITIONS = 12
TOPIC = f"{NAME}.counters.warm"

_processes = []


def start(name):
    h = leat.Home("tests/e2e/topology/snap.yaml", modules=os.path.join(
        os.path.dirname(servers.BIN), "modules", "snap"),
        replace={"name: snap\n": f"name: {NAME}\n"})
    if not _processes:
        h.forget(NAME)
        h.must("apply")
    url = f"http://127.0.0.1:{servers.free_port()}"
    process = h.start("--listen", url[7:], "--instance", "same", name=name)
    _processes.append(process)
    return process, url


def ready(url):
    return api.get(url + "/readyz").status == 200


def said(process, event, area):
    return [line for line in map(json.loads, process.log().splitlines())
            if line.get("event") == event and line["area"] == area]


def owned(process, area, field):
    """Of the last time it acquired some: Kafka assigns eagerly, so that is all of them."""
    return said(process, "acquired", area)[-1][field]


def handle(n):
    """Sends n commands to as many streams and waits until each has its event in the topic."""
    before = pg.value(f"select count(*) from {NAME}.events")
    kafka.produce(TOPIC, [
        (f"{before}-{i}", json.dumps({"counter": f"{before}-{i}", "amount": 1, "times": 1}),
         {"ce_type": "Add", "ce_id": str(uuid.uuid4())}) for i in range(n)])
    wait.equals(lambda: pg.value(f"select count(*) from {NAME}.events"), before + n)

    def published():
        return len({(r.partition, r.header("leat-seq")) for r in kafka.consume(f"{NAME}.events")})
    wait.equals(published, before + n)


@check.test
def the_first_joins_again_without_the_id_and_they_share():
    first, url = start("first")
    wait.until(lambda: ready(url), 20, "the first to be ready")
    handle(50)
    second, second_url = start("second")
    for area in ("worker", "relay"):
        wait.until(lambda: said(first, "member-ended", area), 30, f"{area} to be told")
        line = said(first, "member-ended", area)[0]
        check.contains(line["message"] + line.get("hint", ""), "same group.instance.id")
    handle(50)

    def shared(area, field):
        return owned(first, area, field) + owned(second, area, field) == PARTITIONS
    wait.until(lambda: shared("worker", "partitions") and shared("relay", "slices"), 30,
               "all to be owned, each by one")
    wait.until(lambda: ready(url) and ready(second_url), 20, "both to be ready")
    handle(200)
    for area, field in (("worker", "partitions"), ("relay", "slices")):
        check.equal(owned(first, area, field), PARTITIONS // 2)
        check.equal(len(said(first, "member-ended", area)), 1)
        check.equal(said(second, "member-ended", area), [])


@check.at_end
def forget():
    for process in _processes:
        process.stop()
    leat.Home("tests/e2e/topology/snap.yaml").forget(NAME)


if __name__ == "__main__":
    check.main()
