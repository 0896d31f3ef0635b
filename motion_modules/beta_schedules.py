"""Noise schedules that motion modules were trained with, as settings of a discrete schedule of 1000 steps.

Source: the training configs of github.com/guoyww/AnimateDiff. Its names follow diffusers, ComfyUI's follow
LDM: "linear" there is "sqrt_linear" here and "scaled_linear" there is "linear" here.
"""

from __future__ import annotations

SQRT_LINEAR = "sqrt_linear (AnimateDiff)"
LINEAR_SDXL = "linear (AnimateDiff-SDXL)"
LINEAR = "linear (Stable Diffusion)"

BETA_SCHEDULES: dict[str, dict[str, float | str]] = {
    SQRT_LINEAR: {"beta_schedule": "sqrt_linear", "linear_start": 0.00085, "linear_end": 0.012},
    LINEAR_SDXL: {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.020},
    LINEAR: {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.012},
}

TRAINED_WITH: dict[str, str] = {"sdxl": LINEAR_SDXL}
"""Motion module version -> its schedule; every other version was trained with SQRT_LINEAR."""


def schedule_of_version(version: str) -> str:
    """The name in BETA_SCHEDULES that a motion module of this version was trained with."""
    return TRAINED_WITH.get(version, SQRT_LINEAR)
