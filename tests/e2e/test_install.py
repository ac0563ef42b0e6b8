#!/usr/bin/env python3
"""The Debian package: what it holds, and a module built with nothing else, outside the tree."""

import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, installed, servers  # noqa: E402

HELD = ("usr/bin/leat", "usr/include/leat/leat.h", "usr/include/leat/type.h",
        "usr/include/leat/str.h", "usr/include/leat/abi.h",
        "usr/lib/cmake/leat/leatConfig.cmake", "usr/lib/cmake/leat/leatConfigVersion.cmake",
        "usr/lib/cmake/leat/leatTargets.cmake", "usr/lib/cmake/leat/leatModules.cmake",
        "usr/lib/pkgconfig/leat.pc", "usr/share/man/man1/leat.1.gz",
        "usr/share/man/man1/leat-run.1.gz", "usr/share/man/man5/leat.yaml.5.gz",
        "usr/share/bash-completion/completions/leat", "usr/share/zsh/site-functions/_leat",
        "usr/share/doc/leat/reference/topology.md")

_made = {}


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def package():
    if "deb" not in _made:
        _made["deb"] = os.path.join(servers.ROOT, output(
            "./dev", "package", cwd=servers.ROOT).split()[-1])
    return _made["deb"]


def root():
    """A folder into which the package was unpacked."""
    if "root" not in _made:
        _made["root"] = installed.folder("root")
        output("dpkg-deb", "-x", package(), _made["root"])
    return _made["root"]


def project():
    """A small project, built with the unpacked package alone."""
    if "project" not in _made:
        p = installed.Project(os.path.join(root(), "usr"))
        p.must("new", "topology", "packaged")
        p.build()
        _made["project"] = p
    return _made["project"]


@check.test
def the_package_names_what_it_needs():
    def field(name):
        return output("dpkg-deb", "-f", package(), name).strip()

    check.equal(field("Package"), "leat")
    assert re.match(r"\d+\.\d+\.\d+", field("Version")), field("Version")
    check.equal(field("Architecture"), output("dpkg", "--print-architecture").strip())
    needs = field("Depends")
    for library in ("libc6", "libfyaml0", "libhiredis0.14", "liblmdb0", "libmicrohttpd12",
                    "libpq5", "librdkafka1"):
        assert re.search(rf"\b{library}\b", needs), f"{library} is not in {needs!r}"


@check.test
def the_package_holds_all_of_it_and_nothing_else():
    found = {os.path.relpath(os.path.join(folder, name), root())
             for folder, _, names in os.walk(root()) for name in names}
    check.equal(sorted(set(HELD) - found), [])
    headers = {os.path.basename(h) for h in glob.glob(os.path.join(servers.ROOT, "src/leat/*.h"))}
    check.equal({os.path.basename(f) for f in found if f.startswith("usr/include/")}, headers)
    check.equal([f for f in found if f.endswith((".so", ".a", ".o"))], [])
    for path in found:
        with open(os.path.join(root(), path), "rb") as f:
            if path != "usr/bin/leat":
                assert servers.ROOT.encode() not in f.read(), f"{path} names the source tree"


@check.test
def the_unpacked_program_runs_from_where_it_is():
    check.contains(project().must("version"), "leat ")
    page = os.path.join(root(), "usr/share/man/man1/leat-run.1.gz")
    check.contains(output("gzip", "-dc", page), ".SH OPTIONS")


@check.test
def a_project_builds_and_passes_its_tests_outside_the_tree():
    p = project()
    check.contains(p.must("check"), "ok: topology packaged")
    check.contains(p.must("test"), "2 passed")
    commands = output("cmake", "--build", "build", "--clean-first", "--", "VERBOSE=1", cwd=p.dir,
                      env=p.env)
    assert os.path.join(servers.ROOT, "src") not in commands, "compiled with headers of the tree"


@check.test
def the_example_builds_and_passes_its_tests():
    p = installed.Project(os.path.join(root(), "usr"))
    shutil.copytree(os.path.join(root(), "usr/share/doc/leat/examples/shop"), p.dir,
                    dirs_exist_ok=True)
    check.contains(p.must("check"), "ok: topology shop")
    p.build()
    assert re.search(r"\b\d+ passed, 0 failed", p.must("test"))


@check.test
def a_handler_of_the_wrong_type_does_not_compile():
    p = installed.Project(os.path.join(root(), "usr"))
    p.must("new", "topology", "packaged")
    p.write("processors/items.c", p.read("processors/items.c").replace(
        "const struct create_item *c", "const struct item_created *c"))
    try:
        p.build()
    except AssertionError as e:
        check.contains(str(e), "ON_CREATE_ITEM takes leat_answer fn(")
    else:
        raise AssertionError("it compiled")


@check.test
def pkg_config_serves_those_without_cmake():
    p = project()
    env = {**p.env, "PKG_CONFIG_PATH": os.path.join(root(), "usr/lib/pkgconfig")}
    flags = output("pkg-config", "--cflags", "leat", env=env).split()
    folder = output("pkg-config", "--variable=modulesdir", "leat", env=env).strip()
    os.makedirs(folder, exist_ok=True)
    p.must("gen", "-o", "gen")
    output("gcc", "-shared", "-fPIC", "-Wall", "-Werror", *flags, "-Igen", "processors/items.c",
           "-o", os.path.join(folder, "items.so"), cwd=p.dir)
    os.remove(p.path("modules/items.so"))
    check.contains(p.must("test"), "2 passed")  # found in lib/leat/modules of the prefix


@check.test
def the_cmake_package_is_found_through_a_linked_lib():
    link = os.path.join(root(), "lib")  # as / has it on Debian
    os.symlink("usr/lib", link)
    p = installed.Project(os.path.join(root(), "usr"))
    p.must("new", "topology", "packaged")
    output("cmake", "-B", "build", f"-Dleat_DIR={link}/cmake/leat", cwd=p.dir, env=p.env)
    p.build()
    check.contains(p.must("test"), "2 passed")


@check.test
def mistakes_in_a_project_are_named_by_cmake():
    for wrong, text in (("TOPOLOGY no.yaml SOURCES processors/*.c", "there is no topology"),
                        ("TOPOLOGY leat.yaml SOURCES nowhere/*.c", "no file matches SOURCES"),
                        ("TOPOLOGY leat.yaml", "usage: leat_modules(")):
        p = installed.Project(os.path.join(root(), "usr"))
        p.must("new", "topology", "packaged")
        p.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES C)\n"
                f"find_package(leat REQUIRED)\nleat_modules({wrong})\n")
        try:
            p.build()
        except AssertionError as e:
            check.contains(str(e), text)
        else:
            raise AssertionError(f"{wrong}: accepted")


if __name__ == "__main__":
    check.main()
