"""Reads a topic as a Python team would: confluent-kafka, its AvroDeserializer, its registry client.

    topic_reader.py <bootstrap servers> <topic> <registry url>

Prints a JSON object per record, up to where each partition ended when it began.
"""

import json
import sys
import uuid

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from plain import plain


def ends(consumer, topic):
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    found = {}
    for p in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
        if high > low:
            found[p] = (low, high)
    return found


def header_text(value):
    """ce_id travels as 16 bytes; the rest as text."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()


def show(message, value):
    headers = {k: header_text(v) for k, v in message.headers() or []}
    print(json.dumps({
        "partition": message.partition(), "offset": message.offset(),
        "key": message.key().decode(), "type": headers.get("ce_type"),
        "id": str(uuid.UUID(headers["ce_id"])), "value": plain(value)}, sort_keys=True))


def main():
    servers, topic, registry = sys.argv[1:]
    deserialise = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"interop-{uuid.uuid4()}",
                         "enable.auto.commit": False, "isolation.level": "read_committed",
                         "enable.partition.eof": False})
    left = ends(consumer, topic)
    consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in left.items()])
    while left:
        message = consumer.poll(20)
        if message is None:
            sys.exit(f"no record for 20 s; still to come: {left}")
        if message.error():
            sys.exit(str(message.error()))
        show(message, deserialise(message.value(), context))
        if message.offset() + 1 >= left[message.partition()][1]:
            del left[message.partition()]
    consumer.close()


main()
