"""Guidance that differs from frame to frame:
how much of it each frame of a clip gets, from 0 (least) to 1 (most).

Source: github.com/Stability-AI/generative-models (sgm/modules/diffusionmodules/guiders.py), whose
configurations use linear (SVD) and triangle (SV3D). Its trapezoid writes 1 in place of the largest scale
between the edges; here the plateau is the largest scale.

Letters: F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..foreign_text import printable


@dataclass(frozen=True)
class ShapeSettings:
    """What a shape may look at besides the number of frames."""

    edge: float = 0.1
    """Trapezoid: part of the clip on which guidance rises, and on which it falls; 0 to 0.5."""
    periods: Sequence[float] = (1.0, 0.5)
    """Multi-period: lengths of the triangle waves, as parts of the clip; above 0."""
    fusing: str = "max"
    """Multi-period: how the waves become one."""


def linear(num_frames: int, settings: ShapeSettings) -> torch.Tensor:
    """Rises evenly from the first frame to the last."""
    return torch.linspace(0, 1, num_frames)


def triangle(num_frames: int, settings: ShapeSettings) -> torch.Tensor:
    """Rises to the middle of the clip and falls to its end."""
    return _triangle_wave(num_frames, 1.0)


def trapezoid(num_frames: int, settings: ShapeSettings) -> torch.Tensor:
    """Rises on the first part of the clip, stays, and falls on the last part."""
    rise = torch.linspace(0, 1, int(num_frames * settings.edge))
    return torch.cat((rise, torch.ones(num_frames - 2 * len(rise)), rise.flip(0)))


def multi_period(num_frames: int, settings: ShapeSettings) -> torch.Tensor:
    """Several triangle waves in one."""
    waves = torch.stack([_triangle_wave(num_frames, period) for period in settings.periods])
    return WAVE_FUSINGS[settings.fusing](waves)


WAVE_FUSINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "max": lambda waves: waves.amax(dim=0),
    "mean": lambda waves: waves.mean(dim=0),
    "multiply": lambda waves: waves.prod(dim=0),
}
"""Name -> (waves, F) to (F,)."""

GUIDANCE_SHAPES: dict[str, Callable[[int, ShapeSettings], torch.Tensor]] = {
    "linear": linear, "triangle": triangle, "trapezoid": trapezoid, "multi_period": multi_period,
}  # fmt: skip
"""Name -> function of (number of frames, settings), giving (F,) in 0..1."""


def guidance_of_frames(
    shape: str, num_frames: int, least: float, most: float, settings: ShapeSettings
) -> torch.Tensor:
    """The guidance scale of every frame, (F,), between `least` and `most` (which may be the smaller one)."""
    return least + (most - least) * GUIDANCE_SHAPES[shape](num_frames, settings)


def check_shape(shape: str, settings: ShapeSettings) -> None:
    """Raises ValueError for names that are not there and settings out of range."""
    for name, value, choices in (
        ("shape", shape, GUIDANCE_SHAPES),
        ("period_fusing", settings.fusing, WAVE_FUSINGS),
    ):
        if value not in choices:
            raise ValueError(
                f"{name}='{printable(value)}' must be one of {', '.join(choices)}; choose one of these."
            )
    if not 0 <= settings.edge <= 0.5:
        raise ValueError(
            f"edge={settings.edge} must be 0 to 0.5, a part of the clip; 0.1 is a tenth at each end."
        )
    if not settings.periods or min(settings.periods) <= 0:
        raise ValueError(
            f"periods={list(settings.periods)} must be numbers above 0, parts of the clip; 1 is one wave over"
            " all of it."
        )


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
