#!/usr/bin/env python3
"""How late a message is that waited (target: within 50 ms while idle).

Usage: due.py [--messages N] [--rate N/s]

On the servers of ./dev up, in an idle system: N retries, and N commands sent by leat_send_after,
all due at times of their own, about 50 a second. Lateness of a retry: from its due time to the
transaction that settled it. Of a scheduled command: to the time its record has in its topic, and to
the transaction that settled it at the processor it is for.
"""

import argparse
import json
import sys

from room import Room

from lib import wait  # noqa: E402 - room.py has added the path


def spread(late):
    late = sorted(late)
    return {"p50": round(late[len(late) // 2], 1), "p99": round(late[len(late) * 99 // 100], 1),
            "max": round(late[-1], 1)}


def due_times(room, reason, n):
    """id -> due time in ms, once all wait."""
    wait.equals(lambda: room.value(f"select count(*) from @waiting where reason = {reason}"), n, 30,
                f"{n} to wait")
    found = room.rows("select id, extract(epoch from due_at) * 1000 as due, "
                      f"due_at > now() as ahead from @waiting where reason = {reason}")
    assert all(row["ahead"] == "t" for row in found), "some were due before all waited"
    return {row["id"]: float(row["due"]) for row in found}


def settled(room, processor):
    return {row["id"]: (float(row["received"]), float(row["finished"])) for row in room.rows(
        "select id, extract(epoch from received_at) * 1000 as received, "
        "extract(epoch from finished_at) * 1000 as finished from @command_log "
        f"where processor = '{processor}' and outcome = 1")}


def await_settled(room, processor, ids):
    wait.until(lambda: ids <= set(settled(room, processor)), 180, "all to be settled", every=1)
    return settled(room, processor)


def retries(room, n):
    """Delays of the topology: 15 s, and up to as much again by the jitter."""
    room.work((f"again{i}", i, "gate:open") for i in range(n))
    due = due_times(room, 1, n)
    room.open("open")
    done = await_settled(room, "jobs", set(due))
    return spread(done[i][1] - due[i] for i in due)


def scheduled(room, n, rate):
    room.work((f"later{i}", i, f"later:{15000 + i * 1000 // rate}") for i in range(n))
    due = due_times(room, 3, n)
    done = await_settled(room, "reminders", set(due))
    return (spread(done[i][0] - due[i] for i in due), spread(done[i][1] - due[i] for i in due))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("--messages", type=int, default=1000)
    p.add_argument("--rate", type=int, default=50, help="of scheduled ones")
    o = p.parse_args()
    room = Room("due_bench", replace={"    concurrency: 1\n": "    concurrency: 1\n    retry: "
                                      "{delays: [15s, 15s], jitter: 1}\n"})
    process = room.start("--processors", "jobs,reminders")
    process.await_log('"acquired"')
    late = {"retry_settled": retries(room, o.messages)}
    late["scheduled_sent"], late["scheduled_settled"] = scheduled(room, o.messages, o.rate)
    process.stop()
    room.forget()
    print(json.dumps({"late_ms": {"messages": o.messages, "target": 50, **late}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
