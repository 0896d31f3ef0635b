"""The size at which frames leave a decoder:
scaled to square pixels, fitted, cropped or padded to what a model takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..foreign_text import printable

RESIZE_MODES = ("keep ratio", "crop", "pad", "stretch")


@dataclass(frozen=True)
class Size:
    """Width and height in pixels. Its iterator gives them in this order, as Pillow and FFmpeg take them;
    shapes of tensors have the height first.
    """

    width: int
    height: int

    def __iter__(self) -> Iterator[int]:
        return iter((self.width, self.height))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    @property
    def turned(self) -> Size:
        """The size of what lies on its side."""
        return Size(self.height, self.width)

    @property
    def doubled(self) -> Size:
        """Both sides twice as long."""
        return Size(2 * self.width, 2 * self.height)


@dataclass(frozen=True)
class SizeRequest:
    """What size frames are asked to have. width, height: pixels, 0 = from the other one, both 0 = the
    image's own. resize: one of RESIZE_MODES. Every side becomes a multiple of multiple_of.

    Raises ValueError for an unknown mode, negative sides and a multiple below 1.
    """

    width: int = 0
    height: int = 0
    resize: str = "keep ratio"
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if self.resize not in RESIZE_MODES:
            modes = ", ".join(RESIZE_MODES)
            raise ValueError(f"resize='{printable(self.resize)}' is unknown; choose one of {modes}.")
        if self.multiple_of < 1 or self.width < 0 or self.height < 0:
            raise ValueError(
                f"width={self.width} and height={self.height} must be 0 (the video's own) or more,"
                f" multiple_of={self.multiple_of} 1 or more; change them."
            )

    def at(self, size: Size) -> SizeRequest:
        """The same mode and multiple for a given size."""
        return replace(self, width=size.width, height=size.height)


@dataclass(frozen=True)
class FrameFit:
    """How a frame is made: scaled to `scaled`, then cut or padded to `out`."""

    out: Size
    scaled: Size
    offset: tuple[int, int]  # (x, y) of the scaled image in the output; negative = cut away


def fit_size(size: Size, aspect: float, request: SizeRequest) -> FrameFit:
    """How a decoded image becomes a frame. aspect: how many times as wide as high its pixels are.

    64x48 for 32x32 with square pixels: keep ratio 32x24; stretch 32x32;
    crop 43x32, of which 32x32 stay; pad 32x24 with black above and below.
    """
    shown = max(1.0, size.width * aspect), float(size.height)  # in square pixels
    out = Size(*(_rounded(side, request.multiple_of) for side in _wanted(*shown, request)))
    if request.resize in ("keep ratio", "stretch"):
        return FrameFit(out, out, (0, 0))
    inner, bound = (max, max) if request.resize == "crop" else (min, min)
    scale = inner(out.width / shown[0], out.height / shown[1])
    sides = (max(1, round(side * scale)) for side in shown)
    scaled = Size(*(bound(side, limit) for side, limit in zip(sides, out, strict=True)))
    return FrameFit(out, scaled, ((out.width - scaled.width) // 2, (out.height - scaled.height) // 2))


def _wanted(width: float, height: float, request: SizeRequest) -> tuple[float, float]:
    """The sides of a frame before they are rounded; width, height: of the image, in square pixels."""
    ratio = width / height
    if not request.width and not request.height:
        return width, height
    if not request.height:
        return request.width, request.width / ratio
    if not request.width:
        return request.height * ratio, request.height
    if request.resize == "keep ratio":
        scale = min(request.width / width, request.height / height)
        return width * scale, height * scale
    return request.width, request.height


def _rounded(side: float, multiple: int) -> int:
    return max(multiple, round(side / multiple) * multiple)


def is_same_shape(one: Size, other: Size) -> bool:
    """Whether two sizes are of one ratio but for rounding: scaled to the smaller one, within a pixel."""
    small, large = sorted((tuple(one), tuple(other)))
    return all(abs(large[side] * small[1 - side] / large[1 - side] - small[side]) <= 1 for side in (0, 1))
