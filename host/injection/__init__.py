"""Temporal methods on a MODEL. What the nodes use: `apply_motion_module` and its settings."""

from .motion import apply_motion_module
from .schedule import AUTO, BETA_SCHEDULE_CHOICES, USE_EXISTING
from .settings import (
    AS_EVOLVED,
    AS_EVOLVED_OLD,
    GROUP_NORM_CHOICES,
    JOINT,
    JOINT_EVOLVED,
    PER_FRAME,
    MotionSettings,
)

__all__ = [
    "AS_EVOLVED",
    "AS_EVOLVED_OLD",
    "AUTO",
    "BETA_SCHEDULE_CHOICES",
    "GROUP_NORM_CHOICES",
    "JOINT",
    "JOINT_EVOLVED",
    "PER_FRAME",
    "USE_EXISTING",
    "MotionSettings",
    "apply_motion_module",
]
