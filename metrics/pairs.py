"""A clip and its reference, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .metric import Clip


def checked_pair(clip: Clip, metric: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Each frame's colours (H, W, 3) and those of the reference.

    Raises ValueError for clips of different sizes or lengths.
    """
    frames, reference = clip.frames, clip.reference
    if frames.shape[:3] != reference.shape[:3]:
        one, other = (f"{len(c)} frames of {c.shape[2]}x{c.shape[1]}" for c in (frames, reference))
        raise ValueError(
            f"{metric} compares frame by frame; the clip has {one}, its reference {other}: bring both to one"
            " length and size."
        )
    return zip(frames[..., :3], reference[..., :3], strict=True)
