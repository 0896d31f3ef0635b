"""A procedural world of one moving thing, with captions and ground truth; everything follows from a seed.

A scene is one coloured shape on a plain background or in front of a two-tone landscape, moving on a known path. A thing
that moves leaves a pale trail behind it, so that a single frame already tells where it is going. Frames are RGB in 0..1,
shape (F, 3, H, W); places are in pixels, x to the right and y down.
"""

from __future__ import annotations

import dataclasses
import math
import random

import torch

SIZE = 128  # side of a frame in pixels

COLOURS = {
    "red": (225, 30, 35),
    "orange": (250, 140, 20),
    "yellow": (250, 225, 40),
    "green": (30, 165, 60),
    "blue": (35, 75, 225),
    "purple": (140, 50, 185),
    "pink": (245, 125, 190),
    "white": (250, 250, 250),
}
# Name -> colour above the horizon, colour below it. Plain backgrounds have the same colour twice.
BACKGROUNDS = {
    "black": ((12, 12, 14), (12, 12, 14)),
    "gray": ((125, 125, 128), (125, 125, 128)),
    "white": ((246, 246, 246), (246, 246, 246)),
    "blue": ((75, 130, 215), (75, 130, 215)),
    "green": ((85, 175, 100), (85, 175, 100)),
    "pink": ((245, 175, 205), (245, 175, 205)),
    "meadow": ((155, 205, 250), (100, 180, 80)),
    "desert": ((140, 190, 240), (228, 192, 125)),
}
LANDSCAPES = ("meadow", "desert")
SHAPES = ("ball", "square", "triangle", "ring")
SIZES = {"small": (18.0, 21.0), "big": (25.0, 28.0)}  # range of the radius in pixels
MOTIONS = ("still", "left", "right", "up", "down", "bounce", "orbit")
# Combinations that even a person could not tell apart.
HARD_TO_SEE = {("green", "meadow"), ("yellow", "desert"), ("pink", "white"), ("yellow", "white")}

# Every shape as half-planes and circles of radius 1: area, and how far its centroid lies below its centre.
SHAPE_AREA = {"ball": math.pi, "square": 1.8**2, "triangle": 1.3**2 * 3**1.5 / 4, "ring": math.pi * (1.1**2 - 0.58**2)}
HOP_FRAMES = 14
TRAIL_OPACITY = 0.38
TRAIL_COPIES = 3
TRAIL_STRIDE = 1.3  # frames between two copies of the trail


@dataclasses.dataclass(frozen=True)
class Scene:
    """One thing, its surroundings and its path; lengths in pixels, times in frames."""

    shape: str
    colour: str
    background: str
    size: str
    radius: float
    motion: str
    start: tuple[float, float]  # where the path begins (drifts), its centre (orbit, still), its ground point (bounce)
    speed: float  # pixels per frame along the path; radians per frame for an orbit
    reach: float  # height of a hop, radius of an orbit, otherwise 0
    phase: float  # where in the period the path begins, 0..1
    horizon: float

    @property
    def margin(self) -> float:
        """Smallest distance in pixels between the thing's centre and the frame's border."""
        return 1.3 * self.radius + 3


def random_scene(rng: random.Random, motion: str | None = None, **fixed: str) -> Scene:
    """Draw a scene; `motion`, `shape`, `colour`, `background` and `size` may be fixed by name.

    Raises ValueError when the fixed colour cannot be seen on the fixed background."""
    shape = fixed.get("shape") or rng.choice(SHAPES)
    size = fixed.get("size") or rng.choice(tuple(SIZES))
    if fixed.get("colour") and fixed.get("background") and not visible(fixed["colour"], fixed["background"]):
        raise ValueError(
            f"colour={fixed['colour']} must differ from background={fixed['background']}; choose another of the two."
        )
    while True:
        colour = fixed.get("colour") or rng.choice(tuple(COLOURS))
        background = fixed.get("background") or rng.choice(tuple(BACKGROUNDS))
        if visible(colour, background):
            break
    motion = motion or rng.choice(MOTIONS)
    radius = rng.uniform(*SIZES[size])
    low, high = 1.3 * radius + 3, SIZE - 1.3 * radius - 3
    x, y = rng.uniform(low, high), rng.uniform(low, high)
    speed, reach, phase = 0.0, 0.0, rng.random()
    if motion in ("left", "right", "up", "down"):
        travel = rng.uniform(0.75, 1.0) * (high - low)
        speed = travel / 15
        begin = rng.uniform(low, high - travel)
        begin = begin if motion in ("right", "down") else low + high - begin
        x, y = (begin, y) if motion in ("left", "right") else (x, begin)
    elif motion == "bounce":
        y, speed = high, rng.choice((-1, 1)) * rng.uniform(0.8, 2.0)
        reach = rng.uniform(0.4, 0.65) * (high - low)
    elif motion == "orbit":
        reach = rng.uniform(0.5, 0.75) * (high - low) / 2
        speed = 2 * math.pi / rng.uniform(16, 22)
        x, y = rng.uniform(low + reach, high - reach), rng.uniform(low + reach, high - reach)
    horizon = rng.uniform(70, 95)
    return Scene(shape, colour, background, size, radius, motion, (x, y), speed, reach, phase, horizon)


