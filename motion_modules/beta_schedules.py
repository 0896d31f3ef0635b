"""Noise schedules that motion modules were trained with, as settings of a discrete schedule of 1000 steps.

Source: the training configs of github.com/guoyww/AnimateDiff and github.com/G-U-N/AnimateLCM. Their names
follow diffusers, ComfyUI's follow LDM: "linear" there is "sqrt_linear" here and "scaled_linear" there is
"linear" here. The names that begin with "avg" or "lcm" are AnimateDiff-Evolved's, and so are their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BetaSchedule:
    """One noise schedule.

    betas: ComfyUI's settings of one schedule, or of several whose noise levels are averaged. lcm_steps: how
    many of the 1000 steps a latent consistency model was distilled on, 50 or 100; None where the model's own
    prediction is kept.
    """

    betas: tuple[dict[str, float | str], ...]
    lcm_steps: int | None = None


_SQRT, _PLAIN, _SDXL = (
    {"beta_schedule": kind, "linear_start": 0.00085, "linear_end": end}
    for kind, end in (("sqrt_linear", 0.012), ("linear", 0.012), ("linear", 0.020))
)
SQRT_LINEAR = "sqrt_linear (AnimateDiff)"
LINEAR_SDXL = "linear (AnimateDiff-SDXL)"
LINEAR = "linear (Stable Diffusion)"
LCM_ANIMATELCM = "lcm (AnimateLCM)"

BETA_SCHEDULES: dict[str, BetaSchedule] = {
    SQRT_LINEAR: BetaSchedule((_SQRT,)),
    LINEAR_SDXL: BetaSchedule((_SDXL,)),
    LINEAR: BetaSchedule((_PLAIN,)),
    LCM_ANIMATELCM: BetaSchedule((_SQRT,), lcm_steps=100),
    "lcm": BetaSchedule((_PLAIN,), lcm_steps=50),
    "lcm[100_ots]": BetaSchedule((_PLAIN,), lcm_steps=100),
    "lcm >> sqrt_linear": BetaSchedule((_SQRT,), lcm_steps=50),
    "avg(sqrt_linear,linear)": BetaSchedule((_SQRT, _PLAIN)),
    "lcm avg(sqrt_linear,linear)": BetaSchedule((_SQRT, _PLAIN), lcm_steps=50),
}
