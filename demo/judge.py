"""Reads from frames alone, without a network, what is seen in them: colour, shape, background, place, size and motion.

The thing is what differs from each row's border pixels; its shape is the world's shape that overlaps it best at the
measured centre and area. Frames are RGB (F, 3, H, W) in 0..1, places and lengths in pixels.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F

from . import world

BORDER = 3  # columns at each side that a thing never touches
LEAST_CONTRAST = 0.12  # RGB distance under which nothing is there
LEAST_AREA = 250.0  # pixels
LEAST_OVERLAP = 0.6  # intersection over union under which the shape counts as none of the world's


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one frame shows; `colour` and `shape` are "none" where nothing of the world was recognised."""

    colour: str
    shape: str
    background: str
    x: float
    y: float
    radius: float
    overlap: float


def _nearest(rgb: torch.Tensor, palette: dict[str, tuple[int, int, int]]) -> list[str]:
    names = list(palette)
    table = torch.tensor([palette[n] for n in names]).float().div(255)
    return [names[i] for i in torch.cdist(rgb, table).argmin(1).tolist()]


def _rows_and_background(frames: torch.Tensor) -> tuple[torch.Tensor, list[str]]:
    """Each row's border colour (F, 3, H) and the name of the background."""
    border = torch.cat([frames[..., :BORDER], frames[..., -BORDER:]], -1)
    rows = border.sort(-1).values[..., BORDER - 1 : BORDER + 1].mean(-1)
    names = list(world.BACKGROUNDS)
    pairs = torch.tensor([world.BACKGROUNDS[n] for n in names]).float().div(255).flatten(1)
    height = rows.shape[-1]
    top, bottom = rows[..., : height // 2].median(-1).values, rows[..., -height // 5 :].median(-1).values
    return rows, [names[i] for i in torch.cdist(torch.cat([top, bottom], 1), pairs).argmin(1).tolist()]


def _coverage(frames: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of each pixel is the thing (F, H, W), clamped to 0..1, and the thing's colour (F, 3)."""
    difference = frames - rows[..., None]
    distance = difference.norm(dim=1)
    n = len(frames)
    strong = distance.flatten(1).topk(150, dim=1)
    threshold = 0.6 * strong.values[:, -1:, None].clamp(min=LEAST_CONTRAST)
    core = distance > threshold
    inside = -F.max_pool2d(-core.float()[:, None], 5, 1, 2)[:, 0] > 0
    colours = []
    for i in range(n):
        chosen = inside[i] if int(inside[i].sum()) >= 30 else core[i]
        pixels = frames[i][:, chosen]
        colours.append(pixels.median(1).values if pixels.shape[1] else frames[i].flatten(1).median(1).values)
    colour = torch.stack(colours)
    towards = colour[..., None] - rows  # (F, 3, H)
    length = (towards**2).sum(1).clamp(min=LEAST_CONTRAST**2)
    return ((difference * towards[..., None]).sum(1) / length[..., None]).clamp(0, 1), colour


def read_frames(frames: torch.Tensor) -> list[Reading]:
    """Read every frame of (F, 3, H, W)."""
    frames = frames.float()
    n, _, height, width = frames.shape
    rows, backgrounds = _rows_and_background(frames)
    coverage, colour = _coverage(frames, rows)
    mask = (coverage - 0.5).mul(4).add(0.5).clamp(0, 1)  # the pale trail is less than half the thing
    area = mask.flatten(1).sum(1)
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    safe = area.clamp(min=1)
    cx, cy = (mask * xs).flatten(1).sum(1) / safe, (mask * ys).flatten(1).sum(1) / safe
    overlaps = []
    for shape in world.SHAPES:
        radius = (area / world.SHAPE_AREA[shape]).sqrt().clamp(min=1)
        template = world.shape_mask([shape] * n, xs - cx.view(-1, 1, 1), ys - cy.view(-1, 1, 1), radius.view(-1, 1, 1))
        both = torch.minimum(template, mask).flatten(1).sum(1)
        overlaps.append(both / torch.maximum(template, mask).flatten(1).sum(1).clamp(min=1))
    overlap, best = torch.stack(overlaps, 1).max(1)
    names = _nearest(colour, world.COLOURS)
    contrast = (colour[..., None] - rows).norm(dim=1).median(1).values
    readings = []
    for i in range(n):
        seen = float(area[i]) >= LEAST_AREA and float(contrast[i]) >= LEAST_CONTRAST
        shape = world.SHAPES[int(best[i])]
        radius = math.sqrt(float(area[i]) / world.SHAPE_AREA[shape])
        recognised = seen and float(overlap[i]) >= LEAST_OVERLAP
        readings.append(Reading(
            names[i] if seen else "none", shape if recognised else "none", backgrounds[i],
            float(cx[i]), float(cy[i]), radius, float(overlap[i]),
        ))  # fmt: skip
    return readings


@dataclasses.dataclass(frozen=True)
class Motion:
    """How the thing moves over a clip; lengths in pixels a frame."""

    name: str  # one of world.MOTIONS, or "none" where the path is too rough to be one
    step: float  # mean distance between neighbouring frames' centres
    jerk: float  # mean length of the path's second difference
    largest_step: float
    change: float  # mean absolute difference of neighbouring frames, 0..1


def read_motion(frames: torch.Tensor, readings: list[Reading] | None = None) -> Motion:
    """Measure and name the motion in (F, 3, H, W), at least three frames."""
    readings = read_frames(frames) if readings is None else readings
    centres = torch.tensor([(r.x, r.y) for r in readings])
    steps = centres.diff(dim=0)
    length = steps.norm(dim=1)
    jerk = steps.diff(dim=0).norm(dim=1)
    change = float(frames.float().diff(dim=0).abs().mean())
    name = _name_path(centres, steps) if float(jerk.mean()) <= ROUGH_JERK else "none"
    return Motion(name, float(length.mean()), float(jerk.mean()), float(length.max()), change)


ROUGH_JERK = 6.0  # a path with more is no motion but a series of places
STILL_EXTENT = 7.0
LARGEST_STEP = 20.0


def _name_path(centres: torch.Tensor, steps: torch.Tensor) -> str:
    extent = centres.amax(0) - centres.amin(0)
    if float(extent.max()) < STILL_EXTENT:
        return "still"
    net = centres[-1] - centres[0]
    travelled = steps.abs().sum(0)
    axis = int(extent.argmax())
    straight = float(extent[1 - axis]) < 0.35 * float(extent[axis])
    if straight and float(net[axis].abs()) > 0.7 * float(travelled[axis]):
        return (("left", "right"), ("up", "down"))[axis][int(net[axis] > 0)]
    middle = centres - (centres.amax(0) + centres.amin(0)) / 2
    angle = torch.atan2(middle[:, 1], middle[:, 0])
    turns = torch.remainder(angle.diff() + math.pi, 2 * math.pi) - math.pi
    turned = abs(float(turns.sum()))
    returns = bool((net.abs() < 0.9 * travelled).all())  # a bouncing thing keeps going sideways
    as_wide_as_high = float(extent.min()) > 0.55 * float(extent.max())
    if returns and as_wide_as_high and turned > 3.2 and turned > 0.8 * float(turns.abs().sum()):
        return "orbit"
    if float(travelled[1]) > 1.15 * abs(float(net[1])) and float(extent[1]) > STILL_EXTENT:
        return "bounce"
    return "none"


def coherent(readings: list[Reading], motion: Motion) -> bool:
    """Whether a clip shows one thing on one path: the same colour and shape in at least 7 of 8 frames, a mean second
    difference of the path of at most 6 px and no step above 20 px."""
    least = math.ceil(len(readings) * 7 / 8)
    colours, shapes = [r.colour for r in readings], [r.shape for r in readings]
    same = all(max(map(kinds.count, set(kinds) - {"none"}), default=0) >= least for kinds in (colours, shapes))
    return same and motion.jerk <= ROUGH_JERK and motion.largest_step <= LARGEST_STEP
