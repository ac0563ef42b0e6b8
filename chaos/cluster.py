"""The leat processes of a run: started under their instance ids, killed, paused, started again."""

import os
import random
import signal
import subprocess
import time

from lib import leat, servers, wait

WORKERS = ("w1", "w2", "w3")
ROLES = {"w1": "worker", "w2": "worker", "w3": "worker", "r1": "relay", "r2": "relay",
         "p1": "projector,http"}
SESSION_SECONDS = 6


def until(moment):
    """Waits for a moment of time.monotonic(): kills and the load keep a pace."""
    wait.until(lambda: time.monotonic() >= moment, moment - time.monotonic() + 60, "a moment")


class Cluster:
    def __init__(self, home, seed):
        self.home, self.rng = home, random.Random(seed)
        self.port = servers.free_port()
        self.running = {}
        self.kills = {name: 0 for name in ROLES}

    def arguments(self, name):
        arguments = ["--role", ROLES[name], "--instance", name,
                     "--session-timeout", f"{SESSION_SECONDS}s", "--data", "data"]
        if "http" in ROLES[name]:
            arguments += ["--listen", f"127.0.0.1:{self.port}"]
        return arguments

    def start(self, name):
        self.running[name] = self.home.start(*self.arguments(name), name=name)

    def start_all(self):
        for name in ROLES:
            self.start(name)
        for process in self.running.values():
            process.await_log("running", 60)

    def kill(self, name):
        self.running[name].kill()
        self.kills[name] += 1
        self.start(name)

    def kill_for(self, seconds):
        """kill -9 of a random process each second; it is started again at once. A process that has
        ended by itself is a failure: nothing but us may end one."""
        started = time.monotonic()
        for n in range(seconds):
            until(started + n)
            self.all_alive()
            self.kill(self.rng.choice(sorted(ROLES)))

    def all_alive(self):
        for name, process in self.running.items():
            if not process.alive():
                raise AssertionError(f"{name} ended by itself with {process.popen.returncode}: "
                                     f"{process.tail()}")

    def pause_worker(self):
        """SIGSTOP of one worker until its session is well over, then SIGCONT."""
        name = self.rng.choice(WORKERS)
        self.running[name].signal(signal.SIGSTOP)
        until(time.monotonic() + SESSION_SECONDS + 4)
        self.running[name].signal(signal.SIGCONT)
        return name

    def stop(self):
        """One SIGTERM for each (a second one would cut the drain short); exit codes by name."""
        for process in self.running.values():
            process.signal(signal.SIGTERM)
        codes = {}
        for name, process in self.running.items():
            try:
                codes[name] = process.popen.wait(timeout=30)
            except subprocess.TimeoutExpired:
                codes[name] = "still running 30 s after SIGTERM"
        return codes

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def log_dir(self):
        return os.path.relpath(self.home.dir, servers.ROOT)
