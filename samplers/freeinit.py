"""FreeInit: a video is made again, from noise that has the low frequencies of the video that was made.

Networks over frames learn from noise that still holds the slow and coarse part of a video, and get noise
without it. Made again from noise that has it, a video moves and looks more evenly.

Source: FreeInit (Wu et al. 2023, arXiv 2312.07537; repository TianxingWu/FreeInit). Ours: frequencies of odd
sizes are centred, and the box has a width of its own for each axis.

Letters: V videos, C channels, F frames, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..foreign_text import printable

LowPassFilter = Callable[[tuple[int, int, int], float, float], torch.Tensor]
ORDER = 4  # of the butterworth filter, as published


def butterworth(size: tuple[int, int, int], d_s: float, d_t: float) -> torch.Tensor:
    """Falls smoothly, one half at the cut-off."""
    return 1 / (1 + (_squared_distances(size, d_s, d_t) / d_s**2) ** ORDER)


def gaussian(size: tuple[int, int, int], d_s: float, d_t: float) -> torch.Tensor:
    """Falls more slowly, 0.61 at the cut-off."""
    return torch.exp(-_squared_distances(size, d_s, d_t) / (2 * d_s**2))


def ideal(size: tuple[int, int, int], d_s: float, d_t: float) -> torch.Tensor:
    """All or nothing, up to a distance of sqrt(2 d_s) as in the published code."""
    return (_squared_distances(size, d_s, d_t) <= 2 * d_s).float()


def box(size: tuple[int, int, int], d_s: float, d_t: float) -> torch.Tensor:
    """All or nothing, by each axis: half a size times the cut-off, rounded, to the left and right of 0, the
    left end included. At least 1, which is ours, or short videos would keep nothing.
    """
    sides = []
    for count, cut_off in zip(size, (d_t, d_s, d_s), strict=True):
        far, numbers = max(1, round(count // 2 * cut_off)), torch.fft.fftfreq(count) * count
        sides.append(((numbers >= -far - 0.5) & (numbers < far - 0.5)).float())
    t, h, w = sides
    return t[:, None, None] * h[:, None] * w


LOW_PASS_FILTERS: dict[str, LowPassFilter] = {
    "butterworth": butterworth,
    "gaussian": gaussian,
    "ideal": ideal,
    "box": box,
}
"""Name -> (size (F, H, W), d_s, d_t) to the part kept of each frequency (F, H, W), 0..1, in FFT's order."""


def _squared_distances(size: tuple[int, int, int], d_s: float, d_t: float) -> torch.Tensor:
    """Of each frequency from 0, 1 at half the sampling rate; time is stretched by d_s / d_t."""
    t, h, w = (2 * torch.fft.fftfreq(count) for count in size)
    return (t * d_s / d_t)[:, None, None] ** 2 + h[:, None] ** 2 + w**2


@dataclass(frozen=True)
class FreeInitSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    iterations: int = 3
    """How often the video is made; 1 = no change. Published: 5."""
    low_pass_filter: str = "butterworth"
    """One of LOW_PASS_FILTERS."""
    d_s: float = 0.25
    """Cut-off over places, as a part of the highest frequency."""
    d_t: float = 0.25
    """Cut-off over frames, as a part of the highest frequency."""
    fewer_steps: bool = False
    """Whether iteration i of n has only i/n of the steps."""
    frames_per_video: int = 0
    """Frames of each video of a batch; 0 = all, or as many as Context Windows says."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations={self.iterations} must be at least 1; 1 samples once.")
        if self.low_pass_filter not in LOW_PASS_FILTERS:
            raise ValueError(
                f"low_pass_filter='{printable(self.low_pass_filter)}' must be one of"
                f" {', '.join(LOW_PASS_FILTERS)}; choose one of these."
            )
        for name in ("d_s", "d_t"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"{name}={getattr(self, name)} must be above 0 and at most 1, the highest frequency;"
                    " 0.25 is the published one."
                )
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 makes all frames one video."
            )


def mix_frequencies(low: torch.Tensor, high: torch.Tensor, settings: FreeInitSettings) -> torch.Tensor:
    """The low frequencies of one and the high ones of the other, each (V, C, F, H, W), in float32."""
    keep = LOW_PASS_FILTERS[settings.low_pass_filter](tuple(low.shape[-3:]), settings.d_s, settings.d_t)
    # A filter is linear: high + filtered(low - high).
    spectrum = torch.fft.fftn((low - high).float(), dim=(-3, -2, -1)) * keep.to(low.device)
    return high + torch.fft.ifftn(spectrum, dim=(-3, -2, -1)).real


def steps_of_iteration(settings: FreeInitSettings, iteration: int, sigmas: torch.Tensor) -> torch.Tensor:
    """The noise levels of an iteration, from 0: all (S + 1), or evenly chosen ones of them with both ends.

    The published code computes a schedule of so many steps; ours takes levels of the one that is given,
    because any schedule may be.

    >>> levels = torch.tensor([9.0, 5.0, 3.0, 1.0, 0.0])
    >>> [steps_of_iteration(FreeInitSettings(2, fewer_steps=True), i, levels).tolist() for i in (0, 1)]
    [[9.0, 3.0, 0.0], [9.0, 5.0, 3.0, 1.0, 0.0]]
    """
    steps = len(sigmas) - 1
    if not settings.fewer_steps:
        return sigmas
    chosen = max(1, math.floor(steps * (iteration + 1) / settings.iterations))
    return sigmas[[round(k * steps / chosen) for k in range(chosen + 1)]]
