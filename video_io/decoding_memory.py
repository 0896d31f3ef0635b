"""Memory that decoding takes besides the frames that come of it, counted before it is taken.

A file of a kilobyte can claim a picture of a gigabyte, and a
large picture that is wanted small is decoded large all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import memory
from .probe import VideoProbe

VIDEO_FRAMES = 4  # that a decoder and the conversion hold at least


def check_decoding(
    what: str, size: tuple[int, int], needed: int, free_memory: Callable[[], int] | None
) -> None:
    """Raises ValueError when decoding a picture of (width,
    height) takes more bytes for a while than are free.
    """
    if free_memory is not None:
        pixels = f"the {size[0]}x{size[1]} pixels of {what}, while they are decoded,"
        memory.check_memory(
            needed, pixels, "make it smaller with another program, or leave it out", free_memory
        )


def check_decoding_video(probe: VideoProbe, free_memory: Callable[[], int] | None) -> None:
    """Raises ValueError when a video's own frames, before
    they are made smaller, need more memory than is free.
    """
    samples = VIDEO_FRAMES * (4 if probe.has_alpha else 3) * (2 if probe.bit_depth > 8 else 1)
    size = probe.width, probe.height
    check_decoding("the video", size, size[0] * size[1] * samples, free_memory)
