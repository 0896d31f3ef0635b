"""Memory that decoding takes besides the frames that come of it, counted before it is taken.

A file of a kilobyte can claim a picture of a gigabyte, and a
large picture that is wanted small is decoded large all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import memory
from .frame_size import Size
from .probe import VideoProbe

VIDEO_FRAMES = 4  # that a decoder and the conversion hold at least


def check_decoding(what: str, size: Size, needed: int, free_memory: Callable[[], int] | None) -> None:
    """Raises ValueError when decoding an image of a size takes more bytes for a while than are free."""
    if free_memory is not None:
        pixels = f"the {size} pixels of {what}, while they are decoded,"
        memory.check_memory(
            needed, pixels, "make it smaller with another program, or leave it out", free_memory
        )


def check_decoding_video(probe: VideoProbe, free_memory: Callable[[], int] | None) -> None:
    """Raises ValueError when a video's own frames,
    before they are made smaller, need more memory than is free.
    """
    samples = VIDEO_FRAMES * (4 if probe.has_alpha else 3) * (2 if probe.bit_depth > 8 else 1)
    check_decoding("the video", probe.size, probe.size.pixels * samples, free_memory)
