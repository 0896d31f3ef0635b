"""Strengths of contestants from votes between two of them: Elo, in the order of the votes, and Bradley-Terry.

Source: Elo 1978; Bradley and Terry 1952 by the steps of Hunter 2004 (Annals of Statistics 32(1)). A tie is
half a vote for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Votes = Sequence[tuple[int, int] | tuple[int, int, float]]
"""(number of one, number of the other), each from 0 on; the first one won, or got the third number of the
vote: 1 won, 0.5 tie, 0 lost.
"""
START, SCALE = 1000.0, 400.0


def shares(votes: Votes) -> list[tuple[int, int, float]]:
    """Votes with what the first one got of each."""
    return [(*vote[:2], float(vote[2]) if len(vote) > 2 else 1.0) for vote in votes]


def elo(votes: Votes, count: int, k: float = 32.0) -> list[float]:
    """Ratings of `count` contestants, all 1000 at first; k: how far one vote moves them at most."""
    ratings = [START] * count
    for one, other, share in shares(votes):
        surprise = share - 1 / (1 + 10 ** ((ratings[other] - ratings[one]) / SCALE))
        ratings[one] += k * surprise
        ratings[other] -= k * surprise
    return ratings


def bradley_terry(votes: Votes, count: int, tolerance: float = 1e-12, most: int = 100_000) -> list[float]:
    """Log strengths of `count` contestants, of mean 0, whatever the votes' order.

    Raises ValueError where one has no vote, won all or lost all, or where a group of them won all against the
    others: their strengths have no end then.
    """
    wins, met = [0.0] * count, [[0] * count for _ in range(count)]
    beaten = [[False] * count for _ in range(count)]
    for one, other, share in shares(votes):
        wins[one] += share
        wins[other] += 1 - share
        met[one][other] += 1
        met[other][one] += 1
        beaten[one][other] |= share > 0
        beaten[other][one] |= share < 1
    _check_votes(wins, met, beaten)
    strengths = [1.0] * count
    for _ in range(most):
        new = [
            wins[i] / sum(met[i][j] / (strengths[i] + strengths[j]) for j in range(count) if j != i)
            for i in range(count)
        ]
        mean = math.exp(sum(map(math.log, new)) / count)
        new = [strength / mean for strength in new]
        moved = max(abs(math.log(one / other)) for one, other in zip(new, strengths, strict=True))
        strengths = new
        if moved < tolerance:
            break
    return [math.log(strength) for strength in strengths]


def _check_votes(wins: list[float], met: list[list[int]], beaten: list[list[bool]]) -> None:
    for i, won in enumerate(wins):
        if not 0 < won < sum(met[i]):
            raise ValueError(
                f"contestant {i} won {won:g} of {sum(met[i])} votes; Bradley-Terry needs one won and one"
                " lost of each, collect more votes."
            )
    for i in range(len(wins)):
        reached, ahead = {i}, [i]
        while ahead:
            here = ahead.pop()
            new = {j for j, won in enumerate(beaten[here]) if won} - reached
            reached |= new
            ahead += new
        if len(reached) < len(wins):
            others = [j for j in range(len(wins)) if j not in reached]
            raise ValueError(
                f"contestants {sorted(reached)} won no vote against {others}; Bradley-Terry needs one,"
                " collect more votes."
            )
