"""Servers of a chaos run alone: they are killed, cut off and failed over, as shared ones can't be.

Data lies in a new folder under /var/tmp, which Postgres' user can reach; `Servers.end()` removes
it.
"""

import base64
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from lib import servers, wait

KAFKA_SETTINGS = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},PROXIED://{host}:{inner},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{outer}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
broker.session.timeout.ms=6000
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""

PG_SETTINGS = """listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 120
shared_buffers = 64MB
jit = off
timezone = 'UTC'
wal_level = replica
max_wal_senders = 4
hot_standby = on
"""


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def as_postgres():
    """Postgres refuses to run as root."""
    words = ["setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() == 0:
        words += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    return words


def pg_program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else name


def jars():
    cache = os.environ.get("LEAT_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "leat")
    found = [d for d in sorted(glob.glob(os.path.join(cache, "kafka-*")))
             if os.path.exists(os.path.join(d, "complete"))]
    if not found:
        raise AssertionError(f"no Kafka under {cache}; './dev up kafka' fetches it")
    return found[-1] + "/*"


STORAGE_TOOL = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


def cluster_id():
    """Kafka's form of a random UUID."""
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


class Server:
    """A process with its output in a log beside its data."""

    def __init__(self, folder, name):
        self.dir = os.path.join(folder, name)
        self.log_path = os.path.join(folder, f"{name}.log")
        self.popen = None

    def run(self, words, env=None):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(words, cwd="/", env={**os.environ, **(env or {})},
                                          stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True)

    def tell(self, number):
        os.kill(self.popen.pid, number)

    def end(self, number=signal.SIGKILL, seconds=60):
        if self.popen is not None and self.popen.poll() is None:
            self.tell(number)
            self.popen.wait(seconds)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


class Postgres(Server):
    def __init__(self, folder, name="pg"):
        super().__init__(folder, name)
        self.port = servers.free_port()
        self.url = f"postgresql://leat@127.0.0.1:{self.port}/leat"

    def command(self, program, *arguments):
        done = subprocess.run([*as_postgres(), pg_program(program), *arguments], cwd="/",
                              env={**os.environ, "HOME": "/"}, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stderr.strip()[-400:]}")

    def create(self):
        os.makedirs(self.dir, mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
        self.command("initdb", "-D", self.dir, "-U", "leat", "-A", "trust", "-E", "UTF8",
                     "--locale=C", "--no-instructions")
        self.settings()
        self.start()
        self.sql("create database leat", "postgres")

    def settings(self, extra=""):
        with open(os.path.join(self.dir, "postgresql.conf"), "a", encoding="utf-8") as f:
            f.write(PG_SETTINGS + f"port = {self.port}\n" + extra)

    def start(self):
        """Returns when it answers; after a crash that is once its log has been read again, and not
        before the last backend of the one before has seen that it died."""
        def up():
            if self.popen is None or self.popen.poll() is not None:
                self.run([*as_postgres(), pg_program("postgres"), "-D", self.dir])
            return self.sql("select 1", "postgres")
        wait.until(up, 60, f"Postgres on {self.port}; see {self.log_path}", every=0.1)

    def sql(self, text, database="leat"):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                               "127.0.0.1", "-p", str(self.port), "-U", "leat", "-d", database,
                               "-c", text], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr.strip())
        return done.stdout.strip() or "done"

    def stop(self, mode):
        """smart, fast, immediate, or kill (-9 of the postmaster alone)."""
        self.end({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT,
                  "kill": signal.SIGKILL}[mode])

    def standby(self, folder, name="standby"):
        """A copy that follows this one asynchronously; running."""
        s = Postgres(folder, name)
        self.command("pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", "leat", "-D",
                     s.dir, "-R", "-X", "stream", "--checkpoint=fast")
        s.settings()
        s.start()
        wait.until(lambda: self.sql("select count(*) from pg_stat_replication") == "1", 20,
                   "the standby to follow")
        return s

    def stop_following(self):
        self.sql("alter system set primary_conninfo = ''", "postgres")
        self.sql("select pg_reload_conf()", "postgres")
        wait.until(lambda: self.sql("select count(*) from pg_stat_wal_receiver") == "0", 10,
                   "the standby to be cut off")

    def promote(self):
        self.sql("select pg_promote(true, 60)", "postgres")


class Broker(Server):
    """Two listeners: `address` for the judge and the load, and one that is told as `outer`, the
    port of a proxy, for leat (None: its own). `controllers`: ports of all brokers' controllers,
    by node from 1 on."""

    def __init__(self, folder, outer, name="kafka", node=1, controllers=None):
        super().__init__(folder, name)
        self.node = node
        self.port, self.inner = servers.free_port(), servers.free_port()
        self.address = f"127.0.0.1:{self.port}"
        controllers = controllers or [servers.free_port()]
        copies = len(controllers)
        os.makedirs(self.dir)
        self.path = os.path.join(self.dir, "server.properties")
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(KAFKA_SETTINGS.format(
                host="127.0.0.1", port=self.port, inner=self.inner, outer=outer or self.inner,
                node=node, controller=controllers[node - 1], copies=copies,
                in_sync=min(copies, 2), data=self.dir + "/data",
                voters=",".join(f"{i}@127.0.0.1:{p}" for i, p in enumerate(controllers, 1))))

    def create(self):
        self.format(cluster_id())
        self.start()

    def format(self, name):
        subprocess.run([*STORAGE_TOOL, "-cp", jars(), "kafka.tools.StorageTool", "format", "-t",
                        name, "-c", self.path], capture_output=True, check=True)

    def start(self):
        self.launch()
        self.await_up()

    def launch(self):
        """The first compiler alone: the second takes a core for half a minute, others want it."""
        self.run(["setpriv", "--pdeathsig", "KILL", "java", "-Xms128m", "-Xmx512m",
                  "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                  "-Dlog4j2.configurationFile=" + os.path.join(
                      servers.ROOT, "dev.d", "kafka-log4j2.properties"),
                  "-cp", jars(), "kafka.Kafka", self.path])

    def await_up(self):
        wait.until(lambda: answers(self.port), 180, f"Kafka; see {self.log_path}")


class Brokers:
    """Three of them, each a controller as well; stands where a Broker may stand."""

    def __init__(self, folder, n=3):
        controllers = [servers.free_port() for _ in range(n)]
        self.nodes = [Broker(folder, None, f"kafka{i}", i, controllers) for i in range(1, n + 1)]
        self.address = ",".join(b.address for b in self.nodes)
        self.inner = self.nodes[0].inner

    def node(self, number):
        return self.nodes[number - 1]

    def create(self):
        name = cluster_id()
        for b in self.nodes:
            b.format(name)
            b.launch()
        for b in self.nodes:
            b.await_up()

    def end(self, number=signal.SIGKILL):
        for b in self.nodes:
            b.end(number)


class Servers:
    """One Postgres, one broker or three, and the folder they live in."""

    def __init__(self, kafka_outer, brokers=1):
        self.dir = tempfile.mkdtemp(prefix="leat-chaos-", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
        self.pg = Postgres(self.dir)
        self.brokers = brokers
        self.kafka = Broker(self.dir, kafka_outer) if brokers == 1 else Brokers(self.dir, brokers)
        self.others = []

    def create(self):
        self.kafka.create()
        self.pg.create()

    def end(self):
        for s in (self.pg, *self.others):
            s.end(signal.SIGQUIT)
        self.kafka.end(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
