#!/usr/bin/env python3
"""Rules of the tree that no compiler checks. Prints 'path:line: what is wrong'; exit 1 if any.

Usage: tidy.py [root]
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

LINES_MAX = {".c": 1000, ".h": 300, ".py": 1000, ".sh": 1000}
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
COLUMNS_MAX = 100
COLUMN_CHECKED = (".c", ".h", ".def", ".py", ".sh", ".cmake")

# Ranks of src/<folder>: a folder may include folders of a lower rank, and those before it in its
# own rank.
LAYERS = [
    ["leat"],
    ["base"],
    ["topology", "codec"],
    ["kafka", "store", "redis", "web", "guard", "observe", "auth"],
    ["worker", "relay", "projection", "query", "audit", "scale"],
    ["cli"],
]
ORDER = [folder for rank in LAYERS for folder in rank]

# Header prefix -> the folders of src that may include it.
FOREIGN = {
    "openssl/": ["base"],
    "libfyaml.h": ["topology"],
    "avro.h": ["codec"],
    "avro/": ["codec"],
    "jansson.h": ["codec"],
    "librdkafka/": ["kafka"],
    "libpq-fe.h": ["store"],
    "postgresql/": ["store"],
    "lmdb.h": ["projection"],
    "microhttpd.h": ["query"],
    "curl/": ["web"],
    "hiredis/": ["redis"],
    "jwt.h": ["auth"],
    "criterion/": [],
}

BANNED = {
    "strcpy": "use leat's bounded buffers",
    "strcat": "use leat's bounded buffers",
    "sprintf": "use snprintf",
    "vsprintf": "use vsnprintf",
    "atoi": "use a checked parse",
    "atol": "use a checked parse",
    "atof": "use a checked parse",
    "strtok": "use strtok_r or a scanner",
    "gets": "use fgets",
    "alloca": "use the arena",
}
# Only src/base (the environment of the program) and src/cli (its edge) may call these.
ENVIRONMENT = ["time", "rand", "srand", "random", "getenv", "gettimeofday"]
ENVIRONMENT_FOLDERS = ("src/base/", "src/cli/", "tests/")
SLEEPS = re.compile(
    r"\b(?:sleep|usleep|nanosleep|thrd_sleep|time\.sleep)\s*\(|(?:^|[;&|] *)sleep [0-9]"
)
# The one helper through which Python tests poll.
SLEEP_ALLOWED = ("tests/integration/lib/wait.py",)

MARKS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
# Folders of one developer's machine have no place in the tree.
MACHINE_PATH = re.compile(r"/wo" + r"rk/(?:main|shared|team|build|\.library|\.mirror)\b")

# Generated documents: (path, command that prints what it must hold).
GENERATED = []

FOLDERS_WITHOUT_README = (".ci", ".github", ".git", "build")


class Tidy:
    def __init__(self, root):
        self.root = root
        self.findings = []

    def say(self, path, line, text):
        self.findings.append((path, line, text))

    def files(self):
        try:
            out = subprocess.run(
                ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                cwd=self.root, check=True, capture_output=True).stdout.decode()
            names = out.split("\0")
        except (OSError, subprocess.CalledProcessError):
            names = self.walk()
        # What a test reads as input need not look like ours.
        return sorted({n for n in names if n and not n.startswith("tests/unit/data/")
                       and os.path.isfile(os.path.join(self.root, n))})

    def walk(self):
        for folder, subfolders, names in os.walk(self.root):
            subfolders[:] = [d for d in subfolders if d not in ("build", ".git")]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def run(self):
        files = self.files()
        for path in files:
            try:
                with open(os.path.join(self.root, path), encoding="utf-8") as f:
                    text = f.read()
            except UnicodeDecodeError:
                continue
            self.check_text(path, text)
            if path.endswith((".c", ".h", ".def")):
                self.check_c(path, text)
        self.check_readmes(files)
        self.check_headers_alone(files)
        self.check_generated()
        return files

    def check_text(self, path, text):
        extension = os.path.splitext(path)[1]
        lines = text.split("\n")
        limit = LINES_MAX.get(extension)
        if limit and len(lines) - 1 > limit:
            self.say(path, 1, f"{len(lines) - 1} lines; the most is {limit}")
        in_tests = path.startswith(("tests/", "chaos/"))
        for number, line in enumerate(lines, 1):
            if extension in COLUMN_CHECKED and len(line) > COLUMNS_MAX:
                self.say(path, number, f"{len(line)} columns; the most is {COLUMNS_MAX}")
            if MARKS.search(line):
                self.say(path, number, "unfinished mark; make it an issue")
            if MACHINE_PATH.search(line):
                self.say(path, number, "path of one machine")
            code = line.split("#")[0] if extension in (".py", ".sh", "") else line
            if (in_tests and extension in (".c", ".py", ".sh", "") and SLEEPS.search(code)
                    and path not in SLEEP_ALLOWED and not path.startswith("tests/tidy/")):
                self.say(path, number, "sleep in a test; await a condition with a deadline")

    def check_c(self, path, text):
        self.check_includes(path, text)
        plain = csource.blank(text)
        for number, line in enumerate(plain.split("\n"), 1):
            for name, instead in BANNED.items():
                if re.search(rf"(?<![\w.>]){name}\s*\(", line):
                    self.say(path, number, f"banned call {name}(); {instead}")
            for name in ENVIRONMENT:
                if (not path.startswith(ENVIRONMENT_FOLDERS)
                        and re.search(rf"(?<![\w.>]){name}\s*\(", line)):
                    self.say(path, number, f"{name}() outside src/base and src/cli")
            if re.search(r"\btypedef\s+(?:struct|union)\b", line):
                self.say(path, number, "typedef of a struct; only enums and callbacks have one")
        for function in csource.functions(text):
            if function.lines > FUNCTION_LINES_MAX:
                self.say(path, function.line, f"function {function.name} has {function.lines} "
                         f"lines; the most is {FUNCTION_LINES_MAX}")
            foreign = "(foreign signature)" in text.split("\n")[max(function.line - 2, 0)]
            if function.parameters > PARAMETERS_MAX and not foreign:
                self.say(path, function.line, f"function {function.name} has "
                         f"{function.parameters} parameters; the most is {PARAMETERS_MAX}")

    def check_includes(self, path, text):
        parts = path.split("/")
        own = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        is_module = parts[0] == "processors" or "/modules/" in path
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if not match:
                continue
            header = match.group(1)
            folder = header.split("/")[0] if "/" in header else None
            if own:
                self.check_layer(path, number, own, folder)
                self.check_foreign(path, number, own, header)
            elif is_module and folder in ORDER and folder != "leat":
                self.say(path, number, f"a module includes '{header}'; only leat/ is public")

    def check_layer(self, path, number, own, folder):
        if own not in ORDER:
            self.say(path, number, f"folder src/{own} has no layer in tests/tidy")
        elif folder in ORDER and ORDER.index(folder) > ORDER.index(own):
            self.say(path, number, f"{own} may not use {folder}: it is a later layer")

    def check_foreign(self, path, number, own, header):
        for prefix, allowed in FOREIGN.items():
            if header.startswith(prefix) and own not in allowed:
                where = " or ".join(f"src/{a}" for a in allowed) or "tests"
                self.say(path, number, f"'{header}' belongs to {where} alone")

    def check_readmes(self, files):
        folders = set()
        for path in files:
            parts = path.split("/")[:-1]
            if parts and parts[0] not in FOLDERS_WITHOUT_README:
                folders.update("/".join(parts[:n]) for n in (1, 2) if len(parts) >= n)
        for folder in sorted(folders):
            if f"{folder}/README.md" not in files:
                self.say(folder, 1, "folder without a README.md")

    def check_headers_alone(self, files):
        """Every header of src compiles by itself."""
        headers = [f for f in files if re.match(r"src/[^/]+/[^/]+\.h$", f)]
        compiler = os.environ.get("CC", "cc")
        # libpq's headers are in a folder of their own
        found = subprocess.run(["pkg-config", "--cflags", "libpq"], capture_output=True, text=True,
                               check=False)
        with tempfile.TemporaryDirectory() as folder:
            running = []
            for n, header in enumerate(headers):
                source = os.path.join(folder, f"{n}.c")
                with open(source, "w", encoding="utf-8") as f:
                    f.write(f'#include "{header[len("src/"):]}"\n')
                running.append((header, subprocess.Popen(
                    [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Isrc", "-fsyntax-only",
                     *found.stdout.split(), source], cwd=self.root, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE)))
            for header, process in running:
                errors = process.communicate()[1].decode(errors="replace")
                if process.returncode != 0:
                    first = next((e for e in errors.split("\n") if "error:" in e), errors[:200])
                    self.say(header, 1, f"does not compile alone: {first}")

    def check_generated(self):
        for path, command in GENERATED:
            done = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
            try:
                with open(os.path.join(self.root, path), "rb") as f:
                    current = f.read()
            except OSError:
                current = b""
            if done.returncode != 0:
                self.say(path, 1, f"'{' '.join(command)}' failed")
            elif done.stdout != current:
                self.say(path, 1, f"out of date; write it again with '{' '.join(command)}'")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    tidy = Tidy(root)
    files = tidy.run()
    for path, line, text in tidy.findings:
        print(f"{path}:{line}: {text}")
    print(f"tidy: {len(files)} files, {len(tidy.findings)} findings", file=sys.stderr)
    return 1 if tidy.findings else 0


if __name__ == "__main__":
    sys.exit(main())
