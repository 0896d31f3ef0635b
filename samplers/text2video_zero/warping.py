"""Frames read along a motion field: each place takes the value of the nearest place of the first frame, what
lies beyond its border is mirrored. Values are taken, never mixed, so noise stays noise.

Source: github.com/Picsart-AI-Research/Text2Video-Zero, whose grid_sample (nearest, reflection, no aligned
corners) this is in closed form:

    x = mirrored(j + dx k w / 512), about -1/2 and w - 1/2, rounded

The published grid begins half a pixel of its canvas further left and above, and halves are rounded to even
numbers: that is `as_published`. Without it a half is rounded up, so that every place moves equally far.

Letters: F frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .motion_fields import CANVAS, MotionField


def warped(
    first: torch.Tensor, field: MotionField, num_frames: int, as_published: bool = False
) -> Iterator[torch.Tensor]:
    """The first frame (..., H, W) as frames 1 to F-1 see it, each of the same shape.

    Raises ValueError for a frame that sees nothing of it.
    """
    size = tuple(first.shape[-2:])
    for displacement in _seen(field, num_frames, size):
        x, y = sources(displacement, as_published)
        yield first[..., y.to(first.device), x.to(first.device)]


def check_field(field: MotionField, num_frames: int, size: tuple[int, int]) -> None:
    """Raises ValueError where `warped` would, for latents of this size (H, W)."""
    for _ in _seen(field, num_frames, size):
        pass


def _seen(field: MotionField, num_frames: int, size: tuple[int, int]) -> Iterator[torch.Tensor]:
    for k, displacement in enumerate(field.displacements(num_frames, size), 1):
        _refuse_lost_frame(displacement, k)
        yield displacement


def sources(displacement: torch.Tensor, as_published: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Column and row (H, W) that each place reads, by its displacement (2, H, W)."""
    height, width = displacement.shape[-2:]
    columns, rows = torch.arange(width), torch.arange(height)[:, None]
    return (
        _nearest(columns + displacement[0], width, as_published),
        _nearest(rows + displacement[1], height, as_published),
    )


def _nearest(place: torch.Tensor, length: int, as_published: bool) -> torch.Tensor:
    if as_published:
        place = place - 0.5 * length / CANVAS
    from_edge = torch.remainder(place + 0.5, 2 * length)
    place = torch.minimum(from_edge, 2 * length - from_edge) - 0.5
    place = place.clamp(0, length - 1)
    return (place.round() if as_published else (place + 0.5).floor()).long()


def _refuse_lost_frame(displacement: torch.Tensor, k: int) -> None:
    height, width = displacement.shape[-2:]
    x = torch.arange(width) + displacement[0] + 0.5
    y = torch.arange(height)[:, None] + displacement[1] + 0.5
    if not bool(((x > 0) & (x < width) & (y > 0) & (y < height)).any()):
        moved = ", ".join(f"{float(along.mean()):.1f}" for along in displacement)
        raise ValueError(
            f"the motion field leads frame {k} out of the picture: it has moved by ({moved}) places of "
            f"{width}x{height}, so that it shows nothing of the first frame; lower what the field moves each "
            "frame, or num_frames."
        )
