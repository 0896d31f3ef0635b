"""Video and latent shapes: the only place that folds (B, C, F, H, W) <-> (B*F, C, H, W).

Letters: B videos, C channels, F frames, H height, W width.
In the folded layout the frames of one video are adjacent.
"""

from __future__ import annotations

import torch
from einops import rearrange


def fold_frames(video: torch.Tensor) -> torch.Tensor:
    """(B, C, F, H, W) -> (B*F, C, H, W), the frames of one video adjacent.

    >>> fold_frames(torch.arange(6).view(2, 1, 3, 1, 1)).flatten().tolist()  # 2 videos of 3 frames
    [0, 1, 2, 3, 4, 5]
    """
    if video.ndim != 5:
        raise ValueError(
            f"a video tensor has 5 dimensions (B, C, F, H, W); this one has shape {tuple(video.shape)}."
        )
    return rearrange(video, "b c f h w -> (b f) c h w")


def unfold_frames(images: torch.Tensor, num_frames: int) -> torch.Tensor:
    """(B*F, C, H, W) -> (B, C, F, H, W) with F = num_frames.

    Raises ValueError when the batch is not a whole number of videos.
    """
    if images.ndim != 4:
        raise ValueError(
            f"a batch of frames has 4 dimensions (B*F, C, H, W); this one has shape {tuple(images.shape)}."
        )
    return rearrange(images, "(b f) c h w -> b c f h w", b=videos_in_batch(len(images), num_frames))


def videos_in_batch(batch_size: int, num_frames: int) -> int:
    """How many videos of num_frames frames a batch holds; ValueError when it is not a whole number >= 1."""
    if num_frames < 1:
        raise ValueError(f"num_frames={num_frames} must be at least 1; give the video at least one frame.")
    if batch_size < 1 or batch_size % num_frames:
        raise ValueError(
            f"a batch of {batch_size} images is not a whole number of videos of {num_frames} frames; "
            f"make the batch a multiple of {num_frames} or change the number of frames per video."
        )
    return batch_size // num_frames
