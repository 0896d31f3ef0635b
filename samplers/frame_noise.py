"""Start noise with a seed of its own for every frame, or from a place further on in the noise of one seed.

Source: AnimateDiff-Evolved's sample settings (seed_gen auto1111 and comfy, batch_offset, seed_offset), with
its numbers.

Letters: F frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ..foreign_text import printable
from ..memory import check_memory

ONE_SEED, SEED_PER_FRAME = "one for all frames", "one for each frame"
SEEDS = 2**64


@dataclass(frozen=True)
class FrameNoiseSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    noise_seed: int = 0
    """The seed of the run."""
    seeds: str = SEED_PER_FRAME
    """One of FRAME_SEEDS."""
    batch_offset: int = 0
    """Frames in front that are drawn and left out."""
    seed_offset: int = 0
    """Is added to the seed."""

    def __post_init__(self) -> None:
        if self.seeds not in FRAME_SEEDS:
            raise ValueError(
                f"seeds='{printable(self.seeds)}' must be one of {', '.join(FRAME_SEEDS)}; choose one of"
                " these."
            )
        if self.batch_offset < 0:
            raise ValueError(
                f"batch_offset={self.batch_offset} must be at least 0; 0 begins with the seed's first frame."
            )


def _one_seed(seed: int, shape: tuple[int, ...], places: range | list[int]) -> torch.Tensor:
    """The noise of the first frames of one seed, of which those at the places are taken."""
    size, generator = (max(places) + 1, *shape), torch.Generator().manual_seed(seed)
    if isinstance(places, range):  # as ComfyUI draws a whole batch
        return torch.randn(size, generator=generator)[places.start :]
    frames = [torch.randn((1, *shape), generator=generator) for _ in range(size[0])]
    return torch.cat([frames[place] for place in places])


def _seed_per_frame(seed: int, shape: tuple[int, ...], places: range | list[int]) -> torch.Tensor:
    """The first noise of the seed plus a frame's place."""
    generators = (torch.Generator().manual_seed((seed + place) % SEEDS) for place in places)
    return torch.cat([torch.randn((1, *shape), generator=generator) for generator in generators])


FRAME_SEEDS: dict[str, Callable[[int, tuple[int, ...], range | list[int]], torch.Tensor]] = {
    ONE_SEED: _one_seed,
    SEED_PER_FRAME: _seed_per_frame,
}
"""Name -> (seed, shape (C, H, W) of a frame, places of the frames) to noise (F, C, H, W)."""


class FrameNoise:
    """An object of ComfyUI's NOISE type; see the module. Drawn on the CPU, as ComfyUI draws noise."""

    def __init__(self, settings: FrameNoiseSettings):
        self.settings = settings
        self.seed = (settings.noise_seed + settings.seed_offset) % SEEDS

    def generate_noise(self, latent: Mapping) -> torch.Tensor:
        """Noise of the shape of latent["samples"] (F, C, H, W); with latent["batch_index"], that of the
        places of a longer video that it names.

        Raises ValueError for latents of other dimensions.
        """
        samples, offset = latent["samples"], self.settings.batch_offset
        if getattr(samples, "is_nested", False) or samples.ndim != 4:
            raise ValueError(
                "Noise per Frame is for latents whose frames are the batch, (F, C, H, W); use RandomNoise for"
                " video latents of 5 dimensions and for sound."
            )
        places = range(offset, offset + len(samples))
        if latent.get("batch_index") is not None:
            places = [offset + place for place in latent["batch_index"]]
        frames = max(places) + 1 if self.settings.seeds == ONE_SEED else 0
        needed = 4 * (frames + 2 * len(samples)) * samples[0].numel()
        check_memory(needed, f"the noise of {len(samples)} frames", "take fewer frames")
        drawn = FRAME_SEEDS[self.settings.seeds](self.seed, tuple(samples.shape[1:]), places)
        return drawn.to(samples.dtype)
