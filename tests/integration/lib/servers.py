"""Addresses of the test servers and of the program under test, from the environment.

`./dev test` sets them. A script started by hand finds them in build/servers/env (./dev up) and
takes build/dev/bin/leat, or what LEAT_BIN names.
"""

import os
import socket

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))


def _load():
    path = os.path.join(ROOT, "build", "servers", "env")
    if "STORE_URL" in os.environ or not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as f:
        for line in f:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            os.environ.setdefault(name, value)


_load()
KAFKA = os.environ.get("KAFKA", "127.0.0.1:19092")
STORE_URL = os.environ.get("STORE_URL", "postgresql://leat@127.0.0.1:15432/leat")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:16379/0")
BIN = os.environ.get("LEAT_BIN", os.path.join(ROOT, "build", "dev", "bin", "leat"))
BIN_DIR = os.path.dirname(BIN)


def tool(name):
    """A program of the same build as the one under test, or of the dev build."""
    for folder in (BIN_DIR, os.path.join(ROOT, "build", "dev", "bin")):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"{name} is not built; run './dev build'")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
