#!/usr/bin/env python3
"""The binary interface of the public headers as text, and whether it still is what was kept.

Usage: abi.py [--write [--unreleased] | --print] [program]

Compares with leat.abi beside this script (exit 1 when it differs) and, given the program, whether
it exports every function. --write keeps the present interface; an incompatible change needs a new
LEAT_ABI unless --unreleased.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KEPT = os.path.join(HERE, "leat.abi")
WRITE = "python3 tests/abi/abi.py --write"


def compile_headers(folder):
    """An object file with debug information of all public headers, and their prototypes."""
    source, out, prototypes = (os.path.join(folder, n) for n in ("a.c", "a.o", "a.txt"))
    headers = sorted(glob.glob(os.path.join(ROOT, "src", "leat", "*.h")))
    with open(source, "w", encoding="utf-8") as f:
        f.writelines(f'#include "leat/{os.path.basename(h)}"\n' for h in headers)
        f.write("int leat_abi_number = LEAT_ABI;\n")
    subprocess.run(["gcc", "-std=gnu17", "-g", "-gdwarf-4", "-fno-eliminate-unused-debug-types",
                    "-I", os.path.join(ROOT, "src"), "-aux-info", prototypes, "-c", source,
                    "-o", out], check=True)
    return out, prototypes


class Entry:
    def __init__(self, depth, tag):
        self.depth, self.tag, self.attributes, self.children = depth, tag, {}, []

    def __getattr__(self, name):
        return self.attributes.get(name)


def read_debug(path):
    """Entries of the debug information by their offset."""
    text = subprocess.run(["readelf", "-W", "--debug-dump=info", path], check=True, text=True,
                          capture_output=True).stdout
    entries, stack = {}, []
    for line in text.splitlines():
        match = re.match(r" *<(\d+)><([0-9a-f]+)>: .*\((DW_TAG_\w+)\)", line)
        if match:
            entry = Entry(int(match[1]), match[3].removeprefix("DW_TAG_"))
            del stack[entry.depth:]
            if stack:
                stack[-1].children.append(entry)
            stack.append(entry)
            entries[int(match[2], 16)] = entry
            continue
        match = re.match(r" *<[0-9a-f]+> +DW_AT_(\w+) *: (?:(?:\([^)]*\) ?)+:? *)?(.*)", line)
        if match and stack:
            stack[-1].attributes[match[1]] = match[2].strip()
    return entries


def type_of(entries, entry):
    """What its type refers to; None is void."""
    match = re.match(r"<(?:0x)?([0-9a-f]+)>", entry.type or "")
    return entries[int(match[1], 16)] if match else None


def type_text(entries, entry):
    """A type as C would have it, roughly."""
    if entry is None:
        return "void"
    inner = type_of(entries, entry)
    name = entry.name or "(anonymous)"
    if entry.tag in ("structure_type", "union_type", "enumeration_type"):
        kind = {"s": "struct", "u": "union", "e": "enum"}[entry.tag[0]]
        return f"{kind} {name}"
    if entry.tag == "pointer_type":
        return f"{type_text(entries, inner)} *"
    if entry.tag in ("const_type", "volatile_type"):
        return f"{type_text(entries, inner)} {entry.tag.removesuffix('_type')}"
    if entry.tag == "array_type":
        return type_text(entries, inner) + "".join(
            f"[{int(c.upper_bound or '-1', 0) + 1}]" for c in entry.children)
    if entry.tag == "subroutine_type":
        parts = [type_of(entries, c) for c in entry.children if c.type]
        return f"{type_text(entries, inner)} ({', '.join(type_text(entries, p) for p in parts)})"
    return name


def members(entries, entry, base=0):
    lines = []
    for child in entry.children:
        if child.tag != "member":
            continue
        offset = base + int(child.data_member_location or "0", 0)
        of = type_of(entries, child)
        if child.name is None:
            lines += members(entries, of, offset)
        else:
            lines.append(f"  {offset} {child.name}: {type_text(entries, of)}")
    return lines


def describe(entries):
    """Blocks by their first line; a struct's has its size."""
    blocks = {}
    for entry in entries.values():
        if not (entry.name or "").startswith("leat_") or entry.declaration:
            continue
        if entry.tag == "structure_type":
            blocks[f"struct {entry.name}"] = [f"  size {entry.byte_size}", *members(entries, entry)]
        elif entry.tag == "enumeration_type":
            blocks[f"enum {entry.name}"] = [f"  size {entry.byte_size}"] + [
                f"  {c.const_value} {c.name}" for c in entry.children if c.tag == "enumerator"]
    return blocks


