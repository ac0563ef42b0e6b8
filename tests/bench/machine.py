"""What the machine says: processor time and memory of processes, threads and servers."""

import glob
import os
import struct

TICKS = os.sysconf("SC_CLK_TCK")


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def _stat(path):
    """Fields of a stat file after the name: [0] is the state. None when it is gone."""
    text = _read(path)
    return text[text.rindex(")") + 2:].split() if ")" in text else None


def cpu_s(pid, with_children=False):
    """User and system seconds of a process so far; of waited-for children too when asked."""
    fields = _stat(f"/proc/{pid}/stat")
    if fields is None:
        return 0.0
    ticks = int(fields[11]) + int(fields[12])
    if with_children:
        ticks += int(fields[13]) + int(fields[14])
    return ticks / TICKS


def descendants(pid):
    """pid and every process below it."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        fields = _stat(path)
        if fields is not None:
            parents.setdefault(int(fields[1]), []).append(int(path.split("/")[2]))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += parents.get(one, [])
    return found


def tree_cpu_s(pid):
    """Of a process, its living descendants and the children it has buried."""
    return sum(cpu_s(p, with_children=True) for p in descendants(pid))


def rss_anon_mb(pid):
    """RssAnon of a process and its descendants."""
    kilobytes = 0
    for one in descendants(pid):
        for line in _read(f"/proc/{one}/status").splitlines():
            if line.startswith("RssAnon:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def thread_cpu_s(pid):
    """Seconds by thread name, over a process and its descendants."""
    sums = {}
    for one in descendants(pid):
        for task in glob.glob(f"/proc/{one}/task/*"):
            fields = _stat(f"{task}/stat")
            if fields is None:
                continue
            name = _read(f"{task}/comm").strip()
            sums[name] = sums.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
    return sums


def _listening_inodes(port):
    inodes = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(path).splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def listener_pid(port):
    """The process that listens on a local port, the eldest of those that share the socket; None
    when it cannot be seen (another user's)."""
    inodes = _listening_inodes(port)
    found = set()
    for link in glob.glob("/proc/[0-9]*/fd/*") if inodes else []:
        try:
            if os.readlink(link) in inodes:
                found.add(int(link.split("/")[2]))
        except OSError:
            continue
    return min(found, default=None)


def describe():
    cpu = next((line.split(":", 1)[1].strip() for line in _read("/proc/cpuinfo").splitlines()
                if line.startswith("model name")), "?")
    return {"cpu": cpu, "cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2)}


def murmur2(data):
    """Kafka's hash of a key, as an unsigned number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
