"""Questions to Postgres, through psql."""

import csv
import io
import subprocess

from . import servers


class SqlError(AssertionError):
    pass


def execute(sql, url=None):
    """Runs SQL; returns what psql printed as CSV (with a header line per result)."""
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--csv", "-d", url or servers.STORE_URL,
         "-f", "-"], input=sql, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SqlError(done.stderr.strip())
    return done.stdout


def rows(sql, url=None):
    """Rows as dictionaries of strings."""
    return list(csv.DictReader(io.StringIO(execute(sql, url))))


def value(sql, url=None):
    """First column of the first row: an int when it looks like one, else a string."""
    lines = list(csv.reader(io.StringIO(execute(sql, url))))
    if len(lines) < 2:
        return None
    text = lines[1][0]
    return int(text) if text.lstrip("-").isdigit() else text


def drop_schema(name):
    execute(f'SET client_min_messages = warning; DROP SCHEMA IF EXISTS "{name}" CASCADE')
