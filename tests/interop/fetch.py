"""Fetches what the readers need into build/interop, once; later runs take nothing from the net.

    python3 tests/interop/fetch.py      # prints the environment's python and the Java class path
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("LEAT_INTEROP_DIR", os.path.join(ROOT, "build", "interop"))
KAFKA_VERSION = "4.1.1"
AVRO_VERSION = "1.12.0"


class FetchError(Exception):
    pass


def _run(what, *argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        end = " | ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise FetchError(f"could not {what}: {end}")


def _text_of(*names):
    digest = hashlib.sha256()
    for name in names:
        with open(os.path.join(HERE, name), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()[:12]


def _once(name, make):
    """<cache>/<name>, made by make(folder) unless an earlier run has finished it."""
    folder = os.path.join(CACHE, name)
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "complete")):
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            with open(os.path.join(folder, "complete"), "w", encoding="utf-8"):
                pass
    return folder


def python(requirements="requirements.txt"):
    """A Python that has confluent-kafka and fastavro, or what another file of names asks for."""
    def make(folder):
        venv.create(folder, with_pip=True)
        _run(f"install {requirements} from PyPI", os.path.join(folder, "bin", "python"), "-m",
             "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:",
             "-r", os.path.join(HERE, requirements))

    folder = _once(f"python-{_text_of(requirements)}", make)
    return os.path.join(folder, "bin", "python")


def java_classpath():
    """Class path of TopicReader."""
    def jars(folder):
        _run("fetch the jars of the Java reader", "mvn", "-q", "-B", "-f",
             os.path.join(HERE, "pom.xml"), f"-Dkafka.version={KAFKA_VERSION}",
             f"-Davro.version={AVRO_VERSION}", "dependency:copy-dependencies",
             f"-DoutputDirectory={folder}")

    libraries = os.path.join(_once(f"jars-{KAFKA_VERSION}-{AVRO_VERSION}", jars), "*")

    def classes(folder):
        _run("compile the Java reader", "javac", "-Xlint:all,-processing", "-Werror", "-cp",
             libraries, "-d", folder, os.path.join(HERE, "TopicReader.java"))

    return os.pathsep.join([_once(f"classes-{_text_of('TopicReader.java')}", classes), libraries])


if __name__ == "__main__":
    try:
        print(python())
        print(java_classpath())
    except FetchError as e:
        sys.exit(str(e))
