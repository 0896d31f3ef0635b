"""The image that AnimateLCM-I2V animates, from the node to the levels of the UNet.

Source: github.com/G-U-N/AnimateLCM (animatelcm_sd15). The reference draws the latent from the encoder's
distribution, ComfyUI's VAE takes its mean. Letters: N images of the batch, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...foreign_text import printable
from ...motion_modules.animatelcm_i2v import METHOD, ReferenceImage
from .condition_images import encoded
from .motion_models import MotionModule

NODE = "Animate Image (AnimateLCM)"
LEVELS = 4


@dataclass(frozen=True)
class LCMImage:
    """An image, or one for each frame, and how its features enter the UNet.

    images: IMAGE (1 or F, H, W, C), values 0..1. motion_scale: 0..1.5 as published. level_weights: four
    numbers, factors of the features of each level, the finest first. Raises ValueError for other settings.
    """

    vae: Any
    images: torch.Tensor
    motion_scale: float = 0.8
    level_weights: str = "1, 1, 1, 1"

    def __post_init__(self) -> None:
        if not math.isfinite(self.motion_scale):
            raise ValueError(
                f"motion_scale={self.motion_scale} must be a finite number; 0.8 is as published."
            )
        self.weights()

    def weights(self) -> tuple[float, ...]:
        """The factors of the levels. Raises ValueError where the text is not four finite numbers."""
        try:
            numbers = tuple(float(part) for part in self.level_weights.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != LEVELS or not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"level_weights='{printable(self.level_weights)}' must be {LEVELS} numbers with commas "
                "between them, one for each level of the UNet; 1, 1, 1, 1 is as published."
            )
        return numbers

    def for_run(self, model, shape: torch.Size, num_frames: int) -> ReferenceImage:
        """The images as latents of the size that is sampled.

        shape: of the latents (N, 4, H, W). num_frames: of one video. Raises ValueError for a number of images
        that is neither 1 nor num_frames.
        """
        if len(self.images) not in (1, num_frames):
            raise ValueError(
                f"image holds {len(self.images)} images, {NODE} takes one, or one for each of the "
                f"{num_frames} frames; pick one with ImageFromBatch, or make the latents as many frames."
            )
        latents = encoded(self.images, self.vae, model, shape, NODE)
        return ReferenceImage(latents, num_frames, self.motion_scale, self.weights())

    def of_clip(self, ready: ReferenceImage, latents: torch.Tensor) -> ReferenceImage:
        """With the first frame of a clip that is trained on as image, or all where each frame has an image;
        latents (F, 4, H, W).
        """
        shown = latents if len(self.images) > 1 else latents[:1]
        return ReferenceImage(shown, len(latents), self.motion_scale, self.weights())


def animate_with_lcm(motion_module: MotionModule, image: LCMImage) -> MotionModule:
    """The AnimateLCM-I2V module with the image that it animates; motion_module is not changed.

    Raises ValueError for a module of another method."""
    if motion_module.method is not METHOD:
        raise ValueError(
            f"'{printable(motion_module.name)}' is a module of {motion_module.method.name}; {NODE} takes "
            "AnimateLCM_sd15_i2v.ckpt, load that with Load Motion Module."
        )
    return replace(motion_module, inputs=image)
