"""Reads a window of a video straight into one tensor: besides the result only the few frames that the decoder holds are in memory.

Times come from a first pass over the packets, which decodes nothing, so that the number of frames and the memory they need are
known before the first frame is decoded. Source of the colour conversions: ITU-R BT.709, BT.2020 and BT.2100 (PQ and HLG).
Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import torch

from .display_matrix import turn_of
from .facts import Source, VideoFacts, facts_by_decoding, open_video, read_facts, video_stream
from .frame_plan import FrameWish, plan_frames
from .frame_size import FrameSize, fit_size
from .hdr import is_wider, to_display
from .pictures import Pictures, whole_frames


@dataclass(frozen=True)
class DecodedVideo:
    """Frames (F, H, W, 3) float32 in 0..1, their opacity (F, H, W) or None, and how fast they are to be shown."""

    frames: torch.Tensor
    alpha: torch.Tensor | None
    fps: float
    facts: VideoFacts
    numbers: list[int]  # of the source's frames


def decode_window(
    source: Source,
    wish: FrameWish | None = None,
    width: int = 0,
    height: int = 0,
    resize: str = "keep ratio",
    multiple: int = 1,
    free_memory: Callable[[], int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DecodedVideo:
    """Decode the wished frames of a video, scaled while they are decoded.

    width, height in pixels, 0 = from the other or the video's own; resize one of RESIZE_MODES. free_memory: bytes that may be taken.
    progress(done, all) is told after every frame.

    Raises ValueError for files that cannot be read, wishes that leave nothing, and when the frames need more memory than is free."""
    wish = wish or FrameWish()

    def decode(facts: VideoFacts) -> tuple[_Window, bool]:
        window = _Window(facts, wish, (width, height, resize, multiple), free_memory, progress)
        with open_video(source) as container:
            stream = video_stream(container)
            stream.thread_type = "AUTO"
            pictures = Pictures(container, stream)
            for number, picture in _numbered(pictures, facts, min(window.numbers), max(window.numbers)):
                window.put(number, picture)
        return window, pictures.damaged

    window, damaged = decode(read_facts(source))
    if window.missing and not (damaged or window.facts.lost):
        window = None  # frees its frames
        window, _ = decode(facts_by_decoding(source))
    return window.finished()


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


class _Window:
    """The wanted frames, taken from memory when the first one has come and its size is known."""

    def __init__(self, facts: VideoFacts, wish: FrameWish, size: tuple, free_memory, progress) -> None:
        self.facts, self.wish, self.size, self.free_memory, self.progress = facts, wish, size, free_memory, progress
        self.numbers = plan_frames(facts.times, wish, facts.end)
        self.missing: dict[int, list[int]] = {}  # number of a frame -> rows of the result
        for row, number in enumerate(self.numbers):
            self.missing.setdefault(number, []).append(row)
        self.frames = self.alpha = self.fit = None
        # A rotated file is decoded before it is known to be one; what both ways need is known now.
        fits = [fit_size(facts.width, facts.height, facts.aspect, *size), fit_size(facts.height, facts.width, 1 / facts.aspect, *size)]
        check_memory((len(self.numbers), *min((fit.out[::-1] for fit in fits), key=math.prod)), facts.has_alpha, free_memory)

    def put(self, number: int, picture: av.VideoFrame) -> None:
        """Write a decoded frame wherever it is wanted."""
        if number not in self.missing:
            return
        if self.frames is None:
            self._begin(picture)
        first, *others = self.missing.pop(number)
        _put(picture, self.fit, self.frames[first], None if self.alpha is None else self.alpha[first])
        for row in others:
            self.frames[row] = self.frames[first]
            if self.alpha is not None:
                self.alpha[row] = self.alpha[first]
        if self.progress is not None:
            self.progress(len(self.numbers) - sum(map(len, self.missing.values())), len(self.numbers))

    def _begin(self, picture: av.VideoFrame) -> None:
        facts = self.facts
        if turn_of(picture).transposed:
            self.fit = fit_size(picture.height, picture.width, 1 / facts.aspect, *self.size)
        else:
            self.fit = fit_size(picture.width, picture.height, facts.aspect, *self.size)
        shape = (len(self.numbers), self.fit.out[1], self.fit.out[0])
        check_memory(shape, facts.has_alpha, self.free_memory)
        self.frames = torch.empty(*shape, 3)
        self.alpha = torch.empty(*shape) if facts.has_alpha else None

    def finished(self) -> DecodedVideo:
        """The frames. Raises ValueError where some could not be decoded."""
        if self.missing:
            times = [self.facts.times[number] for number in sorted(self.missing)]
            raise ValueError(
                f"{len(times)} of the {len(set(self.numbers))} wanted frames could not be decoded, from {times[0]:.2f} s to "
                f"{times[-1]:.2f} s: the file is damaged there; end before it, start after it, or repair the file."
            )
        rate = self.wish.force_rate or self.facts.fps
        return DecodedVideo(self.frames, self.alpha, rate / self.wish.every_nth, self.facts, self.numbers)


def check_memory(shape: tuple[int, int, int], has_alpha: bool, free_memory: Callable[[], int] | None) -> None:
    """Raises ValueError when frames of shape (F, H, W) need more bytes than are free."""
    needed = shape[0] * shape[1] * shape[2] * 4 * (4 if has_alpha else 3)
    if free_memory is not None and needed > (free := free_memory()):
        raise ValueError(
            f"{shape[0]} frames of {shape[2]}x{shape[1]} need {needed / 2**30:.2f} GiB of memory and {free / 2**30:.2f} GiB are free; "
            f"take fewer frames (cap, select_every_nth, a lower rate) or a smaller size."
        )


def _put(frame: av.VideoFrame, size: FrameSize, out: torch.Tensor, alpha: torch.Tensor | None) -> None:
    """Write one decoded frame into its place (H, W, 3), and its opacity (H, W)."""
    turn = turn_of(frame)
    scaled = size.scaled[::-1] if turn.transposed else size.scaled
    deep = is_wider(frame.color_primaries, frame.color_trc)
    layout = ("rgba64le" if alpha is not None else "rgb48le") if deep else ("rgba" if alpha is not None else "rgb24")
    picture = _to_rgb(frame, scaled, layout).to_ndarray()
    picture = turn.apply(picture)
    pixels = torch.from_numpy(np.ascontiguousarray(picture.astype(np.int32) if deep else picture))
    (x, y), (width, height) = size.offset, size.out
    for target in (out, alpha):
        if target is not None and max(x, y) > 0:
            target.zero_()  # the borders
    pixels = pixels[max(0, -y) : max(0, -y) + height, max(0, -x) : max(0, -x) + width]
    inside = (slice(max(0, y), max(0, y) + pixels.shape[0]), slice(max(0, x), max(0, x) + pixels.shape[1]))
    out[inside].copy_(pixels[..., :3]).div_(65535 if deep else 255)
    if deep:
        out[inside] = to_display(out[inside], frame.color_trc)
    if alpha is not None:
        alpha[inside].copy_(pixels[..., 3]).div_(65535 if deep else 255)


def _to_rgb(frame: av.VideoFrame, size: tuple[int, int], layout: str) -> av.VideoFrame:
    """A frame scaled to (width, height) in an RGB layout. Raises ValueError for colours that cannot be converted."""
    untagged = frame.colorspace in (0, 2)
    try:
        return frame.reformat(
            width=size[0], height=size[1], format=layout, interpolation="BICUBIC", dst_colorspace="ITU709",
            src_colorspace=("ITU709" if frame.height >= 720 else "ITU601") if untagged else None,
        )  # fmt: skip
    except av.error.FFmpegError as error:
        raise ValueError(
            f"frames in the format {frame.format.name} with colour matrix {frame.colorspace} of ITU-T H.273 cannot be converted to RGB; "
            f"convert the video to BT.709 (matrix 1) with a video tool."
        ) from error
