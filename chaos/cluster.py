"""The leat processes of a run: started under their instance ids, killed, paused, started again."""

import os
import random
import signal
import subprocess
import time

from lib import pg, servers, wait

# Relays of their own and beside workers, which hand them fresh batches; two projectors on one file.
ROLES = {"w1": "worker", "w2": "worker,relay", "w3": "worker,relay", "r1": "relay",
         "p1": "projector,http", "p2": "projector"}
WORKERS = ("w1", "w2", "w3")
OTHERS = ("r1", "p2")
SESSION_SECONDS = 6


def until(moment):
    """Waits for a moment of time.monotonic(): kills and the load keep a pace."""
    wait.until(lambda: time.monotonic() >= moment, moment - time.monotonic() + 60, "a moment")


def cut_connections(name):
    """Ends a few backends that last spoke of the topology's schema, whatever they are doing."""
    pg.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
               "pg_backend_pid() and datname = current_database() and application_name = 'leat' "
               f"and query like '%{name}%' order by random() limit 3")


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

    def kill_for(self, seconds, cut=None):
        """kill -9 of a random process each second; it is started again at once. A process that has
        ended by itself is a failure: nothing but us may end one. `cut`: name of the topology some
        of whose connections to the store are ended as well."""
        started = time.monotonic()
        for n in range(seconds):
            until(started + n)
            self.all_alive()
            if cut is not None:
                cut_connections(cut)
            self.kill(self.rng.choice(sorted(ROLES)))

    def all_alive(self):
        for name, process in self.running.items():
            if not process.alive():
                raise AssertionError(f"{name} ended by itself with {process.popen.returncode}: "
                                     f"{process.tail()}")

    def pause(self):
        """SIGSTOP of a worker and of a relay or projector until their sessions are well over, then
        SIGCONT."""
        names = [self.rng.choice(WORKERS), self.rng.choice(OTHERS)]
        for name in names:
            self.running[name].signal(signal.SIGSTOP)
        until(time.monotonic() + SESSION_SECONDS + 4)
        for name in names:
            self.running[name].signal(signal.SIGCONT)
        return names

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
