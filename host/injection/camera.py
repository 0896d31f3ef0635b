"""Camera control on a motion module: its file, and the poses of a run."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

import torch

from ...foreign_text import printable
from ...memory import check_memory
from ...motion_modules.camera.camera_ctrl import PIXELS, RAY
from ...motion_modules.camera.condition import CameraCondition
from ...motion_modules.camera.controls import METHODS, control_of
from ...motion_modules.camera.poses import CameraPoses
from ...motion_modules.camera.sites import site_of
from ...motion_modules.file_tensors import plain_tensors
from ..files.model_files import MOTION_MODULES, find_model_file, read_tensors
from ..node_notes import current_node, say
from .motion_models import MotionModule, extended

_COPIES = 3
"""Of a window's rays, while they are made."""


def add_camera_control(module: MotionModule, name: str) -> MotionModule:
    """The module with the camera control of a file of the motion module folders; module is not changed.

    Raises ValueError when the file is missing, something else or damaged, or does not fit."""
    return add_camera_control_from_file(module, find_model_file(MOTION_MODULES, name))


def add_camera_control_from_file(module: MotionModule, path: str) -> MotionModule:
    """`add_camera_control` by path."""
    name = os.path.basename(path)
    tensors = plain_tensors(read_tensors(path))
    control = control_of(tensors, name)
    if module.method.name != "AnimateDiff":
        raise ValueError(
            f"'{printable(module.name)}' is a module of {printable(module.method.name)}, "
            f"{control.method.name} goes on a plain AnimateDiff module; load v3_sd15_mm.ckpt."
        )
    config, more = control.read(tensors, module.config, name)
    if free := set(module.config.site_channels) - {site_of(key) for key in tensors}:
        say(
            f"'{printable(name)}' steers no layer at {printable(', '.join(sorted(free)))}; it was made for a "
            "v3 module. The camera may move less.",
            current_node(),
        )
    made = extended(module, control.method, config, more)
    return replace(made, name=f"{module.name} + {name}")


@dataclass(frozen=True)
class CameraMove:
    """The poses of a run, at least one for each frame of a video. strength: of the camera, 1 = as trained."""

    poses: CameraPoses
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength):
            raise ValueError(f"strength={self.strength} must be a finite number; 1 is as trained, 0 is off.")

    def for_run(self, model, shape: torch.Size, num_frames: int) -> CameraCondition:
        """The poses of a video of num_frames. shape: of the latents (N, 4, H, W).

        Raises ValueError for fewer poses than frames and for rays that do not fit into memory."""
        if len(self.poses) < num_frames:
            raise ValueError(
                f"camera_poses holds {len(self.poses)} poses and the video has {num_frames} frames; set "
                f"num_frames of Camera Poses to {num_frames}, or join another move."
            )
        height, width = (PIXELS * size for size in shape[2:])
        needed = _COPIES * 4 * RAY * min(num_frames, 16) * height * width
        check_memory(needed, f"camera rays of {width}x{height}", "make smaller frames")
        return CameraCondition(self.poses.of_frames(range(num_frames)), shape[2:], self.strength)


def move_camera(module: MotionModule, move: CameraMove) -> MotionModule:
    """The module with the poses of its camera; module is not changed.

    Raises ValueError for a module without camera control."""
    if module.method not in METHODS:
        raise ValueError(
            f"'{printable(module.name)}' is a module of {printable(module.method.name)} without camera "
            "control; put the node 'Load Camera Control' in front of Move Camera."
        )
    return replace(module, inputs=move)
