"""Events put into a store by SQL, as anybody may: no processor is needed; and into its events topic
(JSON) record by record, as a relay would."""

import json
import uuid

from . import kafka, pg


def appending(schema, stream, events):
    """The statement that appends (type, body) events to a stream; a body is a dictionary, or JSON
    as it travels."""
    types = ",".join(f"'{t}'" for t, _ in events)
    texts = (body if isinstance(body, str) else json.dumps(body) for _, body in events)
    payloads = ",".join(f"convert_to('{text}','UTF8')" for text in texts)
    return (f"select count(*) from {schema}.append_events('{stream}', -1, '{uuid.uuid4()}', "
            f"array[{types}], array[{payloads}], array_fill(0, array[{len(events)}]));")


def append(schema, stream, events):
    pg.execute(appending(schema, stream, events))


def stored(schema):
    """Every event in slice and seq order, its payload as text."""
    return pg.rows(f"""select e.slice, e.seq, e.stream, e.type, e.event_id, e.command_id,
        convert_from(e.payload, 'UTF8') as payload, s.store_id
        from {schema}.events e join {schema}.slices s using (slice) order by e.slice, e.seq""")


def record(e, event_id=None, store_id=None):
    """The record of a stored event, for kafka.produce(); its key is what follows the stream's
    first dash."""
    headers = {"ce_id": event_id or e["event_id"], "ce_type": e["type"], "leat-seq": str(e["seq"]),
               "leat-store": store_id or e["store_id"], "leat-causation": e["command_id"]}
    return e["stream"].partition("-")[2], e["payload"], headers, int(e["slice"])


def publish(schema, events):
    kafka.produce(f"{schema}.events", [record(e) for e in events])


def set_published(schema):
    """The store says that all of it is published, whether it is or not."""
    pg.execute(f"update {schema}.published p set seq = s.head_seq from {schema}.slices s "
               "where s.slice = p.slice")
