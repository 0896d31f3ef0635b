"""Images that a temporal method puts beside the latents, encoded to the size that is sampled.

Letters: K images, N images of the batch, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

import comfy.model_patcher
import torch

from ...memory import check_memory
from ..media.vae_cancelling import cancelled_between_layers
from ..video_models.start_images import fitted_images

_COPIES = 4
"""Of the images, while they are cut, resized and encoded."""


def encoded(
    images: torch.Tensor, vae: Any, model: comfy.model_patcher.ModelPatcher, shape: torch.Size, node: str
) -> torch.Tensor:
    """`image_latents` in the scale of the network's latents.

    Raises ValueError for a VAE of another kind of checkpoint and for too many images.
    """
    latents = image_latents(images, vae, shape)
    if latents.shape[1:] != shape[1:]:
        raise ValueError(
            f"the VAE of {node} makes latents of shape {tuple(latents.shape[1:])}, those that are sampled "
            f"have {tuple(shape[1:])}; wire the VAE of this checkpoint."
        )
    return model.model.process_latent_in(latents)


def image_latents(images: torch.Tensor, vae: Any, shape: torch.Size) -> torch.Tensor:
    """IMAGEs (K, H, W, C) as latents (K, C', H', W') of the size of others of this shape (..., H', W').

    The middle of every image is cut out and resized. Raises ValueError for too many images.
    """
    height, width = (size * vae.spacial_compression_encode() for size in shape[-2:])
    needed = _COPIES * len(images) * 3 * height * width * 4
    check_memory(needed, f"{len(images)} images of {width}x{height}", "take fewer images or smaller latents")
    # A VAE that was loaded while a graph ran has no gradients.
    with torch.no_grad(), cancelled_between_layers(vae):
        return vae.encode(fitted_images(images, width, height))
