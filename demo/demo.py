#!/usr/bin/env python3
"""20,000 leads from a CSV file through the whole pipeline, then left running to be asked over HTTP.

Starts clean each time. The servers are those of `./dev up`; `./dev demo` starts them.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "integration")]
import expected  # noqa: E402
import generate  # noqa: E402
import leads_rules  # noqa: E402
import summary  # noqa: E402
from lib import api, kafka, pg, servers, wait  # noqa: E402

NAME = "leads"
TOPOLOGY = os.path.join("topology", "leads.yaml")


def usage_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        rss = next(line.split()[1] for line in f if line.startswith("RssAnon"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(rss) / 1024


def say(text):
    print(text, flush=True)


class Run:
    """One run of the demo, and what there is to tell about it."""

    def __init__(self, folder, port):
        self.dir = folder
        self.csv = os.path.join(folder, "leads.csv")
        self.csv_name = os.path.relpath(self.csv, ROOT)
        self.rejects_name = self.csv_name + ".rejects.jsonl"
        self.url = f"http://127.0.0.1:{port}"
        self.leat = os.path.relpath(servers.BIN, ROOT)
        self.env_line = "export " + " ".join(f"{k}={v}" for k, v in self.settings().items())
        self.log_path = os.path.join(folder, "leat.log")
        self.log_name = os.path.relpath(self.log_path, ROOT)
        self.pid_path = os.path.join(folder, "leat.pid")
        self.seconds, self.process = {}, None

    def settings(self):
        return {"KAFKA": servers.KAFKA, "STORE_URL": servers.STORE_URL,
                "LEAT_TOPOLOGY": TOPOLOGY, "LEAT_DATA": os.path.join("build", "demo", "data")}

    def cli(self, *arguments, quiet=False):
        """Runs a verb to its end. What it says on stderr is seen, or only kept for a failure."""
        done = subprocess.run([servers.BIN, *arguments], cwd=ROOT, env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None,
                              text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"leat {' '.join(arguments)}: exit code {done.returncode}\n"
                     f"{done.stderr or ''}")
        return done.stdout

    def environment(self):
        return {**os.environ, **self.settings()}

    def check_alive(self):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                sys.exit(f"leat run ended with {self.process.returncode}:\n" + log.read()[-2000:])

    def stop(self):
        """SIGTERM and its drain; SIGKILL for one that does not end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    # ---- the steps ----

    def clean(self):
        self.refuse_second()
        pg.drop_schema(NAME)
        old = kafka.topics(f"{NAME}.")
        kafka.delete(*old)
        wait.equals(lambda: kafka.topics(f"{NAME}."), {}, 30, "the old topics to be gone")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)

    def refuse_second(self):
        """Two demos would empty each other's topics."""
        try:
            with open(self.pid_path, encoding="utf-8") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                running = TOPOLOGY.encode() in f.read()
        except (OSError, ValueError):
            return
        if running:
            sys.exit(f"a demo is still running; end it with Ctrl-C, or: kill {pid}")

    def generate(self, rows, seed):
        with open(self.csv, "wb") as out:
            generate.generate(rows, seed, out)
        self.want = leads_rules.outcome(self.csv, os.path.join(ROOT, "rules", "score.yaml"))

    def start(self):
        self.cli("apply", quiet=True)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [servers.BIN, "run", "-t", TOPOLOGY, "--listen", self.url[7:]], cwd=ROOT,
                env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        with open(self.pid_path, "w", encoding="utf-8") as f:
            f.write(str(self.process.pid))
        wait.until(self.ready, 30, "leat to be ready")

    def ready(self):
        self.check_alive()
        return api.get(f"{self.url}/readyz").status == 200

    def import_rows(self):
        began = time.monotonic()
        self.began = began
        done = json.loads(self.cli("import", self.csv, "--command", "CreateLead",
                                   "--priority", "cold", "--json"))
        self.seconds["import"] = time.monotonic() - began
        if done["rows"] != self.want["rows"]:
            sys.exit(f"leat import read {done['rows']} rows; {self.want['rows']} were expected")

    def settle(self):
        wait.until(self.settled, 120, "all commands to be handled and projected", every=0.2)
        self.seconds["settled"] = time.monotonic() - self.began
        self.cpu_s, self.rss_mb = self.usage()

    def usage(self):
        """CPU seconds and anonymous megabytes so far: the supervisor and those that work."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            each = [usage_of(p) for p in [pid, *f.read().split()]]
        self.processes = len(each)
        return sum(cpu for cpu, _ in each), sum(rss for _, rss in each)

    def settled(self):
        """Every command has an outcome, all that follow from it too, and the models have it all."""
        self.check_alive()
        done = expected.counts(f'select type, count(*) from "{NAME}".commands group by 1')
        accepted = expected.counts(f'select type, count(*) from "{NAME}".events group by 1')
        return (done.get("CreateLead", 0) == self.want["sent"]
                and done.get("ScoreLead", 0) == accepted.get("LeadCreated", 0)
                and done.get("RouteLead", 0) == accepted.get("LeadScored", 0)
                and expected.projected(self.url, NAME))

    def look(self):
        self.checks = expected.compare(self.want, self.csv + ".rejects.jsonl", self.url, NAME)
        best = api.get(f"{self.url}/v1/models/leads?index=by_tier&from=hot&limit=1").json["rows"]
        self.lead = best[0]
        self.history = api.get(f"{self.url}/v1/streams/lead-{self.lead['key']}").json["events"]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rows", type=int, default=20000)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--port", type=int, default=8080, help="of the HTTP API (8080); 0 picks one")
    p.add_argument("--exit", action="store_true", help="leave when all is shown")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(os.path.join(ROOT, "build", "demo"), free_port(a.port))
    steps = [("a clean start", run.clean),
             (f"{a.rows:,} leads, seed {a.seed}", lambda: run.generate(a.rows, a.seed)),
             ("leat apply, leat run", run.start), ("leat import", run.import_rows),
             ("everything handled and projected", run.settle), ("counting again", run.look)]
    try:
        for name, step in steps:
            began = time.monotonic()
            step()
            say(f"  {name:<34}{time.monotonic() - began:>6.1f} s")
        say(summary.text(run))
        if not a.exit:
            stay(run)
    finally:
        run.stop()
    sys.exit(1 if run.checks.failed else 0)


def free_port(wanted):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", wanted))
            return s.getsockname()[1]
        except OSError:
            pass
    other = servers.free_port()
    say(f"  port {wanted} is taken; the API will be at {other}")
    return other


def stay(run):
    say(summary.next_steps(run))
    say(f"\n  the API stays up at {run.url} until Ctrl-C")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    while signal.sigtimedwait({signal.SIGINT, signal.SIGTERM}, 1) is None:
        run.check_alive()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
