#!/usr/bin/env python3
"""leat new: what it writes checks, builds against the installed leat, runs on the real servers."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, installed, kafka, pg, wait  # noqa: E402

NAME = "new_e2e"
FILES = {"leat.yaml", "CMakeLists.txt", "README.md", ".gitignore", "schemas/CreateItem.avsc",
         "schemas/ItemCreated.avsc", "schemas/ItemState.avsc", "processors/items.c",
         "processors/items_test.yaml"}

_made = {}


def written(p):
    """What there is, without what builds and runs leave."""
    found = {os.path.relpath(os.path.join(folder, name), p.dir)
             for folder, _, names in os.walk(p.dir) for name in names}
    return {f for f in found if f.split("/")[0] not in ("build", "modules", ".leat")
            and not f.endswith(".log")}


def project():
    """One project, made once and grown by the tests."""
    if not _made:
        p = installed.Project(installed.stage())
        pg.drop_schema(NAME)
        kafka.delete(*kafka.topics(f"{NAME}."))
        p.must("new", "topology", NAME)
        _made["project"] = p
    return _made["project"]


def refused(p, code, *arguments):
    before = {name: p.read(name) for name in written(p)}
    done = p.cli(*arguments)
    check.equal((done.returncode, done.stdout), (code, ""), " ".join(arguments))
    check.equal({name: p.read(name) for name in written(p)}, before, "files")
    return done.stderr


def is_insertion(old, new):
    """Every line of the old text is in the new one, in the same order."""
    lines = iter(new.splitlines(keepends=True))
    return all(any(line == there for there in lines) for line in old.splitlines(keepends=True))


@check.test
def dry_run_lists_the_files_and_writes_none():
    p = installed.Project(installed.stage())
    listed = p.must("new", "topology", "shop", "--dry-run")
    check.equal({line.split()[-1] for line in listed.splitlines()}, FILES)
    check.equal(written(p), set())
    found = json.loads(p.must("new", "topology", "shop", "--dry-run", "--json"))
    check.equal({f["file"] for f in found["files"]}, FILES)
    p.must("new", "topology", "shop", "--processor", "entries")
    check.contains(p.read("processors/entries.c"), "ON_CREATE_ENTRY(on_create_entry)")


@check.test
def names_that_cannot_be_are_refused():
    p = installed.Project(installed.stage())
    for name in ("Shop", "1st", "my-shop", "../shop", ""):
        check.contains(refused(p, 2, "new", "topology", name), f"'{name}' cannot be the name")
    check.contains(refused(p, 2, "new", "topologie", "shop"), "Did you mean 'topology'?")
    check.contains(refused(p, 2, "new", "topology", "shop", "--from", "A"), "--from")


@check.test
def what_is_there_is_not_overwritten():
    p = project()
    check.equal(written(p), FILES)
    p.write("README.md", "mine\n")
    check.contains(refused(p, 1, "new", "topology", NAME), "'leat.yaml' exists")
    p.must("new", "topology", NAME, "--force")
    check.contains(p.read("README.md"), f"# {NAME}")


@check.test
def the_project_checks_builds_and_runs():
    p = project()
    check.contains(p.must("check"), f"ok: topology {NAME}, 12 partitions")
    p.build()
    assert os.path.exists(p.path("modules/items.so"))
    check.contains(p.must("test"), "2 passed")
    process = p.run("first")
    p.send("CreateItem", item_id="1", title="first")
    wait.until(lambda: p.row("items", "1"), 20, "the row of item 1")
    check.equal(p.row("items", "1")["title"], "first")
    check.equal(process.stop(), 0, "leat run")


@check.test
def additions_leave_every_line_as_it_is():
    p = project()
    old = p.read("leat.yaml").replace("[CreateItem]\n", "[CreateItem]  # and no more\n")
    p.write("leat.yaml", old)
    p.must("new", "processor", "orders")
    p.must("new", "processor", "cancellations", "--aggregate", "order", "--commands",
           "CancelOrder", "--emits", "OrderCancelled")
    p.must("new", "processor", "welcome", "--events", "ItemCreated", "--sends", "CreateOrder")
    p.must("new", "projection", "orders")
    p.must("new", "projection", "titles", "--from", "ItemCreated", "--key", "title")
    p.must("new", "projection", "item_steps", "--from", "ItemCreated", "--c")
    new = p.read("leat.yaml")
    assert is_insertion(old, new), new
    check.contains(p.must("check"), "4 processors, 4 projections")


@check.test
def wrong_additions_say_why_and_write_nothing():
    p = project()
    for words, text in (
            (("processor", "orders"), "there is a processor 'orders' already"),
            (("processor", "x", "--events", "ItemCreatd"), "Did you mean 'ItemCreated'?"),
            (("processor", "x", "--events", "GuestLeft"), "First the processor that emits it"),
            (("processor", "x", "--events", "ItemCreated", "--sends", "CancelOder"),
             "Did you mean 'CancelOrder'?"),
            (("processor", "x", "--aggregate", "item"), "which commands to it?"),
            (("processor", "x", "--commands", "CreateItem", "--emits", "Xed"),
             "a command type has exactly one handler"),
            (("projection", "x", "--from", "ItemCreated", "--key", "titel"),
             "'ItemCreated' has no field 'titel'"),
            (("projection", "x", "--from", "ItemCreated", "--key", "title", "--c"),
             "'title' is not the stream's key"),
            (("processor", "x", "--c"), "--c is no option of a new processor"),
            (("projection", "x"), "ItemCreated, OrderCreated, OrderCancelled")):
        check.contains(refused(p, 2, "new", *words), text)


@check.test
def what_cannot_be_inserted_safely_is_handed_over():
    p = installed.Project(installed.stage())
    p.must("new", "topology", "shop")
    text = p.read("leat.yaml")
    start = text.index("projections:")
    end = text.index("http:")
    flat = text[:start] + "projections: {}\n\n" + text[end:]
    p.write("leat.yaml", flat)
    done = p.cli("new", "projection", "items")
    check.equal(done.returncode, 1)
    check.contains(done.stderr, "Put these lines into it by hand")
    check.equal(p.read("leat.yaml"), flat)
    p.write("leat.yaml", flat.replace("projections: {}\n", done.stdout))
    check.contains(p.must("check"), "1 projection")


@check.test
def the_grown_project_builds_and_runs():
    p = project()
    p.build()
    check.contains(p.must("test"), "5 passed")
    process = p.run("second")
    p.send("CreateItem", item_id="2", title="second")
    wait.until(lambda: p.row("orders", "2"), 20, "the order that the policy made of item 2")
    p.send("CancelOrder", order_id="2")
    check.equal(p.row("items", "1")["title"], "first")
    wait.equals(lambda: (p.row("titles", "second") or {}).get("count"), 1, 20)
    wait.equals(lambda: (p.row("item_steps", "2") or {}).get("last"), "ItemCreated", 20)
    check.equal(process.stop(), 0, "leat run")


if __name__ == "__main__":
    check.main()
