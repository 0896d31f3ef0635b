"""One picture of any kind that Pillow or FFmpeg reads as its pixels, with all the levels that it has.

Colours are taken as they stand: profiles (ICC), gamma and sRGB marks change nothing, as in ComfyUI's Load
Image.
Letters: H height, W width, C channels: 1 grey, 3 RGB, 4 RGB and opacity.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from PIL import Image, ImageCms, features

from ..foreign_text import printable
from .frame_size import Size
from .probe import open_video
from .regular_files import check_regular

LARGE = (
    2**24
)  # pixels; larger pictures are made smaller while they are converted, where they are wanted small
ROWS = 256  # that are converted at a time then
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, ORIENTATION = 258, 262, 339, 274  # TIFF's numbers
SIGNED = 2
ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF's orientations that make the width the height
COMPOSED = ("WEBP", "GIF", "AVIF")  # formats whose readers keep several pictures in memory
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def open_image(path: Path) -> Image.Image:
    """A picture file, its header read and nothing more.
    Raises ValueError for what cannot be read, or not faithfully.
    """
    check_regular(path)
    try:
        image = Image.open(path)
    except Image.DecompressionBombError:
        raise ValueError(
            f"'{printable(path.name)}' claims to be too large to be a picture (more than "
            f"{2 * Image.MAX_IMAGE_PIXELS} pixels); choose another file."
        ) from None
    except DAMAGE as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be read as a picture: {_why_not(path, error)}"
        ) from None
    if image.format == "TIFF":
        _check_tiff(image, path)
    return image


def has_alpha(image: Image.Image) -> bool:
    """Whether a picture has opacity."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def draft(image: Image.Image, scaled: Size) -> None:
    """Has a large JPEG decoded at a half, a quarter or an eighth,
    where that is at least twice the size it is wanted at.
    """
    if math.prod(image.size) > LARGE:
        image.draft(image.mode, tuple(scaled.doubled))


def decoding_bytes(image: Image.Image, size: Size, scaled: Size) -> int:
    """How much memory decoding takes, that of the frame made
    of it counted. size: before `draft`.
    """
    decoded = 16 if image.format in COMPOSED else 4
    whole = math.prod(image.size) * (decoded + (1 if _smaller(image, scaled) else 12))
    return whole + 6 * size.pixels * ("progressive" in image.info)  # all coefficients of a progressive JPEG


def pixels_of(
    image: Image.Image, path: Path, scaled: Size, file: BinaryIO | None = None
) -> tuple[np.ndarray, bool]:
    """An opened picture as (H, W, C) of 8 or 16 bits,
    smaller where it is large and wanted small, and whether it was laid on its side.

    It is turned as its EXIF says. scaled: the size it is wanted at. file: where it was read from,
    if not `path`.
    Raises ValueError for damage and for numbers that are no colours.
    """
    pixels = _deep_pixels(image, path, file or path) if _is_deep(image) else None
    orientation = image.getexif().get(ORIENTATION, 1) if pixels is not None else 1
    if pixels is None:
        load(image, path)
        orientation = image.getexif().get(ORIENTATION, 1)  # of TIFF Pillow has turned already
        pixels = _grey(image, path) if _is_grey(image) else _colours(image, scaled)
    return _turned(pixels, orientation), orientation in ON_ITS_SIDE


def load(image: Image.Image, path: Path) -> None:
    """Decodes an opened picture. Raises ValueError for damage."""
    try:
        image.load()
    except DAMAGE as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be decoded ({printable(error)}); "
            f"the file is damaged: remove or repair it."
        ) from None


def converted(image: Image.Image) -> Image.Image:
    """A decoded picture in the mode RGBA, or RGB where it has no opacity."""
    mode = "RGBA" if has_alpha(image) else "RGB"
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    elif image.mode == "La":
        image = image.convert("LA")
    return image if image.mode == mode else image.convert(mode)


