"""Texts (a workflow, a prompt) inside files,
in the form in which ComfyUI's front end finds them when the file is dropped on it.

Source: RFC 9649 (WebP's EXIF chunk and VP8X flags), W3C PNG
third edition (chunks); ComfyUI writes the same fields itself.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from ..foreign_text import printable

EXIF_MODEL, EXIF_MAKE = 0x0110, 0x010F
VP8X_HAS_EXIF, VP8X_HAS_ALPHA = 0x08, 0x10


def to_text(value: object) -> str:
    """JSON without braces inside its strings:
    the front end counts braces to find where a text in a WebM file ends.
    """
    text = json.dumps(value, default=str)
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: m[0].replace("{", "\\u007b").replace("}", "\\u007d"), text)


def storable(texts: dict[str, str]) -> dict[str, str]:
    """Texts that every format takes, by names that every format but WebP takes.

    JSON's own escapes stand for what is not ASCII, and in names for what cannot be seen. Containers do not
    tell small letters in names from capitals, and the last one counts: that is the front end's own."""
    order = sorted(texts, key=lambda name: name in ("prompt", "workflow"))
    return {_escaped(str(name), str.isprintable): _escaped(texts[name], _is_ascii) for name in order}


def _is_ascii(character: str) -> bool:
    return "\0" < character < "\x80"


def _escaped(text: str, is_kept: Callable[[str], bool]) -> str:
    """The text with JSON's escapes for what is not kept."""
    return text if all(map(is_kept, text)) else "".join(c if is_kept(c) else _escape(c) for c in text)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def add_texts(path: Path, extension: str, texts: dict[str, str]) -> None:
    """Adds texts to a finished file whose container took none while it was written (png, webp);
    for others it does nothing.
    """
    if texts and extension == "png":
        _add_to_png(path, storable(texts))
    elif texts and extension == "webp":
        _add_to_webp(path, storable(texts))


def write_image(path: Path, image: Image.Image, texts: dict[str, str]) -> None:
    """A PNG that carries the texts."""
    image.save(path, format="PNG")
    add_texts(path, "png", texts)


def _add_to_png(path: Path, texts: dict[str, str]) -> None:
    """Before the last chunk, as the kind of chunk that ComfyUI uses for animated PNGs."""
    with path.open("r+b") as file:
        file.seek(-12, io.SEEK_END)
        end = file.read()
        if end[4:8] != b"IEND":
            raise ValueError(
                f"'{printable(path.name)}' does not end as a PNG file does, so that the workflow cannot be "
                "added; write it again."
            )
        file.seek(-12, io.SEEK_END)
        for name, text in texts.items():
            content = b"comf" + name.encode("utf8") + b"\0" + text.encode("utf8")
            file.write(struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)))
        file.write(end)


def _add_to_webp(path: Path, texts: dict[str, str]) -> None:
    exif = Image.Exif()
    tag = EXIF_MAKE
    for name, text in texts.items():
        name = _escaped(name, lambda c: _is_ascii(c) and c != ":")  # EXIF holds ASCII; a colon ends the name
        if name == "prompt":
            exif[EXIF_MODEL] = f"{name}:{text}"
        else:
            exif[tag] = f"{name}:{text}"
            tag -= 1
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    with path.open("r+b") as file:
        head = file.read(21)
        if head[:4] != b"RIFF" or head[8:15] != b"WEBPVP8":
            raise ValueError(
                f"'{printable(path.name)}' does not begin as a WebP file does, so that the workflow cannot "
                "be added; write it again."
            )
        if (
            head[12:16] != b"VP8X"
        ):  # one frame alone is stored without the header that can say what else is there
            head = _extend_webp(file, path)
        file.seek(0, io.SEEK_END)
        file.write(b"EXIF" + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))
        file.seek(20)
        file.write(bytes([head[20] | VP8X_HAS_EXIF]))


def _extend_webp(file: BinaryIO, path: Path) -> bytes:
    """Puts the extended header before the picture; returns the beginning of the file."""
    with Image.open(path) as image:
        (width, height), alpha = image.size, VP8X_HAS_ALPHA if image.mode == "RGBA" else 0
    file.seek(12)
    content = file.read()
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    file.seek(12)
    file.write(b"VP8X" + struct.pack("<II", 10, alpha) + sides + content)
    file.seek(0)
    return file.read(21)
