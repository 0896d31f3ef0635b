"""Dynamic thresholding of what a MODEL predicts: strong guidance drives values out of their range,
and each frame is brought back into it as a whole.

Source: Saharia et al. 2022 (Imagen), arXiv 2205.11487, section 2.3, for pixels; diffusers'
DPMSolverMultistepScheduler fixes the details. Latents have no fixed range, so thresholding them is ours: the
range of a channel is that of what the network predicts for the prompt without guidance.

Letters: F frames, C channels, H height, W width. Pixels are -1..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import comfy.model_patcher
import torch

from ...shapes import fold_frames, unfold_frames

QUANTILE = 0.95
"""Of the published pixel networks of video (DeepFloyd IF, Show-1)."""


@dataclass(frozen=True)
class ThresholdSettings:
    """What a person chooses. Raises ValueError for settings out of range."""

    percentile: float = 99.5
    """Above 0 to 100: the part of a frame's values that decides how far it is out of range."""
    largest: float = 100.0
    """At least 1: values further out than this many times the range are cut off; 1 cuts at the range."""

    def __post_init__(self) -> None:
        if not 0 < self.percentile <= 100:
            raise ValueError(
                f"percentile={self.percentile} must be above 0 and at most 100; 99.5 is the published one."
            )
        if not self.largest >= 1:
            raise ValueError(f"largest={self.largest} must be at least 1; 1 cuts off what is out of range.")


def threshold_prediction(denoised: torch.Tensor, largest: float, quantile: float = QUANTILE) -> torch.Tensor:
    """Pixels (F, 3, H, W) cut off at the quantile of a frame's absolute values, at least 1 and at most
    `largest`, and scaled to -1..1.

    Frames are thresholded one by one, as the reference's scheduler sees them.
    """
    limits = _quantiles(denoised.abs().flatten(1), quantile).clamp(1.0, largest)
    limits = limits.to(denoised)[:, None, None, None]
    return denoised.clamp(-limits, limits) / limits


def threshold_latents(
    denoised: torch.Tensor, unguided: torch.Tensor, largest: float, quantile: float
) -> torch.Tensor:
    """Latents (F, C, H, W) brought into the range of `unguided`, the prediction for the prompt alone.

    As for pixels, with each channel of each frame on its own: distances from its mean take the place of
    absolute values, and the largest distance in `unguided` that of 1. Without guidance nothing changes.
    """
    distance = denoised - denoised.mean((2, 3), keepdim=True)
    reach = (unguided - unguided.mean((2, 3), keepdim=True)).abs().amax((2, 3), keepdim=True)
    reach = reach.clamp(min=torch.finfo(reach.dtype).tiny)  # one value everywhere has no range
    furthest = _quantiles(distance.abs().flatten(2).flatten(0, 1), quantile).to(reach).view_as(reach)
    limits = furthest.clamp(reach, reach * largest)
    # As a difference, so that what lies within its range stays bit for bit.
    return denoised - (distance - distance.clamp(-limits, limits) * (reach / limits))


def _quantiles(rows: torch.Tensor, quantile: float) -> torch.Tensor:
    """The quantile of each row (N, values), (N,): one at a time, because torch.quantile refuses large
    tensors.
    """
    return torch.stack([torch.quantile(row.float(), quantile) for row in rows])


@dataclass(frozen=True)
class Thresholding:
    """A function behind core's guidance; pixels: the MODEL works on pixels, not on latents."""

    settings: ThresholdSettings
    pixels: bool

    def __call__(self, args: Mapping) -> torch.Tensor:
        denoised, unguided = args["denoised"], args["cond_denoised"]
        if denoised.ndim == 5:
            frames = self._frames(fold_frames(denoised), fold_frames(unguided))
            return unfold_frames(frames, denoised.shape[2])
        if denoised.ndim != 4:
            raise ValueError(
                "Dynamic Thresholding needs latents of 4 or 5 dimensions, these have shape"
                f" {tuple(denoised.shape)}; leave the node out for this MODEL."
            )
        return self._frames(denoised, unguided)

    def _frames(self, denoised: torch.Tensor, unguided: torch.Tensor) -> torch.Tensor:
        largest, quantile = self.settings.largest, self.settings.percentile / 100
        if self.pixels:
            return threshold_prediction(denoised, largest, quantile)
        return threshold_latents(denoised, unguided, largest, quantile)


def add_thresholding(patcher: comfy.model_patcher.ModelPatcher, settings: ThresholdSettings) -> None:
    """Thresholds what a MODEL predicts after guidance, as the published schedulers do at every step;
    thresholding set earlier is replaced.
    """
    # Core's latent formats tell pixels by nothing else.
    pixels = patcher.get_model_object("latent_format").spacial_downscale_ratio == 1
    kept = [
        function
        for function in patcher.model_options.get("sampler_post_cfg_function", [])
        if not isinstance(function, Thresholding)
    ]
    patcher.model_options["sampler_post_cfg_function"] = kept
    patcher.set_model_sampler_post_cfg_function(Thresholding(settings, pixels))


def threshold_model(model, settings: ThresholdSettings):
    """A clone of the MODEL with thresholding."""
    model = model.clone()
    add_thresholding(model, settings)
    return model
