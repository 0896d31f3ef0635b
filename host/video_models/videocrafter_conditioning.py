"""Conditioning for VideoCrafter and DynamiCrafter:
frame rate, a start image, two images to interpolate between, loops.

Source: github.com/Doubiiu/DynamiCrafter and github.com/AILab-CVC/VideoCrafter (scripts/evaluation): CLIP sees
the first image, squashed to a square, without CLIP the negative prompt sees grey; DynamiCrafter also gets one
image latent for every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from node_helpers import conditioning_set_values

from .start_images import ClipSettings, empty_video, fitted_image
from .videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE


@dataclass(frozen=True)
class VideoSettings(ClipSettings):
    """A clip of DynamiCrafter or VideoCrafter, and the frame rate (or stride) that the network is told."""

    fps: float = 24.0

    multiple: ClassVar[int] = 16


@dataclass(frozen=True)
class ImageSettings(VideoSettings):
    """A clip that begins with an image. closed_loop: it also ends with it, which needs two frames."""

    closed_loop: bool = False

    @property
    def least_frames(self) -> int:
        return 2 if self.closed_loop else 1


@dataclass(frozen=True)
class InterpolationSettings(VideoSettings):
    """A clip between two images."""

    least_frames: ClassVar[int] = 2


def with_frame_rate(positive: list, negative: list, fps: float) -> tuple[list, list]:
    """Both conditionings with a frame rate (or frame stride). Raises ValueError for fps <= 0."""
    if fps <= 0:
        raise ValueError(
            f"fps={fps} must be above 0; VideoCrafter2 was trained with 28, DynamiCrafter 512 with 24 frames"
            " per second."
        )
    return conditioning_set_values(positive, {FPS: fps}), conditioning_set_values(negative, {FPS: fps})


def image_to_video(
    positive, negative, clip_vision, vae, image, settings: ImageSettings
) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for a video that begins with an image:
    IMAGE (1, H, W, 3), values 0..1.

    Of a loop only the first and the last frame are known, else the image stands for every frame.
    Raises ValueError for several images and a missing encoder.
    """
    if settings.closed_loop:
        return interpolation(positive, negative, clip_vision, vae, image, image, settings)
    pixels = fitted_image(image, "start_image", settings)
    known = vae.encode(pixels).expand(settings.num_frames, -1, -1, -1)
    prompts = with_frame_rate(positive, negative, settings.fps)
    return *_with_image(*prompts, clip_vision, pixels, known), empty_video(settings)


def interpolation(
    positive, negative, clip_vision, vae, first, last, settings: VideoSettings
) -> tuple[list, list, dict]:
    """(positive, negative, empty latent) for a video between two images: IMAGE (1, H, W, 3), values 0..1.

    The first and the last frame are known, those between are not.
    Raises ValueError for several images in one input and a missing encoder.
    """
    named = ((first, "start_image"), (last, "end_image"))
    images = [fitted_image(image, name, settings) for image, name in named]
    start, end = (vae.encode(image) for image in images)
    known = torch.cat([start, torch.zeros_like(start).expand(settings.num_frames - 2, -1, -1, -1), end])
    prompts = with_frame_rate(positive, negative, settings.fps)
    return *_with_image(*prompts, clip_vision, images[0], known), empty_video(settings)


def _with_image(
    positive: list, negative: list, clip_vision, image: torch.Tensor, known: torch.Tensor
) -> tuple[list, list]:
    """Both conditionings with what CLIP makes of an image (1, H, W, 3) or of grey,
    and with the latents of the frames.
    """
    seen, unseen = (
        clip_vision.encode_image(pixels, crop=False)["last_hidden_state"]
        for pixels in (image, torch.full_like(image, 0.5))
    )
    positive = conditioning_set_values(positive, {HIDDEN_STATE: seen, CONCAT_LATENT: known})
    return positive, conditioning_set_values(negative, {HIDDEN_STATE: unseen, CONCAT_LATENT: known})
