"""Guidance that alternates between two scales from step to step:
much of it makes the motion follow the prompt, little of it lets saturated colours recover.

Source: Imagen Video (Ho et al. 2022, arXiv 2210.02303, section 2.7): a high scale for the first steps, then
high and low in turn, 15 and 1. How many the first steps are is ours: the paper does not say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class OscillationSettings:
    """Which steps get less guidance. Raises ValueError for a number that is none, and for negative steps."""

    low_cfg: float = 1.0
    """The guidance scale of the low steps; the others have the sampler's."""
    high_steps: int = 5
    """Steps at the beginning that all have the sampler's scale."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.low_cfg):
            raise ValueError(f"low_cfg={self.low_cfg} must be a number; 1 is the published one.")
        if self.high_steps < 0:
            raise ValueError(
                f"high_steps={self.high_steps} must be at least 0; 0 alternates from the first step."
            )


def guidance_of_step(settings: OscillationSettings, step: int, high: float) -> float:
    """The guidance scale of a step, counted from 0; `high` is the sampler's.

    >>> [guidance_of_step(OscillationSettings(1.0, 2), step, 15.0) for step in range(6)]
    [15.0, 15.0, 1.0, 15.0, 1.0, 15.0]
    """
    is_low = step >= settings.high_steps and (step - settings.high_steps) % 2 == 0
    return settings.low_cfg if is_low else high
