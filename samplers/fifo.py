"""FIFO diffusion: a queue of frames, each a noise level noisier than the frame before it.

At every iteration all frames of the queue go down by one level. The first one is clean then and leaves, and
new noise joins at the end. So a video of any length needs the memory of its queue.

Source: FIFO-Diffusion (Kim et al. 2024, arXiv 2405.11473, algorithms 1 to 3), written from the paper: latent
partitioning, lookahead denoising, and a queue that begins with noised frames of a clip.

Letters: S steps of the schedule and places of the queue, F frames of a window, N frames of the video.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FifoSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    context_length: int = 16
    """Frames of a window, F."""
    lookahead: bool = True
    """Whether windows overlap by half and only their later, noisier half counts: better, twice the work."""
    eta: float = 0.0
    """Noise between the steps as a part of DDPM's; 0 = none (DDIM)."""
    frames_per_video: int = 0
    """Frames of each video of a batch; 0 = all are one video."""

    def __post_init__(self) -> None:
        if self.context_length < 1:
            raise ValueError(
                f"context_length={self.context_length} must be at least 1; 16 is right for AnimateDiff."
            )
        if self.lookahead and self.context_length % 2:
            raise ValueError(
                f"context_length={self.context_length} must be even with lookahead, which takes half windows;"
                " change it by 1 or turn lookahead off."
            )
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta={self.eta} must be 0..1; 0 is DDIM, 1 is DDPM.")
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 makes all frames one video."
            )

    @property
    def stride(self) -> int:
        """Places that a window brings on."""
        return self.context_length // 2 if self.lookahead else self.context_length

    @property
    def padding(self) -> int:
        """Clean frames in front of the queue, which windows see."""
        return self.context_length - self.stride

    def check_steps(self, steps: int) -> None:
        """Raises ValueError for a number of steps that windows cannot cover."""
        most = max(self.context_length, steps - steps % self.stride)
        if steps != most:
            raise ValueError(
                f"FIFO has a place in the queue for each of the {steps} steps, which must be a multiple of"
                f" {self.stride} and at least {self.context_length}; set steps to {most}."
            )

    def windows(self, steps: int) -> list[range]:
        """The windows over padding and queue; the last `stride` places of each are brought on.

        >>> FifoSettings(4).windows(6)
        [range(0, 4), range(2, 6), range(4, 8)]
        """
        return [range(start, start + self.context_length) for start in range(0, steps, self.stride)]


def places_of_frames(settings: FifoSettings, steps: int, iteration: int, num_frames: int) -> list[int]:
    """The frame at each place of padding and queue at an iteration, from 0. What is before the first frame
    counts as the first, what is behind the last of N as the last.

    >>> places_of_frames(FifoSettings(4), 6, 0, 9), places_of_frames(FifoSettings(4), 6, 4, 9)
    ([0, 0, 0, 0, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7])
    """
    first = iteration - (steps - settings.context_length) - settings.padding
    return [min(max(first + place, 0), num_frames - 1) for place in range(settings.padding + steps)]


def iterations_of(settings: FifoSettings, steps: int, num_frames: int) -> int:
    """Iterations until N frames have left: the first S - F give copies of the first frame."""
    return num_frames + steps - settings.context_length


class Queue:
    """Padding and queue (padding + S, C, H, W), noisier from place to place, and their noise levels.

    x: the queue alone. sigmas: the schedule (S + 1), falling. fill: (padding, C, H, W) clean.
    """

    def __init__(self, settings: FifoSettings, sigmas: torch.Tensor, fill: torch.Tensor, x: torch.Tensor):
        rising = sigmas.flip(0)
        self.settings, self.x = settings, torch.cat((fill, x))
        self.lower = rising[:-1]
        self.levels = torch.cat((rising[1:2].expand(settings.padding), rising[1:]))

    def step(self, denoised: torch.Tensor, joining: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """All places one level down, from their clean frames (padding + S, ...): returns the frame (1, ...)
        that is clean, and lets `joining` (1, ...), at the highest level, follow. noise: (S, ...) for eta.
        """
        pad = self.settings.padding
        below = ancestral_step(
            self.x[pad:], denoised[pad:], self.levels[pad:], self.lower, self.settings.eta, noise
        )
        self.x = torch.cat((self.x[:pad], below, joining))[1:]
        return below[:1]


def ancestral_step(
    x: torch.Tensor,
    denoised: torch.Tensor,
    sigma: torch.Tensor,
    lower: torch.Tensor,
    eta: float,
    noise: torch.Tensor | None,
) -> torch.Tensor:
    """x (N, ...) from noise levels sigma (N,) to lower (N,): DDIM with eta, in x = clean + sigma noise."""
    sigma, lower = (level.view(-1, *[1] * (x.ndim - 1)) for level in (sigma, lower))
    if not eta:
        return denoised + (lower / sigma) * (x - denoised)
    up = eta * lower * (1 - (lower / sigma) ** 2).clamp(min=0).sqrt()
    down = (lower**2 - up**2).clamp(min=0).sqrt()
    return denoised + (down / sigma) * (x - denoised) + up * noise


def first_frames(settings: FifoSettings, steps: int) -> list[int]:
    """For each place of the first queue, the frame of a clip of F frames that it begins with, noised.

    >>> first_frames(FifoSettings(4), 6)
    [0, 0, 0, 1, 2, 3]
    """
    return [max(0, place - (steps - settings.context_length)) for place in range(steps)]
