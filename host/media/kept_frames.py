"""Key frames of a LATENT that stay, and how far each frame of one is made anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...frame_tools.kept_frames import KeptFrames, denoise_frames, keep_frames
from ...frame_values import FrameValues, frame_values
from ..injection.condition_images import image_latents


def fix_frames(latent: dict, key_frames: torch.Tensor | dict, vae: Any, kept: KeptFrames) -> dict:
    """`keep_frames` of latents, or of IMAGEs (K, H, W, C) that the VAE encodes at the size of the latent.

    Raises ValueError as that does, and for images without a VAE, or with one of several frames a latent.
    """
    if isinstance(key_frames, dict):
        return keep_frames(latent, key_frames["samples"], kept)
    if vae is None:
        raise ValueError("key_frames are images, which need the VAE of the checkpoint; wire it to vae.")
    if vae.latent_dim != 2:
        raise ValueError(
            "this VAE encodes several frames into one latent, so images are no frames of the video; encode"
            " them with VAE Encode, and wire latents to key_frames."
        )
    if key_frames.shape[-1] == 1:
        key_frames = key_frames.expand(*key_frames.shape[:3], 3)
    return keep_frames(latent, image_latents(key_frames, vae, latent["samples"].shape), kept)


def set_denoise(
    latent: dict, denoise: float | Sequence[float] | FrameValues, frames_per_video: int = 0
) -> dict:
    """`denoise_frames` by a number, one for each frame, or values over frames and places.

    Raises ValueError as that does, and for values that differ by steps or blocks, which a mask cannot.
    """
    if not isinstance(denoise, FrameValues):
        numbers = denoise if isinstance(denoise, Sequence) else [denoise]
        denoise = frame_values(numbers)
    if len(denoise.keys) > 1 or denoise.keys[0].start_percent or denoise.blocks:
        raise ValueError(
            "denoise must have the same values at all steps and in all blocks: it says itself at which step a"
            " frame joins; take Vary Value with start_percent 0, one alone, and no Vary Value by Block."
        )
    return denoise_frames(latent, denoise.keys[0].values, frames_per_video)
