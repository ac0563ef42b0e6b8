#!/usr/bin/env python3
"""Writes a CSV of leads as they really come. The same --rows and --seed give the same bytes.

Clean rows, and between them: re-sent rows, ids used twice, missing and bad values, quotes, line
breaks in fields, several scripts and emoji, spaces around values, both kinds of line end, empty
lines, rows with a column too many or too few, broken quotes, Latin-1 bytes, overlong fields.
"""
import argparse
import random
import sys

COLUMNS = ["lead_id", "company", "contact_name", "email", "phone", "domain", "website", "state",
           "category", "employees", "budget", "source", "notes"]

NAMES = [
    "Mary Smith", "James O'Neil", "Ana María Núñez", "Zoë van der Berg", "Łukasz Wójcik",
    "Søren Ångström", "Игорь Петров", "Ольга Соколова", "Νίκος Παπαδόπουλος", "محمد العلي",
    "דוד לוי", "王小明", "李娜", "佐藤 花子", "김민준", "प्रिया शर्मा", "สมชาย ใจดี",
    "Nguyễn Thị Hương", "Robert \"Bob\" Jones", "Müller, Jürgen", "D'Angelo Russell",
]
TRADES = [
    ("dental", "Dental Care"), ("legal", "Law Group"), ("real estate", "Realty"),
    ("construction", "Builders"), ("restaurant", "Kitchen"), ("retail", "Outfitters"),
    ("software", "Systems"), ("fitness", "Fitness"), ("automotive", "Auto Repair"),
    ("beauty", "Salon"), ("", "Services"),
]
WORDS = ["Blue", "Cedar", "Summit", "River", "Golden", "Iron", "Maple", "North", "Ocean",
         "Pioneer", "Quiet", "Red", "Silver", "Union", "Vista", "Willow", "Harbor", "Prairie",
         "Canyon", "Lake"]
STATES = ("AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH "
          "NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC").split()
FREE_MAIL = ["gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com", "icloud.com"]
SOURCES = ["web"] * 3 + ["api"] * 2 + ["referral", "event"] + ["csv"] * 4 + ["scrape"] * 2
NOTES = [
    "", "", "", "call after 5pm", "asked for a \"quick quote\", then went quiet",
    "met at the fair\nwants a new site\r\nbudget in Q3", "très intéressé 👍", "🔥🔥 urgent",
    "prefers e-mail; no calls, please", "  keeps  odd   spacing  ", "5\" sign on the door",
    "紹介者: 田中さん", "=1+1", "line one\n\nline three",
]


def phone(rng):
    area = rng.choice("23456789") + rng.choice("023456789") + rng.choice("0123456789")
    exchange = rng.choice("23456789") + rng.choice("023456789") + rng.choice("0123456789")
    line = f"{rng.randrange(10000):04d}"
    form = rng.choice(["({a}) {e}-{l}", "{a}-{e}-{l}", "{a}.{e}.{l}", "+1 {a} {e} {l}",
                       "1{a}{e}{l}", "{a}{e}{l}", "{a}-{e}-{l} ext. 12", "({a}){e}-{l} x7"])
    return form.format(a=area, e=exchange, l=line)


def clean(rng, number):
    word, other = rng.sample(WORDS, 2)
    category, kind = rng.choice(TRADES)
    site = f"{word}{other}{kind.split()[0]}{number % 997}.com".lower()
    free = rng.random() < 0.3
    has_domain = not free or rng.random() < 0.5
    local = rng.choice(["info", "sales", "owner", "j.doe", "first.last+ads", "o'hara",
                        "front_desk"])
    return {
        "lead_id": f"L-{number:06d}",
        "company": rng.choice([f"{word} {other} {kind}", f"{word} & {other} {kind}, LLC",
                               f"\"{word}\" {kind}", f"{kind} {word}, Inc.", f"{word} {kind} 🦷",
                               f"Café {word}", f"{word}\n{kind}"]),
        "contact_name": rng.choice(NAMES),
        "email": f"{local}{number}@" + (rng.choice(FREE_MAIL) if free else site),
        "phone": phone(rng) if rng.random() < 0.8 else "",
        "domain": rng.choice([site, site, "www." + site, "https://" + site + "/", site.upper()])
                  if has_domain else "",
        "website": f"https://www.{site}/" if has_domain and rng.random() < 0.7 else "",
        "state": rng.choice(STATES) if rng.random() < 0.9 else rng.choice(STATES).lower(),
        "category": category if rng.random() < 0.9 else category.title(),
        "employees": str(int(rng.paretovariate(0.7))) if rng.random() < 0.7 else "",
        "budget": str(rng.choice([300, 800, 1500, 5000, 9999, 10000, 25000, 50000, 120000]))
                  if rng.random() < 0.6 else "",
        "source": rng.choice(SOURCES),
        "notes": rng.choice(NOTES),
    }


