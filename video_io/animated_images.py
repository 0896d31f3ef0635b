"""Animated pictures as rows of frames with their durations:
APNG by its own rules, the others as Pillow shows them.

Letters: H height, W width, C channels.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ..foreign_text import printable
from .apng import Canvas, frame_file, is_apng, read_apng
from .frame_size import Size
from .regular_files import check_regular, is_regular
from .still_images import DAMAGE, converted, decoding_bytes, has_alpha, load, open_image, pixels_of

ANIMATED = {".gif", ".webp", ".apng", ".png", ".avif", ".avifs"}
SHORTEST = 10  # milliseconds: what is shown no longer than this is shown for USUAL, as browsers do
USUAL = 100
CheckMemory = Callable[[Size, int], None]
"""Told the size of an animation and the bytes that decoding it takes, before they are taken."""


@dataclass(frozen=True)
class Animation:
    """What an animated picture holds;
    `frames()` begins anew and gives pixels (H, W, C) of 8 or 16 bits, C 3, 4 or 1 for grey.
    """

    size: Size
    milliseconds: list[float]
    has_alpha: bool
    deep: bool
    codec: str
    frames: Callable[[], Iterator[np.ndarray]]


def is_animated(path: str | os.PathLike) -> bool:
    """Whether a PNG or AVIF is animated, by its header alone;
    other files by their names. Nothing but files is.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in ANIMATED or not is_regular(path):
        return False
    if suffix in (".png", ".apng"):
        with open(path, "rb") as file:
            return is_apng(file)
    if suffix in (".avif", ".avifs"):
        with open(path, "rb") as file:
            size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            brands = file.read(max(0, min(size, 256) - 8))
        return kind == b"ftyp" and b"avis" in (
            brands[:4],
            *(brands[at : at + 4] for at in range(8, len(brands), 4)),
        )
    return True


def open_animation(path: Path, check_memory: CheckMemory, stop: Callable[[], None]) -> Animation:
    """What an animated picture holds. stop, which may raise, is called for every frame.

    Raises ValueError for a file that is damaged or no picture."""
    check_regular(path)
    with _damage_named(path), open(path, "rb") as file:
        animated = is_apng(file)
    return _open_apng(path, check_memory, stop) if animated else _open_by_pillow(path, check_memory, stop)


def _shown(milliseconds: float) -> float:
    return milliseconds if milliseconds > SHORTEST else USUAL


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """A context in which errors of a damaged file become ValueErrors that name it."""
    try:
        yield
    except DAMAGE as error:
        if f"'{printable(path.name)}'" in str(error):
            raise
        raise ValueError(
            f"'{printable(path.name)}' cannot be decoded to its end ({printable(error)}); "
            f"the file is damaged: repair it."
        ) from None


def _open_apng(path: Path, check_memory: CheckMemory, stop: Callable[[], None]) -> Animation:
    with _damage_named(path), open(path, "rb") as file:
        apng = read_apng(file)
    size = Size(apng.width, apng.height)
    check_memory(size, size.pixels * (56 if apng.deep else 28))

    def frames() -> Iterator[np.ndarray]:
        canvas = Canvas(apng)
        with _damage_named(path), open(path, "rb") as file:
            for frame in apng.frames:
                stop()
                single = io.BytesIO(frame_file(file, apng, frame))
                with Image.open(single) as image:
                    pixels, _ = pixels_of(image, path, Size(*image.size), single)
                yield canvas.put(frame, _with_opacity(pixels, apng.deep))

    milliseconds = [_shown(1000 * frame.seconds) for frame in apng.frames]
    return Animation(size, milliseconds, apng.has_alpha, apng.deep, "PNG", frames)


def _with_opacity(pixels: np.ndarray, deep: bool) -> np.ndarray:
    """Pixels (H, W, C) as (H, W, 4) of 8 bits, or of 16."""
    if deep and pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    if pixels.shape[2] == 4:
        return pixels
    opaque = np.full((*pixels.shape[:2], 1), np.iinfo(pixels.dtype).max, pixels.dtype)
    return np.concatenate([np.broadcast_to(pixels, (*pixels.shape[:2], 3)), opaque], -1)


def _open_by_pillow(path: Path, check_memory: CheckMemory, stop: Callable[[], None]) -> Animation:
    def opened_frames(image: Image.Image) -> Iterator[Image.Image]:
        for frame in ImageSequence.Iterator(image):
            stop()
            load(frame, path)
            yield frame

    def frames() -> Iterator[np.ndarray]:
        with _damage_named(path), open_image(path) as image:
            if getattr(image, "n_frames", 1) == 1:
                yield pixels_of(image, path, Size(*image.size))[0]
                return
            for frame in opened_frames(image):
                yield np.asarray(converted(frame))

    milliseconds, any_alpha = [], False
    with _damage_named(path), open_image(path) as image:
        size, codec = Size(*image.size), image.format or ""
        check_memory(size, decoding_bytes(image, size, size))
        for frame in opened_frames(image):
            milliseconds.append(_shown(frame.info.get("duration") or 0))
            any_alpha = any_alpha or has_alpha(frame)
    return Animation(size, milliseconds, any_alpha, False, codec, frames)
