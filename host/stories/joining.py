"""Scenes as one finished video: of pictures, and of a stream that is written as it comes."""

from __future__ import annotations

from collections.abc import Iterator

import comfy.utils
import torch

from ...storyboards.joining import Frame, check_length, joined, joined_images
from ...storyboards.scenes import Storyboard
from ..media.video_saving import Frames


def join_scenes(images: torch.Tensor, board: Storyboard) -> torch.Tensor:
    """IMAGE (F, H, W, C) as the finished video; see storyboards.joining."""
    bar = comfy.utils.ProgressBar(board.num_joined)
    return joined_images(images, board, lambda: bar.update(1))


def joined_stream(frames: Frames, count: int, board: Storyboard | None) -> tuple[Frames, int]:
    """Frames as they are decoded, and their number, with the fades of a storyboard; None changes nothing.

    Raises ValueError for another number of frames than the storyboard's.
    """
    if board is None:
        return frames, count
    check_length(board, count)

    def faded(backward: bool = False) -> Iterator[Frame]:
        return joined(frames(backward), board, backward)

    return faded, board.num_joined