# What goes wrong with single values: share of rows, column, values. An empty text is a missing one.
BAD_VALUES = [
    (0.008, "company", [""]), (0.012, "email", [""]), (0.006, "state", [""]),
    (0.024, "email", ["nobody", "a@b", "two@@example.com", "dot.@example.com", "sp ace@example.com",
                      "me@exa_mple.com", "@example.com", "me@example.c0m", "имя@пример.рф",
                      "a..b@example.com", "x" * 65 + "@example.com"]),
    (0.020, "phone", ["555-0100", "(123) 456-7890", "+44 20 7946 0958", "call me", "n/a",
                      "212-155-0199", "911-555-0100", "123456789012345"]),
    (0.012, "domain", ["localhost", "-bad.com", "bad-.com", "no spaces.com", "exa_mple.com", "..",
                       "münchen.de", "http://", "x" * 64 + ".com", "1.2.3.4"]),
    (0.014, "state", ["XX", "California", "C", "ON", "N Y", "99"]),
    (0.003, "company", ["A very long name " * 30]), (0.002, "notes", ["blah " * 1200]),
    (0.003, "source", ["carrier pigeon", "WEB?"]),
    (0.004, "employees", ["ten", "10-50", "1,200", "99999999999", "3.5"]),
    (0.004, "budget", ["$5000", "12k", "5 000", "99999999999999999999"]),
    (0.002, "lead_id", ["", "   "]),
]


def quoted(rng, value):
    if '"' in value[1:] and value[0] not in ' "' and not any(c in value for c in ",\r\n"):
        if rng.random() < 0.3:
            return value                            # 5" sign: sloppy, but plain what is meant
    if any(c in value for c in ",\"\r\n") or rng.random() < 0.1:
        return '"' + value.replace('"', '""') + '"'
    return value


def spoil_value(rng, row):
    """At most one bad value per row: then it is plain what the row is refused for."""
    at = rng.random()
    for share, column, values in BAD_VALUES:
        if at < share:
            row[column] = rng.choice(values)
            return
        at -= share


def spread(rng, row):
    """Spaces around values, as spreadsheets and people leave them."""
    for column in ("lead_id", "email", "company", "state", "phone", "employees"):
        if row[column].strip() and rng.random() < 0.03:
            row[column] = rng.choice([" ", "  ", "\t"]) + row[column] + rng.choice(["", " "])


def as_bytes(rng, row):
    """The row as a line without its end; a few are broken as lines."""
    fields = [quoted(rng, row[c]) for c in COLUMNS]
    at = rng.random()
    if at < 0.002:
        fields.append("surplus")
    elif at < 0.004:
        fields = fields[:-2]
    elif at < 0.005:
        fields[1] = '"' + row["lead_id"] + '" Ltd'
    elif at < 0.0055:
        fields[1] = '"No end of this name'
        fields = [f.replace('"', "") if i > 1 else f for i, f in enumerate(fields)]
        fields = [f.replace("\n", " ").replace("\r", " ") for f in fields]
    elif at < 0.0075:
        text = [f.encode() for f in fields]
        text[2] = "José Ibáñez".encode("latin-1")
        return b",".join(text)
    elif at < 0.0078:
        fields[12] = "x" * 70000
    return ",".join(fields).encode()


def generate(rows, seed, out):
    rng = random.Random(seed)
    sent = []
    out.write(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
    for number in range(1, rows + 1):
        at = rng.random()
        if sent and at < 0.02:                      # the same row once more
            line = rng.choice(sent)[1]
        else:
            row = clean(rng, number)
            if sent and at < 0.03:                  # an id used twice, with other data
                row["lead_id"] = rng.choice(sent)[0]
            spoil_value(rng, row)
            spread(rng, row)
            line = as_bytes(rng, row)
            sent = (sent + [(row["lead_id"], line)])[-500:]
        out.write(line + (b"\r\n" if rng.random() < 0.7 else b"\n"))
        if rng.random() < 0.004:
            out.write(b"\r\n" if rng.random() < 0.5 else b"\n")
    out.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rows", type=int, default=20000)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--out", default="-", help="file; - is the standard output (the default)")
    a = p.parse_args()
    if a.out == "-":
        generate(a.rows, a.seed, sys.stdout.buffer)
        return
    with open(a.out, "wb") as out:
        generate(a.rows, a.seed, out)


if __name__ == "__main__":
    main()
