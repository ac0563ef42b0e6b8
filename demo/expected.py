#!/usr/bin/env python3
"""Compares what became of an imported CSV of leads with what had to: import, store, read models.

Everything is compared: each refused line with its reason, each rejection by its code, each lead
card field by field with score and reasons, each count of the read models. Prints one line per check
and the differences; exit code 1 when there is any.

  demo/expected.py build/demo/leads.csv --url http://127.0.0.1:8080
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
import leads_rules  # noqa: E402

MODELS = ["leads", "funnel", "tiers", "states"]
SHOWN = 5  # differences of one check that are printed
CARD = ["company", "contact_name", "email", "phone", "domain", "website", "state", "category",
        "employees", "budget", "source", "notes", "score", "tier", "reasons", "rules_version",
        "team"]


class Checks:
    """Collects (what, expected, got)."""

    def __init__(self):
        self.lines, self.failed = [], 0

    def equal(self, what, expected, got):
        if expected == got:
            self.lines.append(f"ok    {what}: {_short(expected)}")
            return
        self.failed += 1
        self.lines.append(f"DIFF  {what}")
        if isinstance(expected, dict) and isinstance(got, dict):
            wrong = [k for k in sorted(set(expected) | set(got), key=str)
                     if expected.get(k) != got.get(k)]
            for k in wrong[:SHOWN]:
                self.lines.append(f"        {k}: expected {expected.get(k)!r}, got {got.get(k)!r}")
            if len(wrong) > SHOWN:
                self.lines.append(f"        and {len(wrong) - SHOWN} more")
        else:
            self.lines.append(f"        expected {expected!r}, got {got!r}")

    def text(self):
        return "\n".join(self.lines)


def _short(value):
    if isinstance(value, dict):
        if len(value) > 12 or any(isinstance(v, dict) for v in value.values()):
            return f"{len(value):,} rows" if value else "none"
        return ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}"
                         for k, v in sorted(value.items(), key=str)) or "none"
    if isinstance(value, list):
        return f"{len(value):,} rows"
    return f"{value:,}" if isinstance(value, int) else str(value)


# ---- what leat did ----

def sql(query):
    url = os.environ.get("STORE_URL", "postgresql://leat@127.0.0.1:15432/leat")
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "\t",
                           "-d", url, "-c", query], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"psql: {done.stderr.strip()}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def counts(query):
    return {row[0]: int(row[1]) for row in sql(query)}


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def model_rows(url, model, index=None):
    """All rows of a model, page by page, in the order they come."""
    rows, cursor = [], None
    while True:
        query = "limit=1000" + (f"&index={index}" if index else "")
        page = get(f"{url}/v1/models/{model}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        rows += page["rows"]
        cursor = page.get("cursor")
        if not cursor:
            return rows


def projected(url, schema):
    """Every model has every event that the store has, by position, slice for slice."""
    heads = {int(row[0]): int(row[1]) for row in sql(
        f"select slice, head_seq from \"{schema}\".slices")}
    return all(position(url, model) == heads for model in MODELS)


def position(url, model):
    """slice -> seq, out of the header 'Leat-Position: <store id>:0=17,1=4;<store id>:2=…'."""
    with urllib.request.urlopen(f"{url}/v1/models/{model}?limit=1", timeout=10) as answer:
        groups = answer.headers["Leat-Position"].split(";")
    pairs = [pair.split("=") for group in groups for pair in group.split(":")[1].split(",")]
    return {int(slice_): int(seq) for slice_, seq in pairs}


# ---- the comparisons ----

def check_import(checks, want, rejects):
    got = {}
    if os.path.exists(rejects):
        with open(rejects, encoding="utf-8") as f:
            for line in f:
                row = json.loads(line)
                got[row["line"]] = row["code"]
    checks.equal("lines refused at import, by reason",
                 dict(collections.Counter(want["refused_at_import"].values())),
                 dict(collections.Counter(got.values())))
    checks.equal("lines refused at import, each", want["refused_at_import"], got)


def check_store(checks, want, schema):
    leads = want["leads"]
    checks.equal("CreateLead by outcome", {"accepted": want["accepted"], **want["rejected"]},
                 counts("select coalesce(error_code, outcome), count(*) "
                        f"from \"{schema}\".commands where type = 'CreateLead' group by 1"))
    for command, expected in (("ScoreLead", want["priorities"]), ("RouteLead", want["tiers"])):
        checks.equal(f"{command} by priority", dict(expected),
                     counts(f"select priority, count(*) from \"{schema}\".commands "
                            f"where type = '{command}' and outcome = 'accepted' group by 1"))
    n = len(leads)
    checks.equal("events by type", {"LeadCreated": n, "LeadScored": n, "LeadRouted": n},
                 counts(f"select type, count(*) from \"{schema}\".events group by 1"))
    checks.equal("streams whose versions are not 1, 2, 3", 0, int(sql(
        f"select count(*) from (select stream from \"{schema}\".events group by stream having "
        "array_agg(version order by version) <> array[1, 2, 3]::bigint[]) s")[0][0]))
    checks.equal("slices whose seqs have holes", 0, int(sql(
        f"select count(*) from (select slice from \"{schema}\".events group by slice having "
        "count(*) <> max(seq) or min(seq) <> 1) s")[0][0]))


def check_models(checks, want, url):
    leads = want["leads"]
    cards = {row["key"]: {f: row.get(f) for f in CARD} for row in model_rows(url, "leads")}
    checks.equal("lead cards, every field",
                 {key: {f: lead[f] for f in CARD} for key, lead in leads.items()}, cards)
    by_tier = model_rows(url, "leads", "by_tier")
    checks.equal("order of the index by_tier",
                 [(l["tier"], -l["score"]) for l in
                  sorted(leads.values(), key=lambda l: (l["tier"], -l["score"]))],
                 [(row["tier"], -row["score"]) for row in by_tier])
    checks.equal("model tiers",
                 totals(leads.values(), "tier",
                        {"leads": lambda l: 1, "points": lambda l: l["score"]}),
                 model_of(url, "tiers"))
    one = {name: lambda l: 1 for name in ("created", "scored", "routed")}
    checks.equal("model funnel",
                 totals(leads.values(), "source", one | {"points": lambda l: l["score"]}),
                 model_of(url, "funnel"))
    checks.equal("model states",
                 totals(leads.values(), "state",
                        {"leads": lambda l: 1, "budget": lambda l: l["budget"]}),
                 model_of(url, "states"))


def totals(leads, key, fields):
    """Sums by key; a field that never got a value stays None, as in the read model."""
    sums = {}
    for lead in leads:
        row = sums.setdefault(lead[key], dict.fromkeys(fields))
        for name, value in fields.items():
            if value(lead) is not None:
                row[name] = (row[name] or 0) + value(lead)
    return sums


def model_of(url, model):
    return {row["key"]: {k: v for k, v in row.items() if k != "key"}
            for row in model_rows(url, model)}


def compare(want, rejects, url, schema="leads"):
    checks = Checks()
    check_import(checks, want, rejects)
    check_store(checks, want, schema)
    check_models(checks, want, url)
    return checks


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("csv")
    p.add_argument("--url", default="http://127.0.0.1:8080")
    p.add_argument("--schema", default="leads", help="Postgres schema; $STORE_URL names the server")
    p.add_argument("--rejects", help="default: <csv>.rejects.jsonl")
    p.add_argument("--rules", default=os.path.join(ROOT, "rules", "score.yaml"))
    a = p.parse_args()
    checks = compare(leads_rules.outcome(a.csv, a.rules), a.rejects or a.csv + ".rejects.jsonl",
                     a.url, a.schema)
    print(checks.text())
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
