"""Animated pictures written byte by byte, and what they show, composed here by the rules of their formats.

Source: W3C PNG third edition, 11.3.6.3 (fcTL); GIF89a, 23 (graphic control); RFC 9649, 2.7 (ANMF).
Letters: H height, W width.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

KEEP, CLEAR, RESTORE = range(3)


@dataclass(frozen=True)
class Part:
    """A frame of a file: its RGBA (h, w, 4) of 8 bits, where it lies,
    how it is put there, and what becomes of it afterwards.
    """

    pixels: np.ndarray
    x: int = 0
    y: int = 0
    over: bool = False  # laid over what is there; else in its place
    disposal: int = KEEP
    milliseconds: int = 100


def shown(parts, width, height):
    """What is seen of every part: RGBA (H, W, 4), 0..1."""
    canvas, seen = np.zeros((height, width, 4)), []
    for number, part in enumerate(parts):
        before = canvas.copy()
        place = np.s_[part.y : part.y + part.pixels.shape[0], part.x : part.x + part.pixels.shape[1]]
        new, old = part.pixels / 255, canvas[place]
        if part.over:
            alpha = new[..., 3:] + old[..., 3:] * (1 - new[..., 3:])
            mixed = new[..., :3] * new[..., 3:] + old[..., :3] * old[..., 3:] * (1 - new[..., 3:])
            new = np.concatenate([mixed / np.where(alpha == 0, 1, alpha), alpha], -1)
        canvas[place] = new
        seen.append(canvas.copy())
        if part.disposal == CLEAR or (part.disposal == RESTORE and number == 0):
            canvas[place] = 0
        elif part.disposal == RESTORE:
            canvas = before
    return seen


def apng(parts, width, height, default=None, text=b"", plays=0):
    """An APNG of RGBA; `default` (H, W, 4) is a first picture that is none of its frames."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    def packed(pixels):
        return zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels))

    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0))
    content += chunk(b"tEXt", b"workflow\0" + text) if text else b""
    content += chunk(b"acTL", struct.pack(">2I", len(parts), plays))
    content += chunk(b"IDAT", packed(default)) if default is not None else b""
    count = 0
    for index, part in enumerate(parts):
        height, width = part.pixels.shape[:2]
        settings = (
            count,
            width,
            height,
            part.x,
            part.y,
            part.milliseconds,
            1000,
            part.disposal,
            int(part.over),
        )
        content += chunk(b"fcTL", struct.pack(">5I2H2B", *settings))
        count += 1
        if index == 0 and default is None:
            content += chunk(b"IDAT", packed(part.pixels))
        else:
            content += chunk(b"fdAT", struct.pack(">I", count) + packed(part.pixels))
            count += 1
    return content + chunk(b"IEND", b"")


PALETTE = np.array(
    [
        (0, 0, 0),
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
        (255, 0, 255),
        (9, 8, 7),
    ],
    np.uint8,
)
HOLE = 7  # the index that is transparent


def gif(parts, width, height, plays=0):
    """A GIF whose parts are of PALETTE's colours; where they are transparent nothing is drawn."""

    def block(content):
        pieces = [content[start : start + 255] for start in range(0, len(content), 255)]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"

    def packed(indices):
        """LZW without any compression:
        every index is a code of 4 bits, and the table is cleared before it grows.
        """
        codes = [8]
        for start in range(0, len(indices), 6):
            codes += [*indices[start : start + 6], 8]
        codes.append(9)
        bits = sum(code << 4 * place for place, code in enumerate(codes))
        return b"\x03" + block(bits.to_bytes((len(codes) + 1) // 2, "little"))

    content = b"GIF89a" + struct.pack("<2H3B", width, height, 0x82, 0, 0) + PALETTE.tobytes()
    content += b"\x21\xff\x0bNETSCAPE2.0" + block(b"\x01" + struct.pack("<H", plays))
    for part in parts:
        colours = (part.pixels[..., None, :3] == PALETTE).all(-1).argmax(-1)
        indices = np.where(part.pixels[..., 3] > 0, colours, HOLE)
        flags = (part.disposal + 1) << 2 | 1
        content += b"\x21\xf9\x04" + struct.pack("<BHB", flags, part.milliseconds // 10, HOLE) + b"\0"
        content += (
            b"\x2c"
            + struct.pack("<4HB", part.x, part.y, *part.pixels.shape[1::-1], 0)
            + packed(indices.ravel().tolist())
        )
    return content + b";"


def webp(parts, width, height, plays=0):
    """A lossless animated WebP; it knows no RESTORE."""

    def chunk(name, content):
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def three(number):
        return struct.pack("<I", number)[:3]

    content = chunk(b"VP8X", b"\x12\0\0\0" + three(width - 1) + three(height - 1))
    content += chunk(b"ANIM", b"\0\0\0\0" + struct.pack("<H", plays))
    for part in parts:
        file = io.BytesIO()
        Image.fromarray(part.pixels).save(file, "WEBP", lossless=True, exact=True)
        image = file.getvalue()[12:]
        image = image[image.index(b"VP8L") :]
        height, width = part.pixels.shape[:2]
        flags = bytes([(not part.over) << 1 | (part.disposal == CLEAR)])
        place = three(part.x // 2) + three(part.y // 2) + three(width - 1) + three(height - 1)
        content += chunk(b"ANMF", place + three(part.milliseconds) + flags + image)
    return b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content