def _why_not(path: Path, error: Exception) -> str:
    """What is wrong with a file that Pillow does not know, and what can be done."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return (
            "it is a TIFF of a kind that is not read (grey of 8, 12 and 16 bits and floats of 32 are, and "
            "colours of 8 and 16); save it with 8 or 16 bits a channel."
        )
    if head[4:12] in (b"ftypavif", b"ftypavis") and not features.check("avif"):
        return "AVIF needs Pillow 11.3 or newer; update Pillow, or convert the file to WebP."
    said = "" if isinstance(error, Image.UnidentifiedImageError) else f" ({printable(error)})"
    return f"it is damaged or something else{said}; remove it."


def _check_tiff(image: Image.Image, path: Path) -> None:
    """Raises ValueError for numbers without an agreed black and white."""
    kind, bits = (_number(image, tag, default) for tag, default in ((SAMPLE_FORMAT, 1), (BITS_PER_SAMPLE, 1)))
    if kind == SIGNED or image.mode == "I":
        signed = "signed" if kind == SIGNED else "unsigned"
        raise ValueError(
            f"'{printable(path.name)}' holds {signed} integers of {bits} bits, of which no value is white "
            f"by agreement; save it with 8 or 16 bits, unsigned, or as floats of 0 to 1."
        )


def _number(image: Image.Image, tag: int, default: int) -> int:
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _layout(image: Image.Image) -> str:
    """How the samples lie in the file, in Pillow's words, such as RGB;16B."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow would cut 16 bits to 8."""
    return image.format in ("PNG", "TIFF") and _layout(image).startswith(("RGB;16", "RGBA;16", "LA;16"))


def _is_grey(image: Image.Image) -> bool:
    """Whether a picture has one channel of more than 8 bits."""
    return image.mode == "F" or image.mode.startswith("I")


def _deep_pixels(image: Image.Image, path: Path, file: BinaryIO | Path) -> np.ndarray | None:
    """The 16 bits of a picture that Pillow would cut to 8, by FFmpeg;
    None where FFmpeg does not know the kind either.
    """
    try:
        with open_video(file) as container:
            frame = next(container.decode(video=0))
        layout = "rgba64le" if has_alpha(image) else "rgb48le"
        return frame.reformat(format=layout, threads=1).to_ndarray()
    except (ValueError, StopIteration, av.error.FFmpegError) as error:
        logging.warning("'%s' is read with 8 of its 16 bits (%s).", printable(path.name), printable(error))
        return None


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, C) as EXIF's number says."""
    pixels = pixels.swapaxes(0, 1) if orientation in ON_ITS_SIDE else pixels
    pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
    return np.ascontiguousarray(pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels)


def _grey(image: Image.Image, path: Path) -> np.ndarray:
    """Floats or integers of one channel as 16 bits (H, W, 1).
    Raises ValueError for floats that are not in 0..1.
    """
    values = np.asarray(image)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
        if not 0 <= low <= high <= 1:  # or one is no number
            raise ValueError(
                f"'{printable(path.name)}' holds floats from {low:g} to {high:g}, and 0 (black) to 1 "
                f"(white) are read; scale its values, or save it with 16 bits."
            )
        values = np.rint(values * 65535)
    else:
        white = 2 ** _number(image, BITS_PER_SAMPLE, 16) - 1
        values = values.clip(0, white) * (65535 / white)
    values = values.astype(np.uint16)[..., None]
    return 65535 - values if _number(image, PHOTOMETRIC, 1) == 0 else values


def _smaller(image: Image.Image, scaled: Size) -> Size | None:
    """Twice the size at which a large picture is
    wanted, where that is less than half of what it has.
    """
    if math.prod(image.size) <= LARGE or _is_grey(image) or _is_deep(image):
        return None
    size = scaled.doubled
    is_less = 2 * size.width <= image.width and 2 * size.height <= image.height
    return size if is_less else None


def _colours(image: Image.Image, scaled: Size) -> np.ndarray:
    """A decoded picture of 8 bits as RGB or RGBA (H, W, C); of a large one no second in full size is made."""
    size = _smaller(image, scaled)
    if size is None:
        return np.asarray(converted(image))
    pixels, step = [], image.height / size.height
    count = max(1, round(ROWS / step))  # rows of the result at a time
    for top in range(0, size.height, count):
        bottom = min(size.height, top + count)
        first, last = math.floor(top * step), min(image.height, math.ceil(bottom * step))
        band = converted(image.crop((0, first, image.width, last)))
        box = (0, top * step - first, image.width, min(last, bottom * step) - first)
        pixels.append(np.asarray(band.resize((size.width, bottom - top), Image.Resampling.BOX, box)))
    return np.concatenate(pixels)
