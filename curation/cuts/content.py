"""Cuts where the mean change of hue, saturation and value passes a threshold, looked at with several rates.

The rule is PySceneDetect's ContentDetector (threshold 27 of 255), and the use of several frame rates that of
video2dataset, the public code nearest to Stable Video Diffusion's. On strong texture in motion the low rates
find cuts that are none. Letters: H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from .cut import Cut, hard_cut

THRESHOLD = 27.0
SIZE = (64, 36)
LEAST_SHOT = 15  # looks between two cuts


class Content:
    """threshold: of 255. rates: frames a second that are looked at; 0 = all."""

    size = SIZE

    def __init__(self, threshold: float = THRESHOLD, rates: list | None = None) -> None:
        self.threshold, self.rates = threshold, rates or [0.0]

    def find(self, pictures: Iterator[np.ndarray], fps: float) -> list[Cut]:
        """Hard cuts, of all rates together."""
        steps = sorted({max(1, round(fps / rate)) if rate else 1 for rate in self.rates})
        looks = [_Look(step, self.threshold) for step in steps]
        for number, picture in enumerate(pictures):
            wanted = [look for look in looks if number % look.step == 0]
            if wanted:
                values = np.asarray(Image.fromarray(picture).convert("HSV"), np.int16)
                for look in wanted:
                    look.see(number, values)
        return [hard_cut(number) for number in _united([look.cuts for look in looks], steps)]


class _Look:
    def __init__(self, step: int, threshold: float) -> None:
        self.step, self.threshold = step, threshold
        self.before, self.cuts, self.last = None, [], 0

    def see(self, number: int, values: np.ndarray) -> None:
        before, self.before = self.before, values
        if before is None:
            return
        change = np.abs(values - before)
        change[..., 0] = np.minimum(change[..., 0], 256 - change[..., 0])  # hues go round
        look = number // self.step
        if change.mean((0, 1)).sum() / 3 >= self.threshold and look - self.last >= LEAST_SHOT:
            self.last = look
            self.cuts.append(number)


def _united(found: list[list[int]], steps: list[int]) -> list[int]:
    """Cuts of the finest look, and those of coarser ones within whose step none lies yet."""
    cuts: list[int] = []
    for numbers, step in zip(found, steps, strict=True):
        cuts += [number for number in numbers if not any(number - step < cut <= number for cut in cuts)]
    return sorted(cuts)
