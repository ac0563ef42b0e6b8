"""Reads the part of YAML that rules/*.yaml is written in, with nothing but Python.

Block maps, block lists of maps, flow maps and lists on one line, plain and quoted scalars, numbers,
true and false, comments on lines of their own or after two spaces. Anything else is an error.
"""


def load(path):
    lines = []
    with open(path, encoding="utf-8") as f:
        for text in f:
            text = text.split("  #")[0].rstrip()
            if text.strip() and not text.lstrip().startswith("#"):
                lines.append((len(text) - len(text.lstrip()), text.strip()))
    value, rest = _block(lines, 0, lines[0][0])
    if rest != len(lines):
        raise ValueError(f"{path}: cannot read '{lines[rest][1]}'")
    return value


def _block(lines, at, indent):
    if lines[at][1].startswith("- "):
        return _list(lines, at, indent)
    value = {}
    while at < len(lines) and lines[at][0] == indent and not lines[at][1].startswith("- "):
        key, _, text = lines[at][1].partition(":")
        at += 1
        if text.strip():
            value[key], left = _flow(text.strip())
            if left.strip():
                raise ValueError(f"cannot read '{left}'")
        elif at < len(lines) and lines[at][0] > indent:
            value[key], at = _block(lines, at, lines[at][0])
        else:
            value[key] = None
    return value, at


def _list(lines, at, indent):
    items = []
    while at < len(lines) and lines[at][0] == indent and lines[at][1].startswith("- "):
        lines[at] = (indent + 2, lines[at][1][2:])
        item, at = _block(lines, at, indent + 2)
        items.append(item)
    return items, at


def _flow(text, stop=""):
    if text.startswith("{"):
        return _pairs(text[1:].lstrip())
    if text.startswith("["):
        items, text = [], text[1:].lstrip()
        while not text.startswith("]"):
            item, text = _flow(text, ",]")
            items.append(item)
            text = text.lstrip().removeprefix(",").lstrip()
        return items, text[1:]
    if text[:1] in "'\"":
        body, _, rest = text[1:].partition(text[0])
        return body, rest
    end = min((text.find(c) for c in stop if c in text), default=len(text))
    return _scalar(text[:end].strip()), text[end:]


def _pairs(text):
    value = {}
    while not text.startswith("}"):
        key, _, text = text.partition(":")
        value[key.strip()], text = _flow(text.lstrip(), ",}")
        text = text.lstrip().removeprefix(",").lstrip()
    return value, text[1:]


def _scalar(text):
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text
