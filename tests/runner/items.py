"""Running one test program, with or without a sanitizer, and reading what it says.

A program speaks one of two languages: lines 'ok name' / 'FAIL name: why', or Criterion's TAP file.
Whatever it says, a sanitizer's finding fails it: a file in the log folder, or a report in its
output or in the logs of the processes it started.
"""

import os
import platform
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUPPRESSIONS = os.path.join(ROOT, "tests", "suppressions")
FINDING = re.compile(r"runtime error: |ERROR: \w+Sanitizer|WARNING: ThreadSanitizer")


class Result:
    def __init__(self):
        self.passed = []
        self.failed = []  # (name, why)


class Item:
    """One program. `sanitizer` is None, 'asan' or 'tsan'; `kind` is 'lines' or 'criterion'."""

    def __init__(self, name, argv, kind="lines", sanitizer=None, env=None, seconds=120):
        self.name, self.argv, self.kind = name, argv, kind
        self.sanitizer, self.env, self.seconds = sanitizer, env or {}, seconds

    def run(self, log_dir):
        """Keeps <log_dir>/<name>.log and the folder <log_dir>/<name> of what the test left."""
        self.log = os.path.join(log_dir, f"{self.name}.log")
        self.dir = os.path.join(log_dir, self.name)
        self.reports = os.path.join(self.dir, "sanitizer")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.reports)
        tap = os.path.join(self.dir, "tap")
        argv = list(self.argv)
        if self.kind == "criterion":
            argv += [f"--tap={tap}", "--timeout=60"]
        code = self._start(argv)
        result = Result()
        if self.kind == "criterion":
            _read_tap(tap, result)
        else:
            _read_lines(self.log, result)
        self._judge_exit(code, result)
        self._judge_sanitizer(result)
        if not result.failed:
            shutil.rmtree(self.dir, ignore_errors=True)
        return result

    def _start(self, argv):
        env = {**os.environ, "LEAT_TEST_DIR": self.dir, **self.env}
        if self.sanitizer:
            env.update(sanitizer_env(self.reports))
        if self.sanitizer == "tsan":
            argv = fixed_addresses() + argv
        with open(self.log, "wb") as log:
            process = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
            try:
                return process.wait(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                end_group(process)
                return None

    def _judge_exit(self, code, result):
        if code is None:
            result.failed.append((self.name, f"not finished after {self.seconds} s"))
        elif code != 0 and not result.failed:
            result.failed.append((self.name, f"exit code {code}"))
        elif not result.passed and not result.failed:
            result.failed.append((self.name, "ran no test"))

    def _judge_sanitizer(self, result):
        if not self.sanitizer:
            return
        places = [os.path.join(self.reports, n) for n in sorted(os.listdir(self.reports))]
        if not places:
            places = [p for p in self._logs() if _has_finding(p)]
        for path in places[:3]:
            with open(path, encoding="utf-8", errors="replace") as f:
                lines = [line for line in f if FINDING.search(line)]
            what = lines[0].strip() if lines else "a report"
            with open(self.log, "a", encoding="utf-8") as log:
                with open(path, encoding="utf-8", errors="replace") as report:
                    if path != self.log:
                        log.write(f"\n--- {os.path.basename(path)}\n" + report.read()[:8000])
            result.failed.append((f"{self.name}_{self.sanitizer}", what[:300]))

    def _logs(self):
        yield self.log
        for folder, _, names in os.walk(self.dir):
            for name in names:
                if name.endswith(".log"):
                    yield os.path.join(folder, name)


def sanitizer_env(folder):
    log = f"log_path={folder}/report"
    return {
        "ASAN_OPTIONS": f"{log}:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return"
                        "=1",
        "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}/lsan.supp:print_suppressions=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": f"{log}:suppressions={SUPPRESSIONS}/tsan.supp:second_deadlock_stack=1:"
                        "history_size=4:print_suppressions=0",
    }


def fixed_addresses():
    """TSan of this age needs an address space that is not shuffled too far."""
    command = ["setarch", platform.machine(), "-R"]
    try:
        done = subprocess.run(command + ["true"], capture_output=True, check=False)
    except OSError:
        return []
    return command if done.returncode == 0 else []


def end_group(process):
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait()


def _has_finding(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return bool(FINDING.search(f.read()))


def _read_lines(log, result):
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            match = re.match(r"(ok|FAIL) ([\w.:/-]+)(?:: (.*))?$", line.rstrip("\n"))
            if match and match.group(1) == "ok":
                result.passed.append(match.group(2))
            elif match:
                result.failed.append((match.group(2), match.group(3) or "no reason given"))


def _read_tap(tap, result):
    try:
        with open(tap, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
    except OSError:
        return
    for number, line in enumerate(lines):
        match = re.match(r"(not )?ok - (\S+)", line)
        if match and not match.group(1):
            result.passed.append(match.group(2))
        elif match:
            why = " ".join(x.strip() for x in lines[number + 1 : number + 12]
                           if x.strip() not in ("---", "...", "failures:"))
            result.failed.append((match.group(2), why.split(" ok - ")[0][:300] or "failed"))
