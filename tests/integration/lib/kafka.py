"""Topics and records, through tests/tools/kafka_tool (librdkafka, none of leat's code)."""

import base64
import dataclasses
import subprocess

from . import servers, wait


@dataclasses.dataclass
class Record:
    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict

    def header(self, name):
        """A header as text, or None."""
        found = self.headers.get(name)
        return found.decode() if found is not None else None


def _encode(data):
    if data is None:
        return "-"
    data = data.encode() if isinstance(data, str) else data
    return "=" + base64.b64encode(data).decode()


def _decode(text):
    return None if text == "-" else base64.b64decode(text[1:])


def _tool(*arguments, stdin=None):
    done = subprocess.run(
        [servers.tool("kafka_tool"), servers.KAFKA, *map(str, arguments)],
        input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"kafka_tool {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def create(topic, partitions, **configs):
    """Creates a topic, and waits until the broker's metadata know it; configs with underscores for
    dots. One that exists is no error."""
    _tool("create", topic, partitions,
          *(f"{name.replace('_', '.')}={value}" for name, value in configs.items()))
    wait.until(lambda: topic in topics(topic), what=f"topic {topic}")


def delete(*topics):
    """Deletes topics; one that does not exist is no error."""
    if topics:
        _tool("delete", *topics)


def topics(prefix=""):
    """Names of the topics that start with prefix -> number of partitions."""
    found = {}
    for line in _tool("topics").splitlines():
        name, partitions = line.split("\t")
        if name.startswith(prefix):
            found[name] = int(partitions)
    return found


def configs(topic):
    """Configs set for this topic itself -> value."""
    return dict(line.split("\t") for line in _tool("configs", topic).splitlines())


def produce(topic, records, verb="produce"):
    """Sends (key, value), with headers, partition and time in ms behind them as far as wanted;
    returns when all are acknowledged. Without a partition: murmur2 of the key, as Java does."""
    lines = []
    for record in records:
        left_out = (None, None, None, None, 0)[len(record):]
        key, value, headers, partition, time_ms = (*record, *left_out)
        packed = ",".join(f"{name}{_encode(v)}" for name, v in (headers or {}).items())
        number = "-" if partition is None else str(partition)
        lines.append(f"{number}\t{_encode(key)}\t{_encode(value)}\t{packed}\t{time_ms}\n")
    _tool(verb, topic, stdin="".join(lines))


def abort(topic, records):
    """As produce(), in a transaction that is aborted: offsets that nobody may read."""
    produce(topic, records, verb="abort")


def consume(topic):
    """Every record of the topic up to its end as of now, ordered by (partition, offset)."""
    records = []
    for line in _tool("consume", topic).splitlines():
        partition, offset, time_ms, key, value, packed = line.split("\t")
        headers = {}
        for item in packed.split(",") if packed else []:
            name, _, encoded = item.partition("=")
            headers[name] = base64.b64decode(encoded)
        records.append(Record(int(partition), int(offset), int(time_ms), _decode(key),
                              _decode(value), headers))
    return sorted(records, key=lambda r: (r.partition, r.offset))


def offsets(topic):
    """(partition, low watermark, high watermark) of each partition."""
    return [tuple(map(int, line.split("\t"))) for line in _tool("offsets", topic).splitlines()]


def count(topic):
    """Number of records between the low and high watermarks."""
    return sum(high - low for _, low, high in offsets(topic))


def leaders():
    """Lines of topic, partition, leader, replicas, replicas in sync; separated by tabs."""
    return _tool("leaders")
