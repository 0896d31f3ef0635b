"""Show-1's pixel networks as MODEL: how key frames and the low-resolution video reach them.

Source: github.com/showlab/Show-1, showone/pipelines and run_inference.py.

Letters: F frames, H height, W width. Pixels are -1..1.
"""

from __future__ import annotations

from collections.abc import Mapping

import comfy.conds
import torch
from comfy.ldm.modules.diffusionmodules.util import make_beta_schedule
from node_helpers import conditioning_set_values

from ...memory import check_memory
from .base import VideoModel
from .key_frames import KEY_FRAMES, blended_key_frames, checked_key_frames

LOW_RES_VIDEO, FIRST_FRAME, NOISE_LEVEL = (
    "zoetrope_low_res_video",
    "zoetrope_first_frame",
    "zoetrope_noise_level",
)
SCALE = 4
"""How much larger the first upscaling makes a video."""


class Show1InterpolationModel(VideoModel):
    """BaseModel of the interpolation, which is handed the key frames."""

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk; ValueError when the graph lacks key frames."""
        key_frames = checked_key_frames(kwargs.get(KEY_FRAMES), kwargs["noise"], self.system.title)
        pixels = blended_key_frames(key_frames).to(kwargs["device"])
        return super().extra_conds(**kwargs) | {"c_concat": comfy.conds.CONDNoiseShape(pixels)}


class Show1UpscalerModel(VideoModel):
    """BaseModel of the first upscaling, which is handed the low-resolution video and its noise level."""

    def extra_conds(self, **kwargs) -> dict:
        """What core hands to the network with every chunk; ValueError when the graph lacks the video."""
        return super().extra_conds(**kwargs) | self._low_resolution(kwargs)

    def _low_resolution(self, kwargs: Mapping) -> dict:
        video, noise, device = kwargs.get(LOW_RES_VIDEO), kwargs["noise"], kwargs["device"]
        if video is None:
            raise ValueError(
                f"{self.system.title} enlarges a video and got none; put Condition On Low Resolution (Show-1)"
                " between the prompts and the sampler."
            )
        if video.shape != noise.shape:
            raise ValueError(
                f"the low-resolution video makes {video.shape[0]} frames of {video.shape[3]} x"
                f" {video.shape[2]}, the latent to sample has {noise.shape[0]} of {noise.shape[3]} x"
                f" {noise.shape[2]}; wire the LATENT output of Condition On Low Resolution (Show-1)."
            )
        level = kwargs[NOISE_LEVEL]
        # Not the sampler's noise: core's upscaler takes this other seed for the same reason.
        pixels = add_noise(video, level, kwargs["seed"] - 10)
        pixels = torch.cat((kwargs[FIRST_FRAME].to(pixels), pixels[1:]))
        level = torch.tensor([float(level)], device=device)
        return {
            "c_concat": comfy.conds.CONDNoiseShape(pixels.to(device)),
            "y": comfy.conds.CONDRegular(level),
        }


def add_noise(pixels: torch.Tensor, level: int, seed: int) -> torch.Tensor:
    """pixels (F, 3, H, W) with the noise of timestep `level` of IF's image_noising_scheduler."""
    abar = torch.cumprod(1 - make_beta_schedule("cosine", 1000), 0)[level].item()
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(seed)).to(pixels)
    return abar**0.5 * pixels + (1 - abar) ** 0.5 * noise


def condition_on_low_resolution(
    positive: list,
    negative: list,
    vae,
    images: torch.Tensor,
    first_frame: torch.Tensor | None,
    noise_level: int,
) -> tuple[list, list, dict]:
    """Both prompts with a video (F, H, W, 3) in 0..1 to be enlarged fourfold,
    and the empty latent (F, 3, 4*H, 4*W) to sample.

    first_frame: (1, 4*H, 4*W, 3), its first frame in high resolution; None enlarges it without a network.
    """
    pixels = vae.encode(images[..., :3])
    if pixels.shape[1] != 3:
        raise ValueError(
            f"Show-1 works on pixels, this VAE makes {pixels.shape[1]} channels of them; wire Load VAE with"
            " pixel_space."
        )
    size = (pixels.shape[2] * SCALE, pixels.shape[3] * SCALE)
    needed = 2 * pixels.numel() * SCALE**2 * pixels.element_size()  # enlarged, and the empty latents
    check_memory(needed, f"{len(pixels)} frames of {size[1]}x{size[0]}", "take fewer or smaller frames")
    enlarged = torch.nn.functional.interpolate(pixels, size, mode="bilinear", align_corners=True)
    if first_frame is None:
        first = torch.nn.functional.interpolate(pixels[:1], size, mode="bicubic", align_corners=False).clamp(
            -1, 1
        )
    else:
        first = torch.nn.functional.interpolate(
            vae.encode(first_frame[:1, ..., :3]), size, mode="bicubic", antialias=True
        ).clamp(-1, 1)
    values = {LOW_RES_VIDEO: enlarged, FIRST_FRAME: first, NOISE_LEVEL: noise_level}
    both = (conditioning_set_values(prompt, values) for prompt in (positive, negative))
    return (*both, {"samples": torch.zeros_like(enlarged)})
