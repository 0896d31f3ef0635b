"""Background smoothing: where no frame shows the thing, a frame takes part of the first frame's latents.

Source: Khachatryan et al. 2023, arXiv 2303.13439, section 4.3; the square of 5x5 by which masks grow and the
weight 0.4 are those of github.com/Picsart-AI-Research/Text2Video-Zero, which finds the things with a detector
that it does not hold.

Letters: F frames, C channels, H height, W width of latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf

from .motion_fields import MotionField
from .warping import warped

GROWTH = 5
"""Places of the square by which a thing's mask grows."""


@dataclass(frozen=True)
class SmoothSettings:
    """keep: the part of the background that a frame keeps of its own, 0..1; 1 = all. as_published: the grid
    of the published code, as when the frames were prepared. frames_per_video: F where the latents hold
    several videos; 0 = all are one. Raises ValueError for values out of range.
    """

    keep: float = 0.4
    as_published: bool = False
    frames_per_video: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.keep <= 1:  # NaN compares as false
            raise ValueError(f"keep={self.keep} must be between 0 and 1; 0.4 is usual, 1 changes nothing.")
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 makes all frames one video."
            )


def smooth_background(
    latents: torch.Tensor, things: torch.Tensor, field: MotionField, settings: SmoothSettings
) -> torch.Tensor:
    """Latents (F, C, H, W) of one video with the first frame's background, moved along the field.

    things: (F, H', W'), 1 where the thing is. Raises ValueError for masks of another shape of picture.
    """
    outside = 1 - grown(things_in_latents(things, latents))
    background = outside * moved(outside[:1], field, len(latents), settings.as_published)
    first = moved(latents[:1] * outside[:1], field, len(latents), settings.as_published)
    mixed = settings.keep * latents + (1 - settings.keep) * first
    return (1 - background) * latents + background * mixed


def moved(first: torch.Tensor, field: MotionField, num_frames: int, as_published: bool) -> torch.Tensor:
    """The first frame (1, ...) in every frame of its video (F, ...), moved along the field."""
    return torch.cat((first, *warped(first, field, num_frames, as_published)))


def grown(masks: torch.Tensor) -> torch.Tensor:
    """Masks (F, 1, H, W) that reach two places further."""
    return nnf.max_pool2d(masks, GROWTH, 1, GROWTH // 2)


def things_in_latents(things: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Masks (F, H', W') at the size of latents (F, C, H, W): (F, 1, H, W)."""
    (height, width), (rows, columns) = things.shape[-2:], latents.shape[-2:]
    if height * columns != width * rows:
        raise ValueError(
            f"the mask is {width}x{height}, latents of {columns}x{rows} are of pictures of another shape; "
            "make the mask from the decoded frames, or resize it."
        )
    return nnf.interpolate(things[:, None].to(latents), (rows, columns), mode="nearest")
