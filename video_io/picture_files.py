"""Folders of pictures and animated pictures (WebP, GIF, APNG) as rows of frames, read one at a time.

Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps, ImageSequence

from ..foreign_text import printable
from .facts import VideoFacts
from .frame_plan import FrameWish
from .frame_window import DecodedVideo, FrameWindow, FreeMemory, Progress, SizeWish

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".avif"}
ANIMATED = {".gif", ".webp", ".apng", ".png"}
SHORTEST = 10  # milliseconds: what is shown no longer than this is shown for USUAL, as browsers do
USUAL = 100


def natural_order(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts names as people count: frame2 before frame10, without regard to case."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name.casefold()) if part]


def pictures_in(folder: str | os.PathLike) -> list[Path]:
    """The picture files directly in a folder, in natural order. Raises ValueError when there are none."""
    folder = Path(folder)
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()]
    if not found:
        raise ValueError(
            f"the folder '{printable(folder.name)}' has no pictures ({', '.join(sorted(PICTURES))}); choose "
            "another one."
        )
    return sorted(found, key=lambda path: (natural_order(path.name), path.name))


def is_animated(path: str | os.PathLike) -> bool:
    """Whether a PNG is an APNG, by its header alone; other files by their names."""
    if Path(path).suffix.lower() != ".png":
        return Path(path).suffix.lower() in ANIMATED
    with open(path, "rb") as file:
        return b"acTL" in file.read(4096).split(b"IDAT")[0]


def take_pictures(
    files: list[Path], rate: float, wish: FrameWish, size: SizeWish, free_memory: FreeMemory | None = None,
    progress: Progress | None = None, stop: Callable[[], None] = int,
) -> DecodedVideo:  # fmt: skip
    """The wished frames of picture files, one file a frame, `rate` a second. stop, which may raise, is called for every file.

    Pictures of another shape than the first taken are fitted as size[2] says. Raises ValueError for files that are damaged or no pictures,
    for pictures of unequal shape where the ratio is to be kept, and as FrameWindow does."""
    if not rate > 0:
        raise ValueError(f"folder_fps={rate} must be larger than 0; 8 is usual for AnimateDiff.")
    opaque, widest, codec = True, (0, 0), ""
    for path in files:
        stop()
        with _opened(path) as picture:
            opaque = opaque and not _has_alpha(picture)
            widest, codec = widest if any(widest) else picture.size, codec or (picture.format or "")
    times = tuple(index / rate for index in range(len(files)))
    facts = VideoFacts(*widest, 1.0, rate, times, len(files) / rate, 8, not opaque, False, codec)
    with FrameWindow(facts, wish, size, free_memory, progress) as window:
        for number in sorted(window.missing):
            stop()
            with _opened(files[number]) as picture:
                window.put(number, _frame(ImageOps.exif_transpose(_loaded(picture, files[number])), facts.has_alpha))
    return window.finished()


def take_animation(
    path: Path, wish: FrameWish, size: SizeWish, free_memory: FreeMemory | None = None, progress: Progress | None = None,
    stop: Callable[[], None] = int,
) -> DecodedVideo:  # fmt: skip
    """The wished frames of an animated picture, each shown as long as the file says. stop, which may raise, is called for every frame.

    Raises ValueError for a file that is damaged or no picture, and as FrameWindow does."""
    durations, opaque = [], True
    with _opened(path) as picture:
        size_of_file, codec = picture.size, picture.format or ""
        for frame in _frames(picture, path, stop):
            duration = frame.info.get("duration") or 0
            durations.append(duration if duration > SHORTEST else USUAL)
            opaque = opaque and not _has_alpha(frame)
    ends = np.cumsum(durations) / 1000
    times = (0.0, *ends[:-1].tolist())
    facts = VideoFacts(*size_of_file, 1.0, len(times) / float(ends[-1]), times, float(ends[-1]), 8, not opaque, False, codec)
    with FrameWindow(facts, wish, size, free_memory, progress) as window, _opened(path) as picture:
        last = max(window.missing)
        for number, frame in enumerate(_frames(picture, path, stop)):
            if number in window.missing:
                window.put(number, _frame(frame, facts.has_alpha))
            if number == last:
                break
    return window.finished()


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"'{printable(path.name)}' claims to be too large to be a picture ({printable(error)}); choose "
            "another file."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be read as a picture ({printable(error)}); it is damaged or "
            "something else: remove it."
        ) from error


def _loaded(picture: Image.Image, path: Path) -> Image.Image:
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be decoded ({printable(error)}); the file is damaged: remove "
            "or repair it."
        ) from error
    return picture


def _frames(picture: Image.Image, path: Path, stop: Callable[[], None]) -> Iterator[Image.Image]:
    try:
        for frame in ImageSequence.Iterator(picture):
            stop()
            yield _loaded(frame, path)
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be decoded to its end ({printable(error)}); the file is "
            "damaged: repair it."
        ) from error


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _frame(picture: Image.Image, with_alpha: bool) -> av.VideoFrame:
    """A picture of any mode as an RGB frame, with its opacity where that is asked for."""
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow would cut off at 255
        grey = np.asarray(picture).astype(np.int32).clip(0, 65535)
        picture = Image.fromarray((grey // 257).astype(np.uint8))
    layout = "rgba" if with_alpha else "rgb24"
    return av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGBA" if with_alpha else "RGB")), format=layout)
