"""Folders of pictures and animated pictures (WebP, GIF, APNG, AVIF) as rows of frames, read one at a time.

Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..foreign_text import printable
from .animated_pictures import ANIMATED, is_animated, open_animation
from .decoding_memory import check_decoding
from .even_times import MILLISECOND
from .facts import VideoFacts
from .frame_plan import FrameWish, plan_span
from .frame_size import fit_size
from .frame_window import DecodedVideo, FrameWindow, FreeMemory, Progress, SizeWish
from .regular_files import is_regular
from .still_pictures import decoding_bytes, draft, has_alpha, open_picture, pixels_of

__all__ = [
    "ANIMATED",
    "PICTURES",
    "is_animated",
    "natural_order",
    "pictures_in",
    "take_animation",
    "take_pictures",
]

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".avif", ".avifs"}


def natural_order(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts names as people count: frame2 before frame10, without regard to case."""
    return [
        (0, int(part)) if part.isdecimal() else (1, part)
        for part in re.split(r"(\d+)", name.casefold())
        if part
    ]


def pictures_in(folder: str | os.PathLike) -> list[Path]:
    """The picture files directly in a folder, in natural order. Raises ValueError when there are none, or
    when it cannot be read."""
    folder = Path(folder)
    try:
        found = [path for path in folder.iterdir() if is_picture(path)]
    except OSError as error:
        raise ValueError(
            f"the folder '{printable(folder.name)}' cannot be read ({printable(error.strerror)}); "
            f"change its permissions."
        ) from None
    if not found:
        raise ValueError(
            f"the folder '{printable(folder.name)}' has no pictures ({', '.join(sorted(PICTURES))}); "
            f"choose another one."
        )
    return sorted(found, key=lambda path: (natural_order(path.name), path.name))


def is_picture(path: Path) -> bool:
    """Whether a path is a picture file by its name, and a file that is there: no broken link, no pipe, no
    device."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and is_regular(path)


def take_pictures(
    files: list[Path],
    rate: float,
    wish: FrameWish,
    size: SizeWish,
    free_memory: FreeMemory | None = None,
    progress: Progress | None = None,
    stop: Callable[[], None] = int,
) -> DecodedVideo:
    """The wished frames of picture files, one file a frame, `rate` a second. stop, which may raise, is called
    for every file.

    Pictures of another shape than the first taken are fitted as size[2] says. Raises ValueError for files
    that are damaged or no pictures, for pictures of unequal shape where the ratio is to be kept, and as FrameWindow does."""
    if not rate > 0:
        raise ValueError(f"folder_fps={rate} must be larger than 0; 8 is usual for AnimateDiff.")
    facts, needed = _facts_of_folder(files, rate, size, free_memory, stop)
    # What decodes a picture and the finished frames are in memory at the same time.
    left = None if free_memory is None else lambda: free_memory() - needed
    with FrameWindow(facts, wish, size, left, progress) as window:
        first = None
        for number in sorted(window.missing):
            stop()
            with open_picture(files[number]) as picture:
                width, height = picture.size
                scaled = _scaled(picture.size, size, first)
                draft(picture, scaled)
                pixels, on_its_side = pixels_of(picture, files[number], scaled)
            shown = (height, width) if on_its_side else (width, height)
            window.put(number, _frame(pixels), shown)
            first = first or shown
    return window.finished()


def take_animation(
    path: Path,
    wish: FrameWish,
    size: SizeWish,
    free_memory: FreeMemory | None = None,
    progress: Progress | None = None,
    stop: Callable[[], None] = int,
) -> DecodedVideo:
    """The wished frames of an animated picture, each shown as long as the file says. stop, which may raise,
    is called for every frame.

    Raises ValueError for a file that is damaged or no picture, and as FrameWindow does."""
    path = Path(path)

    def check(size_of_file: tuple[int, int], needed: int) -> None:
        check_decoding(f"'{printable(path.name)}'", size_of_file, needed, free_memory)

    found = open_animation(path, check, stop)
    ends = np.cumsum(found.milliseconds) / 1000
    times, end = (0.0, *ends[:-1].tolist()), float(ends[-1])
    bits = 16 if found.deep else 8
    tick = Fraction(1, 100) if found.codec == "GIF" else MILLISECOND
    fps = plan_span(times, FrameWish(), end, tick).fps
    facts = VideoFacts(
        *found.size, 1.0, fps, times, end, bits, found.has_alpha, False, found.codec, tick=tick
    )
    with FrameWindow(facts, wish, size, free_memory, progress) as window:
        last = max(window.missing)
        for number, pixels in enumerate(found.frames()):
            if number in window.missing:
                window.put(number, _frame(pixels))
            if number == last:
                break
    return window.finished()


def _facts_of_folder(
    files: list[Path], rate: float, size: SizeWish, free_memory: FreeMemory | None, stop: Callable[[], None]
) -> tuple[VideoFacts, int]:
    """What the pictures of a folder are as a video, and the most bytes that decoding one of them takes, by
    their headers alone."""
    opaque, first, codec, most = True, None, "", 0
    for path in files:
        stop()
        with open_picture(path) as picture:
            opaque = opaque and not has_alpha(picture)
            own, scaled = picture.size, _scaled(picture.size, size, first)
            first, codec = first or own, codec or (picture.format or "")
            draft(picture, scaled)
            needed = decoding_bytes(picture, own, scaled)
        check_decoding(f"'{printable(path.name)}'", own, needed, free_memory)
        most = max(most, needed)
    times = tuple(index / rate for index in range(len(files)))
    return VideoFacts(*first, 1.0, rate, times, len(files) / rate, 8, not opaque, False, codec), most


def _scaled(own: tuple[int, int], size: SizeWish, first: tuple[int, int] | None) -> tuple[int, int]:
    """At least the (width, height) to which a picture is scaled that may lie on its side; the first one
    decides how large all are."""
    sides = []
    for turned in (own, own[::-1]):
        for shape in [None] if first is None else [first, first[::-1]]:
            out = size[:2] if shape is None else fit_size(*shape, 1.0, *size).out
            scaled = fit_size(*turned, 1.0, *out, *size[2:]).scaled
            sides.append(scaled if turned == own else scaled[::-1])
    return max(side[0] for side in sides), max(side[1] for side in sides)


def _frame(pixels: np.ndarray) -> av.VideoFrame:
    """Pixels (H, W, C) of 8 or 16 bits as a frame."""
    channels = pixels.shape[2]
    if pixels.dtype == np.uint8:
        return av.VideoFrame.from_ndarray(pixels, format="rgba" if channels == 4 else "rgb24")
    layout = {1: "gray16le", 3: "rgb48le", 4: "rgba64le"}[channels]
    return av.VideoFrame.from_ndarray(pixels[..., 0] if channels == 1 else pixels, format=layout)
