"""The families of AnimateDiff's modules: what their files do not say, by the version that files.py detects.

Source: github.com/guoyww/AnimateDiff (v1, v2, v3; branch sdxl), github.com/hotshotco/Hotshot-XL,
github.com/G-U-N/AnimateLCM: where each takes its norms, and its noise schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..beta_schedules import LCM_ANIMATELCM, LINEAR, LINEAR_SDXL, SQRT_LINEAR


@dataclass(frozen=True)
class Family:
    """joint_norms: whether the UNet's ResBlocks and its output were normalised over all frames of a video in
    training. joint_module_norms: whether the modules' own norms were. advice: for the sampler.
    """

    title: str
    beta_schedule: str = SQRT_LINEAR
    joint_norms: bool = False
    joint_module_norms: bool = False
    advice: str = ""


FAMILIES: dict[str, Family] = {
    "v1": Family("AnimateDiff v1", joint_norms=True),
    "v2": Family("AnimateDiff v2"),
    "v3": Family("AnimateDiff v3"),
    "sdxl": Family("AnimateDiff SDXL", LINEAR_SDXL, joint_module_norms=True),
    "hotshotxl": Family(
        "HotshotXL",
        LINEAR,
        joint_norms=True,
        advice="HotshotXL makes 8 frames of about 672x384; take Context Windows of 8 frames for more.",
    ),
    "animatelcm": Family(
        "AnimateLCM",
        LCM_ANIMATELCM,
        advice=(
            "AnimateLCM wants the sampler lcm with 4 to 8 steps, cfg 1 to 2, and its LoRA on the checkpoint."
        ),
    ),
}
