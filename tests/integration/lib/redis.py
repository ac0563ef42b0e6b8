"""A redis-server of a test's own, that may be killed, flushed, made a replica or be given an old
file; and commands to it, in Redis' own protocol."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile

from . import servers, wait

_running = []


class Refused(Exception):
    """The server answered with an error."""


def _read(f):
    line = f.readline()
    if not line:
        raise OSError("the server has closed the connection")
    kind, rest = line[:1], line[1:].rstrip(b"\r\n")
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return Refused(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else f.read(int(rest) + 2)[:-2]
    assert kind == b"*", line
    return None if rest == b"-1" else [_read(f) for _ in range(int(rest))]


def ask(port, *arguments, login=None):
    """One command; texts come back as bytes. Raises Refused, or OSError when nobody answers."""
    words = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
    sent = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        with s.makefile("rb") as f:
            if login:
                s.sendall(f"AUTH {login}\r\n".encode())
                _read(f)
            s.sendall(sent)
            got = _read(f)
    if isinstance(got, Refused):
        raise got
    return got


class Server:
    """A redis-server on a port of its own; it saves only when told to."""

    def __init__(self, *options, port=None):
        self.port = port or servers.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.dir = tempfile.mkdtemp(prefix="redis-",
                                    dir=os.environ.get("LEAT_TEST_DIR") or tempfile.gettempdir())
        self.options = options
        self.process = None
        self.start()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--dir", self.dir, "--repl-diskless-sync-delay", "0", *self.options]
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        _running.append(self)
        wait.until(self.answers, 60, f"redis-server on port {self.port}")

    def answers(self):
        try:
            return ask(self.port, "PING") == "PONG"
        except Refused as why:
            return "NOAUTH" in str(why)
        except OSError:
            return False

    def ask(self, *arguments):
        return ask(self.port, *arguments)

    def keys(self, pattern="*"):
        return sorted(key.decode() for key in self.ask("KEYS", pattern))

    def kill(self):
        self.process.kill()
        self.process.wait()
        _running.remove(self)

    def save(self):
        """The file as of now, as bytes."""
        self.ask("SAVE")
        with open(os.path.join(self.dir, "dump.rdb"), "rb") as f:
            return f.read()

    def restore(self, file):
        """Starts again with an old file; without one, empty."""
        if self.process.poll() is None:
            self.kill()
        path = os.path.join(self.dir, "dump.rdb")
        if file is None:
            if os.path.exists(path):
                os.remove(path)
        else:
            with open(path, "wb") as f:
                f.write(file)
        self.start()

    def follow(self, master):
        """A replica of `master`, once it has all there was."""
        self.ask("REPLICAOF", "127.0.0.1", master.port)
        wait.until(lambda: b"master_link_status:up" in self.ask("INFO", "replication"), 60,
                   "the replica to be in step")


@atexit.register
def end_all():
    for server in list(_running):
        server.kill()
        shutil.rmtree(server.dir, ignore_errors=True)
