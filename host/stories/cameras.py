"""The cameras of a storyboard: poses for a module with camera control, and strengths for MotionLoRAs."""

from __future__ import annotations

import math

import torch

from ...frame_values import FrameValues, frame_values
from ...motion_modules.camera.moves import continued, moved
from ...motion_modules.camera.poses import CameraPoses
from ...storyboards.scenes import MORPH, Storyboard


def storyboard_poses(
    board: Storyboard, focal_length: float, pose_width: int, pose_height: int
) -> CameraPoses:
    """A pose for each frame: behind a cut or a fade the camera is at its start again, a morph goes on.

    focal_length: share of the width. pose_width, pose_height: pixels, only their proportions matter. Raises
    ValueError for values that are not above 0.
    """
    sizes = {"focal_length": focal_length, "pose_width": pose_width, "pose_height": pose_height}
    for name, value in sizes.items():
        if not 0 < value < math.inf:  # NaN compares as false
            raise ValueError(f"{name}={value} must be larger than 0 and finite.")
    aspect = pose_width / pose_height
    pieces: list[CameraPoses] = []
    goes_on = False
    for scene in board.scenes:
        lens = scene.speed, focal_length, aspect
        if goes_on:
            pieces[-1] = continued(pieces[-1], moved(scene.camera, scene.num_frames + 1, *lens))
        else:
            pieces.append(moved(scene.camera, scene.num_frames, *lens))
        goes_on = scene.transition.kind == MORPH
    return CameraPoses(
        torch.cat([poses.to_camera for poses in pieces]), torch.cat([poses.lens for poses in pieces]), aspect
    )


def storyboard_values(board: Storyboard, camera: str, factor: float) -> FrameValues:
    """Values over frames: the speed of a camera move times a factor in its scenes, 0 in the others.

    Raises ValueError for a move of no scene and a factor that is not finite.
    """
    if not math.isfinite(factor):
        raise ValueError(f"strength={factor} must be a finite number; 1 is the speed of the script.")
    return frame_values([factor * value for value in board.camera_values(camera)])
