"""Degrades a clip, so that a video model that makes it good may change what it shows.

Source: Molad et al. 2023 (Dreamix), arXiv 2302.01329, section 4.1: the video is downsampled and noise is
added, then the model denoises it under a new prompt. No code of it was published. Noise on latents is
ComfyUI's own matter (a sampler's denoise); here it is noise on pixels.

Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..memory import check_memory
from .batches import check_frames
from .resizing import resized


@dataclass(frozen=True)
class DegradeSettings:
    """What is taken away. Raises ValueError for values out of range.

    downscale: frames are made that much smaller and large again, 1..64. keep_every: of so many frames one is
    kept and held. noise: standard deviation of what is added to values 0..1, 0..1. seed: of the noise.
    """

    downscale: float = 4.0
    keep_every: int = 1
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("downscale", 1, 64), ("keep_every", 1, 10000), ("noise", 0, 1)):
            if not low <= getattr(self, name) <= high:  # NaN compares as false
                raise ValueError(
                    f"{name}={getattr(self, name):g} must be {low} to {high}; set it in between."
                )


def degraded(
    frames: torch.Tensor, settings: DegradeSettings, progress: Callable[[], None] = lambda: None
) -> torch.Tensor:
    """Frames (F, H, W, C), values 0..1, as coarse ones of the same size.

    A fourth channel (opacity) gets no noise. Raises ValueError where there is not the memory.
    """
    check_frames(frames, "the clip")
    check_memory(
        frames.numel() * frames.element_size(), f"{len(frames)} degraded frames", "take fewer frames"
    )
    generator = torch.Generator().manual_seed(settings.seed)
    result = torch.empty_like(frames)
    for number in range(len(frames)):
        held = number - number % settings.keep_every
        result[number] = result[held] if held < number else _coarse(frames[number], settings.downscale)
        progress()
    if settings.noise:
        for frame in result:
            noise = torch.randn(frame[..., :3].shape, generator=generator).to(frame)
            frame[..., :3] = (frame[..., :3] + settings.noise * noise).clamp(0, 1)
    return result


def _coarse(frame: torch.Tensor, downscale: float) -> torch.Tensor:
    """A frame (H, W, C) through a smaller size."""
    height, width = frame.shape[:2]
    small = resized(frame, max(1, round(height / downscale)), max(1, round(width / downscale)))
    return resized(small, height, width).to(frame.dtype)
