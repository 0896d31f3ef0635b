"""Decoded frames of any pixel format to float RGB in a place that is there already, on threads of their own
while the next are decoded.

Letters: H height, W width.
"""

from __future__ import annotations

import collections
import concurrent.futures
import threading
from collections.abc import Callable

import av
import numpy as np
import torch

from .display_matrix import Turn
from .frame_size import FrameFit
from .hdr import is_wider, to_display
from .rgb_conversion import RgbConverter, Values, is_deep

THREADS = 2
BAND = 32  # rows that are made floats at once, while they are in the processor's cache
UNDER_WAY = (
    3  # frames that wait or are being written, as decoded; THREADS of them also as RGB: 6 MiB of 1080p
)


class RgbWriter:
    """Writes frames in the order in which it is told to and says so, in that order;
    a context, at whose end all are written.

    An error of a frame is raised by a later `write` or at the end.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._pending: collections.deque[tuple[concurrent.futures.Future, Callable[[], None]]] = (
            collections.deque()
        )
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def __enter__(self) -> RgbWriter:
        self._pool = concurrent.futures.ThreadPoolExecutor(THREADS, "zoetrope-frames")
        return self

    def __exit__(self, kind: type | None, *error) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._pending.clear()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def write(
        self,
        frame: av.VideoFrame,
        turn: Turn,
        fit: FrameFit,
        targets: list[tuple],
        written: Callable[[], None],
    ) -> None:
        """Write a frame into places (H, W, 3), each with one (H, W) for its opacity or None;
        `written` is called by this thread.
        """
        if is_wider(
            frame.color_primaries, frame.color_trc
        ):  # takes many times the memory of other frames: one at a time
            self.finish()
            self._put(frame, turn, fit, targets)
            written()
            return
        # A deep frame is twice as large, and so is its RGB.
        while len(self._pending) >= (1 if is_deep(frame) else UNDER_WAY):
            self._oldest()
        self._pending.append((self._pool.submit(self._put, frame, turn, fit, targets), written))

    def finish(self) -> None:
        """Waits until all are written."""
        while self._pending:
            self._oldest()

    def _oldest(self) -> None:
        future, written = self._pending.popleft()
        future.result()
        written()

    def _put(self, frame: av.VideoFrame, turn: Turn, fit: FrameFit, targets: list[tuple]) -> None:
        with torch.inference_mode(targets[0][0].is_inference()):  # which every thread enters for itself
            self._convert(frame, turn, fit, *targets)

    def _convert(
        self, frame: av.VideoFrame, turn: Turn, fit: FrameFit, target: tuple, *others: tuple
    ) -> None:
        if not hasattr(self._local, "converter"):
            self._local.converter = RgbConverter()
        out, alpha = target
        scaled = fit.scaled.turned if turn.transposed else fit.scaled
        colours, opacity = self._local.converter.convert(frame, scaled, alpha is not None)
        if max(fit.offset) > 0:
            for place in (out, alpha):
                if place is not None:
                    place.zero_()  # the borders
        inside = _put_values(colours, turn, fit, out)
        if is_wider(frame.color_primaries, frame.color_trc):
            out[inside] = to_display(out[inside], frame.color_trc)
        if alpha is not None:
            _put_values(opacity, turn, fit, alpha[..., None])
        for other, other_alpha in others:
            other.copy_(out)
            if alpha is not None:
                other_alpha.copy_(alpha)


def _put_values(values: Values, turn: Turn, fit: FrameFit, place: torch.Tensor) -> tuple[slice, slice]:
    """Writes values (h, w, C) into their place of (H, W, C), turned, cut, and as 0..1;
    returns which rows and columns that is.
    """
    (x, y), (width, height) = fit.offset, fit.out
    cut = (slice(max(0, -y), max(0, -y) + height), slice(max(0, -x), max(0, -x) + width))
    parts = [turn.apply(part)[cut] for part in values.parts]
    rows, columns = parts[0].shape[:2]
    inside = (slice(max(0, y), max(0, y) + rows), slice(max(0, x), max(0, x) + columns))
    target = place[inside].numpy()
    for row in range(0, rows, BAND):
        band = [part[row : row + BAND] for part in parts]
        numbers = band[0] if len(band) == 1 else np.concatenate(band, -1)
        if values.white < np.iinfo(numbers.dtype).max:
            numbers = np.minimum(numbers, numbers.dtype.type(values.white))
        np.divide(numbers, np.float32(values.white), out=target[row : row + BAND])
    return inside
