"""Conditioning for Stable Video Diffusion and SV3D:
a start image, two images, a prompt, or an orbit around a thing.

Source: github.com/Stability-AI/generative-models (scripts/sampling/simple_video_sample.py): CLIP sees the
image without noise, squashed to a square; the VAE's latent of the image with noise stands behind the noisy
latent of every frame, unscaled; the negative side has zeros. Blattmann et al. 2023, arXiv 2311.15127, section
4.5 (interpolation: first and last frame known) and 3.3 (text to video).

Core's SVD_img2vid_Conditioning adds the noise in the range
0..1, which is twice the published level, and without a seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from node_helpers import conditioning_set_values

from ...samplers.orbits import create_orbit
from .start_images import LATENT_PIXELS, ClipSettings, empty_video, fitted_image
from .svd import CONCAT_LATENT, KNOWN_FRAMES

SV3D_AUGMENTATION = 1e-5
"""Noise augmentation that SV3D was trained and published with."""


@dataclass(frozen=True)
class TextSettings(ClipSettings):
    """A clip of Stable Video Diffusion, and what the network is told of its movement.

    Raises ValueError as ClipSettings does, and for fps below 1.
    """

    motion_bucket_id: int = 127
    fps: int = 6

    trained: ClassVar[int] = 14

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fps < 1:
            raise ValueError(f"fps={self.fps} must be at least 1; 6 as published.")

    def vector(self, augmentation: float) -> dict:
        """What the vector conditioning is made of, under core's names;
        core gives the network fps - 1, as the published code does.
        """
        told = {"motion_bucket_id": self.motion_bucket_id, "fps": self.fps}
        return {**told, "augmentation_level": augmentation}


@dataclass(frozen=True)
class ImageSettings(TextSettings):
    """A clip that begins with an image. augmentation: noise added to the image, as standard deviation
    in the published range -1..1.

    Raises ValueError as TextSettings does, and for a negative augmentation.
    """

    augmentation: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augmentation < 0:
            raise ValueError(f"augmentation={self.augmentation} must be at least 0; 0.02 as published.")


@dataclass(frozen=True)
class InterpolationSettings(ImageSettings):
    """A clip between two images."""

    least_frames: ClassVar[int] = 3
    trained: ClassVar[int] = 5


@dataclass(frozen=True)
class OrbitSettings(ClipSettings):
    """Views around a thing. orbit: one of ORBITS; elevation and elevation_swing in degrees."""

    orbit: str = "static"
    elevation: float = 10.0
    elevation_swing: float = 20.0
    seed: int = 0

    trained: ClassVar[int] = 21


def image_to_video(clip_vision, vae, image, settings: ImageSettings) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for a video that begins with an image:
    IMAGE (1, H, W, C), values 0..1.

    Any number of frames: the image's latent is one row that ComfyUI repeats.
    Raises ValueError for several images.
    """
    pixels = fitted_image(image, "start_image", settings)
    latent = _noisy_latents(vae, [pixels], settings.augmentation, settings.seed)[0]
    vector = settings.vector(settings.augmentation)
    return (*_both(_seen(clip_vision, pixels), latent, vector), empty_video(settings))


def interpolation(clip_vision, vae, first, last, settings: InterpolationSettings) -> tuple[list, list, dict]:
    """`image_to_video` between two images:
    their latents at the first and the last frame, zeros at those between.

    Networks of nine input channels are also told which frames are known. CLIP sees the first image.
    """
    named = ((first, "start_image"), (last, "end_image"))
    images = [fitted_image(image, name, settings) for image, name in named]
    start, end = _noisy_latents(vae, images, settings.augmentation, settings.seed)
    between = torch.zeros_like(start).expand(settings.num_frames - 2, -1, -1, -1)
    vector = settings.vector(settings.augmentation)
    positive, negative = _both(_seen(clip_vision, images[0]), torch.cat((start, between, end)), vector)
    unknown = torch.zeros(settings.num_frames)
    known = unknown.clone()
    known[0] = known[-1] = 1.0
    positive = conditioning_set_values(positive, {KNOWN_FRAMES: known})
    return positive, conditioning_set_values(negative, {KNOWN_FRAMES: unknown}), empty_video(settings)


def text_to_video(positive, negative, settings: TextSettings) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for weights that were trained with prompts:
    no image, so zeros where its latent would be.
    """
    nothing = torch.zeros(1, 4, settings.height // LATENT_PIXELS, settings.width // LATENT_PIXELS)
    values = {**settings.vector(0.0), CONCAT_LATENT: nothing, KNOWN_FRAMES: torch.zeros(1)}
    positive, negative = (conditioning_set_values(prompt, values) for prompt in (positive, negative))
    return positive, negative, empty_video(settings)


def orbit(clip_vision, vae, image, settings: OrbitSettings) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for views around the thing in an image:
    IMAGE (1, H, W, C), values 0..1.
    """
    path = settings.elevation, settings.elevation_swing, settings.seed
    elevations, azimuths = create_orbit(settings.orbit, settings.num_frames, *path)
    pixels = fitted_image(image, "image", settings)
    latent = _noisy_latents(vae, [pixels], SV3D_AUGMENTATION, settings.seed)[0]
    values = {"augmentation_level": SV3D_AUGMENTATION, "elevation": elevations, "azimuth": azimuths}
    return (*_both(_seen(clip_vision, pixels), latent, values), empty_video(settings))


def _seen(clip_vision, pixels: torch.Tensor) -> torch.Tensor:
    """What CLIP makes of an image: one token, (1, 1, D)."""
    return clip_vision.encode_image(pixels, crop=False)["image_embeds"].unsqueeze(0)


def _noisy_latents(vae, images: list[torch.Tensor], augmentation: float, seed: int) -> list[torch.Tensor]:
    """Latents (1, 4, h, w) of images (1, H, W, 3) in 0..1, to which noise was added;
    half the level, as that range is half as wide.
    """
    generator = torch.Generator().manual_seed(seed)
    latents = []
    for image in images:
        noise = torch.randn(image.shape, generator=generator).to(image)
        latents.append(vae.encode(image + 0.5 * augmentation * noise))
    if latents[0].ndim != 4 or latents[0].shape[1] != 4:
        raise ValueError(
            f"the VAE makes latents of shape {tuple(latents[0].shape)}, Stable Video Diffusion has 4 channels"
            " and no time axis; wire the VAE of Load Video Model, or of SD1.x or SD2.x."
        )
    return latents


def _both(token: torch.Tensor, latent: torch.Tensor, values: dict) -> tuple[list, list]:
    """The positive conditioning, and the negative one with zeros in place of everything that is seen."""
    positive = [[token, {**values, CONCAT_LATENT: latent}]]
    negative = [[torch.zeros_like(token), {**values, CONCAT_LATENT: torch.zeros_like(latent)}]]
    return positive, negative
