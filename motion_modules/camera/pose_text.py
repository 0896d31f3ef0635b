"""Pose files as text: RealEstate10K's lines, which CameraCtrl reads.

Source: Zhou et al. 2018, arXiv 1805.09817 (google.github.io/realestate10k). The first line is the video's
address. Each other line is a frame: a time stamp, fx fy cx cy as shares of width and height, two zeros, and
the twelve numbers of [R|t] from the world to the camera, row by row.
"""

from __future__ import annotations

import math

import torch

from ...foreign_text import printable
from .poses import CameraPoses

NUMBERS = 19
"""In the line of a frame."""
_ROTATION = 1e-2
"""How far R may be from a rotation: files have few digits."""


def read_pose_text(text: str, aspect: float) -> CameraPoses:
    """The poses of a pose file. aspect: width divided by height of its video.

    A first line of another kind is taken for the address. Raises ValueError naming the line that is broken.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and len(lines[0][1]) != NUMBERS:
        lines = lines[1:]
    if not lines:
        raise ValueError(
            f"pose_text holds no poses: it needs a line of {NUMBERS} numbers for each frame (time stamp, fx "
            "fy cx cy, 0 0, and [R|t] from the world to the camera); paste a RealEstate10K pose file."
        )
    rows = torch.tensor([_numbers(number, words) for number, words in lines], dtype=torch.float64)
    to_camera = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    to_camera[:, :3] = rows[:, 7:].unflatten(1, (3, 4))
    _check_rotations(to_camera[:, :3, :3], [number for number, _ in lines])
    return CameraPoses(to_camera, rows[:, 1:5], aspect)


def _numbers(number: int, words: list[str]) -> list[float]:
    if len(words) != NUMBERS:
        raise ValueError(
            f"pose_text line {number} has {len(words)} numbers, the line of a frame needs {NUMBERS} (time "
            "stamp, fx fy cx cy, 0 0, and twelve of [R|t]); add what is missing."
        )
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(
                f"pose_text line {number}: '{printable(word)}' is not a finite number; write it with digits."
            )
        values.append(value)
    for name, value in (("fx", values[1]), ("fy", values[2])):
        if value <= 0:
            raise ValueError(
                f"pose_text line {number}: {name}={value:g} must be larger than 0; it is the focal length as "
                "a share of the size."
            )
    return values


def _check_rotations(rotations: torch.Tensor, lines: list[int]) -> None:
    off = (rotations @ rotations.transpose(1, 2) - torch.eye(3, dtype=torch.float64)).abs().amax((1, 2))
    wrong = (off > _ROTATION) | (torch.linalg.det(rotations) <= 0)
    if wrong.any():
        raise ValueError(
            f"pose_text line {lines[int(wrong.nonzero()[0])]}: its nine numbers of R are no rotation; the "
            "order is R11 R12 R13 t1 R21 R22 R23 t2 R31 R32 R33 t3."
        )
