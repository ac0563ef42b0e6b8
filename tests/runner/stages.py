"""The stages of ./dev test. A stage that has nothing to run in this tree is left out."""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys

from . import items
from .items import ROOT, Item
from .report import StageFailed

JOBS = int(os.environ.get("LEAT_JOBS") or os.cpu_count() or 2)
SCRIPT_JOBS = JOBS + 1  # they wait for servers most of the time
FUZZ_SECONDS = int(os.environ.get("LEAT_FUZZ_SECONDS", "20"))
CRASH_SCRIPT = "chaos/crash.py"
CHAOS_SCRIPT = "chaos/chaos.py"


class Context:
    def __init__(self, report, names):
        self.report = report
        self.names = names  # of the stages that run
        self.servers_env = None
        self.started = []
        self.ahead = {}

    def log_dir(self, stage):
        folder = os.path.join(self.report.log_dir, stage)
        os.makedirs(folder, exist_ok=True)
        return folder

    def build_ahead(self):
        """Builds what later stages want, at low priority, while scripts mostly wait for servers.
        A failure is told by the stage that builds it again."""
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        for stage, preset in (("crash", "release"), ("asan", "asan"), ("tsan", "tsan"),
                              ("fuzz", "fuzz")):
            if stage in self.names and preset not in self.ahead:
                self.ahead[preset] = pool.submit(self.build_quietly, preset)
        pool.shutdown(wait=False)

    @staticmethod
    def build_quietly(preset):
        targets = {"release": ["leat", "modules"], "fuzz": ["fuzzers"],
                   "asan": ["leat", "modules", "unit"], "tsan": ["leat", "modules", "leat_sim"]}
        for command in (["cmake", "--preset", preset],
                        ["nice", "-n", "19", "cmake", "--build", f"build/{preset}", "-j", "1",
                         "--target", *targets[preset]]):
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)

    def build(self, stage, preset, *targets):
        """Builds targets of a preset; the stage ends if that fails."""
        if preset in self.ahead:
            self.ahead.pop(preset).result()
        log = os.path.join(self.log_dir(stage), f"build-{preset}.log")
        with open(log, "wb") as f:
            done = subprocess.run(["cmake", "--preset", preset], cwd=ROOT, stdout=f,
                                  stderr=subprocess.STDOUT, check=False)
            if done.returncode == 0:
                command = ["cmake", "--build", f"build/{preset}", "-j", str(JOBS)]
                done = subprocess.run(command + (["--target", *targets] if targets else []),
                                      cwd=ROOT, stdout=f, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise StageFailed(f"could not build preset {preset}", log)

    def servers(self, stage):
        """Starts what is missing of Postgres, Redis and Kafka; their addresses as environment."""
        if self.servers_env is None:
            log = os.path.join(self.log_dir(stage), "servers.log")
            with open(log, "w", encoding="utf-8") as f:
                done = subprocess.run(["./dev", "up"], cwd=ROOT, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=f, text=True, check=False)
            if done.returncode != 0:
                raise StageFailed("could not start the servers", log)
            with open(log, encoding="utf-8") as f:
                self.started = [name.lower() for name in re.findall(r"dev: (\w+) is up", f.read())]
            pairs = re.findall(r"^export (\w+)=(.*)$", done.stdout, re.MULTILINE)
            self.servers_env = dict(pairs)
        return self.servers_env

    def stop_servers(self):
        """Stops the servers that these tests started; others stay."""
        if self.started:
            subprocess.run(["./dev", "down", *self.started], cwd=ROOT, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, stage, work, parallel=1):
        folder = self.log_dir(stage)
        with concurrent.futures.ThreadPoolExecutor(max_workers=parallel) as pool:
            jobs = {pool.submit(item.run, folder): item for item in work}
            for job in concurrent.futures.as_completed(jobs):
                self.count(stage, jobs[job], job.result())

    def count(self, stage, item, result):
        self.report.ok(len(result.passed))
        log = item.log
        for name, why in result.failed:
            self.report.fail(stage, name, why, log)
            log = None  # shown once


def tree(pattern):
    return sorted(glob.glob(os.path.join(ROOT, pattern)))


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def has_program():
    return bool(tree("src/cli/main.c"))


def program_targets():
    return ["leat", "modules"] if has_program() else []


def integration_targets():
    return ["integration_programs"] if tree("tests/integration/*.c") else []


def unit_items(preset, sanitizer=None):
    return [Item(f"unit_{stem(p)}", [f"build/{preset}/bin/unit_{stem(p)}"], "criterion",
                 sanitizer, seconds=180) for p in tree("tests/unit/*.c")]


def scripts(folder, marked=None):
    """Scripts test_*.py of a folder; marked: only those with a line '# sanitizers: ... <mark>'."""
    found = tree(f"tests/{folder}/test_*.py")
    if marked is None:
        return found
    chosen = []
    for path in found:
        with open(path, encoding="utf-8") as f:
            if re.search(rf"^# sanitizers:.*\b{marked}\b", f.read(), re.MULTILINE):
                chosen.append(path)
    return chosen


def script_items(paths, env, preset, sanitizer=None, seconds=300):
    """The largest scripts first: one that takes long and starts last would run alone."""
    env = {**env, "LEAT_BIN": os.path.join(ROOT, "build", preset, "bin", "leat"),
           "PYTHONPATH": os.path.join(ROOT, "tests", "integration"), "PYTHONDONTWRITEBYTECODE": "1"}
    return [Item(stem(p), [sys.executable, p], "lines", sanitizer, env, seconds)
            for p in sorted(paths, key=os.path.getsize, reverse=True)]


# --- the stages; each is (name, exists, run) in STAGES ---


def tidy(context):
    folder = context.log_dir("tidy")
    context.run("tidy", [Item("rules", [sys.executable, "tests/tidy/test_tidy.py"])])
    commands = {
        "tree": [sys.executable, "tests/tidy/tidy.py"],
        "format": ["bash", "-c", ". dev.d/sources.sh; c_unformatted"],
    }
    for name, command in commands.items():
        log = os.path.join(folder, f"{name}.log")
        with open(log, "wb") as f:
            done = subprocess.run(command, cwd=ROOT, stdout=f, stderr=subprocess.STDOUT,
                                  check=False)
        if done.returncode == 0:
            context.report.ok()
        else:
            context.report.fail("tidy", name, "findings", log)


def unit(context):
    context.build("unit", "dev", "unit")
    context.run("unit", unit_items("dev"), JOBS)


def sim(context):
    context.build("sim", "dev", "leat_sim")
    context.run("sim", [Item("sim", ["build/dev/bin/leat_sim"], seconds=180)])


def integration(context):
    context.build("integration", "dev", *program_targets(), "kafka_tool", *integration_targets())
    env = context.servers("integration")
    context.build_ahead()
    context.run("integration", script_items(scripts("integration"), env, "dev"), SCRIPT_JOBS)


def e2e(context):
    context.build("e2e", "dev", *program_targets(), "pages", "kafka_tool")
    if tree("tests/e2e/test_install.py"):
        context.build("e2e", "release", "leat", "pages")  # what it packs
    env = context.servers("e2e")
    context.run("e2e", script_items(scripts("e2e"), env, "dev"), SCRIPT_JOBS)


def crash(context):
    context.build("crash", "release", *program_targets(), "kafka_tool")
    env = context.servers("crash")
    work = script_items([os.path.join(ROOT, CRASH_SCRIPT)], env, "release", seconds=420)
    work[0].argv.append("--short")
    context.run("crash", work)


def chaos(context):
    """Its servers are its own; the jars of the broker are there once one was started."""
    context.build("chaos", "release", *program_targets(), "kafka_tool")
    env = context.servers("chaos")
    work = script_items([os.path.join(ROOT, CHAOS_SCRIPT)], env, "release", seconds=420)
    work[0].argv.append("--short")
    context.run("chaos", work)


def asan(context):
    context.build("asan", "asan", "planted", *(["unit"] if tree("tests/unit/*.c") else []),
                  *program_targets(), "fuzzers")
    context.run("asan", planted("asan", ("leak", "overflow", "undefined"), "criterion"))
    context.run("asan", unit_items("asan", "asan"), JOBS)
    paths = scripts("integration", "asan") + scripts("e2e", "asan")
    if paths:
        context.build("asan", "dev", "kafka_tool")
        context.build("asan", "asan", *integration_targets())
        env = context.servers("asan")
        context.run("asan", script_items(paths, env, "asan", "asan", seconds=420), SCRIPT_JOBS)


def tsan(context):
    has_sim = bool(tree("tests/sim/*.c"))
    context.build("tsan", "tsan", "planted", *(["leat_sim"] if has_sim else []),
                  *program_targets())
    context.run("tsan", planted("tsan", ("race",), "lines"))
    if has_sim:
        context.run("tsan", [Item("sim", ["build/tsan/bin/leat_sim"], sanitizer="tsan",
                                  env={"LEAT_SIM_SHORT": "1"}, seconds=300)])
    paths = scripts("integration", "tsan") + scripts("e2e", "tsan")
    if paths:
        context.build("tsan", "dev", "kafka_tool")
        context.build("tsan", "tsan", *integration_targets())
        env = context.servers("tsan")
        context.run("tsan", script_items(paths, env, "tsan", "tsan", seconds=420), JOBS)


def planted(preset, names, kind):
    """Clean programs must pass; defective ones must fail, directly and under a script."""
    work = []
    for name in names:
        for state in ("clean", "defect"):
            program = os.path.join(ROOT, f"build/{preset}/bin/planted_{name}_{state}")
            script = os.path.join(ROOT, "tests/planted/run_program.py")
            work.append(Planted(Item(f"{name}_{state}", [program], kind, preset), state))
            work.append(Planted(Item(f"{name}_{state}_in_script", [sys.executable, script],
                                     "lines", preset, {"LEAT_BIN": program}), state))
    return work


class Planted:
    """Turns an item's result round when it holds a planted defect."""

    def __init__(self, item, state):
        self.item, self.state = item, state

    @property
    def log(self):
        return self.item.log

    def run(self, folder):
        found = self.item.run(folder)
        result = items.Result()
        if bool(found.failed) == (self.state == "defect"):
            result.passed.append(self.item.name)
        elif found.failed:
            result.failed.append((self.item.name, f"a clean program fails: {found.failed[0][1]}"))
        else:
            result.failed.append((self.item.name, "the planted defect was not noticed"))
        return result


def fuzz_targets():
    return [re.sub("^fuzz_", "", stem(p)) for p in tree("tests/fuzz/*.c")
            if stem(p) != "replay_main"]


def fuzz(context):
    context.build("fuzz", "fuzz", "planted", "fuzzers")
    program = "build/fuzz/bin/planted_fuzzed_"
    crashes = f"-artifact_prefix={context.log_dir('fuzz')}/"
    command = ["bash", "dev.d/fuzz_item.sh"]
    work = [Planted(Item(f"fuzzed_{state}", [*command, "planted", program + state, "10", crashes]),
                    state) for state in ("clean", "defect")]
    for name in fuzz_targets():
        work.append(Item(f"fuzz_{name}", [*command, name, f"build/fuzz/bin/fuzz_{name}",
                                          str(FUZZ_SECONDS), crashes],
                         env={"LEAT_FUZZ_SEED": "1"}, seconds=FUZZ_SECONDS + 120))
    context.run("fuzz", work, JOBS)


STAGES = [
    ("tidy", lambda: True, tidy),
    ("unit", lambda: tree("tests/unit/*.c"), unit),
    ("sim", lambda: tree("tests/sim/*.c"), sim),
    ("integration", lambda: scripts("integration") and has_program(), integration),
    ("e2e", lambda: scripts("e2e") and has_program(), e2e),
    ("crash", lambda: os.path.exists(os.path.join(ROOT, CRASH_SCRIPT)), crash),
    ("chaos", lambda: os.path.exists(os.path.join(ROOT, CHAOS_SCRIPT)), chaos),
    ("asan", lambda: True, asan),
    ("tsan", lambda: True, tsan),
    ("fuzz", lambda: True, fuzz),
]
