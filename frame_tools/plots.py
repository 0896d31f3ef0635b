"""How much a clip changes from frame to frame, as numbers and as a plot."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from PIL import Image, ImageDraw

from .batches import check_frames
from .labels import GREY, WHITE, shortened, text_width, to_tensor, write

COLOURS = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
    (200, 200, 200),
)
"""Okabe and Ito's colours, which people with colour blindness tell apart,
brightest first for the dark ground.
"""
GROUND, LINES = (24, 24, 24), (70, 70, 70)
TEXT = 14
DIFFERENCES = "Difference to the frame before (mean of 0..255)"


def frame_differences(frames: torch.Tensor, progress: Callable[[], None] = lambda: None) -> list[float]:
    """Mean absolute difference of each frame (F, H, W, C) to the one before, in 0..255 a channel: F-1 values.

    Raises ValueError for fewer than two frames.
    """
    if len(frames) < 2:
        raise ValueError(f"a difference needs at least 2 frames, got {len(frames)}; wire a longer clip.")
    check_frames(frames, "the clip")
    values = []
    for before, after in zip(frames[:-1], frames[1:], strict=True):
        values.append(255 * float((after[..., :3].float() - before[..., :3].float()).abs().mean()))
        progress()
    return values


def describe(values: list[float], label: str) -> str:
    """The differences of a clip in a line: mean, and the largest with the frame it leads to."""
    largest = max(range(len(values)), key=values.__getitem__)
    return (
        f"{label}: mean {sum(values) / len(values):.2f}, largest {values[largest]:.2f} at frame {largest + 1}"
    )


def plot_differences(
    series: list[list[float]],
    labels: list[str],
    width: int = 768,
    height: int = 384,
    title: str = DIFFERENCES,
) -> torch.Tensor:
    """Curves over frame numbers from 1 on, one for each clip, over 0,
    as a picture (1, height, width, 3), values 0..1. No series may be empty.
    """
    return _plot(series, labels, (width, height), title, first=1)


def plot_values(
    series: list[list[float]],
    labels: list[str],
    width: int = 768,
    height: int = 384,
    title: str = "",
    across: str = "frame",
    first: int = 0,
) -> torch.Tensor:
    """Curves of numbers, also below 0, over frame numbers from `first` on (or what `across` says),
    as a picture (1, height, width, 3).
    """
    return _plot(series, labels, (width, height), title, first, across)


def _plot(
    series: list[list[float]],
    labels: list[str],
    size: tuple[int, int],
    title: str,
    first: int,
    across: str = "frame",
) -> torch.Tensor:
    width, height = size
    image = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(image)
    marks = value_steps(min(map(min, series)), max(map(max, series)))
    last = max(len(values) for values in series) - 1 + first
    left = 12 + max(text_width(_number(value), TEXT) for value in marks)
    area = (left, 2 * TEXT + 22, width - 14, height - 2 * TEXT - 14)
    _axes(draw, area, marks, first, last)
    _caption(draw, area, across)
    for i, values in enumerate(series):
        points = [
            (_across(area, n, first, last), _up(area, value, marks)) for n, value in enumerate(values, first)
        ]
        colour = COLOURS[i % len(COLOURS)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2, joint="curve")
        if len(points) <= (area[2] - area[0]) / 12:
            for x, y in points:
                draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=colour)
    _legend(draw, title, labels, width)
    return to_tensor(image)[None]


def value_steps(least: float, most: float) -> list[float]:
    """Even steps of 1, 2 or 5 times a power of ten from at most
    `least` (0 or below) to at least `most` (0 or above).
    """
    if most <= 0 <= least:
        most = 1.0
    step = nice_steps(max(most, -least))[1]
    below, above = (math.ceil(max(value, 0) / step - 1e-9) for value in (-least, most))
    return [i * step for i in range(-below, above + 1)]


def nice_steps(largest: float) -> list[float]:
    """0, and 3 to 6 even steps of 1, 2 or 5 times a power of ten up to at least `largest`."""
    rough = largest / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [i * step for i in range(math.ceil(largest / step - 1e-9) + 1)]


def _axes(draw: ImageDraw.ImageDraw, area: tuple, heights: list[float], first: int, last: int) -> None:
    left, top, right, bottom = area
    for value in heights:
        y = _up(area, value, heights)
        draw.line((left, y, right, y), fill=LINES)
        text = _number(value)
        write(draw, (left - 6 - text_width(text, TEXT), y + TEXT * 0.35), text, TEXT, GREY)
    numbers = {max(first, round(value)) for value in nice_steps(last or 1) if value <= last} | {last}
    for number in sorted(numbers):
        x = _across(area, number, first, last)
        draw.line((x, bottom, x, bottom + 4), fill=GREY)
        text = f"{number}"
        room = _across(area, last, first, last) - x
        if number == last or room > text_width(f"{last}", TEXT) + text_width(text, TEXT):
            write(draw, (x - text_width(text, TEXT) / 2, bottom + TEXT + 6), text, TEXT, GREY)
    draw.rectangle(area, outline=GREY)


def _caption(draw: ImageDraw.ImageDraw, area: tuple, text: str) -> None:
    """Under the axis that goes across."""
    left, _, right, bottom = area
    write(draw, ((left + right - text_width(text, TEXT)) / 2, bottom + 2 * TEXT + 8), text, TEXT, GREY)


def _legend(draw: ImageDraw.ImageDraw, title: str, labels: list[str], width: int) -> None:
    write(draw, (10, TEXT + 4), shortened(title, TEXT, width - 20), TEXT, WHITE)
    x, room = 10, max(30, (width - 20) // max(1, len(labels)) - 30)
    for i, label in enumerate(labels):
        draw.rectangle((x, TEXT + 14, x + 12, TEXT + 22), fill=COLOURS[i % len(COLOURS)])
        text = shortened(label, TEXT, room)
        write(draw, (x + 17, TEXT + 23), text, TEXT, WHITE)
        x += 17 + text_width(text, TEXT) + 16


def _across(area: tuple, number: int, first: int, last: int) -> float:
    """Frame `first` is at the left, frame `last` at the right; a single one in the middle."""
    left, _, right, _ = area
    part = (number - first) / (last - first) if last > first else None
    return (left + right) / 2 if part is None else left + 8 + part * (right - left - 16)


def _up(area: tuple, value: float, marks: list[float]) -> float:
    _, top, _, bottom = area
    return bottom - (value - marks[0]) / (marks[-1] - marks[0]) * (bottom - top)


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e4 else f"{value:.0f}"
