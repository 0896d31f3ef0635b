"""Frames of float values to what an encoder takes: pixels of a pixel format, palettes for GIF.

Letters: H height, W width. Buffers are made once and used for every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import torch

ONE_THREAD = 1
"""FFmpeg's scaler writes past the end of a row;
one thread repairs that with the next row, several write into each other's.
"""


class PixelPacker:
    """Makes av.VideoFrames of frames (H, W, 3) in 0..1 and their opacity, all of one size."""

    def __init__(self, width: int, height: int, pix_fmt: str, rate: Fraction) -> None:
        self.pix_fmt, self._size = pix_fmt, (height, width)
        palette = pix_fmt == "pal8"
        layout = av.VideoFormat("rgba" if palette else pix_fmt, 16, 16)
        self.has_matrix = not layout.is_rgb
        self._with_alpha = any(c.is_alpha for c in layout.components)
        self._deep = max(c.bits for c in layout.components) > 8
        # On its way to YUV the scaler takes 16 bits for 8 that were shifted:
        # white of 65535 would become 943 instead of 940.
        self._opaque = 65535 if self._deep else 255
        self._white = 255 << 8 if self._deep and self.has_matrix else self._opaque
        # Colour planes of half the size need even sides.
        halves = (
            (layout.chroma_width(16) < 16, layout.chroma_height(16) < 16)
            if self.has_matrix
            else (False, False)
        )
        self.width, self.height = (
            side + side % 2 * half for side, half in zip((width, height), halves, strict=True)
        )
        shape = (self.height, self.width, 4 if self._with_alpha else 3)
        # numpy's types, because torch can do little with its 16-bit unsigned ones.
        self._floats = torch.empty(shape)
        self._pixels = np.empty(shape, dtype=np.uint16 if self._deep else np.uint8)
        self._palette = _PaletteGraph(self.width, self.height, rate) if palette else None

    def pack(self, frame: torch.Tensor, alpha: torch.Tensor | None = None) -> Iterator[av.VideoFrame]:
        """The frames that can be encoded now.
        Raises ValueError when the size is not that of the first frame.
        """
        height, width = self._size
        if tuple(frame.shape[:2]) != self._size or (alpha is not None and tuple(alpha.shape) != self._size):
            other = frame if tuple(frame.shape[:2]) != self._size else alpha
            raise ValueError(
                f"every frame of a video has the size of the first, {width}x{height}, and one of"
                f" {other.shape[1]}x{other.shape[0]} came; resize them to one size."
            )
        floats = self._floats[:height, :width]
        floats[..., :3].copy_(frame[..., :3].detach())
        if self._with_alpha:
            floats[..., 3] = 1 if alpha is None else alpha.detach()
        # Values outside 0..1 are cut, and adding half before the fraction is dropped rounds.
        floats.clamp_(0, 1)
        if self._with_alpha and self._opaque != self._white:
            floats[..., 3].mul_(self._opaque / self._white)
        floats.mul_(self._white).add_(0.5)
        torch.nan_to_num_(floats, nan=0.0)
        if self.width > width:
            self._floats[:, width:] = self._floats[:, width - 1 : width]
        if self.height > height:
            self._floats[height:] = self._floats[height - 1 : height]
        if self._deep:
            np.copyto(self._pixels, self._floats.numpy(), casting="unsafe")
        else:
            torch.from_numpy(self._pixels).copy_(self._floats)
        name = ("rgba" if self._with_alpha else "rgb") + (
            ("64le" if self._with_alpha else "48le") if self._deep else ""
        )
        image = av.VideoFrame.from_ndarray(
            self._pixels, format=name if self._with_alpha or self._deep else "rgb24"
        )
        if self._palette is not None:
            yield from self._palette.through(image)
        elif self.has_matrix:
            out = image.reformat(
                format=self.pix_fmt,
                dst_colorspace="ITU709",
                src_color_range="JPEG",
                dst_color_range="MPEG",
                threads=ONE_THREAD,
            )
            out.color_range = 1
            yield out
        else:
            yield image.reformat(format=self.pix_fmt, threads=ONE_THREAD)

    def finish(self) -> Iterator[av.VideoFrame]:
        """The frames that are still held back."""
        if self._palette is not None:
            yield from self._palette.through(None)


class _PaletteGraph:
    """256 colours of its own for every frame, dithered:
    a palette for all of them would need all of them in memory.
    """

    def __init__(self, width: int, height: int, rate: Fraction) -> None:
        graph = av.filter.Graph()
        source = graph.add_buffer(width=width, height=height, format="rgba", time_base=1 / rate)
        split = graph.add("split")
        make, use, sink = (
            graph.add("palettegen", "stats_mode=single"),
            graph.add("paletteuse", "new=1"),
            graph.add("buffersink"),
        )
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(make, 1, 0)
        make.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        self._graph, self._time_base, self._pushed = graph, 1 / rate, 0

    def through(self, image: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        if image is not None:
            image.pts, image.time_base = self._pushed, self._time_base
            self._pushed += 1
        self._graph.push(image)
        while True:
            try:
                yield self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
