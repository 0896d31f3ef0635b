"""Dynamic thresholding of what a MODEL that works on pixels predicts.

Source: Saharia et al. 2022, arXiv 2205.11487, section 2.3; diffusers' DPMSolverMultistepScheduler fixes the
details. Letters: F frames, H height, W width. Pixels are -1..1.
"""

from __future__ import annotations

import comfy.model_patcher
import torch

QUANTILE = 0.95


def threshold_prediction(denoised: torch.Tensor, largest: float) -> torch.Tensor:
    """denoised (F, 3, H, W) cut off at its 0.95 quantile of absolute values, at least 1 and at most
    `largest`, and scaled to -1..1.

    Frames are thresholded one by one, as the reference's scheduler sees them.
    """
    # One frame at a time, because torch.quantile refuses large tensors.
    limits = torch.stack([torch.quantile(frame.abs().flatten().float(), QUANTILE) for frame in denoised])
    limits = limits.clamp(1.0, largest).to(denoised)[:, None, None, None]
    return denoised.clamp(-limits, limits) / limits


def add_thresholding(patcher: comfy.model_patcher.ModelPatcher, largest: float) -> None:
    """Thresholds what a MODEL predicts after guidance, as the published schedulers do at every step."""
    patcher.set_model_sampler_post_cfg_function(lambda args: threshold_prediction(args["denoised"], largest))
