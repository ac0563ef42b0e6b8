#!/usr/bin/env python3
"""docs/guide as a reader works through it: files written, commands run, what they print compared.

A fenced block whose info string has a second word is a file of that name. A block of `sh` is run,
all of them in one shell, in the order of the pages, against an installed leat. A block of `text`
after it is what it printed: each line must come, in this order, `…` standing for anything.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import kafka, pg, servers  # noqa: E402

GUIDE = os.path.join(servers.ROOT, "docs", "guide")
NAME = "library"
FENCE = re.compile(r"^```(\S*)[ ]?(\S*)\n(.*?)^```$", re.M | re.S)
BLOCK_S = 180


def blocks(page):
    """(language, file name, text, line) of each fenced block."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    return [(m[1], m[2], m[3], text.count("\n", 0, m.start()) + 2) for m in FENCE.finditer(text)]


def missing_line(expected, printed):
    """The first expected line that does not come, or None."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    at = 0
    for line in filter(None, (" ".join(line.split()) for line in expected.splitlines())):
        pattern = re.compile(".*".join(re.escape(part) for part in re.split(r" ?… ?", line)))
        while at < len(lines) and not pattern.fullmatch(lines[at]):
            at += 1
        if at == len(lines):
            return line
        at += 1
    return None


class Reader:
    """One shell in which the commands of all pages are run."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="leat-guide-")
        prefix = os.path.join(self.dir, "usr")
        build = os.path.dirname(servers.BIN_DIR)
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True,
                       stdout=subprocess.DEVNULL)
        env = dict(os.environ, PATH=f"{prefix}/bin:{os.environ['PATH']}",
                   CMAKE_PREFIX_PATH=prefix, MANPATH=f"{prefix}/share/man:", PAGER="cat",
                   KAFKA=servers.KAFKA, STORE_URL=servers.STORE_URL, REDIS_URL=servers.REDIS_URL,
                   HTTP_LISTEN=f"127.0.0.1:{servers.free_port()}", LC_ALL="C.UTF-8")
        env.pop("LEAT_MODULES", None)
        self.home = os.path.join(self.dir, "home")
        os.mkdir(self.home)
        self.shell = subprocess.Popen(["bash"], cwd=self.home, env=env, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      bufsize=1, start_new_session=True)
        self.end = f"guide-end-{os.getpid()}"

    def run(self, text):
        """What the commands print, and 0 or the status of one that failed."""
        self.shell.stdin.write("trap 'guide_rc=$?; echo \"(failed: $BASH_COMMAND)\"' ERR\n"
                               f"guide_rc=0\n{text}\necho \"{self.end} $guide_rc\"\n")
        self.shell.stdin.flush()
        printed = []
        signal.alarm(BLOCK_S)
        try:
            for line in self.shell.stdout:
                if line.startswith(self.end):
                    return "".join(printed), int(line.split()[1])
                printed.append(line)
        finally:
            signal.alarm(0)
        return "".join(printed), -1

    def write(self, name, text):
        where, rc = self.run("pwd")
        assert rc == 0, where
        path = os.path.join(where.strip().splitlines()[-1], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def close(self):
        try:
            os.killpg(self.shell.pid, signal.SIGTERM)
            self.shell.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.shell.pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)


def read_page(reader, page):
    """None, or what went wrong."""
    name = os.path.basename(page)
    printed = ""
    for language, file, text, line in blocks(page):
        if file:
            reader.write(file, text)
        elif language == "sh":
            printed, rc = reader.run(text)
            if rc != 0:
                log, _ = reader.run("tail -n 5 run.log")
                return f"{name}:{line}: exit {rc}: {printed[-1500:]}\nrun.log: {log}"
        elif language == "text":
            lacking = missing_line(text, printed)
            if lacking is not None:
                return f"{name}:{line}: not printed: {lacking!r}; printed was: {printed[-1500:]}"
    return None


def forget():
    pg.drop_schema(NAME)
    kafka.delete(*kafka.topics(f"{NAME}."))


def on_alarm(*_):
    raise TimeoutError(f"a block of commands took more than {BLOCK_S} s")


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    pages = sorted(glob.glob(os.path.join(GUIDE, "[0-9]*.md")))
    forget()
    reader = Reader()
    failed = False
    try:
        for page in pages:
            name = os.path.basename(page)[:-3]
            wrong = "a page before it failed" if failed else read_page(reader, page)
            failed = failed or wrong is not None
            print(f"FAIL {name}: {wrong}" if wrong else f"ok {name}", flush=True)
    finally:
        reader.close()
        forget()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
