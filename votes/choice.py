"""The kept share of the data whose model people prefer (Stable Video Diffusion, section 3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..foreign_text import printable
from .rating import Ratings, points

HIGHEST, MOST_DATA = EQUALS = ("highest rating", "most data")
NUMBER = r"(\d+(?:\.\d+)?)"
MARKED = (re.compile(NUMBER + r"\s*(?:%|percent|pct)"), re.compile(r"keep[^\d]{0,5}" + NUMBER))


def percents_of(candidates: Sequence[str], written: str = "") -> list[float]:
    """The kept share of each candidate in percent: as written, with commas, or the number in its name
    ("keep12.5", "25 %", "50"). Numbers that are all at most 1 are parts of 1.

    Raises ValueError for a name without one number, and for shares that are not above 0 and at most 100 %.
    """
    if written.strip():
        parts = [part for part in re.split(r"[,;\s]+", written.replace("%", " ")) if part]
        if len(parts) != len(candidates):
            raise ValueError(
                f"shares has {len(parts)} numbers for {len(candidates)} candidates; write one for each, in"
                " the order of the table."
            )
        numbers = [_number(part) for part in parts]
    else:
        numbers = [_number_in(name) for name in candidates]
    factor = 100.0 if max(numbers) <= 1 else 1.0
    percents = [number * factor for number in numbers]
    for name, percent in zip(candidates, percents, strict=True):
        if not 0 < percent <= 100:
            raise ValueError(
                f"the share of '{printable(name)}' is {percent:g} %; it must be above 0 and at most 100,"
                " write it in shares."
            )
    return percents


def _number(text: str) -> float:
    if not re.fullmatch(NUMBER, text):
        raise ValueError(f"shares: '{printable(text)}' is no number; write percents with commas: 12.5, 25.")
    return float(text)


def _number_in(name: str) -> float:
    own = re.sub(r" \[(input|output|temp)\]$", "", name).rstrip("/").rsplit("/", 1)[-1].lower()
    for pattern in (*MARKED, re.compile(NUMBER)):
        found = pattern.findall(own)
        if len(found) == 1:
            return float(found[0])
    raise ValueError(
        f"the name '{printable(name)}' does not say what share of the data was kept, as keep25 does; name the"
        " folder so, or write the shares."
    )


def choose(ratings: Ratings, percents: Sequence[float], equals: str = HIGHEST) -> tuple[float, str]:
    """The chosen percent, and why. equals: of the candidates that the votes cannot tell from the best one,
    the one with the "highest rating" or with the "most data" is taken.
    """
    rows = ratings.ratings
    judged = [number for number, row in enumerate(rows) if row.votes]
    best = max(judged, key=lambda number: points(rows[number]))
    alike = [number for number in judged if number != best and _may_be_equal(ratings, best, number)]
    chosen = best
    if equals == MOST_DATA:
        chosen = max([best, *alike], key=lambda number: percents[number])
    by = "Bradley-Terry" if rows[best].strength else "Elo"
    lines = [f"{percents[chosen]:g} % ({printable(rows[chosen].candidate)})"]
    lines.append(f"The highest rating has {percents[best]:g} %: {points(rows[best]):.0f} points by {by}.")
    lines += [
        _beside(ratings, best, number, percents[number]) for number in range(len(rows)) if number != best
    ]
    if alike:
        told = ", ".join(f"{percents[number]:g} %" for number in alike)
        rule = "the highest rating is taken" if chosen == best else "the one with the most data is taken"
        lines.append(f"! The votes cannot tell it from {told} (95 %): {rule}. More votes may.")
    lines += [f"! {note}" for note in ratings.notes]
    return percents[chosen], "\n".join(lines)


def choose_share(ratings: Ratings, shares: str, equals: str) -> tuple[float, str]:
    """`choose` with the shares as `percents_of` reads them. Raises ValueError as that."""
    return choose(ratings, percents_of([row.candidate for row in ratings.ratings], shares), equals)


def _may_be_equal(ratings: Ratings, best: int, other: int) -> bool:
    difference = ratings.difference(best, other)
    if difference is not None:
        return difference.low <= 0
    return ratings.ratings[best].elo.low <= ratings.ratings[other].elo.high


def _beside(ratings: Ratings, best: int, other: int, percent: float) -> str:
    difference = ratings.difference(best, other)
    if difference is None:
        return f"{percent:g} %: Elo {ratings.ratings[other].elo.value:.0f}."
    return (
        f"{percent:g} % is {difference.value:.0f} points below [{difference.low:.0f}, {difference.high:.0f}]."
    )
