"""Just enough C reading for the tidy check: comments and strings away, functions found."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.VERBOSE | re.DOTALL,
)
# Macros that stand before or after a declarator and have arguments of their own.
DECORATION = re.compile(r"\b(?:__attribute__|_Alignas|[A-Z][A-Z0-9_]*)\s*\(")


@dataclass
class Function:
    name: str
    line: int  # of the declarator
    lines: int  # first line of the declarator to the closing brace; 0 for a prototype
    parameters: int


def blank(text):
    """Replaces comments, strings and preprocessor lines by blanks; line numbers stay."""

    def hide(match):
        found = match.group(0)
        quote = found[0] if found[0] in "\"'" else ""
        return quote + re.sub(r"[^\n]", " ", found[len(quote) : len(found) - len(quote)]) + quote

    text = TOKEN.sub(hide, text)
    lines, in_directive = [], False
    for line in text.split("\n"):
        is_directive = in_directive or line.lstrip().startswith("#")
        in_directive = is_directive and line.endswith("\\")
        lines.append("" if is_directive else line)
    return "\n".join(lines)


def closing(text, start):
    """Index of the parenthesis that closes the one at start, or -1."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == "(":
            depth += 1
        elif text[i] == ")":
            depth -= 1
            if depth == 0:
                return i
    return -1


def count_parameters(arguments):
    arguments = re.sub(r",\s*\.\.\.\s*$", "", arguments)
    if arguments.strip() in ("", "void"):
        return 0
    depth = commas = 0
    for c in arguments:
        depth += c in "([{"
        depth -= c in ")]}"
        commas += c == "," and depth == 0
    return commas + 1


def undecorated(chunk):
    while True:
        match = DECORATION.search(chunk)
        end = closing(chunk, match.end() - 1) if match else -1
        if end < 0:
            return chunk
        chunk = chunk[: match.start()] + " " * (end + 1 - match.start()) + chunk[end + 1 :]


def declarator(chunk):
    """(name, parameters) of a function declaration or definition, else None."""
    plain = undecorated(chunk)
    if "=" in plain or plain.lstrip().startswith("typedef"):
        test = re.match(r"\s*(\w*Test)\s*\(\s*(\w+)\s*,\s*(\w+)", chunk)
        return (f"{test.group(2)}.{test.group(3)}", 0) if test else None
    match = re.search(r"\b(\w+)\s*\(", plain)
    if not match:
        test = re.match(r"\s*(\w+)\s*\(\s*(\w+)", chunk)
        return (test.group(2), 0) if test else None
    end = closing(plain, match.end() - 1)
    if end < 0 or plain[match.end() :].lstrip().startswith("*"):
        return None
    return match.group(1), count_parameters(plain[match.end() : end])


def functions(text):
    """Every function definition and prototype at the top level of a file."""
    text = blank(text)
    found, depth, start, opened = [], 0, 0, None
    for i, c in enumerate(text):
        if c == "{":
            if depth == 0:
                opened = (text[start:i], start)
            depth += 1
        elif c == "}":
            depth -= 1
            if depth == 0 and opened:
                _add(found, text, *opened, i)
                if "=" not in opened[0] and "(" in opened[0]:
                    start = i + 1
                opened = None
        elif c == ";" and depth == 0:
            _add(found, text, text[start:i], start, None)
            start = i + 1
    return found


def _add(found, text, chunk, start, end):
    if "(" not in chunk or "}" in chunk:
        return
    named = declarator(chunk)
    if named is None:
        return
    first = start + len(chunk) - len(chunk.lstrip())
    line = text.count("\n", 0, first) + 1
    lines = text.count("\n", first, end) + 1 if end is not None else 0
    found.append(Function(named[0], line, lines, named[1]))
