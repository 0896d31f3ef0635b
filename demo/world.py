"""A procedural world of one moving thing, with captions and ground truth; everything follows from a seed.

A scene is one coloured shape on a plain background or in front of a two-tone landscape, moving in a known
way, seen by a camera that stands still, pans or zooms. A thing that moves leaves a pale trail behind it, so
that a single frame already tells where it is going; what the camera does leaves none. Frames are RGB in 0..1,
shape (F, 3, H, W); places are in pixels, x to the right and y down, times in frames.
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
DRIFTS = ("left", "right", "up", "down")
IN_PLACE = ("still", "grow", "shrink", "spin", "blink")
MOTIONS = ("still", *DRIFTS, "bounce", "orbit", "grow", "shrink", "spin", "blink")
TURNABLE = ("square", "triangle")  # shapes that look different when they turn
CAMERAS = ("pan left", "pan right", "pan up", "pan down", "zoom in", "zoom out")
# Combinations that even a person could not tell apart.
HARD_TO_SEE = {("green", "meadow"), ("yellow", "desert"), ("pink", "white"), ("yellow", "white")}

# Every shape as half-planes and circles of radius 1: area, and how far its centroid lies below its centre.
SHAPE_AREA = {
    "ball": math.pi,
    "square": 1.8**2,
    "triangle": 1.3**2 * 3**1.5 / 4,
    "ring": math.pi * (1.1**2 - 0.58**2),
}
HOP_FRAMES = 14
TRAIL_OPACITY = 0.38
TRAIL_COPIES = 3
TRAIL_STRIDE = 1.3  # frames between two copies of the trail
RADII = (17.0, 29.0)  # between which growing and shrinking things change
BLINK_FRAMES, BLINK_SEEN = 8, 5  # period of blinking, and for how much of it the thing is there
MOST_DRAWS = 3000  # of which one should do
CAMERA_FRAMES = 15  # frames that a camera moves; after that it stands


@dataclasses.dataclass(frozen=True)
class Scene:
    """One thing, its surroundings, what it does and what the camera does;
    lengths in pixels, times in frames.
    """

    shape: str
    colour: str
    background: str
    size: str
    radius: float  # of a growing or shrinking thing: at time 0
    motion: str
    start: tuple[
        float, float
    ]  # where the path begins (drifts), its centre (orbit, in place), its ground point (bounce)
    speed: float  # per frame: pixels along the path or of the radius, radians of an orbit or a turn
    reach: float  # height of a hop, radius of an orbit, otherwise 0
    phase: float  # where in the period the path begins, 0..1
    horizon: float
    camera: str = "fixed"
    camera_travel: float = 0.0  # pixels of a whole pan; natural logarithm of a whole zoom's factor

    @property
    def margin(self) -> float:
        """Smallest distance in pixels between the thing's centre and the frame's border."""
        return margin(RADII[1] if self.motion in ("grow", "shrink") else self.radius)


def margin(radius: float) -> float:
    """Smallest distance in pixels between the centre of a thing of this radius and the frame's border."""
    return 1.3 * radius + 3


@dataclasses.dataclass(frozen=True)
class Poses:
    """Where a thing is seen and how, each (F,) or, centres, (F, 2);
    angles in radians, opacities and ground 0 or more.
    """

    centres: torch.Tensor
    radii: torch.Tensor
    angles: torch.Tensor
    opacities: torch.Tensor
    horizons: torch.Tensor

    @staticmethod
    def stack(each: list[Poses]) -> Poses:
        """The poses of several clips, one after the other."""
        return Poses(*(torch.cat([getattr(p, f.name) for p in each]) for f in dataclasses.fields(Poses)))

    def split(self, num_frames: int) -> list[Poses]:
        """The poses of each clip of num_frames."""
        parts = (getattr(self, f.name).split(num_frames) for f in dataclasses.fields(Poses))
        return [Poses(*each) for each in zip(*parts, strict=True)]

    def to(self, device: torch.device | str) -> Poses:
        """The same poses on another device."""
        return Poses(*(getattr(self, f.name).to(device) for f in dataclasses.fields(Poses)))


