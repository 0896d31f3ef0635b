"""Folders of pictures and animated pictures (WebP, GIF, APNG, AVIF) as rows of frames, read one at a time.

Letters: F frames, H height, W width, C channels.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..foreign_text import printable
from .animated_images import ANIMATED, Animation, is_animated, open_animation
from .decoding_memory import check_decoding
from .even_times import MILLISECOND
from .frame_plan import FrameRequest, plan_span
from .frame_selection import DecodedVideo, FrameSelection, ReadOptions
from .frame_size import Size, SizeRequest, fit_size
from .probe import VideoProbe
from .regular_files import is_regular
from .still_images import decoding_bytes, draft, has_alpha, open_image, pixels_of

__all__ = ["ANIMATED", "IMAGES", "is_animated", "natural_order", "images_in", "take_animation", "take_images"]

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".apng", ".avif", ".avifs"}


def natural_order(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts names as people count: frame2 before frame10, without regard to case."""
    return [
        (0, int(part)) if part.isdecimal() else (1, part)
        for part in re.split(r"(\d+)", name.casefold())
        if part
    ]


def images_in(folder: str | os.PathLike) -> list[Path]:
    """The picture files directly in a folder, in natural order.
    Raises ValueError when there are none, or when it cannot be read.
    """
    folder = Path(folder)
    try:
        found = [path for path in folder.iterdir() if is_image(path)]
    except OSError as error:
        raise ValueError(
            f"the folder '{printable(folder.name)}' cannot be read ({printable(error.strerror)}); "
            f"change its permissions."
        ) from None
    if not found:
        raise ValueError(
            f"the folder '{printable(folder.name)}' has no pictures ({', '.join(sorted(IMAGES))}); "
            f"choose another one."
        )
    return sorted(found, key=lambda path: (natural_order(path.name), path.name))


def is_image(path: Path) -> bool:
    """Whether a path is a picture file by its name, and a file that is there:
    no broken link, no pipe, no device.
    """
    return path.suffix.lower() in IMAGES and not path.name.startswith(".") and is_regular(path)


def take_images(files: list[Path], rate: float, options: ReadOptions) -> DecodedVideo:
    """The wanted frames of image files, one file a frame, `rate` a second.

    Images of another shape than the first taken are fitted as options.size.resize says.
    Raises ValueError for files that are damaged or no images, for images
    of unequal shape where the ratio is to be kept, and as FrameSelection does.
    """
    if not rate > 0:
        raise ValueError(f"folder_fps={rate} must be larger than 0; 8 is usual for AnimateDiff.")
    probe, needed = _probe_of_folder(files, rate, options)
    # What decodes an image and the finished frames are in memory at the same time.
    free = options.free_memory
    left = None if free is None else lambda: free() - needed
    with FrameSelection(probe, replace(options, free_memory=left)) as selection:
        first = None
        for number in sorted(selection.missing):
            options.stop()
            with open_image(files[number]) as image:
                size = Size(*image.size)
                scaled = _scaled(size, options.size, first)
                draft(image, scaled)
                pixels, on_its_side = pixels_of(image, files[number], scaled)
            shown = size.turned if on_its_side else size
            selection.put(number, _frame(pixels), shown)
            first = first or shown
    return selection.finished()


def take_animation(path: Path, options: ReadOptions) -> DecodedVideo:
    """The wanted frames of an animated image, each shown as long as the file says.

    Raises ValueError for a file that is damaged or no image, and as FrameSelection does."""
    path = Path(path)

    def check(size: Size, needed: int) -> None:
        check_decoding(f"'{printable(path.name)}'", size, needed, options.free_memory)

    found = open_animation(path, check, options.stop)
    with FrameSelection(_probe_of_animation(found), options) as selection:
        last = max(selection.missing)
        for number, pixels in enumerate(found.frames()):
            if number in selection.missing:
                selection.put(number, _frame(pixels))
            if number == last:
                break
    return selection.finished()


def _probe_of_animation(found: Animation) -> VideoProbe:
    """What an animated image is as a video."""
    ends = np.cumsum(found.milliseconds) / 1000
    times, end = (0.0, *ends[:-1].tolist()), float(ends[-1])
    bits = 16 if found.deep else 8
    tick = Fraction(1, 100) if found.codec == "GIF" else MILLISECOND
    fps = plan_span(times, FrameRequest(), end, tick).fps
    return VideoProbe(found.size, 1.0, fps, times, end, bits, found.has_alpha, False, found.codec, tick=tick)


def _probe_of_folder(files: list[Path], rate: float, options: ReadOptions) -> tuple[VideoProbe, int]:
    """What the images of a folder are as a video,
    and the most bytes that decoding one of them takes, by their headers alone.
    """
    opaque, first, codec, most = True, None, "", 0
    for path in files:
        options.stop()
        with open_image(path) as image:
            opaque = opaque and not has_alpha(image)
            own = Size(*image.size)
            scaled = _scaled(own, options.size, first)
            first, codec = first or own, codec or (image.format or "")
            draft(image, scaled)
            needed = decoding_bytes(image, own, scaled)
        check_decoding(f"'{printable(path.name)}'", own, needed, options.free_memory)
        most = max(most, needed)
    times = tuple(index / rate for index in range(len(files)))
    return VideoProbe(first, 1.0, rate, times, len(files) / rate, 8, not opaque, False, codec), most


def _scaled(own: Size, request: SizeRequest, first: Size | None) -> Size:
    """At least the size to which an image is scaled that may lie on its side;
    the first one decides how large all are."""
    sides = []
    for turned in (own, own.turned):
        for shape in [None] if first is None else [first, first.turned]:
            wanted = request if shape is None else request.at(fit_size(shape, 1.0, request).out)
            scaled = fit_size(turned, 1.0, wanted).scaled
            sides.append(scaled if turned == own else scaled.turned)
    return Size(max(side.width for side in sides), max(side.height for side in sides))


def _frame(pixels: np.ndarray) -> av.VideoFrame:
    """Pixels (H, W, C) of 8 or 16 bits as a frame."""
    channels = pixels.shape[2]
    if pixels.dtype == np.uint8:
        return av.VideoFrame.from_ndarray(pixels, format="rgba" if channels == 4 else "rgb24")
    layout = {1: "gray16le", 3: "rgb48le", 4: "rgba64le"}[channels]
    return av.VideoFrame.from_ndarray(pixels[..., 0] if channels == 1 else pixels, format=layout)
