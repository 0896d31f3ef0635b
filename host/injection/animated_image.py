"""The image that a PIA module animates, from the node to the first convolution of the UNet.

Source: Zhang et al. 2023, arXiv 2312.13964; github.com/open-mmlab/PIA (pipelines/i2v_pipeline.py).
The reference draws the latent from the encoder's distribution, ComfyUI's VAE takes its mean.
Letters: N images of the batch, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ...foreign_text import printable
from ...motion_modules.pia import METHOD, MOTION_RANGES, PIAImage, mask_values
from .condition_images import encoded
from .motion_models import MotionModule

OF_CHECKPOINT = "of the checkpoint (personalised)"
OF_PIA = "of the PIA file (plain SD1.5)"
CONV_IN_CHOICES = [OF_CHECKPOINT, OF_PIA]
MOTION_CHOICES = list(MOTION_RANGES)


@dataclass(frozen=True)
class AnimatedImage:
    """An image, what moves in it, and how it comes into the network.

    image: IMAGE (1, H, W, C), values 0..1. motion: a name in MOTION_RANGES. cond_frame: the frame of the
    video, from 0, that looks like the image. conv_in: one of CONV_IN_CHOICES. Raises ValueError for several
    images.
    """

    vae: Any
    image: torch.Tensor
    motion: str
    cond_frame: int = 0
    conv_in: str = OF_CHECKPOINT

    def __post_init__(self) -> None:
        for name, choices in (("motion", MOTION_CHOICES), ("conv_in", CONV_IN_CHOICES)):
            if (value := getattr(self, name)) not in choices:
                known = ", ".join(choices)
                raise ValueError(f"{name}='{printable(value)}' is not known; choose one of {known}.")
        if len(self.image) != 1:
            raise ValueError(
                f"image holds {len(self.image)} images and needs one; pick it with ImageFromBatch."
            )

    def for_run(self, model, shape: torch.Size, num_frames: int) -> PIAImage:
        """The image as latents of the size that is sampled, and its mask of num_frames values.

        shape: of the latents (N, 4, H, W). The middle of the image is cut out and resized. Raises ValueError
        for a cond_frame past the end, and for a VAE of another kind of checkpoint.
        """
        mask = mask_values(self.motion, num_frames, self.cond_frame)
        latent = encoded(self.image, self.vae, model, shape, "Animate Image (PIA)")
        return PIAImage(latent, mask, self.conv_in == OF_CHECKPOINT)

    def of_clip(self, ready: PIAImage, latents: torch.Tensor) -> PIAImage:
        """With the frame cond_frame of a clip that is trained on as image, latents (F, 4, H, W)."""
        return replace(ready, latents=latents[self.cond_frame][None])


def animate_image(motion_module: MotionModule, image: AnimatedImage) -> MotionModule:
    """The PIA module with the image that it animates; motion_module is not changed.

    Raises ValueError for a module of another method, and where conv_in asks for weights that its file lacks.
    """
    if motion_module.method is not METHOD:
        raise ValueError(
            f"'{printable(motion_module.name)}' is a module of {motion_module.method.name}, which takes no "
            "image; load pia.ckpt with Load Motion Module, or wire this module into Apply Motion Module."
        )
    if image.conv_in == OF_PIA and not motion_module.config.has_noisy:
        raise ValueError(
            f"conv_in='{printable(OF_PIA)}' needs weights for the noisy latents, "
            f"'{printable(motion_module.name)}' has none (zeros); choose '{printable(OF_CHECKPOINT)}'."
        )
    return replace(motion_module, inputs=image)
