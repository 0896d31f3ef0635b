"""How a motion module acts on a MODEL: what a person chooses in Apply Motion Module, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...foreign_text import printable
from ...frame_values import FrameValues
from .schedule import AUTO, BETA_SCHEDULE_CHOICES

PER_FRAME = "per frame"
JOINT = "over all frames (AnimateDiff v1)"
JOINT_EVOLVED = "over all frames (AnimateDiff-Evolved)"
JOINT_MODULE = "over all frames in the module (SDXL, diffusers)"
AS_EVOLVED = "as AnimateDiff-Evolved"
AS_EVOLVED_OLD = "as AnimateDiff-Evolved, old loaders"
"""What that pack does with a file: per frame for v2 and v3, else over all frames. Its loaders of 2023 do v2
over all frames too, while their apply_v2_models_properly is off.
"""
GROUP_NORM_CHOICES = [AUTO, PER_FRAME, JOINT, JOINT_EVOLVED, JOINT_MODULE, AS_EVOLVED, AS_EVOLVED_OLD]


@dataclass(frozen=True)
class MotionSettings:
    """How a motion module acts on a MODEL. strength 0 = off, 1 = as trained; attention_scale multiplies the
    keys of the attention over frames; percents are 0..1 of the noise schedule.

    frames_per_video: 0 when all images of the batch are one video, else the batch is a row of videos of that
    length.
    Raises ValueError with rule, value and remedy on settings that make no sense.
    """

    strength: float | FrameValues = 1.0
    start_percent: float = 0.0
    end_percent: float = 1.0
    beta_schedule: str = AUTO
    group_norm: str = AUTO
    frames_per_video: int = 0
    attention_scale: float | FrameValues = 1.0

    def __post_init__(self):
        if not 0.0 <= self.start_percent <= self.end_percent <= 1.0:  # NaN compares as false
            raise ValueError(
                f"start_percent={self.start_percent} must not be larger than end_percent={self.end_percent}, "
                "both between 0 and 1; raise end_percent or lower start_percent."
            )
        for name, value in (("strength", self.strength), ("attention_scale", self.attention_scale)):
            least = value.least if isinstance(value, FrameValues) else value
            if not 0.0 <= least < math.inf:
                raise ValueError(f"{name}={least} must be a finite number, 0 or larger; 1 is as trained.")
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be 0 (all images are one video) or larger."
            )
        for name, value, choices in (
            ("beta_schedule", self.beta_schedule, BETA_SCHEDULE_CHOICES),
            ("group_norm", self.group_norm, GROUP_NORM_CHOICES),
        ):
            if value not in choices:
                known = ", ".join(choices)
                raise ValueError(f"{name}='{printable(value)}' is not known; choose one of {known}.")
