"""Mends scripts that cannot be read, in the ways in which language models break them. Lines stay in place.

What is mended: thoughts and talk around the script, code fences, tabs, typographic quotes around values,
values with a colon that are not in quotes, bullets, and JSON that ends before its brackets close.
"""

from __future__ import annotations

import json
import re

_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_FIRST = re.compile(
    r"^[ \t]*(?:[{\[]|-[ \t]|\"?(?:scenes|style|negative|fps|title)\"?[ \t]*:)", re.MULTILINE | re.IGNORECASE
)
_FIELD = re.compile(
    r"^(?P<head>[ \t]*(?:-[ \t]+)?(?P<name>[A-Za-z][A-Za-z _-]{0,30}):[ \t]+)(?P<value>\S.*?)[ \t]*$"
)
_LISTS = ("scenes", "scene list", "shots", "storyboard")
_BULLET = re.compile(r"^([ \t]*)[*•][ \t]+(?=\S)", re.MULTILINE)
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})


def mended(text: str) -> tuple[str, list[str]]:
    """The text as it was probably meant, and what was done to it."""
    remarks = []
    for what, mend in (
        ("thoughts are left out", _without_thoughts),
        ("talk around the script is left out", _script_alone),
        ("tabs became blanks", lambda text: text.expandtabs(2)),
        ("bullets became -", lambda text: _BULLET.sub(r"\1- ", text)),
        ("typographic quotes became plain", _plain_quotes),
        ("values with signs of their own are in quotes", _quoted),
        ("the text ended early; what was not complete is left out", _closed),
    ):
        changed = mend(text)
        if changed != text:
            remarks.append(what)
            text = changed
    return text, remarks


def _blank(text: str) -> str:
    """Only the line breaks of a text."""
    return "\n" * text.count("\n")


def _without_thoughts(text: str) -> str:
    return _THOUGHTS.sub(lambda found: _blank(found[0]), text)


def _script_alone(text: str) -> str:
    """What stands in the longest code fence, or from the first line on that looks like a script."""
    marks = [0, *(place for found in _FENCE.finditer(text) for place in found.span()), len(text)]
    if len(marks) > 2:
        fenced = [(marks[i], marks[i + 1]) for i in range(2, len(marks), 4) if i + 1 < len(marks)]
        start, end = max(fenced, key=lambda span: span[1] - span[0])
        return _blank(text[:start]) + text[start:end] + _blank(text[end:])
    first = _FIRST.search(text)
    start = first.start() if first else 0
    end = (
        _end_of_json(text, start)
        if first and text[start:].lstrip()[:1] in "{["
        else _end_of_lines(text, start)
    )
    return _blank(text[:start]) + text[start:end] + _blank(text[end:])


def _end_of_json(text: str, start: int) -> int:
    """Behind the bracket that closes the first one; the end of the text where there is none."""
    for place, depth in _depths(text, start):
        if depth == 0:
            return place + 1
    return len(text)


def _depths(text: str, start: int):
    """(place, how many brackets are open behind it) of every bracket outside of quotes."""
    depth, quoted, place = 0, False, start
    while place < len(text):
        sign = text[place]
        if quoted:
            place += sign == "\\"
            quoted = sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "{[":
            depth += 1
            yield place, depth
        elif sign in "}]":
            depth -= 1
            yield place, depth
        place += 1


def _end_of_lines(text: str, start: int) -> int:
    """In front of the last paragraph, where that is talk: words at the margin that are no field."""
    paragraph = text.rfind("\n\n")
    if paragraph <= start:
        return len(text)
    lines = [line for line in text[paragraph:].splitlines() if line.strip()]
    is_talk = all(line[0] not in " \t-{}[]\"'" and not _FIELD.match(line) for line in lines)
    return paragraph if lines and is_talk else len(text)


def _plain_quotes(text: str) -> str:
    """Typographic quotes that stand where a key or a value begins or ends."""
    return re.sub(
        r"(?<![^\s:,{\[])[“”„‘’]|[“”‘’](?=[ \t]*(?:[:,}\]]|$))",
        lambda found: found[0].translate(_QUOTES),
        text,
        flags=re.MULTILINE,
    )


def _quoted(text: str) -> str:
    return "\n".join(_quoted_line(line) for line in text.split("\n"))


def _quoted_line(line: str) -> str:
    """The value of a field in quotes, where it is a text that YAML reads as more than a text."""
    found = _FIELD.match(line)
    if not found or found["name"].lower() in _LISTS:
        return line
    value = found["value"]
    whole = value[0] == value[-1] and value[0] in "\"'" and len(value) > 1
    if whole or not re.search(r": |:$| #|^[\[{\"'&*!|>%@`]|, *$", value) or value in ("|", ">", "|-", ">-"):
        return line
    return found["head"] + json.dumps(value.rstrip(", "), ensure_ascii=False)


def _closed(text: str) -> str:
    """JSON that ends early, closed behind its last whole scene."""
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in ("{", "["):
        return text
    last, depth = None, 0
    for place, depth in _depths(text, start):  # noqa: B007
        if text[place] == "}":
            last = place, depth
    if depth <= 0 or last is None:
        return text
    opened = []
    for place, after in _depths(text[: last[0] + 1], start):
        opened = [*opened[: after - 1], text[place]] if text[place] in "{[" else opened[:after]
    return text[: last[0] + 1] + "".join({"{": "}", "[": "]"}[sign] for sign in reversed(opened))
