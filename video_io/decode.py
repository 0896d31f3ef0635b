"""Reads a window of a video straight into one tensor: besides the result only the few frames that the decoder holds are in memory.

Times come from a first pass over the packets, which decodes nothing, so that the number of frames and the memory they need are
known before the first frame is decoded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import torch

from .facts import Source, VideoFacts, facts_by_decoding, open_video, read_facts, video_stream
from .frame_plan import FrameWish
from .frame_window import DecodedVideo, FrameChunks, FrameWindow, SizeWish
from .pictures import Pictures, whole_frames


def decode_window(
    source: Source,
    wish: FrameWish | None = None,
    width: int = 0,
    height: int = 0,
    resize: str = "keep ratio",
    multiple: int = 1,
    free_memory: Callable[[], int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], None] = int,
) -> DecodedVideo:
    """Decode the wished frames of a video, scaled while they are decoded.

    width, height in pixels, 0 = from the other or the video's own; resize one of RESIZE_MODES. free_memory: bytes that may be taken.
    progress(done, all) is told after every frame; stop, which may raise, is called between packets.

    Raises ValueError for files that cannot be read, wishes that leave nothing, and when the frames need more memory than is free."""
    size = (width, height, resize, multiple)
    return _decode(source, lambda facts: FrameWindow(facts, wish or FrameWish(), size, free_memory, progress), stop).finished()


def decode_in_chunks(
    source: Source,
    wish: FrameWish,
    size: SizeWish,
    chunk: int,
    work: Callable[[torch.Tensor], object],
    free_memory: Callable[[], int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], None] = int,
) -> tuple[list, DecodedVideo]:
    """What `work` makes of the wished frames, `chunk` of them at a time (F, H, W, 3), and what was decoded, without the frames.

    Nothing but one chunk is ever in memory. Raises ValueError as decode_window does."""
    if chunk < 1:
        raise ValueError(f"chunk_frames={chunk} must be 1 or more; 8 is usual.")
    window = _decode(source, lambda facts: FrameChunks(facts, wish, size, chunk, work, free_memory, progress), stop)
    done = window.finished()
    return window.results, done


def _decode(source: Source, window_of: Callable[[VideoFacts], FrameWindow], stop: Callable[[], None]) -> FrameWindow:
    """A window with every frame in it that can be decoded; begun anew where the packets told a wrong number of frames."""

    def decode(facts: VideoFacts) -> tuple[FrameWindow, bool]:
        with window_of(facts) as window, open_video(source) as container:
            stream = video_stream(container)
            stream.thread_type = "AUTO"
            pictures = Pictures(container, stream, stop)
            for number, picture in _numbered(pictures, facts, min(window.numbers), max(window.numbers)):
                window.put(number, picture)
        return window, pictures.damaged

    window, damaged = decode(read_facts(source, stop))
    if window.missing and not (damaged or window.facts.lost):
        window = None  # frees its frames
        window, _ = decode(facts_by_decoding(source, stop))
    return window


def _numbered(pictures: Pictures, facts: VideoFacts, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """The decoded frames first..last with their numbers; interlaced ones made whole."""
    if facts.counted:
        yield from itertools.islice(enumerate(whole_frames(pictures)), first, last + 1)
        return
    base = pictures.stream.time_base or Fraction(1, 1000)
    number_of = {round(time / base): number for number, time in enumerate(facts.times)}
    if first:
        pictures.container.seek(round(facts.times[first] / base), stream=pictures.stream, backward=True)
    newest = -1
    for picture in whole_frames(pictures):
        # The deinterlacer counts in a time base of its own.
        number = -1 if picture.pts is None else number_of.get(round(picture.pts * picture.time_base / base), -1)
        if number > last:
            return
        if number >= max(first, newest + 1):  # stamps that go back are no times of showing
            newest = number
            yield number, picture
