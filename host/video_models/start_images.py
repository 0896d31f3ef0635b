"""What image-to-video conditioning shares:
checked sizes, images cut to them, and the empty latents of a video.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import comfy.model_management
import torch

from ...memory import check_memory

LATENT_PIXELS = 8
"""Pixels on the side of one latent of SD's autoencoder."""
CHANNELS = 4
"""Of its latents."""


@dataclass(frozen=True)
class ClipSettings:
    """Sides in pixels and number of frames of a clip.

    Raises ValueError for a side that is no multiple of `multiple`, for fewer frames than `least_frames`,
    and for more than fit into memory.
    """

    width: int
    height: int
    num_frames: int

    multiple: ClassVar[int] = LATENT_PIXELS
    least_frames: ClassVar[int] = 1
    trained: ClassVar[int] = 16
    """Frames that the networks were trained with."""

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            self._check_side(name, getattr(self, name))
        if self.num_frames < self.least_frames:
            raise ValueError(
                f"num_frames={self.num_frames} is too few; {self.trained} is what these networks were trained"
                " for."
            )
        latents = self.num_frames * CHANNELS * self.width * self.height * 4 // LATENT_PIXELS**2
        images = 3 * self.width * self.height * 4
        # The empty latents, and those of the images for the positive and the negative side.
        what = f"{self.num_frames} frames of {self.width}x{self.height}"
        check_memory(3 * latents + 2 * images, what, "make fewer or smaller frames")

    def _check_side(self, name: str, pixels: int) -> None:
        if pixels < self.multiple or pixels % self.multiple:
            raise ValueError(
                f"{name}={pixels} must be a multiple of {self.multiple} pixels; change it to"
                f" {max(1, pixels // self.multiple) * self.multiple}."
            )


def fitted_image(image: torch.Tensor, name: str, clip: ClipSettings) -> torch.Tensor:
    """`fitted_images` of one IMAGE (1, H, W, C). Raises ValueError, naming the input, for several images."""
    if image.shape[0] != 1:
        raise ValueError(f"{name} holds {image.shape[0]} images and needs one; pick it with ImageFromBatch.")
    return fitted_images(image, clip.width, clip.height)


def fitted_images(images: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """IMAGEs (K, H, W, C), values 0..1, cut to the middle of the proportions of width and height in pixels
    and resized: (K, height, width, 3).
    """
    pixels = images[..., :3].movedim(-1, 1)
    scale = max(width / pixels.shape[3], height / pixels.shape[2])
    cut_width, cut_height = (
        min(round(size / scale), have) for size, have in ((width, pixels.shape[3]), (height, pixels.shape[2]))
    )
    left, top = (pixels.shape[3] - cut_width) // 2, (pixels.shape[2] - cut_height) // 2
    pixels = pixels[:, :, top : top + cut_height, left : left + cut_width]
    resized = torch.nn.functional.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
    return resized.clamp(0.0, 1.0).movedim(1, -1)


def empty_video(clip: ClipSettings) -> dict:
    """A LATENT of empty frames for a clip."""
    size = clip.num_frames, CHANNELS, clip.height // LATENT_PIXELS, clip.width // LATENT_PIXELS
    empty = torch.zeros(size, device=comfy.model_management.intermediate_device())
    return {"samples": empty, "downscale_ratio_spacial": LATENT_PIXELS}
