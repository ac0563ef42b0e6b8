"""The program under test: its verbs, and `leat run` processes that end with the test."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile

from . import kafka, pg, servers, wait

_running = []


class Home:
    """A folder with a topology file, and the environment leat runs in.

    topology: path of a YAML file, copied together with the `schemas` folder beside it, or a
    string of YAML. `replace` maps text to text in it, for example the topology's name.
    modules: folder of the processors' shared objects.
    schemas: records by their names, see schema().
    """

    bin = servers.BIN

    def __init__(self, topology, modules=None, replace=None, env=None, schemas=None):
        base = os.environ.get("LEAT_TEST_DIR") or tempfile.mkdtemp(prefix="leat-test-")
        self.dir = tempfile.mkdtemp(prefix="home-", dir=base)
        self.path = os.path.join(self.dir, "leat.yaml")
        text = topology
        if "\n" not in topology:
            source = os.path.join(servers.ROOT, topology)
            with open(source, encoding="utf-8") as f:
                text = f.read()
            beside = os.path.join(os.path.dirname(source), "schemas")
            if os.path.isdir(beside):
                shutil.copytree(beside, os.path.join(self.dir, "schemas"))
        for old, new in (replace or {}).items():
            text = text.replace(old, new)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)
        self.env = {**os.environ, "KAFKA": servers.KAFKA, "STORE_URL": servers.STORE_URL,
                    "REDIS_URL": servers.REDIS_URL, "LEAT_TOPOLOGY": self.path, **(env or {})}
        if modules:
            self.env["LEAT_MODULES"] = os.path.join(servers.ROOT, modules)
        for name, fields in (schemas or {}).items():
            self.schema(name, fields)

    def schema(self, name, fields):
        """Writes schemas/<name>.avsc: a record of (name, type) or (name, type, default) fields."""
        body = [dict(zip(("name", "type", "default"), field)) for field in fields]
        os.makedirs(os.path.join(self.dir, "schemas"), exist_ok=True)
        with open(os.path.join(self.dir, "schemas", f"{name}.avsc"), "w", encoding="utf-8") as f:
            json.dump({"type": "record", "name": name, "fields": body}, f)

    def cli(self, *arguments, stdin=None, seconds=60, env=None):
        """Runs `leat <arguments>` to its end. Has .returncode, .stdout and .stderr."""
        return subprocess.run(
            [servers.BIN, *map(str, arguments)], cwd=self.dir, env={**self.env, **(env or {})},
            input=stdin, capture_output=True, text=True, timeout=seconds, check=False)

    def must(self, *arguments, **options):
        """The same, but anything except exit code 0 fails the test; returns stdout."""
        done = self.cli(*arguments, **options)
        if done.returncode != 0:
            raise AssertionError(
                f"leat {' '.join(map(str, arguments))}: exit {done.returncode}: "
                f"{done.stderr.strip()[-800:]}")
        return done.stdout

    def must_json(self, *arguments, **options):
        return json.loads(self.must(*arguments, "--json", **options))

    def start(self, *arguments, name="leat", env=None):
        """Starts `leat run <arguments>`; see Process."""
        return Process(self, ["run", *map(str, arguments)], name, env or {})

    def forget(self, name):
        """Removes what an earlier run of topology `name` left in Postgres and Kafka."""
        pg.drop_schema(name)
        kafka.delete(*kafka.topics(f"{name}."))
        # A busy broker deletes late: one that is found meanwhile would be taken for ours.
        wait.until(lambda: not kafka.topics(f"{name}."), 20, f"the topics of {name} to be gone")


def _roles(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
            words = f.read().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "".join(w for w in words if w.startswith("--role="))


class Process:
    """A leat process, in a process group of its own, with its output in <home>/<name>.log."""

    def __init__(self, home, arguments, name, env):
        self.name = name
        self.log_path = os.path.join(home.dir, f"{name}.log")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [home.bin, *arguments], cwd=home.dir, env={**home.env, **env},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)
        self.pid = self.popen.pid
        _running.append(self)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.popen.poll() is None

    def await_log(self, text, seconds=30):
        def there():
            if text in self.log():
                return True
            assert self.alive(), f"{self.name} ended with {self.popen.returncode}: {self.tail()}"
            return False

        wait.until(there, seconds, f"{text!r} in the log of {self.name}")

    def said(self, event):
        """Its lines in the log of that name, as objects."""
        lines = (json.loads(x) for x in self.log().splitlines() if x.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def tail(self):
        return " | ".join(self.log().splitlines()[-6:])

    def signal(self, number):
        os.kill(self.pid, number)

    def children(self, role=""):
        """Pids of the processes it supervises, or of those with a role, the oldest first."""
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as f:
                return [int(pid) for pid in f.read().split() if role in _roles(pid)]
        except FileNotFoundError:
            return []

    def kill(self):
        """SIGKILL for this process alone, as a crash; those it supervises end with it."""
        children = self.children()
        self.signal(signal.SIGKILL)
        self.popen.wait()
        wait.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), 10,
                   f"the processes of {self.name} to be gone")

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not end {seconds} s after SIGTERM: {self.tail()}") from None

    def end_group(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.popen.wait()


@atexit.register
def end_all():
    """Ends every process that a test left running, with its children."""
    while _running:
        _running.pop().end_group()
