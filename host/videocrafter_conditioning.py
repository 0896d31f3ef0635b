"""Conditioning for VideoCrafter and DynamiCrafter: frame rate, a start image, two images to interpolate between, loops.

Source: github.com/Doubiiu/DynamiCrafter and github.com/AILab-CVC/VideoCrafter (scripts/evaluation): CLIP sees the first image, squashed to
a square, without CLIP the negative prompt sees grey; DynamiCrafter also gets one image latent for every frame.
"""

from __future__ import annotations

import comfy.model_management
import torch
from node_helpers import conditioning_set_values

from .videocrafter_model import CONCAT_LATENT, FPS, HIDDEN_STATE

LATENT_PIXELS = 8
SIZE_MULTIPLE = 16


def with_frame_rate(positive: list, negative: list, fps: float) -> tuple[list, list]:
    """Both conditionings with a frame rate (or frame stride). Raises ValueError for fps <= 0."""
    if fps <= 0:
        raise ValueError(f"fps={fps} must be above 0; VideoCrafter2 was trained with 28, DynamiCrafter 512 with 24 frames per second.")
    return conditioning_set_values(positive, {FPS: fps}), conditioning_set_values(negative, {FPS: fps})


def image_to_video(positive, negative, clip_vision, vae, first, last, width: int, height: int, num_frames: int, fps: float):
    """(positive, negative, empty latent) for a video that begins with an image.

    first, last: IMAGE (1, H, W, 3), values 0..1; last None = first for every frame (image to video), else the first and the last frame
    are known and those between are not (interpolation; a loop where both are the same image).
    Raises ValueError for sizes that the networks cannot take, several images in one input, and a missing encoder.
    """
    _check_sizes(width, height, num_frames, last is not None)
    images = [_fitted(image, name, width, height) for image, name in ((first, "start_image"), (last, "end_image")) if image is not None]
    latents = [vae.encode(image) for image in images]
    if last is None:
        known = latents[0].expand(num_frames, -1, -1, -1)
    else:
        unknown = torch.zeros_like(latents[0]).expand(num_frames - 2, -1, -1, -1)
        known = torch.cat([latents[0], unknown, latents[1]])
    grey = torch.full_like(images[0], 0.5)
    positive, negative = with_frame_rate(positive, negative, fps)
    seen, unseen = (clip_vision.encode_image(image, crop=False)["last_hidden_state"] for image in (images[0], grey))
    positive = conditioning_set_values(positive, {HIDDEN_STATE: seen, CONCAT_LATENT: known})
    negative = conditioning_set_values(negative, {HIDDEN_STATE: unseen, CONCAT_LATENT: known})
    empty = torch.zeros(
        num_frames, 4, height // LATENT_PIXELS, width // LATENT_PIXELS, device=comfy.model_management.intermediate_device()
    )
    return positive, negative, {"samples": empty, "downscale_ratio_spacial": LATENT_PIXELS}


def _check_sizes(width: int, height: int, num_frames: int, has_end: bool) -> None:
    for name, size in (("width", width), ("height", height)):
        if size < SIZE_MULTIPLE or size % SIZE_MULTIPLE:
            raise ValueError(f"{name}={size} must be a multiple of {SIZE_MULTIPLE} pixels; change it to {max(1, size // 16) * 16}.")
    if num_frames < (2 if has_end else 1):
        raise ValueError(f"num_frames={num_frames} is too few; 16 is what these networks were trained for.")


def _fitted(image: torch.Tensor, name: str, width: int, height: int) -> torch.Tensor:
    """An IMAGE (1, H, W, C) cut to the middle of the wanted proportions and resized: (1, height, width, 3)."""
    if image.shape[0] != 1:
        raise ValueError(f"{name} holds {image.shape[0]} images and needs one; pick it with ImageFromBatch.")
    pixels = image[..., :3].movedim(-1, 1)
    scale = max(width / pixels.shape[3], height / pixels.shape[2])
    cut_width, cut_height = (min(round(size / scale), have) for size, have in ((width, pixels.shape[3]), (height, pixels.shape[2])))
    left, top = (pixels.shape[3] - cut_width) // 2, (pixels.shape[2] - cut_height) // 2
    pixels = pixels[:, :, top : top + cut_height, left : left + cut_width]
    resized = torch.nn.functional.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
    return resized.clamp(0.0, 1.0).movedim(1, -1)
