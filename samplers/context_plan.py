"""A picture of a window plan:
which frames are denoised together at each step, and how much each window counts for a frame.

One column for each frame, one row for each window, one band of rows for each step; a cell is brighter the
larger the window's share in the fused frame is, faint where it only sees it (an anchor), and dark where the
window does not have the frame.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import torch

from ..memory import check_memory

GAP = 6
BACKGROUND = 0.12
EMPTY_CELL = 0.2
FAINTEST = 0.3
LARGEST_CELL = 12
SMALLEST_WITH_LINES = 4
MOST_PIXELS = 1 << 24


def window_colour(number: int) -> torch.Tensor:
    """A colour (3,) in 0..1 for the window of this number, unlike those of its neighbours."""
    return torch.tensor(colorsys.hsv_to_rgb((0.58 + number * 0.382) % 1.0, 0.55, 1.0))


def shares(
    windows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]], num_frames: int
) -> torch.Tensor:
    """The part of each window in each fused frame, (windows, frames) in 0..1;
    0 where a window does not have the frame.
    """
    table = torch.zeros(len(windows), num_frames)
    for row, (window, window_weights) in enumerate(zip(windows, weights, strict=True)):
        table[row, list(window)] = torch.tensor(window_weights, dtype=table.dtype)
    return table / table.sum(0, keepdim=True)


def check_cells(num_windows: int, num_frames: int, done: int, steps: int) -> None:
    """Raises ValueError where the plan gets more cells than a picture has pixels;
    known after `done` of its steps.
    """
    cells = num_frames * num_windows
    if cells > MOST_PIXELS:
        raise ValueError(
            f"a plan of {steps} steps over num_frames={num_frames} has {cells * steps // done} cells, a "
            "picture holds "
            f"{MOST_PIXELS}; lower steps or num_frames."
        )


def cell_size(steps: Sequence[tuple], num_frames: int) -> int:
    """Pixels of a cell, as large as a picture of MOST_PIXELS allows;
    ValueError where not even one pixel is left.
    """
    num_windows = sum(len(windows) for windows, _ in steps)
    check_cells(num_windows, num_frames, len(steps), len(steps))
    return min(LARGEST_CELL, math.isqrt(MOST_PIXELS // (num_frames * num_windows)))


def draw_plan(steps: Sequence[tuple], num_frames: int, cell: int | None = None) -> torch.Tensor:
    """The picture (H, W, 3) in 0..1 of a plan:
    for each step its windows and their weights, over a video of num_frames frames.

    cell is the size of a cell in pixels, None for the largest that keeps the picture manageable. Raises
    ValueError on a plan that has more cells than a picture may have pixels.
    """
    cell = cell or cell_size(steps, num_frames)
    pixels = cell * cell * num_frames * sum(len(windows) for windows, _ in steps)
    check_memory(pixels * 3 * 4 * 3, f"a picture of {pixels} pixels would", "lower steps or num_frames")
    bands = []
    for windows, weights in steps:
        table, seen = shares(windows, weights, num_frames), torch.zeros(len(windows), num_frames)
        for row, window in zip(seen, windows, strict=True):
            row[list(window)] = 1
        colours = torch.stack([window_colour(number) for number in range(len(windows))])
        brightness = FAINTEST + (1 - FAINTEST) * table
        cells = torch.where(
            seen[..., None] > 0, colours[:, None] * brightness[..., None], torch.tensor(EMPTY_CELL)
        )
        band = cells.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
        if cell >= SMALLEST_WITH_LINES:
            band[cell - 1 :: cell] = BACKGROUND
            band[:, cell - 1 :: cell] = BACKGROUND
        bands += [band, torch.full((GAP, band.shape[1], 3), BACKGROUND)]
    return torch.cat(bands[:-1])
