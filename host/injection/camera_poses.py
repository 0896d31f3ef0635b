"""Camera Poses: a move by name or a pose file's text, joined to another, and their picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ...frame_tools.camera_path import draw_camera_path
from ...motion_modules.camera.moves import MOVES, continued, moved
from ...motion_modules.camera.pose_text import read_pose_text
from ...motion_modules.camera.poses import CameraPoses

FROM_TEXT = "from pose_text"
MOVE_CHOICES = [*MOVES, FROM_TEXT]


@dataclass(frozen=True)
class PoseSettings:
    """What a person chooses. Raises ValueError for settings that make no poses.

    move: one of MOVE_CHOICES. num_frames: poses that are made. speed: 1 = a usual move over 16 frames; of a
    text how many of its lines a frame goes on. focal_length: of a move, as a share of the width. pose_width,
    pose_height: of the video that the poses belong to, in pixels.
    """

    move: str = "zoom in"
    num_frames: int = 16
    speed: float = 1.0
    pose_text: str = ""
    focal_length: float = 0.5
    pose_width: int = 1280
    pose_height: int = 720

    def __post_init__(self) -> None:
        for name in ("num_frames", "pose_width", "pose_height", "focal_length"):
            value = getattr(self, name)
            if not 0 < value < math.inf:  # NaN compares as false
                raise ValueError(f"{name}={value} must be larger than 0 and finite.")
        if not math.isfinite(self.speed) or (self.move == FROM_TEXT and self.speed < 0):
            raise ValueError(
                f"speed={self.speed} must be a finite number, and not below 0 for poses of a text; 1 is "
                "usual."
            )
        if self.pose_text.strip() and self.move != FROM_TEXT:
            raise ValueError(
                f"pose_text is given and move is '{printable(self.move)}'; set move to '{FROM_TEXT}', or "
                "empty pose_text."
            )

    @property
    def aspect(self) -> float:
        return self.pose_width / self.pose_height

    def made(self, count: int) -> CameraPoses:
        """The first `count` poses."""
        if self.move != FROM_TEXT:
            return moved(self.move, count, self.speed, self.focal_length, self.aspect)
        poses = read_pose_text(self.pose_text, self.aspect)
        numbers = [math.floor(frame * self.speed + 0.5) for frame in range(count)]
        if numbers[-1] >= len(poses):
            raise ValueError(
                f"pose_text holds {len(poses)} poses, {count} of them at speed={self.speed:g} end at pose "
                f"{numbers[-1]}; lower num_frames or speed."
            )
        return poses.of_frames(numbers)


def camera_poses(settings: PoseSettings, before: CameraPoses | None = None) -> CameraPoses:
    """num_frames poses, behind those of `before` where it is given.

    They go on from its last one: a text has a line more for that. Raises ValueError for poses of another
    video's proportions and for a text with too few."""
    if before is None:
        return settings.made(settings.num_frames)
    if not math.isclose(before.aspect, settings.aspect):
        raise ValueError(
            f"pose_width={settings.pose_width}, pose_height={settings.pose_height} must have the proportions "
            f"of the poses that these continue, {before.aspect:.3f} to 1; set the same size in both nodes."
        )
    return continued(before, settings.made(settings.num_frames + 1))


def picture_of(poses: CameraPoses) -> torch.Tensor:
    """An IMAGE of the way of the camera: (1, 512, 512, 3)."""
    return draw_camera_path(poses.to_world(), 0.5 / poses.lens[:, :2])
