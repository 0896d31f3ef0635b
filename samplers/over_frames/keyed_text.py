"""Reads entries of frame number and value: `"0": "a red ball", "max_f/2": "a blue ball"`.

The format is that of FizzNodes' and AnimateDiff-Evolved's schedules (JSON without the outer brackets), and
is read more kindly: keys may stand without quotes, = may stand for :, brackets may be there, a comma at the
end too, texts may have several lines.

A key is a frame number from 0 on. -1 is the last frame, -2 the one before. A number with a point is a place
between the first frame (0.0) and the last one (1.0). An expression may use max_f and is rounded down.
`"6:"` holds its value up to the next key, `"6:9"` holds it on the frames 6, 7 and 8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from .curves import Key
from .expressions import read_expression
from .written_text import WrittenText

_BLANKS = re.compile(r"\s*")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|“((?:[^”\\]|\\.)*)”", re.DOTALL)
_BARE_KEY = re.compile(r"[^\s:=\"',{}][^:=\"',{}]*")
_WHOLE, _DECIMAL = re.compile(r"[+-]?\d{1,9}"), re.compile(r"\d?\.\d+|\d\.")
A_KEY = 'a frame number and a colon (such as "16":)'
A_TEXT = 'a text in quotes, such as "a red ball"'
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\", "/": "/"}


@dataclass(frozen=True)
class Span:
    """A part of the written text, from start on and before end."""

    start: int
    end: int


@dataclass(frozen=True)
class Entry:
    """A key and where its value stands."""

    key: Key
    value: Span


ReadValue = Callable[[WrittenText, int], tuple[Span, int]]
"""(text, place) -> where the value at this place stands, and the place behind it."""


def read_entries(source: WrittenText, read_value: ReadValue, max_f: int, num_frames: int) -> list[Entry]:
    """All entries, sorted by frame. max_f: what it is in keys.

    Raises ValueError with line and column for what is no entry, for
    texts without any, and for two values for one frame.
    """
    place = _skip(source, 0)
    closing = "}" if source.text[place : place + 1] == "{" else ""
    place = _skip(source, place + len(closing))
    entries = []
    while place < len(source.text) and source.text[place] != "}":
        key, place = _key_span(source, place)
        value, place = read_value(source, place)
        entries += [Entry(one, value) for one in _keys(source, key, max_f, num_frames)]
        place = _skip(source, place)
        if source.text[place : place + 1] not in (",", closing):
            is_text = source.text[value.end : value.end + 1] == '"'
            hint = r" (a quote inside of a text is written \")" if is_text else ""
            raise source.expected(place, f"a comma{closing and ' or }'} before the next frame number{hint}")
        place = _skip(source, place + 1) if source.text[place : place + 1] == "," else place
    if not entries or source.text[place : place + 1] != closing:
        raise source.expected(place, A_KEY if not entries else closing or "the end")
    if rest := source.text[place + len(closing) :].strip():
        raise source.expected(source.text.index(rest, place + len(closing)), "the end")
    return _sorted(source, entries)


def quoted_value(source: WrittenText, place: int) -> tuple[Span, int]:
    """A text in quotes."""
    found = _QUOTED.match(source.text, place)
    if not found:
        raise source.expected(place, A_TEXT)
    return Span(*found.span(found.lastindex)), found.end()


def number_value(source: WrittenText, place: int) -> tuple[Span, int]:
    """A number or an expression up to the next comma outside of brackets; quotes around it may be there."""
    if found := _QUOTED.match(source.text, place):
        return Span(*found.span(found.lastindex)), found.end()
    depth, end = 0, place
    while end < len(source.text) and (depth or source.text[end] not in ",}"):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(source.text[end], 0)
        end += 1
    start, stop = place, place + len(source.text[place:end].rstrip())
    if source.text[start : start + 1] == "[" and source.text[stop - 1] == "]":
        start, stop = start + 1, stop - 1
    return Span(start, stop), end


def unescaped(text: str) -> str:
    """A text without the backslashes of JSON; those in front of other letters stay, as in \\(."""

    def replaced(found: re.Match) -> str:
        return chr(int(found[1][1:], 16)) if found[1][0] == "u" else _ESCAPES[found[1]]

    text = re.sub(r"\\([nt\"'\\/]|u[0-9a-fA-F]{4})", replaced, text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two halves are one character


def _skip(source: WrittenText, place: int) -> int:
    return _BLANKS.match(source.text, place).end()


def _key_span(source: WrittenText, place: int) -> tuple[Span, int]:
    """Where a key stands, and the place of its value."""
    quoted = _QUOTED.match(source.text, place)
    found = quoted or _BARE_KEY.match(source.text, place)
    if not found:
        raise source.expected(place, A_KEY)
    span, place = Span(*found.span(found.lastindex or 0)), _skip(source, found.end())
    if source.text[place : place + 1] not in (":", "="):
        raise source.expected(place, 'a colon behind a frame number (such as "16":)')
    return span, _skip(source, place + 1)


def _keys(source: WrittenText, span: Span, max_f: int, num_frames: int) -> list[Key]:
    """The key of a frame, or the two at the ends of a range."""
    text = source.text[span.start : span.end]
    colon = text.find(":")
    if colon < 0:
        return [Key(_frame(source, span, max_f, num_frames))]
    first = _frame(source, Span(span.start, span.start + colon), max_f, num_frames)
    if not text[colon + 1 :].strip():
        return [Key(first, holds=True)]
    stop = _frame(source, Span(span.start + colon + 1, span.end), max_f, num_frames)
    if stop <= first:
        raise source.error(span.start, f"a range ends before it begins: {first} to {stop}; swap them.")
    return [Key(first, holds=True), Key(stop - 1)] if stop - 1 > first else [Key(first)]


def _frame(source: WrittenText, span: Span, max_f: int, num_frames: int) -> int:
    text = source.text[span.start : span.end].strip()
    if _WHOLE.fullmatch(text):
        frame = int(text)
        frame += num_frames if text[0] == "-" and frame else 0
    elif _DECIMAL.fullmatch(text):
        if float(text) > 1:
            raise source.error(
                span.start, f"{text} is above 1.0, the last frame; write a whole number for a frame."
            )
        frame = math.floor(float(text) * (num_frames - 1) + 0.5)
    else:
        frame = math.floor(
            read_expression(source, span.start, span.end, ("max_f",)).value({"max_f": max_f}))  # fmt: skip
    if frame < 0:
        raise source.error(
            span.start, f"frame {frame} is before the first one; the video has {num_frames} frames, 0 to"
            f" {num_frames - 1}. Write a frame number from 0 on.")  # fmt: skip
    return frame


def _sorted(source: WrittenText, entries: list[Entry]) -> list[Entry]:
    entries = sorted(entries, key=lambda entry: entry.key.frame)
    for one, other in zip(entries, entries[1:], strict=False):
        if one.key.frame == other.key.frame:
            place = max(one.value.start, other.value.start)
            raise source.error(place, f"frame {one.key.frame} has two values; leave one of them out.")
    return entries
