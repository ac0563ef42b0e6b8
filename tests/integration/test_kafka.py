# sanitizers: asan
"""Kafka: group members, lanes, producer, reader and admin, in programs that check themselves; and
members that are killed and stopped, which needs processes of their own."""

import os
import signal
import subprocess
import time

from lib import check, kafka, servers, wait


def program(name):
    """Runs a program that prints ok and FAIL lines; fails with its first FAIL."""
    done = subprocess.run([servers.tool(name)], env={**os.environ, "KAFKA": servers.KAFKA},
                          capture_output=True, text=True, timeout=240, check=False)
    print(done.stdout, end="", flush=True)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    if failed or done.returncode != 0:
        raise AssertionError(failed[0] if failed else done.stderr[-600:])


@check.test
def group_program():
    program("integration_kafka_group")


@check.test
def io_program():
    program("integration_kafka_io")


class Member:
    """A process that is a member of a group and tells what it is given."""

    def __init__(self, group, instance, topic):
        self.process = subprocess.Popen(
            [servers.tool("integration_kafka_group"), "member", group, instance, topic],
            env={**os.environ, "KAFKA": servers.KAFKA}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.lines = []

    def read(self):
        while line := self.process.stdout.readline():
            self.lines.append(line.split())
        return self.lines

    def assigned(self):
        """(number of partitions, when in ms) of the last assignment, or None."""
        found = [line for line in self.read() if line[0] == "assigned"]
        return (int(found[-1][1]), int(found[-1][3])) if found else None

    def has(self, partitions):
        return wait.until(lambda: self.assigned() and self.assigned()[0] == partitions,
                          what=f"{partitions} partitions")

    def commit(self):
        before = len(self.read())
        self.process.stdin.write("commit\n")
        self.process.stdin.flush()
        wait.until(lambda: len(self.read()) > before, what="an answer to the commit")
        return self.lines[-1][1]

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


_number = 0


def fresh():
    global _number
    _number += 1
    name = f"kafkatest.members.{int(time.time() * 1000)}.{_number}"
    kafka.create(name, 4)
    return name


@check.test
def killed_static_member_has_its_partitions_back_soon():
    name = fresh()
    a, b = Member(name, "a", name), Member(name, "b", name)
    a.has(2), b.has(2)
    a.signal(signal.SIGKILL)
    a.process.wait()
    started = time.time() * 1000
    again = Member(name, "a", name)
    again.has(2)
    took = again.assigned()[1] - started
    print(f"# back after {took:.0f} ms", flush=True)
    assert took < 3000, f"{took} ms"  # the session lasts 6 s
    check.equal(b.assigned()[0], 2)
    again.end(), b.end()


@check.test
def stopped_member_that_wakes_commits_nothing():
    name = fresh()
    a = Member(name, "-", name)
    a.has(4)
    check.equal(a.commit(), "ok")
    b = Member(name, "-", name)
    a.has(2), b.has(2)
    a.signal(signal.SIGSTOP)
    b.has(4)  # after the session time
    a.signal(signal.SIGCONT)
    check.equal(a.commit(), "fenced")
    check.equal(b.commit() in ("ok", "fenced"), True)  # fenced: the rebalance that lets a back in
    a.has(2), b.has(2)
    check.equal(a.commit(), "ok")
    check.equal(b.commit(), "ok")
    a.end(), b.end()


if __name__ == "__main__":
    check.main()
