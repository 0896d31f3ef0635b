"""Conditioning for VideoCrafter and DynamiCrafter: frame
rate, a start image, two images to interpolate between, loops.

Source: github.com/Doubiiu/DynamiCrafter and github.com/AILab-CVC/VideoCrafter (scripts/evaluation): CLIP sees
the first image, squashed to a square, without CLIP the negative prompt sees grey; DynamiCrafter also gets one
image latent for every frame.
"""

from __future__ import annotations

import torch
from node_helpers import conditioning_set_values

from .start_images import check_sizes, empty_video, fitted_image
from .videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE

SIZE_MULTIPLE = 16


def with_frame_rate(positive: list, negative: list, fps: float) -> tuple[list, list]:
    """Both conditionings with a frame rate (or frame stride). Raises ValueError for fps <= 0."""
    if fps <= 0:
        raise ValueError(
            f"fps={fps} must be above 0; VideoCrafter2 was trained with 28, DynamiCrafter 512 with 24 frames"
            " per second."
        )
    return conditioning_set_values(positive, {FPS: fps}), conditioning_set_values(negative, {FPS: fps})


def image_to_video(
    positive, negative, clip_vision, vae, first, last, width: int, height: int, num_frames: int, fps: float
):
    """(positive, negative, empty latent) for a video that begins with an image.

    first, last: IMAGE (1, H, W, 3), values 0..1; last None = first for every frame (image
    to video), else the first and the last frame are known and those between are not
    (interpolation; a loop where both are the same image). Raises ValueError for sizes
    that the networks cannot take, several images in one input, and a missing encoder.
    """
    check_sizes(width, height, num_frames, SIZE_MULTIPLE, least_frames=1 if last is None else 2)
    given = [
        (image, name) for image, name in ((first, "start_image"), (last, "end_image")) if image is not None
    ]
    images = [fitted_image(image, name, width, height) for image, name in given]
    latents = [vae.encode(image) for image in images]
    if last is None:
        known = latents[0].expand(num_frames, -1, -1, -1)
    else:
        unknown = torch.zeros_like(latents[0]).expand(num_frames - 2, -1, -1, -1)
        known = torch.cat([latents[0], unknown, latents[1]])
    grey = torch.full_like(images[0], 0.5)
    positive, negative = with_frame_rate(positive, negative, fps)
    seen, unseen = (
        clip_vision.encode_image(image, crop=False)["last_hidden_state"] for image in (images[0], grey)
    )
    positive = conditioning_set_values(positive, {HIDDEN_STATE: seen, CONCAT_LATENT: known})
    negative = conditioning_set_values(negative, {HIDDEN_STATE: unseen, CONCAT_LATENT: known})
    return positive, negative, empty_video(width, height, num_frames)
