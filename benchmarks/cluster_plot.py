"""Curves over the number of workers, both axes in powers of two, as a picture for docs/."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from ..frame_tools.labels import GREY, WHITE, text_width, write
from ..frame_tools.plots import COLOURS, GROUND, LINES

PANEL, TEXT = (520, 340), 14
LEFT, RIGHT, TOP, BOTTOM = 54, 16, 36, 46


@dataclass(frozen=True)
class Panel:
    """curves: label -> a value above 0 for each of `workers`."""

    title: str
    workers: Sequence[int]
    curves: dict[str, list[float]] = field(default_factory=dict)


def draw_panels(panels: Sequence[Panel], columns: int = 3) -> Image.Image:
    """The panels side by side, with one legend below: all have the same labels."""
    rows = math.ceil(len(panels) / columns)
    image = Image.new("RGB", (PANEL[0] * columns, PANEL[1] * rows + 2 * TEXT), GROUND)
    draw = ImageDraw.Draw(image)
    for number, panel in enumerate(panels):
        draw_panel(draw, panel, number % columns * PANEL[0], number // columns * PANEL[1])
    x = LEFT
    for number, label in enumerate(panels[0].curves):
        draw.line((x, image.height - TEXT, x + 24, image.height - TEXT), COLOURS[number], 3)
        write(draw, (x + 30, image.height - TEXT + 5), label, TEXT, WHITE)
        x += 60 + text_width(label, TEXT)
    return image


def draw_panel(draw: ImageDraw.ImageDraw, panel: Panel, left: int, top: int) -> None:
    """One set of curves at a corner, with the line of as many times as there are workers behind them."""
    width, height = PANEL[0] - LEFT - RIGHT, PANEL[1] - TOP - BOTTOM
    most = max(panel.workers)
    across, up = math.log2(most), math.log2(max(2, *(max(curve) for curve in panel.curves.values())))

    def at(workers: float, value: float) -> tuple[float, float]:
        x = left + LEFT + math.log2(workers) / across * width
        return x, top + TOP + height - max(0.0, math.log2(value)) / up * height

    write(draw, (left + 10, top + TEXT + 6), panel.title, TEXT, WHITE)
    for power in range(0, math.ceil(up), max(1, math.ceil(up / 6))):
        x, y = at(1, 2**power)
        draw.line((x, y, x + width, y), LINES)
        write(draw, (x - 8 - text_width(f"{2**power}", TEXT), y + 5), f"{2**power}", TEXT, GREY)
    for power in range(0, math.ceil(across), 2):
        x, y = at(2**power, 1)
        write(draw, (x - text_width(f"{2**power}", TEXT) / 2, y + TEXT + 6), f"{2**power}", TEXT, GREY)
    even = min(most, 2**up)
    draw.line((*at(1, 1), *at(even, even)), GREY)
    for colour, curve in zip(COLOURS, panel.curves.values(), strict=False):
        points = [at(workers, value) for workers, value in zip(panel.workers, curve, strict=True)]
        draw.line(points, colour, 3, joint="curve")
    write(draw, (left + LEFT, top + TOP + height + 2 * TEXT + 8), "workers", TEXT, GREY)
