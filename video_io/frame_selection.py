"""The frames that are wanted of a video or of a row of pictures, scaled and written straight into one tensor.

Source of the colour conversions: ITU-R BT.709, BT.2020 and BT.2100 (PQ and HLG).
Letters: F frames, H height, W width.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import av
import torch

from .. import memory
from .display_matrix import Turn, turn_of
from .even_times import exact_rate
from .frame_plan import FramePlan, FrameRequest, plan_span
from .frame_size import FrameFit, Size, SizeRequest, fit_size, is_same_shape
from .probe import VideoProbe
from .rgb_writer import RgbWriter

FreeMemory = Callable[[], int]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadOptions:
    """What is wanted of a source, and what reading it may take.

    free_memory: bytes that may be taken. progress(done, all) is told after every frame;
    stop, which may raise, is called between packets of a video and for every image.
    """

    request: FrameRequest = field(default_factory=FrameRequest)
    size: SizeRequest = field(default_factory=SizeRequest)
    free_memory: FreeMemory | None = None
    progress: Progress | None = None
    stop: Callable[[], None] = int


@dataclass(frozen=True)
class DecodedVideo:
    """Frames (F, H, W, 3) float32 in 0..1, their opacity (F, H, W) or None, and what they are of."""

    frames: torch.Tensor
    alpha: torch.Tensor | None
    probe: VideoProbe
    plan: FramePlan

    @property
    def fps(self) -> float:
        """How fast the frames are to be shown."""
        return self.plan.fps

    @property
    def numbers(self) -> list[int]:
        """Which of the source's frames they are."""
        return self.plan.numbers


class FrameSelection:
    """The wanted frames of a source,
    in memory that is taken when the first one has come and its size is known.

    A context in which frames are `put`, on threads of its own; at its end they are
    written. Raises ValueError for requests that leave nothing, and when the frames
    need more memory than is free.
    """

    def __init__(self, probe: VideoProbe, options: ReadOptions) -> None:
        self.probe, self.options = probe, options
        self.plan = plan_span(probe.times, options.request, probe.end, probe.tick, [exact_rate(probe.fps)])
        self.numbers = self.plan.numbers
        self.missing: dict[int, list[int]] = {}  # number of a frame -> rows of the result
        for row, number in enumerate(self.numbers):
            self.missing.setdefault(number, []).append(row)
        self.given = self.written = 0  # frames
        self.writer = RgbWriter()
        self.frames = self.alpha = None
        # Of the first frame, and so of all: side data keeps a frame in memory until cycles are collected.
        self.turn: Turn | None = None
        self.first_size: Size | None = None  # of the first image
        self.fits: dict[Size, FrameFit] = {}  # size of an image -> how it becomes a frame
        # A rotated file is decoded before it is known to be one; what both ways need is known now.
        ways = (probe.size, probe.aspect), (probe.size.turned, 1 / probe.aspect)
        outs = [fit_size(size, aspect, options.size).out for size, aspect in ways]
        self._check_memory(min(outs, key=lambda out: out.pixels))

    def __enter__(self):
        self.writer.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.writer.__exit__(*error)

    def _held(self) -> int:
        """How many frames are in memory at once."""
        return len(self.numbers)

    def put(self, number: int, frame: av.VideoFrame, size: Size | None = None) -> None:
        """Write a decoded frame wherever it is wanted. size: of one that was decoded smaller than it is."""
        if number not in self.missing:
            return
        self.turn = turn_of(frame) if self.turn is None else self.turn
        fit = self._fit(number, size or Size(frame.width, frame.height))
        self._write(frame, fit, self.missing.pop(number))

    def _write(self, frame: av.VideoFrame, fit: FrameFit, rows: list[int]) -> None:
        """Have a frame written into rows of the tensor."""

        def tell():
            self.written += len(rows)
            if self.options.progress is not None:
                self.options.progress(self.written, len(self.numbers))

        self.given += len(rows)
        targets = [(self.frames[row], None if self.alpha is None else self.alpha[row]) for row in rows]
        self.writer.write(frame, self.turn, fit, targets, tell)

    def _fit(self, number: int, size: Size) -> FrameFit:
        """How an image becomes a frame; the first one decides how large all are."""
        size = size.turned if self.turn.transposed else size
        if size not in self.fits:
            self.fits[size] = (
                self._first_fit(size) if self.frames is None else self._further_fit(number, size)
            )
        return self.fits[size]

    @property
    def _aspect(self) -> float:
        """Width of a pixel divided by its height, as the image is shown."""
        return 1 / self.probe.aspect if self.turn.transposed else self.probe.aspect

    def _first_fit(self, size: Size) -> FrameFit:
        """How the first image becomes a frame; takes the memory of all."""
        fit = fit_size(size, self._aspect, self.options.size)
        self._check_memory(fit.out)
        shape = self._held(), fit.out.height, fit.out.width
        self.frames = torch.empty(*shape, 3)
        self.alpha = torch.empty(shape) if self.probe.has_alpha else None
        self.first_size = size
        return fit

    def _further_fit(self, number: int, size: Size) -> FrameFit:
        """How a further image becomes a frame as large as the first. Raises ValueError for another shape."""
        out = Size(self.frames.shape[2], self.frames.shape[1])
        fit = fit_size(size, self._aspect, self.options.size.at(out))
        if fit.out == out:
            return fit
        if is_same_shape(self.first_size, size):  # only the rounding of the sides differs
            return FrameFit(out, out, (0, 0))
        raise ValueError(
            f"frame {number} of {size} has another shape than those before, which become {out}; set resize to"
            " crop, pad or stretch."
        )

    def _check_memory(self, out: Size) -> None:
        check_memory(self._held(), out, self.probe.has_alpha, self.options.free_memory)

    def finished(self) -> DecodedVideo:
        """The frames. Raises ValueError where some could not be decoded."""
        if self.missing:
            times = [self.probe.times[number] for number in sorted(self.missing)]
            raise ValueError(
                f"{len(times)} of the {len(set(self.numbers))} wanted frames could not be decoded, from"
                f" {times[0]:.2f} s to {times[-1]:.2f} s: the file is damaged there; end before it, start"
                " after it, or repair the file."
            )
        return DecodedVideo(self.frames, self.alpha, self.probe, self.plan)


