"""Animated PNG: the frames of a file as PNG files of their own, and what is seen of each of them.

Pillow takes a default image that is no frame for one, and lays half transparent frames over others in another
way.
Source: W3C PNG third edition, 11.3.6 (acTL, fcTL, fdAT) and 4.10 (how frames are put on the canvas).
Letters: H height, W width.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NONE, BACKGROUND, PREVIOUS = range(3)
OVER = 1
HEADER = 13  # bytes of IHDR


@dataclass
class ApngFrame:
    """Where a frame lies on the canvas, how long it is shown,
    what becomes of it, and where its data are in the file.
    """

    width: int
    height: int
    x: int
    y: int
    seconds: float
    disposal: int
    blending: int
    data: list[tuple[bytes, int, int]] = field(default_factory=list)  # name, offset and length of the chunks

    @property
    def place(self) -> tuple[slice, slice]:
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


@dataclass(frozen=True)
class Apng:
    """What an APNG holds. `shared`: the chunks that its frames have in common, such as a palette."""

    width: int
    height: int
    has_alpha: bool
    deep: bool
    header: bytes
    shared: bytes
    frames: list[ApngFrame]


def is_apng(file: BinaryIO) -> bool:
    """Whether a PNG says, before its first picture, that it is animated; only that part is read."""
    return any(name == b"acTL" for name, _, _ in _chunks_before_image(file))


def read_apng(file: BinaryIO) -> Apng:
    """What an APNG holds, without its pictures. Raises ValueError where it does not follow the rules."""
    header, shared, frames = b"", b"", []
    for name, start, length in _chunks(file):
        if name == b"IHDR":
            header = _content(file, name, start, length)
        elif name == b"fcTL":
            frames.append(_frame(_content(file, name, start, length)))
        elif (
            name in (b"IDAT", b"fdAT") and frames
        ):  # an IDAT before all frames is for programs that know no APNG
            frames[-1].data.append((name, start, length))
        elif name in (b"PLTE", b"tRNS"):
            shared += _chunk(name, _content(file, name, start, length))
    if len(header) != HEADER or not frames or not all(frame.data for frame in frames):
        raise ValueError("it has no frames, or some without a picture")
    width, height, bits, colour = struct.unpack(">2I2B", header[:10])
    for frame in frames:
        if (
            frame.x + frame.width > width
            or frame.y + frame.height > height
            or not frame.width
            or not frame.height
        ):
            raise ValueError(
                f"a frame of {frame.width}x{frame.height} at {frame.x},{frame.y} leaves its {width}x{height}"
            )
    whole = all((frame.width, frame.height) == (width, height) for frame in frames)
    has_alpha = colour in (4, 6) or b"tRNS" in shared or not whole
    return Apng(width, height, has_alpha, bits == 16, header, shared, frames)


def frame_file(file: BinaryIO, apng: Apng, frame: ApngFrame) -> bytes:
    """A frame as a PNG file of its own."""
    header = struct.pack(">2I", frame.width, frame.height) + apng.header[8:]
    data = b"".join(_content(file, *chunk)[4 if chunk[0] == b"fdAT" else 0 :] for chunk in frame.data)
    return SIGNATURE + _chunk(b"IHDR", header) + apng.shared + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


class Canvas:
    """What is seen: the frames put on each other, (H, W, 4) of 8 or 16 bits."""

    def __init__(self, apng: Apng) -> None:
        self._pixels = np.zeros((apng.height, apng.width, 4), np.uint16 if apng.deep else np.uint8)
        self._last: ApngFrame | None = None
        self._before: np.ndarray | int = 0  # what was in the last frame's place

    def put(self, frame: ApngFrame, pixels: np.ndarray) -> np.ndarray:
        """What is seen with a frame whose pixels are (h, w, 4); memory that the next one changes."""
        last = self._last
        if last is not None and last.disposal != NONE:
            self._pixels[last.place] = self._before if last.disposal == PREVIOUS else 0
        place = self._pixels[frame.place]
        self._before = place.copy() if frame.disposal == PREVIOUS else 0
        self._last = frame
        place[:] = _over(pixels, place) if frame.blending == OVER else pixels
        return self._pixels


def _over(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """New pixels over old ones, neither multiplied with their opacity."""
    top = np.float32(np.iinfo(new.dtype).max)
    front = new[..., 3:] / top
    back = old[..., 3:] / top * (1 - front)
    opacity = front + back
    colours = (new[..., :3] * front + old[..., :3] * back) / np.where(opacity == 0, 1, opacity)
    return np.rint(np.concatenate([colours, opacity * top], -1)).astype(new.dtype)


def _frame(content: bytes) -> ApngFrame:
    if len(content) != 26:
        raise ValueError("a frame has no place")
    _, width, height, x, y, shown, parts, disposal, blending = struct.unpack(">5I2H2B", content)
    return ApngFrame(width, height, x, y, shown / (parts or 100), disposal, blending)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of every chunk. Raises ValueError for a file that is no PNG or ends early."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ValueError("it is no PNG")
    while True:
        begin = file.read(8)
        if len(begin) < 8:
            raise ValueError("it ends early")
        length, name = struct.unpack(">I4s", begin)
        start = file.tell()
        yield name, start, length
        if name == b"IEND":
            return
        file.seek(start + length + 4)


def _chunks_before_image(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    try:
        for chunk in _chunks(file):
            if chunk[0] == b"IDAT":
                return
            yield chunk
    except ValueError:
        return


def _content(file: BinaryIO, name: bytes, start: int, length: int) -> bytes:
    """The content of a chunk. Raises ValueError where it is damaged."""
    file.seek(start)
    content = file.read(length + 4)
    if len(content) < length + 4:
        raise ValueError("it ends early")
    if zlib.crc32(name + content[:-4]) != int.from_bytes(content[-4:], "big"):
        raise ValueError(f"a chunk {name.decode('ascii', 'replace')} has another check sum than it says")
    return content[:-4]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