def scene_from_seed(seed: int, **fixed: str) -> Scene:
    """The scene of a seed; equal seeds give equal scenes on every machine."""
    return random_scene(random.Random(seed), **fixed)


def visible(colour: str, background: str) -> bool:
    """Whether a thing of this colour stands out from this background."""
    return colour != background and (colour, background) not in HARD_TO_SEE


def path(scene: Scene, num_frames: int, first_frame: float = 0.0) -> torch.Tensor:
    """Centres of the thing, (F, 2) as x, y in pixels; straight paths turn back at the border."""
    time = torch.arange(num_frames, dtype=torch.float64) + first_frame
    x, y = scene.start
    low, high = scene.margin, SIZE - scene.margin
    xs, ys = torch.full_like(time, x), torch.full_like(time, y)
    if scene.motion in ("left", "right"):
        xs = _reflect(x + scene.speed * time * (1 if scene.motion == "right" else -1), low, high)
    elif scene.motion in ("up", "down"):
        ys = _reflect(y + scene.speed * time * (1 if scene.motion == "down" else -1), low, high)
    elif scene.motion == "bounce":
        xs = _reflect(x + scene.speed * time, low, high)
        hop = (time / HOP_FRAMES + scene.phase) % 1.0
        ys = y - scene.reach * 4 * hop * (1 - hop)
    elif scene.motion == "orbit":
        angle = scene.speed * time + 2 * math.pi * scene.phase
        xs, ys = x + scene.reach * torch.cos(angle), y + scene.reach * torch.sin(angle)
    return torch.stack([xs, ys], 1).float()


