"""Requests to leat's HTTP API."""

import json
import urllib.error
import urllib.request


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"HTTP {self.status} {self.body[:300]!r}"


def request(method, url, body=None, headers=None, seconds=10):
    """Any status is an answer; only a failed connection raises (OSError)."""
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None and "Content-type" not in sent.headers:
        sent.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(sent, timeout=seconds) as got:
            return Answer(got.status, got.headers, got.read())
    except urllib.error.HTTPError as e:
        with e:
            return Answer(e.code, e.headers, e.read())


def get(url, **options):
    return request("GET", url, **options)


def post(url, body, **options):
    return request("POST", url, body=body, **options)
