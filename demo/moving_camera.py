"""The world seen by a camera that moves as Camera Poses says.

The world is a picture DISTANCE units in front of the first camera. A pinhole camera sees it from each pose,
so one curve of poses says for every frame where the thing is, how large, and where the horizon is.
Letters: F frames.
"""

from __future__ import annotations

import dataclasses

import torch

from ..motion_modules.camera.moves import continued, moved
from ..motion_modules.camera.poses import CameraPoses
from . import world

DISTANCE = 9.0
"""Of the picture, in the unit of the poses: "zoom in" at speed 1 enlarges it 1.5 times in 16 frames."""
FOCAL_LENGTH, ASPECT = 0.5, 1280 / 720  # the defaults of Camera Poses


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
