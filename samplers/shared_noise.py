"""Noise that the frames of a video share: the same noise makes the same detail in every frame.

Source: Make-A-Video (Singer et al. 2022, arXiv 2209.14792, section 3.2): spatial super-resolution starts from
the same noise in all frames. PYoCo (Ge et al. 2023, arXiv 2305.10474, section 4.1): mixed and progressive
noise, made for networks that are trained with it.

Letters: V videos, F frames. Frames are the batch (V*F, C, H, W), or the third axis (V, C, F, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ..foreign_text import printable
from ..memory import check_memory
from ..shapes import fold_frames, unfold_frames, videos_in_batch

NoiseShare = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def same(own: torch.Tensor, common: torch.Tensor, amount: float) -> torch.Tensor:
    """All frames have the common noise."""
    return common.expand_as(own).clone()


def mixed(own: torch.Tensor, common: torch.Tensor, amount: float) -> torch.Tensor:
    """Common noise and a frame's own, so that any two frames agree equally well;
    correlation amount^2 / (1 + amount^2).
    """
    return (amount * common + own) / (1 + amount**2) ** 0.5


def progressive(own: torch.Tensor, common: torch.Tensor, amount: float) -> torch.Tensor:
    """Each frame's noise is made from that of the frame before and its own, so that neighbours agree best;
    correlation (amount / sqrt(1 + amount^2)) ^ distance.
    """
    frames = [own[:, 0]]
    for k in range(1, own.shape[1]):
        frames.append((amount * frames[-1] + own[:, k]) / (1 + amount**2) ** 0.5)
    return torch.stack(frames, 1)


NOISE_SHARES: dict[str, NoiseShare] = {"same": same, "mixed": mixed, "progressive": progressive}
"""Name -> (own noise (V, F, ...), common noise (V, 1, ...), amount) to (V, F, ...), of variance 1 again."""


@dataclass(frozen=True)
class SharedNoiseSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    share: str = "same"
    """One of NOISE_SHARES."""
    amount: float = 1.0
    """How much of it is shared, PYoCo's alpha; at least 0, where each frame has its own. Not for `same`."""
    frames_per_video: int = 0
    """Frames of each video of a batch; 0 = all are one video."""

    def __post_init__(self) -> None:
        if self.share not in NOISE_SHARES:
            raise ValueError(
                f"share='{printable(self.share)}' must be one of {', '.join(NOISE_SHARES)}; choose one of"
                " these."
            )
        if not 0 <= self.amount < float("inf"):
            raise ValueError(
                f"amount={self.amount} must be at least 0; 1 gives common and own noise the same weight."
            )
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 makes all frames one video."
            )


def share_noise(own: torch.Tensor, common: torch.Tensor, settings: SharedNoiseSettings) -> torch.Tensor:
    """Noise of all frames (V*F, C, H, W) from each frame's own and a common one of each video
    (V, C, H, W). Returns a new tensor.
    """
    videos = own.unflatten(0, (len(common), -1))
    return NOISE_SHARES[settings.share](videos, common[:, None], settings.amount).flatten(0, 1)


class SharedNoise:
    """Another NOISE whose frames share it; an object of ComfyUI's NOISE type.

    The noise that it wraps is asked for one more image (or video of 5-D latents) for each video, which come
    first and are what is common. So parts of a video that carry their place (batch_index) share the same.
    """

    def __init__(self, noise, settings: SharedNoiseSettings):
        self.noise, self.settings = noise, settings
        self.seed = noise.seed

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"], (V*F, C, H, W) or (V, C, F, H, W).

        Raises ValueError for latents of other dimensions, and for frames that are not a whole number of
        videos.
        """
        samples = latent["samples"]
        if getattr(samples, "is_nested", False) or samples.ndim not in (4, 5):
            raise ValueError(
                "Shared Noise needs video latents of 4 or 5 dimensions alone, without sound; wire the NOISE"
                " without it."
            )
        rows = len(samples)
        videos = rows
        if samples.ndim == 4:
            videos = videos_in_batch(rows, self.settings.frames_per_video or rows)
        needed = 3 * (rows + videos) * samples[0].numel() * samples.element_size()
        check_memory(needed, f"the noise of {rows} latents", "take fewer or smaller frames")
        drawn = self._drawn(latent, videos)
        if samples.ndim == 4:
            return share_noise(drawn[videos:], drawn[:videos], self.settings)
        shared = share_noise(fold_frames(drawn[videos:]), drawn[:videos, :, 0], self.settings)
        return unfold_frames(shared, samples.shape[2])

    def _drawn(self, latent: Mapping, videos: int) -> torch.Tensor:
        samples, places = latent["samples"], latent.get("batch_index")
        longer = {**latent, "samples": torch.cat((samples[:videos], samples))}
        if places is not None:
            longer["batch_index"] = [*range(videos), *(videos + place for place in places)]
        return self.noise.generate_noise(longer)
