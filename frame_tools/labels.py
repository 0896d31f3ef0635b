"""Text on pictures in any script:
Pillow's bundled font, and where it has no sign for a character, a font of the system.
"""

from __future__ import annotations

import functools
import logging
import unicodedata

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ..foreign_text import printable, visible

SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "msyh.ttc",
    "simhei.ttf",
    "simsun.ttc",
    "meiryo.ttc",
    "malgun.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Medium.ttc",
    "Arial Unicode.ttf",
    "segoeui.ttf",
    "arial.ttf",
    "Arial.ttf",
    "DejaVuSans.ttf",
)
"""Names under which Linux, Windows and macOS have fonts with Chinese,
Japanese, Korean and many other signs; the first ones first.
"""
WHITE, GREY, BLACK = (255, 255, 255), (150, 150, 150), (0, 0, 0)


@functools.cache
def _font(name: str | None, size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont | None:
    """A font of the system by its file's name, or Pillow's own for None;
    None where the system has no such font.
    """
    try:
        return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    except OSError:
        return None


def _image(font, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(mask) + bytes(f"{mask.size}", "ascii")


@functools.lru_cache(maxsize=4096)
def font_of(character: str, size: int):
    """The first font that has a sign for a character, or None where no font has one."""
    for name in (None, *SYSTEM_FONTS):
        font = _font(name, size)
        if font is not None and (
            character.isspace() or _image(font, character) != _image(font, "\U0010ffff")
        ):
            return font
    return None


@functools.lru_cache(maxsize=256)
def _runs(text: str, size: int) -> list[tuple[str, object]]:
    """Pieces of a text with the font that each is written in;
    a character that no font has is written plainly.
    """
    pieces: list[tuple[str, object]] = []
    missing = ""
    for character in text:
        font = font_of(character, size)
        if font is None:
            missing += "" if character in missing else character
            font, character = _font(None, size), _plainly(character)
        if pieces and pieces[-1][1] is font:
            pieces[-1] = (pieces[-1][0] + character, font)
        else:
            pieces.append((character, font))
    if missing:
        logging.warning(
            f"Zoetrope: no font of this system has the character{'s' * (len(missing) > 1)} "
            f"'{printable(missing)}'; written plainly."
        )
    return pieces


def _plainly(character: str) -> str:
    """What stands for a character that no font has:
    o for ö, nothing for what only changes the one before, else [U+4E2D].
    """
    if unicodedata.category(character) in ("Mn", "Cf"):
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or f"[U+{ord(character):04X}]"


def text_width(text: str, size: int) -> int:
    """Pixels that a line of text takes at a size in pixels."""
    return round(sum(font.getlength(piece) for piece, font in _runs(text, size)))


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour=WHITE,
    outline: int = 0,
) -> None:
    """Writes a line of text, `size` pixels large, whose baseline begins at `place`;
    an outline is black and so many pixels thick.
    """
    x, y = place
    for piece, font in _runs(text, size):
        draw.text((x, y), piece, font=font, fill=colour, anchor="ls", stroke_width=outline, stroke_fill=BLACK)
        x += font.getlength(piece)


def shortened(text: str, size: int, width: int) -> str:
    """The text, or as much of its beginning as fits into `width` pixels, with an ellipsis.
    What cannot be seen is an escape.
    """
    whole, text = text, visible(text[: max(0, width) + 1])  # a sign is a pixel wide at least
    if len(text) >= len(whole) and text_width(text, size) <= width:
        return text
    fitting, most = 0, len(text)
    while fitting < most:  # halves what is not known yet
        middle = (fitting + most + 1) // 2
        if text_width(text[:middle] + "…", size) <= width:
            fitting = middle
        else:
            most = middle - 1
    return text[:fitting] + "…"


def label_bar(text: str, width: int, height: int) -> torch.Tensor:
    """A black bar (height, width, 3), values 0..1, with a line of text in its middle;
    empty text leaves it black.
    """
    bar = Image.new("RGB", (width, height), BLACK)
    size = max(6, round(height * 0.7))
    text = shortened(text, size, width - 4)
    write(ImageDraw.Draw(bar), (max(2, (width - text_width(text, size)) / 2), height * 0.76), text, size)
    return to_tensor(bar)


def to_tensor(image: Image.Image) -> torch.Tensor:
    """An RGB picture as (H, W, 3), values 0..1."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)


def to_image(frame: torch.Tensor) -> Image.Image:
    """A frame (H, W, 3), values 0..1, as an RGB picture."""
    return Image.fromarray((frame.float().clamp(0, 1) * 255).round().byte().cpu().numpy())
