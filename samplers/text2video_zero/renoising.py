"""Noise that takes a frame from a lower noise level back to a higher one, and the settings of the way there.

Source: Khachatryan et al. 2023, arXiv 2303.13439, algorithm 1 (DDPM forward from T0 to T1). In latents
divided by their signal, n = noise / signal of a level:

    y(T1) = y(T0) + sqrt(n1^2 - n0^2) eps

The published code takes the product of alphas one step too early: `published_factors`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PrepareSettings:
    """num_frames: F of each video. t1_step, t0_step: steps of the schedule after which the first frame is at
    T1 and at T0; of 50 steps 2 and 5 are the published t1=47 and t0=44. as_published: the published code's
    grid and product of alphas, both off by a little. Raises ValueError for steps in the wrong order.
    """

    num_frames: int = 8
    t1_step: int = 2
    t0_step: int = 5
    as_published: bool = False

    def __post_init__(self) -> None:
        if self.num_frames < 2:
            raise ValueError(f"num_frames={self.num_frames} must be at least 2; one frame cannot move.")
        if not 1 <= self.t1_step <= self.t0_step:
            raise ValueError(
                f"t1_step={self.t1_step} must be at least 1 and not larger than t0_step={self.t0_step}; "
                "lower t1_step or raise t0_step."
            )

    def check_steps(self, num_steps: int) -> None:
        """Raises ValueError for a schedule that is too short: a step must remain behind T1."""
        if not self.t1_step < num_steps or self.t0_step > num_steps:
            raise ValueError(
                f"t1_step={self.t1_step} must be smaller than the {num_steps} steps of the sigmas, and "
                f"t0_step={self.t0_step} not larger; lower them or give more sigmas."
            )


def exact_factors(n0: float, n1: float) -> tuple[float, float]:
    """What a frame and its fresh noise are multiplied with, from level n0 (noise / signal) to n1."""
    return 1.0, math.sqrt(max(0.0, n1 * n1 - n0 * n0))


def published_factors(n0: float, n1: float, before0: float, before1: float) -> tuple[float, float]:
    """As exact_factors with the published product of alphas. before0, before1: levels one timestep below."""
    at0, at1, sooner0, sooner1 = (1 / (1 + n * n) for n in (n0, n1, before0, before1))
    kept = sooner1 / sooner0
    return math.sqrt(kept * at0 / at1), math.sqrt((1 - kept) / at1)
