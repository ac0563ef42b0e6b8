"""The leat processes of a chaos run. Each `leat run` supervises children; a fault hits either."""

import json
import os
import signal
import time

from lib import api, servers, wait

SESSION_SECONDS = 6
ALL = {"w1": "worker", "w2": "worker", "w3": "worker,relay", "r1": "relay",
       "p1": "projector,http", "p2": "projector"}


class Fleet:
    """roles: instance name -> roles. `more`: instance name -> further arguments."""

    def __init__(self, home, roles=None, env=None):
        self.home, self.roles, self.env = home, dict(roles or ALL), env or {}
        self.port = servers.free_port()
        self.running, self.marks, self.more = {}, {}, {}

    def start(self, name, ready=True):
        words = ["--role", self.roles[name], "--instance", name, "--data", "data",
                 "--session-timeout", f"{SESSION_SECONDS}s", *self.more.get(name, ())]
        if "http" in self.roles[name]:
            words += ["--listen", f"127.0.0.1:{self.port}"]
        before = self.log(name).count('"event":"started"')
        self.running[name] = self.home.start(*words, name=name, env=self.env)
        if ready:
            wait.until(lambda: self.log(name).count('"event":"started"') > before, 60,
                       f"{name} to be started: {self.running[name].tail()}")

    def start_all(self):
        for name in self.roles:
            self.start(name)
        wait.until(lambda: api.get(self.url("/readyz")).status == 200, 60, "the fleet to be ready")

    def log(self, name):
        path = os.path.join(self.home.dir, f"{name}.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    # ---- faults ----

    def pids(self, name):
        """Those that do the work: the children, or the process itself where it has none."""
        process = self.running[name]
        return process.children() or [process.pid]

    def kill_child(self, name):
        """-9 for what does the work; the supervisor starts it again, or we do."""
        children = self.running[name].children()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        if not children:
            self.kill(name)
            self.start(name, ready=False)

    def kill(self, name):
        """-9 for `leat run` itself; its children end with it."""
        self.running.pop(name).kill()

    def signal_all(self, name, number):
        process = self.running[name]
        for pid in {process.pid, *process.children()}:
            os.kill(pid, number)

    def terminate(self, name, seconds=30):
        """SIGTERM; (exit code, seconds until it had ended)."""
        started = time.monotonic()
        code = self.running.pop(name).stop(seconds)
        return code, time.monotonic() - started

    def all_alive(self):
        for name, process in self.running.items():
            if not process.alive():
                raise AssertionError(f"{name} ended by itself with {process.popen.returncode}: "
                                     f"{process.tail()}")

    def stop(self):
        """One SIGTERM for each; the names of those that did not end well."""
        bad = {}
        for process in self.running.values():
            process.signal(signal.SIGTERM)
        for name, process in self.running.items():
            try:
                code = process.popen.wait(timeout=40)
            except Exception:  # noqa: BLE001 - it has not ended
                code = "still running 40 s after SIGTERM"
            if code != 0:
                bad[name] = code
        self.running = {}
        return bad

    # ---- what they said ----

    def events(self, *names):
        """Log lines with one of these events, of all processes, oldest first."""
        found = []
        for name in self.roles:
            for line in self.log(name).splitlines():
                if not line.startswith("{"):
                    continue
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry.get("event") in names:
                    found.append({**entry, "who": name})
        return sorted(found, key=lambda e: e.get("time", ""))
