"""Events put into a store by SQL, as anybody may: no processor is needed."""

import json
import uuid

from . import pg


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
