"""Reads from frames alone, without a network, what is seen in them:
colour, shape, background, place, size and motion.

The thing is what differs from each row's border pixels; its shape is the
world's shape that overlaps it best at the measured centre and area, turned as
it may be. Frames are RGB (F, 3, H, W) in 0..1, places and lengths in pixels.
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
ANGLES = 12  # turned copies of a shape that are compared
SYMMETRY = {"square": math.pi / 2, "triangle": 2 * math.pi / 3}
TURNED_MALUS = 0.02  # by which a turned copy must overlap better than an upright one


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
    angle: float = (
        0.0  # radians, between 0 and the shape's symmetry; 0 for shapes that cannot be seen to turn
    )


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


def _without_trail(coverage: torch.Tensor) -> torch.Tensor:
    return (coverage - 0.5).mul(4).add(0.5).clamp(0, 1)  # the pale trail is less than half the thing


def thing_masks(frames: torch.Tensor) -> torch.Tensor:
    """Where the thing is in each frame of (F, 3, H, W), without its trail: (F, H, W) in 0..1."""
    frames = frames.float()
    return _without_trail(_coverage(frames, _rows_and_background(frames)[0])[0])


def read_frames(frames: torch.Tensor) -> list[Reading]:
    """Read every frame of (F, 3, H, W)."""
    frames = frames.float()
    n, _, height, width = frames.shape
    rows, backgrounds = _rows_and_background(frames)
    coverage, colour = _coverage(frames, rows)
    mask = _without_trail(coverage)
    area = mask.flatten(1).sum(1)
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    safe = area.clamp(min=1)
    cx, cy = (mask * xs).flatten(1).sum(1) / safe, (mask * ys).flatten(1).sum(1) / safe
    overlap, best, angle = _best_shape(mask, xs, ys, cx, cy, area)
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
            float(cx[i]), float(cy[i]), radius, float(overlap[i]), float(angle[i]),
        ))  # fmt: skip
    return readings


def _best_shape(mask: torch.Tensor, xs, ys, cx, cy, area) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Overlap, index in world.SHAPES and angle of the template that fits each mask (F, H, W) best."""
    n = len(mask)
    dx, dy = xs - cx.view(-1, 1, 1), ys - cy.view(-1, 1, 1)
    scores, angles = [], []
    for shape in world.SHAPES:
        radius = (area / world.SHAPE_AREA[shape]).sqrt().clamp(min=1).view(-1, 1, 1)
        turned = []
        steps = [k * SYMMETRY[shape] / ANGLES for k in range(ANGLES)] if shape in SYMMETRY else [0.0]
        for angle in steps:
            u, v = dx * math.cos(angle) + dy * math.sin(angle), dy * math.cos(angle) - dx * math.sin(angle)
            template = world.shape_mask([shape] * n, u, v, radius)
            both = torch.minimum(template, mask).flatten(1).sum(1)
            overlap = both / torch.maximum(template, mask).flatten(1).sum(1).clamp(min=1)
            turned.append(overlap - (TURNED_MALUS if angle else 0.0))
        best, index = torch.stack(turned, 1).max(1)
        scores.append(best)
        angles.append(torch.tensor(steps)[index])
    overlap, best = torch.stack(scores, 1).max(1)
    return overlap, best, torch.stack(angles, 1).gather(1, best[:, None])[:, 0]


@dataclasses.dataclass(frozen=True)
class Motion:
    """How the thing moves over a clip; lengths in pixels a frame, over the frames in which it is seen."""

    name: str  # one of world.MOTIONS, or "none" where the path is too rough to be one
    step: float  # mean distance between neighbouring frames' centres
    jerk: float  # mean length of the path's second difference
    largest_step: float
    change: float  # mean absolute difference of neighbouring frames, 0..1
    growth: float  # last radius divided by the first, each the median of three frames
    turn: float  # radians turned in total, signed


ROUGH_JERK = 6.0  # a path with more is no motion but a series of places
STILL_EXTENT = 7.0
STILL_GROWTH = 1.22
LARGEST_STEP = 20.0
LEAST_TURN = math.radians(50)


def read_motion(frames: torch.Tensor, readings: list[Reading] | None = None) -> Motion:
    """Measure and name the motion in (F, 3, H, W), at least three frames."""
    readings = read_frames(frames) if readings is None else readings
    change = float(frames.float().diff(dim=0).abs().mean())
    there = torch.tensor([r.colour != "none" for r in readings])
    if int(there.sum()) < 3:
        return Motion("none", 0.0, 0.0, 0.0, change, 1.0, 0.0)
    centres = torch.tensor([(r.x, r.y) for r in readings])
    steps = centres.diff(dim=0)
    both = there[1:] & there[:-1]
    length = steps.norm(dim=1)[both]
    jerk = steps.diff(dim=0).norm(dim=1)[both[1:] & both[:-1]]
    radii = torch.tensor([r.radius for r in readings])[there]
    growth = float(radii[-3:].median() / radii[:3].median())
    turn = _turn(readings)
    rough, longest = (float(jerk.mean()) if len(jerk) else 0.0), (float(length.max()) if len(length) else 0.0)
    name = _name_motion(centres, there, growth, turn) if rough <= ROUGH_JERK else "none"
    return Motion(name, float(length.mean()) if len(length) else 0.0, rough, longest, change, growth, turn)


def _turn(readings: list[Reading]) -> float:
    """How far the thing turns, from the angles of neighbouring frames that show the same turnable shape."""
    total = 0.0
    for before, after in zip(readings, readings[1:], strict=False):
        period = SYMMETRY.get(after.shape)
        if period and before.shape == after.shape:
            total += (after.angle - before.angle + period / 2) % period - period / 2
    return total


def _name_motion(centres: torch.Tensor, there: torch.Tensor, growth: float, turn: float) -> str:
    seen = centres[there]
    extent = float((seen.amax(0) - seen.amin(0)).max())
    if not bool(there.all()):
        toggles = int((there[1:] != there[:-1]).sum())
        hidden = float((~there).float().mean())
        return "blink" if toggles >= 2 and hidden <= 0.7 and extent < 2 * STILL_EXTENT else "none"
    if extent < STILL_EXTENT:
        if abs(turn) > LEAST_TURN:
            return "spin"
        if growth > STILL_GROWTH or growth < 1 / STILL_GROWTH:
            return "grow" if growth > 1 else "shrink"
        return "still"
    return _name_path(centres, centres.diff(dim=0))


def _name_path(centres: torch.Tensor, steps: torch.Tensor) -> str:
    extent = centres.amax(0) - centres.amin(0)
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
    """Whether a clip shows one thing on one path: the same colour and shape in
    at least 7 of 8 of the frames that show anything, which are at least 3 in 8,
    a mean second difference of the path of at most 6 px and no step above 20 px.
    """
    shown = [r for r in readings if r.colour != "none"]
    least = math.ceil(len(shown) * 7 / 8)
    colours, shapes = [r.colour for r in shown], [r.shape for r in shown]
    same = all(
        max(map(kinds.count, set(kinds) - {"none"}), default=0) >= least for kinds in (colours, shapes)
    )
    enough = len(shown) >= 3 / 8 * len(readings)
    return enough and same and motion.jerk <= ROUGH_JERK and motion.largest_step <= LARGEST_STEP
