"""Start noise out of two: one laid over the other, everywhere or where a mask is.

Source: AnimateDiff-Evolved's noise layers (add, add weighted, normalized sum; its replace is a normalized sum
of weight 1), with its numbers.

Letters: B videos, F frames of 5-D latents, N images of a batch, M masks, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf

from ..foreign_text import printable
from ..memory import check_memory

NORMALIZED_SUM, ADD, ADD_WEIGHTED = "normalized sum", "add", "add weighted"


def _normalized_sum(weight: float, balance: float) -> tuple[float, float]:
    length = math.hypot(1 - weight, weight)
    return (1 - weight) / length, weight / length


NOISE_SUMS: dict[str, Callable[[float, float], tuple[float, float]]] = {
    NORMALIZED_SUM: _normalized_sum,
    ADD: lambda weight, balance: (1.0, weight),
    ADD_WEIGHTED: lambda weight, balance: (1 - weight * balance, weight),
}
"""Name -> (weight, balance) to the factors of the noise below and of the one laid over it. Independent noises
of variance 1 keep it in a normalized sum.
"""


@dataclass(frozen=True)
class NoiseLayerSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    combine: str = NORMALIZED_SUM
    """One of NOISE_SUMS."""
    weight: float = 0.5
    """How much of the noise that is laid over, 0 = none; 1 of a normalized sum = nothing else."""
    balance: float = 1.0
    """add weighted: how much of the weight is taken from the noise below."""

    def __post_init__(self) -> None:
        if self.combine not in NOISE_SUMS:
            raise ValueError(
                f"combine='{printable(self.combine)}' must be one of {', '.join(NOISE_SUMS)}; choose one of"
                " these."
            )
        for name in ("weight", "balance"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 0; 0 = none of it.")
        if self.combine == NORMALIZED_SUM and self.weight > 1:
            raise ValueError(
                f"weight={self.weight:g} of a normalized sum must be at most 1, where nothing is left of the"
                f" noise below; lower it, or take {ADD}."
            )
        if self.combine != ADD_WEIGHTED and self.balance != 1:
            raise ValueError(
                f"balance={self.balance:g} is for {ADD_WEIGHTED}; set it to 1, or take {ADD_WEIGHTED}."
            )

    @property
    def factors(self) -> tuple[float, float]:
        return NOISE_SUMS[self.combine](self.weight, self.balance)


class LayeredNoise:
    """A NOISE with another laid over it; an object of ComfyUI's NOISE type. Its seed is the first one's.

    mask: (M, H, W) of 0..1, where the other one acts; M is 1 or the frames of the latents.
    """

    def __init__(self, noise, layer, settings: NoiseLayerSettings, mask: torch.Tensor | None = None):
        self.noise, self.layer, self.settings, self.mask = noise, layer, settings, mask
        self.seed = noise.seed

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"], (N, C, H, W) or (B, C, F, H, W).

        Raises ValueError for latents of other dimensions, and for masks of another number of frames.
        """
        samples = latent["samples"]
        if getattr(samples, "is_nested", False) or samples.ndim not in (4, 5):
            raise ValueError(
                "Combine Noise needs latents of 4 or 5 dimensions alone, without sound; wire one NOISE."
            )
        mask = None if self.mask is None else _beside(self.mask, samples.shape)
        needed = 4 * samples.numel() * samples.element_size()
        check_memory(needed, f"the noise of latents of shape {tuple(samples.shape)}", "take fewer frames")
        below, above = self.noise.generate_noise(latent), self.layer.generate_noise(latent)
        own, other = self.settings.factors
        both = own * below + other * above
        return both if mask is None else torch.lerp(below, both, mask.to(below))


def _beside(mask: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A mask as large as the latents, to multiply them with: (M, 1, H, W), 5-D: (1, 1, M, H, W)."""
    frames = shape[0] if len(shape) == 4 else shape[2]
    mask = mask.reshape(-1, *mask.shape[-2:])
    if len(mask) not in (1, frames):
        raise ValueError(
            f"the mask of Combine Noise has {len(mask)} frames, the latents have {frames}; give one mask, or"
            " one for each frame."
        )
    resized = nnf.interpolate(mask[:, None].float(), size=tuple(shape[-2:]), mode="bilinear")
    return resized if len(shape) == 4 else resized.transpose(0, 1)[None]