def _reflect(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    span = high - low
    x = (x - low) % (2 * span)
    return low + torch.where(x > span, 2 * span - x, x)


def shape_mask(shapes: list[str], dx: torch.Tensor, dy: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """Coverage 0..1 of shapes, (N, H, W), from each pixel's offset to the centre (N, H, W) and the radii (N, 1, 1)."""
    distance = torch.empty_like(dx)
    for name in set(shapes):
        rows = torch.tensor([i for i, shape in enumerate(shapes) if shape == name])
        u, v, r = dx[rows], dy[rows], radius[rows]
        if name == "ball":
            d = torch.sqrt(u * u + v * v) - r
        elif name == "ring":
            d = (torch.sqrt(u * u + v * v) - 0.84 * r).abs() - 0.26 * r
        elif name == "square":
            d = torch.maximum(u.abs(), v.abs()) - 0.9 * r
        elif name == "triangle":
            d = torch.maximum(v, 0.8660254 * u.abs() - 0.5 * v) - 0.65 * r
        else:
            raise ValueError(f"shape={name!r} is unknown; choose one of {', '.join(SHAPES)}.")
        distance[rows] = d
    return (0.5 - distance).clamp(0, 1)


def render(scenes: list[Scene], centres: torch.Tensor, velocities: torch.Tensor) -> torch.Tensor:
    """Frames of scenes, (N, 3, H, W) in 0..1, with the things at `centres` (N, 2) moving by `velocities` (N, 2) px/frame."""
    n = len(scenes)
    ys, xs = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    back = torch.tensor([BACKGROUNDS[s.background] for s in scenes]).float().div(255).view(n, 2, 3, 1, 1)
    ground = (ys[None, :, :1] - torch.tensor([s.horizon for s in scenes]).view(n, 1, 1) + 0.5).clamp(0, 1)[:, None]
    image = (back[:, 0] * (1 - ground) + back[:, 1] * ground).expand(n, 3, SIZE, SIZE)
    shapes = [s.shape for s in scenes]
    radius = torch.tensor([s.radius for s in scenes]).view(n, 1, 1)
    colour = torch.tensor([COLOURS[s.colour] for s in scenes]).float().div(255).view(n, 3, 1, 1)
    dx, dy = xs - centres[:, 0].view(n, 1, 1), ys - centres[:, 1].view(n, 1, 1)
    mask = shape_mask(shapes, dx, dy, radius)
    moving = (velocities.abs().amax(1) > 0.05).nonzero()[:, 0]
    if len(moving):
        trail = mask.new_zeros(n, SIZE, SIZE)
        names = [shapes[i] for i in moving.tolist()]
        for k in range(TRAIL_COPIES, 0, -1):
            shift = velocities[moving] * (k * TRAIL_STRIDE)
            copy = shape_mask(names, dx[moving] + shift[:, 0, None, None], dy[moving] + shift[:, 1, None, None], radius[moving])
            trail[moving] = torch.maximum(trail[moving], copy * (TRAIL_OPACITY * (1 - (k - 1) / TRAIL_COPIES)))
        mask = torch.maximum(mask, trail)
    mask = mask[:, None]
    return image * (1 - mask) + colour * mask


def render_clip(scene: Scene, num_frames: int, first_frame: float = 0.0) -> torch.Tensor:
    """A scene's frames, (F, 3, H, W) in 0..1."""
    return render_clips([scene], num_frames, [first_frame])[0]


def render_clips(scenes: list[Scene], num_frames: int, first_frames: list[float]) -> torch.Tensor:
    """Several scenes' frames, (B, F, 3, H, W) in 0..1, each beginning at its own time."""
    centres = torch.stack([path(s, num_frames, t) for s, t in zip(scenes, first_frames, strict=True)])
    before = torch.stack([path(s, num_frames, t - 0.25) for s, t in zip(scenes, first_frames, strict=True)])
    velocities = (centres - before) * 4
    each = [scene for scene in scenes for _ in range(num_frames)]
    frames = render(each, centres.flatten(0, 1), velocities.flatten(0, 1))
    return frames.view(len(scenes), num_frames, 3, SIZE, SIZE)


MOTION_WORDS = {
    "still": ("stands still", "standing still"),
    "left": ("drifts left", "drifting left"),
    "right": ("drifts right", "drifting right"),
    "up": ("drifts up", "drifting up"),
    "down": ("drifts down", "drifting down"),
    "bounce": ("bounces", "bouncing"),
    "orbit": ("orbits", "orbiting"),
}


def caption(scene: Scene, rng: random.Random, name_motion: float = 0.7, name_size: float = 0.5) -> str:
    """A caption of the scene in one of several phrasings; motion and size are named with the given probabilities."""
    verb, participle = MOTION_WORDS[scene.motion]
    thing = f"{scene.colour} {scene.shape}"
    if rng.random() < name_size:
        thing = f"{scene.size} {thing}"
    named = rng.random() < name_motion
    if scene.background in LANDSCAPES:
        place = f"in the {scene.background}"
    else:
        place = f"on a {scene.background} background"
    article = "an" if thing[0] == "o" else "a"
    phrasing = rng.randrange(3)
    if phrasing == 0:
        return f"{article} {thing} {verb} {place}" if named else f"{article} {thing} {place}"
    if phrasing == 1:
        return f"{article} {thing} {place}, {participle}" if named else f"{article} {thing} {place}"
    short = scene.background if scene.background in LANDSCAPES else f"{scene.background} background"
    return f"{thing}, {short}, {participle}" if named else f"{thing}, {short}"


def words() -> list[str]:
    """Every word that a caption can hold, sorted, with the comma."""
    seen = {"a", "an", "on", "in", "the", "background", ","}
    seen |= set(COLOURS) | set(BACKGROUNDS) | set(SHAPES) | set(SIZES)
    for phrases in MOTION_WORDS.values():
        for phrase in phrases:
            seen |= set(phrase.split())
    return sorted(seen)
