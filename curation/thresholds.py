"""Which clips are kept: bounds, the best so many percent of each score, near duplicates, a sample by id.

As in Stable Video Diffusion, every score keeps its best share and the clips that all scores keep stay.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from ..foreign_text import printable
from .measures.pictures import unpack
from .rows import DROPPED, Row, is_open
from .settings import Keep

LOW_IS_BETTER = frozenset({"text_area"})
SCORES = ("motion", "motion_speed", "moving", "text_area", "aesthetic", "clip_similarity", "seconds")
DUPLICATE, SAMPLED = "looks like another clip", "not in the sample"
BLOCK = 2048  # vectors that are compared at once


def threshold_of(values: Iterable[float], percent: float, low_is_better: bool = False) -> float:
    """The value from which on the best so many percent lie; equal values are kept.

    The k-th best of n with k = ceil(percent * n / 100), at least 1. Raises ValueError for no values."""
    found = np.sort(np.asarray(values, np.float64))
    if not len(found):
        raise ValueError("a threshold needs at least one value; there is none.")
    place = max(1, math.ceil(percent * len(found) / 100 - 1e-9))
    return float(found[place - 1] if low_is_better else found[len(found) - place])


class Scale:
    """The values of every score among all clips; 8 bytes for each."""

    def __init__(self) -> None:
        self.values: dict[str, array] = {}

    def see(self, row: Row) -> None:
        """Takes in a clip that has not failed."""
        for name in SCORES:
            if isinstance(row.get(name), int | float):
                self.values.setdefault(name, array("d")).append(row[name])

    def thresholds(self, keep: Keep) -> dict[str, float]:
        """Score -> its threshold. Raises ValueError for a score that no clip has."""
        for name in [*keep.best, *keep.least, *keep.most]:
            if name not in SCORES:
                raise ValueError(f"'{printable(name)}' is no score; there are {', '.join(SCORES)}.")
        for name in [*keep.best, *keep.most]:
            if name not in self.values:
                raise ValueError(
                    f"no clip has the score '{printable(name)}'; switch its measure on, or leave it out of"
                    " [keep]."
                )
        return {
            name: threshold_of(self.values[name], percent, name in LOW_IS_BETTER)
            for name, percent in keep.best.items()
        }  # fmt: skip


class Chooser:
    """Decides clip by clip, in their order."""

    def __init__(self, keep: Keep, thresholds: dict[str, float], measured: Iterable[str] = SCORES) -> None:
        self.keep, self.thresholds = keep, thresholds
        self.least = {name: value for name, value in keep.least.items() if name in set(measured)}
        self.looks = Looks(keep.similar)

    def choose(self, row: Row) -> Row:
        """The row, with why it is dropped where it is."""
        if not is_open(row):
            return row
        reason = self._reason(row)
        return row if reason is None else {**row, DROPPED: reason}

    def _reason(self, row: Row) -> str | None:
        for name, value in self.least.items():
            if row.get(name) is None or row[name] < value:
                return f"{name} below {value:g}"
        for name, value in self.keep.most.items():
            if row.get(name) is None or row[name] > value:
                return f"{name} above {value:g}"
        for name, value in self.thresholds.items():
            score = row.get(name)
            if score is None:
                return f"no {name}"
            if score > value if name in LOW_IS_BETTER else score < value:
                return f"{name} not among the best {self.keep.best[name]:g} %"
        if not in_sample(row["id"], self.keep.sample):
            return SAMPLED
        if self.keep.similar and (other := self.looks.like(row)):
            return f"{DUPLICATE} ({other})"
        return None


def in_sample(clip: str, percent: float) -> bool:
    """Whether a clip is in a sample of so many percent: always the same, and a larger sample holds it too."""
    digest = hashlib.sha256(f"sample {clip}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < percent / 100 * 2**64


class Looks:
    """The looks of the clips that were kept so far. similar: cosine from which on two are the same."""

    def __init__(self, similar: float) -> None:
        self.similar, self.blocks, self.names = similar, [], []
        self.used = 0  # rows of the last block

    def like(self, row: Row) -> str | None:
        """The id of a kept clip that looks the same, or None, and then this clip is kept."""
        vector = vector_of(row)
        if vector is None:
            return None
        for number, block in enumerate(self.blocks):
            count = self.used if number == len(self.blocks) - 1 else len(block)
            if block.shape[1] == len(vector):
                alike = block[:count].astype(np.float32) @ vector
                best = int(alike.argmax())
                if alike[best] > self.similar:
                    return self.names[number * BLOCK + best]
        if not self.blocks or self.used == BLOCK:
            self.blocks.append(np.zeros((BLOCK, len(vector)), np.float16))
            self.used = 0
        self.blocks[-1][self.used] = vector
        self.used += 1
        self.names.append(row["id"])
        return None


def vector_of(row: Row) -> np.ndarray | None:
    """What says how a clip looks, of length 1: its CLIP features, or its tiny pictures."""
    if "features" in row:
        mean = np.mean([unpack(text) for text in row["features"]], 0)
        return mean / max(float(np.linalg.norm(mean)), 1e-6)
    return unpack(row["look"]) if "look" in row else None


def chosen(rows: Iterable[Row], chooser: Chooser) -> Iterator[Row]:
    """All rows, decided."""
    return map(chooser.choose, rows)
