"""FreeNoise: distant frames start from the same noise in another order, which keeps the content together.

The published step of 4 frames mixes more often than the step of a window's length less its overlap, which
Context Windows takes as ComfyUI does.

Source: FreeNoise (Qiu et al. 2023, arXiv 2310.15169, section 3.1; repository AILab-CVC/FreeNoise: windows of
16, a step of 4). Ours: a last piece may be shorter than the step.

Letters: V videos, F frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..memory import check_memory
from ..shapes import videos_in_batch
from .noise import arrange_noise

_BATCH_AXIS, _TIME_AXIS = 0, 2


@dataclass(frozen=True)
class FreeNoiseSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    window_length: int = 16
    """Frames that all have noise of their own, and after which it comes again."""
    stride: int = 4
    """Frames that are shuffled together."""
    frames_per_video: int = 0
    """Frames of each video of a batch; 0 = all are one video."""

    def __post_init__(self) -> None:
        if self.window_length < 1:
            raise ValueError(f"window_length={self.window_length} must be at least 1; 16 is the published.")
        if not 1 <= self.stride <= self.window_length:
            raise ValueError(
                f"stride={self.stride} must be at least 1 and at most window_length={self.window_length};"
                " 4 of 16 is the published."
            )
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 makes all frames one video."
            )


class FreeNoise:
    """Another NOISE, arranged; an object of ComfyUI's NOISE type. Its seed decides the order."""

    def __init__(self, noise, settings: FreeNoiseSettings):
        self.noise, self.settings = noise, settings
        self.seed = noise.seed

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"], (V*F, C, H, W) or (V, C, F, H, W); with
        latent["batch_index"], that of the places of a longer video that it names.

        Raises ValueError for latents of other dimensions, and for frames that are not a whole number of
        videos.
        """
        samples, places = latent["samples"], latent.get("batch_index")
        if getattr(samples, "is_nested", False) or samples.ndim not in (4, 5):
            raise ValueError(
                "FreeNoise needs video latents of 4 or 5 dimensions alone, without sound; wire the NOISE"
                " without it."
            )
        if samples.ndim == 5:
            return self._arranged(self.noise.generate_noise(latent), _TIME_AXIS, 1)
        rows = len(samples) if places is None else max(places) + 1
        check_memory(8 * rows * samples[0].numel(), f"the noise of {rows} frames", "take fewer frames")
        whole = {**latent, "samples": samples[:1].expand(rows, -1, -1, -1), "batch_index": None}
        videos = videos_in_batch(rows, self.settings.frames_per_video or rows)
        noise = self._arranged(self.noise.generate_noise(whole), _BATCH_AXIS, videos)
        return noise if places is None else noise[list(places)]

    def _arranged(self, noise: torch.Tensor, axis: int, videos: int) -> torch.Tensor:
        length, stride = self.settings.window_length, self.settings.stride
        return arrange_noise(noise, "freenoise", axis, length, length - stride, self.seed, videos)