def random_scene(rng: random.Random, motion: str | None = None, camera: str = "fixed", **fixed: str) -> Scene:
    """Draw a scene; `motion`, `camera`, `shape`, `colour`, `background` and `size` may be fixed by name.

    Raises ValueError when the fixed colour cannot be seen on the fixed background,
    or the fixed shape cannot be seen to turn, or the motion does not stay in view
    while the camera moves, as none that grows does while the camera comes closer.
    """
    if fixed.get("colour") and fixed.get("background") and not visible(fixed["colour"], fixed["background"]):
        raise ValueError(
            f"colour={fixed['colour']} must differ from background={fixed['background']}; choose another of"
            " the two."
        )
    if motion == "spin" and fixed.get("shape", "square") not in TURNABLE:
        raise ValueError(
            f"shape={fixed['shape']} looks the same when it turns; choose one of {', '.join(TURNABLE)}."
        )
    for _ in range(MOST_DRAWS):
        scene = _draw(rng, motion, camera, fixed)
        if not visible(scene.colour, scene.background) or (
            scene.motion == "spin" and scene.shape not in TURNABLE
        ):
            continue
        if camera == "fixed" or _stays_in_view(scene):
            return scene
    raise ValueError(
        f"motion={motion} does not stay in view while camera={camera}; choose another of the two."
    )


def _draw(rng: random.Random, motion: str | None, camera: str, fixed: dict[str, str]) -> Scene:
    motion = motion or rng.choice(MOTIONS)
    shape = fixed.get("shape") or rng.choice(TURNABLE if motion == "spin" else SHAPES)
    size = fixed.get("size") or ("big" if motion == "spin" else rng.choice(tuple(SIZES)))
    colour = fixed.get("colour") or rng.choice(tuple(COLOURS))
    background = fixed.get("background") or rng.choice(tuple(BACKGROUNDS))
    radius = rng.uniform(*SIZES[size])
    speed, reach, phase = 0.0, 0.0, rng.random()
    if motion in ("grow", "shrink"):
        low, high = margin(RADII[1]), SIZE - margin(RADII[1])
        travel = rng.uniform(0.75, 1.0) * (RADII[1] - RADII[0])
        radius = rng.uniform(RADII[0], RADII[1] - travel)
        radius, speed = (radius if motion == "grow" else RADII[0] + RADII[1] - radius), travel / 15
    low, high = (
        (margin(RADII[1]), SIZE - margin(RADII[1])) if speed else (margin(radius), SIZE - margin(radius))
    )
    x, y = rng.uniform(low, high), rng.uniform(low, high)
    if motion in DRIFTS:
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
    elif motion == "spin":
        speed = math.radians(rng.uniform(7, 11))
    travel = 0.0
    if camera != "fixed":
        travel = rng.uniform(30, 45) if camera.startswith("pan") else math.log(rng.uniform(1.4, 1.6))
    return Scene(
        shape,
        colour,
        background,
        size,
        radius,
        motion,
        (x, y),
        speed,
        reach,
        phase,
        rng.uniform(70, 95),
        camera,
        travel,
    )


def _stays_in_view(scene: Scene) -> bool:
    seen = poses(scene, CAMERA_FRAMES + 1)
    room = torch.minimum(seen.centres, SIZE - seen.centres).amin(1) - 1.3 * seen.radii - 3
    inside = (
        bool((room >= 0).all())
        and RADII[0] - 2 <= float(seen.radii.min())
        and float(seen.radii.max()) <= RADII[1] + 2
    )
    return inside and float(seen.horizons.min()) >= 45 and float(seen.horizons.max()) <= 105


def scene_from_seed(seed: int, **fixed: str) -> Scene:
    """The scene of a seed; equal seeds give equal scenes on every machine."""
    return random_scene(random.Random(seed), **fixed)


def visible(colour: str, background: str) -> bool:
    """Whether a thing of this colour stands out from this background."""
    return colour != background and (colour, background) not in HARD_TO_SEE


def path(scene: Scene, num_frames: int, first_frame: float = 0.0) -> torch.Tensor:
    """Centres of the thing where the camera stands still, (F, 2) as x, y;
    straight paths turn back at the border.
    """
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


