"""The way of a camera as a picture: where it stands in each frame, and what it sees.

Axes of the world: x to the right, y down, z into the picture; seen from behind, from the right and above.
"""

from __future__ import annotations

import math

import torch
from PIL import Image, ImageDraw

from .labels import GREY, WHITE, to_tensor, write
from .plots import COLOURS, GROUND, LINES, TEXT

FIRST, LAST = COLOURS[0], COLOURS[1]
MOST_DRAWN = 8
"""Cameras; of more frames evenly many."""
_YAW, _PITCH = math.radians(-30), math.radians(25)
_MARGIN = 36


def draw_camera_path(to_world: torch.Tensor, opening: torch.Tensor, size: int = 512) -> torch.Tensor:
    """The cameras of a clip as pyramids, blue first and orange last, and their way: (1, size, size, 3).

    to_world: (F, 4, 4) from each camera to the world. opening: (F, 2) half the width and height that it sees
    one unit ahead.
    """
    to_world, opening = to_world.double(), opening.double()
    frames = sorted({round(i * (len(to_world) - 1) / (MOST_DRAWN - 1)) for i in range(MOST_DRAWN)})
    places = to_world[:, :3, 3]
    extent = float((places.amax(0) - places.amin(0)).max())
    pyramids = [_pyramid(to_world[i], opening[i], depth=0.25 * extent or 1.0) for i in frames]
    ground = _ground(torch.cat((places, *pyramids)))
    points = _fitted([places, *pyramids, *ground], size)
    image = Image.new("RGB", (size, size), GROUND)
    draw = ImageDraw.Draw(image)
    for line in points[1 + len(frames) :]:
        draw.line(line, fill=LINES)
    for number, corners in sorted(zip(frames, points[1:], strict=False), reverse=True):
        _draw_pyramid(draw, corners, _colour(number, len(to_world)))
    draw.line(points[0], fill=WHITE, width=2)
    _write_numbers(draw, points[0], size)
    return to_tensor(image)[None]


def _pyramid(pose: torch.Tensor, opening: torch.Tensor, depth: float) -> torch.Tensor:
    """The tip of a camera and the corners of what it sees: (5, 3)."""
    x, y = (depth * opening).tolist()
    corners = torch.tensor([[0, 0, 0], [-x, -y, depth], [x, -y, depth], [x, y, depth], [-x, y, depth]])
    return corners.double() @ pose[:3, :3].T + pose[:3, 3]


def _ground(points: torch.Tensor) -> list[torch.Tensor]:
    """The edges of a floor below everything: lines of two points."""
    (x0, _, z0), (x1, y, z1) = points.amin(0).tolist(), points.amax(0).tolist()
    corners = torch.tensor([[x0, y, z0], [x1, y, z0], [x1, y, z1], [x0, y, z1]], dtype=torch.float64)
    return [corners[[i, (i + 1) % 4]] for i in range(4)]


def _fitted(shapes: list[torch.Tensor], size: int) -> list[list[tuple[float, float]]]:
    """Shapes of points (n, 3) on the picture, which they fill."""
    c, s = math.cos(_YAW), math.sin(_YAW)
    cp, sp = math.cos(_PITCH), math.sin(_PITCH)
    across = torch.tensor([c, 0, -s], dtype=torch.float64)
    down = torch.tensor([-s * sp, cp, -c * sp], dtype=torch.float64)
    flat = [torch.stack((shape @ across, shape @ down), -1) for shape in shapes]
    every = torch.cat(flat)
    low, high = every.amin(0), every.amax(0)
    scale = (size - 2 * _MARGIN) / float((high - low).max())
    return [[tuple(p) for p in ((part - (low + high) / 2) * scale + size / 2).tolist()] for part in flat]


def _draw_pyramid(draw: ImageDraw.ImageDraw, corners: list, colour: tuple[int, int, int]) -> None:
    tip, *base = corners
    for corner in base:
        draw.line((tip, corner), fill=colour)
    draw.line((*base, base[0]), fill=colour, width=2)


def _colour(number: int, num_frames: int) -> tuple[int, int, int]:
    share = number / max(1, num_frames - 1)
    return tuple(round(a + share * (b - a)) for a, b in zip(FIRST, LAST, strict=True))


def _write_numbers(draw: ImageDraw.ImageDraw, places: list, size: int) -> None:
    for place, number, colour in ((places[0], 0, FIRST), (places[-1], len(places) - 1, LAST)):
        draw.ellipse((place[0] - 4, place[1] - 4, place[0] + 4, place[1] + 4), fill=colour)
        write(
            draw, (place[0] + 7, place[1] - 5 if number == 0 else place[1] + TEXT), f"{number}", TEXT, WHITE
        )
    write(draw, (10, size - 10), "blue = first frame, orange = last", TEXT, GREY)
