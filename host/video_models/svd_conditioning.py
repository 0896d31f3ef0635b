"""Conditioning for Stable Video Diffusion and SV3D: a start
image, two images, a prompt, or an orbit around a thing.

Source: github.com/Stability-AI/generative-models (scripts/sampling/simple_video_sample.py): CLIP sees the
image without noise, squashed to a square; the VAE's latent of the image with noise stands behind the noisy
latent of every frame, unscaled; the negative side has zeros. Blattmann et al. 2023, arXiv 2311.15127, section
4.5 (interpolation: first and last frame known) and 3.3 (text to video).

Core's SVD_img2vid_Conditioning adds the noise in the range
0..1, which is twice the published level, and without a seed.
"""

from __future__ import annotations

import torch
from node_helpers import conditioning_set_values

from ...samplers.orbits import create_orbit
from .start_images import LATENT_PIXELS, check_sizes, empty_video, fitted_image
from .svd import CONCAT_LATENT, KNOWN_FRAMES

SIZE_MULTIPLE = 8
SV3D_AUGMENTATION = 1e-5
"""Noise augmentation that SV3D was trained and published with."""


def image_to_video(
    clip_vision,
    vae,
    image,
    width: int,
    height: int,
    num_frames: int,
    motion_bucket: int,
    fps: int,
    augmentation: float,
    seed: int,
) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for a video that
    begins with an image: IMAGE (1, H, W, C), values 0..1.

    augmentation: noise added to the image, as standard deviation in the published range -1..1. Any number of
    frames: the image's latent is one row that ComfyUI repeats. Raises ValueError for sizes that the network
    cannot take and several images.
    """
    check_sizes(width, height, num_frames, SIZE_MULTIPLE, trained=14)
    vector = _vector(motion_bucket, fps, augmentation)
    pixels = fitted_image(image, "start_image", width, height)
    latent = _noisy_latents(vae, [pixels], augmentation, seed)[0]
    return (*_both(_seen(clip_vision, pixels), latent, vector), empty_video(width, height, num_frames))


def interpolation(
    clip_vision,
    vae,
    first,
    last,
    width: int,
    height: int,
    num_frames: int,
    motion_bucket: int,
    fps: int,
    augmentation: float,
    seed: int,
) -> tuple[list, list, dict]:
    """`image_to_video` between two images: their latents at
    the first and the last frame, zeros at those between.

    Networks of nine input channels are also told which frames are known. CLIP sees the first image.
    """
    check_sizes(width, height, num_frames, SIZE_MULTIPLE, least_frames=3, trained=5)
    vector = _vector(motion_bucket, fps, augmentation)
    images = [
        fitted_image(image, name, width, height)
        for image, name in ((first, "start_image"), (last, "end_image"))
    ]
    start, end = _noisy_latents(vae, images, augmentation, seed)
    between = torch.zeros_like(start).expand(num_frames - 2, -1, -1, -1)
    positive, negative = _both(_seen(clip_vision, images[0]), torch.cat((start, between, end)), vector)
    known = torch.zeros(num_frames)
    negative = conditioning_set_values(negative, {KNOWN_FRAMES: known})
    known = known.clone()
    known[0] = known[-1] = 1.0
    return (
        conditioning_set_values(positive, {KNOWN_FRAMES: known}),
        negative,
        empty_video(width, height, num_frames),
    )


def text_to_video(
    positive, negative, width: int, height: int, num_frames: int, motion_bucket: int, fps: int
) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for weights that were trained
    with prompts: no image, so zeros where its latent would be.
    """
    check_sizes(width, height, num_frames, SIZE_MULTIPLE, trained=14)
    nothing = torch.zeros(1, 4, height // LATENT_PIXELS, width // LATENT_PIXELS)
    values = {**_vector(motion_bucket, fps, 0.0), CONCAT_LATENT: nothing, KNOWN_FRAMES: torch.zeros(1)}
    positive, negative = (conditioning_set_values(prompt, values) for prompt in (positive, negative))
    return positive, negative, empty_video(width, height, num_frames)


def orbit(
    clip_vision,
    vae,
    image,
    width: int,
    height: int,
    num_frames: int,
    name: str,
    elevation: float,
    swing: float,
    seed: int,
) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for views around the
    thing in an image, along an orbit of ORBITS; angles in degrees.
    """
    check_sizes(width, height, num_frames, SIZE_MULTIPLE, trained=21)
    elevations, azimuths = create_orbit(name, num_frames, elevation, swing, seed)
    pixels = fitted_image(image, "image", width, height)
    latent = _noisy_latents(vae, [pixels], SV3D_AUGMENTATION, seed)[0]
    values = {"augmentation_level": SV3D_AUGMENTATION, "elevation": elevations, "azimuth": azimuths}
    return (*_both(_seen(clip_vision, pixels), latent, values), empty_video(width, height, num_frames))


def _vector(motion_bucket: int, fps: int, augmentation: float) -> dict:
    """What the vector conditioning is made of, under core's names;
    core gives the network fps - 1, as the published code does.
    """
    if fps < 1 or augmentation < 0:
        raise ValueError(
            f"fps={fps} must be at least 1 and augmentation={augmentation} at least 0; as published 6 and"
            " 0.02."
        )
    return {"motion_bucket_id": motion_bucket, "fps": fps, "augmentation_level": augmentation}


def _seen(clip_vision, pixels: torch.Tensor) -> torch.Tensor:
    """What CLIP makes of an image: one token, (1, 1, D)."""
    return clip_vision.encode_image(pixels, crop=False)["image_embeds"].unsqueeze(0)


def _noisy_latents(vae, images: list[torch.Tensor], augmentation: float, seed: int) -> list[torch.Tensor]:
    """Latents (1, 4, h, w) of images (1, H, W, 3) in 0..1, to which
    noise was added; half the level, as that range is half as wide.
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
