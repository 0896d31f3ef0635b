"""The kinds of latents that video networks are sampled on, and the check of what a graph brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import comfy.latent_formats
import torch

from ...video_unets.systems import VideoSystem
from ..sampling.prompt_frames import refuse_other_frames
from ..sampling.video_frames import frames_of_video


@dataclass(frozen=True)
class LatentKind:
    """format: makes core's LatentFormat, which scales them. vae: what to wire where a file has no VAE."""

    format: Callable[[], comfy.latent_formats.LatentFormat]
    vae: str


LATENTS: dict[str, LatentKind] = {
    "sd15": LatentKind(
        comfy.latent_formats.SD15, "Load VAE with the VAE of SD1.x or SD2.x (or Load Video VAE)"
    ),
    "sd_x4": LatentKind(comfy.latent_formats.SD_X4, "Load VAE with the VAE of stable-diffusion-x4-upscaler"),
    # RGB as it is; only the name of the format is another model's.
    "pixels": LatentKind(comfy.latent_formats.ChromaRadiance, "Load VAE with pixel_space"),
}
"""VideoSystem.latent -> its kind."""


class LatentCheck:
    """OUTER_SAMPLE wrapper that looks at the latents once, before the first step."""

    def __init__(self, system: VideoSystem):
        self.system = system
        self.format = LATENTS[system.latent].format()

    def __call__(self, executor, noise: torch.Tensor, *args, **kwargs):
        """noise (F, C, H, W). Raises ValueError for latents that the network
        cannot take, and for prompts that were made for other frames.
        """
        self._check_axes(noise)
        self._check_size(noise)
        frames = frames_of_video(noise.shape, executor.class_obj.model_options)
        refuse_other_frames(executor.class_obj, frames, len(noise) // frames)
        return executor(noise, *args, **kwargs)

    def _check_axes(self, noise: torch.Tensor) -> None:
        if noise.ndim != 4:
            raise ValueError(
                f"{self.system.title} takes the frames of a video as a batch, latents of shape (F, C, H, W);"
                f" these have shape {tuple(noise.shape)}. Use Empty Latent Image with batch_size = number of"
                " frames."
            )
        if noise.shape[1] != self.format.latent_channels:
            raise ValueError(
                f"{self.system.title} takes latents of {self.format.latent_channels} channels, these have"
                f" {noise.shape[1]}; encode the frames with the VAE that belongs to it."
            )

    def _check_size(self, noise: torch.Tensor) -> None:
        multiple = self.system.size_multiple
        height, width = (size * self.format.spacial_downscale_ratio for size in noise.shape[2:])
        if height % multiple or width % multiple:
            raise ValueError(
                f"{self.system.title} needs a width and height that are multiples of {multiple} pixels, got"
                f" {width} x {height}; change the size of the latents."
            )
