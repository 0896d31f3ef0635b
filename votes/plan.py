"""Which pairs of clips are judged, in which order and on which sides.

A round shows every pair of candidates once, so that at any moment each has been met about equally often.
All chance is a hash of the seed: the same folders and seed give the same plan on every machine.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Two clips of one file name: one of the candidate `left`, one of the candidate `right`."""

    file: str
    left: str
    right: str

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """The same for both ways of placing the clips."""
        return self.file, frozenset((self.left, self.right))


def shared_files(files: Mapping[str, Sequence[str]]) -> list[str]:
    """The file names that all candidates have, in the first one's order."""
    others = [set(names) for names in files.values()]
    return [name for name in dict.fromkeys(next(iter(files.values()))) if all(name in o for o in others)]


def plan_pairs(files: Mapping[str, Sequence[str]], seed: int) -> list[Pair]:
    """Every pair of candidates with every file name that all of them have.

    files: candidate -> its file names. Raises ValueError for fewer than two candidates, or no shared name.
    """
    if len(files) < 2:
        raise ValueError(f"{len(files)} candidates give no pair; choose at least 2 folders.")
    shared = shared_files(files)
    if not shared:
        raise ValueError(
            "no file name is in all folders; give the clips of one prompt and seed the same name in each."
        )
    columns = []
    for one, other in itertools.combinations(files, 2):
        names = sorted(shared, key=lambda name: _chance(seed, "file", one, other, name))  # noqa: B023
        columns.append([_placed(seed, number, name, one, other) for number, name in enumerate(names)])
    rounds = zip(*columns, strict=True)
    return [
        pair
        for pairs in rounds
        for pair in sorted(pairs, key=lambda pair: _chance(seed, "order", pair.file, *sorted(pair.key[1])))
    ]


def _placed(seed: int, number: int, name: str, one: str, other: str) -> Pair:
    """Of two rounds, each candidate is on the left in one."""
    turned = _chance(seed, "side", one, other, str(number // 2))[0] % 2 != number % 2
    return Pair(name, other, one) if turned else Pair(name, one, other)


def _chance(seed: int, *parts: str) -> bytes:
    text = "\0".join((str(seed), *parts))
    return hashlib.sha256(text.encode("utf8", "surrogateescape")).digest()
