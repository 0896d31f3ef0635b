"""The frame rate that temporal layers are told, from the node to the network."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...motion_modules.frame_rate import METHOD
from .motion_models import MotionModule, with_inputs

LEAST, MOST = 0.01, 240.0


@dataclass(frozen=True)
class FrameRate:
    """fps: frames per second, as the layers were told in training. Raises ValueError for another number."""

    fps: float

    def __post_init__(self) -> None:
        if not LEAST <= self.fps <= MOST:  # NaN compares as false
            raise ValueError(f"fps={self.fps} must be {LEAST:g} to {MOST:g} frames per second; change it.")

    def for_run(self, model, shape: torch.Size, num_frames: int) -> float:
        """The same in every run."""
        return self.fps


def set_frame_rate(motion_module: MotionModule, rate: FrameRate) -> MotionModule:
    """The embedding with the rate that it tells; motion_module is not changed.

    Raises ValueError for a module of another method.
    """
    return with_inputs(motion_module, METHOD, rate, "frame rate")
