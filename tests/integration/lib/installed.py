"""leat as somebody has it who installed it: staged into a folder, used from outside the tree."""

import json
import os
import subprocess
import tempfile

from . import api, leat, servers, wait

_stage = []


def _run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}: "
                             f"{(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout


def folder(prefix):
    base = os.environ.get("LEAT_TEST_DIR") or tempfile.mkdtemp(prefix="leat-test-")
    return tempfile.mkdtemp(prefix=f"{prefix}-", dir=base)


def build_dir():
    return os.path.dirname(os.path.dirname(servers.BIN))


def stage():
    """The prefix that the build under test was installed to, once per script."""
    if not _stage:
        _run("cmake", "--build", build_dir(), "--target", "leat", "pages")
        prefix = folder("prefix")
        _run("cmake", "--install", build_dir(), "--prefix", prefix)
        _stage.append(prefix)
    return _stage[0]


class Project:
    """A folder outside the tree, where only what is installed under `prefix` is known."""

    def __init__(self, prefix, env=None):
        self.prefix = prefix
        self.dir = folder("project")
        self.bin = os.path.join(prefix, "bin", "leat")
        hidden = ("LEAT_MODULES", "LEAT_TOPOLOGY", "LEAT_BIN")
        self.env = {k: v for k, v in os.environ.items() if k not in hidden}
        self.env |= {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "KAFKA": servers.KAFKA,
                     "STORE_URL": servers.STORE_URL, **(env or {})}

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", newline="") as f:
            return f.read()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8", newline="") as f:
            f.write(text)

    def cli(self, *arguments):
        """Runs the installed leat. Has .returncode, .stdout and .stderr."""
        return subprocess.run([self.bin, *arguments], cwd=self.dir, env=self.env, timeout=60,
                              capture_output=True, text=True, check=False)

    def must(self, *arguments):
        return _run(self.bin, *arguments, cwd=self.dir, env=self.env, timeout=60)

    def build(self):
        """Configures when needed and builds; what it printed."""
        text = ""
        if not os.path.exists(self.path("build/CMakeCache.txt")):
            text = _run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", cwd=self.dir,
                        env=self.env)
        return text + _run("cmake", "--build", "build", cwd=self.dir, env=self.env)

    def run(self, name):
        """Starts `leat run --dev`; returns when it serves."""
        address = f"127.0.0.1:{servers.free_port()}"
        process = leat.Process(self, ["run", "--dev"], name, {"HTTP_LISTEN": address})
        wait.until(lambda: process.alive() and
                   api.get(f"http://{address}/readyz").status == 200, 60, process.log_path)
        return process

    def send(self, command, **fields):
        self.must("send", command, json.dumps(fields), "--wait", "15s")

    def row(self, model, key):
        """The row, or None."""
        done = self.cli("get", model, key, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None
