"""Strengths of contestants from votes between two of them: Elo, in the order of the votes, and Bradley-Terry.

Source: Elo 1978; Bradley and Terry 1952 by the steps of Hunter 2004 (Annals of Statistics 32(1)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Votes = Sequence[tuple[int, int]]
"""(number of the winner, number of the loser), each from 0 on."""
START, SCALE = 1000.0, 400.0


def elo(votes: Votes, count: int, k: float = 32.0) -> list[float]:
    """Ratings of `count` contestants, all 1000 at first; k: how far one vote moves them at most."""
    ratings = [START] * count
    for winner, loser in votes:
        surprise = 1 / (1 + 10 ** ((ratings[winner] - ratings[loser]) / SCALE))
        ratings[winner] += k * surprise
        ratings[loser] -= k * surprise
    return ratings


def bradley_terry(votes: Votes, count: int, tolerance: float = 1e-12, most: int = 100_000) -> list[float]:
    """Log strengths of `count` contestants, of mean 0, whatever the votes' order.

    Raises ValueError where one has no vote, won all or lost all, which leaves its strength without an end.
    """
    wins, met = [0] * count, [[0] * count for _ in range(count)]
    for winner, loser in votes:
        wins[winner] += 1
        met[winner][loser] += 1
        met[loser][winner] += 1
    for i in range(count):
        if not 0 < wins[i] < sum(met[i]):
            raise ValueError(
                f"contestant {i} won {wins[i]} of {sum(met[i])} votes; Bradley-Terry needs one won and one"
                " lost of each, collect more votes."
            )
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
