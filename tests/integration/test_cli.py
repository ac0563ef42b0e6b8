#!/usr/bin/env python3
"""What the program says when called wrongly, its exit codes (contract 6), its printed pages."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import check, leat, servers  # noqa: E402

NAME = "cli_it"
VERBS = ("check", "gen", "apply", "run", "send", "import", "get", "list", "stream", "lag",
         "options", "version")


def home(**options):
    return leat.Home("tests/e2e/topology/odd.yaml", replace={"name: odd\n": f"name: {NAME}\n"},
                     **options)


def fails(h, arguments, code, *parts):
    done = h.cli(*arguments)
    check.equal(done.returncode, code, " ".join(arguments))
    check.equal(done.stdout, "", f"{' '.join(arguments)}: stdout")
    for part in parts:
        check.contains(done.stderr, part, " ".join(arguments))


@check.test
def every_verb_has_help_on_stdout():
    h = home()
    for verb in VERBS:
        done = h.cli(verb, "--help")
        check.equal((done.returncode, done.stderr), (0, ""), verb)
        check.contains(done.stdout, f"leat {verb}")


@check.test
def typos_are_answered_with_the_nearest_name():
    h = home()
    fails(h, ["sned"], 2, "send")
    fails(h, ["run", "--role", "wroker"], 2, "wroker", "worker")
    fails(h, ["run", "--rol", "worker"], 2, "--rol", "--role")
    fails(h, ["run", "--threads", "65"], 2, "--threads", "64")
    fails(h, ["run", "--session-timeout", "10"], 2, "--session-timeout")


@check.test
def a_topology_with_mistakes_names_them_all():
    h = home()
    with open(h.path, encoding="utf-8") as f:
        text = f.read()
    with open(h.path, "w", encoding="utf-8") as f:
        f.write(text.replace("partitions: 12", "partitions: many")
                .replace("weight: 70", "wieght: 70")
                .replace("emits: [ThingSet]", "emits: [ThingSett]"))
    done = h.cli("check")
    check.equal(done.returncode, 2)
    everything = done.stdout + done.stderr
    for part in ("partitions", "weight", "ThingSet", "leat.yaml:5:"):
        check.contains(everything, part)
    fails(h, ["run"], 2, "partitions")
    done = h.cli("check", "-t", "/nowhere/leat.yaml")
    check.equal(done.returncode, 2)
    check.contains(done.stdout + done.stderr, "/nowhere/leat.yaml")


@check.test
def what_is_not_set_up_names_the_command_that_does_it():
    h = home()
    h.forget(NAME)
    fails(h, ["run"], 1, "leat apply")


@check.test
def servers_that_are_away_are_named():
    h = home(env={"STORE_URL": "postgresql://leat@127.0.0.1:1/leat"})
    fails(h, ["run"], 1, "127.0.0.1")


@check.test
def the_reference_pages_are_what_the_program_prints():
    h = home()
    pages = {"options.md": ["options"], "topology.md": ["options", "--topology"]}
    for page, arguments in pages.items():
        path = os.path.join(servers.ROOT, "docs", "reference", page)
        with open(path, encoding="utf-8") as f:
            check.equal(h.must(*arguments) == f.read(), True, f"{page} is up to date")


if __name__ == "__main__":
    check.main()
