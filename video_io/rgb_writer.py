"""Decoded frames of any pixel format to float RGB in a place that is there already, on threads of their own while the next are decoded.

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
from av.video.reformatter import VideoReformatter

from .display_matrix import Turn
from .frame_size import FrameSize
from .hdr import is_wider, to_display

THREADS = 2
UNDER_WAY = 3  # frames that wait or are being written, each as decoded and as 8-bit RGB: 9 MiB of 1080p


class RgbWriter:
    """Writes frames in the order in which it is told to and says so, in that order; a context, at whose end all are written.

    An error of a frame is raised by a later `write` or at the end."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._pending: collections.deque[tuple[concurrent.futures.Future, Callable[[], None]]] = collections.deque()
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

    def write(self, frame: av.VideoFrame, turn: Turn, size: FrameSize, targets: list[tuple], written: Callable[[], None]) -> None:
        """Write a frame into places (H, W, 3), each with one (H, W) for its opacity or None; `written` is called by this thread."""
        if is_wider(frame.color_primaries, frame.color_trc):  # takes many times the memory of other frames: one at a time
            self.finish()
            self._put(frame, turn, size, targets)
            written()
            return
        while len(self._pending) >= UNDER_WAY:
            self._oldest()
        self._pending.append((self._pool.submit(self._put, frame, turn, size, targets), written))

    def finish(self) -> None:
        """Waits until all are written."""
        while self._pending:
            self._oldest()

    def _oldest(self) -> None:
        future, written = self._pending.popleft()
        future.result()
        written()

    def _put(self, frame: av.VideoFrame, turn: Turn, size: FrameSize, targets: list[tuple]) -> None:
        with torch.inference_mode(targets[0][0].is_inference()):  # which every thread enters for itself
            self._convert(frame, turn, size, *targets)

    def _convert(self, frame: av.VideoFrame, turn: Turn, size: FrameSize, target: tuple, *others: tuple) -> None:
        out, alpha = target
        scaled = size.scaled[::-1] if turn.transposed else size.scaled
        deep = is_wider(frame.color_primaries, frame.color_trc)
        layout = ("rgba64le" if alpha is not None else "rgb48le") if deep else ("rgba" if alpha is not None else "rgb24")
        picture = turn.apply(self._to_rgb(frame, scaled, layout).to_ndarray())
        pixels = torch.from_numpy(np.ascontiguousarray(picture.astype(np.int32) if deep else picture))
        (x, y), (width, height) = size.offset, size.out
        for target in (out, alpha):
            if target is not None and max(x, y) > 0:
                target.zero_()  # the borders
        pixels = pixels[max(0, -y) : max(0, -y) + height, max(0, -x) : max(0, -x) + width]
        inside = (slice(max(0, y), max(0, y) + pixels.shape[0]), slice(max(0, x), max(0, x) + pixels.shape[1]))
        top = 65535 if deep else 255
        out[inside].copy_(pixels[..., :3]).div_(top)
        if deep:
            out[inside] = to_display(out[inside], frame.color_trc)
        if alpha is not None:
            alpha[inside].copy_(pixels[..., 3]).div_(top)
        for other, other_alpha in others:
            other.copy_(out)
            if alpha is not None:
                other_alpha.copy_(alpha)

    def _to_rgb(self, frame: av.VideoFrame, size: tuple[int, int], layout: str) -> av.VideoFrame:
        """A frame scaled to (width, height) in an RGB layout. Raises ValueError for colours that cannot be converted."""
        if not hasattr(self._local, "reformatter"):  # keeps its tables from frame to frame, and is no thing for two threads
            self._local.reformatter = VideoReformatter()
        untagged = frame.colorspace in (0, 2)
        try:
            return self._local.reformatter.reformat(
                frame, width=size[0], height=size[1], format=layout, interpolation="BICUBIC", dst_colorspace="ITU709",
                src_colorspace=("ITU709" if frame.height >= 720 else "ITU601") if untagged else None,
            )  # fmt: skip
        except av.error.FFmpegError as error:
            raise ValueError(
                f"frames in the format {frame.format.name} with colour matrix {frame.colorspace} of ITU-T H.273 cannot be converted to "
                f"RGB; convert the video to BT.709 (matrix 1) with a video tool."
            ) from error
