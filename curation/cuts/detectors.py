"""The detectors of cuts, by name: each with the `size` (width, height) of the pictures that it takes and
`find(pictures, fps)` -> cuts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..settings import Cuts
from . import content, correlation, transnet
from .cut import Cut


class Correlation:
    """cuts.correlation."""

    size = correlation.SIZE

    def find(self, pictures: Iterator[np.ndarray], fps: float) -> list[Cut]:
        """Hard cuts, dissolves and fades."""
        return correlation.find_cuts(pictures, fps)


def detector_of(settings: Cuts):
    """The detector that the settings name, loaded. Raises ValueError where an extra is missing."""
    if settings.detector == "content":
        return content.Content(settings.threshold or content.THRESHOLD, settings.rates)
    if settings.detector == "transnetv2":
        return transnet.TransNet(settings.threshold or transnet.THRESHOLD)
    return Correlation()
