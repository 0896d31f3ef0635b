"""The world seen by a camera that moves as Camera Poses says.

The world is a picture DISTANCE units in front of the first camera. A pinhole camera sees it from each pose,
so one curve of poses says for every frame where the thing is, how large, and where the horizon is.
Letters: F frames.
"""

from __future__ import annotations

import dataclasses
import random

import torch

from ..motion_modules.call import Call
from ..motion_modules.camera.moves import continued, moved
from ..motion_modules.camera.poses import CameraPoses
from . import world

DISTANCE = 9.0
"""Of the picture, in the unit of the poses: "zoom in" at speed 1 enlarges it 1.5 times in 16 frames."""
FOCAL_LENGTH, ASPECT = 0.5, 1280 / 720  # the defaults of Camera Poses
SPEEDS = {"pan": (1.2, 2.4), "zoom": (0.6, 1.1)}  # of moves that are trained, by kind
HELD, IN_TURN = 0.08, 0.45  # shares of curves in which the camera stands, and in which it does two things
BACK = 0.4  # share of those in which the second undoes the first
LEAST_MARGIN, RADII, HORIZONS = 2.0, (15.0, 31.0), (35.0, 115.0)  # pixels: what stays in view of a thing
MOST_DRAWS = 300


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The move of a MotionLoRA that knows one. speed: at which Camera Poses goes as far as it does. place: of
    the number of MotionCtrl's matrix that grows with its way.
    """

    move: str
    speed: float
    place: int

    def shares(self, poses: CameraPoses) -> torch.Tensor:
        """How strong it has to be in each frame (F,) for its part of the way to be that of the poses: it goes
        evenly, so what it does to a frame grows with the frame's number.
        """
        way = poses.matrices()[:, self.place]
        own = curve(self.move, len(poses), self.speed).matrices()[:, self.place]
        shares = way[1:] / own[1:]
        return torch.cat([shares[:1], shares])


TEACHERS = {
    "pan": Teacher("pan right", 2.1, 3),
    "rise": Teacher("pan up", 2.1, 7),
    "zoom": Teacher("zoom in", 1.0, 11),
}
"""Training stage of each -> what it teaches."""
OFTEN = ("zoom",)  # drawn twice as often: what it changes is less
UNDONE = {"pan right": "pan left", "pan up": "pan down", "zoom in": "zoom out"}


@dataclasses.dataclass(frozen=True)
class TaughtCurve:
    """A curve of the camera whose way teachers know. shares: of each in each frame (F,), of the curve as they
    go it. backwards: whether `poses` are that curve from its end to its beginning.
    """

    poses: CameraPoses
    shares: dict[str, torch.Tensor]
    backwards: bool = False

    @property
    def holds(self) -> bool:
        return not any(bool(share.any()) for share in self.shares.values())


def curve(first: str, num_frames: int, speed: float, then: str = "", then_speed: float = 0.0) -> CameraPoses:
    """The poses of a move by name, or of two, each in half of the frames, as Camera Poses makes them."""
    half = num_frames - num_frames // 2 if then else num_frames
    poses = moved(first, half, speed, FOCAL_LENGTH, ASPECT)
    if not then:
        return poses
    return continued(poses, moved(then, num_frames - half + 1, then_speed, FOCAL_LENGTH, ASPECT))


def seen_by(seen: world.Poses, camera: CameraPoses) -> world.Poses:
    """What a camera sees (F,) of what the first pose sees at each time."""
    fx, fy, cx, cy = camera.pixels(world.SIZE, world.SIZE).unbind(-1)
    centres, horizons = seen.centres.double(), seen.horizons.double()
    to_camera = camera.to_camera @ torch.linalg.inv(camera.to_camera[:1])

    def project(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        far = torch.full_like(x, DISTANCE)
        point = torch.stack([(x - cx[0]) / fx[0] * far, (y - cy[0]) / fy[0] * far, far, far / far], -1)
        x, y, z, _ = (to_camera @ point[..., None])[..., 0].unbind(-1)
        return fx * x / z + cx, fy * y / z + cy, DISTANCE / z

    x, y, scale = project(*centres.unbind(-1))
    _, horizon, _ = project(cx, horizons)
    return dataclasses.replace(
        seen, centres=torch.stack([x, y], -1).float(), radii=(seen.radii * scale).float(),
        horizons=horizon.float(),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ToldCameras:
    """What MotionCtrl's layers read in training: the cameras of B clips of a batch, each of its own.

    told: (B,) whether a clip's camera is told; zeros stand for one that is not.
    """

    cameras: tuple[CameraPoses, ...]
    told: torch.Tensor
    strength: float = 1.0

    def matrices(self, _call: Call) -> torch.Tensor:
        """The twelve numbers of each frame (B * F, 12)."""
        rows = torch.stack([camera.matrices() for camera in self.cameras])
        return (rows * self.told.cpu()[:, None, None]).flatten(0, 1)


def draw_curve(rng: random.Random, seen: world.Poses) -> tuple[TaughtCurve, world.Poses]:
    """A curve of the camera, and what it sees (F,) of `seen`: the thing stays in view.

    The camera holds where no curve is found that keeps it there.
    """
    for _ in range(MOST_DRAWS if rng.random() >= HELD else 0):
        drawn = _taught(curve(*_moves(rng, len(seen.radii))), rng.random() < 0.5)
        if _in_view(found := seen_by(seen, drawn.poses)):
            return drawn, found
    return _taught(curve("hold", len(seen.radii), 1.0), False), seen


def _moves(rng: random.Random, num_frames: int) -> tuple:
    first = rng.choice((*TEACHERS, *OFTEN))
    move, speed = TEACHERS[first].move, rng.uniform(*SPEEDS[TEACHERS[first].move.split()[0]])
    if rng.random() >= IN_TURN:
        return move, num_frames, speed
    if rng.random() < BACK:
        return move, num_frames, speed, UNDONE[move], speed
    then = TEACHERS[rng.choice([stage for stage in TEACHERS if stage != first])].move
    return move, num_frames, speed, then, rng.uniform(*SPEEDS[then.split()[0]])


def _taught(poses: CameraPoses, backwards: bool) -> TaughtCurve:
    shares = {stage: teacher.shares(poses) for stage, teacher in TEACHERS.items()}
    order = list(range(len(poses)))
    return TaughtCurve(poses.of_frames(order[::-1]) if backwards else poses, shares, backwards)


def _in_view(seen: world.Poses) -> bool:
    room = torch.minimum(seen.centres, world.SIZE - seen.centres).amin(1) - seen.radii
    limits = ((seen.radii, RADII), (seen.horizons, HORIZONS))
    inside = all(low <= float(v.min()) and float(v.max()) <= high for v, (low, high) in limits)
    return inside and float(room.min()) >= LEAST_MARGIN
