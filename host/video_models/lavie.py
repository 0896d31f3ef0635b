"""LaVie's networks as MODEL: how key frames and the low-resolution video reach them.

Source: github.com/Vchitect/LaVie, interpolation/sample.py (auto_inpainting_copy_no_mask) and
vsr/models/pipeline_stable_diffusion_upscale_ video_3d.py. The upscaler reads what core's
SD_4XUpscale_Conditioning writes.

Letters: F frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping

import comfy.conds
import torch
from comfy.ldm.modules.diffusionmodules.util import make_beta_schedule

from .base import VideoModel
from .key_frames import KEY_FRAMES, checked_key_frames, nearest_key_frames

LOW_RESOLUTION, NOISE_AUGMENTATION = "concat_image", "noise_augmentation"  # core's names
MAX_NOISE_LEVEL = 350
"""Timestep that noise_augmentation 1 stands for in core's node."""


def add_low_res_noise(images: torch.Tensor, level: int, seed: int) -> torch.Tensor:
    """images (F, 3, H, W) in -1..1 with the noise of timestep `level` of the x4 upscaler's schedule, which
    LaVie keeps for its input.
    """
    betas = make_beta_schedule("linear", 1000, linear_start=1e-4, linear_end=0.02)
    abar = torch.cumprod(1 - betas, 0)[level].item()
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).to(images)
    return abar**0.5 * images + (1 - abar) ** 0.5 * noise


class LavieInterpolationModel(VideoModel):
    """BaseModel of the interpolation, which is handed the key frames."""

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk; ValueError when the graph lacks key frames."""
        key_frames = checked_key_frames(kwargs.get(KEY_FRAMES), kwargs["noise"], self.system.title)
        latents = self.process_latent_in(nearest_key_frames(key_frames)).to(kwargs["device"])
        return super().extra_conds(**kwargs) | {"c_concat": comfy.conds.CONDNoiseShape(latents)}


class LavieUpscalerModel(VideoModel):
    """BaseModel of the upscaler, which is handed the low-resolution video and how noisy it was made."""

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk; ValueError when the graph lacks the video."""
        return super().extra_conds(**kwargs) | self._low_resolution(kwargs)

    def _low_resolution(self, kwargs: Mapping) -> dict:
        images, noise, device = kwargs.get(LOW_RESOLUTION), kwargs["noise"], kwargs["device"]
        if images is None:
            raise ValueError(
                f"{self.system.title} enlarges a video and got none; put SD_4XUpscale_Conditioning between"
                " the prompts and the sampler."
            )
        if images.shape[0] != noise.shape[0] or images.shape[-2:] != noise.shape[-2:]:
            raise ValueError(
                f"the conditioning has {images.shape[0]} frames of {images.shape[-1]} x {images.shape[-2]}"
                f" pixels, the latent to sample has {noise.shape[0]} of {noise.shape[-1]} x"
                f" {noise.shape[-2]}; wire the LATENT output of SD_4XUpscale_Conditioning into the sampler."
            )
        level = round(MAX_NOISE_LEVEL * kwargs.get(NOISE_AUGMENTATION, 0.0))
        if level:
            # Not the sampler's noise: core's upscaler takes this other seed for the same reason.
            images = add_low_res_noise(images, level, kwargs["seed"] - 10)
        level = torch.tensor([level], device=device)
        return {
            "c_concat": comfy.conds.CONDNoiseShape(images.to(device)),
            "y": comfy.conds.CONDRegular(level),
        }