def poses(scene: Scene, num_frames: int, first_frame: float = 0.0, camera: bool = True) -> Poses:
    """What is seen of the thing at each time; `camera=False` leaves out what the camera does."""
    time = torch.arange(num_frames, dtype=torch.float64) + first_frame
    centres = path(scene, num_frames, first_frame)
    radii, angles = torch.full_like(time, scene.radius), torch.zeros_like(time)
    opacities, horizons = torch.ones_like(time), torch.full_like(time, scene.horizon)
    if scene.motion in ("grow", "shrink"):
        radii = _reflect(scene.radius + scene.speed * time * (1 if scene.motion == "grow" else -1), *RADII)
    elif scene.motion == "spin":
        angles = scene.speed * time + 2 * math.pi * scene.phase
    elif scene.motion == "blink":
        opacities = (((time + scene.phase * BLINK_FRAMES) % BLINK_FRAMES) < BLINK_SEEN).to(time.dtype)
    if camera and scene.camera != "fixed":
        done = (time / CAMERA_FRAMES).clamp(0, 1)
        if scene.camera.startswith("pan"):
            # What is seen moves against the camera.
            along = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}[scene.camera[4:]]
            shift = done[:, None] * scene.camera_travel * torch.tensor(along, dtype=time.dtype)
            centres, horizons = centres + shift, horizons + shift[:, 1]
        else:
            factor = torch.exp(done * scene.camera_travel * (1 if scene.camera == "zoom in" else -1))
            centres = SIZE / 2 + (centres - SIZE / 2) * factor[:, None]
            radii, horizons = radii * factor, SIZE / 2 + (horizons - SIZE / 2) * factor
    return Poses(*(value.float() for value in (centres, radii, angles, opacities, horizons)))


