#!/usr/bin/env python3
"""Completion for bash and zsh, and man pages: all printed from the tables of the verbs."""

import glob
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import check, leat, servers, wait  # noqa: E402

TOPOLOGY = "topology/leads.yaml"


def home():
    h = leat.Home(TOPOLOGY, replace={"../schemas": os.path.join(servers.ROOT, "schemas")})
    h.env["PATH"] = f"{os.path.dirname(servers.BIN)}:{h.env['PATH']}"
    return h


def bash(h, *words):
    """What bash offers for the last word; readline hands over "=" as a word of its own."""
    words = ["leat", *words]
    script = ("source <(leat completion bash) || exit 1\n"
              f"COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}\n"
              "_leat; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=h.dir, env=h.env, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    check.equal((done.returncode, done.stderr), (0, ""), " ".join(words))
    return set(done.stdout.split())


@check.test
def bash_offers_verbs_and_their_options():
    h = home()
    check.equal(bash(h, "che"), {"check"})
    verbs = bash(h, "")
    listed = h.must("help")
    check.equal(verbs - {"help"}, set(re.findall(r"^  ([a-z]+) +[A-Z]", listed, re.MULTILINE)))
    for verb in verbs - {"help"}:
        flags = set(re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]*)",
                               h.must(verb, "--help").split("\n\n")[1], re.MULTILINE))
        check.equal({w for w in bash(h, verb, "-") if w.startswith("--")}, flags, verb)


@check.test
def bash_offers_values_of_options():
    h = home()
    check.equal(bash(h, "run", "--role", "pro"), {"projector"})
    check.equal(bash(h, "run", "--role", "=", "re"), {"relay"})
    check.equal(bash(h, "run", "--role", "worker,re"), {"worker,relay"})
    check.equal(bash(h, "run", "-p", ""), {"create", "score", "route"})
    check.equal(bash(h, "send", "--priority", ""), {"hot", "warm", "cold"})
    check.contains(bash(h, "check", "-t", ""), "leat.yaml")


@check.test
def bash_offers_arguments_from_the_topology():
    h = home()
    check.equal(bash(h, "send", ""), {"CreateLead", "ScoreLead", "RouteLead"})
    check.equal(bash(h, "get", "--json", "le"), {"leads"})
    check.equal(bash(h, "new", "pro"), {"processor", "projection"})
    h.env.pop("LEAT_TOPOLOGY")
    os.rename(h.path, os.path.join(h.dir, "other.yaml"))
    check.equal(bash(h, "send", ""), set())
    check.equal(bash(h, "send", "-t", "other.yaml", "Cre"), {"CreateLead"})


class Zsh:
    """An interactive zsh on a terminal; ^X^X writes the line as it stands to a file."""

    def __init__(self, h):
        self.file = os.path.join(h.dir, "line")
        folder = tempfile.mkdtemp(dir=h.dir)
        with open(os.path.join(folder, "_leat"), "w", encoding="utf-8") as f:
            f.write(h.must("completion", "zsh"))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(h.dir)
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**h.env, "TERM": "dumb"})
        self.send(f"fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; "
                  f"dump() {{ print -r -- $BUFFER > {self.file}.new; "
                  f"mv {self.file}.new {self.file}; BUFFER= }}; "
                  "zle -N dump; bindkey '^X^X' dump; print > ready\n")
        wait.until(lambda: self.drain() and os.path.exists(os.path.join(h.dir, "ready")), 20, "zsh")

    def send(self, text):
        os.write(self.fd, text.encode())

    def drain(self):
        while select.select([self.fd], [], [], 0)[0]:
            if not os.read(self.fd, 65536):
                break
        return True

    def complete(self, line):
        """The line after TAB."""
        if os.path.exists(self.file):
            os.remove(self.file)
        self.send(line + "\t\x18\x18")
        wait.until(lambda: self.drain() and os.path.exists(self.file), 10, f"'{line}' completed")
        with open(self.file, encoding="utf-8") as f:
            return f.read().rstrip("\n")

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@check.test
def zsh_completes_the_same():
    if not shutil.which("zsh"):
        print("  no zsh here: not tried", file=sys.stderr)
        return
    z = Zsh(home())
    try:
        for line, expected in (("leat chec", "leat check "), ("leat run --rol", "leat run --role "),
                               ("leat run --role proj", "leat run --role projector"),
                               ("leat run --role worker,rel", "leat run --role worker,relay"),
                               ("leat run -p cre", "leat run -p create"),
                               ("leat send Cre", "leat send CreateLead"),
                               ("leat get fun", "leat get funnel"),
                               ("leat send -t leat.yaml Sco", "leat send -t leat.yaml ScoreLead"),
                               ("leat new proc", "leat new processor")):
            check.equal(z.complete(line).rstrip(", "), expected.rstrip(), line)
    finally:
        z.end()


@check.test
def words_of_a_kind_that_is_not_there():
    h = home()
    done = h.cli("completion", "--words", "model")
    check.equal(done.returncode, 2)
    check.contains(done.stderr, "processors|models")
    check.equal(h.cli("completion", "fish").returncode, 2)


@check.test
def every_verb_has_a_man_page_without_warnings():
    h = home()
    h.must("options", "--man", "man")
    pages = glob.glob(os.path.join(h.dir, "man", "man?", "*"))
    verbs = re.findall(r"^  ([a-z]+) +[A-Z]", h.must("help"), re.MULTILINE)
    check.equal({os.path.basename(p) for p in pages},
                {f"leat-{v}.1" for v in verbs} | {"leat.1", "leat.yaml.5"})
    for page in pages:
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", page], capture_output=True,
                                  check=True)
            check.equal(done.stderr, b"", page)
            text = re.sub(r"\x1b\[\d*m|.\x08", "", done.stdout.decode())
            check.contains(text, "SEE ALSO", page)
            verb = os.path.basename(page)[5:-2]
            listed = h.must(verb, "--help") if verb in verbs else ""
            for flag in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", listed, re.MULTILINE):
                assert flag in text, f"{page}: {flag}"
    with open(os.path.join(h.dir, "man", "man1", "leat-gen.1"), encoding="utf-8") as f:
        check.contains(f.read(), "Default: .\n")
    with open(os.path.join(h.dir, "man", "man5", "leat.yaml.5"), encoding="utf-8") as f:
        text = f.read().replace("\\-", "-")
    for key in re.findall(r"^\| `([a-z_-]+)`", h.must("options", "--topology"), re.MULTILINE):
        assert f"\\fB{key}\\fR" in text, key


if __name__ == "__main__":
    check.main()
