"""Reads a window of a video straight into one tensor: besides the result only the few frames that the decoder holds are in memory.

Times come from a first pass over the packets, which decodes nothing, so that the number of frames and the memory they need are
known before the first frame is decoded. Source of the colour conversions: ITU-R BT.709, BT.2020 and BT.2100 (PQ and HLG).
Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import torch

from .facts import Source, VideoFacts, open_video, read_facts
from .frame_plan import FrameWish, plan_frames
from .frame_size import FrameSize, fit_size
from .hdr import TRANSFERS, to_display


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
    facts = read_facts(source)
    numbers = plan_frames(facts.times, wish, facts.end)
    rate = wish.force_rate or facts.fps
    frames = alpha = size = None
    with open_video(source) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        base = stream.time_base or Fraction(1, 1000)
        wanted: dict[int, list[int]] = {}
        for row, number in enumerate(numbers):
            wanted.setdefault(number, []).append(row)
        done = 0
        for number, frame in _frames(container, stream, facts, base, min(numbers), max(numbers)):
            if number not in wanted:
                continue
            if frames is None:
                turned = frame.rotation % 180 != 0
                size = _size_of(frame, facts, width, height, resize, multiple, turned)
                shape = (len(numbers), size.out[1], size.out[0])
                check_memory(shape, facts.has_alpha, free_memory)
                frames = torch.empty(*shape, 3)
                alpha = torch.empty(*shape) if facts.has_alpha else None
            first, *others = wanted.pop(number)
            _put(frame, size, frames[first], None if alpha is None else alpha[first])
            for row in others:
                frames[row] = frames[first]
                if alpha is not None:
                    alpha[row] = alpha[first]
            done += 1 + len(others)
            if progress is not None:
                progress(done, len(numbers))
    if frames is None:
        raise ValueError("not one of the wanted frames could be decoded; the file is damaged there.")
    if wanted:
        raise ValueError(
            f"{len(wanted)} of the {len(numbers)} wanted frames could not be decoded, the first at {facts.times[min(wanted)]:.2f} s; "
            f"the file is damaged there: end before it or repair the file."
        )
    return DecodedVideo(frames, alpha, rate / wish.every_nth, facts, numbers)


def _frames(container, stream, facts: VideoFacts, base: Fraction, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """The decoded frames first..last with their numbers; interlaced ones made whole."""
    number_of = {round(time / base): number for number, time in enumerate(facts.times)}
    if first:
        container.seek(round(facts.times[first] / base), stream=stream, backward=True)
    for frame in _whole(_decode(container, stream)):
        # The deinterlacer counts in a time base of its own.
        number = -1 if frame.pts is None else number_of.get(round(frame.pts * frame.time_base / base), -1)
        if number > last:
            return
        if number >= first:
            yield number, frame


def _decode(container, stream) -> Iterator[av.VideoFrame]:
    with contextlib.suppress(av.error.FFmpegError):  # decode_window counts what is missing and says where it begins
        yield from container.decode(stream)


def _whole(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same frames, deinterlaced where the first one is interlaced."""
    graph = None
    for index, frame in enumerate(frames):
        if index == 0 and frame.interlaced_frame:
            graph = av.filter.Graph()
            chain = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)]
            chain += [graph.add("yadif", "mode=send_frame"), graph.add("buffersink")]
            for before, after in zip(chain, chain[1:], strict=False):
                before.link_to(after)
            graph.configure()
        if graph is None:
            yield frame
            continue
        graph.push(frame)
        yield from _pull(graph)
    if graph is not None:
        graph.push(None)
        yield from _pull(graph)


def _pull(graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _size_of(frame: av.VideoFrame, facts: VideoFacts, width: int, height: int, resize: str, multiple: int, turned: bool) -> FrameSize:
    if turned:
        return fit_size(frame.height, frame.width, 1 / facts.aspect, width, height, resize, multiple)
    return fit_size(frame.width, frame.height, facts.aspect, width, height, resize, multiple)


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
    turns = round(frame.rotation / 90) % 4
    scaled = size.scaled[::-1] if turns % 2 else size.scaled
    deep = frame.color_trc in TRANSFERS
    layout = ("rgba64le" if alpha is not None else "rgb48le") if deep else ("rgba" if alpha is not None else "rgb24")
    picture = frame.reformat(
        width=scaled[0], height=scaled[1], format=layout, interpolation="BICUBIC", dst_colorspace="ITU709",
        src_colorspace=None if frame.colorspace not in (0, 2) else ("ITU709" if frame.height >= 720 else "ITU601"),
    ).to_ndarray()  # fmt: skip
    picture = np.rot90(picture, turns) if turns else picture
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
