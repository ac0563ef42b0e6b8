#!/usr/bin/env python3
"""Shows that each rule of tidy.py finds its planted breach, and that a clean tree passes."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402

MARK = "TO" + "DO"
LONG = "int f(void)\n{\n" + "    f();\n" * 70 + "}\n"

# name, path, text, what the finding must say (None: must pass)
CASES = [
    ("clean_file", "src/base/a.c", "#include <stdio.h>\nint f(int a, int b)\n{\n}\n", None),
    ("call_in_comment", "src/base/a.c", "/* strcpy(a) */\nint x;\n", None),
    ("call_in_string", "src/base/a.c", 'const char *x = "gets(a)";\n', None),
    ("method_named_gets", "src/base/a.c", "int f(void)\n{\n    x->gets(1);\n}\n", None),
    ("long_file", "src/base/a.c", "int x;\n" * 1001, "1001 lines"),
    ("long_header", "src/base/a.h", "extern int x;\n" * 301, "301 lines"),
    ("long_function", "src/base/a.c", LONG, "function f has 73 lines"),
    ("wide_line", "src/base/a.c", "int x; // " + "y" * 100 + "\n", "columns"),
    ("seven_parameters", "src/base/a.h", "int f(int a, int b, int c, int d, int e, int g,\n"
     "      int (*h)(int, int));\n", "function f has 7 parameters"),
    ("six_parameters_and_attribute", "src/base/a.h",
     "int f(int a, int b, int c, int d, int e, int (*h)(int, int))\n"
     "    __attribute__((nonnull(1, 6)));\n", None),
    ("variable_arguments_do_not_count", "src/base/a.h",
     "int f(int a, int b, int c, int d, int e, int g, ...);\n", None),
    ("banned_call", "src/base/a.c", "int f(void)\n{\n    strcpy(a, b);\n}\n", "strcpy"),
    ("environment_call", "src/worker/a.c", "int f(void)\n{\n    time(0);\n}\n", "time()"),
    ("typedef_struct", "src/base/a.h", "typedef struct x y;\n", "typedef"),
    ("later_layer", "src/base/a.c", '#include "store/store.h"\n', "later layer"),
    ("same_rank_before", "src/codec/a.c", '#include "topology/topology.h"\n', None),
    ("public_header_pure", "src/leat/a.c", '#include "base/arena.h"\n', "later layer"),
    ("foreign_header", "src/worker/a.c", "#include <lmdb.h>\n", "src/projection alone"),
    ("foreign_header_at_home", "src/projection/a.c", "#include <lmdb.h>\n", None),
    ("module_includes_inside", "processors/a.c", '#include "base/arena.h"\n', "only leat/"),
    ("mark", "src/base/a.c", f"/* {MARK}: later */\n", "unfinished mark"),
    ("sleep_in_test", "tests/unit/a.c", "int f(void)\n{\n    usleep(1);\n}\n", "sleep"),
    ("sleep_in_script", "tests/unit/a.sh", "true; sleep 5\n", "sleep"),
    ("broken_header", "src/base/a.h", "extern undeclared f(void);\n", "alone"),
    ("no_readme", "src/other/deep/a.txt", "x\n", "without a README"),
]


def findings_of(path, text):
    with tempfile.TemporaryDirectory() as root:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full))
        parts = path.split("/")[:-1]
        if parts != ["src", "other", "deep"]:
            for n in range(1, len(parts) + 1):
                with open(os.path.join(root, *parts[:n], "README.md"), "w", encoding="utf-8"):
                    pass
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        check = tidy.Tidy(root)
        check.files = lambda: sorted(check.walk())
        check.run()
        return [f"{p}:{n}: {t}" for p, n, t in check.findings]


def main():
    failed = 0
    for name, path, text, expected in CASES:
        found = findings_of(path, text)
        if expected is None:
            good = not found
        else:
            good = any(expected in f for f in found)
        failed += not good
        print(f"ok tidy_{name}" if good else f"FAIL tidy_{name}: expected {expected}, got {found}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
