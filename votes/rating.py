"""Ratings of candidates with intervals.

Source: Bradley and Terry 1952 with the Fisher information of the votes; Elo as the mean over shuffled orders,
its interval by the bootstrap. Intervals hold 95 % and take votes as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..foreign_text import printable
from ..metrics.ratings import SCALE, START, bradley_terry
from .book import LEFT, RIGHT, SKIP, TIE, Book

UNIT = SCALE / math.log(10)
"""Points of Elo's scale in one of the log strength."""
WIDE = 1.959964
ORDERS, SAMPLES = 200, 500
FEW = 30
SHARE = {LEFT: 1.0, RIGHT: 0.0, TIE: 0.5}


@dataclass(frozen=True)
class Estimate:
    """A number of points and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rating:
    """A candidate: votes that it was in, how much of them it won (a tie is half), Elo, and Bradley-Terry on
    Elo's scale (1000 = the mean), None where that has no end.
    """

    candidate: str
    votes: int
    won: float
    elo: Estimate
    strength: Estimate | None


@dataclass(frozen=True)
class Ratings:
    """What travels on a RATINGS link. covariance: of the strengths in points, rows as `ratings`."""

    ratings: tuple[Rating, ...]
    covariance: tuple[tuple[float, ...], ...] | None
    counted: int
    notes: tuple[str, ...]

    def difference(self, one: int, other: int) -> Estimate | None:
        """How many points the strength of `one` is above that of `other`."""
        a, b, c = self.ratings[one].strength, self.ratings[other].strength, self.covariance
        if a is None or b is None or c is None:
            return None
        spread = WIDE * math.sqrt(max(0.0, c[one][one] + c[other][other] - 2 * c[one][other]))
        value = a.value - b.value
        return Estimate(value, value - spread, value + spread)


def rate(book: Book, elo_k: float = 4.0, seed: int = 0) -> Ratings:
    """The ratings of a book's candidates, in its order. elo_k: how far one vote moves an Elo at most.

    Raises ValueError where no vote counts.
    """
    numbers = {name: number for number, name in enumerate(book.candidates)}
    votes = [
        (numbers[vote.pair.left], numbers[vote.pair.right], SHARE[vote.winner])
        for vote in book.votes
        if vote.winner != SKIP
    ]
    if not votes:
        raise ValueError("there is no vote that counts yet; judge pairs on the page of votes first.")
    count, notes = len(numbers), _notes(book, votes)
    elos = elo_estimates(votes, count, elo_k, seed)
    try:
        strengths, covariance = strength_estimates(votes, count)
    except ValueError:
        strengths, covariance = [None] * count, None
        notes.append(
            "Bradley-Terry has no end: a candidate, or a group, won or lost all against the others or has no"
            " vote. Elo alone is given; more votes may help."
        )
    rows = []
    for number, name in enumerate(book.candidates):
        mine = [share if a == number else 1 - share for a, b, share in votes if number in (a, b)]
        rows.append(Rating(name, len(mine), sum(mine), elos[number], strengths[number]))
    return Ratings(tuple(rows), covariance, len(votes), tuple(notes))


def _notes(book: Book, votes: list[tuple[int, int, float]]) -> list[str]:
    skipped = len(book.votes) - len(votes)
    notes = [f"skipped pairs do not count: {skipped}."] if skipped else []
    notes += [f"damaged lines of the file are left out: {book.damaged}."] if book.damaged else []
    notes += [f"{len(votes)} votes are few; the intervals are rough."] if len(votes) < FEW else []
    return notes


def strength_estimates(votes, count: int) -> tuple[list[Estimate], tuple[tuple[float, ...], ...]]:
    """Bradley-Terry strengths in points around 1000, and their covariance: the inverse of the information of
    all votes where the strengths sum to 0. Raises ValueError as `bradley_terry`.
    """
    logs = np.array(bradley_terry(votes, count))
    information = np.zeros((count, count))
    for a, b, _ in votes:
        chance = 1 / (1 + math.exp(logs[b] - logs[a]))
        weight = chance * (1 - chance)
        information[[a, b], [a, b]] += weight
        information[[a, b], [b, a]] -= weight
    mean = np.full((count, count), 1 / count)  # the direction that votes say nothing of
    covariance = (np.linalg.inv(information + mean) - mean) * UNIT**2
    points, spread = START + UNIT * logs, WIDE * np.sqrt(np.diag(covariance))
    made = [Estimate(float(p), float(p - s), float(p + s)) for p, s in zip(points, spread, strict=True)]
    return made, tuple(tuple(map(float, row)) for row in covariance)


def elo_estimates(votes, count: int, k: float, seed: int = 0) -> list[Estimate]:
    """Elo as the mean over shuffled orders of the votes, because candidates do not change while they are
    judged; the interval is that of votes drawn anew with replacement.
    """
    random = np.random.default_rng(seed)
    orders = random.permuted(np.tile(np.arange(len(votes)), (ORDERS, 1)), axis=1)
    means = _elos(votes, count, k, orders).mean(0)
    drawn = _elos(votes, count, k, random.integers(len(votes), size=(SAMPLES, len(votes))))
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return [Estimate(*map(float, three)) for three in zip(means, low, high, strict=True)]


def _elos(votes, count: int, k: float, orders: np.ndarray) -> np.ndarray:
    """`metrics.ratings.elo` of many orders at once: (orders, count)."""
    ones, others, shares = map(np.array, zip(*votes, strict=True))
    ratings, rows = np.full((len(orders), count), START), np.arange(len(orders))
    for chosen in orders.T:
        a, b = ones[chosen], others[chosen]
        expected = 1 / (1 + 10 ** ((ratings[rows, b] - ratings[rows, a]) / SCALE))
        moved = k * (shares[chosen] - expected)
        ratings[rows, a] += moved
        ratings[rows, b] -= moved
    return ratings


def told(estimate: Estimate | None) -> str:
    """ "1044 [1012, 1076]"; "-" for none."""
    return "-" if estimate is None else f"{estimate.value:.0f} [{estimate.low:.0f}, {estimate.high:.0f}]"


def as_text(ratings: Ratings) -> str:
    """A line for each candidate, the best one first, and the notes."""
    lines = [f"{ratings.counted} votes; Bradley-Terry and Elo with intervals of 95 %:"]
    for rating in sorted(ratings.ratings, key=points, reverse=True):
        lines.append(
            f"{printable(rating.candidate)}: Bradley-Terry {told(rating.strength)}, Elo {told(rating.elo)},"
            f" won {rating.won:g} of {rating.votes}"
        )
    return "\n".join([*lines, *(f"! {note}" for note in ratings.notes)])


def points(rating: Rating) -> float:
    """What candidates are sorted by: Bradley-Terry, or Elo where that has no end."""
    return (rating.strength or rating.elo).value
