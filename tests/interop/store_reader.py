"""Decodes payloads as they lie in Postgres, by fastavro alone.

    store_reader.py < {"schemas": {"<id>": "<text>"}, "events": [{..., "payload": "<hex>"}]}

Prints a JSON object per event: what came in, with `value` for `payload`.
"""

import io
import json
import sys

import fastavro
from plain import plain


def main():
    given = json.load(sys.stdin)
    schemas = {int(i): fastavro.parse_schema(json.loads(t)) for i, t in given["schemas"].items()}
    for event in given["events"]:
        payload = bytes.fromhex(event.pop("payload"))
        assert payload[0] == 0, "not framed"
        body = io.BytesIO(payload[5:])
        event["value"] = plain(
            fastavro.schemaless_reader(body, schemas[int.from_bytes(payload[1:5], "big")]))
        assert body.read() == b"", "bytes are left"
        print(json.dumps(event, sort_keys=True))


main()
