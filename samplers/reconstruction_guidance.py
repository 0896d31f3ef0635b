"""Reconstruction guidance: frames that are made are moved so that the known ones come out right.

Source: Video Diffusion Models (Ho et al. 2022, arXiv 2204.03458, section 3.1). With known frames a, others b,
latents z of which the clean frames are the part alpha, and the network's prediction x^ of clean frames:

    x^_b <- x^_b - w alpha / 2 * d ||x_a - x^_a(z)||^2 / d z_b

Ours: known is what a mask says, so a place of a frame may be known too, and in part.
Letters: N frames, C channels, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ReconstructionSettings:
    """weight: w, 0 = no guidance. start_percent, end_percent: the part of the noise schedule in which it
    acts. Raises ValueError for values out of range.
    """

    weight: float = 2.0
    start_percent: float = 0.0
    end_percent: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:  # NaN compares as false
            raise ValueError(f"weight={self.weight} must be a finite number, 0 or larger; 2 is usual.")
        if not 0 <= self.start_percent <= self.end_percent <= 1:
            raise ValueError(
                f"start_percent={self.start_percent:g} must not be larger than"
                f" end_percent={self.end_percent:g}, both 0..1; 0 and 1 are the whole schedule."
            )


@dataclass(frozen=True)
class KnownLatents:
    """latents: clean, as the network sees them, (N, C, H, W) or (B, C, F, H, W). mask: of that shape, 1 where
    something is made, 0 where they are known.
    """

    latents: torch.Tensor
    mask: torch.Tensor

    def error(self, predicted: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """||x_a - x^_a||^2 of a prediction, under the mask of a step."""
        return ((1 - mask) * (self.latents - predicted).square()).sum()


def guided(
    predicted: torch.Tensor, gradient: torch.Tensor, mask: torch.Tensor, weight: float, signal: torch.Tensor
) -> torch.Tensor:
    """The prediction moved against the gradient of `KnownLatents.error` where something is made.

    signal: alpha, the part of clean latents in noisy ones, of the same shape.
    """
    return predicted - mask * (weight / 2 * signal * gradient)
