"""Camera moves by name, as poses.

Source of the amounts: MotionCtrl's demo (github.com/TencentARC/MotionCtrl), which ComfyUI's node for Wan
follows: 1.5 units and 60 degrees over 16 frames, twice as far into the picture. Tilt, turn and orbit
are ours.
Axes: x to the right, y down, z into the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from .poses import CameraPoses

STEP, ANGLE, FRAMES = 1.5, math.pi / 3, 16
ORBIT = 3.0
"""How far in front of the camera the point lies that an orbit goes around."""


@dataclass(frozen=True)
class Move:
    """shift: (x, y, z) of the camera in its own axes. turn: angles around them. distance: of the point that
    it turns around, along its view; 0 is the camera itself.
    """

    shift: tuple[float, float, float] = (0, 0, 0)
    turn: tuple[float, float, float] = (0, 0, 0)
    distance: float = 0.0

    def at(self, amount: float) -> torch.Tensor:
        """From the moved camera to where it started, (4, 4); amount 1 is the move of 16 frames at speed 1."""
        pose = torch.eye(4, dtype=torch.float64)
        x, y, z = (amount * ANGLE * angle for angle in self.turn)
        pose[:3, :3] = _about(2, z) @ _about(1, y) @ _about(0, x)
        centre = torch.tensor([0.0, 0.0, self.distance], dtype=torch.float64)
        shift = torch.tensor(self.shift, dtype=torch.float64)
        pose[:3, 3] = amount * STEP * shift + centre - pose[:3, :3] @ centre
        return pose


MOVES: dict[str, Move] = {
    "hold": Move(),
    "pan left": Move(shift=(-1, 0, 0)),
    "pan right": Move(shift=(1, 0, 0)),
    "pan up": Move(shift=(0, -1, 0)),
    "pan down": Move(shift=(0, 1, 0)),
    "zoom in": Move(shift=(0, 0, 2)),
    "zoom out": Move(shift=(0, 0, -2)),
    "tilt up": Move(turn=(1, 0, 0)),
    "tilt down": Move(turn=(-1, 0, 0)),
    "turn left": Move(turn=(0, -1, 0)),
    "turn right": Move(turn=(0, 1, 0)),
    "roll clockwise": Move(turn=(0, 0, 1)),
    "roll anticlockwise": Move(turn=(0, 0, -1)),
    "orbit left": Move(turn=(0, 1, 0), distance=ORBIT),
    "orbit right": Move(turn=(0, -1, 0), distance=ORBIT),
}
"""Name -> how the camera moves."""


def _about(axis: int, angle: float) -> torch.Tensor:
    """The rotation (3, 3) around x, y or z by an angle in radians."""
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn = torch.eye(3, dtype=torch.float64)
    turn[first, first] = turn[second, second] = math.cos(angle)
    turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
    return turn


def moved(move: str, num_frames: int, speed: float, focal_length: float, aspect: float) -> CameraPoses:
    """The poses of a camera that moves evenly from its first frame on. speed: 1 is the published amount over
    16 frames, however many there are. focal_length: share of the width. Raises ValueError for another move.
    """
    if move not in MOVES:
        raise ValueError(f"move='{printable(move)}' is not known; choose one of {', '.join(MOVES)}.")
    to_start = torch.stack([MOVES[move].at(speed * frame / FRAMES) for frame in range(num_frames)])
    lens = torch.tensor([focal_length, focal_length * aspect, 0.5, 0.5], dtype=torch.float64)
    return CameraPoses(torch.linalg.inv(to_start), lens.repeat(num_frames, 1), aspect)


def continued(before: CameraPoses, after: CameraPoses) -> CameraPoses:
    """The poses of `after` behind those of `before`: its first one is where the last one of `before` is.

    That pose is there once."""
    relative = after.to_camera @ torch.linalg.inv(after.to_camera[:1])
    to_camera = torch.cat((before.to_camera, relative[1:] @ before.to_camera[-1:]))
    return CameraPoses(to_camera, torch.cat((before.lens, after.lens[1:])), before.aspect)
