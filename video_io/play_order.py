"""In which order frames are written: once, there and back, again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

Frame = TypeVar("Frame")


def in_play_order(
    frames: Callable[[bool], Iterator[Frame]], count: int, ping_pong: bool, repeats: int
) -> Iterator[Frame]:
    """The frames of a video as they are shown; repeats of 0 and 1 are once.

    frames(backward) goes through all `count` of them. There and back leaves out both ends on the way back, so
    that no frame stands twice when the video starts again.
    """
    for _ in range(max(1, repeats)):
        yield from frames(False)
        if ping_pong and count > 2:
            yield from islice(frames(True), 1, count - 1)


def played_count(count: int, ping_pong: bool, repeats: int) -> int:
    """How many frames in_play_order gives."""
    return max(1, repeats) * (count + (max(0, count - 2) if ping_pong else 0))
