"""The scenes' frames as the finished video: fades mix the end of a scene with the beginning of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from ..memory import check_memory
from .scenes import Storyboard

Frame = tuple[torch.Tensor, torch.Tensor | None]
"""A picture (H, W, C) and its opacity (H, W), or None."""


def check_length(storyboard: Storyboard, num_frames: int) -> None:
    """Raises ValueError where a video has another number of frames than the storyboard."""
    if num_frames != storyboard.num_frames:
        raise ValueError(
            f"the storyboard has {storyboard.num_frames} frames and the video {num_frames}; wire num_frames"
            " of Storyboard to the empty latent's batch_size, and make all frames in one run."
        )


def joined(frames: Iterable[Frame], storyboard: Storyboard, backward: bool = False) -> Iterator[Frame]:
    """The finished video out of all frames that were sampled, as they come; backward: from the last one on.

    n pictures of a fade of n frames are kept at a time. In frame k of it the next scene has a share of
    (k + 1) / (n + 1).
    """
    parts = _fading(storyboard)
    kept: dict[int, Frame] = {}
    numbers = range(storyboard.num_frames)
    for number, frame in zip(reversed(numbers) if backward else numbers, frames, strict=True):
        if number not in parts:
            yield frame
            continue
        other, share = parts[number]
        if other not in kept:
            kept[number] = _owned(frame)
            continue
        yield _mixed(kept.pop(other), frame, share)


def joined_images(
    images: torch.Tensor, storyboard: Storyboard, progress: Callable[[], None] = lambda: None
) -> torch.Tensor:
    """Images (F, H, W, C) as the finished video, with fewer frames where scenes fade.

    Raises ValueError for another number of frames than the storyboard's, and where there is not the memory.
    """
    check_length(storyboard, len(images))
    if not storyboard.fades():
        return images
    size = images[0].numel() * images.element_size()
    check_memory(size * storyboard.num_joined, f"{storyboard.num_joined} frames", "make smaller frames")
    result = images.new_empty(storyboard.num_joined, *images.shape[1:])
    for place, (frame, _) in enumerate(joined(((image, None) for image in images), storyboard)):
        result[place] = frame
        progress()
    return result


def _fading(storyboard: Storyboard) -> dict[int, tuple[int, float]]:
    """For every frame in a fade the one it is mixed with, and its own share."""
    parts = {}
    for start, length in storyboard.fades():
        for k in range(length):
            share = (k + 1) / (length + 1)
            parts[start - length + k] = start + k, 1 - share
            parts[start + k] = start - length + k, share
    return parts


def _owned(frame: Frame) -> Frame:
    """A frame that stays when the decoder's memory is used again."""
    picture, opacity = frame
    return picture.clone(), None if opacity is None else opacity.clone()


def _mixed(first: Frame, second: Frame, share: float) -> Frame:
    """share: of the second."""
    pictures = torch.lerp(first[0].float(), second[0].float(), share).to(second[0].dtype)
    if first[1] is None or second[1] is None:
        return pictures, second[1]
    return pictures, torch.lerp(first[1], second[1], share)
