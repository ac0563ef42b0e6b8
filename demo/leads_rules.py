"""What must become of a CSV of leads: the rules of import, processors and scoring, stated again.

Shares no code with leat: the csv module reads the rows, regular expressions stand for the
validations, tiny_yaml reads the scoring rules. expected.py compares the outcome with the system.
"""
import collections
import csv
import itertools
import re

import tiny_yaml

SPACE = " \t\r\n\v\f"
FIELD_BYTES_MAX = 65536
INT = {"employees": (-2**31, 2**31 - 1), "budget": (-2**63, 2**63 - 1)}
STATES = set("AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV "
             "NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR".split())
PRIORITY = {"web": "hot", "referral": "hot", "api": "warm", "event": "warm", "csv": "cold",
            "jsonl": "cold", "scrape": "cold"}
REGIONS = {
    "northeast": "CT ME MA NH RI VT NJ NY PA",
    "midwest": "IL IN MI OH WI IA KS MN MO NE ND SD",
    "south": "DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX PR",
    "west": "AZ CO ID MT NV NM UT WY AK CA HI OR WA",
}
TEAM = {state: team for team, states in REGIONS.items() for state in states.split()}


class Rejected(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


# ---- the file: what `leat import` refuses, by line ----

def records(path):
    """Yields (line, fields) or (line, Rejected). After a row whose quotes are broken, reading goes
    on at the line after the one it began on: one stray quote costs one line."""
    csv.field_size_limit(FIELD_BYTES_MAX)
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as f:
        lines = f.readlines()
    start = 0
    while start < len(lines):
        reader = csv.reader(itertools.islice(lines, start, None), strict=True)
        begin = start
        try:
            for fields in reader:
                if fields:
                    yield begin + 1, fields
                begin = start + reader.line_num
            return
        except csv.Error as e:
            yield begin + 1, Rejected("too-long" if "limit" in str(e) else "quote")
            start = begin + 1


def typed(header, fields):
    """The command a row becomes, or why it becomes none."""
    if len(fields) != len(header):
        raise Rejected("columns")
    command = {}
    for name, text in zip(header, fields):
        text = text.strip(SPACE)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Rejected("utf8") from None
        if name in INT:
            command[name] = number(text, *INT[name])
        elif text or name != "source":
            command[name] = text
    if not command["lead_id"]:
        raise Rejected("key")
    command.setdefault("source", "csv")
    return command


def number(text, low, high):
    if text == "":
        return None
    if not re.fullmatch(r"-?[0-9]+", text) or not low <= int(text) <= high:
        raise Rejected("type")
    return int(text)


# ---- the create processor ----

def domain_of(text):
    text = re.sub(r"^https?://", "", lower(text))
    text = re.sub(r"^www\.", "", text.split("/")[0])
    text = text.removesuffix(".")
    return text


def good_domain(text):
    label = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
    last = r"(?=.{2,63}$)([a-z]+|xn--[a-z0-9-]*[a-z0-9])"
    return len(text) <= 253 and re.fullmatch(rf"({label}\.)+{last}", text) is not None


def good_email(text):
    atom = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
    local, at, domain = text.partition("@")
    return (len(text) <= 254 and at == "@" and len(local) <= 64 and good_domain(domain)
            and re.fullmatch(rf"{atom}(\.{atom})*", local) is not None)


def e164(text):
    text = re.split("[xXeE]", text)[0]
    if not re.fullmatch(r"[0-9+() .-]*", text) or "+" in text[1:]:
        raise Rejected("bad-phone")
    digits = re.sub("[^0-9]", "", text)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    elif text.startswith("+"):
        raise Rejected("bad-phone")
    if not re.fullmatch(r"[2-9](?!11)[0-9]{2}[2-9](?!11)[0-9]{2}[0-9]{4}", digits):
        raise Rejected("bad-phone")
    return "+1" + digits


def lower(text):
    return re.sub("[A-Z]", lambda m: m[0].lower(), text)


def create(command):
    lead = dict(command)
    for name in ("email", "category", "source"):
        lead[name] = lower(lead[name])
    lead["state"] = re.sub("[a-z]", lambda m: m[0].upper(), lead["state"])
    for name in ("company", "email", "state"):
        if not lead[name]:
            raise Rejected("missing-field")
    for name, most in (("company", 200), ("contact_name", 200), ("notes", 4000)):
        if len(lead[name].encode()) > most:
            raise Rejected("too-long")
    if not good_email(lead["email"]):
        raise Rejected("bad-email")
    if lead["phone"]:
        lead["phone"] = e164(lead["phone"])
    if lead["domain"]:
        lead["domain"] = domain_of(lead["domain"])
        if not good_domain(lead["domain"]):
            raise Rejected("bad-domain")
    if lead["state"] not in STATES:
        raise Rejected("bad-state")
    if lead["source"] not in PRIORITY:
        raise Rejected("bad-source")
    return lead


# ---- the score processor ----

def holds(value, condition):
    for test, wanted in condition.items():
        if test == "given":
            if (value not in ("", None)) != wanted:
                return False
        elif test in ("at_least", "below"):
            if value is None or (value >= wanted) != (test == "at_least"):
                return False
        elif test == "is":
            if value != wanted:
                return False
        elif test == "one_of":
            if value not in wanted:
                return False
        else:
            raise ValueError(f"unknown condition '{test}'")
    return True


def score(lead, rules):
    facts = dict(lead, email_domain=lead["email"].partition("@")[2])
    points, reasons = rules["base"], []
    for rule in rules["rules"]:
        if all(holds(facts[field], c) for field, c in rule["when"].items()):
            points += rule["points"]
            reasons.append(f"{rule['points']:+d} {rule['because']}")
    points = max(0, min(100, points))
    tier = max((t for t in rules["tiers"].items() if points >= t[1]), key=lambda t: t[1])[0]
    return {"score": points, "tier": tier, "reasons": reasons, "rules_version": rules["version"]}


# ---- all of it ----

def outcome(csv_path, rules_path):
    """Everything that is expected of one import of the file into an empty system."""
    rules = tiny_yaml.load(rules_path)
    rows = records(csv_path)
    _, header = next(rows)
    header = [h.strip(SPACE) for h in header]
    refused, codes, leads, priorities = {}, collections.Counter(), {}, collections.Counter()
    count = 0
    for line, fields in rows:
        count += 1
        try:
            if isinstance(fields, Rejected):
                raise fields
            command = typed(header, fields)
        except Rejected as e:
            refused[line] = e.code
            continue
        try:
            if command["lead_id"] in leads:
                raise Rejected("lead-exists")
            lead = create(command)
        except Rejected as e:
            codes[e.code] += 1
            continue
        leads[lead["lead_id"]] = lead | score(lead, rules) | {"team": TEAM[lead["state"]]}
        priorities[PRIORITY[lead["source"]]] += 1
    return {
        "rows": count, "refused_at_import": refused, "sent": count - len(refused),
        "accepted": len(leads), "rejected": codes, "leads": leads,
        "tiers": collections.Counter(l["tier"] for l in leads.values()),
        "sources": collections.Counter(l["source"] for l in leads.values()),
        "states": collections.Counter(l["state"] for l in leads.values()),
        "priorities": priorities,
    }
