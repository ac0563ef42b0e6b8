"""fastavro as the codec's oracle, both ways, over random schemas, values and evolutions.

    codec_oracle.py <program codec_oracle> <cases> <seed>

fastavro writes a value in the writer's schema; leat reads it into the reader's struct and writes
Avro and JSON. Of two cases in a hundred the struct is made by `leat gen` and the compiler. Then:
the same schema gives the same bytes; an evolved one gives what fastavro reads with both schemas;
leat's bytes are read by fastavro; leat's JSON is the one documented.
Prints a line per failure and the number of cases; exits 1 on any failure.
"""

import io
import json
import random
import struct
import subprocess
import sys

import fastavro
from schemas import Maker, evolve, to_json


def encode(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def decode(body, writer, reader=None):
    stream = io.BytesIO(body)
    value = fastavro.schemaless_reader(stream, writer, reader)
    assert stream.read() == b"", "bytes are left"
    return value


class Leat:
    def __init__(self, program, made):
        """made: schemas of structs to be compiled."""
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._give(*(json.dumps(schema).encode() for schema in made), b"")

    def resolve(self, writer, reader, body):
        """(code, bytes, bytes); see the program."""
        self._give(json.dumps(writer).encode(), json.dumps(reader).encode(), body)
        code = self.process.stdout.read(1)
        assert code, "codec_oracle has ended"
        return code[0], self._part(), self._part()

    def _give(self, *parts):
        for part in parts:
            self.process.stdin.write(struct.pack("<I", len(part)) + part)
        self.process.stdin.flush()

    def _part(self):
        return self.process.stdout.read(struct.unpack("<I", self.process.stdout.read(4))[0])

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, "codec_oracle failed"


def difference(leat, writer, reader, value):
    """None, or what is wrong with this case."""
    parsed_writer, parsed_reader = fastavro.parse_schema(writer), fastavro.parse_schema(reader)
    body = encode(parsed_writer, value)
    code, avro, text = leat.resolve(writer, reader, body)
    if code != 0:
        return f"leat: {avro.decode()} {text.decode()}"
    if writer is reader and avro != body:
        return f"other bytes: {avro.hex()} for {body.hex()}"
    expected = decode(body, parsed_writer, parsed_reader)
    # Through bytes, so that both have the precision of the reader's types.
    expected = decode(encode(parsed_reader, expected), parsed_reader)
    got = decode(avro, parsed_reader)
    if got != expected:
        return f"other value: {got} for {expected}"
    if json.loads(text) != to_json(reader, expected):
        return f"other JSON: {text.decode()} for {json.dumps(to_json(reader, expected))}"
    return None


def main():
    program, cases, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    r = random.Random(seed)
    made = []
    for i in range(cases):
        maker = Maker(r, wide=i % 2 == 0)
        writer = maker.record()
        made.append((maker, writer, writer if i % 2 == 0 else evolve(r, writer)))
    leat = Leat(program, [reader for i, (_, _, reader) in enumerate(made) if i % 100 < 2])
    failed = 0
    for i, (maker, writer, reader) in enumerate(made):
        for _ in range(3):
            value = maker.value(writer)
            why = difference(leat, writer, reader, value)
            if why is not None:
                failed += 1
                print(f"case {i}: {why}\n  writer {json.dumps(writer)}\n  reader "
                      f"{json.dumps(reader)}\n  value {value}")
                break
    leat.close()
    print(f"{cases} cases, {failed} failed")
    sys.exit(1 if failed else 0)


main()
