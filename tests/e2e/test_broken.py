#!/usr/bin/env python3
"""Broken topologies, schemas and data files: each is answered with exactly the text in its folder.

broken/<nn-name>/ holds leat.yaml, what it needs, and `expected`: all that the program says, then
what an import refused, line by line. `command` holds another command line than `check`. A variable
LEAT_ACCEPT=1 writes what came out instead of comparing it: read the difference before committing.
No server is asked.

# sanitizers: asan
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
from lib import check, servers  # noqa: E402

BROKEN = os.path.join(HERE, "broken")
WARNED_ONLY = {"sends-circle"}  # what is a warning leaves the exit code alone
KINDS_AT_LEAST = 40


def cases():
    return sorted(name for name in os.listdir(BROKEN) if name[:2].isdigit())


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def run(folder, *arguments):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LEAT_", "SHOP_"))}
    return subprocess.run([servers.BIN, *arguments], cwd=folder, env=env, capture_output=True,
                          text=True, timeout=30, check=False)


def refused(path):
    """What an import refused: line, code and reason of each row."""
    if not os.path.exists(path):
        return ""
    rows = [json.loads(line) for line in read(path).splitlines()]
    return "".join(f"line {r['line']}: {r['code']}: {r['reason']}\n" for r in rows)


def said(name, copies):
    """Everything the program says about one case, and its exit code."""
    folder = os.path.join(copies, name)
    given = os.path.join(folder, "command")
    if not os.path.exists(given):
        done = run(folder, "check", "-t", "leat.yaml")
        return done.stdout + done.stderr, done.returncode
    command = read(given).split()
    done = run(folder, *command, "-t", "leat.yaml", "--no-progress")
    return done.stderr + refused(os.path.join(folder, command[-1] + ".rejects.jsonl")), None


def compare(name, copies):
    text, code = said(name, copies)
    expected = os.path.join(BROKEN, name, "expected")
    if os.environ.get("LEAT_ACCEPT"):
        with open(expected, "w", encoding="utf-8") as f:
            f.write(text)
    if text != read(expected):
        return f"{name}: said {text!r}, expected {read(expected)!r}"
    if code is not None and code != (0 if name[3:] in WARNED_ONLY else 2):
        return f"{name}: exit code {code}"
    return None


def in_copies(work):
    """Imports write beside their file: all of it happens in a copy."""
    base = tempfile.mkdtemp(prefix="leat-broken-", dir=os.environ.get("LEAT_TEST_DIR"))
    copies = os.path.join(base, "broken")
    shutil.copytree(BROKEN, copies)
    try:
        return work(copies)
    finally:
        shutil.rmtree(base)


@check.test
def each_mistake_is_answered_with_its_exact_text():
    def all_cases(copies):
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            return [w for w in pool.map(lambda name: compare(name, copies), cases()) if w]

    check.equal(in_copies(all_cases), [])


@check.test
def there_are_enough_of_them_and_no_two_are_alike():
    texts = {read(BROKEN, name, "expected") for name in cases()}
    check.equal(len(texts), len(cases()))
    check.equal(len(texts) >= KINDS_AT_LEAST, True, "kinds of mistakes")


@check.test
def every_mistake_in_a_file_has_a_place():
    for name in cases():
        for line in read(BROKEN, name, "expected").splitlines():
            if ": error: " in line or ": warning: " in line:
                place = line.split(": ")[0].split(":")
                check.equal(len(place) == 3 and place[1].isdigit() and place[2].isdigit(), True,
                            line)


@check.test
def json_lists_them_as_objects():
    for name in ("01-unknown-key", "25-sends-circle"):
        done = run(os.path.join(BROKEN, name), "check", "--json", "-t", "leat.yaml")
        answer = json.loads(done.stdout)
        lines = read(BROKEN, name, "expected").splitlines()
        check.equal(answer["ok"], done.returncode == 0)
        check.equal(len(answer["findings"]), len(lines) - 1)
        for f in answer["findings"]:
            hint = f" ({f['hint']})" if f["hint"] else ""
            text = f"{f['file']}:{f['line']}:{f['column']}: {f['severity']}: {f['message']}{hint}"
            check.equal(text in lines, True, text)


if __name__ == "__main__":
    check.main()
