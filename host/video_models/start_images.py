"""What image-to-video conditioning shares: checked sizes,
images cut to them, and the empty latents of a video.
"""

from __future__ import annotations

import comfy.model_management
import torch

from ...memory import check_memory

LATENT_PIXELS = 8
"""Pixels on the side of one latent of SD's autoencoder."""
CHANNELS = 4
"""Of its latents."""


def check_sizes(
    width: int, height: int, num_frames: int, multiple: int, least_frames: int = 1, trained: int = 16
) -> None:
    """Raises ValueError for a width or height (pixels) that is no multiple, for fewer frames than
    `least_frames`, and for more than fit.
    """
    for name, size in (("width", width), ("height", height)):
        if size < multiple or size % multiple:
            raise ValueError(
                f"{name}={size} must be a multiple of {multiple} pixels; change it to"
                f" {max(1, size // multiple) * multiple}."
            )
    if num_frames < least_frames:
        raise ValueError(
            f"num_frames={num_frames} is too few; {trained} is what these networks were trained for."
        )
    latents = num_frames * CHANNELS * (height // LATENT_PIXELS) * (width // LATENT_PIXELS) * 4
    images = 3 * width * height * 4
    # The empty latents, and those of the images for the positive and the negative side.
    what = f"{num_frames} frames of {width}x{height}"
    check_memory(3 * latents + 2 * images, what, "make fewer or smaller frames")


def fitted_image(image: torch.Tensor, name: str, width: int, height: int) -> torch.Tensor:
    """An IMAGE (1, H, W, C), values 0..1, cut to the middle of
    the wanted proportions and resized: (1, height, width, 3).

    Raises ValueError, naming the input, for several images.
    """
    if image.shape[0] != 1:
        raise ValueError(f"{name} holds {image.shape[0]} images and needs one; pick it with ImageFromBatch.")
    pixels = image[..., :3].movedim(-1, 1)
    scale = max(width / pixels.shape[3], height / pixels.shape[2])
    cut_width, cut_height = (
        min(round(size / scale), have) for size, have in ((width, pixels.shape[3]), (height, pixels.shape[2]))
    )
    left, top = (pixels.shape[3] - cut_width) // 2, (pixels.shape[2] - cut_height) // 2
    pixels = pixels[:, :, top : top + cut_height, left : left + cut_width]
    resized = torch.nn.functional.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
    return resized.clamp(0.0, 1.0).movedim(1, -1)


def empty_video(width: int, height: int, num_frames: int) -> dict:
    """A LATENT of num_frames empty frames of this size in pixels."""
    size = num_frames, CHANNELS, height // LATENT_PIXELS, width // LATENT_PIXELS
    empty = torch.zeros(size, device=comfy.model_management.intermediate_device())
    return {"samples": empty, "downscale_ratio_spacial": LATENT_PIXELS}