def _reflect(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    span = high - low
    x = (x - low) % (2 * span)
    return low + torch.where(x > span, 2 * span - x, x)


def shape_mask(shapes: list[str], dx: torch.Tensor, dy: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """Coverage 0..1 of shapes, (N, H, W),
    from each pixel's offset to the centre (N, H, W) and the radii (N, 1, 1).
    """
    distance = torch.empty_like(dx)
    for name in set(shapes):
        rows = torch.tensor([i for i, shape in enumerate(shapes) if shape == name], device=dx.device)
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


def render(scenes: list[Scene], seen: Poses, rates: Poses) -> torch.Tensor:
    """Frames (N, 3, H, W) in 0..1 of N scenes posed as `seen`, the trail drawn from `rates`, the poses'
    change per frame; on the device of the poses.
    """
    n, device = len(scenes), seen.radii.device
    ys, xs = pixel_centres(device)
    back = (
        torch.tensor([BACKGROUNDS[s.background] for s in scenes], device=device)
        .float()
        .div(255)
        .view(n, 2, 3, 1, 1)
    )
    ground = (ys[None, :, :1] - seen.horizons.view(n, 1, 1) + 0.5).clamp(0, 1)[:, None]
    image = (back[:, 0] * (1 - ground) + back[:, 1] * ground).expand(n, 3, SIZE, SIZE)
    colour = (
        torch.tensor([COLOURS[s.colour] for s in scenes], device=device).float().div(255).view(n, 3, 1, 1)
    )
    mask = silhouettes(scenes, seen, xs, ys)
    fastest = torch.stack(
        [rates.centres.abs().amax(1), rates.radii.abs(), seen.radii * rates.angles.abs()]
    ).amax(0)
    moving = (fastest > 0.05).nonzero()[:, 0].tolist()
    if moving:
        trail = mask.new_zeros(len(moving), SIZE, SIZE)
        movers = [scenes[i] for i in moving]
        for k in range(TRAIL_COPIES, 0, -1):
            back_then = k * TRAIL_STRIDE
            earlier = Poses(
                *(
                    getattr(seen, f.name)[moving] - back_then * getattr(rates, f.name)[moving]
                    for f in dataclasses.fields(Poses)
                )
            )
            copy = silhouettes(movers, earlier, xs, ys)
            trail = torch.maximum(trail, copy * (TRAIL_OPACITY * (1 - (k - 1) / TRAIL_COPIES)))
        mask[moving] = torch.maximum(mask[moving], trail)
    mask = (mask * seen.opacities.view(n, 1, 1))[:, None]
    return image * (1 - mask) + colour * mask


def pixel_centres(device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """y and x of every pixel's centre, each (H, W)."""
    along = torch.arange(SIZE, device=device) + 0.5
    return torch.meshgrid(along, along, indexing="ij")


def silhouettes(scenes: list[Scene], seen: Poses, xs: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    """Coverage 0..1 of N posed things at the pixel centres xs, ys (H, W), as (N, H, W)."""
    n = len(scenes)
    dx, dy = xs - seen.centres[:, 0].view(n, 1, 1), ys - seen.centres[:, 1].view(n, 1, 1)
    if bool(seen.angles.abs().amax() > 0):
        cos, sin = seen.angles.cos().view(n, 1, 1), seen.angles.sin().view(n, 1, 1)
        dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    return shape_mask([s.shape for s in scenes], dx, dy, seen.radii.view(n, 1, 1))


def hints(scenes: list[Scene], num_frames: int, first_frames: list[float]) -> torch.Tensor:
    """What the ControlNet is told:
    each thing's outline filled white on black, without trail, (B, F, 3, H, W).
    """
    seen = Poses.stack([poses(s, num_frames, t) for s, t in zip(scenes, first_frames, strict=True)])
    return outlines([s for s in scenes for _ in range(num_frames)], seen).unflatten(
        0, (len(scenes), num_frames)
    )


def outlines(scenes: list[Scene], seen: Poses) -> torch.Tensor:
    """`hints` of N scenes already posed, (N, 3, H, W)."""
    ys, xs = pixel_centres(seen.radii.device)
    blobs = silhouettes(scenes, seen, xs, ys) * seen.opacities.view(-1, 1, 1)
    return blobs[:, None].expand(-1, 3, -1, -1)


def render_clip(scene: Scene, num_frames: int, first_frame: float = 0.0) -> torch.Tensor:
    """A scene's frames, (F, 3, H, W) in 0..1."""
    return render_clips([scene], num_frames, [first_frame])[0]


def render_clips(scenes: list[Scene], num_frames: int, first_frames: list[float]) -> torch.Tensor:
    """Several scenes' frames, (B, F, 3, H, W) in 0..1, each beginning at its own time."""
    each = [scene for scene in scenes for _ in range(num_frames)]
    frames = render(each, *posed_clips(scenes, num_frames, first_frames))
    return frames.view(len(scenes), num_frames, 3, SIZE, SIZE)


def posed_clips(scenes: list[Scene], num_frames: int, first_frames: list[float]) -> tuple[Poses, Poses]:
    """What `render` takes besides the scenes of B clips: the B * F poses and their change per frame."""

    def all_poses(earlier: float, camera: bool) -> Poses:
        return Poses.stack(
            [poses(s, num_frames, t - earlier, camera) for s, t in zip(scenes, first_frames, strict=True)]
        )

    now, before = all_poses(0.0, camera=False), all_poses(0.25, camera=False)
    rates = Poses(*((getattr(now, f.name) - getattr(before, f.name)) * 4 for f in dataclasses.fields(Poses)))
    return all_poses(0.0, camera=True), rates


# Name -> its phrasings, each as a verb and a participle.
MOTION_WORDS = {
    "still": (("stands still", "standing still"),),
    **{way: ((f"drifts {way}", f"drifting {way}"), (f"moves {way}", f"moving {way}")) for way in DRIFTS},
    "bounce": (("bounces", "bouncing"),),
    "orbit": (("orbits", "orbiting"),),
    "grow": (("grows", "growing"),),
    "shrink": (("shrinks", "shrinking"),),
    "spin": (("spins", "spinning"),),
    "blink": (("blinks", "blinking"),),
}


PLACES = (
    ("at the top left", "at the top", "at the top right"), ("at the left", "in the middle", "at the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)  # fmt: skip
MIDDLE = (
    54.0,
    74.0,
)  # between which, in pixels, a thing's centre is neither left nor right, neither top nor bottom


def place_of(scene: Scene, time: float) -> str:
    """The words for where a thing is seen at a time."""
    column, row = (sum(c > edge for edge in MIDDLE) for c in poses(scene, 1, time).centres[0].tolist())
    return PLACES[row][column]


def caption(
    scene: Scene, rng: random.Random, name_motion: float = 0.7, name_size: float = 0.5, where: str = ""
) -> str:
    """A caption of the scene in one of several phrasings; motion and size are named with the given
    probabilities, and its place is, where it is one of PLACES.

    Blinking is always named, so that nobody gets an empty
    picture unasked; the size of what grows or shrinks never is.
    """
    verb, participle = rng.choice(MOTION_WORDS[scene.motion])
    thing = f"{scene.colour} {scene.shape}"
    if rng.random() < name_size and scene.motion not in ("grow", "shrink"):
        thing = f"{scene.size} {thing}"
    article = "an" if thing[0] == "o" else "a"
    thing = f"{thing} {where}" if where else thing
    named = rng.random() < name_motion or scene.motion == "blink"
    if scene.background in LANDSCAPES:
        place = f"in the {scene.background}"
    else:
        place = f"on a {scene.background} background"
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
    seen |= (
        set(COLOURS)
        | set(BACKGROUNDS)
        | set(SHAPES)
        | set(SIZES)
        | {w for row in PLACES for place in row for w in place.split()}
    )
    for phrases in MOTION_WORDS.values():
        for pair in phrases:
            seen |= {word for phrase in pair for word in phrase.split()}
    return sorted(seen)
