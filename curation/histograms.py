"""Histograms of scores as pictures: all clips, and in front of them the kept ones."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..frame_tools.labels import GREY, WHITE, text_width, write
from ..frame_tools.plots import COLOURS, GROUND, LINES

BINS, TEXT = 60, 14
SIZE = (900, 240)
LEFT, RIGHT, TOP, BOTTOM = 50, 20, 44, 34
OUTLIERS = 0.5  # percent at either end that the last bins take


@dataclass(frozen=True)
class Histogram:
    """edges: BINS + 1 of them. counts, kept: clips in each bin."""

    edges: np.ndarray
    counts: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, values: Iterable[tuple[float, bool]]) -> Histogram | None:
        """Of (score, whether the clip is kept); None without any."""
        scores, stays = array("d"), array("b")
        for score, is_kept in values:
            scores.append(score)
            stays.append(is_kept)
        if not scores:
            return None
        found, kept = np.frombuffer(scores), np.frombuffer(stays, np.int8).astype(bool)
        low, high = np.percentile(found, [OUTLIERS, 100 - OUTLIERS])
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        inside = found.clip(edges[0], edges[-1])
        return cls(edges, np.histogram(inside, edges)[0], np.histogram(inside[kept], edges)[0])


def draw_histogram(histogram: Histogram, title: str, marks: Iterable[float] = ()) -> Image.Image:
    """A picture of a histogram. marks: values at which lines stand, as thresholds."""
    image = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(image)
    width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
    most, foot = max(1, int(histogram.counts.max())), TOP + height
    for counts, colour in ((histogram.counts, LINES), (histogram.kept, COLOURS[0])):
        for number, count in enumerate(counts):
            left = LEFT + number * width / BINS
            draw.rectangle((left, foot - count / most * height, left + width / BINS - 1, foot), colour)
    first, last = histogram.edges[0], histogram.edges[-1]
    for value in marks:
        x = LEFT + (min(max(value, first), last) - first) / (last - first) * width
        draw.line((x, TOP, x, foot), fill=COLOURS[1], width=2)
    draw.line((LEFT, foot, LEFT + width, foot), fill=GREY)
    total, kept = int(histogram.counts.sum()), int(histogram.kept.sum())
    write(draw, (10, TEXT + 6), f"{title}: {total} clips, {kept} kept", TEXT, WHITE)
    write(draw, (8, TOP + TEXT), f"{most}", TEXT, GREY)
    for value in np.linspace(first, last, 5):
        text, x = f"{value:.3g}", LEFT + (value - first) / (last - first) * width
        x = min(max(4, x - text_width(text, TEXT) / 2), SIZE[0] - text_width(text, TEXT) - 4)
        write(draw, (x, foot + TEXT + 6), text, TEXT, GREY)
    return image
