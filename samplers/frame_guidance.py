"""Guidance that differs from frame to frame:
how much of it each frame of a clip gets, from 0 (least) to 1 (most).

Source: github.com/Stability-AI/generative-models (sgm/modules/diffusionmodules/guiders.py), whose
configurations use linear (SVD) and triangle (SV3D). Its trapezoid writes 1 in place of the largest scale
between the edges; here the plateau is the largest scale.

Letters: F frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..foreign_text import printable


@dataclass(frozen=True)
class GuidanceSettings:
    """How the guidance goes from frame to frame. Raises ValueError for names
    that are not there, settings out of range, and periods that are no numbers.
    """

    shape: str = "linear"
    """One of GUIDANCE_SHAPES."""
    min_cfg: float = 1.0
    """The least guidance scale; it may be above the largest one."""
    edge: float = 0.1
    """Trapezoid: part of the clip on which guidance rises, and on which it falls; 0 to 0.5."""
    periods: str = "1, 0.5"
    """Multi-period: lengths of the waves, parts of the clip above 0, with commas between them."""
    period_fusing: str = "max"
    """Multi-period: how the waves become one, one of WAVE_FUSINGS."""

    def __post_init__(self) -> None:
        for name, choices in (("shape", GUIDANCE_SHAPES), ("period_fusing", WAVE_FUSINGS)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name}='{printable(getattr(self, name))}' must be one of {', '.join(choices)};"
                    " choose one of these."
                )
        if not 0 <= self.edge <= 0.5:
            raise ValueError(
                f"edge={self.edge} must be 0 to 0.5, a part of the clip; 0.1 is a tenth at each end."
            )
        lengths = read_periods(self.periods)
        if not lengths or min(lengths) <= 0:
            raise ValueError(
                f"periods={lengths} must be numbers above 0, parts of the clip; 1 is one wave over all of it."
            )


def linear(num_frames: int, settings: GuidanceSettings) -> torch.Tensor:
    """Rises evenly from the first frame to the last."""
    return torch.linspace(0, 1, num_frames)


def triangle(num_frames: int, settings: GuidanceSettings) -> torch.Tensor:
    """Rises to the middle of the clip and falls to its end."""
    return _triangle_wave(num_frames, 1.0)


def trapezoid(num_frames: int, settings: GuidanceSettings) -> torch.Tensor:
    """Rises on the first part of the clip, stays, and falls on the last part."""
    rise = torch.linspace(0, 1, int(num_frames * settings.edge))
    return torch.cat((rise, torch.ones(num_frames - 2 * len(rise)), rise.flip(0)))


def multi_period(num_frames: int, settings: GuidanceSettings) -> torch.Tensor:
    """Several triangle waves in one."""
    waves = torch.stack([_triangle_wave(num_frames, period) for period in read_periods(settings.periods)])
    return WAVE_FUSINGS[settings.period_fusing](waves)


WAVE_FUSINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "max": lambda waves: waves.amax(dim=0),
    "mean": lambda waves: waves.mean(dim=0),
    "multiply": lambda waves: waves.prod(dim=0),
}
"""Name -> (waves, F) to (F,)."""

GUIDANCE_SHAPES: dict[str, Callable[[int, GuidanceSettings], torch.Tensor]] = {
    "linear": linear, "triangle": triangle, "trapezoid": trapezoid, "multi_period": multi_period,
}  # fmt: skip
"""Name -> function of (number of frames, settings), giving (F,) in 0..1."""


def guidance_of_frames(
    settings: GuidanceSettings, num_frames: int, most: float | torch.Tensor, inner_axes: int = 0
) -> torch.Tensor:
    """The guidance scale of every frame, (F, 1, ...), between min_cfg and `most`, which may be less.

    inner_axes: how many axes follow that of the frames. most: one scale, or (F or 1, ...) with these axes.
    """
    least = settings.min_cfg
    part = GUIDANCE_SHAPES[settings.shape](num_frames, settings).view(-1, *[1] * inner_axes)
    if isinstance(most, torch.Tensor):
        part = part.to(most)
    return least + (most - least) * part


def read_periods(text: str) -> list[float]:
    """Numbers of a text such as "1, 0.5". Raises ValueError for anything else."""
    try:
        return [float(part) for part in text.replace(";", ",").split(",") if part.strip()]
    except ValueError as error:
        raise ValueError(
            f"periods='{printable(text)}' must be numbers with commas between them, such as 1, 0.5."
        ) from error


def _triangle_wave(num_frames: int, period: float) -> torch.Tensor:
    """0 at the first frame, 1 half a period later, and so on; the clip is as long as a period of 1."""
    place = torch.linspace(0, 1, num_frames) / period
    return 2 * (place - torch.floor(place + 0.5)).abs()
