"""Prompts in which parts in backticks are expressions and parts behind `--neg` are the negative prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .expressions import Expression, read_expression
from .keyed_text import Span, unescaped
from .written_text import WrittenText

NEGATIVE, TICK = "--neg", "`"
DECIMALS = 6  # of a number that an expression writes into a prompt


@dataclass(frozen=True)
class Template:
    """A prompt; its expressions have values once a frame is known."""

    parts: tuple[str | Expression, ...] = ()

    def text(self, names: Mapping[str, float]) -> str:
        """The prompt for these values of the names, such as those of a frame."""
        return "".join(part if isinstance(part, str) else _written(part.value(names)) for part in self.parts)

    def without_last_zero(self) -> Template:
        """The prompt without a 0 that a person wrote at its end, as FizzNodes takes it."""
        *parts, last = self.parts or ("",)
        return Template((*parts, last[:-1])) if isinstance(last, str) and last.endswith("0") else self


def joined(templates: Iterable[Template]) -> Template:
    """Prompts behind each other with a blank between them; empty ones are left out."""
    parts = [part for template in templates if template.parts for part in (" ", *template.parts)]
    return Template(tuple(parts[1:]))


def read_templates(
    source: WrittenText, span: Span, names: tuple[str, ...], in_quotes: bool
) -> tuple[Template, Template]:
    """The positive and the negative part of source.text in a span.

    in_quotes: whether it has the backslashes of JSON.
    Raises ValueError with line and column for expressions that are none and a backtick without its partner.
    """
    place = source.text.find(NEGATIVE, span.start, span.end)
    if place < 0:
        return _template(source, span, names, in_quotes), Template()
    return (
        _template(source, Span(span.start, place), names, in_quotes),
        _template(source, Span(place + len(NEGATIVE), span.end), names, in_quotes),
    )


def _template(source: WrittenText, span: Span, names: tuple[str, ...], in_quotes: bool) -> Template:
    parts, place = [], span.start
    for i, piece in enumerate(pieces := source.text[span.start : span.end].split(TICK)):
        end = place + len(piece)
        if i % 2 == 0:
            piece = unescaped(piece) if in_quotes else piece
            piece = piece.lstrip() if i == 0 else piece
            parts.append(piece.rstrip() if i == len(pieces) - 1 else piece)
        elif i == len(pieces) - 1:
            raise source.error(place - 1, "this backtick has no partner; an expression stands between two.")
        else:
            parts.append(read_expression(source, place, end, names))
        place = end + 1
    return Template(tuple(part for part in parts if part))


def _written(number: float) -> str:
    """A number as a prompt has it: 0.5, 7, -0.25; no 1e-07 and no 0.09999999999999998."""
    return f"{round(number, DECIMALS) + 0.0:.{DECIMALS}f}".rstrip("0").rstrip(".")