class FrameChunks(FrameSelection):
    """The wanted frames a few at a time:
    `work` gets each chunk (F, H, W, 3), F at most `chunk`, in memory that the next one takes.

    The results lie in `results`. Raises ValueError as FrameSelection does, for damage as soon as it is met.
    """

    def __init__(
        self, probe: VideoProbe, options: ReadOptions, chunk: int, work: Callable[[torch.Tensor], object]
    ) -> None:
        self.chunk, self.work = chunk, work
        self.results: list[object] = []
        self.filled = 0  # rows of the present chunk
        super().__init__(replace(probe, has_alpha=False), options)

    def _held(self) -> int:
        return min(self.chunk, len(self.numbers))

    def put(self, number: int, frame: av.VideoFrame, size: Size | None = None) -> None:
        """Write a decoded frame wherever it is wanted, and hand over the chunk when it is full."""
        if (
            number not in self.missing or self.missing[number][0] != self.given
        ):  # behind a gap, of which `finished` tells
            return
        self.turn = turn_of(frame) if self.turn is None else self.turn
        fit = self._fit(number, size or Size(frame.width, frame.height))
        for _ in self.missing.pop(number):
            self._write(frame, fit, [self.filled])
            self.filled += 1
            if self.filled == len(self.frames):
                self._hand_over()

    def _hand_over(self) -> None:
        self.writer.finish()
        self.results.append(self.work(self.frames[: self.filled]))
        self.filled = 0

    def finished(self) -> DecodedVideo:
        """What was decoded, without the frames. Raises ValueError where some could not be decoded."""
        done = super().finished()
        if self.filled:
            self._hand_over()
        return replace(done, frames=self.frames[:0], alpha=None)


def check_memory(num_frames: int, size: Size, has_alpha: bool, free_memory: FreeMemory | None) -> None:
    """Raises ValueError when so many frames of a size need more bytes than are free."""
    if free_memory is None:
        return
    needed = num_frames * size.pixels * 4 * (4 if has_alpha else 3)
    what = f"{num_frames} frames of {size}"
    remedy = "take fewer frames (frame_cap, select_every_nth, a lower rate) or a smaller size"
    logging.info("%s.", memory.check_memory(needed, what, remedy, free_memory))
