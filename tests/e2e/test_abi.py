#!/usr/bin/env python3
"""The binary interface of modules: kept as it was, and a module of another one is refused."""

import copy
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
sys.path.insert(0, os.path.join(HERE, "..", "abi"))
import abi  # noqa: E402
from lib import check, installed, kafka, pg, servers  # noqa: E402

NAME = "abi_e2e"
NOTE = b"leat\0\0\0\0" + int(abi.number()).to_bytes(4, "little")


@check.test
def the_interface_is_the_one_that_was_kept():
    done = subprocess.run([sys.executable, abi.__file__, servers.BIN], capture_output=True,
                          text=True, check=False)
    check.equal((done.returncode, done.stdout), (0, ""), done.stderr)


@check.test
def a_changed_interface_is_noticed():
    _, old = abi.kept()
    for head, line, now in (("struct leat_type", "  8 size: size_t", "  12 size: size_t"),
                            ("struct leat_str", "  8 len: uint32_t", "  8 len: uint64_t"),
                            ("enum leat_answer", "  2 LEAT_ANSWER_RETRY", "  3 LEAT_ANSWER_RETRY")):
        new = copy.deepcopy(old)
        new[head][new[head].index(line)] = now
        broken, added = abi.differences(old, new)
        check.equal((broken, added), ([f"{head}:", f"-{line}", f"+{now}"], []))
    new = {head: lines for head, lines in old.items() if head != "function leat_emit"}
    check.equal(abi.differences(old, new), (["function leat_emit: is gone"], []))
    check.equal(abi.differences(new, old), ([], ["function leat_emit"]))


@check.test
def a_function_that_is_not_exported_is_noticed():
    check.equal(abi.not_exported(servers.BIN, {"function leat_no_such_thing": []}),
                ["leat_no_such_thing"])


def built_project():
    p = installed.Project(installed.stage())
    p.must("new", "topology", NAME)
    p.build()
    return p


def patch(p, old, new):
    path = p.path("modules/items.so")
    with open(path, "rb") as f:
        data = f.read()
    assert old in data, "the module carries no note"
    with open(path, "wb") as f:
        f.write(data.replace(old, new))


@check.test
def a_module_of_another_abi_is_refused_before_it_runs():
    p = built_project()
    p.must("check")
    patch(p, NOTE, NOTE[:8] + (77).to_bytes(4, "little"))
    text = f"was compiled for ABI 77; this leat has ABI {abi.number()}"
    done = p.cli("check")
    check.equal(done.returncode, 2)
    check.contains(done.stdout, "leat.yaml:")
    check.contains(done.stdout, "modules/items.so' " + text)
    check.contains(done.stdout, "Build it again")
    pg.drop_schema(NAME)
    kafka.delete(*kafka.topics(f"{NAME}."))
    done = p.cli("run", "--dev")
    check.equal(done.returncode, 2, done.stderr)
    check.contains(done.stderr, text)
    check.contains(done.stderr, "Build it again")


@check.test
def a_module_without_the_number_is_refused():
    p = built_project()
    patch(p, b"leat\0\0\0\0", b"tael\0\0\0\0")
    done = p.cli("check")
    check.equal(done.returncode, 2)
    check.contains(done.stdout, "has no ABI number")


@check.test
def what_is_no_shared_object_is_refused():
    p = built_project()
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF" + b"\0" * 60):
        with open(p.path("modules/items.so"), "wb") as f:
            f.write(content)
        done = p.cli("check")
        check.equal(done.returncode, 2)
        check.contains(done.stdout, "is not a shared object of this machine")


if __name__ == "__main__":
    check.main()
