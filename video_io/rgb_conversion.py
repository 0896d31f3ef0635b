"""A decoded picture of any pixel format as RGB and opacity, scaled, with as many levels as it has.

Three things about FFmpeg's scaler (libswscale 9) decide how it is asked:
- It writes past the end of a row where the row is no multiple of its vectors. One thread repairs that with
  the next
  row; threads that share a picture leave it in the first row of the next one's part. So `threads=1`, always.
- From YUV to RGBA the last columns are wrong at many widths, even on one thread. So colours and opacity are
  made apart.
- It counts in 16 bits, where white is what a shift to the left makes of it and not 65535; see `_white`.
Letters: H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .frame_size import Size
from .hdr import is_wider

INTERPOLATION = "BICUBIC"  # of frames out of files; of tensors see frame_tools/resizing.py
LIMITED_WHITE = 65283  # what the scaler makes of 235 of 8 bits, of 940 of 10 bits and so on
ROOM = 2**16  # bytes: glibc puts no aligned block where an equally large one was
PLANAR = "gbrp16le"  # RGB of 16 bits: the fastest of them, and of one scale for every YUV format


@dataclass(frozen=True)
class Values:
    """Numbers of which `white` stands for 1 (a little more may come) in arrays (H, W, c),
    which together have all channels.
    """

    parts: tuple[np.ndarray, ...]
    white: int


def is_deep(frame: av.VideoFrame) -> bool:
    """Whether 8 bits are too few for a picture."""
    bits = max(component.bits for component in frame.format.components)
    return bits > 8 or is_wider(frame.color_primaries, frame.color_trc)


class RgbConverter:
    """Converts pictures, one at a time;
    keeps its tables from picture to picture and is no thing for two threads.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, frame: av.VideoFrame, size: Size, with_alpha: bool) -> tuple[Values, Values | None]:
        """R, G, B of a picture scaled to a size, and its opacity (one channel) if asked.

        Raises ValueError for colours that cannot be converted."""
        if is_deep(frame) and _is_rgb(frame):
            # Scaled, RGB takes a way through YUV that ends at another white; of 16 bits it does not.
            frame = self._reformat(frame, _size_of(frame), "rgba64le" if with_alpha else "rgb48le")
        if not with_alpha or _alpha_plane(frame) is not None or not _has_alpha(frame):
            return self._colours(frame, size), self._opacity(frame, size) if with_alpha else None
        image = self._reformat(frame, size, "rgba64le" if is_deep(frame) else "rgba").to_ndarray()
        white = _white(frame) if is_deep(frame) else 255
        return Values((image[..., :3],), white), Values((image[..., 3:],), np.iinfo(image.dtype).max)

    def _colours(self, frame: av.VideoFrame, size: Size) -> Values:
        if not is_deep(frame):
            np.empty(3 * size.pixels + ROOM, np.uint8)  # leaves a place where the next one fits
            return Values((_packed(self._reformat(frame, size, "rgb24")),), 255)
        if _is_rgb(frame):
            return Values((self._reformat(frame, size, "rgb48le").to_ndarray(),), 65535)
        image = self._reformat(frame, size, PLANAR)
        return Values(tuple(_plane(image, index) for index in (2, 0, 1)), _white(frame))

    def _opacity(self, frame: av.VideoFrame, size: Size) -> Values:
        index = _alpha_plane(frame)
        if index is None:  # a picture without any between others that have some
            return Values((np.ones((size.height, size.width, 1), np.uint8),), 1)
        alpha, bits = _plane(frame, index), frame.format.components[3].bits
        if size != _size_of(frame):
            name = "gray" if bits == 8 else f"gray{bits}le"
            plane = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(alpha[..., 0], alpha.dtype.newbyteorder("<")), name
            )
            alpha = _plane(self._reformat(plane, size, name), 0)
        return Values((alpha,), 2**bits - 1)

    def _reformat(self, frame: av.VideoFrame, size: Size, layout: str) -> av.VideoFrame:
        untagged = frame.colorspace in (0, 2)
        guess = "ITU709" if frame.height >= 720 else "ITU601"
        try:
            return self._reformatter.reformat(
                frame, width=size.width, height=size.height, format=layout,
                interpolation=INTERPOLATION, threads=1,
                src_colorspace=guess if untagged else None, dst_colorspace="ITU709",
            )  # fmt: skip
        except av.error.FFmpegError as error:
            raise ValueError(
                f"frames in the format {frame.format.name} with colour matrix {frame.colorspace} of ITU-T"
                " H.273 cannot be converted to RGB; convert the video to BT.709 (matrix 1) with a video"
                " tool."
            ) from error


def _size_of(frame: av.VideoFrame) -> Size:
    return Size(frame.width, frame.height)


def _is_rgb(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb or frame.format.name.startswith("xyz")


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


def _alpha_plane(frame: av.VideoFrame) -> int | None:
    """The plane that holds nothing but the opacity beside YUV;
    None where it is packed with the colours, or where none is.
    """
    planes = [component.plane for component in frame.format.components if component.is_alpha]
    return planes[0] if planes and planes[0] == 3 and not frame.format.is_rgb else None


def _plane(frame: av.VideoFrame, index: int) -> np.ndarray:
    """A plane of one number a pixel as (H, W, 1), a view."""
    plane = frame.planes[index]
    deep = max(component.bits for component in frame.format.components) > 8
    kind = np.dtype(">u2" if frame.format.name.endswith("be") else "<u2") if deep else np.dtype(np.uint8)
    rows = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
    return rows[:, : plane.width, None]


def _packed(frame: av.VideoFrame) -> np.ndarray:
    """A picture of 8-bit RGB as (H, W, 3), a view."""
    plane = frame.planes[0]
    return np.ndarray((frame.height, frame.width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))


def _white(frame: av.VideoFrame) -> int:
    """What the scaler makes of white in 16 bits:
    full range is only shifted, so 1023 of 10 bits becomes 65472.
    """
    if _is_rgb(frame):
        return 65535
    bits = max(component.bits for component in frame.format.components)
    full = frame.color_range == 2 or frame.format.name.startswith(("yuvj", "gray", "ya"))
    return ((1 << bits) - 1) << (16 - bits) if full and bits < 16 else 65535 if full else LIMITED_WHITE