def prototypes(path):
    """Functions that the program has to export: name -> prototype."""
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            match = re.match(r"/\* \S*/leat/\w+\.h:\d+:\w+ \*/ extern (.*?(\w+) \(.*\));", line)
            if match:
                found[match[2]] = match[1]
    return found


def number():
    with open(os.path.join(ROOT, "src", "leat", "abi.h"), encoding="utf-8") as f:
        return re.search(r"^#define LEAT_ABI (\d+)$", f.read(), re.MULTILINE)[1]


def present():
    """Number and blocks of the tree."""
    with tempfile.TemporaryDirectory() as folder:
        out, listed = compile_headers(folder)
        blocks = describe(read_debug(out))
        for name, text in prototypes(listed).items():
            blocks[f"function {name}"] = [f"  {text}"]
    if "struct leat_type" not in blocks or "function leat_emit" not in blocks:
        sys.exit("abi.py: could not read the debug information of the public headers")
    return number(), blocks


def as_text(abi, blocks):
    lines = [f"abi {abi}"]
    for head in sorted(blocks):
        lines += [head, *blocks[head]]
    return "\n".join(lines) + "\n"


def kept():
    blocks, abi = {}, None
    if os.path.exists(KEPT):
        with open(KEPT, encoding="utf-8") as f:
            abi = f.readline().split()[1]
            for line in f.read().splitlines():
                if line.startswith(" "):
                    block.append(line)
                else:
                    block = blocks.setdefault(line, [])
    return abi, blocks


def differences(old, new):
    """(lines about what no longer is as it was, heads of what is new)"""
    broken = []
    for head, lines in old.items():
        if head not in new:
            broken.append(f"{head}: is gone")
        elif lines != new[head]:
            changes = [f"-{line}" for line in lines if line not in new[head]]
            changes += [f"+{line}" for line in new[head] if line not in lines]
            broken += [f"{head}:", *(changes or ["  the order of its members"])]
    return broken, [head for head in new if head not in old]


def not_exported(program, blocks):
    done = subprocess.run(["nm", "-D", "--defined-only", program], check=True, text=True,
                          capture_output=True)
    there = {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}
    wanted = {head.split()[1] for head in blocks if head.startswith("function ")}
    return sorted(wanted - there)


def compare(abi, blocks, program):
    kept_abi, old = kept()
    broken, added = differences(old, blocks)
    failed = 0
    if abi != kept_abi:
        print(f"LEAT_ABI is {abi}, tests/abi/leat.abi has {kept_abi}; keep it: {WRITE}")
        failed = 1
    elif broken:
        print("\n".join(broken))
        print(f"modules compiled for ABI {abi} would read these wrongly: raise LEAT_ABI in "
              f"src/leat/abi.h, then {WRITE}")
        failed = 1
    elif added:
        print(f"not kept yet: {', '.join(added)}; compatible with ABI {abi}; keep it: {WRITE}")
        failed = 1
    for name in not_exported(program, blocks) if program else []:
        print(f"{name} is declared in src/leat and not exported by {program}")
        failed = 1
    return failed


def write(abi, blocks, unreleased):
    kept_abi, old = kept()
    broken, _ = differences(old, blocks)
    if broken and abi == kept_abi and not unreleased:
        print("\n".join(broken))
        print("not kept: raise LEAT_ABI in src/leat/abi.h first (--unreleased if no released leat "
              f"has had ABI {abi})")
        return 1
    with open(KEPT, "w", encoding="utf-8") as f:
        f.write(as_text(abi, blocks))
    return 0


def main():
    flags = {a for a in sys.argv[1:] if a.startswith("--")}
    programs = [a for a in sys.argv[1:] if not a.startswith("--")]
    if flags - {"--write", "--print", "--unreleased"} or len(programs) > 1:
        sys.exit(__doc__)
    abi, blocks = present()
    if "--print" in flags:
        print(as_text(abi, blocks), end="")
        return 0
    if "--write" in flags:
        return write(abi, blocks, "--unreleased" in flags)
    return compare(abi, blocks, programs[0] if programs else None)


if __name__ == "__main__":
    sys.exit(main())
